#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes by itself when somebody asks for it, and without a word
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command modprobe teredoctl python3

ALL_TESTS="by_kind by_family quiet"
loaded=/sys/module/teredo

unload()
{
	[[ ! -d $loaded ]] || busywait 5000 modprobe -r teredo
}

by_kind()
{
	unload
	check_err $? "modprobe -r"
	ip link add teredo0 type teredo
	check_err $? "ip link add"
	[[ -d $loaded ]]
	check_err $? "not loaded"
	ip link delete teredo0
	log_test "the kind of a link loads the module"
}

by_family()
{
	unload
	check_err $? "modprobe -r"
	(cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 python3 -c '
from genl import NETLINK_GENERIC, Family, Netlink
Family(Netlink(NETLINK_GENERIC), "teredo")')
	check_err $? "CTRL_CMD_GETFAMILY"
	[[ -d $loaded ]]
	check_err $? "not loaded"
	log_test "the name of the generic netlink family loads the module"
}

quiet()
{
	local said

	unload
	echo "teredo-test: from here" >/dev/kmsg
	ip link add teredo0 type teredo mode relay
	ip link set teredo0 up
	ip link delete teredo0
	unload
	check_err $? "modprobe -r"
	# out of tree, and what IPv6 says of every device
	said=$(dmesg | sed '1,/teredo-test: from here/d' |
	       grep -v -e "taint" -e "IPv6: ADDRCONF(")
	[[ ! $said ]]
	check_err $? "the kernel says: $said"
	log_test "nothing is printed, from loading to unloading"
}

ktap_print_header
tests_run
unload
ktap_finished
