#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host-relay carries its own host's packets and nobody else's.
#
#   client ---- IPv4 ---- host with a relay of its own ---- IPv6 ---- neighbour
#
# The neighbour takes the host for a router, which forwards IPv6, too.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq nft python3

ALL_TESTS="to_host from_host forwarded neighbour exclusive"
NEIGHBOUR6=2620:0:2d0::12
DIR=$(mktemp -d)
defer rm -r "$DIR"
LOG=$DIR/log

told()
{
	story_is "$1" "$LOG" "A=$A_EP" "H=$H_EP" "SRV=$SERVER4:3544" "a=$A" \
		"h=$NATIVE6" "n=$NEIGHBOUR6"
}

to_host()
{
	pings "$CA" "$NATIVE6"
	check_err $? "no answer"
	told "A SRV request a h
H SRV bubble h a
SRV A bubble h a H
A H bubble a h
H A reply h a
A H request a h
H A reply h a"
	check_err $? "not these datagrams"
	log_test "SEQ-7, HR-05: client to host"
}

from_host()
{
	local ns

	for ns in "$CA" "$H"; do
		ip netns exec "$ns" teredoctl flush teredo0 >/dev/null
	done
	# so that the reply to the host's bubble is not one too many
	sleep 2.1
	pings "$H" "$A"
	check_err $? "no answer"
	told "H SRV bubble h a
SRV A bubble h a H
A H bubble a h
H A request h a
A SRV request a h
H A reply h a
A H reply a h"
	check_err $? "not these datagrams"
	log_test "SEQ-7: host to client, tested first"
}

forwarded()
{
	local before

	before=$(teredo_count "$H" tx_forwarded)
	ip netns exec "$N" ping -n -c 1 -W 5 "$A" >"$DIR/ping"
	check_fail $? "ping"
	grep -q "Destination unreachable: Administratively prohibited" \
		"$DIR/ping"
	check_err $? "$(grep -i from "$DIR/ping")"
	(($(teredo_count "$H" tx_forwarded) == before + 1))
	check_err $? "tx_forwarded"
	[[ ! $(story "$LOG") ]]
	check_err $? "something was sent: $(story "$LOG")"
	log_test "HR-03: a forwarded packet is refused as prohibited"
}

# arrived COUNT: echo requests at the neighbour
arrived()
{
	[[ $(ip netns exec "$N" nstat -asz Icmp6InEchos |
	     awk '/InEchos/ { print $2 }') == "$1" ]]
}

# crafted DESTINATION: the client's endpoint sends the host an echo request
# that is for somebody else
crafted()
{
	ip netns exec "$CA" env PYTHONPATH="$TOPO_DIR" python3 -c '
import sys
from wire import Link, echo
def endpoint(text):
    address, port = text.rsplit(":", 1)
    return address, int(port)
source, to, inner, daddr = sys.argv[1:]
Link(None, "eth0").send(echo(inner, daddr), endpoint(source), endpoint(to))
' "$A_EP" "$H_EP" "$A" "$1"
}

neighbour()
{
	local before

	before=$(teredo_count "$H" rx_not_served)
	crafted "$NEIGHBOUR6"
	busywait 2000 teredo_is "$H" .stats.rx_not_served $((before + 1))
	check_err $? "rx_not_served"
	# the same way is open for the host itself
	: >"$LOG"
	crafted "$NATIVE6"
	busywait 2000 grep -q " $H_EP $A_EP reply $NATIVE6 $A" "$LOG"
	check_err $? "no answer by the host"
	arrived 0
	check_err $? "it was forwarded"
	log_test "HR-04: a packet for somebody else is dropped"
}

exclusive()
{
	ip -n "$H" link add teredo1 type teredo mode client
	ip -n "$H" link set teredo1 up 2>"$DIR/error"
	check_fail $? "a client beside a host-relay"
	grep -q "another client or host-relay with this prefix is up" \
		"$DIR/error"
	check_err $? "$(<"$DIR/error")"
	ip -n "$H" link delete teredo1
	log_test "HR-09: no client beside a host-relay"
}

setup_ns SRV CA H N || ktap_skip_all "no namespaces"
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_host4 "$CA" "$NAT_A4"
topo_host4 "$H" "$RELAY4"
topo_host6 "$H" "$NATIVE6"
ip -n "$H" route delete 2001::/32
ip netns exec "$H" sysctl -qw net.ipv6.conf.all.forwarding=1
teredo_add "$H" mode host-relay && teredo_route "$H"
topo_host6 "$N" "$NEIGHBOUR6"
ip -n "$N" route replace 2001::/32 via "$NATIVE6"
topo_meet "$CA" "$RELAY4"
topo_meet "$H" "$NAT_A4" "$SERVER4"
teredo_add "$CA" mode client server "$SERVER4"
teredo_helper "$CA" "$DIR/helper"
ktap_print_header
teredo_must_qualify "$CA" "$DIR/helper"
A=$(teredo_address "$CA")
A_EP=$(teredo_mapped "$CA")
H_EP=$RELAY4:$(teredo_status "$H" .port)
# shellcheck disable=SC2153	# setup_ns assigns CORE
watch "$CORE" ip4 "$LOG"
tests_run
ktap_finished
