#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# teredoctl status, peers and flush: text, JSON and errors
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=2001:0:4136:e38e:0:2ca1:3424:eab9
PEER2=2001:0:4136:e38e:0:2ca0:3424:eab9

err=$(mktemp)
defer rm -f "$err"

# json FILTER VERB...: the filter is true for what -j prints
json()
{
	local filter=$1 out

	shift
	out=$(teredoctl -j "$@") && jq -e "$filter" <<<"$out" >/dev/null &&
		return
	echo "# $filter: $out"
	return 1
}

# prints TEXT VERB...
prints()
{
	local text=$1 out

	shift
	out=$(teredoctl "$@" 2>&1)
	[[ $out == "$text" ]] && return
	echo "# $*: '$out', not '$text'"
	return 1
}

# fails STATUS TEXT COMMAND...: with that text on standard error alone
fails()
{
	local status=$1 text=$2 out found=0

	shift 2
	out=$("$@" 2>"$err") || found=$?
	[[ $found -eq $status && -z $out && $(<"$err") == *"$text"* ]] &&
		return
	echo "# $*: status $found, '$out$(<"$err")', not '$text'"
	return 1
}

# Without CAP_NET_ADMIN
plain_user()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		"$@"
}

no_device()
{
	prints '[]' -j status && prints '[]' peers -j && prints '[]' -j flush &&
		prints "no Teredo device in this network namespace" status &&
		prints "no peers" peers && prints "" flush
}

# Keys in the order of the documentation, the same for each mode
keys()
{
	json '[.[].mode] == ["client", "relay", "host-relay", "server"] and
		[.[].ifname] == ["client", "relay", "host", "server"] and
		all(keys_unsorted == ["ifname", "mode", "state", "server",
		"secondary", "local", "port", "address", "mapped", "nat",
		"mtu", "peers", "qualified_for", "server_rx", "stats",
		"error", "prefix", "lifetime", "helper", "version"])' status
}

client()
{
	json 'length == 1 and (.[0] | .ifname == "client" and
		(.state | IN("offline", "dormant")) and
		.server == "65.54.227.150" and .secondary == "65.54.227.151" and
		.address == null and .mapped == null and
		.qualified_for == null and .lifetime == null and
		.nat == "unknown" and .mtu == 1280 and .peers == 0 and
		.prefix == "2001::/32" and (.helper | not))' status client
}

server()
{
	ip link set server up || return
	json '.[0] | .state == "up" and .local == "1.2.3.4" and
		.secondary == "1.2.3.5" and .port == 3544 and
		.error == null' status server || return
	ip link set server down
	[[ $(teredoctl -j status server) == *'"state":"down"'* ]]
}

text()
{
	local out

	out=$(teredoctl status)
	[[ $out == "client: client, "* &&
	   $out == *$'\n  helper: none, start it with: teredod client\n'* &&
	   $out == *$'\n  server: 65.54.227.150\n'* &&
	   $out == *$'\n\nrelay: relay, up\n'* &&
	   $out == *$'\n\nserver: server, down\n'* &&
	   $out == *$'\n  down: start it with: ip link set server up\n'* &&
	   $out == *$'\n  local: 1.2.3.4, port 3544\n'* ]] &&
		out=$(teredoctl status relay) &&
		[[ $out == "relay: relay, up"$'\n  '* && $out != *$'\n\n'* ]] &&
		return
	echo "# ${out//$'\n'/$'\n'# }"
	return 1
}

# Each counter of the kernel's header has its name
counters()
{
	local header names

	header=$(dirname "$0")/../include/uapi/linux/teredo.h
	names=$(sed -n 's/^\tTEREDO_A_STATS_\([A-Z0-9_]*\)[ ,].*/\1/p' \
		"$header" | sed '/^PAD$/d; /^MAX$/d; s/.*/"\L&"/' | jq -cs .)
	json ".[0].stats | keys_unsorted == $names and all(. >= 0)" status relay
}

