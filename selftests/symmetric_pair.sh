#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A client behind a symmetric NAT and one behind a cone NAT, or without any,
# meet by the nonces of their indirect bubbles (RFC 6081 section 5.2). They are
# qualified by hand, with the mapping that the server sees.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq nft socat python3

ALL_TESTS="symmetric_first tcp cone_first symmetric_first_none none_first"
LOG=$(mktemp)
defer rm "$LOG"

# peer_at NAMESPACE ADDRESS: where that peer is, if it is trusted
peer_at()
{
	ip netns exec "$1" teredoctl -j peers teredo0 | jq -r ".[] |
		select(.address == \"$2\" and .state == \"trusted\") |
		.endpoint | \"\(.address):\(.port)\""
}

# new_port PEER: where the NAT has put A for that peer, from what was seen
new_port()
{
	awk -v peer="$1" -v nat="$NAT_A4" '
	$3 == peer && index($2, nat ":") == 1 { print $2; exit }' "$LOG"
}

# told PEER WANTED: what passed between the NATs, by names; R is A's port for
# PEER, b the peer's address
told()
{
	busywait 5000 test "$(new_port "$1")"
	story_is "$2" "$LOG" "A=$A_EP" "B=$1" "R=$(new_port "$1")" \
		"SRV=$SERVER4:3544" "a=$A" "b=$3"
}

# forget NAMESPACE...: the clients do not know each other any more
forget()
{
	local ns

	for ns; do
		ip netns exec "$ns" teredoctl flush teredo0
	done
	: >"$LOG"
}

# from_symmetric NAMESPACE ADDRESS ENDPOINT: A's packet for that peer. The
# answers to its first bubbles reach the peer's place alone, so that it is the
# second pair that A learns the peer's path from.
from_symmetric()
{
	forget "$CA" "$1"
	pings "$CA" "$2"
	check_err $? "no answer"
	told "$3" "R B bubble a b
A SRV bubble a b
SRV B bubble a b A
B A bubble b a
B SRV bubble b a
SRV A bubble b a B
R B bubble a b
R B bubble a b
A SRV bubble a b
SRV B bubble a b A
B R bubble b a
R B request a b
B R reply b a" "$2"
	check_err $? "not these datagrams"
}

symmetric_first()
{
	from_symmetric "$CB" "$B" "$B_EP"
	[[ $(peer_at "$CA" "$B") == "$B_EP" ]]
	check_err $? "B is at $(peer_at "$CA" "$B")"
	[[ $(peer_at "$CB" "$A") == "$NAT_A4":* ]] &&
		[[ $(peer_at "$CB" "$A") != "$A_EP" ]]
	check_err $? "A is at $(peer_at "$CB" "$A")"
	log_test "SEQ-10, X-SN-08, X-SN-09: a symmetric NAT to a cone NAT"
}

tcp()
{
	tcp_passes "$CA" "$CB" "$B"
	check_err $? "A to B"
	tcp_passes "$CB" "$CA" "$A"
	check_err $? "B to A"
	log_test "NM-19: TCP both ways"
}

# to_symmetric NAMESPACE ADDRESS ENDPOINT: the peer's packet for A
to_symmetric()
{
	forget "$CA" "$1"
	pings "$1" "$A"
	check_err $? "no answer"
	told "$3" "B A bubble b a
B SRV bubble b a
SRV A bubble b a B
R B bubble a b
B R request b a
R B reply a b" "$2"
	check_err $? "not these datagrams"
}

cone_first()
{
	to_symmetric "$CB" "$B" "$B_EP"
	log_test "X-SN-07: a cone NAT to a symmetric NAT, one round trip"
}

symmetric_first_none()
{
	from_symmetric "$CC" "$C" "$C_EP"
	log_test "SEQ-10, NM-19: a symmetric NAT to no NAT"
}

none_first()
{
	to_symmetric "$CC" "$C" "$C_EP"
	log_test "NM-19: no NAT to a symmetric NAT"
}

setup_ns SRV CA CB CC NA NB || ktap_skip_all "no namespaces"
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_nat "$NA" "$NAT_A4" 192.168.1 symmetric
topo_nat "$NB" "$NAT_B4" 192.168.2 cone
topo_behind "$CA" "$NA" 192.168.1 2
topo_behind "$CB" "$NB" 192.168.2 2
topo_host4 "$CC" 198.41.0.4
A_EP=$NAT_A4:40000 B_EP=$NAT_B4:40001 C_EP=198.41.0.4:40002
topo_pin "$NA" "$A_EP" 192.168.1.2:5001
topo_meet "$NA" "$NAT_B4" 198.41.0.4 "$SERVER4"
topo_meet "$NB" "$NAT_A4" "$SERVER4"
topo_meet "$CC" "$NAT_A4" "$SERVER4"
teredo_add "$CA" mode client port 5001
teredo_add "$CB" mode client port 40001
teredo_add "$CC" mode client port 40002
teredo_qualify "$CA" "$SERVER4" "$A_EP"
teredo_qualify "$CB" "$SERVER4" "$B_EP"
teredo_qualify "$CC" "$SERVER4" "$C_EP"
A=$(teredo_address "$CA") B=$(teredo_address "$CB") C=$(teredo_address "$CC")
# shellcheck disable=SC2153	# setup_ns assigns CORE
watch "$CORE" ip4 "$LOG"
ktap_print_header
tests_run
ktap_finished
