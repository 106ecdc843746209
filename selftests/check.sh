#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [-s SUITE] [-d] [-n] [NAME...]: all tests, or those named: the ones
# inside the VM in one boot, those that wait for timers in a second one whose
# clock counts instructions, then the ones of the VM itself. Its last line
# counts them all. A test that is named does all that it can do. With -n no
# device does anything for the stack, and those of the VM itself are not run.
set -uo pipefail
cd -P "$(dirname "$0")/.." || exit

suite=bookworm debug='' no_offloads=''
while getopts s:dn option; do
	case $option in
	s) suite=$OPTARG ;;
	d) debug=-d ;;
	n) no_offloads=-n ;;
	*) echo "usage: check.sh [-s SUITE] [-d] [-n] [NAME...]" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
set -- "${@//-/_}"
all=()
(($#)) && all=(-a)

declare -i passed=0 failed=0 skipped=0
# what hangs for longer is ended; all of it takes the debug kernel over an hour
limit=${VM_LIMIT:-${debug:+7200}}
limit=${limit:-3600}
logs=build/logs-$suite${debug:+-debug}
mkdir -p "$logs"

# of LIST: the names in it that are asked for. Words after the name say of a
# host test that it belongs to the debug kernel, or is run only when named.
of()
{
	awk -v asked="$*" -v debug="$debug" -v no_offloads="$no_offloads" '
	BEGIN {
		list = ARGV[1]
		n = split(asked, names, " ")
		for (i = 2; i <= n; i++)
			want[names[i]] = 1
	}
	/^#/ || !NF { next }
	n > 1 { if ($1 in want) print $1; next }
	FILENAME ~ /host/ && ($2 == "debug") != (debug != "") { next }
	/ named( |$)/ { next }
	no_offloads != "" && (FILENAME ~ /host/ || / offloads( |$)/) { next }
	debug != "" && / fast-only( |$)/ { next }
	{ print $1 }' "$1"
}

# with_word WORD NAME...: those with this word
with_word()
{
	local word=$1

	shift
	(($#)) || return 0
	# the debug kernel has no such clock: all of them run there as others do
	printf '%s\n' "$@" | grep -xF -f <(
		[[ $debug ]] || awk -v word="$word" '!/^#/ {
			for (i = 2; i <= NF; i++)
				if ($i == word)
					print $1
		}' selftests/TESTS)
}

# without NAME... -- NAME...: the second ones that are not among the first
without()
{
	local gone=()

	while [[ $1 != -- ]]; do
		gone+=("$1")
		shift
	done
	shift
	(($#)) || return 0
	printf '%s\n' "$@" | grep -vxF -f <(printf '%s\n' "${gone[@]}")
}

mapfile -t inside < <(of selftests/TESTS "$@")
mapfile -t outside < <(of selftests/TESTS.host "$@")
for name; do
	[[ " ${inside[*]} ${outside[*]} " == *" $name "* ]] || {
		echo "check.sh: there is no test '$name'" >&2
		exit 2
	}
done

# Reads a run's output: passes it on but for the line that counts, which is
# added to ours.
add_up()
{
	local line counts=''

	while IFS= read -r line; do
		if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
			counts=("${BASH_REMATCH[@]:1}")
		else
			printf '%s\n' "$line"
		fi
	done
	passed+=${counts[0]:-0} failed+=${counts[1]:-0} skipped+=${counts[2]:-0}
	[[ ${counts[*]} ]]
}

# a fault that no test's line stands for
fault()
{
	echo "not ok - $*"
	failed+=1
}

# in_vm VM-OPTION... -- RUN-OPTION... NAME...
in_vm()
{
	local status before=$failed options=()

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	exec {output}< <(
		selftests/vm.sh -s "$suite" $debug -t "$limit" \
			"${options[@]}" -- selftests/run.sh $no_offloads \
			"$@" 2>&1
		echo $? >"$logs/status"
	)
	add_up <&"$output" || fault "the VM's run did not come to its end"
	exec {output}<&-
	status=$(<"$logs/status")
	if ((status == 99)); then
		fault "kernel log or unloading"
	elif ((status && failed == before)); then
		fault "the VM's run ended with status $status"
	fi
}

on_host()
{
	local name=$1 status

	echo "# on the host: $name"
	exec {output}< <(
		selftests/run.sh -x -o "$logs" "$name" 2>&1
		echo $? >"$logs/status"
	)
	add_up <&"$output" || fault "$name did not come to its end"
	exec {output}<&-
}

mapfile -t timed < <(with_word clock "${inside[@]}")
mapfile -t sleeping < <(with_word sleeps "${inside[@]}")
mapfile -t inside < <(without "${timed[@]}" "${sleeping[@]}" - -- \
	"${inside[@]}")
((${#inside[@]})) && in_vm -w "$logs" -- "${all[@]}" -o "$PWD/$logs" "${inside[@]}"
# nothing is written to the host before the end: it would make the clock leap
((${#timed[@]})) && in_vm -i -- "${all[@]}" -j 1 "${timed[@]}"
((${#sleeping[@]})) && in_vm -i -- -j 1 "${sleeping[@]}"
for name in "${outside[@]}"; do
	on_host "$name"
done

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
