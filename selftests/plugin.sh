#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The iproute2 plugin: every word of `ip link ... type teredo` there and back.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# IP_LIB_DIR stands for the folder that ip knows, as it does for ip itself
PLUGIN=$(ls "${IP_LIB_DIR:-/usr/lib/$(gcc -print-multiarch)/ip}/link_teredo.so")

# Each word of each mode with a value that is not the default
UNDERLAY="local 65.54.227.142 port 4000 dev lo"
COMMON="fwmark 0x10 tos 0x20 ttl 7 ecn copy pmtudisc on private on"
PEERS="max-peers 17 queue 9 peer-rate 11 bubble-rate 0 server-rate 13"
declare -A WORDS=(
	[client]="prefix 2001:db8::/32 $UNDERLAY server 65.54.227.150 \
		secondary 65.54.227.160 $COMMON $PEERS discovery off \
		local-strict off"
	[relay]="prefix 3ffe:831f::/32 $UNDERLAY $COMMON $PEERS \
		serve 2a00:1450::/32,2600::/12 accept-unknown on nat on"
	[host-relay]="prefix 2001::/32 $UNDERLAY $COMMON $PEERS nat off"
	[server]="prefix 2001::/32 $UNDERLAY secondary 65.54.227.143 $COMMON \
		rate 5 icmp-limit 99 secure on"
)

# What a mode alone shows
COMMON="prefix 2001::/32 @fwmark 0 tos 0 ttl auto ecn zero pmtudisc off "
COMMON+="private off"
PEERS="queue 4 peer-rate 1000 bubble-rate 1000 server-rate 250"
declare -A DEFAULTS=(
	[client]="${COMMON/@/} max-peers 4096 $PEERS discovery auto \
		local-strict on"
	[relay]="${COMMON/@/} max-peers 65536 $PEERS serve all \
		accept-unknown off nat auto"
	[host-relay]="${COMMON/@/} max-peers 65536 $PEERS nat auto"
	[server]="${COMMON/@/port 3544 } rate 10000 icmp-limit 88 secure off"
)
MODES="client relay host-relay server"

err=$(mktemp)
defer rm -f "$err"

# add [WORD VALUE]...: makes t0
add()
{
	ip link add t0 type teredo "$@"
}

del()
{
	ip link del t0
}

# What ip shows after the kind, as it can be typed back
shown()
{
	ip -d link show dev t0 |
		sed -n 's/^ *teredo \(.*\)/\1/p' | sed 's/ addrgenmode.*//'
}

shown_json()
{
	ip -d -j link show dev t0 | jq -c '.[0].linkinfo.info_data'
}

# same WHAT EXPECTED FOUND
same()
{
	[ "$2" = "$3" ] && return
	echo "# $1: expected '$2', found '$3'"
	return 1
}

words()
{
	# shellcheck disable=SC2086	# squeezes blanks
	echo $1
}

exported()
{
	local missing

	missing=$(comm -23 \
		<(nm -D --undefined-only "$PLUGIN" | awk '{ print $2 }' |
			grep -v @GLIBC | grep -v '^_' | sort) \
		<(nm -D --defined-only "$(command -v ip)" |
			awk '{ print $3 }' | sort))
	[ -z "$missing" ] && return
	echo "# ip does not export: ${missing//$'\n'/ }"
	return 1
}

help_text()
{
	local name

	ip link help teredo >"$err" || return
	grep -q "^Usage: ... teredo" "$err" || return
	for name in $(tr ' ' '\n' <<<"${WORDS[*]}" | grep '^[a-z]' |
		grep -vx 'lo\|on\|off\|copy'); do
		grep -qw -- "$name" "$err" ||
			{ echo "# help lacks $name"; return 1; }
	done
	same "status of 'type teredo help'" 1 \
		"$(ip link add type teredo help 2>"$err"; echo $?)" &&
		grep -q "^Usage: ... teredo" "$err"
}

defaults()
{
	local mode=$1 found

	add mode "$mode" || return
	found=$(words "$(shown)")
	del
	same "$mode" "mode $mode $(words "${DEFAULTS[$mode]}")" "$found"
}

no_word()
{
	local found

	ip link add t0 type teredo || return
	found=$(words "$(shown)")
	del
	same "no word" "mode client $(words "${DEFAULTS[client]}")" "$found"
}

