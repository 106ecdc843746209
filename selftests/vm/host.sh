#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# host.sh: sees to it that the host has the programs that the VM needs.
# Nothing else is ever installed on the host.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin

keyring=${TEREDO_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# program or file, and its package; newuidmap only serves users that are not
# root
needed="qemu-system-x86_64 qemu-system-x86
mmdebstrap mmdebstrap
mke2fs e2fsprogs
unshare util-linux
flock util-linux
xz xz-utils
git git
$keyring debian-archive-keyring"
((EUID == 0)) || needed+="
newuidmap uidmap"
# mmdebstrap and the scripts here call these; they are what would install
# themselves
command -v apt-get >/dev/null || needed+="
apt-get apt
dpkg-deb dpkg"

programs=() packages=()
while read -r program package; do
	[[ $program == /* && -r $program ]] && continue
	command -v "$program" >/dev/null && continue
	programs+=("$program")
	packages+=("$package")
done <<<"$needed"

# A user is root of the VM's parts in a namespace of his own.
namespaces()
{
	((EUID)) || return 0
	unshare --map-root-user --map-auto --mount true && return
	echo "The VM is built in a user namespace, which does not work here. It takes util-linux" >&2
	echo "2.38, a line for you in /etc/subuid and /etc/subgid, and, where AppArmor restricts" >&2
	echo "namespaces, sysctl kernel.apparmor_restrict_unprivileged_userns=0. Or run it as root." >&2
	return 1
}

if ((!${#programs[@]})); then
	namespaces
	exit
fi

install=(apt-get install -y --no-install-recommends "${packages[@]}")
if ! command -v apt-get >/dev/null; then
	echo "These are missing: ${programs[*]}" >&2
	exit 1
elif ((EUID == 0)); then
	echo "installing ${packages[*]} ..." >&2
	log=$(mktemp)
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive "${install[@]}"; } \
		>"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		exit 1
	fi
	rm "$log"
elif command -v sudo >/dev/null && [[ -t 0 ]]; then
	echo "These packages are needed, nothing else is done as root:" >&2
	echo "  sudo ${install[*]}" >&2
	sudo apt-get update
	sudo "${install[@]}"
	namespaces
else
	echo "These are missing: ${programs[*]}. Type:" >&2
	echo "  sudo ${install[*]}" >&2
	exit 1
fi