# Peers that do not answer; in the end they are failed
peers()
{
	local text

	ping -c 1 -W 0.1 "$PEER" >/dev/null
	ping -c 1 -W 0.1 "$PEER2" >/dev/null
	text=$(teredoctl peers)
	json "(map(select(.address == \"$PEER\")) | length == 1 and (.[0] |
		.ifname == \"relay\" and
		(.state | IN(\"incomplete\", \"failed\")) and
		(.trusted | not) and (.local | not) and .queued <= 1 and
		.rx_packets == 0 and .last_rx == null and .last_tx >= 0 and
		(.endpoint == null or .endpoint ==
		 {\"address\": \"203.219.21.70\", \"port\": 54110}))) and
		(map(.address) | sort == ([\"$PEER\", \"$PEER2\"] | sort)) and
		all(keys_unsorted == [\"ifname\", \"address\", \"endpoint\",
		\"state\", \"trusted\", \"queued\", \"rx_packets\",
		\"tx_packets\", \"last_rx\", \"last_tx\", \"local\"])" \
		peers || return
	prints "[]" peers -j host || return
	[[ $(teredoctl -j status relay) == *'"peers":2,'* ]] || return
	[[ $text == "DEVICE "*$'\n'"relay  "*" $PEER "*" never "* ]] && return
	echo "# ${text//$'\n'/$'\n'# }"
	return 1
}

flush()
{
	prints "relay: 2 peers forgotten" flush relay &&
		prints '[]' -j peers &&
		prints '[{"ifname":"client","peers":0},'\
'{"ifname":"relay","peers":0},{"ifname":"host","peers":0}]' flush -j
}

# Why a device does not come up stays to be read
reason()
{
	local status=0 out

	ip link add bad type teredo mode relay local 9.9.9.9 || return
	ip link set bad up 2>"$err" && status=1
	json '.[0] | .state == "error" and (.error | length > 0)' \
		status bad || status=1
	out=$(teredoctl status bad)
	[[ $out == "bad: relay, error"$'\n  reason: '* ]] || status=1
	ip link del bad
	return "$status"
}

wrong_device()
{
	local bad=0

	fails 1 nowhere teredoctl status nowhere || bad=1
	fails 1 nowhere teredoctl -j peers nowhere || bad=1
	fails 1 nowhere teredoctl flush nowhere || bad=1
	fails 1 lo: teredoctl status lo || bad=1
	fails 1 lo: teredoctl peers lo || bad=1
	fails 1 lo: teredoctl flush lo || bad=1
	fails 1 server teredoctl flush server || bad=1
	return "$bad"
}

usage()
{
	local bad=0

	fails 2 status teredoctl status client relay || bad=1
	fails 2 peers teredoctl peers client relay || bad=1
	fails 2 flush teredoctl flush client relay || bad=1
	fails 2 '"much-too-long-a-name"' teredoctl status \
		much-too-long-a-name || bad=1
	return "$bad"
}

# status is for everybody, the rest is not
privileges()
{
	[[ $(plain_user teredoctl -j status) == '[{"ifname":"client",'* ]] &&
		fails 1 CAP_NET_ADMIN plain_user teredoctl peers &&
		fails 1 CAP_NET_ADMIN plain_user teredoctl -j flush
}

other_netns()
{
	[[ $(unshare -n teredoctl -j status) == '[]' ]] &&
		fails 1 relay unshare -n teredoctl peers relay
}

version()
{
	local version out

	version=$(<"$(dirname "$0")/../VERSION")
	prints "teredoctl $version" --version || return
	out=$(teredoctl -j status relay)
	[[ $out == *"\"version\":\"$version\"}"* ]] && return
	echo "# $out"
	return 1
}

ktap_print_header
ktap_set_plan 14

modprobe teredo
ktap_test_result "no device" no_device

ip link add u0 type dummy
ip link set u0 up
ip addr add 1.2.3.4/24 dev u0
ip addr add 1.2.3.5/24 dev u0
ip route add default dev u0
for name in client relay host server; do
	defer ip link del $name
done
ip link add client type teredo server 65.54.227.150
ip link add relay type teredo mode relay
ip link add host type teredo mode host-relay
ip link add server type teredo mode server local 1.2.3.4 secondary 1.2.3.5
ip link set relay up
ip addr add 2600::1/128 dev lo
ip route add 2001::/32 dev relay src 2600::1

ktap_test_result "status: each key, in order" keys
ktap_test_result "status: a client that is not qualified" client
ktap_test_result "status: a server, up and down" server
ktap_test_result "status: text" text
ktap_test_result "status: each counter by its name" counters
ktap_test_result "peers" peers
ktap_test_result "flush" flush
ktap_test_result "the reason of an error" reason
ktap_test_result "a device that is none, or not a Teredo one" wrong_device
ktap_test_result "wrong usage exits 2" usage
ktap_test_result "privileges" privileges
ktap_test_result "another network namespace" other_netns
ktap_test_result "one version" version
ktap_finished
