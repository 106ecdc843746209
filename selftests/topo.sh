# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=lib.sh
#
# A small Internet of network namespaces for the tests and the demo
#
#   host --- eth0 |                | eth0 --- NAT lan --- eth0 host
#                 | CORE: ip4, ip6 |
#   host --- eth0 |  (two bridges) | eth6 --- IPv6-only host
#
# Every host has an address of its own on the one IPv4 segment, /32 with a
# default route on-link: nothing but its own NAT stands between two of them.
# The addresses look public, since Teredo refuses others, and never leave the
# namespaces.

TOPO_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$TOPO_DIR/lib.sh"

# What is where, unless a test says otherwise
# shellcheck disable=SC2034	# for the tests
readonly SERVER4=65.54.227.142 SERVER4_2=65.54.227.143 RELAY4=204.152.184.7 \
	NAT_A4=203.219.21.70 NAT_B4=84.16.227.9 NATIVE6=2620:0:2d0::10 \
	SERVER6=2620:0:2d0::5 RELAY6=2620:0:2d0::7 NET6=2620:0:2d0::/48

# Set to leave checksums and segments to devices, as far as these will; then
# what passes is not for tshark to judge
OFFLOAD=''

# topo_core: the segment that everything is attached to
topo_core()
{
	local bridge

	setup_ns CORE || return
	for bridge in ip4 ip6; do
		ip -n "$CORE" link add "$bridge" type bridge
		ip -n "$CORE" link set "$bridge" up
	done
	[[ $OFFLOAD ]] || capture_for_judge "$CORE" ip4
}

# topo_attach NAMESPACE DEVICE BRIDGE [NAMESPACE OF THE BRIDGE]
topo_attach()
{
	local ns=$1 dev=$2 bridge=$3 at=${4:-$CORE} port

	port=p$(printf '%08x' $((SRANDOM)))
	ip link add "$dev" netns "$ns" type veth peer name "$port" netns "$at"
	[[ $OFFLOAD ]] || complete_checksums "$ns" "$dev"
	ip -n "$at" link set "$port" master "$bridge" up
	ip -n "$ns" link set "$dev" up
}

# topo_host4 NAMESPACE ADDRESS...: a host on the IPv4 Internet
topo_host4()
{
	local ns=$1 address

	shift
	topo_attach "$ns" eth0 ip4
	for address; do
		ip -n "$ns" addr add "$address/32" dev eth0
	done
	ip -n "$ns" route add default dev eth0
}

# topo_host6 NAMESPACE ADDRESS: a host on the IPv6 Internet; its way to
# Teredo clients is the relay RELAY6
topo_host6()
{
	topo_attach "$1" eth6 ip6
	ip -n "$1" addr add "$2/48" dev eth6 nodad
	[[ $2 == "$RELAY6" ]] ||
		ip -n "$1" route add 2001::/32 via "$RELAY6"
}

# topo_nat NAMESPACE ADDRESS NET KIND: a NAT between ADDRESS and the private
# network NET (192.168.1, say). Kinds by RFC 4787 and RFC 4380:
#   cone        one mapping, everybody may send to it; for the host NET.2
#   restricted  one mapping, filtered by address and port
#   symmetric   a mapping for each destination, at random
# KIND/input lets what nobody asked for reach the NAT's own input chain, as
# home routers do that reject it, in place of dropping it early.
topo_nat()
{
	local ns=$1 address=$2 net=$3 kind=${4%/*} input=''

	[[ $4 != */input ]] || input=yes
	topo_attach "$ns" wan ip4
	ip -n "$ns" addr add "$address/32" dev wan
	ip -n "$ns" route add default dev wan
	ip -n "$ns" link add lan type bridge
	ip -n "$ns" addr add "$net.1/24" dev lan
	ip -n "$ns" link set lan up
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_forward=1
	{
		echo "table ip nat {"
		echo "chain out { type nat hook postrouting priority srcnat;"
		case $kind in
		symmetric) echo "oifname wan masquerade fully-random" ;;
		*) echo "oifname wan masquerade" ;;
		esac
		echo "}"
		if [[ $kind == cone ]]; then
			echo "chain in { type nat hook prerouting priority dstnat;"
			echo "iifname wan udp dport 1024-65535 dnat to $net.2"
			echo "}"
		fi
		echo "}"
		[[ $input ]] || echo "table ip filter { chain in {
			type filter hook input priority filter;
			iifname wan ct state new drop
			}
			}"
	} | ip netns exec "$ns" nft -f -
}

