#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Whatever the devices do for it or leave to the stack, and whoever looks at the
# packets or copies them on the way: what is sent through client and relay
# arrives, TCP and UDP that is cut by the kernel (UDP_SEGMENT), each way; and
# neither end has dropped anything. One test a circumstance.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq ethtool socat nft tcpdump tc cmp

CIRCUMSTANCES="usual segmented unmerged unmerged_arrival plain_checksums linear
	fragmented qdisc captured mirrored filtered all"
DIR=$(mktemp -d)
defer rm -r "$DIR"

# feature NAMESPACE DEVICE FEATURE STATE
feature()
{
	# it tells what else changed
	ip netns exec "$1" ethtool -K "$2" "$3" "$4" >/dev/null
}

# offload NAMESPACE DEVICE FEATURE...: off, until the scope ends
offload()
{
	local ns=$1 dev=$2 name

	shift 2
	for name; do
		feature "$ns" "$dev" "$name" off || return
		defer feature "$ns" "$dev" "$name" on
	done
}

# Circumstances: in a namespace of ours, until the scope ends

usual()
{
	:
}

# the tunnel's packets come to it cut
segmented()
{
	offload "$1" teredo0 tso gso
}

# nothing is merged in the socket
unmerged()
{
	offload "$1" teredo0 gro
}

# and nothing on arrival
unmerged_arrival()
{
	offload "$1" eth0 gro
}

# all checksums are computed before the devices
plain_checksums()
{
	offload "$1" eth0 tx && offload "$1" teredo0 tx
}

# no packet is in parts
linear()
{
	offload "$1" eth0 sg && offload "$1" teredo0 sg
}

# no datagram of the usual length fits the link
fragmented()
{
	ip -n "$1" link set eth0 mtu 1000 || return
	defer ip -n "$1" link set eth0 mtu 1500
}

# the tunnel has a queue
qdisc()
{
	ip netns exec "$1" tc qdisc replace dev teredo0 root \
		pfifo limit 1000 || return
	defer ip netns exec "$1" tc qdisc delete dev teredo0 root
}

# packet sockets hold on to each packet
captured()
{
	local dev

	for dev in teredo0 eth0; do
		ip netns exec "$1" tcpdump -nn -U -i "$dev" \
			-w "$DIR/$1.$dev" 2>"$DIR/$1.$dev.log" &
		defer kill_process "$!"
		busywait 10000 grep -q "listening on" "$DIR/$1.$dev.log" ||
			return
	done
}

# each packet has a copy that goes elsewhere
mirrored()
{
	local dev way

	ip -n "$1" link add copies type dummy || return
	defer ip -n "$1" link delete copies
	ip -n "$1" link set copies up || return
	for dev in teredo0 eth0; do
		ip netns exec "$1" tc qdisc add dev "$dev" clsact || return
		defer ip netns exec "$1" tc qdisc delete dev "$dev" clsact
		for way in ingress egress; do
			ip netns exec "$1" tc filter add dev "$dev" "$way" \
				matchall action mirred egress mirror \
				dev copies || return
		done
	done
}

# netfilter on all hooks, with connection tracking on both sides
filtered()
{
	topo_hooks "$1" || return
	defer ip netns exec "$1" nft delete table inet t
}

all()
{
	unmerged "$1" && plain_checksums "$1" && fragmented "$1" &&
		qdisc "$1" && captured "$1" && mirrored "$1" && filtered "$1"
}

# udp_passes NAMESPACE NAMESPACE ADDRESS: as tcp_passes()
udp_passes()
{
	local receiver status=0

	head -c 100000 /dev/urandom >"$DIR/sent"
	: >"$DIR/receiver"
	ip netns exec "$2" "$TOPO_DIR/udp_segment.py" receive "$DIR/got" 5001 \
		>"$DIR/receiver" 2>&1 &
	receiver=$!
	busywait 10000 grep -q ready "$DIR/receiver" &&
		ip netns exec "$1" "$TOPO_DIR/udp_segment.py" send \
			"$DIR/sent" "$3" 5001 || status=1
	((status == 0)) || kill "$receiver" 2>/dev/null
	wait "$receiver" || status=1
	cmp -s "$DIR/sent" "$DIR/got" || status=1
	((status == 0)) || log_info "$(<"$DIR/receiver")"
	return "$status"
}

# dropped: by both ends of the tunnel
dropped()
{
	local ns

	for ns in "$CA" "$RLY"; do
		ip -n "$ns" -s -j link show teredo0
	done | jq -s '[.[][].stats64 | .rx.dropped, .tx.dropped] | add'
}

# passes CIRCUMSTANCE
# shellcheck disable=SC2153,SC2154	# setup_ns assigns
passes()
{
	local before

	if ! "$1" "$CA" || ! "$1" "$RLY"; then
		check_err 1 "$1"
		return
	fi
	before=$(dropped)
	tcp_passes "$CA" "$H" "$NATIVE6"
	check_err $? "TCP from the client"
	tcp_passes "$H" "$CA" "$A"
	check_err $? "TCP to the client"
	udp_passes "$CA" "$H" "$NATIVE6"
	check_err $? "UDP from the client"
	udp_passes "$H" "$CA" "$A"
	check_err $? "UDP to the client"
	[[ $(dropped) == "$before" ]]
	check_err $? "dropped: $before before, $(dropped) after"
}

setup_ns SRV CA RLY H || ktap_skip_all "no namespaces"
OFFLOAD=yes
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_host4 "$CA" "$NAT_A4"
topo_relay "$RLY"
topo_host6 "$H" "$NATIVE6"
ktap_print_header
topo_client "$CA" "$DIR/helper"
for circumstance in $CIRCUMSTANCES; do
	RET=0
	in_defer_scope passes "$circumstance"
	log_test "streams arrive: $circumstance"
done
ktap_finished
