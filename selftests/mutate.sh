#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutate.sh [ID...]: breaks checks of the module, each in turn, and sees which
# rows of the conformance tests notice; mutate.py has the list. All mutations
# are built into one module, so that one boot is enough for all of them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=vm/common.sh
. "$(dirname "$0")/vm/common.sh"

copy=$repo/build/mutate
root=$("$vm_dir/make-root.sh" bookworm)
export copy tree=$root/tree

# Python is in the VM's root: the host need not have it
in_root()
{
	mount --bind "$copy" "$tree/mnt"
	chroot "$tree" /bin/sh -c \
		'cd /mnt && exec python3 -B selftests/mutate.py --plant'
}
export -f in_root

mkdir -p "$copy"
# the VM's build asks git for the sources
[[ -e $copy/.git ]] || git init -q "$copy"
# but for what was built from it
find "$copy" -mindepth 1 -maxdepth 1 ! -name .git ! -name build \
	-exec rm -rf {} +
cd "$repo"
git ls-files -co --exclude-standard | while read -r file; do
	[[ ! -f $file ]] || echo "$file"
done | tar -cf - -T - | tar -C "$copy" -xf -
as_root bash -euo pipefail -c in_root
exec "$copy/selftests/vm.sh" -i -t 1800 -- selftests/mutate.py --run "$@"
