#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two clients behind one NAT that does not hairpin, on one LAN and on two: they
# tell each other their own addresses through the server (RFC 6081 section
# 5.6). Qualified by hand, local discovery is off.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq nft socat python3

ALL_TESTS="one_lan tcp two_lans"
LOG=$(mktemp)
defer rm "$LOG"

# told WANTED: what passed on the LAN, by names; but not what the NAT lets in,
# which a bridge device does not show
told()
{
	story_is "$1" "$LOG" "A=$A_EP" "B=$B_EP" "ALAN=$A_LAN" "BLAN=$B_LAN" \
		"SRV=$SERVER4:3544" "a=$A" "b=$B"
}

peer_at()
{
	ip netns exec "$1" teredoctl -j peers teredo0 | jq -r ".[] |
		select(.address == \"$2\" and .state == \"trusted\") |
		.endpoint | \"\(.address):\(.port)\""
}

one_lan()
{
	pings "$CA" "$B"
	check_err $? "no answer"
	told "ALAN B bubble a b
ALAN SRV bubble a b
BLAN A bubble b a
BLAN ALAN bubble b a
BLAN SRV bubble b a
ALAN BLAN bubble a b
ALAN BLAN request a b
BLAN ALAN reply b a"
	check_err $? "not these datagrams"
	[[ $(peer_at "$CA" "$B") == "$B_LAN" ]]
	check_err $? "B is at $(peer_at "$CA" "$B")"
	[[ $(peer_at "$CB" "$A") == "$A_LAN" ]]
	check_err $? "A is at $(peer_at "$CB" "$A")"
	log_test "SEQ-11, NM-08: one NAT, one LAN: nothing is lost on the way"
}

tcp()
{
	tcp_passes "$CA" "$CB" "$B"
	check_err $? "A to B"
	tcp_passes "$CB" "$CA" "$A"
	check_err $? "B to A"
	log_test "X-HP-07: TCP both ways"
}

two_lans()
{
	pings "$CC" "$A"
	check_err $? "no answer"
	[[ $(peer_at "$CC" "$A") == "$A_LAN" ]]
	check_err $? "A is at $(peer_at "$CC" "$A")"
	[[ $(peer_at "$CA" "$C") == 192.168.3.2:5003 ]]
	check_err $? "C is at $(peer_at "$CA" "$C")"
	log_test "NM-09: one NAT, two LANs with routes between them"
}

setup_ns SRV CA CB CC NA || ktap_skip_all "no namespaces"
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_nat "$NA" "$NAT_A4" 192.168.1 restricted
topo_behind "$CA" "$NA" 192.168.1 2
topo_behind "$CB" "$NA" 192.168.1 3
ip link add eth0 netns "$CC" type veth peer name lan2 netns "$NA"
ip -n "$NA" addr add 192.168.3.1/24 dev lan2
ip -n "$NA" link set lan2 up
ip -n "$CC" addr add 192.168.3.2/24 dev eth0
ip -n "$CC" link set eth0 up
ip -n "$CC" route add default via 192.168.3.1
A_EP=$NAT_A4:40001 B_EP=$NAT_A4:40002 C_EP=$NAT_A4:40003
A_LAN=192.168.1.2:5001 B_LAN=192.168.1.3:5002
topo_pin "$NA" "$A_EP" "$A_LAN"
topo_pin "$NA" "$B_EP" "$B_LAN"
topo_pin "$NA" "$C_EP" 192.168.3.2:5003
topo_meet "$NA" "$SERVER4" 192.168.1.2 192.168.1.3 192.168.3.2
topo_meet "$CA" 192.168.1.3 192.168.1.1
topo_meet "$CB" 192.168.1.2 192.168.1.1
teredo_add "$CA" mode client port 5001 discovery off
teredo_add "$CB" mode client port 5002 discovery off
teredo_add "$CC" mode client port 5003 discovery off
teredo_qualify "$CA" "$SERVER4" "$A_EP"
teredo_qualify "$CB" "$SERVER4" "$B_EP"
teredo_qualify "$CC" "$SERVER4" "$C_EP"
A=$(teredo_address "$CA") B=$(teredo_address "$CB") C=$(teredo_address "$CC")
watch "$NA" lan "$LOG"
ktap_print_header
tests_run
ktap_finished
