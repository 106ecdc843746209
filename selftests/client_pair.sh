#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two clients on one IPv4 segment, without NAT and helper: qualified by hand.
# Nobody relays an indirect bubble, since the server's host runs no server: what
# one client learns of the other it learns from the direct one.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq socat python3

ALL_TESTS="direct_bubble both_ways tcp lifetime renewed"
LOG=$(mktemp)
defer rm "$LOG"

# told WANTED: what was on the wire, by names
told()
{
	story_is "$1" "$LOG" "A=$A_EP" "B=$B_EP" "SRV=$SERVER4:3544" "a=$A" \
		"b=$B"
}

# peer NAMESPACE ADDRESS JQ-FILTER
peer()
{
	ip netns exec "$1" teredoctl -j peers teredo0 |
		jq -r ".[] | select(.address == \"$2\") | $3"
}

peer_is()
{
	[[ $(peer "$1" "$2" "$3") == "$4" ]]
}

# pair_seen: a pair of bubbles, the direct one first
pair_seen()
{
	[[ $(story "$LOG" "A=$A_EP" "B=$B_EP" "SRV=$SERVER4:3544" "a=$A" \
		"b=$B" | head -n 2) == "A B bubble a b
A SRV bubble a b" ]]
}

direct_bubble()
{
	ip netns exec "$CA" ping -n -c 1 -W 1 "$B" >/dev/null
	busywait 5000 pair_seen
	check_err $? "no pair of bubbles: $(<"$LOG")"
	[[ $(teredo_count "$CB" rx_bubbles) -ge 1 ]]
	check_err $? "B counts no bubble"
	log_test "SEQ-2, CL-TX-15: the direct bubble arrives"

	pings "$CB" "$A"
	check_err $? "no answer to B"
	teredo_is "$CB" '.stats | .tx_bubbles_direct + .tx_bubbles_indirect' 0
	check_err $? "B sent bubbles, as if it did not trust A"
	log_test "SEQ-2, CL-RX-10: and is all the proof that B needs"

	peer_is "$CA" "$B" '[.state, .queued, (.endpoint | .address, .port)] |
		join(" ")' "trusted 0 ${B_EP/:/ }"
	check_err $? "$(peer "$CA" "$B" .)"
	log_test "CL-RX-10: data is a proof, too"
}

# meet: both know each other. Nobody relays, so each has to speak.
meet()
{
	local status=0

	pings "$CA" "$B" &
	busywait 5000 peer_is "$CB" "$A" .state trusted
	pings "$CB" "$A" || status=1
	wait "$!" || status=1
	return "$status"
}

both_ways()
{
	meet
	check_err $? "no answer"
	busywait 2000 grep -q " $A_EP $B_EP reply " "$LOG"
	: >"$LOG"
	pings "$CA" "$B" && pings "$CB" "$A"
	check_err $? "no answer afterwards"
	told "A B request a b
B A reply b a
B A request b a
A B reply a b"
	check_err $? "more than the packets themselves"
	log_test "CL-TX-05, CL-RX-08: one datagram a packet, both ways"
}

tcp()
{
	meet
	tcp_passes "$CA" "$CB" "$B"
	check_err $? "A to B"
	tcp_passes "$CB" "$CA" "$A"
	check_err $? "B to A"
	log_test "TCP both ways"
}

lifetime()
{
	local before

	ip netns exec "$CA" "$TOPO_DIR/control.py" teredo0 "$SERVER4" \
		"${A_EP%:*}" "${A_EP#*:}" 0x14e4 1
	check_err $? "dev-set"
	slowwait 10 teredo_is "$CA" .state dormant
	check_err $? "state $(teredo_status "$CA" .state)"
	teredo_is "$CA" .address null
	check_err $? "still has an address"
	ip -n "$CA" -j link show teredo0 | jq -e '.[0].operstate == "DORMANT"' \
		>/dev/null
	check_err $? "link is not dormant"
	[[ $(teredo_status "$CA" .peers) == 0 ]]
	check_err $? "peers are left"
	before=$(teredo_count "$CA" tx_unqualified)
	: >"$LOG"
	ip netns exec "$CA" ping -n -c 1 -W 1 "$B" >/dev/null
	check_fail $? "ping"
	[[ $(teredo_count "$CA" tx_unqualified) -gt $before ]]
	check_err $? "tx_unqualified stays"
	ip netns exec "$CB" ping -n -c 1 -W 1 "$A" >/dev/null
	check_fail $? "ping from B"
	# B's packet, or its bubble, ends what A might have sent
	busywait 5000 grep -q "^[0-9.]* $B_EP $A_EP " "$LOG"
	check_err $? "B has sent nothing"
	grep "^[0-9.]* $A_EP " "$LOG"
	check_fail $? "A has sent something"
	[[ $(teredo_count "$CA" rx_down) -gt 0 ]]
	check_err $? "rx_down stays"
	log_test "COM-08: the lifetime ends: dormant, and nothing leaves"
}

renewed()
{
	teredo_qualify "$CA" "$SERVER4" "$A_EP"
	check_err $? "dev-set"
	teredo_is "$CA" .address "$A"
	check_err $? "another address"
	# A knows nobody now, and B may have given A up
	meet
	check_err $? "no answer"
	log_test "qualified again, it works again"
}

setup_ns CA CB SRV || ktap_skip_all "no namespaces"
OFFLOAD=yes
topo_core
topo_host4 "$CA" "$NAT_A4"
topo_host4 "$CB" "$NAT_B4"
topo_host4 "$SRV" "$SERVER4"
topo_meet "$CA" "$NAT_B4" "$SERVER4"
topo_meet "$CB" "$NAT_A4" "$SERVER4"
A_EP=$NAT_A4:40000 B_EP=$NAT_B4:40001
teredo_add "$CA" mode client port 40000 || ktap_skip_all "no device"
teredo_add "$CB" mode client port 40001
teredo_qualify "$CA" "$SERVER4" "$A_EP"
teredo_qualify "$CB" "$SERVER4" "$B_EP"
A=$(teredo_address "$CA") B=$(teredo_address "$CB")
# shellcheck disable=SC2153	# setup_ns assigns CORE
watch "$CORE" ip4 "$LOG"
ktap_print_header
tests_run
ktap_finished
