#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make-tools.sh: makes a root with the checkers in the cache, once, and prints
# its folder. So the host needs none of them, and everybody has the same
# version of each.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/common.sh
. "$(dirname "$0")/../vm/common.sh"

suite=bookworm
packages=$(sed '/^#/d' "$(dirname "$0")/packages" | paste -sd,)
dir=$cache/lint-$(hash_of "$packages" "$suite")

make_tree()
{
	as_root mmdebstrap --mode=root --variant=minbase --quiet \
		--include="$packages" \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		"$suite" "$dir.new" "$dir.list"
}

make_tools()
{
	[[ -d $dir ]] && return
	say "making a root with the checkers (about a minute) ..."
	as_root rm -rf "$dir.new"
	"$vm_dir/sources.sh" "$suite" >"$dir.list"
	logged "$cache/lint.log" make_tree
	rm "$dir.list"
	mv "$dir.new" "$dir"
	forget_unused lint
}

[[ -d $dir ]] || locked lint make_tools
touch "$dir/used"
echo "$dir"
