#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A device that cannot come up says why, and leaves nothing behind; one that
# can has its socket exactly as long as it is up (design 3.1).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command teredoctl jq python3

ALL_TESTS="in_use not_ours no_address rivals no_ipv6 sockets"
TESTS_DIR=$(cd "$(dirname "$0")" && pwd)
ERRORS=$(mktemp)
defer rm "$ERRORS"

# shellcheck disable=SC2154	# setup_ns assigns host
add()
{
	ip -n "$host" link add "$1" type teredo "${@:2}"
	check_err $? "add $*"
}

sockets_open()
{
	ip netns exec "$host" cat /proc/net/udp | grep -c :
}

# up DEVICE: prints what rtnetlink has to say against it, the number too
up()
{
	ip netns exec "$host" env PYTHONPATH="$TESTS_DIR" \
		PYTHONDONTWRITEBYTECODE=1 python3 -c '
import sys
from genl import Links, Refused
try:
    Links("teredo").set_up(sys.argv[1])
except Refused as refused:
    print(refused)' "$1"
}

# refused DEVICE ERRNO TEXT: at up, with words, and nothing stays
refused()
{
	local before

	before=$(sockets_open)
	up "$1" >"$ERRORS"
	grep -q "^$2: $3" "$ERRORS"
	check_err $? "want $2: $3, got $(<"$ERRORS")"
	[[ $(ip netns exec "$host" teredoctl -j status "$1" |
	     jq -r '.[0] | "\(.state) \(.error)"') == "error $3"* ]]
	check_err $? "$(ip netns exec "$host" teredoctl status "$1")"
	ip -n "$host" -j link show "$1" | jq -e '.[0].flags | contains(["UP"]) | not' \
		>/dev/null
	check_err $? "the device is up"
	[[ $(sockets_open) == "$before" ]]
	check_err $? "a socket stays: $(ip netns exec "$host" cat /proc/net/udp)"
}

# recovers DEVICE: the cause is gone, it comes up and the error is gone, too
recovers()
{
	ip -n "$host" link set "$1" up
	check_err $? "up, without a reason not to"
	[[ $(ip netns exec "$host" teredoctl -j status "$1" |
	     jq -r '.[0].error') == null ]]
	check_err $? "the error stays in the status"
	ip -n "$host" link delete "$1"
}

in_use()
{
	local holder

	ip netns exec "$host" python3 -c '
import socket, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 3545))
time.sleep(1000)' &
	holder=$!
	wait_local_port_listen "$host" 3545 udp
	add t0 mode relay port 3545
	refused t0 EADDRINUSE "port: in use"
	kill_process "$holder"
	recovers t0
	log_test "EADDRINUSE: the port is in use"

	add t0 mode server local 5.6.7.8 secondary 5.6.7.9
	add t1 mode server local 5.6.7.10 secondary 5.6.7.9
	ip -n "$host" link set t0 up
	refused t1 EADDRINUSE "port: in use"
	ip -n "$host" link delete t0
	recovers t1
	log_test "EADDRINUSE: that of the secondary address, the primary is free"
}

not_ours()
{
	add t0 mode relay local 5.6.7.99
	refused t0 EADDRNOTAVAIL \
		"local: not an address of this host"
	ip -n "$host" addr add 5.6.7.99/32 dev lo
	recovers t0
	log_test "EADDRNOTAVAIL: local"
	add t0 mode server local 5.6.7.8 secondary 5.6.7.98
	refused t0 EADDRNOTAVAIL \
		"secondary: not an address of this host"
	ip -n "$host" addr add 5.6.7.98/32 dev lo
	recovers t0
	log_test "EADDRNOTAVAIL: secondary"
}

no_address()
{
	add t0 mode server
	refused t0 EDESTADDRREQ "local: "
	ip -n "$host" link set t0 type teredo local 5.6.7.8
	refused t0 EDESTADDRREQ "secondary: "
	ip -n "$host" link set t0 type teredo secondary 5.6.7.9
	recovers t0
	log_test "EDESTADDRREQ: a server without local or secondary"
}

rivals()
{
	local one two

	for two in client host-relay; do
		for one in client host-relay; do
			add t0 mode "$one"
			ip -n "$host" link set t0 up
			check_err $? "$one up"
			add t1 mode "$two"
			refused t1 EBUSY \
				"another client or host-relay with this prefix is up"
			ip -n "$host" link delete t0
			recovers t1
		done
	done
	add t0 mode client
	add t1 mode client prefix 3ffe:831f::/32
	add t2 mode relay
	add t3 mode server local 5.6.7.8 secondary 5.6.7.9
	for one in t0 t1 t2 t3; do
		ip -n "$host" link set "$one" up
		check_err $? "$one up"
	done
	for one in t0 t1 t2 t3; do
		ip -n "$host" link delete "$one"
	done
	log_test "EBUSY, HR-09: one client or host-relay for a prefix"
}

no_ipv6()
{
	add t0 mode relay
	ip netns exec "$host" sysctl -qw net.ipv6.conf.t0.disable_ipv6=1
	refused t0 EAFNOSUPPORT \
		"IPv6 is disabled on the device"
	ip netns exec "$host" sysctl -qw net.ipv6.conf.t0.disable_ipv6=0
	recovers t0
	log_test "disable_ipv6"
}

sockets()
{
	local before port

	before=$(sockets_open)
	add t0 mode relay
	[[ $(sockets_open) == "$before" ]]
	check_err $? "a socket before the device is up"
	ip -n "$host" link set t0 up
	[[ $(sockets_open) == $((before + 1)) ]]
	check_err $? "not one socket"
	port=$(ip netns exec "$host" teredoctl -j status t0 | jq '.[0].port')
	ip -n "$host" link set t0 down
	[[ $(sockets_open) == "$before" ]]
	check_err $? "a socket after down"
	ip -n "$host" link set t0 up
	[[ $(ip netns exec "$host" teredoctl -j status t0 | jq '.[0].port') == \
		"$port" ]]
	check_err $? "another port after down and up"
	ip -n "$host" link delete t0
	[[ $(sockets_open) == "$before" ]]
	check_err $? "a socket without a device"
	log_test "the socket comes and goes with up and down, the port stays"
}

setup_ns host || ktap_skip_all "no namespaces"
ip -n "$host" addr add 5.6.7.8/32 dev lo
ip -n "$host" addr add 5.6.7.9/32 dev lo
ip -n "$host" addr add 5.6.7.10/32 dev lo
ktap_print_header
tests_run
ktap_finished
