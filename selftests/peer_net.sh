# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=lib.sh
#
# A client or relay and what surrounds it, for peer.py
#
#   inet ------------- eth0  host  eth1 -------------- native
#   203.219.21.1       204.152.184.7   2620::ff        2620::1
#                      1.2.3.4                         2620:1::1
#
# All the IPv4 Internet is one namespace: it sends from any address and sees
# all that the host sends, to whatever address, and answers to none of it.

PEER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$PEER_DIR/lib.sh"

# shellcheck disable=SC2154	# setup_ns assigns inet, host, native
peer_setup()
{
	local ns

	setup_ns inet host native || ktap_skip_all "no namespaces"

	for ns in "$inet" "$host" "$native"; do
		# so that packets can be foretold
		ip netns exec "$ns" sysctl -qw net.ipv6.auto_flowlabels=0
	done
	ip link add eth0 netns "$host" type veth peer name eth0 netns "$inet"
	ip link add eth1 netns "$host" type veth peer name eth0 netns "$native"
	# so that captured checksums are complete
	ip netns exec "$host" ethtool -K eth0 tx off gso off tso off >/dev/null

	ip -n "$inet" addr add 203.219.21.1/32 dev eth0
	ip -n "$inet" link set eth0 up
	ip -n "$inet" route add default dev eth0

	ip -n "$host" addr add 204.152.184.7/32 dev eth0
	ip -n "$host" addr add 1.2.3.4/32 dev eth0
	ip -n "$host" link set eth0 up
	ip -n "$host" route add 203.219.21.1 dev eth0
	ip -n "$host" route add default via 203.219.21.1
	ip -n "$host" addr add 2620::ff/64 dev eth1 nodad
	ip -n "$host" link set eth1 up
	ip -n "$host" route add 2620:1::/64 via 2620::1
	ip netns exec "$host" sysctl -qw net.ipv6.conf.all.forwarding=1

	ip -n "$native" addr add 2620::1/64 dev eth0 nodad
	ip -n "$native" addr add 2620:1::1/128 dev lo nodad
	ip -n "$native" link set eth0 up
	ip -n "$native" route add 2001::/32 via 2620::ff
}

# peer_run SUBJECT: the part of peer.py of that name, prints TAP
peer_run()
{
	PYTHONDONTWRITEBYTECODE=1 python3 "$PEER_DIR/peer.py" "$1" "$inet" \
		"$host" "$native"
}
