#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh SUITE [debug]: builds module and tools for the kernel of a suite's
# VM, inside that suite's root, and packs them on the paths a user would have
# them. Prints the folder with the result: build/SUITE[-debug]/, in it
# initramfs.cpio (to follow the root's own), kernel and release.
# VM_PARTS="module" or "tools" leaves the other part out.
set -euo pipefail
. "$(dirname "$0")/common.sh"

suite=$1 debug=${2:-}
parts=${VM_PARTS-module tools}
out=$repo/build/$suite${debug:+-debug}
root=$("$vm_dir/make-root.sh" "$suite")
tree=$root/tree
kernel=$root
[[ $debug ]] && kernel=$("$vm_dir/make-kernel.sh")
release=$(<"$kernel/release")
multiarch=$(basename "$(dirname "$tree"/usr/lib/*/ld-linux-x86-64.so.2)")

# sources PATH...: the files of the repository below them, also the ones that
# are not committed yet
sources()
{
	if [[ -e .git ]]; then
		git ls-files -co --exclude-standard -- "$@"
	else
		# unpacked from an archive
		find "$@" -type f ! -name '*.o' ! -name '.*' 2>/dev/null
	fi | sort -u | while read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
}

module_sources()
{
	cd "$repo"
	sources Kbuild VERSION compat include ./*.[ch]
}

tools_sources()
{
	cd "$repo"
	sources tools include ./*.[ch] Documentation VERSION Makefile
}

# The copy keeps times, so that make rebuilds only what changed.
copy_sources()
{
	local name=$1

	mkdir -p "$out/$name"
	("${name}_sources") >"$out/$name.files.new"
	if [[ -f $out/$name.files ]]; then
		comm -23 "$out/$name.files" "$out/$name.files.new" |
			(cd "$out/$name" && xargs -r rm -f)
	fi
	tar -C "$repo" -cf - -T "$out/$name.files.new" |
		tar -C "$out/$name" -xf -
	mv "$out/$name.files.new" "$out/$name.files"
}

# Runs as root: the suite's root with the sources on /mnt and what to install on
# /media.
in_tree()
{
	mount -t proc proc "$tree/proc"
	mount --bind "$1" "$tree/mnt"
	mount --bind "$2" "$tree/media"
	shift 2

	chroot "$tree" /usr/bin/env -i LC_ALL=C \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		"$@"
}
export -f in_tree
export tree debug kernel release

build_module()
{
	local into=$out/module.root build=/lib/modules/$release/build

	[[ $debug ]] && build=/srv
	rm -rf "$into"
	mkdir -p "$into/lib/modules/$release/updates"
	as_root bash -euo pipefail -c '
		[[ $debug ]] && mount --bind "$kernel/build" "$tree/srv"
		in_tree "$@"
	' - "$out/module" "$into" /bin/sh -euc '
		make -s -C "$1" M=/mnt -j"$(nproc)" modules
		cp /mnt/teredo.ko "/media/lib/modules/$2/updates/"
	' - "$build" "$release"
	index_module "$into"
}

# modprobe and autoload want an index of all modules of this kernel. Runs as
# root, with ours on /media.
index_in_tree()
{
	local into=$2 lib=lib/modules/$release

	if [[ ! $debug ]]; then
		mkdir "$into/$lib/kernel"
		mount --bind "$tree/$lib/kernel" "$into/$lib/kernel"
	fi
	mount --rbind "$into" "$tree/srv"
	in_tree "$@" depmod -b /srv "$release"
}
export -f index_in_tree

index_module()
{
	local into=$1 lib=lib/modules/$release from=$kernel

	[[ $debug ]] || from=$tree/$lib
	cp "$from"/modules.{builtin,builtin.modinfo,order} "$into/$lib/"
	as_root bash -euo pipefail -c 'index_in_tree "$@"' - \
		"$out/module" "$into"
	[[ $debug ]] || rmdir "$into/$lib/kernel"
}

build_tools()
{
	local into=$out/tools.root

	rm -rf "$into"
	mkdir -p "$into"
	as_root bash -euo pipefail -c 'in_tree "$@"' - "$out/tools" "$into" \
		/bin/sh -euc '
		make -s -C /mnt/tools -j"$(nproc)"
		make -s -C /mnt/tools install DESTDIR=/media PREFIX=/usr/local \
			IPROUTE2_PLUGIN_DIR="$1"
	' - "/usr/lib/$multiarch/ip"
}

# part NAME LABEL MARK: builds a part if its sources (or kernel) changed and
# the file MARK says that there is such a part
part()
{
	local name=$1 label=$2 mark=$3 key

	if [[ $parts != *$name* || ! -e $repo/$mark ]]; then
		rm -rf "$out/$name.root" "$out/$name.key"
		return
	fi
	copy_sources "$name"
	key=$(cd "$out/$name" && xargs sha256sum <"$out/$name.files" |
		cat - "$0" <(echo "$kernel $release") | sha256sum)
	[[ -f $out/$name.key && $(<"$out/$name.key") == "$key" ]] && return
	rm -f "$out/$name.key"
	say "building $label for $release ..."
	logged "$out/$name.log" "build_$name"
	# what the compiler warned of is for the developer to see
	grep -E '(warning|WARNING):' "$out/$name.log" >&2 || true
	echo "$key" >"$out/$name.key"
}

pack()
{
	local work=$out/initramfs key name

	key=$(hash_of "$out/module.key" "$out/tools.key" "$vm_dir/initramfs" \
		"$vm_dir/init" "$0" "kernel $kernel" "root $root")
	[[ -f $out/key && $(<"$out/key") == "$key" ]] && return
	rm -rf "$work"
	mkdir -p "$work/overlay/usr/lib/teredo-vm"
	cp "$vm_dir/initramfs" "$work/init"
	cp "$vm_dir/init" "$work/overlay/usr/lib/teredo-vm/"
	for name in module tools; do
		[[ -d $out/$name.root ]] || continue
		cp -a "$out/$name.root/." "$work/overlay/"
	done
	# Debian's /lib is a link, and must stay one under the overlay
	if [[ -d $work/overlay/lib ]]; then
		cp -a "$work/overlay/lib/." "$work/overlay/usr/lib/"
		rm -rf "$work/overlay/lib"
	fi
	as_root bash -euo pipefail -c 'in_tree "$@"' - "$work" "$out" sh -euc '
		cd /mnt
		find . | cpio --quiet -o -H newc -R 0:0 >/media/initramfs.new
	'
	mv "$out/initramfs.new" "$out/initramfs.cpio"
	rm -rf "$work"
	echo "$root" >"$out/root"
	echo "$kernel" >"$out/kernel"
	echo "$key" >"$out/key"
}

build()
{
	mkdir -p "$out"
	part module "the module" Kbuild
	part tools "the tools" tools/Makefile
	pack
}

locked "build-$(hash_of "at $out")" build
echo "$out"
