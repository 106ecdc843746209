#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-source.sh: prints a folder with what lint needs of a kernel source
# tree and no header package has: checkpatch, the YNL generator and its
# schemas, the code style. The folder is made in the cache from Debian's
# linux-source package. KERNEL_SOURCE names a full tree to use instead.
set -euo pipefail

if [[ ${KERNEL_SOURCE:-} ]]; then
	echo "$KERNEL_SOURCE"
	exit
fi

# shellcheck source-path=SCRIPTDIR source=../vm/common.sh
. "$(dirname "$0")/../vm/common.sh"

suite=trixie
package=linux-source-7.3
dir=$cache/kernel-source/$package
wanted=(
	.clang-format
	MAINTAINERS
	Documentation/netlink
	scripts/checkpatch.pl
	scripts/const_structs.checkpatch
	scripts/spelling.txt
	tools/net/ynl/pyynl
)

make_dir()
{
	[[ -e $dir/MAINTAINERS ]] && return
	say "fetching $package for checkpatch and the YNL generator (once)"
	rm -rf "$dir" "$dir".new
	mkdir -p "$dir".new
	cd "$dir".new
	logged apt.log "$vm_dir/apt.sh" "$suite" apt-get update
	logged apt.log "$vm_dir/apt.sh" "$suite" apt-get download "$package"
	say "unpacking"
	dpkg-deb --fsys-tarfile "$package"_*.deb |
		tar -xO "./usr/src/$package.tar.xz" | xz -dc -T0 |
		tar -x --strip-components=1 "${wanted[@]/#/$package/}"
	rm -- *.deb
	mv "$dir".new "$dir"
}

locked "kernel-source-$package" make_dir
echo "$dir"
