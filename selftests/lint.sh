#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh [CHECK]...: what `make lint` runs: all checks, or those named. The
# checkers live in a root of their own in the cache (lint/packages), module
# and tools are compiled in the root of the test VM; the host needs no more
# than for `make check`.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=vm/common.sh
. "$(dirname "$0")/vm/common.sh"

say()
{
	echo "lint: $*" >&2
}

declare -A checks=(
	[spdx]="each file names its license"
	[checkpatch]="checkpatch --strict --codespell, 80 columns"
	[netdev]="nothing that netdev's own checks refuse"
	[kerneldoc]="kernel-doc comments match what they describe"
	[build]="module: W=1 and sparse find nothing"
	[tools]="tools: -Wall -Wextra find nothing"
	[uapi]="uapi headers compile alone"
	[format]="tools are formatted as tools/.clang-format says"
	[cppcheck]="cppcheck finds nothing in the tools"
	[shellcheck]="shellcheck finds nothing in the scripts"
	[python]="pyflakes finds nothing in the Python programs"
	[spec]="netlink spec: yamllint, schema, generated files"
	[man]="mandoc finds nothing in the manual pages"
	[rst]="docutils finds nothing in the documentation"
	[spelling]="codespell finds nothing"
	[links]="what the documents refer to exists"
	[ids]="each rule of the RFCs has its code and its test"
	[planted]="the faults for the debug kernel can be planted"
)
order=(spdx checkpatch netdev kerneldoc build tools uapi format cppcheck
	shellcheck python spec man rst spelling links ids planted)

for name; do
	if [[ ! ${checks[$name]:-} ]]; then
		echo "usage: lint.sh [CHECK]..., of: ${order[*]}" >&2
		exit 2
	fi
done

# The rest runs as uid 0 of a mount namespace of its own, with the repository
# on /mnt of both roots.
if [[ ! ${LINT_INSIDE:-} ]]; then
	kernel=$("$repo/selftests/lint/kernel-source.sh")
	tools=$("$repo/selftests/lint/make-tools.sh")
	root=$("$vm_dir/make-root.sh" bookworm)
	work=$repo/build/lint
	mkdir -p "$work/module" "$work/tools"
	export kernel tools root work LINT_INSIDE=yes
	as_root bash "$0" "$@"
	exit
fi

tree=$root/tree
release=$(<"$root/release")
for top in "$tools" "$tree"; do
	mount --bind "$repo" "$top/mnt"
	mount -o remount,ro,bind "$top/mnt"
	mount -t tmpfs tmpfs "$top/tmp"
	mount -t proc proc "$top/proc"
	mount --rbind /dev "$top/dev"
done
mount --bind "$kernel" "$tools/srv"
mount --bind "$work" "$tools/media"
mount --bind "$work" "$tree/media"
cd "$repo"

# within ROOT COMMAND...: in the repository as ROOT sees it
within()
{
	local top=$1

	shift
	chroot "$top" /usr/bin/env -i LC_ALL=C.UTF-8 HOME=/tmp \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin KERNEL_SOURCE=/srv \
		/bin/sh -c 'cd /mnt && exec "$@"' - "$@"
}

checker()
{
	within "$tools" "$@"
}

# What belongs to the project, also what is not committed yet
if [[ -e .git ]]; then
	list() { git ls-files -co --exclude-standard; }
else
	list() { find . -type f -printf '%P\n'; }
