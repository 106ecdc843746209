#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs tests inside the VM, several side by side, and counts what they
# report. selftests/TESTS lists them, one a line, with words after the name
# (with -x: selftests/TESTS.host, on the host, one after the other):
#   alone      runs with no other test beside it
#   bare       in the VM's own namespaces (and alone)
#   time=N     seconds it may take, instead of 300 (three times that when slow)
#   fast-only  not on a slow (debug) kernel
#   slow-only  on a slow kernel alone
#   named      only when it is asked for by name
#   offloads   is about what devices do for the stack: not with -n
#   sleeps     the machine does: in a VM of its own, with that clock
#   clock      check.sh runs it in a VM of its own, where waiting is free and
#              exact (vm.sh -i); on the debug kernel beside the others
# A test that fails beside others runs once more, alone, and that run counts:
# on a busy machine a peer may give up too soon. netdev's own CI does the same.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

usage()
{
	echo "usage: run.sh [-an] [-j JOBS] [-o DIR] [NAME]..."
	echo "  -a       all that these tests can do (KSFT_ALL=yes)"
	echo "  -j JOBS  tests side by side, default 3"
	echo "  -n       no device does anything for the stack"
	echo "  -o DIR   keeps each test's output there"
	echo "  -x       the tests that run on the host"
}

jobs=3 logs='' host='' list=selftests/TESTS
while getopts aj:no:xh option; do
	case $option in
	a) export KSFT_ALL=yes ;;
	x) host=yes list=selftests/TESTS.host ;;
	j) jobs=$OPTARG ;;
	n) export KSFT_OFFLOADS=off PATH=$PWD/selftests/no-offloads:$PATH ;;
	o) logs=$OPTARG ;;
	h) usage; exit ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
set -- "${@//-/_}"

[[ $logs ]] || logs=$(mktemp -d)
mkdir -p "$logs"
[[ $host ]] || KSFT_CAPTURES=$(mktemp -d)
export KSFT_CAPTURES
slow=${KSFT_MACHINE_SLOW:-no}
declare -i passed=0 failed=0 skipped=0 number=0

# file_of NAME: a test is a program whose name may leave out the ending; which
# part of it is not of the name
file_of()
{
	local file name=${1%.*}

	for file in "selftests/$name" "selftests/$name.sh" \
		"selftests/$name.py"; do
		if [[ -f $file && -x $file ]]; then
			echo "$file"
			return
		fi
	done
	return 1
}

