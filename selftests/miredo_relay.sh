#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Our client and a native host through a Miredo relay, with our server. The
# relay's bubbles have a link-local source, and it takes nothing from clients
# that it has not asked.
# shellcheck source-path=SCRIPTDIR source=miredo.sh
. "$(dirname "$0")/miredo.sh"

ALL_TESTS="to_native from_native after_silence"

# shellcheck disable=SC2154	# setup_ns assigns
through_the_relay()
{
	peer_is "$CLIENT" "$NATIVE6" '.endpoint|"\(.address):\(.port)"' \
		"$RELAY4:$MIREDO_PORT"
}

to_native()
{
	miredo_relay "$RLY"
	check_err $? "the relay does not start"
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer"
	through_the_relay
	check_err $? "not through the relay"
	sends "$CLIENT" "$HOST" "$NATIVE6"
	check_err $? "TCP"
	log_miredo_test "a client reaches a native host"
}

from_native()
{
	forget "$CLIENT"
	miredo_relay "$RLY"
	check_err $? "the relay does not start"
	reaches "$HOST" "$ADDRESS"
	check_err $? "no answer"
	through_the_relay
	check_err $? "not through the relay"
	sends "$HOST" "$CLIENT" "$ADDRESS"
	check_err $? "TCP"
	log_miredo_test "a native host reaches a client"
}

# Both take a peer for gone after 30 s, and the relay then refuses the client.
after_silence()
{
	miredo_relay "$RLY"
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer at first"
	slowwait 60 peer_is "$CLIENT" "$NATIVE6" .state stale
	check_err $? "the peer does not get stale"
	reaches "$CLIENT" "$NATIVE6"
	check_err $? "no answer"
	log_miredo_test "a client reaches a native host after 30 s of silence"
}

miredo_setup
topo_server "$SRV"
topo_relay_host "$RLY"
teredo_add "$CLIENT" server "$SERVER4"
teredo_helper "$CLIENT"
teredo_qualified "$CLIENT"
ADDRESS=$(teredo_address "$CLIENT")
tests_run
ktap_finished
