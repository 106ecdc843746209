#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make-root.sh SUITE: makes the root of a suite in the cache, once, and
# prints its folder. In it: tree/ (to build in), root.img (ext4, to boot
# from), vmlinuz, initrd, release (the kernel's). It is never the host's
# root: miredo, which the tests want as a peer, starts a live tunnel on the
# machine it is installed on.
set -euo pipefail
. "$(dirname "$0")/common.sh"

suite=$1
# SUITE-backports: its kernel; SUITE-dkms: more packages
base=${suite%-backports} base=${base%-dkms}
# the number is for changes of this script that change what it makes
key=$(hash_of "$vm_dir/packages" "$vm_dir/packages.$suite" "$vm_dir/root-hook" \
	"1 $suite")
dir=$cache/root-$suite-$key

# A kernel from backports is asked for by name, everything else is not.
packages()
{
	local list=("$vm_dir/packages")

	[[ -f $vm_dir/packages.$suite ]] && list+=("$vm_dir/packages.$suite")
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "${list[@]}" |
	if [[ $suite == *-backports ]]; then
		sed "s/^linux-.*/&\/$suite/"
	else
		cat
	fi
}

make_tree()
{
	local sources=$dir.new/sources.list options=()

	"$vm_dir/sources.sh" "$base" >"$sources"
	case $base in
	sid) options+=(--aptopt='Acquire::Check-Valid-Until "false"') ;;
	esac
	# Nobody boots from the initramfs that Debian's hook would make. A
	# user's namespaces may neither mount /sys nor change to apt's user.
	as_root mmdebstrap --mode=root --variant=minbase --quiet \
		--include="$(packages | paste -sd,)" \
		--skip=chroot/mount/sys --aptopt='APT::Sandbox::User "root"' \
		--aptopt='Acquire::Languages "none"' "${options[@]}" \
		--dpkgopt='path-exclude=/etc/kernel/postinst.d/initramfs-tools' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt=force-confold \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools" &&
			echo update_initramfs=no \
			>"$1/etc/initramfs-tools/update-initramfs.conf"' \
		--customize-hook="cp '$vm_dir/root-hook' \"\$1/tmp/root-hook\"" \
		--customize-hook='chroot "$1" /tmp/root-hook' \
		--customize-hook='rm "$1/tmp/root-hook"' \
		"$base" "$dir.new/tree" "$sources"
	rm "$sources"
}

make_image()
{
	local size

	size=$(as_root du -sm --apparent-size "$dir.new/tree" | cut -f1)
	# No journal: the image is only ever read. Lazy tables stay holes.
	as_root mke2fs -q -t ext4 -O ^has_journal,^metadata_csum,^resize_inode \
		-m 0 -i 8192 -d "$dir.new/tree" "$dir.new/root.img" \
		$((size * 5 / 4 + 300))M >/dev/null
}

make_root()
{
	[[ -d $dir ]] && return
	say "making the $suite root (about 2 minutes) ..."
	as_root rm -rf "$dir.new"
	mkdir -p "$dir.new"
	logged "$cache/root-$suite.log" make_tree
	make_image
	mv "$dir.new"/tree/boot/vm/* "$dir.new"/
	mv "$dir.new" "$dir"
	forget_unused "root-$suite"
}

[[ -d $dir ]] || locked "root-$suite" make_root
touch "$dir/used"
echo "$dir"
