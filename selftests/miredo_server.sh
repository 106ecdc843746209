#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Our clients with a Miredo server: qualification, connectivity tests and
# bubbles through it, to a native host through our relay and to each other;
# and through a Miredo relay, so that all but the client is Miredo
# shellcheck source-path=SCRIPTDIR source=miredo.sh
. "$(dirname "$0")/miredo.sh"

ALL_TESTS="qualifies to_native from_native to_client miredo_to_native
	miredo_from_native"

# shellcheck disable=SC2154	# setup_ns assigns
qualifies()
{
	local parts

	teredo_qualified "$CLIENT"
	check_err $? "not qualified"
	parts=$(teredoctl -j decode "$(teredo_address "$CLIENT")" |
		jq -r '"\(.server) \(.client)"')
	[[ $parts == "$SERVER4 $NAT_A4" ]]
	check_err $? "the address has server and client $parts"
	teredo_is "$CLIENT" .nat restricted
	check_err $? "NAT $(teredo_status "$CLIENT" .nat)"
	teredo_is "$CLIENT" .mtu 1280
	check_err $? "MTU $(teredo_status "$CLIENT" .mtu)"
	log_miredo_test "a client qualifies with both addresses of the server"
}

to_native()
{
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer"
	peer_is "$CLIENT" "$NATIVE6" .endpoint.address "$RELAY4"
	check_err $? "not through the relay"
	sends "$CLIENT" "$HOST" "$NATIVE6"
	check_err $? "TCP"
	log_miredo_test "a client reaches a native host"
}

from_native()
{
	local address

	address=$(teredo_address "$CLIENT")
	forget "$CLIENT" "$RLY"
	reaches "$HOST" "$address"
	check_err $? "no answer"
	peer_is "$RLY" "$address" .trusted true
	check_err $? "not through the relay"
	sends "$HOST" "$CLIENT" "$address"
	check_err $? "TCP"
	log_miredo_test "a native host reaches a client"
}

to_client()
{
	local address

	teredo_qualified "$OTHER"
	check_err $? "the other one is not qualified"
	address=$(teredo_address "$OTHER")
	reaches "$CLIENT" "$address"
	check_err $? "no answer"
	peer_is "$CLIENT" "$address" .endpoint.address "$NAT_B4"
	check_err $? "not from NAT to NAT"
	log_miredo_test "a client reaches a client behind another NAT"
}

# relay_of_miredo: in place of ours, one that knows nobody yet
relay_of_miredo()
{
	ip -n "$RLY" link delete teredo0 2>/dev/null
	teredo_qualified "$CLIENT"
	check_err $? "not qualified"
	forget "$CLIENT"
	miredo_relay "$RLY"
	check_err $? "the relay does not start"
}

through_miredo()
{
	peer_is "$CLIENT" "$NATIVE6" '.endpoint|"\(.address):\(.port)"' \
		"$RELAY4:$MIREDO_PORT"
}

miredo_to_native()
{
	relay_of_miredo
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer"
	through_miredo
	check_err $? "not through the relay"
	sends "$CLIENT" "$HOST" "$NATIVE6"
	check_err $? "TCP"
	log_miredo_test "a client reaches a native host through a Miredo relay"
}

miredo_from_native()
{
	local address

	relay_of_miredo
	address=$(teredo_address "$CLIENT")
	reaches "$HOST" "$address"
	check_err $? "no answer"
	through_miredo
	check_err $? "not through the relay"
	sends "$HOST" "$CLIENT" "$address"
	check_err $? "TCP"
	log_miredo_test "a native host reaches a client through a Miredo relay"
}

miredo_setup
setup_ns OTHER NAT2
topo_nat "$NAT2" "$NAT_B4" 192.168.2 restricted
topo_behind "$OTHER" "$NAT2" 192.168.2 2
topo_server_host "$SRV"
topo_relay "$RLY"
miredo_server "$SRV"
for ns in "$CLIENT" "$OTHER"; do
	teredo_add "$ns" server "$SERVER4"
	teredo_helper "$ns"
done
tests_run
ktap_finished