fi
mapfile -t files < <(list | sort -u | while read -r file; do
	[[ $file == build/* || ! -f $file ]] || echo "$file"
done)

# among PATTERN NOT FILE...: those whose names match, extended expressions
among()
{
	local pattern=$1 not=$2

	shift 2
	printf '%s\n' "$@" | grep -E -- "$pattern" |
		grep -vE -- "${not:-^$}" || true
}

# named PATTERN [NOT]: the same, of all files
named()
{
	among "$1" "${2:-}" "${files[@]}"
}

# holds PATTERN: of the files named on standard input those with such a line
holds()
{
	xargs -r -d '\n' grep -lE -- "$1" || true
}

generated=$(printf '%s\n' "${files[@]}" | grep '\.[ch]$' |
	holds '^/\* YNL-GEN' | paste -sd'|')
mapfile -t kernel_c < <(named '^([^/]*|compat/.*|include/uapi/.*)\.[ch]$' \
	"^(${generated:-$^})$")
mapfile -t tools_c < <(named '^(tools|selftests)/.*\.[ch]$')

# found [FILE]...: whether there is anything to check
found()
{
	(($#)) || skip "no such file yet"
}

skip()
{
	echo "$*" >"$work/skip"
	exit 4
}

check_spdx()
{
	local file status=0

	# these hold no comment or are not ours
	for file in "${files[@]}"; do
		case $file in
		LICENSE | VERSION | .gitignore | */.gitignore | *.patch | *.json | *.csv | *.png | *.svg | \
		selftests/vm/packages* | selftests/vm/*.config | \
		debian/changelog | debian/source/format) continue ;;
		esac
		head -n 5 "$file" | grep -qE \
			'SPDX-License-Identifier: [(]*GPL-2\.0|^License: GPL-2' &&
			continue
		echo "$file"
		status=1
	done
	return "$status"
}

# checkpatch [OPTION]... < FILES
checkpatch()
{
	checker xargs -r -I '{}' -P "$(nproc)" \
		selftests/lint/checkpatch.sh '{}' "$@"
}

check_checkpatch()
{
	local nipa status=0 style

	# those that NIPA, netdev's patch checker, leaves out
	nipa=COMMIT_LOG_LONG_LINE,MACRO_ARG_REUSE,ALLOC_SIZEOF_STRUCT
	nipa+=,NO_AUTHOR_SIGN_OFF,GIT_COMMIT_ID,CAMELCASE,FILE_PATH_CHANGES
	nipa+=,BAD_REPORTED_BY_LINK
	# each network namespace has a copy of the table, which is filled in
	nipa+=,CONST_STRUCT

	among '^' '^(compat/|teredo_proto\.h$)' "${kernel_c[@]}" |
		checkpatch --codespell --ignore "$nipa" || status=1

	# user space has no __packed, and gets it from here
	among '^teredo_proto\.h$' '' "${kernel_c[@]}" |
		checkpatch --codespell \
			--ignore "$nipa,PREFER_DEFINED_ATTRIBUTE_MACRO" ||
		status=1

	# What an older kernel calls otherwise is told by its version, a macro
	# that takes the place of a function need not use all arguments, and
	# one that takes the place of a member cannot have parentheses.
	among '^compat/' '' "${kernel_c[@]}" |
		checkpatch --codespell \
			--ignore "$nipa,LINUX_VERSION_CODE,MACRO_ARG_UNUSED,COMPLEX_MACRO,SPACING" ||
		status=1

	# User space: only what is about the look. clang-format and codespell
	# do the rest.
	style=LONG_LINE,LONG_LINE_COMMENT,CODE_INDENT,TRAILING_WHITESPACE
	style+=,PARENTHESIS_ALIGNMENT,SUSPECT_CODE_INDENT,SPACE_BEFORE_TAB
	style+=,LINE_SPACING,TYPO_SPELLING,BRACES
	printf '%s\n' "${tools_c[@]}" | checkpatch --types "$style" || status=1
	return "$status"
}

# refuse WHY PATTERN FILE...
refuse()
{
	local why=$1 pattern=$2

	shift 2
	(($#)) || return 0
	! grep -HnE -- "$pattern" "$@" |
		grep -vE ':[0-9]+:[[:blank:]]*(\*|/\*|//)' |
		sed "s|\$|		<- $why|" | grep .
}

check_netdev()
{
	local code sources headers status=0

	mapfile -t code < <(among '^' '^compat/' "${kernel_c[@]}")
	mapfile -t sources < <(among '\.c$' '' "${kernel_c[@]}")
	mapfile -t headers < <(among '\.h$' '' "${code[@]}")
	found "${code[@]}"
	refuse "configure by netlink" '\bmodule_param' "${kernel_c[@]}" || status=1
	refuse "use the tracked one, netdev_hold and the like" \
		'\b(dev_hold|dev_put|get_net|put_net|init_dummy_netdev)\(' \
		"${code[@]}" || status=1
	refuse "netdev wants no scoped cleanup" '\b__free\(' "${kernel_c[@]}" ||
		status=1
	refuse "the compiler knows" '\binline\b' "${sources[@]}" || status=1
	refuse "only compat/ knows kernel versions" \
		'\b(LINUX_VERSION_CODE|KERNEL_VERSION)\b' "${code[@]}" ||
		status=1
	# A body in a header whose head does not say inline. In compat/ a header
	# may be the glue around one callback.
	awk '
		function report() {
			if (head ~ /\)/ && head !~ /inline/) {
				print FILENAME ":" FNR ":" head \
					"		<- a function in a header"
				bad = 1
			}
			head = ""
		}
		FNR == 1 || /^$|^#|^[\/ ]\*/ { head = ""; next }
		/^[a-z_].*\)[^;]*\{/ || /^\{/ { if (!/^\{/) head = head $0; report(); next }
		/;$|^\}/ { head = ""; next }
		/^[a-z_]/ || head != "" { head = head " " $0 }
		END { exit bad }
	' "${headers[@]}" || status=1
	return "$status"
}

check_kerneldoc()
{
	local with

	mapfile -t with < <(printf '%s\n' "${kernel_c[@]}" | holds '^[[:blank:]]*/\*\*$')
	found "${with[@]}"
	checker python3 -B /srv/tools/docs/kernel-doc -none -Werror "${with[@]}" \
		>"$work/kerneldoc" 2>&1 && return
	sort -u "$work/kerneldoc"
	return 1
}

check_build()
{
	local key list=$work/module.files log=$work/build.log

	[[ -f Kbuild ]] || skip "no Kbuild yet"
	named '^(Kbuild|VERSION|[^/]*\.[ch]|(compat|include)/.*)$' >"$list.new"
	key=$(xargs -d '\n' sha256sum <"$list.new" |
		cat - "$repo/selftests/lint.sh" "$root/release" | sha256sum)
	if [[ -f $work/build.key && $(<"$work/build.key") == "$key" ]]; then
		return
	fi
	rm -f "$work/build.key"
	if [[ -f $list ]]; then
		comm -23 "$list" "$list.new" | (cd "$work/module" && xargs -r rm -f)
	fi
	mv "$list.new" "$list"
	tar -cf - -T "$list" | tar -C "$work/module" -xf -
	# KBUILD_MODPOST_WARN stays unset: an unknown symbol is an error too
	within "$tree" make -s -C "/lib/modules/$release/build" \
		M=/media/module -j"$(nproc)" W=1 KCFLAGS=-Werror \
		C=2 CHECK=sparse CF=-D__CHECK_ENDIAN__ modules >"$log" 2>&1 ||
		{ sed 's,/media/module/,,' "$log" && return 1; }
	if sed 's,/media/module/,,' "$log" |
		grep -E '(warning|error|WARNING|ERROR):'; then
		return 1
	fi
	echo "$key" >"$work/build.key"
}

check_tools()
{
	[[ -f tools/Makefile ]] || skip "no tools/Makefile yet"
	within "$tree" make -s -C /mnt/tools O=/media/tools -j"$(nproc)" \
		CFLAGS='-O2 -g -Werror' 2>&1
}

check_uapi()
{
	local header status=0

	while read -r header; do
		within "$tree" gcc -std=c90 -Wall -Wextra -Werror -fsyntax-only \
			-I include/uapi -x c \
			-include "${header#include/uapi/}" /dev/null 2>&1 ||
			status=1
	done < <(named '^include/uapi/')
	return "$status"
}

# Columns may be aligned: blanks don't count. An attribute may have a line.
check_format()
{
	local file text status=0

	while read -r file; do
		text=$(sed 's,^__attribute__.*)$,//&,' "$file")
		diff -U0 --label "$file" --label "clang-format $file" \
			<(squeeze <<<"$text") \
			<(checker clang-format --style=file:tools/.clang-format \
				<<<"$text" | squeeze) || status=1
	done < <(among '^tools/' '' "${tools_c[@]}")
	return "$status"
}

squeeze()
{
	sed -E 's/[[:blank:]]+/ /g'
}

check_cppcheck()
{
	local sources

	mapfile -t sources < <(among '\.c$' '' "${tools_c[@]}")
	found "${sources[@]}"
	# It sees no system headers, and takes no note of integer promotion in
	# the arguments of printf.
	checker cppcheck --quiet --std=c11 --library=posix --inline-suppr \
		--enable=warning,performance,portability --error-exitcode=1 \
		--suppress=missingIncludeSystem \
		--suppress=invalidPrintfArgType_uint \
		-D_GNU_SOURCE -D'mnl_attr_for_each(a, n, o)=while ((a = (n)))' \
		-D'mnl_attr_for_each_nested(a, n)=while ((a = (n)))' \
		-I tools -I . -I include/uapi -j "$(nproc)" "${sources[@]}" 2>&1
}

check_shellcheck()
{
	local scripts

	mapfile -t scripts < <(
		printf '%s\n' "${files[@]}" | while read -r file; do
			if [[ $file == *.sh ]] || head -n 3 "$file" | grep -qaE \
				'^#!.*\b(ba|da)?sh\b|^# shellcheck shell='; then
				echo "$file"
			fi
		done)
	found "${scripts[@]}"
	# As NIPA calls it: 2317 and 2329 are about functions called by name.
	# 2016, a dollar in single quotes: code for another shell. 2054, commas
	# in an array: QEMU's options. 2012, ls: the names of kernels are tame.
	checker shellcheck -x -P SCRIPTDIR \
		-e SC2317,SC2329,SC2016,SC2054,SC2012 \
		"${scripts[@]}"
}

check_python()
{
	local programs

	mapfile -t programs < <(
		printf '%s\n' "${files[@]}" | while read -r file; do
			if [[ $file == *.py ]] ||
				head -n 1 "$file" | grep -qa '^#!.*python'; then
				echo "$file"
			fi
		done)
	found "${programs[@]}"
	checker pyflakes3 "${programs[@]}"
}

check_spec()
{
	local status=0

	checker yamllint -s -d '{extends: default, rules: {line-length: {max: 80}}}' \
		Documentation/netlink/specs || status=1
	checker selftests/ynl-regen.sh --check || status=1
	return "$status"
}

check_man()
{
	local pages

	mapfile -t pages < <(named '\.[1-8]$')
	found "${pages[@]}"
	checker mandoc -T lint -W warning "${pages[@]}"
}

check_rst()
{
	local file status=0

	while read -r file; do
		checker rst2pseudoxml --report=info --halt=5 --exit-status=2 \
			"$file" >/dev/null || status=1
	done < <(named '^Documentation/.*\.rst$')
	return "$status"
}

check_spelling()
{
	local text

	mapfile -t text < <(named . "^(LICENSE|.*\.patch|${generated:-$^})$")
	# .Nd is a macro of manual pages, ECT a codepoint of RFC 3168
	checker codespell -L nd,ect "${text[@]}"
}

check_links()
{
	local documents

	mapfile -t documents < <(named '(\.md|^Documentation/.*\.rst|\.[1-8])$')
	found "${documents[@]}"
	checker python3 -B selftests/lint/links.py "${documents[@]}"
}

check_ids()
{
	checker python3 -B selftests/lint/ids.py
}

# as vm_debug.sh applies them
check_planted()
{
	local patch status=0

	for patch in selftests/debug/*.patch; do
		git apply --check -C1 "$patch" || status=1
	done
	return "$status"
}

(($#)) || set -- "${order[@]}"
passed=0 failed=0 skipped=0 number=0
echo "TAP version 13"
echo "1..$#"
for name; do
	number=$((number + 1)) start=$SECONDS
	rm -f "$work/skip"
	set +e
	(set -e; "check_$name") >"$work/output" 2>&1
	status=$?
	set -e
	took="($((SECONDS - start)) s)"
	if [[ -f $work/skip ]]; then
		skipped=$((skipped + 1))
		echo "ok $number - $name: ${checks[$name]} # SKIP $(<"$work/skip")"
	elif ((status)); then
		failed=$((failed + 1))
		echo "not ok $number - $name: ${checks[$name]} $took"
	else
		passed=$((passed + 1))
		echo "ok $number - $name: ${checks[$name]} $took"
	fi
	sed 's/^/# /' "$work/output"
done
echo "$passed passed, $failed failed, $skipped skipped"
((!failed))
