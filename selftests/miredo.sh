# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=topo.sh
#
# Miredo as the other side: its client, relay and server in the namespaces of
# topo.sh, for the miredo_*.sh tests. What is tested is what each side makes
# of the other's packets, so nothing here knows what these look like.

. "$(dirname "${BASH_SOURCE[0]}")/topo.sh"
require_command miredo miredo-server teredod teredoctl nft jq socat

readonly MIREDO_PORT=3545

# miredo_start NAMESPACE PROGRAM LINE...: with these lines of configuration,
# until the scope ends: each test can meet a Miredo that knows nobody yet
miredo_start()
{
	local ns=$1 program=$2 dir

	shift 2
	dir=$(mktemp -d)
	printf '%s\n' "$@" >"$dir/conf"
	MIREDO_LOG=$dir/log
	ip netns exec "$ns" "$program" -f -c "$dir/conf" -p "$dir/pid" \
		>"$MIREDO_LOG" 2>&1 &
	defer rm -rf "$dir"
	defer kill_process $!
}

miredo_server()
{
	miredo_start "$1" miredo-server "ServerBindAddress $SERVER4" \
		"ServerBindAddress2 $SERVER4_2"
	wait_local_port_listen "$1" 3544 udp
}

# A relay listens before its device has a route.
miredo_relay()
{
	miredo_start "$1" miredo "RelayType relay" "InterfaceName miredo" \
		"BindAddress $RELAY4" "BindPort $MIREDO_PORT"
	slowwait 10 miredo_routed "$1"
}

miredo_routed()
{
	[[ $(ip -n "$1" -6 route show 2001::/32 dev miredo 2>/dev/null) ]]
}

miredo_client()
{
	miredo_start "$1" miredo "RelayType client" "InterfaceName miredo" \
		"ServerAddress $SERVER4"
	slowwait 30 miredo_address "$1" >/dev/null
}

# miredo_address NAMESPACE: of the Miredo client there, if qualified
miredo_address()
{
	ip -n "$1" -6 -o addr show dev miredo 2>/dev/null |
		awk '$4 ~ /^2001:/ { sub("/.*", "", $4); print $4; found = 1 }
		     END { exit !found }'
}

# as_on_a_wire NAMESPACE: its IPv4 packets leave as from a card without
# offloads. Miredo's socket, which may be on this machine, would else be
# handed the kernel's large packets, with checksums still to be made.
as_on_a_wire()
{
	ip netns exec "$1" ethtool -K eth0 tx off gso off \
		tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off \
		>/dev/null
}

# A network for all of them: a client behind a NAT, the hosts of a server and
# of a relay, an IPv6-only host. The tests put ours or Miredo there.
# shellcheck disable=SC2154	# setup_ns assigns
miredo_setup()
{
	ktap_print_header
	setup_ns SRV RLY HOST CLIENT NAT || ktap_skip_all "no namespaces"
	[[ -e /dev/net/tun ]] || modprobe -q tun
	[[ -e /dev/net/tun ]] || ktap_skip_all "no TUN devices"
	# Miredo's packets are not ours to judge
	OFFLOAD=yes
	topo_core
	topo_host6 "$HOST" "$NATIVE6"
	topo_nat "$NAT" "$NAT_A4" 192.168.1 restricted
	topo_behind "$CLIENT" "$NAT" 192.168.1 2
	as_on_a_wire "$CLIENT"
}

# forget NAMESPACE...: all peers of teredo0 there
forget()
{
	local ns

	for ns; do
		ip netns exec "$ns" teredoctl flush teredo0 >/dev/null
	done
}

# peer NAMESPACE ADDRESS FIELD: of that peer of teredo0
peer()
{
	ip netns exec "$1" teredoctl -j peers teredo0 |
		jq -re --arg a "$2" '.[] | select(.address == $a) | '"$3"
}

peer_is()
{
	[[ $(peer "$1" "$2" "$3") == "$4" ]]
}

# Miredo tries again when a packet comes, never by itself.
# reaches NAMESPACE ADDRESS: in the end, and then without loss, small and large
reaches()
{
	slowwait 20 ip netns exec "$1" ping -q -c 1 -W 4 "$2" >/dev/null &&
		ip netns exec "$1" ping -q -c 5 -i 0.2 -W 10 "$2" >/dev/null &&
		ip netns exec "$1" ping -q -c 3 -i 0.2 -W 10 -M 'do' -s 1232 \
			"$2" >/dev/null
}

# sends NAMESPACE NAMESPACE ADDRESS: a TCP stream from one to the other, at
# this address, arrives as it was
sends()
{
	local from=$1 to=$2 address=$3 dir status

	dir=$(mktemp -d)
	head -c 500000 /dev/urandom >"$dir/sent"
	ip netns exec "$to" timeout $((30 * SLOW_FACTOR)) socat -u \
		TCP6-LISTEN:5000,reuseaddr "CREATE:$dir/received" &
	wait_local_port_listen "$to" 5000 tcp
	ip netns exec "$from" timeout $((30 * SLOW_FACTOR)) socat -u \
		"OPEN:$dir/sent" "TCP6:[$address]:5000" &&
		wait $! && cmp -s "$dir/sent" "$dir/received"
	status=$?
	rm -rf "$dir"
	return $status
}

# log_miredo_test NAME: with what Miredo said, if something is wrong
log_miredo_test()
{
	local failed=$RET

	log_test "$@"
	((failed)) && sed 's/^/# /' "$MIREDO_LOG"
	return 0
}
