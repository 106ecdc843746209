#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What every network device owes: ethtool, statistics, captures, MTU, and
# silence on the link
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq ethtool tcpdump python3

ALL_TESTS="driver features statistics link mtu silence"
DIR=$(mktemp -d)
defer rm -r "$DIR"

driver()
{
	ip netns exec "$CA" ethtool -i teredo0 >"$DIR/info"
	check_err $? "ethtool -i"
	grep -qx "driver: teredo" "$DIR/info" &&
		grep -qx "version: $(</sys/module/teredo/version)" "$DIR/info"
	check_err $? "$(<"$DIR/info")"
	log_test "ethtool -i"
}

feature_is()
{
	ip netns exec "$CA" ethtool -k teredo0 | grep -qE "^$1: $2"
}

features()
{
	local name

	for name in scatter-gather tcp-segmentation-offload \
		    generic-segmentation-offload generic-receive-offload \
		    tx-checksum-ip-generic; do
		feature_is ".*$name" on
		check_err $? "$name is off"
	done
	for name in gso gro tx; do
		ip netns exec "$CA" ethtool -K teredo0 "$name" off >/dev/null
		check_err $? "$name cannot be switched off"
	done
	feature_is generic-receive-offload off &&
		feature_is generic-segmentation-offload off &&
		feature_is tx-checksumming off
	check_err $? "still on"
	pings "$CA" -s 1200 "$B"
	check_err $? "no answer without offloads"
	ip netns exec "$CA" ethtool -K teredo0 gso on gro on tx on sg on \
		tso on >/dev/null
	check_err $? "cannot be switched on again"
	log_test "ethtool -k, -K"
}

# link_count RX-OR-TX COUNTER
link_count()
{
	ip -n "$CA" -s -j link show teredo0 | jq ".[0].stats64.$1.$2"
}

statistics()
{
	local rx rx_octets tx tx_octets

	ip netns exec "$CA" ethtool -S teredo0 | tr -d ' ' >"$DIR/stats"
	check_err $? "ethtool -S"
	# the same names and numbers as generic netlink
	diff <(teredo_status "$CA" \
		'.stats | to_entries[] | "\(.key):\(.value)"' | sort) \
		<(grep -v '^NICstatistics' "$DIR/stats" | sort)
	check_err $? "ethtool -S differs from teredoctl status"
	rx=$(link_count rx packets) rx_octets=$(link_count rx bytes)
	tx=$(link_count tx packets) tx_octets=$(link_count tx bytes)
	pings "$CA" -s 1000 "$B"
	check_err $? "no answer"
	# an IPv6 packet of 40 + 8 + 1000 octets, without what is outside
	[[ $(($(link_count rx packets) - rx)) == 1 &&
	   $(($(link_count tx packets) - tx)) == 1 &&
	   $(($(link_count rx bytes) - rx_octets)) == 1048 &&
	   $(($(link_count tx bytes) - tx_octets)) == 1048 ]]
	check_err $? "$(ip -n "$CA" -s -j link show teredo0 | jq -c '.[0].stats64')"
	[[ $(link_count rx errors) == 0 && $(link_count tx errors) == 0 ]]
	check_err $? "errors"
	log_test "ip -s link, ethtool -S"
}

link()
{
	local json

	json=$(ip -n "$CA" -d -j link show teredo0)
	[[ $(jq -r '.[0] | [.link_type, .inet6_addr_gen_mode, .mtu, .min_mtu,
		.max_mtu] | join(" ")' <<<"$json") == \
		"none none 1280 1280 65467" ]]
	check_err $? "$json"
	jq -e '.[0].flags | contains(["POINTOPOINT", "NOARP"])' <<<"$json" \
		>/dev/null
	check_err $? "flags: $json"
	ip -n "$CA" link set teredo0 address 02:00:00:00:00:01 2>/dev/null
	check_fail $? "a link-layer address"
	log_test "ARPHRD_NONE, addr_gen_mode none, limits of the MTU"
}

mtu()
{
	local size

	for size in 1280 1281 1472 9000 65467; do
		ip -n "$CA" link set teredo0 mtu "$size"
		check_err $? "$size is refused"
	done
	for size in 1279 65468 68 0; do
		ip -n "$CA" link set teredo0 mtu "$size" 2>/dev/null
		check_fail $? "$size is accepted"
	done
	# what fits the new MTU arrives, in fragments if need be (TUN-01)
	ip -n "$CB" link set teredo0 mtu 65467
	pings "$CA" -M "do" -s 8000 "$B"
	check_err $? "a large packet"
	ip -n "$CA" link set teredo0 mtu 1280
	ip -n "$CB" link set teredo0 mtu 1280
	ip netns exec "$CA" ping -n -c 1 -W 5 -M "do" -s 1233 "$B" >/dev/null 2>&1
	check_fail $? "1281 octets with an MTU of 1280"
	log_test "TUN-02: MTU from 1280 to 65467"
}

silence()
{
	local dump

	[[ ! $(ip -n "$RLY" -6 addr show dev teredo0) ]]
	check_err $? "$(ip -n "$RLY" -6 addr show dev teredo0)"
	ip netns exec "$RLY" tcpdump -nn -l -i teredo0 >"$DIR/dump" \
		2>"$DIR/log" &
	dump=$!
	busywait 10000 grep -q "listening on teredo0, link-type RAW" "$DIR/log"
	check_err $? "tcpdump: $(<"$DIR/log")"
	# what is routed into the device ends the capture
	ip netns exec "$RLY" ping -n -c 1 -W 1 2001:0:4136:e38e::1 >/dev/null
	busywait 5000 grep -q "echo request" "$DIR/dump"
	check_err $? "the capture does not show the packet"
	[[ $(wc -l <"$DIR/dump") == 1 ]]
	check_err $? "$(<"$DIR/dump")"
	# all that an interface says by itself is multicast, and counted
	[[ $(teredo_count "$RLY" tx_scope) == 0 ]]
	check_err $? "$(teredo_count "$RLY" tx_scope) multicast packets"
	kill_process "$dump"
	log_test "tcpdump: no link-local address, MLD or solicitation"
}

setup_ns CA CB SRV RLY || ktap_skip_all "no namespaces"
topo_core
topo_host4 "$CA" "$NAT_A4"
topo_host4 "$CB" "$NAT_B4"
topo_relay "$RLY" || ktap_skip_all "no device"
topo_server "$SRV"
teredo_add "$CA" mode client port 40000
teredo_add "$CB" mode client port 40001
teredo_qualify "$CA" "$SERVER4" "$NAT_A4:40000"
teredo_qualify "$CB" "$SERVER4" "$NAT_B4:40001"
B=$(teredo_address "$CB")
pings "$CA" "$B"
ktap_print_header
tests_run
ktap_finished
