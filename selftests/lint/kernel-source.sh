#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-source.sh: prints a folder with what lint needs of a kernel source
# tree and no header package has: checkpatch, kernel-doc, the YNL generator
# and its schemas. The folder is made in the cache from Debian's linux-source package.
# KERNEL_SOURCE names a full tree to use instead.
set -euo pipefail

if [[ ${KERNEL_SOURCE:-} ]]; then
	echo "$KERNEL_SOURCE"
	exit
fi

# shellcheck source-path=SCRIPTDIR source=../vm/common.sh
. "$(dirname "$0")/../vm/common.sh"

series=7.3 suite=trixie
wanted=(
	MAINTAINERS
	Documentation/netlink
	scripts/checkpatch.pl
	scripts/const_structs.checkpatch
	scripts/spelling.txt
	tools/docs/kernel-doc
	tools/lib/python
	tools/net/ynl/pyynl
)
dir=$cache/kernel-$series-$(hash_of "${wanted[@]}")

make_dir()
{
	local tarball

	[[ -d $dir ]] && return
	tarball=$("$vm_dir/make-source.sh" "$series" "$suite")
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	xz -dc -T0 "$tarball" | tar -x -C "$dir.new" --strip-components=1 \
		"${wanted[@]/#/linux-source-$series/}"
	mv "$dir.new" "$dir"
}

[[ -d $dir ]] || locked "kernel-$series" make_dir
echo "$dir"
