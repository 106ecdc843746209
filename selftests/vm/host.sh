#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# host.sh: sees to it that the host has the programs that the VM needs.
# Nothing else is ever installed on the host.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin

# program and package; newuidmap only serves users that are not root
needed="qemu-system-x86_64 qemu-system-x86
mmdebstrap mmdebstrap
mke2fs e2fsprogs
unshare util-linux
flock util-linux
git git"
((EUID == 0)) || needed+="
newuidmap uidmap"

programs=() packages=()
while read -r program package; do
	command -v "$program" >/dev/null && continue
	programs+=("$program")
	packages+=("$package")
done <<<"$needed"
((${#programs[@]})) || exit 0

install=(apt-get install -y --no-install-recommends "${packages[@]}")
if ! command -v apt-get >/dev/null; then
	echo "These programs are missing: ${programs[*]}" >&2
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
else
	echo "These programs are missing: ${programs[*]}. Type:" >&2
	echo "  sudo ${install[*]}" >&2
	exit 1
fi