# topo_behind HOST NAT NET NUMBER: a host behind a NAT
topo_behind()
{
	topo_attach "$1" eth0 lan "$2"
	ip -n "$1" addr add "$3.$4/24" dev eth0
	ip -n "$1" route add default via "$3.1"
}

# topo_pin NAT ADDRESS:PORT HOST:PORT: what the host says to the server comes
# from that mapping, which stays open: so a client can be qualified by hand
topo_pin()
{
	ip netns exec "$1" nft -f - <<-END
	table ip pin-${2#*:} {
	chain out { type nat hook postrouting priority srcnat - 1
	oifname wan ip daddr $SERVER4 ip saddr ${3%:*} meta l4proto udp snat to $2
	}
	chain in { type nat hook prerouting priority dstnat - 1
	iifname wan ip saddr $SERVER4 udp dport ${2#*:} dnat to $3
	}
	}
	END
}

# topo_meet NAMESPACE ADDRESS...: has the link layer learn these neighbours, so
# that no packet waits for that and is overtaken
topo_meet()
{
	local ns=$1 address

	shift
	for address; do
		ip netns exec "$ns" ping -n -c 1 -W 1 "$address" >/dev/null &
		busywait 3000 topo_met "$ns" "$address"
		kill_process "$!"
	done
}

topo_met()
{
	ip -n "$1" neigh show to "$2" | grep -q lladdr
}

# teredo_add NAMESPACE WORD...: a device teredo0 of this kind, up
teredo_add()
{
	local ns=$1

	shift
	ip -n "$ns" link add teredo0 type teredo "$@" &&
		ip -n "$ns" link set teredo0 up
}

# teredo_route NAMESPACE [PREFIX]: what a relay routes into its device
teredo_route()
{
	ip -n "$1" route add fe80::1/128 dev teredo0
	ip -n "$1" route add "${2:-2001::/32}" via fe80::1 dev teredo0
}

# topo_server_host NAMESPACE: where a server runs: two IPv4 addresses, IPv6
topo_server_host()
{
	topo_host4 "$1" "$SERVER4" "$SERVER4_2"
	topo_attach "$1" eth6 ip6
	ip -n "$1" addr add "$SERVER6/48" dev eth6 nodad
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.forwarding=1
}

# topo_server NAMESPACE: a server there
topo_server()
{
	topo_server_host "$1"
	teredo_add "$1" mode server local "$SERVER4" secondary "$SERVER4_2"
}

# topo_relay_host NAMESPACE: where a relay runs: RELAY4 and RELAY6. Its card
# leaves no checksum pending, as between two machines: a NAT on this one would
# take the outer one, which is final, for the pending one and break it.
topo_relay_host()
{
	topo_host4 "$1" "$RELAY4"
	complete_checksums "$1" eth0
	topo_host6 "$1" "$RELAY6"
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.forwarding=1
}

# topo_relay NAMESPACE [WORD]...: a relay there
topo_relay()
{
	local ns=$1

	shift
	topo_relay_host "$ns"
	teredo_add "$ns" mode relay local "$RELAY4" "$@" &&
		teredo_route "$ns"
}

# teredo_status NAMESPACE JQ-FILTER: of teredo0
teredo_status()
{
	ip netns exec "$1" teredoctl -j status teredo0 | jq -r ".[0]$2"
}

teredo_is()
{
	[[ $(teredo_status "$1" "$2") == "$3" ]]
}

# teredo_count NAMESPACE COUNTER
teredo_count()
{
	teredo_status "$1" ".stats.$2"
}

# teredo_helper NAMESPACE [LOG]: teredod for teredo0, until the scope ends.
# Its process is HELPER.
teredo_helper()
{
	ip netns exec "$1" teredod -f teredo0 >"${2:-/dev/null}" 2>&1 &
	HELPER=$!
	defer kill_process "$HELPER"
}

# teredo_qualified NAMESPACE: waits until teredo0 has an address
teredo_qualified()
{
	slowwait 30 teredo_is "$1" .state qualified
}

# teredo_must_qualify NAMESPACE LOG: or the test ends, and shows its helper's
teredo_must_qualify()
{
	teredo_qualified "$1" && return
	cat "$2"
	ktap_test_fail "the client qualifies"
	ktap_finished
}

# teredo_address NAMESPACE: of the client there
teredo_address()
{
	teredo_status "$1" .address
}

# teredo_qualify NAMESPACE SERVER ADDRESS:PORT [SECONDS]: does the helper's
# work by hand for a client that is mapped so
teredo_qualify()
{
	local ns=$1

	ip netns exec "$ns" "$TOPO_DIR/control.py" teredo0 "$2" "${3%:*}" \
		"${3#*:}" 0x14e4 "${4:-600}" || return
	ip -n "$ns" addr replace "$(teredo_address "$ns")/128" dev teredo0 nodad
	ip -n "$ns" route replace fe80::1/128 dev teredo0
	ip -n "$ns" route replace default via fe80::1 dev teredo0
}

# teredo_mapped NAMESPACE: address and port of the client there
teredo_mapped()
{
	teredo_status "$1" '.mapped | "\(.address):\(.port)"'
}

# pings NAMESPACE WORD...: one is answered, in time
pings()
{
	local ns=$1

	shift
	ip netns exec "$ns" ping -n -c 1 -W $((5 * SLOW_FACTOR)) "$@" >/dev/null
}

# topo_client NAMESPACE LOG: a client with its helper there, qualified, that has
# reached the native host; its address as A
# shellcheck disable=SC2034	# for who calls it
topo_client()
{
	teredo_add "$1" mode client server "$SERVER4"
	teredo_helper "$1" "$2"
	teredo_must_qualify "$1" "$2"
	A=$(teredo_address "$1")
	pings "$1" "$NATIVE6"
}

# topo_hooks NAMESPACE: netfilter and connection tracking, as a router has them
topo_hooks()
{
	local hook

	ip netns exec "$1" nft add table inet t || return
	for hook in prerouting input forward output postrouting; do
		ip netns exec "$1" nft "add chain inet t at_$hook {
			type filter hook $hook priority 0; };
			add rule inet t at_$hook ct state new counter" || return
	done
}

