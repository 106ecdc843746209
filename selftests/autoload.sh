#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes by itself when somebody asks for it, and without a word
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command modprobe modinfo teredoctl python3 ping socat jq

ALL_TESTS="by_kind by_family unnamed known quiet"
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

unnamed()
{
	ip link add type teredo
	check_err $? "ip link add"
	ip -d link show teredo0 | grep -q "teredo mode client"
	check_err $? "no teredo0"
	ip link delete teredo0
	log_test "a device without a name is called teredo0"
}

known()
{
	local text field

	text=$(modinfo teredo)
	check_err $? "modinfo"
	# alias: what loads it in the two tests above
	for field in "license: *GPL" "description: *[A-Z]" \
		"version: *$(<"$(dirname "$0")/../VERSION")" \
		"alias: *rtnl-link-teredo" \
		"alias: *net-pf-16-proto-16-family-teredo"; do
		grep -q "^$field" <<<"$text"
		check_err $? "no $field in: $text"
	done
	log_test "modinfo tells what the module is"
}

dropped()
{
	teredoctl -j status teredo0 | jq -e '.[0].stats.rx_version > 0'
}

# packets: one into the device, which searches for the peer, and one from the
# network that is no packet
packets()
{
	ip link add teredo-test type dummy
	defer ip link delete teredo-test
	ip addr add 5.6.7.8/24 dev teredo-test
	ip -6 addr add 2620::1/64 dev teredo-test nodad
	ip link set teredo-test up
	ip route add default via 5.6.7.1
	ip -6 route add 2001::/32 via fe80::1 dev teredo0
	ping -c 1 -W 1 2001:0:4136:e38e:0:2ca1:3424:eab9 >/dev/null
	[[ $(teredoctl -j peers teredo0 | jq length) == 1 ]]
	check_err $? "the ping made no peer"
	echo "this is not an IPv6 packet, but longer than its header" |
		socat - UDP4-DATAGRAM:5.6.7.8:3545
	busywait 5000 dropped >/dev/null
	check_err $? "the datagram was not refused: $(teredoctl status teredo0)"
}

quiet()
{
	local said

	unload
	echo "teredo-test: from here" >/dev/kmsg
	ip link add teredo0 type teredo mode relay port 3545
	ip link set teredo0 up
	in_defer_scope packets
	ip link delete teredo0
	unload
	check_err $? "modprobe -r"
	# out of tree, and what IPv6 says of every device
	said=$(dmesg | sed '1,/teredo-test: from here/d' |
	       grep -v -e "taint" -e "IPv6: ADDRCONF(")
	[[ ! $said ]]
	check_err $? "the kernel says: $said"
	log_test "nothing is printed, from loading over packets to unloading"
}

ktap_print_header
tests_run
unload
ktap_finished
