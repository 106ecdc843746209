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

# The same as WORDS in JSON
UNDERLAY='"local":"65.54.227.142","port":4000,"dev":"lo"'
COMMON='"fwmark":"0x10","tos":"0x20","ttl":7,"ecn":"copy",'
COMMON+='"pmtudisc":true,"private":true'
PEERS='"max_peers":17,"queue":9,"peer_rate":11,"bubble_rate":0,'
PEERS+='"server_rate":13'
declare -A OBJECTS=(
	[client]='"prefix":"2001:db8::/32",'"$UNDERLAY,"\
'"server":"65.54.227.150","secondary":"65.54.227.160",'"$COMMON,$PEERS,"\
'"discovery":"off","local_strict":false'
	[relay]='"prefix":"3ffe:831f::/32",'"$UNDERLAY,$COMMON,$PEERS,"\
'"serve":["2a00:1450::/32","2600::/12"],"accept_unknown":true,"nat":"on"'
	[host-relay]='"prefix":"2001::/32",'"$UNDERLAY,$COMMON,$PEERS,"\
'"nat":"off"'
	[server]='"prefix":"2001::/32",'"$UNDERLAY,"\
'"secondary":"65.54.227.143",'"$COMMON,"\
'"rate":5,"icmp_limit":99,"secure":true'
)
MODES="client relay host-relay server"

SHOWN='' JSON=''
defer eval 'ip link del t0 2>/dev/null'

# add [WORD VALUE]...: makes t0
add()
{
	ip link add t0 type teredo "$@"
}

del()
{
	ip link del t0
}