# tcp_passes NAMESPACE NAMESPACE ADDRESS: a stream from the one to the other,
# whose address it is
tcp_passes()
{
	local dir status=0

	dir=$(mktemp -d)
	head -c 100000 /dev/urandom >"$dir/sent"
	timeout $((30 * SLOW_FACTOR)) ip netns exec "$2" \
		socat -u TCP6-LISTEN:5000,reuseaddr "CREATE:$dir/got" &
	wait_local_port_listen "$2" 5000 tcp
	timeout $((30 * SLOW_FACTOR)) ip netns exec "$1" \
		socat -u "OPEN:$dir/sent" "TCP6:[$3]:5000" || status=1
	((status == 0)) || kill "$!" 2>/dev/null
	wait "$!" || status=1
	cmp -s "$dir/sent" "$dir/got" || status=1
	rm -r "$dir"
	return "$status"
}

# watch NAMESPACE DEVICE FILE: writes the Teredo datagrams that pass there to
# FILE, see watch.py, until the scope ends. FILE may be emptied meanwhile.
watch()
{
	ip netns exec "$1" "$TOPO_DIR/watch.py" "$2" >>"$3" &
	defer kill_process "$!"
	busywait 60000 grep -q ready "$3"
	: >"$3"
}

# story FILE NAME=WORD...: what was seen, words replaced by names, without
# times and what belongs to the helper
story()
{
	local file=$1

	shift
	awk -v names="$*" '
	BEGIN {
		n = split(names, pairs, " ")
		for (i = 1; i <= n; i++) {
			at = index(pairs[i], "=")
			word = substr(pairs[i], at + 1)
			name[word] = substr(pairs[i], 1, at - 1)
		}
	}
	NF > 5 && $4 != "rs" && $4 != "ra" {
		for (i = 2; i <= NF; i++)
			printf "%s%s", $i in name ? name[$i] : $i,
				i < NF ? " " : "\n"
	}' "$file"
}

story_equals()
{
	local wanted=$1

	shift
	[[ $(story "$@") == "$wanted" ]]
}

# story_is WANTED FILE NAME=WORD...: waits for exactly that; then empties FILE
story_is()
{
	if busywait 5000 story_equals "$@"; then
		: >"$2"
		return 0
	fi
	{
		diff <(echo "$1") <(shift; story "$@")
		cat "$2"
	} | sed 's/^/# /'
	: >"$2"
	return 1
}