# listed [NAME...]: the lines of the list that are asked for and fit here. What
# takes a slow machine too long is in parts there, NAME.1-4 and so on, that run
# side by side.
listed()
{
	local name words i shards

	while read -r name words; do
		[[ $name && $name != \#* ]] || continue
		(($# == 0)) || [[ " $* " == *" $name "* ]] || continue
		if (($# == 0)); then
			[[ $slow != yes || " $words " != *" fast-only "* ]] ||
				continue
			[[ $slow == yes || " $words " != *" slow-only "* ]] ||
				continue
			[[ " $words " != *" named "* ]] || continue
			[[ ${KSFT_OFFLOADS:-} != off ||
				" $words " != *" offloads "* ]] || continue
		fi
		shards=1
		[[ $slow != yes || ! $words =~ shards=([0-9]+) ]] ||
			shards=${BASH_REMATCH[1]}
		for ((i = 1; i <= shards; i++)); do
			if ((shards == 1)); then
				echo "$name $words"
			else
				echo "$name.$i-$shards $words shard=$i-$shards"
			fi
		done
	done <"$list"
}

# A test's own network, process and mount namespaces: what it leaves behind
# ends with it, and names need not differ from those of its neighbours.
isolated()
{
	# shellcheck disable=SC2016	# expanded by the inner shell
	unshare --net --mount --pid --fork --kill-child -- bash -c '
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t debugfs debugfs /sys/kernel/debug
		mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
		mount -t tmpfs tmpfs /run/netns
		ip link set lo up
		'"$(declare -f left_behind)"'
		"$@"
		status=$?
		left_behind || status=100
		exit $status
	' - "$@"
}

# Devices or namespaces that a test forgot to take away
left_behind()
{
	local ns links

	links=$(ip -o link show type teredo 2>/dev/null)
	for ns in $(ip netns list 2>/dev/null | cut -d" " -f1); do
		links+=$(ip -n "$ns" -o link show type teredo 2>/dev/null)
	done
	[[ $links ]] || return 0
	echo "# left behind: $links"
	return 1
}

# run_one FILE LOG WORD...
run_one()
{
	local file=$1 log=$2 limit=300 how=isolated word status=0 began=$SECONDS
	local -x KSFT_SHARD=''

	shift 2
	for word; do
		case $word in
		time=*) limit=${word#time=} ;;
		shard=*) KSFT_SHARD=${word#shard=} ;;
		bare) how='' ;;
		esac
	done
	[[ $slow == yes ]] && limit=$((limit * 3))
	# there a second is no time at all
	[[ ${TEREDO_VM_CLOCK:-} ]] && limit=$((limit * 1000))
	[[ $host ]] && how=''
	[[ $host ]] || echo "teredo-run: $file starts" >/dev/kmsg
	# shellcheck disable=SC2086	# nothing or one word
	$how timeout -k 10 "$limit" "./$file" >"$log" 2>&1 </dev/null ||
		status=$?
	if [[ ! $how && ! $host ]]; then
		left_behind >>"$log" || status=100
	fi
	echo "$status $((SECONDS - began))" >"$log.status"
}
export -f left_behind

# count LOG STATUS: prints passed, failed, skipped and what is wrong besides
count()
{
	awk -v status="$2" '
	/^1\.\.[0-9]+/ { plan = substr($1, 4); planned = 1; next }
	/^ok .*# *SKIP/ { skipped++; next }
	/^ok / { passed++; next }
	/^not ok .*# *(TODO|XFAIL)/ { skipped++; next }
	/^not ok / { failed++; next }
	END {
		all = passed + failed + skipped
		if (status == 124 || status == 137)
			why = "ran out of time"
		else if (status == 100)
			why = "left a device behind"
		else if (status == 4 && !failed) {
			if (!all)
				skipped++
		} else if (status && !failed)
			why = "ended with status " status
		else if (!planned)
			why = "printed no plan"
		else if (plan + 0 != all)
			why = "planned " plan ", ran " all
		else if (!all)
			why = "tested nothing"
		if (why)
			failed++
		printf "%d %d %d %s\n", passed, failed, skipped, why
	}' "$1"
}

# report NAME LOG: one test's TAP, indented, and its line in ours
report()
{
	local name=$1 log=$2 status seconds ok bad skip why

	read -r status seconds <"$log.status"
	rm "$log.status"
	read -r ok bad skip why <<<"$(count "$log" "$status")"
	passed+=$ok failed+=$bad skipped+=$skip number+=1
	echo "# Subtest: $name"
	sed 's/^/    /' "$log"
	if ((bad)); then
		echo "not ok $number $name # $seconds s${why:+, $why}"
		[[ $host ]] || dmesg | tail -n 15 | sed 's/^/# /'
	elif ((ok == 0)); then
		echo "ok $number $name # SKIP $seconds s"
	else
		echo "ok $number $name # $seconds s"
	fi
}

# Nobody holds it between two tests, so it must go.
unloads()
{
	local tries

	[[ ! $host ]] || return
	for ((tries = 0; tries < 100; tries++)); do
		[[ -d /sys/module/teredo ]] || return 0
		modprobe -r teredo 2>/dev/null && return 0
		sleep 0.1
	done
	modprobe -r teredo
	echo "not ok $((number += 1)) the module unloads"
	failed+=1
}

mapfile -t lines < <(listed "$@")
for name; do
	printf '%s\n' "${lines[@]}" | grep -qE "^$name(\.[0-9-]+)?( |$)" || {
		echo "run.sh: no test '$name' in $list" >&2
		exit 2
	}
done

echo "TAP version 13"

declare -A running=()
alone=()
reap()
{
	local pid line name log bad why

	wait -n -p pid "${!running[@]}"
	line=${running[$pid]} name=${running[$pid]%% *}
	log=$logs/$name.log
	unset "running[$pid]"
	read -r _ bad _ why <<<"$(count "$log" "$(cut -d' ' -f1 "$log.status")")"
	if ((bad)); then
		echo "# $name failed${why:+ ($why)} beside others, once more later"
		sed 's/^/#     /' "$log"
		cp "$log" "$log.first"
		alone+=("$line")
	else
		report "$name" "$log"
	fi
}

for line in "${lines[@]}"; do
	read -r name words <<<"$line"
	if ! file=$(file_of "$name"); then
		echo "not ok $((number += 1)) $name # no such program"
		failed+=1
	elif [[ $host || " $words " == *" alone "* || " $words " == *" bare "* ]]; then
		alone+=("$line")
	else
		((${#running[@]} < jobs)) || reap
		# shellcheck disable=SC2086	# words
		run_one "$file" "$logs/$name.log" $words &
		running[$!]=$line
	fi
done
while ((${#running[@]})); do
	reap
done
unloads

# Does the field's decoder agree with all that the tests have captured?
judge_captures()
{
	local captures=("$KSFT_CAPTURES"/*.pcap)

	[[ -e ${captures[0]} ]] || return 0
	if selftests/judge.py "${captures[@]}" >"$logs/judge"; then
		echo "ok $((number += 1)) tshark agrees with ${#captures[@]} captures"
		passed+=1
	else
		sed 's/^/# /' "$logs/judge"
		echo "not ok $((number += 1)) tshark agrees with ${#captures[@]} captures"
		failed+=1
	fi
}

for line in "${alone[@]}"; do
	read -r name words <<<"$line"
	# shellcheck disable=SC2086	# words
	run_one "$(file_of "$name")" "$logs/$name.log" $words
	report "$name" "$logs/$name.log"
	unloads
done

[[ $host ]] || judge_captures
echo "1..$number"

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
