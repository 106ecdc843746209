#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make-kernel.sh: builds the debug kernel from Debian's source and
# debug.config, once, and prints its folder in the cache. In it: vmlinuz,
# release, build/ (what a module needs to be built for it).
set -euo pipefail
. "$(dirname "$0")/common.sh"

series=6.12
# the number is for changes of this script that change what it makes
key=$(hash_of "$vm_dir/debug.config" "1 $series")
dir=$cache/kernel-$key

# progress TREE: now and then how far the build is, until it ends or is killed
progress()
{
	local start=$SECONDS files

	trap 'kill $! 2>/dev/null; exit' TERM
	while kill -0 $$ 2>/dev/null; do
		sleep 30 &
		wait $!
		# files may go while it looks
		files=$({ find "$1"/var/tmp/kernel.* -name '*.o' || true; } \
			2>/dev/null | wc -l)
		say "... $((SECONDS - start)) s, $files object files"
	done
}

# Runs as root of the suite's root, whose compiler is also the module's.
compile()
{
	local tree=$1 tarball=$2

	work=$(mktemp -d "$tree/var/tmp/kernel.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mount -t proc proc "$tree/proc"
	tar -C "$work" -xJf "$tarball" --strip-components=1
	cp "$vm_dir/debug.config" "$work/.debug.config"
	chroot "$tree" /bin/bash -euxo pipefail -c '
		cd "$1"
		export KBUILD_BUILD_USER=teredo KBUILD_BUILD_HOST=teredo
		make -s allnoconfig KCONFIG_ALLCONFIG=.debug.config
		# an option that fell out for want of another one is a mistake
		grep "^CONFIG_.*=" .debug.config | sort >wanted
		sort .config | comm -23 wanted - >missing
		if [[ -s missing ]]; then
			echo "these options fell out:" >&2
			cat missing >&2
			exit 1
		fi
		make -s -j"$(nproc)" bzImage modules
		make run-command KBUILD_RUN_COMMAND="\$(srctree)/scripts/package/install-extmod-build $1/headers"
		make -s kernelrelease >release
	' - "${work#"$tree"}"
	cp "$work/arch/x86/boot/bzImage" "$dir.new/vmlinuz"
	cp "$work/.config" "$dir.new/config"
	cp "$work/release" "$work/missing" "$work/System.map" "$dir.new/"
	cp -r "$work/headers" "$dir.new/build"
	cp "$work"/modules.{builtin,builtin.modinfo,order} "$dir.new/"
}

make_kernel()
{
	local tree tarball

	[[ -d $dir ]] && return
	tree=$("$vm_dir/make-root.sh" bookworm)/tree
	tarball=$("$vm_dir/make-source.sh" "$series")
	say "building the debug kernel (about 14 minutes on two cores) ..."
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	export dir vm_dir
	# the lock is not its to hold
	progress "$tree" 9>&- &
	# shellcheck disable=SC2064	# now, while it is known
	trap "kill $!" EXIT
	logged "$cache/kernel.log" as_root bash -euo pipefail -c \
		"$(declare -f compile); compile \"\$@\"" - "$tree" "$tarball"
	mv "$dir.new" "$dir"
	forget_unused kernel
}

[[ -d $dir ]] || locked kernel make_kernel
touch "$dir/used"
echo "$dir"
