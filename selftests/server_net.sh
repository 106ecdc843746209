# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=lib.sh
#
# A server and what surrounds it, for the server_*.sh tests
#
#   client ------------ eth0  server  eth1 ------------ native
#   203.219.21.1        65.54.227.142 (primary)         2620::1
#                       65.54.227.143 (secondary)
#                       5.6.7.1/24
#
# The client is the server's IPv4 gateway: it sees all that the server sends,
# to whatever address. It has but the one address, so it answers to none of it.
# The server's host takes datagrams from any source, for the module to judge.

SERVER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$SERVER_DIR/lib.sh"

# shellcheck disable=SC2154	# setup_ns assigns client, server, native
server_setup()
{
	local key

	setup_ns client server native || ktap_skip_all "no namespaces"

	ip link add eth0 netns "$server" type veth peer name eth0 \
		netns "$client"
	ip link add eth1 netns "$server" type veth peer name eth0 \
		netns "$native"
	for key in all default eth0; do
		ip netns exec "$server" sysctl -qw \
			"net.ipv4.conf.$key.rp_filter=0" \
			"net.ipv4.conf.$key.accept_local=1"
	done
	ip netns exec "$server" sysctl -qw net.ipv6.conf.all.forwarding=1
	# so that captured checksums are complete
	ip netns exec "$server" ethtool -K eth0 tx off gso off tso off \
		>/dev/null
	ip netns exec "$server" ethtool -K eth1 tx off gso off tso off \
		>/dev/null

	ip -n "$client" link set eth0 up
	ip -n "$client" addr add 203.219.21.1/32 dev eth0
	ip -n "$client" route add 65.54.227.142 dev eth0
	ip -n "$client" route add default via 65.54.227.142

	ip -n "$server" link set lo up
	ip -n "$server" link set eth0 up
	ip -n "$server" addr add 65.54.227.142/32 dev eth0
	ip -n "$server" addr add 65.54.227.143/32 dev eth0
	ip -n "$server" addr add 5.6.7.1/24 dev eth0
	ip -n "$server" route add 203.219.21.1 dev eth0
	ip -n "$server" route add default via 203.219.21.1

	ip -n "$server" link set eth1 up
	ip -n "$server" addr add 2620::ff/64 dev eth1 nodad
	ip -n "$native" link set eth0 up
	ip -n "$native" addr add 2620::1/64 dev eth0 nodad

	ip -n "$server" link add teredo0 type teredo mode server \
		local 65.54.227.142 secondary 65.54.227.143
	ip -n "$server" link set teredo0 up
}

# server_run SUBJECT: the part of server.py of that name, prints TAP
server_run()
{
	PYTHONDONTWRITEBYTECODE=1 python3 "$SERVER_DIR/server.py" "$1" \
		"$client" "$server" "$native"
}
