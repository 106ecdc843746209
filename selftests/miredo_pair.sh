#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Our client and a Miredo client, each behind its own NAT, with our server.
# Miredo's bubbles have a link-local source and hop limit 0; of ours it takes
# only those that come through the server.
# shellcheck source-path=SCRIPTDIR source=miredo.sh
. "$(dirname "$0")/miredo.sh"

ALL_TESTS="to_miredo from_miredo after_silence"

# shellcheck disable=SC2154	# setup_ns assigns
directly()
{
	peer_is "$CLIENT" "$1" .endpoint.address "$NAT_B4" &&
		peer_is "$CLIENT" "$1" .trusted true
}

to_miredo()
{
	local address

	miredo_client "$OTHER"
	check_err $? "not qualified"
	address=$(miredo_address "$OTHER")
	reaches "$CLIENT" "$address"
	check_err $? "no answer"
	directly "$address"
	check_err $? "not from NAT to NAT"
	sends "$CLIENT" "$OTHER" "$address"
	check_err $? "TCP"
	log_miredo_test "our client reaches Miredo's"
}

from_miredo()
{
	miredo_client "$OTHER"
	check_err $? "not qualified"
	reaches "$OTHER" "$ADDRESS"
	check_err $? "no answer"
	directly "$(miredo_address "$OTHER")"
	check_err $? "not from NAT to NAT"
	sends "$OTHER" "$CLIENT" "$ADDRESS"
	check_err $? "TCP"
	log_miredo_test "Miredo's client reaches ours"
}

after_silence()
{
	local address

	miredo_client "$OTHER"
	check_err $? "not qualified"
	address=$(miredo_address "$OTHER")
	reaches "$OTHER" "$ADDRESS"
	check_err $? "no answer at first"
	slowwait 60 peer_is "$CLIENT" "$address" .state stale
	check_err $? "the peer does not get stale"
	reaches "$CLIENT" "$address"
	check_err $? "no answer"
	log_miredo_test "our client reaches Miredo's after 30 s of silence"
}

miredo_setup
setup_ns OTHER NAT2
topo_nat "$NAT2" "$NAT_B4" 192.168.2 restricted
topo_behind "$OTHER" "$NAT2" 192.168.2 2
topo_server "$SRV"
teredo_add "$CLIENT" server "$SERVER4"
teredo_helper "$CLIENT"
teredo_qualified "$CLIENT"
ADDRESS=$(teredo_address "$CLIENT")
tests_run
ktap_finished