# What is typed is shown, and what is shown can be typed
round_trip()
{
	local mode=$1 first second text

	# shellcheck disable=SC2086	# words
	add mode "$mode" ${WORDS[$mode]} || return
	first=$(shown)
	text=$(ip -d link show dev t0 | sed 's/^[0-9]*://')
	del
	same "$mode" "mode $mode $(words "${WORDS[$mode]}")" \
		"$(words "$first")" || return
	# shellcheck disable=SC2086	# words
	add $first || return
	second=$(ip -d link show dev t0 | sed 's/^[0-9]*://')
	# shellcheck disable=SC2086	# words
	ip link set t0 type teredo $first || { del; return 1; }
	same "$mode set" "$first" "$(shown)" || { del; return 1; }
	del
	same "$mode again" "$text" "$second"
}

# The defaults can be typed back as well
default_trip()
{
	local mode first

	for mode in $MODES; do
		add mode "$mode" || return
		first=$(shown)
		del
		# shellcheck disable=SC2086	# words
		add $first || return
		same "$mode" "$first" "$(shown)" || { del; return 1; }
		del
	done
}

json()
{
	local mode=$1 found expected=$2

	# shellcheck disable=SC2086	# words
	add mode "$mode" ${WORDS[$mode]} || return
	found=$(shown_json)
	del
	same "$mode" "$(jq -c . <<<"$expected")" "$found"
}

json_client()
{
	json client '{"mode":"client","prefix":"2001:db8::/32",
		"local":"65.54.227.142","port":4000,"dev":"lo",
		"server":"65.54.227.150","secondary":"65.54.227.160",
		"fwmark":"0x10","tos":"0x20","ttl":7,"ecn":"copy",
		"pmtudisc":true,"private":true,"max_peers":17,"queue":9,
		"peer_rate":11,"bubble_rate":0,"server_rate":13,
		"discovery":"off","local_strict":false}'
}

json_relay()
{
	json relay '{"mode":"relay","prefix":"3ffe:831f::/32",
		"local":"65.54.227.142","port":4000,"dev":"lo",
		"fwmark":"0x10","tos":"0x20","ttl":7,"ecn":"copy",
		"pmtudisc":true,"private":true,"max_peers":17,"queue":9,
		"peer_rate":11,"bubble_rate":0,"server_rate":13,
		"serve":["2a00:1450::/32","2600::/12"],
		"accept_unknown":true,"nat":"on"}'
}

json_host_relay()
{
	json host-relay '{"mode":"host-relay","prefix":"2001::/32",
		"local":"65.54.227.142","port":4000,"dev":"lo",
		"fwmark":"0x10","tos":"0x20","ttl":7,"ecn":"copy",
		"pmtudisc":true,"private":true,"max_peers":17,"queue":9,
		"peer_rate":11,"bubble_rate":0,"server_rate":13,
		"nat":"off"}'
}

json_server()
{
	json server '{"mode":"server","prefix":"2001::/32",
		"local":"65.54.227.142","port":4000,"dev":"lo",
		"secondary":"65.54.227.143","fwmark":"0x10","tos":"0x20",
		"ttl":7,"ecn":"copy","pmtudisc":true,"private":true,
		"rate":5,"icmp_limit":99,"secure":true}'
}

