#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A device whose underlay is in another network namespace, and all that may
# go away, in any order and under traffic
#
#   inside: teredo0 . . . . under: eth0 --------- outside: eth0, teredo0
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredoctl jq python3

ALL_TESTS="moves device_first inside_first under_first under_alone dev_down
	dev_gone unloads"
ERRORS=$(mktemp)
defer rm "$ERRORS"

# connect: namespaces UNDER and OUTSIDE, and a segment of their own
connect()
{
	setup_ns UNDER INSIDE OUTSIDE
	ip link add eth0 netns "$UNDER" type veth peer name eth0 \
		netns "$OUTSIDE"
	local ns
	for ns in "$UNDER $NAT_A4" "$OUTSIDE $NAT_B4"; do
		# shellcheck disable=SC2086	# two words
		set -- $ns
		ip -n "$1" addr add "$2/32" dev eth0
		ip -n "$1" link set eth0 up
		ip -n "$1" route add default dev eth0
	done
	teredo_add "$OUTSIDE" mode client port 40001
	teredo_qualify "$OUTSIDE" "$SERVER4" "$NAT_B4:40001"
	B=$(teredo_address "$OUTSIDE")
}

# enter: a device from UNDER moves INSIDE and is qualified there
enter()
{
	ip -n "$UNDER" link add teredo0 type teredo mode client port 40000 "$@"
	ip -n "$UNDER" link set teredo0 netns "$INSIDE"
	ip -n "$INSIDE" link set teredo0 up
	teredo_qualify "$INSIDE" "$SERVER4" "$NAT_A4:40000"
	A=$(teredo_address "$INSIDE")
}

# meet: both know each other; nobody is their server, so both must speak
meet()
{
	local status=0

	pings "$INSIDE" "$B" &
	pings "$OUTSIDE" "$A" || status=1
	wait "$!" || status=1
	return "$status"
}

setup()
{
	connect && enter && meet
	check_err $? "no answer"
}

# traffic: both ways, 200 packets each, until the scope ends
traffic()
{
	local flow

	for flow in "$INSIDE $B" "$OUTSIDE $A"; do
		# shellcheck disable=SC2086	# two words
		set -- $flow
		ip netns exec "$1" ping -n -q -i 0.01 -c 200 "$2" \
			>/dev/null 2>&1 &
		defer kill_process "$!"
	done
	# it flows
	busywait 5000 more_than 20
	check_err $? "no traffic"
}

more_than()
{
	(($(ip -n "$OUTSIDE" -s -j link show teredo0 |
	    jq '.[0].stats64.rx.packets') > $1))
}

# port_open NAMESPACE: is the device's socket there?
port_open()
{
	ip netns exec "$1" grep -q ":9C40 " /proc/net/udp
}

has_carrier()
{
	ip -n "$1" -j link show teredo0 |
		jq -e '.[0].flags | contains(["LOWER_UP"])' >/dev/null
}

# gone NAMESPACE: its name is, and what runs in it; the rest follows
gone()
{
	cleanup_ns "$1"
}

moves()
{
	setup
	port_open "$UNDER"
	check_err $? "no socket in the underlay"
	port_open "$INSIDE"
	check_fail $? "a socket where the device is"
	ip -n "$INSIDE" -4 addr | grep -q "inet.*global"
	check_fail $? "IPv4 where the device is"
	ip -n "$INSIDE" link set teredo0 down
	ip -n "$INSIDE" link set teredo0 up
	port_open "$UNDER"
	check_err $? "another port or place after down and up"
	# on to a third namespace
	ip -n "$INSIDE" link set teredo0 netns "$CORE"
	ip -n "$CORE" link set teredo0 up
	port_open "$UNDER"
	check_err $? "the underlay did not stay"
	ip -n "$CORE" link delete teredo0
	port_open "$UNDER"
	check_fail $? "a socket without a device"
	gone "$INSIDE"
	gone "$UNDER"
	gone "$OUTSIDE"
	log_test "a device moves, its underlay stays"
}