# What ip shows after the kind, as it can be typed back: SHOWN and JSON.
# Programs are slow to start in the VM, so this is done without sed.
shown()
{
	SHOWN=$(ip -d link show dev t0)
	SHOWN=${SHOWN##*$'\n    teredo '}
	SHOWN=${SHOWN%% addrgenmode*}
}

shown_json()
{
	JSON=$(ip -d -j link show dev t0)
	JSON=${JSON##*'"info_data":'}
	JSON=${JSON%%'}'*}'}'
}

# same WHAT EXPECTED FOUND, but for blanks
same()
{
	local expected found

	read -ra expected <<<"${2//[$'\n\t']/ }"
	read -ra found <<<"${3//[$'\n\t']/ }"
	[[ ${expected[*]} == "${found[*]}" ]] && return
	echo "# $1: expected '${expected[*]}'"
	echo "# $1: found '${found[*]}'"
	return 1
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
	local name names text status=0

	text=$(ip link help teredo) || return
	[[ $text == "Usage: ... teredo "* ]] || return
	read -ra names <<<"mode ${WORDS[*]//[$'\n\t']/ }"
	for name in "${names[@]}"; do
		[[ $name == [a-z]* && $name != lo ]] || continue
		[[ $text == *[[:space:]]"$name"[[:space:]]* ]] && continue
		echo "# help lacks $name"
		return 1
	done
	text=$(ip link add type teredo help 2>&1) || status=$?
	[[ $status -eq 1 && $text == "Usage: ... teredo "* ]]
}

no_word()
{
	ip link add t0 type teredo || return
	shown
	del
	same "no word" "mode client ${DEFAULTS[client]}" "$SHOWN"
}

# What a mode alone shows can be typed
defaults()
{
	local mode=$1 first

	add mode "$mode" || return
	shown
	del
	same "$mode" "mode $mode ${DEFAULTS[$mode]}" "$SHOWN" || return
	first=$SHOWN
	# shellcheck disable=SC2086	# words
	add $first || return
	shown
	del
	same "$mode again" "$first" "$SHOWN"
}

# What is typed is shown, and what is shown can be typed
round_trip()
{
	local mode=$1 first

	# shellcheck disable=SC2086	# words
	add mode "$mode" ${WORDS[$mode]} || return
	shown
	del
	same "$mode" "mode $mode ${WORDS[$mode]}" "$SHOWN" || return
	first=$SHOWN
	# shellcheck disable=SC2086	# words
	add $first || return
	shown
	same "$mode again" "$first" "$SHOWN" || return
	# shellcheck disable=SC2086	# words
	ip link set t0 type teredo $first || return
	shown
	shown_json
	del
	same "$mode set" "$first" "$SHOWN" && same "$mode JSON" \
		"{\"mode\":\"$mode\",${OBJECTS[$mode]}}" "$JSON"
}

json()
{
	local out

	add mode relay tos inherit || return
	out=$(ip -d -j link show dev t0)
	del
	jq -e '.[0].linkinfo | .info_kind == "teredo" and .info_data == {
		mode: "relay", prefix: "2001::/32", fwmark: "0",
		tos: "inherit", ttl: 0, ecn: "zero", pmtudisc: false,
		private: false, max_peers: 65536, queue: 4, peer_rate: 1000,
		bubble_rate: 1000, server_rate: 250, serve: [],
		accept_unknown: false, nat: "auto"}' <<<"$out" >/dev/null &&
		return
	echo "# $out"
	return 1
}

# Zero has a word where it is not printed
zero_words()
{
	add local 65.54.227.142 server 65.54.227.150 \
		secondary 65.54.227.160 ttl 9 || return
	ip link set t0 type teredo local any server none secondary auto \
		ttl auto || return
	shown
	del
	same "any, none, auto" "mode client ${DEFAULTS[client]}" "$SHOWN"
}

# refused TEXT WORD...: add fails and says TEXT
refused()
{
	local text=$1 out status=0

	shift
	out=$(ip link add t0 type teredo "$@" 2>&1) || status=$?
	[[ $status -ne 0 && $out == *"$text"* ]] && return
	echo "# add $*: '$out', not '$text'"
	return 1
}

nothing_left()
{
	[[ ! $(ip -o link show type teredo) ]] && return
	echo "# a device is left"
	del
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
	nothing_left || bad=1
	return "$bad"
}

# batch COMMAND...: all by one ip, whether they fail or not; what it says
batch()
{
	printf '%s\n' "$@" | ip -force -batch - 2>&1
}

# errors_name OUTPUT WORD...: one error for each word, that begins with it
errors_name()
{
	local line about='' words=" ${*:2}"

	while read -r line; do
		[[ $line == "Error: "* ]] || continue
		line=${line#Error: }
		about+=" ${line%%:*}"
	done <<<"$1"
	[[ $about == "$words" ]] && return
	echo "# expected errors about$words, found ${1//$'\n'/; }"
	return 1
}

# By the kernel: a word that the mode does not know
wrong_mode()
{
	local commands=() words=() mode word

	for mode in $MODES; do
		for word in "server 65.54.227.150" "secondary 65.54.227.151" \
			"max-peers 5" "queue 5" "peer-rate 5" "bubble-rate 5" \
			"server-rate 5" "serve all" "accept-unknown on" \
			"nat on" "discovery on" "local-strict on" "rate 5" \
			"icmp-limit 90" "secure on"; do
			[[ ${WORDS[$mode]} != *[[:space:]]"${word% *} "* ]] ||
				continue
			commands+=("link add t0 type teredo mode $mode $word")
			words+=("${word% *}")
		done
	done
	errors_name "$(batch "${commands[@]}")" "${words[@]}" && nothing_left
}

# By the kernel: what is wrong by itself
wrong_value()
{
	local add="link add t0 type teredo"

	errors_name "$(batch "$add prefix ff02::/32" "$add local 224.0.0.1" \
		"$add mode server local 10.0.0.1" "$add mode server \
		local 65.54.227.142 secondary 65.54.227.142" \
		"$add server 192.168.1.1")" \
		prefix local local secondary server && nothing_left
}

# changes "WORD VALUE"...: one after the other while the device is up
changes()
{
	local out word bad=0

	out=$(batch "${@/#/link set t0 type teredo }")
	shown
	[[ ! $out ]] || bad=1
	for word; do
		[[ " $SHOWN " == *" $word "* ]] || bad=1
	done
	[[ $bad -eq 0 ]] && return
	echo "# set $*: $out $SHOWN"
	return 1
}

# stays "WORD VALUE"...: refused while the device is up, with the word's name
stays()
{
	local before=$SHOWN

	errors_name "$(batch "${@/#/link set t0 type teredo }")" "${@%% *}" ||
		return
	shown
	same "after set $*" "$before" "$SHOWN"
}

LIVE=("fwmark 0x7" "tos inherit" "ttl 33" "ecn copy" "pmtudisc on"
	"private on")
LIVE_PEERS=("max-peers 5" "queue 0" "peer-rate 1" "bubble-rate 2"
	"server-rate 3")
DOWN=("prefix 2001:db8::/32" "port 4001" "local 65.54.227.150" "dev lo")

live_client()
{
	changes "${LIVE[@]}" "${LIVE_PEERS[@]}" "server 65.54.227.150" \
		"secondary 65.54.227.199" "discovery off" "local-strict off" &&
		stays "${DOWN[@]}" "mode relay"
}

live_relay()
{
	changes "serve 2600::/12" && changes "serve all" &&
		changes "${LIVE[@]}" "${LIVE_PEERS[@]}" "accept-unknown on" \
			"nat off" "serve 2a00:1450::/32" &&
		stays "${DOWN[@]}" "mode client"
}

live_host_relay()
{
	changes "${LIVE[@]}" "${LIVE_PEERS[@]}" "nat on" &&
		stays "${DOWN[@]}" "mode server"
}

live_server()
{
	changes "${LIVE[@]}" "rate 0" "icmp-limit 120" "secure on" &&
		stays "${DOWN[@]}" "mode client" "secondary 65.54.227.199"
}

# live MODE [WORD VALUE]...: what changes while the device is up, and not
live()
{
	local mode=$1 status=0

	shift
	add mode "$mode" "$@" || return
	ip link set t0 up && "live_${mode/-/_}" || status=1
	del
	return "$status"
}

# What is refused while up is accepted once down
down_again()
{
	add mode relay && ip link set t0 up || return
	ip link set t0 down
	ip link set t0 type teredo mode client port 4001 prefix 2001:db8::/32 \
		local 65.54.227.142 dev lo || return
	shown
	del
	[[ $SHOWN == "mode client prefix 2001:db8::/32 local 65.54.227.142 \
port 4001 dev lo "* ]]
}

no_plugin()
{
	local out

	IP_LIB_DIR=/nonexistent ip link add t0 type teredo || return
	out=$(IP_LIB_DIR=/nonexistent ip -d link show dev t0)
	del
	[[ $out == *$'\n    teredo '* ]]
}

for i in 142 143 150; do
	ip addr add 65.54.227.$i/32 dev lo
done

ktap_print_header
ktap_set_plan 22
ktap_test_result "undefined symbols are exported by ip" exported
ktap_test_result "help is ours and has every word" help_text
ktap_test_result "without a word: a client" no_word
for mode in $MODES; do
	ktap_test_result "$mode: defaults there and back" defaults "$mode"
done
for mode in $MODES; do
	ktap_test_result "$mode: each word there and back, and as JSON" \
		round_trip "$mode"
done
ktap_test_result "what is not set as JSON" json
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