json_defaults()
{
	local ok

	add mode relay tos inherit || return
	ok=$(shown_json | jq '.serve == [] and .tos == "inherit" and
		.ttl == 0 and .nat == "auto" and has("local", "port" | not)')
	del
	same "relay's defaults" "true true" "$(words "$ok")"
}

# Zero has a word where it is not printed
zero_words()
{
	local found

	add local 65.54.227.142 server 65.54.227.150 \
		secondary 65.54.227.160 ttl 9 || return
	ip link set t0 type teredo local any server none secondary auto \
		ttl auto || { del; return 1; }
	found=$(words "$(shown)")
	del
	same "any, none, auto" "mode client $(words "${DEFAULTS[client]}")" \
		"$found"
}

# refused TEXT WORD...: add fails, says TEXT, and leaves nothing behind
refused()
{
	local text=$1

	shift
	if ! add "$@" 2>"$err" && grep -qF -- "$text" "$err" &&
		! ip link show dev t0 >/dev/null 2>&1; then
		return
	fi
	echo "# add $*: $(cat "$err"), not '$text'"
	ip link del t0 2>/dev/null
	return 1
}

# By the plugin: the message names the word, or what stands in its place
bad_words()
{
	local bad=0

	refused '"frobnicate" is wrong' frobnicate 1 || bad=1
	refused '"MODE" is wrong' MODE client || bad=1
	refused 'mode must be client, relay, host-relay or server' \
		mode router || bad=1
	refused '"mode": "relay" is the second' mode client mode relay || bad=1
	refused '"port" is required' port || bad=1
	refused 'prefix must be' prefix 2001:: || bad=1
	refused 'prefix must be' prefix 2001::/33 || bad=1
	refused 'prefix must be' prefix 2001::1/32 || bad=1
	refused 'local must be' local 1.2.3 || bad=1
	refused 'local must be' local none || bad=1
	refused 'port must be 1 to 65535' port 0 || bad=1
	refused 'port must be 1 to 65535' port 65536 || bad=1
	refused '"nowhere"' dev nowhere || bad=1
	refused 'server must be' server example.org || bad=1
	refused 'secondary must be' secondary 1.2.3.4.5 || bad=1
	refused 'fwmark must be' fwmark 0x100000000 || bad=1
	refused 'tos must be' tos 3 || bad=1
	refused 'tos must be' tos 256 || bad=1
	refused 'ttl must be 0 to 255' ttl 256 || bad=1
	refused 'ecn must be zero or copy' ecn on || bad=1
	refused 'pmtudisc must be off or on' pmtudisc 1 || bad=1
	refused 'private must be' private yes || bad=1
	refused 'max-peers must be 1 to 4194304' max-peers 0 || bad=1
	refused 'max-peers must be' max-peers 4194305 || bad=1
	refused 'queue must be 0 to 256' queue 257 || bad=1
	refused 'peer-rate must be' peer-rate -1 || bad=1
	refused 'bubble-rate must be' bubble-rate 1k || bad=1
	refused 'server-rate must be' server-rate 100000001 || bad=1
	refused 'serve must be' serve 2001:db8::1/32 || bad=1
	refused 'serve must be' serve 2001:db8::/32,, || bad=1
	refused '16 prefixes or fewer' \
		serve "$(printf '2a00::/16,%.0s' {1..16})2a00::/16" || bad=1
	refused 'accept-unknown must be' accept-unknown maybe || bad=1
	refused 'nat must be auto, on or off' nat cone || bad=1
	refused 'discovery must be' discovery 1 || bad=1
	refused 'local-strict must be' local-strict auto || bad=1
	refused 'rate must be' rate 100000001 || bad=1
	refused 'icmp-limit must be 8 to 65535' icmp-limit 7 || bad=1
	refused 'secure must be' secure '' || bad=1
	return "$bad"
}

# By the kernel: a word that the mode does not know
wrong_mode()
{
	local bad=0 mode word

	for mode in $MODES; do
		for word in "server 65.54.227.150" "secondary 65.54.227.151" \
			"max-peers 5" "queue 5" "peer-rate 5" "bubble-rate 5" \
			"server-rate 5" "serve all" "accept-unknown on" \
			"nat on" "discovery on" "local-strict on" "rate 5" \
			"icmp-limit 90" "secure on"; do
			[[ ${WORDS[$mode]} != *[[:space:]]"${word% *} "* ]] ||
				continue
			# shellcheck disable=SC2086	# words
			refused "${word% *}:" mode "$mode" $word || bad=1
		done
	done
	return "$bad"
}

# By the kernel: what is wrong by itself
wrong_value()
{
	local bad=0

	refused 'prefix:' prefix ff02::/32 || bad=1
	refused 'local:' local 224.0.0.1 || bad=1
	refused 'local:' mode server local 10.0.0.1 || bad=1
	refused 'secondary:' mode server local 65.54.227.142 \
		secondary 65.54.227.142 || bad=1
	refused 'server:' server 192.168.1.1 || bad=1
	return "$bad"
}

# changes WORD VALUE: while the device is up, and is shown
changes()
{
	if ip link set t0 type teredo "$@" 2>"$err" &&
		[[ " $(shown)" == *" $1 $2 "* ]]; then
		return
	fi
	echo "# set $*: $(cat "$err") $(shown)"
	return 1
}

# stays WORD VALUE: refused while the device is up, with the word's name
stays()
{
	local before after

	before=$(shown)
	if ip link set t0 type teredo "$@" 2>"$err"; then
		echo "# set $* is not refused"
		return 1
	fi
	after=$(shown)
	same "after set $*" "$before" "$after" && grep -qF -- "$1:" "$err" &&
		return
	echo "# set $*: $(cat "$err")"
	return 1
}

live_common()
{
	local bad=0

	changes fwmark 0x7 || bad=1
	changes tos 0x40 || bad=1
	changes tos inherit || bad=1
	changes ttl 33 || bad=1
	changes ecn copy || bad=1
	changes pmtudisc on || bad=1
	changes private on || bad=1
	stays prefix 2001:db8::/32 || bad=1
	stays port 4001 || bad=1
	stays local 127.0.0.5 || bad=1
	stays dev lo || bad=1
	return "$bad"
}

live_peers()
{
	local bad=0

	changes max-peers 5 || bad=1
	changes queue 0 || bad=1
	changes peer-rate 1 || bad=1
	changes bubble-rate 2 || bad=1
	changes server-rate 3 || bad=1
	return "$bad"
}

live_client()
{
	local bad=0

	live_common || bad=1
	live_peers || bad=1
	stays mode relay || bad=1
	changes server 65.54.227.150 || bad=1
	changes secondary 65.54.227.199 || bad=1
	changes discovery off || bad=1
	changes local-strict off || bad=1
	return "$bad"
}

live_relay()
{
	local bad=0

	live_common || bad=1
	live_peers || bad=1
	stays mode client || bad=1
	changes serve 2a00:1450::/32 || bad=1
	changes serve all || bad=1
	changes accept-unknown on || bad=1
	changes nat off || bad=1
	return "$bad"
}

live_host_relay()
{
	local bad=0

	live_common || bad=1
	live_peers || bad=1
	stays mode server || bad=1
	changes nat on || bad=1
	return "$bad"
}

live_server()
{
	local bad=0

	live_common || bad=1
	stays mode client || bad=1
	stays secondary 65.54.227.199 || bad=1
	changes rate 0 || bad=1
	changes icmp-limit 120 || bad=1
	changes secure on || bad=1
	return "$bad"
}

# live MODE [WORD VALUE]...: what changes while the device is up, and not
live()
{
	local mode=$1 status

	shift
	add mode "$mode" "$@" && ip link set t0 up || return
	"live_${mode/-/_}"
	status=$?
	del
	return "$status"
}

# What is refused while up is accepted once down
down_again()
{
	local status=0

	add mode relay && ip link set t0 up || return
	ip link set t0 down
	ip link set t0 type teredo mode client port 4001 prefix 2001:db8::/32 \
		local 65.54.227.142 dev lo || status=1
	[[ "$(shown)" == "mode client prefix 2001:db8::/32 local 65.54.227.142 \
port 4001 dev lo "* ]] || status=1
	del
	return "$status"
}

no_plugin()
{
	IP_LIB_DIR=/nonexistent ip link add t0 type teredo || return
	IP_LIB_DIR=/nonexistent ip -d link show dev t0 | grep -qw teredo &&
		del
}

for i in 142 143 150; do
	ip addr add 65.54.227.$i/32 dev lo
done

ktap_print_header
ktap_set_plan 27
ktap_test_result "undefined symbols are exported by ip" exported
ktap_test_result "help is ours and has every word" help_text
ktap_test_result "without a word: a client" no_word
for mode in $MODES; do
	ktap_test_result "$mode: defaults" defaults "$mode"
done
for mode in $MODES; do
	ktap_test_result "$mode: each word there and back" round_trip "$mode"
done
ktap_test_result "defaults can be typed back" default_trip
ktap_test_result "client: JSON" json_client
ktap_test_result "relay: JSON" json_relay
ktap_test_result "host-relay: JSON" json_host_relay
ktap_test_result "server: JSON" json_server
ktap_test_result "JSON of lists, names and what is not set" json_defaults
ktap_test_result "any, none and auto stand for 0" zero_words
ktap_test_result "bad words and values are refused by name" bad_words
ktap_test_result "words of another mode are refused by name" wrong_mode
ktap_test_result "what is wrong by itself is refused by name" wrong_value
ktap_test_result "client: what changes while up" live client
ktap_test_result "relay: what changes while up" live relay
ktap_test_result "host-relay: what changes while up" live host-relay
ktap_test_result "server: what changes while up" \
	live server local 65.54.227.142 secondary 65.54.227.143
ktap_test_result "what stays while up changes while down" down_again
ktap_test_result "the kind needs no plugin" no_plugin
ktap_finished
