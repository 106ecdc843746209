#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Behind a symmetric NAT there is no address, and an address of the underlay
# that changes leads to a new start at once (CL-Q-13, CL-Q-19, A-07)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="symmetric another_network another_address down_up"

symmetric()
{
	nat_maps "ip daddr $PRIMARY masquerade to :40001" \
		"ip daddr $SECONDARY masquerade to :41001"
	helper_start "$client"
	slowwait 20 state_is offline
	check_err $? "not offline"
	[ "$(status .nat)" = symmetric ]
	check_err $? "NAT $(status .nat)"
	logged "offline: symmetric NAT: mapped to $OUTER:40001 .* $OUTER:41001"
	check_err $? "no reason"
	nothing_left
	check_err $? "there is an address"
	log_helper_test "symmetric NAT: offline, no address"
}

# client_moves ADDRESS: what a new lease does; at the NAT the port is free then
client_moves()
{
	ip -n "$client" addr flush dev eth0 scope global
	nat_maps "masquerade to :40001"
	ip -n "$client" -b - <<-END
		addr add $1/24 dev eth0
		route add default via 192.168.7.1
	END
}

another_network()
{
	client_moves 192.168.7.3
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status '|"\(.local) \(.nat)"')" = "192.168.7.3 restricted" ]
	check_err $? "local address and NAT"
	log_helper_test "another local address: tried again at once"
}

another_address()
{
	local before

	before=$(address)
	client_moves 192.168.7.2
	slowwait 20 test_moved
	check_err $? "not qualified from the new address"
	slowwait 5 test_same "$before"
	check_err $? "address was $before, is $(address)"
	log_helper_test "same mapping after a new start: same address"
}

test_moved()
{
	[ "$(status '|"\(.state) \(.local)"')" = "qualified 192.168.7.2" ]
}

test_same()
{
	[ "$(address)" = "$1" ]
}

down_up()
{
	ip -n "$client" link set teredo0 down
	slowwait 10 logged "the device is down"
	check_err $? "not seen"
	nothing_left
	check_err $? "address or route is left"
	ip -n "$client" link set teredo0 up
	qualified "$client"
	check_err $? "not qualified"
	[ "$(routes | wc -l)" = 1 ]
	check_err $? "routes $(routes)"
	log_helper_test "device down and up: qualified anew"
}

qual_setup
client_add
tests_run
ktap_finished
