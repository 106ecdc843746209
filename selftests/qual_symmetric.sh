#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Behind a symmetric NAT the mapping of the primary makes the address, or there
# is none if that is switched off; a port that is forwarded counts as mapped. An
# address of the underlay that changes leads to a new start at once.
# (CL-Q-13, 14, 19, 37, 41; X-SN-01; A-07)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="forwarded symmetric switched_off another_network another_address \
	down_up"

nat_is_symmetric()
{
	nat_maps "$@" "ip daddr $PRIMARY masquerade to :40001" \
		"ip daddr $SECONDARY masquerade to :41001"
}

# Each client behind the NAT has such a port of its own
forwarded()
{
	ip -n "$client" link set teredo0 down
	ip -n "$client" link set teredo0 type teredo port 40500
	ip -n "$client" link set teredo0 up
	nat_is_symmetric "udp sport 40500 masquerade to :40500"
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status '|"\(.nat) \(.mapped.port)"')" = "restricted 40500" ]
	check_err $? "NAT and port: $(status '|"\(.nat) \(.mapped.port)"')"
	log_helper_test "a port that is forwarded is mapped as it is (CL-Q-37, CL-Q-41)"
	helper_end TERM
	ip -n "$client" link del teredo0
	client_add
}

symmetric()
{
	nat_is_symmetric
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status .nat)" = symmetric ]
	check_err $? "NAT $(status .nat)"
	[ "$(part '"\(.client) \(.port)"')" = "$OUTER 40001" ]
	check_err $? "$(address) is not what the primary was told"
	logged "symmetric NAT: mapped to $OUTER:40001 .* $OUTER:41001"
	check_err $? "not told"
	[ ! "$(status .error)" ]
	check_err $? "error: $(status .error)"
	log_helper_test "symmetric NAT: the primary's mapping (CL-Q-14, X-SN-01)"
	helper_end TERM
}

switched_off()
{
	echo "symmetric = off" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	# the helper before has left the state, too
	slowwait 20 logged \
		"offline: symmetric NAT: mapped to $OUTER:40001 .* $OUTER:41001"
	check_err $? "no reason"
	busywait 5000 state_is offline
	check_err $? "not offline"
	[ "$(status .nat)" = symmetric ]
	check_err $? "NAT $(status .nat)"
	nothing_left
	check_err $? "there is an address"
	log_helper_test "symmetric NAT, switched off: no address (CL-Q-13)"
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
