#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make-source.sh SERIES [SUITE]: fetches Debian's package linux-source-SERIES
# into the cache, once, and prints the path of the .tar.xz it holds. Nothing
# of it is ever copied into the repository.
set -euo pipefail
. "$(dirname "$0")/common.sh"

series=$1 suite=${2:-bookworm}
dir=$cache/linux-source-$series

make_source()
{
	local work=$dir.new

	[[ -d $dir ]] && return
	say "fetching Debian's source of Linux $series (150 MB) ..."
	rm -rf "$work"
	mkdir -p "$work"
	cd "$work"
	logged "$work/log" "$vm_dir/apt.sh" "$suite" apt-get -q update
	logged "$work/log" "$vm_dir/apt.sh" "$suite" apt-get -q download \
		"linux-source-$series"
	dpkg-deb -x linux-source-*.deb .
	mv usr/src/linux-source-*.tar.xz linux.tar.xz
	rm -rf linux-source-*.deb usr
	mv "$work" "$dir"
}

[[ -d $dir ]] || locked "linux-source-$series" make_source
echo "$dir/linux.tar.xz"
