# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the VM's scripts share: where things are kept, how they become root of
# a suite's root without being root of the host, locks, and progress lines.
# shellcheck disable=SC2034	# for those who source it

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$vm_dir/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/teredo
keyring=${TEREDO_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
PATH=$PATH:/usr/sbin:/sbin
# so that lists are sorted in one way, and all users of the VM can read its files
export LC_ALL=C.UTF-8
umask 022
# what a make or a kernel developer's shell hands down is not for the builds here
unset MAKEFLAGS MFLAGS MAKELEVEL ARCH CROSS_COMPILE KBUILD_OUTPUT KCFLAGS LLVM
mkdir -p "$cache"

say()
{
	echo "vm: $*" >&2
}

die()
{
	say "$*"
	exit 98
}

# hash_of [FILE | STRING]...: one short name for the content of all; a file
# that isn't there has none
hash_of()
{
	local item

	for item; do
		if [[ -f $item ]]; then
			cat "$item"
		elif [[ $item != /* ]]; then
			printf '%s\n' "$item"
		fi
	done | sha256sum | cut -c1-12
}

# Runs a command as uid 0 in mount and pid namespaces of its own, so that
# mounts and stray processes end with it. For a user that is root of a user
# namespace in which the user's own files belong to root: unlike
# mmdebstrap's unshare mode this reaches a home folder of mode 0700.
as_root()
{
	local flags=(--mount --pid --fork --kill-child)

	((EUID)) && flags+=(--map-root-user --map-auto)
	unshare "${flags[@]}" -- "$@"
}

# locked NAME COMMAND...: two runs at a time must not make one thing twice
locked()
{
	local lock=$cache/$1.lock

	shift
	(
		if ! flock -n 9; then
			say "waiting for another run that is making the same"
			flock 9
		fi
		"$@"
	) 9>"$lock"
}

# forget_unused NAME: removes what the cache holds under NAME-HASH and nobody
# has asked for in three days; another copy of the repository may still ask.
# And what was not finished.
forget_unused()
{
	local old

	{
		find "$cache" -mindepth 2 -maxdepth 2 -mtime +2 \
			-path "$cache/$1-????????????/used" -printf '%h\n'
		find "$cache" -mindepth 1 -maxdepth 1 -mtime +2 \
			-name "$1-????????????.new"
	} | while read -r old; do
		as_root rm -rf "$old"
	done
}

# logged FILE COMMAND...: output goes to FILE and is shown if it fails
logged()
{
	local log=$1 status=0

	shift
	# in the background, since a function to the left of || goes on after
	# a command of it has failed
	"$@" >"$log" 2>&1 9>&- </dev/null &
	wait $! || status=$?
	if ((status)); then
		tail -n "${VM_LOG_LINES:-60}" "$log" >&2
		say "failed with status $status; the whole log: $log"
	fi
	return "$status"
}
