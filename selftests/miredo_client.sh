#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A Miredo client with our server and our relay
# shellcheck source-path=SCRIPTDIR source=miredo.sh
. "$(dirname "$0")/miredo.sh"

ALL_TESTS="qualifies to_native from_native"

# shellcheck disable=SC2154	# setup_ns assigns
qualifies()
{
	local parts

	miredo_client "$CLIENT"
	check_err $? "not qualified"
	parts=$(teredoctl -j decode "$(miredo_address "$CLIENT")" |
		jq -r '"\(.server) \(.client)"')
	[[ $parts == "$SERVER4 $NAT_A4" ]]
	check_err $? "its address has server and client $parts"
	log_miredo_test "a client qualifies with our server"
}

# through_the_relay: which knows the client by the mapping in its address
through_the_relay()
{
	local address

	address=$(miredo_address "$CLIENT")
	peer_is "$RLY" "$address" '.endpoint|"\(.address):\(.port)"' \
		"$(teredoctl -j decode "$address" |
			jq -r '"\(.client):\(.port)"')" &&
		peer_is "$RLY" "$address" .trusted true
}

to_native()
{
	miredo_client "$CLIENT"
	check_err $? "not qualified"
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer"
	through_the_relay
	check_err $? "not through the relay"
	sends "$CLIENT" "$HOST" "$NATIVE6"
	check_err $? "TCP"
	log_miredo_test "it reaches a native host through our relay"
}

from_native()
{
	local address

	miredo_client "$CLIENT"
	check_err $? "not qualified"
	address=$(miredo_address "$CLIENT")
	reaches "$HOST" "$address"
	check_err $? "no answer"
	through_the_relay
	check_err $? "not through the relay"
	sends "$HOST" "$CLIENT" "$address"
	check_err $? "TCP"
	log_miredo_test "a native host reaches it through our relay"
}

miredo_setup
topo_server "$SRV"
topo_relay "$RLY"
as_on_a_wire "$RLY"
tests_run
ktap_finished
