#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A TCP stream crosses a relay as large packets, though each datagram on the
# IPv4 Internet holds one that fits the MTU: outwards the relay has them cut
# by GSO, inwards its socket merges them by GRO (COM-07, TUN-19). Both are seen
# in the relay's device and on the link to the native Internet. The last test
# switches merging off; relay_gro_fails.sh takes it out of the module. The
# relay's socket has an address: a lookup that goes wrong between merging and
# delivery would lose all that was merged.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq ethtool socat tcpdump

ALL_TESTS="to_native from_native without_gro"
DIR=$(mktemp -d)
defer rm -r "$DIR"
# an Ethernet frame with an IPv4 packet of MTU + 28
LARGEST_FRAME=$((14 + 1280 + 28))

# capture NAMESPACE DEVICE NAME: until the scope ends
capture()
{
	ip netns exec "$1" tcpdump -nn -s 128 -B 16384 -U -i "$2" \
		-w "$DIR/$3" 2>"$DIR/$3.log" &
	defer kill_process "$!"
	busywait 10000 grep -q "listening on" "$DIR/$3.log"
}

# packets NAME FILTER: how many of them there are
packets()
{
	tcpdump -nnr "$DIR/$1" "$2" 2>/dev/null | wc -l
}

ended()
{
	(($(packets "$@") >= 2))
}

# stream FROM TO ADDRESS: with a capture on the IPv4 Internet, where nothing
# merges, one in the relay and one on its native side
stream()
{
	local fin="ip6[6] = 6 and ip6[53] & 1 = 1"

	capture "$CORE" ip4 underlay
	capture "$RLY" teredo0 tunnel
	capture "$RLY" eth6 native
	tcp_passes "$@"
	check_err $? "TCP"
	# the captures follow: until all have both ends' FIN
	busywait 10000 ended underlay "udp[14] = 6 and udp[61] & 1 = 1" &&
		busywait 10000 ended tunnel "$fin" &&
		busywait 10000 ended native "$fin"
	check_err $? "the end of the stream is not in the captures"
}

# counted FILTER: what the captures of stream() have, as SMALL and LARGE, and
# on the native side NATIVE above the MTU
counted()
{
	(($(packets underlay "udp and greater 1000") > 50))
	check_err $? "the stream is not in the capture"
	[[ $(packets underlay "greater $((LARGEST_FRAME + 1))") == 0 ]]
	check_err $? "an IPv4 packet is too large"
	LARGE=$(packets tunnel "ip6 and $1 and greater 1281")
	SMALL=$(packets tunnel "ip6 and $1 and less 1280")
	# the length of the IPv6 header's payload, whatever the link's header
	NATIVE=$(packets native "ip6 and $1 and ip6[4:2] > 1240")
	log_info "in the relay $LARGE packets above the MTU, $SMALL others," \
		"on its native side $NATIVE above it"
}

to_native()
{
	in_defer_scope stream "$CA" "$H" "$NATIVE6"
	counted "dst host $NATIVE6"
	((LARGE > 5 && NATIVE > 5))
	check_err $? "$LARGE large packets, $NATIVE on the native side"
	log_test "COM-07: client to native host: merged by the relay's socket"
}

from_native()
{
	in_defer_scope stream "$H" "$CA" "$A"
	counted "src host $NATIVE6"
	((LARGE > 5 && NATIVE > 5))
	check_err $? "$LARGE large packets, $NATIVE on the native side"
	log_test "TUN-19: native host to client: cut behind the relay"
}

without_gro()
{
	ip netns exec "$RLY" ethtool -K teredo0 gro off
	check_err $? "ethtool -K teredo0 gro off"
	in_defer_scope stream "$CA" "$H" "$NATIVE6"
	counted "dst host $NATIVE6"
	((LARGE == 0 && NATIVE == 0 && SMALL > 50))
	check_err $? "$LARGE large packets, $NATIVE on the native side"
	log_test "COM-07: gro off on the device: nothing is merged"
}

# cut_early NAMESPACE: no packet leaves a veth there larger than the MTU.
# veth merges only what comes from a sender without TSO.
cut_early()
{
	local dev

	for dev in $(ip -n "$1" -j link show type veth | jq -r '.[].ifname'); do
		ip netns exec "$1" ethtool -K "$dev" tso off gso off \
			tx-udp_tnl-segmentation off \
			tx-udp_tnl-csum-segmentation off >/dev/null
	done
}

setup_ns SRV CA RLY H || ktap_skip_all "no namespaces"
OFFLOAD=yes
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_host4 "$CA" "$NAT_A4"
cut_early "$CA"
topo_host4 "$RLY" "$RELAY4"
cut_early "$RLY"
# all that has been attached so far: the ends in CORE send, too
cut_early "$CORE"
ip netns exec "$RLY" ethtool -K eth0 gro on
topo_host6 "$RLY" "$RELAY6"
ip netns exec "$RLY" sysctl -qw net.ipv6.conf.all.forwarding=1
teredo_add "$RLY" mode relay local "$RELAY4"
teredo_route "$RLY"
topo_host6 "$H" "$NATIVE6"
ktap_print_header
topo_client "$CA" "$DIR/helper"
tests_run
ktap_finished
