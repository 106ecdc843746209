#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device hands packets to the IPv6 stack where it receives them, and not
# through the backlog: all of the IPv4 receive path, IPv6 and what sends the
# answer are on one stack then. It must stay below half of it, with netfilter
# and connection tracking on both sides. The kernel's stack tracer looks, where
# packets leave and where they end.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq socat nft ethtool

ALL_TESTS="received sent"
DIR=$(mktemp -d)
defer rm -r "$DIR"
TRACING=/sys/kernel/tracing
STACK=16384

# send_without_tso NAMESPACE: veth has NAPI only for what is sent so
send_without_tso()
{
	local dev

	for dev in $(ip -n "$1" -j link show type veth | jq -r '.[].ifname'); do
		ip netns exec "$1" ethtool -K "$dev" tso off || return
	done
}

# receive_in_threads NAMESPACE: the tracer does not know the stack of interrupts
receive_in_threads()
{
	ip netns exec "$1" ethtool -K eth0 gro on &&
		ip netns exec "$1" sh -c \
			'echo 1 >/sys/class/net/eth0/threaded'
}

tracer()
{
	sysctl -qw kernel.stack_tracer_enabled="$1"
}

# deepest FUNCTION...: when one of these is called, as DEEPEST, while TCP
# passes; the trace is shown
# shellcheck disable=SC2153,SC2154	# setup_ns assigns
deepest()
{
	local name

	: >"$TRACING/stack_trace_filter"
	for name; do
		echo "$name" >>"$TRACING/stack_trace_filter"
	done
	echo 0 >"$TRACING/stack_max_size"
	tracer 1
	defer tracer 0
	tcp_passes "$CA" "$H" "$NATIVE6"
	check_err $? "TCP from the client"
	tcp_passes "$H" "$CA" "$A"
	check_err $? "TCP to the client"
	tracer 0
	DEEPEST=$(<"$TRACING/stack_max_size")
	log_info "$DEEPEST octets of $STACK"
	sed 's/^/# /' "$TRACING/stack_trace"
	((DEEPEST < STACK / 2))
	check_err $? "$DEEPEST octets"
}

# up to where IPv6 forwards a packet
received()
{
	deepest ip6_forward
	grep -q teredo_encap_rcv "$TRACING/stack_trace"
	check_err $? "the deepest stack is not that of a packet received"
	log_test "received: less than half of the stack is in use"
}

# up to where one leaves, received before or not
sent()
{
	deepest veth_xmit nf_conntrack_in nft_do_chain kmem_cache_alloc_node
	grep -q '\[teredo\]' "$TRACING/stack_trace"
	check_err $? "the deepest stack is not one of ours"
	log_test "sent: less than half of the stack is in use"
}

[[ -w $TRACING/stack_trace_filter ]] || mount -t tracefs nodev "$TRACING"
[[ -w $TRACING/stack_trace_filter ]] || ktap_skip_all "no stack tracer"
setup_ns SRV CA RLY H || ktap_skip_all "no namespaces"
OFFLOAD=yes
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_host4 "$CA" "$NAT_A4"
topo_relay "$RLY"
topo_host6 "$H" "$NATIVE6"
ktap_print_header
send_without_tso "$CORE"
for ns in "$CA" "$RLY"; do
	if ! topo_hooks "$ns" || ! receive_in_threads "$ns"; then
		ktap_test_fail "netfilter and threads"
		ktap_finished
	fi
done
topo_client "$CA" "$DIR/helper"
tests_run
ktap_finished
