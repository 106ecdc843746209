# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=lib.sh
#
# A client with its helper behind a NAT, for the qual_*.sh tests
#
#   client ------------- nat ------------------- core ----------- public
#   192.168.7.2     192.168.7.1   203.219.21.70       5.6.7.1     5.6.7.8
#                                            server 65.54.227.142, .143
#
# The NAT is port-restricted: what it was not asked for it drops before that
# leaves a trace in its table. The outer port is 40001 until a test changes it.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_command teredod teredoctl nft conntrack jq

OUTER=203.219.21.70
PRIMARY=65.54.227.142
SECONDARY=65.54.227.143
PUBLIC=5.6.7.8

# shellcheck disable=SC2154	# setup_ns assigns client, nat, core, public
qual_setup()
{
	setup_ns client nat core public || ktap_skip_all "no namespaces"

	ip -b - <<-END
		link add eth0 netns $client type veth peer name in netns $nat
		link add out netns $nat type veth peer name eth0 netns $core
		link add eth1 netns $core type veth peer name eth0 netns $public
	END
	ip -n "$client" -b - <<-END
		addr add 192.168.7.2/24 dev eth0
		link set eth0 up
		route add default via 192.168.7.1
	END
	ip -n "$nat" -b - <<-END
		addr add 192.168.7.1/24 dev in
		addr add $OUTER/24 dev out
		link set in up
		link set out up
		route add default via 203.219.21.1
	END
	ip -n "$core" -b - <<-END
		addr add 203.219.21.1/24 dev eth0
		addr add 5.6.7.1/24 dev eth1
		addr add $PRIMARY/32 dev eth1
		addr add $SECONDARY/32 dev eth1
		link set eth0 up
		link set eth1 up
		link add server0 type teredo mode server local $PRIMARY secondary $SECONDARY
		link set server0 up
	END
	ip -n "$public" -b - <<-END
		addr add $PUBLIC/24 dev eth0
		link set eth0 up
		route add default via 5.6.7.1
	END
	ip netns exec "$nat" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "$core" sysctl -qw net.ipv4.ip_forward=1
	nat_maps "masquerade to :40001"
	complete_checksums "$client" eth0
	complete_checksums "$core" eth0 eth1
	complete_checksums "$public" eth0
	capture_for_judge "$core" eth0

	LOGS=$(mktemp -d)
	HELPER=''
	defer rm -rf "$LOGS"
	defer helper_cleanup
}

# nat_maps RULE...: how the NAT maps UDP, from the next packet on
nat_maps()
{
	local rule

	{
		echo "table ip nat"
		echo "delete table ip nat"
		echo "table ip nat {"
		echo "chain post {"
		echo "type nat hook postrouting priority srcnat"
		for rule; do
			echo "oifname out meta l4proto udp $rule"
		done
		echo "}"
		echo "chain pre {"
		echo "type filter hook prerouting priority filter"
		echo "iifname out ct state new meta l4proto udp drop"
		echo "}"
		echo "}"
	} | ip netns exec "$nat" nft -f -
	ip netns exec "$nat" conntrack -D -p udp >/dev/null 2>&1
	return 0
}

# server_mute RULE...: what the server does not get to see; nothing: all again
server_mute()
{
	local rule

	{
		echo "table ip mute"
		echo "delete table ip mute"
		echo "table ip mute {"
		echo "chain pre {"
		echo "type filter hook prerouting priority raw"
		for rule; do
			echo "udp dport 3544 $rule counter drop"
		done
		echo "}"
		echo "}"
	} | ip netns exec "$core" nft -f -
}

# client_add [NAMESPACE [WORD VALUE...]]: the device, up and without helper
client_add()
{
	local ns=${1:-$client}

	shift
	(($#)) || set -- server $PRIMARY
	ip -n "$ns" -b - <<-END
		link add teredo0 type teredo $*
		link set teredo0 up
	END
}

# helper_start NAMESPACE [WORD]...: sets HELPER to its process and LOG
helper_start()
{
	local ns=$1

	shift
	LOG=$(mktemp "$LOGS/helper.XXXXXX")
	ip netns exec "$ns" teredod -f "$@" teredo0 2>"$LOG" &
	HELPER=$!
}

# helper_end SIGNAL: ends the helper and returns its exit status
helper_end()
{
	kill "-$1" "$HELPER"
	wait "$HELPER" 2>/dev/null
}

helper_cleanup()
{
	[[ ! $HELPER ]] || kill_process "$HELPER"
}

# status KEY [NAMESPACE]: of the client device; null is empty
status()
{
	ip netns exec "${2:-$client}" teredoctl -j status teredo0 |
		jq -r ".[0]$1 // \"\""
}

state_is()
{
	[ "$(status .state "${2:-$client}")" = "$1" ]
}

# qualified [NAMESPACE]: within time, and with an address
qualified()
{
	slowwait 20 address "${1:-$client}" >/dev/null &&
		busywait 5000 state_is qualified "${1:-$client}"
}

# address [NAMESPACE]: that the device has, no other one may be there
address()
{
	ip -n "${1:-$client}" -6 -o addr show dev teredo0 |
		awk '{ sub("/.*", "", $4); print $4 } END { exit NR != 1 }'
}

# part KEY [NAMESPACE]: of the device's address, taken apart
part()
{
	teredoctl -j decode "$(address "${2:-$client}")" | jq -r "$1"
}

# routes: those through the device
routes()
{
	ip -n "$client" -6 route show dev teredo0
}

# nothing_left: of address and route
nothing_left()
{
	[ ! "$(ip -n "$client" -6 addr show dev teredo0)$(routes)" ]
}

# solicitations: that the helper sent
solicitations()
{
	status .stats.tx_ctrl
}

sent_more_than()
{
	(($(solicitations) > $1))
}

ended()
{
	! kill -0 "$HELPER" 2>/dev/null
}

# what the helper says when its device is no longer there
# shellcheck disable=SC2034	# for the tests
readonly GONE="the device is gone from this network namespace"

# helper_gone TEXT: it ends by itself, and says why
helper_gone()
{
	local status=0

	slowwait 10 ended
	check_err $? "runs on"
	ended || kill -KILL "$HELPER"
	wait "$HELPER" || status=$?
	HELPER=''
	[ "$status" = 1 ]
	check_err $? "exit status $status"
	logged "$1"
	check_err $? "not told"
}

logged()
{
	grep -q -- "$1" "$LOG"
}

# log_helper_test NAME: with what the helper said, if something is wrong
log_helper_test()
{
	if ((RET)); then
		log_test "$@"
		sed 's/^/# /' "$LOG"
	else
		log_test "$@"
	fi
}
