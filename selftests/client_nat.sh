#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two clients, each behind a port-restricted NAT and with its helper, meet
# through the server.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq nft socat python3

ALL_TESTS="first_packets both_ways tcp"
DIR=$(mktemp -d)
defer rm -r "$DIR"

# told WANTED: what passed between the NATs, by names
told()
{
	story_is "$1" "$DIR/log" "A=$A_EP" "B=$B_EP" "SRV=$SERVER4:3544" \
		"a=$A" "b=$B"
}

first_packets()
{
	local got n

	ip netns exec "$CB" python3 -c '
import socket
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("::", 5000))
sock.settimeout(60)
print("ready", flush=True)
print(*(len(sock.recv(2000)) for _ in range(4)), flush=True)
' >"$DIR/got" &
	got=$!
	busywait 10000 grep -q ready "$DIR/got"
	# they follow each other faster than any bubble's way and back
	ip netns exec "$CA" python3 -c '
import socket, sys
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for size in 101, 102, 103, 104:
    sock.sendto(bytes(size), (sys.argv[1], 5000))
' "$B"
	told "A B bubble a b
A SRV bubble a b
SRV B bubble a b A
B A bubble b a
A B udp/101 a b
A B udp/102 a b
A B udp/103 a b
A B udp/104 a b"
	check_err $? "not these datagrams"
	wait "$got"
	[[ $(tail -n 1 "$DIR/got") == "101 102 103 104" ]]
	check_err $? "arrived: $(tail -n 1 "$DIR/got")"
	for n in "$CA tx_bubbles_direct" "$CA tx_bubbles_indirect" \
		 "$CB tx_bubbles_direct"; do
		# shellcheck disable=SC2086	# two words
		[[ $(teredo_count $n) == 1 ]]
		check_err $? "more than one of ${n#* }"
	done
	log_test "SEQ-1, CL-P-07: four control packets, then all that waited"
}

both_ways()
{
	pings "$CB" "$A"
	check_err $? "B to A"
	pings "$CA" "$B"
	check_err $? "A to B"
	told "B A request b a
A B reply a b
A B request a b
B A reply b a"
	check_err $? "more than the packets themselves"
	log_test "CL-RX-10: data goes direct both ways"
}

# The NATs are in this machine, they see checksums that nobody has completed.
tcp()
{
	tcp_passes "$CA" "$CB" "$B"
	check_err $? "A to B"
	tcp_passes "$CB" "$CA" "$A"
	check_err $? "B to A"
	log_test "E-10: TCP through NATs on the same machine"
}

setup_ns SRV CA CB NA NB || ktap_skip_all "no namespaces"
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_nat "$NA" "$NAT_A4" 192.168.1 restricted
topo_nat "$NB" "$NAT_B4" 192.168.2 restricted
topo_behind "$CA" "$NA" 192.168.1 2
topo_behind "$CB" "$NB" 192.168.2 2
topo_meet "$NA" "$NAT_B4"
topo_meet "$NB" "$NAT_A4"
teredo_add "$CA" mode client server "$SERVER4"
teredo_add "$CB" mode client server "$SERVER4"
teredo_helper "$CA" "$DIR/helper_a"
teredo_helper "$CB" "$DIR/helper_b"
ktap_print_header
if ! teredo_qualified "$CA" || ! teredo_qualified "$CB"; then
	cat "$DIR"/helper_?
	ktap_test_fail "the clients qualify"
	ktap_finished
fi
A=$(teredo_address "$CA") B=$(teredo_address "$CB")
A_EP=$(teredo_mapped "$CA") B_EP=$(teredo_mapped "$CB")
# shellcheck disable=SC2153	# setup_ns assigns CORE
watch "$CORE" ip4 "$DIR/log"
tests_run
ktap_finished