device_first()
{
	setup
	traffic
	ip -n "$INSIDE" link delete teredo0
	check_err $? "ip link delete"
	port_open "$UNDER"
	check_fail $? "a socket without a device"
	gone "$UNDER"
	gone "$INSIDE"
	gone "$OUTSIDE"
	log_test "under traffic: the device, then both namespaces"
}

inside_first()
{
	setup
	traffic
	gone "$INSIDE"
	busywait 10000 not port_open "$UNDER"
	check_err $? "a socket without a device"
	gone "$UNDER"
	gone "$OUTSIDE"
	log_test "under traffic: the device's namespace, then the underlay's"
}

under_first()
{
	setup
	traffic
	gone "$UNDER"
	busywait 10000 not has_carrier "$INSIDE"
	check_err $? "carrier without an underlay"
	busywait 2000 teredo_is "$INSIDE" .state error
	check_err $? "state $(teredo_status "$INSIDE" .state)"
	teredo_is "$INSIDE" .error "the underlay's network namespace is gone"
	check_err $? "error $(teredo_status "$INSIDE" .error)"
	ip -n "$INSIDE" link set teredo0 down
	ip -n "$INSIDE" link set teredo0 up 2>"$ERRORS"
	check_fail $? "up"
	grep -q "underlay's network namespace is gone" "$ERRORS"
	check_err $? "$(<"$ERRORS")"
	ip -n "$INSIDE" -d link show teredo0 >/dev/null
	check_err $? "ip link show"
	ip -n "$INSIDE" link set teredo0 mtu 1400
	check_err $? "mtu"
	ip -n "$INSIDE" link set teredo0 type teredo ttl 9
	check_err $? "ttl"
	ip -n "$INSIDE" link delete teredo0
	check_err $? "delete"
	gone "$INSIDE"
	gone "$OUTSIDE"
	log_test "under traffic: the underlay, which leaves a device with words"
}

under_alone()
{
	setup
	traffic
	gone "$UNDER"
	gone "$INSIDE"
	gone "$OUTSIDE"
	log_test "under traffic: both namespaces, the device goes with them"
}

dev_down()
{
	connect
	enter dev eth0
	meet
	check_err $? "no answer"
	has_carrier "$INSIDE"
	check_err $? "no carrier"
	ip -n "$UNDER" link set eth0 down
	busywait 2000 not has_carrier "$INSIDE"
	check_err $? "carrier while the underlay is down"
	ip -n "$UNDER" link set eth0 up
	ip -n "$UNDER" route replace default dev eth0
	busywait 2000 has_carrier "$INSIDE"
	check_err $? "no carrier when it is up again"
	meet
	check_err $? "no answer afterwards"
	log_test "dev: carrier follows the underlay's device"
}

dev_gone()
{
	traffic
	timeout $((10 * SLOW_FACTOR)) ip -n "$UNDER" link delete eth0
	check_err $? "the device cannot go, something holds it"
	has_carrier "$INSIDE"
	check_fail $? "carrier without dev"
	ip -n "$INSIDE" link set teredo0 down
	ip -n "$INSIDE" link set teredo0 up 2>"$ERRORS"
	check_fail $? "up"
	grep -q "dev: the underlay's device is gone" "$ERRORS"
	check_err $? "$(<"$ERRORS")"
	gone "$OUTSIDE"
	gone "$INSIDE"
	gone "$UNDER"
	log_test "dev: it goes under traffic, nothing holds it"
}

# the kernel takes namespaces and devices down after their names are gone
unloads()
{
	gone "$CORE"
	busywait 10000 modprobe -r teredo
	check_err $? "$(modprobe -r teredo 2>&1)"
	log_test "the module unloads"
}

setup_ns CORE || ktap_skip_all "no namespaces"
ip link add teredo0 type teredo || ktap_skip_all "no device"
ip link delete teredo0
ktap_print_header
tests_run
ktap_finished
