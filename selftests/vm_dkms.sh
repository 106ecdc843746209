#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# DKMS: installed, loaded and taken away in a VM with a root of its own, in
# which nothing of this project has been; then nothing is left. Compiles
# inside the VM, so this takes minutes: it runs only when it is named.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

vm=$(dirname "$0")/vm.sh

if [[ ! ${TEREDO_VM:-} ]]; then
	VM_PARTS='' exec "$vm" -s bookworm-dkms -m 2048 -t 3000 -- \
		"selftests/$(basename "$0")"
fi

log=$(mktemp)
version=$(<VERSION)

# files: folders too, all but indices and caches, and the key that DKMS makes
# to sign with
files()
{
	find /usr /etc /var/lib -xdev ! -path '*/modules.*' \
		! -path '/var/lib/dkms/mok.*' ! -path '*/__pycache__*' \
		\( -type d -printf '%p/\n' -o -print \) | LC_ALL=C sort
}

# step NAME COMMAND...
step()
{
	local what=$1

	shift
	"$@" >"$log" 2>&1
	check_err $? "$*"
	[[ $RET == 0 ]] || tail -n 40 "$log" | sed 's/^/# /'
	log_test "$what"
}

# shellcheck disable=SC2317	# called by name
installed()
{
	dkms status teredo/"$version" | grep -q ": installed" &&
		modinfo -F filename teredo | grep '/updates/dkms/teredo.ko'
}

# shellcheck disable=SC2317
alone()
{
	installed && ! ls /lib/modules/*/updates/teredo.ko*
}

# shellcheck disable=SC2317
refused()
{
	local said

	said=$(make install 2>&1) && return 1
	[[ $said == *"make dkms-uninstall first"* ]]
}

# shellcheck disable=SC2317
works()
{
	modprobe teredo && ip link add teredo0 type teredo &&
		ip -d link show teredo0 | grep 'teredo mode client' &&
		teredoctl status teredo0 && ip link delete teredo0 &&
		modprobe -r teredo
}

# Empty folders that were there before may go: DKMS tidies up its parents.
# shellcheck disable=SC2317
gone()
{
	hash -r
	! modinfo teredo && ! command -v teredoctl && files >/tmp/after &&
		! LC_ALL=C comm -13 /tmp/before /tmp/after | grep . &&
		! LC_ALL=C comm -23 /tmp/before /tmp/after | grep -v '/$' &&
		[[ ! $(dkms status teredo) ]]
}

ktap_print_header
ktap_set_plan 17
grep -qx "PACKAGE_VERSION=\"$version\"" dkms.conf
check_err $? "dkms.conf has another version than VERSION"
log_test "one version"

# the repository is read-only here
mkdir /root/teredo
tar --exclude=./.git --exclude=./build -cf - . | tar -C /root/teredo -xf -
cd /root/teredo || exit
files >/tmp/before
step "make dkms-install" make dkms-install
step "DKMS knows it, modinfo finds it" installed
# as after a git pull
echo "/* other sources */" >>teredo_main.c
step "once more, with other sources" make dkms-install
step "DKMS has those" grep -q "other sources" /usr/src/teredo-*/teredo_main.c
step "it loads and works, and so do the tools" works
step "make dkms-uninstall" make dkms-uninstall
step "nothing is left" gone

# the same without DKMS
step "make install" make install
step "it loads and works, installed so" works
step "make dkms-install over that" make dkms-install
step "DKMS's is the only one" alone
step "make install over that is refused" refused
step "make dkms-uninstall once more" make dkms-uninstall
step "make install again" make install
step "make uninstall" make uninstall
step "nothing of that is left" gone
ktap_finished
