#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Clients on one LAN behind a NAT find each other by discovery bubbles (RFC
# 4380 section 5.2.8), and the sockets for that, which must not stand in
# anybody's way. Qualified by hand; nobody relays.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq nft socat python3

ALL_TESTS="neighbours meet tcp off two_devices beside_server fixed_port
	port_taken link_down link_gone netns_gone"

# neighbour NAMESPACE ADDRESS DEVICE: local discovery knows it there
neighbour()
{
	ip netns exec "$1" teredoctl -j peers "${3:-teredo0}" |
		jq -e ".[] | select(.address == \"$2\").local" >/dev/null
}

peer_at()
{
	ip netns exec "$1" teredoctl -j peers teredo0 | jq -r ".[] |
		select(.address == \"$2\" and .state == \"trusted\") |
		.endpoint | \"\(.address):\(.port)\""
}

# joined NAMESPACE [TIMES]: the group, by that many sockets
joined()
{
	ip -n "$1" -j maddr show dev eth0 | jq -e '[.[].maddr[]? |
		select(.address == "224.0.0.253")] |
		if length == 0 then 0 else (.[0].users // 1) end == '"${2:-1}" \
		>/dev/null
}

# again NAMESPACE: a client that has just come tells its neighbours soon
again()
{
	ip -n "$1" link set teredo0 type teredo discovery off
	ip -n "$1" link set teredo0 type teredo discovery auto
}

neighbours()
{
	joined "$CA" && joined "$CB"
	check_err $? "the group is not joined"
	# it may have spoken before B was there to hear it
	again "$CA"
	slowwait 10 neighbour "$CB" "$A"
	check_err $? "B does not know A"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "A does not know B"
	log_test "CL-L-01, CL-L-02, V-03: auto with private addresses: both know"
}

meet()
{
	pings "$CA" "$B"
	check_err $? "no answer"
	[[ $(peer_at "$CA" "$B") == 192.168.1.3:5002 ]]
	check_err $? "B is at $(peer_at "$CA" "$B")"
	[[ $(peer_at "$CB" "$A") == 192.168.1.2:5001 ]]
	check_err $? "A is at $(peer_at "$CB" "$A")"
	teredo_is "$CA" .stats.tx_bubbles_indirect 0
	check_err $? "A asked the server"
	log_test "SEQ-9, CL-TX-11, CL-RX-13: they meet on the LAN"
}

tcp()
{
	tcp_passes "$CA" "$CB" "$B"
	check_err $? "A to B"
	tcp_passes "$CB" "$CA" "$A"
	check_err $? "B to A"
	log_test "CL-TX-05: TCP both ways"
}

off()
{
	ip -n "$CA" link set teredo0 type teredo discovery off
	joined "$CA" 0
	check_err $? "still joined"
	neighbour "$CA" "$B"
	check_fail $? "B is still local"
	ip -n "$CA" link set teredo0 type teredo discovery auto
	joined "$CA"
	check_err $? "not joined again"
	log_test "CL-L-04: discovery off, and auto again"
}

# Two clients on one link, each with a socket of its own
two_devices()
{
	ip -n "$CA" link add teredo1 type teredo mode client port 5003
	ip -n "$CA" link set teredo1 netns "$CX"
	ip -n "$CX" link set teredo1 up
	ip netns exec "$CX" "$TOPO_DIR/control.py" teredo1 "$SERVER4" \
		"$NAT_A4" 40003 0x1011 600
	check_err $? "dev-set"
	joined "$CA" 2
	check_err $? "not joined twice: $(ip -n "$CA" maddr show dev eth0)"
	ip netns exec "$CA" teredoctl flush teredo0
	again "$CB"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "the first does not know B"
	slowwait 10 neighbour "$CX" "$B" teredo1
	check_err $? "the second does not know B"
	ip -n "$CX" link delete teredo1
	joined "$CA"
	check_err $? "one should be left: $(ip -n "$CA" maddr show dev eth0)"
	log_test "CL-L-01: two clients on one link hear the group both"
}

# A server owns port 3544 of its own addresses
beside_server()
{
	ip -n "$CA" addr add 198.41.0.4/32 dev eth0
	ip -n "$CA" addr add 198.41.0.5/32 dev eth0
	ip -n "$CA" link add server0 type teredo mode server \
		local 198.41.0.4 secondary 198.41.0.5
	ip -n "$CA" link set server0 up
	check_err $? "the server cannot come up"
	ip -n "$CA" link set teredo0 type teredo discovery off
	ip -n "$CA" link set teredo0 type teredo discovery auto
	joined "$CA"
	check_err $? "the group is not joined"
	ip netns exec "$CA" teredoctl flush teredo0
	again "$CB"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "A does not know B"
	ip -n "$CA" link delete server0
	ip -n "$CA" addr delete 198.41.0.4/32 dev eth0
	ip -n "$CA" addr delete 198.41.0.5/32 dev eth0
	log_test "CL-L-01: a server on the same host"
}

# renew NAMESPACE PORT MAPPED: A with another service port
renew()
{
	ip -n "$1" link set teredo0 down
	ip -n "$1" link set teredo0 type teredo port "$2"
	ip -n "$1" link set teredo0 up
	teredo_qualify "$1" "$SERVER4" "$3"
}

fixed_port()
{
	renew "$CA" 3544 "$A_EP"
	check_err $? "cannot come up"
	joined "$CA"
	check_err $? "the group is not joined"
	again "$CB"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "A does not know B"
	renew "$CA" 5001 "$A_EP"
	joined "$CA"
	check_err $? "the group is not joined by one: $(ip -n "$CA" maddr)"
	log_test "CL-L-01: a service port of 3544 hears the group"
}

# Somebody who does not share the port: no discovery, but a tunnel
port_taken()
{
	ip -n "$CA" link set teredo0 type teredo discovery off
	ip netns exec "$CA" socat -u UDP4-RECV:3544 /dev/null &
	defer kill_process "$!"
	wait_local_port_listen "$CA" 3544 udp
	ip -n "$CA" link set teredo0 type teredo discovery on
	check_err $? "discovery on"
	joined "$CA" 0
	check_err $? "joined"
	teredo_is "$CA" .state qualified
	check_err $? "state $(teredo_status "$CA" .state)"
	kill_process "$!"
	teredo_qualify "$CA" "$SERVER4" "$A_EP"
	joined "$CA"
	check_err $? "not joined afterwards"
	log_test "CL-L-01: the port is somebody's: no discovery for a while"
}

link_down()
{
	ip -n "$CA" link set teredo0 down
	joined "$CA" 0
	check_err $? "joined while down"
	ip -n "$CA" link set teredo0 up
	teredo_qualify "$CA" "$SERVER4" "$A_EP"
	joined "$CA"
	check_err $? "not joined again"
	ip -n "$CA" link set eth0 down
	ip -n "$CA" link set eth0 up
	ip -n "$CA" route replace default via 192.168.1.1
	ip netns exec "$CA" teredoctl flush teredo0
	again "$CB"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "A does not know B"
	log_test "CL-L-01: the device and its link go down and up"
}

link_gone()
{
	ip -n "$CA" link delete eth0
	teredo_is "$CA" .state qualified
	check_err $? "state $(teredo_status "$CA" .state)"
	topo_behind "$CA" "$NA" 192.168.1 2
	teredo_qualify "$CA" "$SERVER4" "$A_EP"
	joined "$CA"
	check_err $? "not joined on the new link"
	again "$CB"
	slowwait 10 neighbour "$CA" "$B"
	check_err $? "A does not know B"
	log_test "CL-L-01: the link goes away, another comes"
}

netns_gone()
{
	ip -n "$CB" link set teredo0 netns "$CX"
	ip -n "$CX" link set teredo0 up
	ip netns exec "$CX" "$TOPO_DIR/control.py" teredo0 "$SERVER4" \
		"$NAT_A4" 40002 0x14e4 600
	joined "$CB"
	check_err $? "the group is not joined"
	cleanup_ns "$CB"
	ip -n "$CX" link show teredo0 >/dev/null
	check_err $? "the device is gone"
	ip -n "$CX" link delete teredo0
	check_err $? "cannot be deleted"
	log_test "CL-L-01: the underlay's namespace goes away"
}

setup_ns CA CB CX NA || ktap_skip_all "no namespaces"
topo_core
topo_nat "$NA" "$NAT_A4" 192.168.1 restricted
topo_behind "$CA" "$NA" 192.168.1 2
topo_behind "$CB" "$NA" 192.168.1 3
A_EP=$NAT_A4:40001 B_EP=$NAT_A4:40002
teredo_add "$CA" mode client port 5001 || ktap_skip_all "no device"
teredo_add "$CB" mode client port 5002
teredo_qualify "$CA" "$SERVER4" "$A_EP"
teredo_qualify "$CB" "$SERVER4" "$B_EP"
A=$(teredo_address "$CA") B=$(teredo_address "$CB")
ktap_print_header
tests_run
ktap_finished
