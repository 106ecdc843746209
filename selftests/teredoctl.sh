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

# fails STATUS TEXT COMMAND...: with that text on standard error alone
fails()
{
	local status=$1 text=$2 out found=0

	shift 2
	out=$("$@" 2>"$err") || found=$?
	[ "$found" -eq "$status" ] && [ -z "$out" ] &&
		grep -qF -- "$text" "$err" && return
	echo "# $*: status $found, '$out$(cat "$err")', not '$text'"
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
	json '. == []' status && json '. == []' peers &&
		json '. == []' flush &&
		[ "$(teredoctl status)" = \
			"no Teredo device in this network namespace" ] &&
		[ "$(teredoctl peers)" = "no peers" ]
}

# Keys in the order of the documentation, the same for each mode
keys()
{
	json '[.[] | keys_unsorted == ["ifname", "mode", "state", "server",
		"secondary", "local", "port", "address", "mapped", "nat",
		"mtu", "peers", "qualified_for", "stats", "error", "prefix",
		"lifetime", "helper", "version"]] == [true, true, true, true]' \
		status
}

modes()
{
	json '[.[] | {ifname, mode}] == [
		{"ifname": "client", "mode": "client"},
		{"ifname": "relay", "mode": "relay"},
		{"ifname": "host", "mode": "host-relay"},
		{"ifname": "server", "mode": "server"}]' status
}

client()
{
	json '.[0] | .ifname == "client" and
		(.state | IN("offline", "dormant")) and
		.server == "65.54.227.150" and .secondary == "65.54.227.151" and
		.address == null and .mapped == null and
		.qualified_for == null and .lifetime == null and
		.nat == "unknown" and .mtu == 1280 and .peers == 0 and
		.prefix == "2001::/32" and (.helper | not)' status client
}

server()
{
	ip link set server up || return
	json '.[0] | .state == "up" and .local == "1.2.3.4" and
		.secondary == "1.2.3.5" and .port == 3544 and
		.error == null' status server &&
		ip link set server down &&
		json '.[0] | .state == "down"' status server
}

text()
{
	teredoctl status >"$err" || return
	grep -qx "client: client, .*" "$err" &&
		grep -q "helper: none, start it with: teredod client" "$err" &&
		grep -qx "relay: relay, up" "$err" &&
		grep -qx "server: server, down" "$err" &&
		grep -q "ip link set server up" "$err" &&
		teredoctl status relay | grep -q '^relay: relay, up$' &&
		[ "$(teredoctl status relay | grep -c '^[^ ]')" -eq 1 ]
}

# Each counter of the kernel's header has its name
counters()
{
	local header names
	header=$(dirname "$0")/../include/uapi/linux/teredo.h

	names=$(sed -n 's/^\tTEREDO_A_STATS_\([A-Z0-9_]*\)[ ,].*/\1/p' \
		"$header" | grep -vx 'PAD\|MAX' | tr '[:upper:]' '[:lower:]' |
		sort)
	diff <(teredoctl -j status relay | jq -r '.[0].stats | keys[]' |
		sort) <(echo "$names") | sed 's/^/# /'
	[ "${PIPESTATUS[0]}" -eq 0 ] &&
		json '.[0].stats | all(. >= 0)' status relay
}

peers()
{
	ping -c 1 -W 1 "$PEER" >/dev/null && return 1
	ping -c 1 -W 1 "$PEER2" >/dev/null && return 1
	json 'length == 2 and all(keys_unsorted == ["ifname", "address",
		"endpoint", "state", "trusted", "queued", "rx_packets",
		"tx_packets", "last_rx", "last_tx", "local"])' peers relay &&
	json "[.[].address] | sort == ([\"$PEER\", \"$PEER2\"] | sort)" \
		peers &&
	json "[.[] | select(.address == \"$PEER\")] | length == 1 and (.[0] |
		.ifname == \"relay\" and .state == \"incomplete\" and
		(.trusted | not) and (.local | not) and .queued == 1 and
		.rx_packets == 0 and .last_rx == null and
		(.endpoint == null or .endpoint ==
		 {\"address\": \"203.219.21.70\", \"port\": 54110}))" peers &&
	json '. == []' peers host &&
	json '.[0].peers == 2' status relay &&
	teredoctl peers | grep -q "^relay  *$PEER .* incomplete "
}

flush()
{
	[ "$(teredoctl flush relay)" = "relay: 2 peers forgotten" ] &&
		json '. == []' peers &&
		json '.[0].peers == 0' status relay &&
		json '. == [{"ifname": "client", "peers": 0},
			{"ifname": "relay", "peers": 0},
			{"ifname": "host", "peers": 0}]' flush
}

# Why a device does not come up stays to be read
reason()
{
	local status=0

	ip link add bad type teredo mode relay local 9.9.9.9 || return
	ip link set bad up 2>"$err" && status=1
	json '.[0] | .state == "error" and (.error | length > 0)' \
		status bad || status=1
	teredoctl status bad | grep -q "^  reason: ." || status=1
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
	plain_user teredoctl -j status | jq -e 'length == 4' >/dev/null &&
		fails 1 CAP_NET_ADMIN plain_user teredoctl peers &&
		fails 1 CAP_NET_ADMIN plain_user teredoctl -j flush
}

other_netns()
{
	[ "$(unshare -n teredoctl -j status)" = '[]' ] &&
		fails 1 relay unshare -n teredoctl peers relay
}

version()
{
	local version

	version=$(<"$(dirname "$0")/../VERSION")
	[ "$(teredoctl --version)" = "teredoctl $version" ] &&
		json ".[0].version == \"$version\"" status relay
}

ktap_print_header
ktap_set_plan 15

modprobe teredo
ktap_test_result "no device" no_device

ip link add u0 type dummy
ip link set u0 up
ip addr add 1.2.3.4/24 dev u0
ip addr add 1.2.3.5/24 dev u0
ip route add default dev u0
ip link add client type teredo server 65.54.227.150
ip link add relay type teredo mode relay
ip link add host type teredo mode host-relay
ip link add server type teredo mode server local 1.2.3.4 secondary 1.2.3.5
ip link set relay up
ip addr add 2600::1/128 dev lo
ip route add 2001::/32 dev relay src 2600::1

ktap_test_result "status: each key, in order" keys
ktap_test_result "status: modes" modes
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
