#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make demo` shows, inside the VM: a small Internet in which a client
# behind a NAT gets its IPv6 address and is reached at it. Each step is
# checked; the first one that fails ends it with status 1.
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"

# what a host of the picture is called, and its namespace
declare -A hosts=()
declare -i steps=0

title()
{
	printf '\n%s\n%s\n\n' "$*" "${*//?/-}"
}

# text LINE...: paragraphs of the story
text()
{
	printf '%s\n' "$@"
}

# output: what a command prints, as the demo shows it
output()
{
	fold -s -w 74 | sed 's/^/    /; s/ *$//'
}

# check WHAT-FAILED COMMAND...: a step
check()
{
	local what=$1

	shift
	if ! "$@"; then
		printf '\nFAILED: %s\n' "$what"
		exit 1
	fi
	steps+=1
}

# in_host HOST COMMAND...: without a word
in_host()
{
	local host=$1

	shift
	ip netns exec "${hosts[$host]}" "$@"
}

# at HOST COMMAND...: as its user types it, with what it prints, which FILTER
# may shorten
at()
{
	local host=$1

	shift
	fold -s -w 70 <<<"$*" | sed "s/ *\$//; 1s/^/  $host# /; 1!s/^/      /; \$!s/\$/ \\\\/"
	in_host "$host" "$@" 2>&1 | ${FILTER:-cat} | output
	[[ ${PIPESTATUS[*]} == "0 "* ]]
}

### the network

picture()
{
	cat <<END
           client                          client2
         192.168.1.2                     192.168.2.2
              |                               |
      192.168.1.1 (private)           192.168.2.1 (private)
             NAT                             NAT2
      $NAT_A4 (public)          $NAT_B4 (public)
              |                               |
  ============+== the IPv4 Internet ==========+========
        |                        |
   $SERVER4            $RELAY4
   $SERVER4_2                  |
     server                    relay
   $SERVER6          $RELAY6
        |                        |
  ======+======== the IPv6 Internet ====+==============
                                        |
                                 $NATIVE6
                                      host
                                 (IPv6 alone)
END
}

# shellcheck disable=SC2154	# setup_ns assigns
build()
{
	setup_ns CLIENT CLIENT2 NAT NAT2 SERVER RELAY HOST || return
	hosts=([client]=$CLIENT [client2]=$CLIENT2 [server]=$SERVER
		[relay]=$RELAY [host]=$HOST [nat]=$NAT)
	OFFLOAD=yes
	topo_core &&
		topo_nat "$NAT" "$NAT_A4" 192.168.1 restricted &&
		topo_nat "$NAT2" "$NAT_B4" 192.168.2 restricted &&
		topo_behind "$CLIENT" "$NAT" 192.168.1 2 &&
		topo_behind "$CLIENT2" "$NAT2" 192.168.2 2 &&
		topo_server_host "$SERVER" &&
		topo_relay_host "$RELAY" &&
		topo_host6 "$HOST" "$NATIVE6" &&
		topo_meet "$NAT" "$NAT_B4" &&
		topo_meet "$NAT2" "$NAT_A4"
}

### capturing what crosses the IPv4 Internet

scratch=$(mktemp -d)
defer rm -rf "$scratch"
capture=$scratch/capture

capture_start()
{
	ip netns exec "$CORE" tcpdump -Uni ip4 -w "$capture" udp \
		2>/dev/null &
	CAPTURE=$!
	defer kill_process "$CAPTURE"
	busywait 10000 test -s "$capture"
}

### the steps

infrastructure()
{
	at server ip link add teredo0 type teredo mode server \
		local "$SERVER4" secondary "$SERVER4_2" &&
		at server ip link set teredo0 up &&
		at relay ip link add teredo0 type teredo mode relay &&
		at relay ip link set teredo0 up &&
		at relay ip route add 2001::/32 via fe80::1 dev teredo0
}

# client_up HOST: as its user does it
client_up()
{
	at "$1" ip link add teredo0 type teredo server "$SERVER4" &&
		at "$1" ip link set teredo0 up &&
		echo "  $1# teredod -f teredo0" &&
		helper "$1"
}

# helper HOST: teredod and its log up to the address
helper()
{
	teredo_helper "${hosts[$1]}" "$scratch/$1.log"
	teredo_qualified "${hosts[$1]}"
	local status=$?

	output <"$scratch/$1.log"
	return $status
}

address()
{
	teredo_address "${hosts[$1]}"
}

# without the counters
short_status()
{
	grep -v '^  [a-z0-9_]*: [0-9]* ('
}

# what the NAT's own table says about the client
nat_entry()
{
	in_host nat conntrack -L -p udp --src 192.168.1.2 2>/dev/null |
		sed -nE "s/.* src=([0-9.]+) dst=$SERVER4 sport=([0-9]+) .* dst=([0-9.]+) .*dport=([0-9]+) .*/\1:\2 appears as \3:\4/p"
}

decoded_is_the_nat()
{
	local ours theirs

	theirs=$(nat_entry)
	ours=$(teredoctl -j decode "$(address client)" |
		jq -r '"\(.client):\(.port)"')
	output <<<"$theirs"
	[[ $theirs == *" $ours" ]]
}

replies()
{
	sed -nE 's/^[0-9]+ bytes from .*(icmp_seq.*)/answer: \1/p; /transmitted/p'
}

# pings HOST ADDRESS
pings()
{
	FILTER=replies at "$1" ping -c 3 -i 0.3 -W 10 "$2"
}

transfer()
{
	local json=$scratch/iperf3

	in_host host iperf3 -s -1 >/dev/null 2>&1 &
	defer kill_process $!
	wait_local_port_listen "$HOST" 5201 tcp
	echo "  host# iperf3 -s"
	echo "  client# iperf3 -c $NATIVE6 -t 3"
	in_host client timeout 60 iperf3 -J -c "$NATIVE6" -t 3 >"$json" ||
		return
	jq -r '.end.sum_received |
		"\(.bytes / 1e5 | round / 10) MB in " +
		"\(.seconds * 10 | round / 10) s: " +
		"\(.bits_per_second / 1e5 | round / 10) Mbit/s"' "$json" |
		output
	jq -e '.end.sum_received.bytes > 100000' "$json" >/dev/null
}

# columns of `teredoctl peers` for which there is room
peers()
{
	echo "  $1# teredoctl peers"
	in_host "$1" teredoctl -j peers teredo0 | jq -r '.[] |
		[.address, "\(.endpoint.address):\(.endpoint.port)", .state] |
		@tsv' >"$scratch/peers"
	while IFS=$'\t' read -r peer endpoint state; do
		printf '    %-38s  %-20s  %s\n' "$peer" "$endpoint" "$state"
	done <"$scratch/peers"
	[[ -s $scratch/peers ]]
}

# endpoint_is HOST PEER IPV4
endpoint_is()
{
	in_host "$1" teredoctl -j peers teredo0 | jq -e --arg a "$2" \
		--arg e "$3" 'any(.[]; .address == $a and .state == "trusted"
		and .endpoint.address == $e)' >/dev/null
}

### packets

port_of()
{
	teredo_status "${hosts[$1]}" "$2"
}

# One line a packet: number, from, to, UDP's length, its summary by tshark
dissect()
{
	tshark -n -r "$capture" "${decode_as[@]}" -T fields -E occurrence=f \
		-E separator=/t -e frame.number -e ip.src -e udp.srcport \
		-e ip.dst -e udp.dstport -e ipv6.src -e ipv6.dst \
		-e icmpv6.type -e ipv6.nxt -e teredo.orig.addr \
		-e teredo.orig.port -e _ws.col.Info 2>/dev/null
}

# packet TITLE CONDITION: the first one for which awk's CONDITION holds
packet()
{
	local number from to inner origin info

	IFS='|' read -r number from to inner origin info < <(awk -F'\t' '
		'"$2"' {
			origin = $10 != "" ? $10 ":" $11 : ""
			printf "%s|%s:%s|%s:%s|%s > %s|%s|%s\n", $1, $2, $3,
				$4, $5, $6, $7, origin, $12
			exit
		}' "$scratch/packets")
	[[ $number ]] || return
	last_packet=$number
	echo
	fold -s -w 76 <<<"$1" | sed 's/^/  /; s/ *$//'
	printf '    %-4s IPv4   %s > %s\n' "$number" "$from" "$to"
	[[ ! $origin ]] || echo "         origin $origin"
	# on two lines where one is too narrow
	((${#inner} <= 64)) || inner=${inner/ > / >$'\n'                }
	printf '         IPv6   %s\n' "$inner"
	fold -s -w 64 <<<"$info" | sed 's/^/                /'
}

# the header that only Teredo has, as tshark spells it out
in_detail()
{
	tshark -n -r "$capture" -Y "frame.number == $last_packet" -O teredo \
		2>/dev/null | sed -n '/^Teredo/,/^Internet Protocol Version 6/{
		/^Internet/d; p }' | output
}

packets()
{
	local port decode_as=() from_client to_client bubble

	for port in "$(port_of client .mapped.port)" \
		"$(port_of client2 .mapped.port)" "$(port_of relay .port)"; do
		decode_as+=(-d "udp.port==$port,teredo")
	done
	dissect >"$scratch/packets"

	# in words of awk, by the columns of dissect
	from_client="\$2 == \"$NAT_A4\""
	to_client="\$4 == \"$NAT_A4\""
	# shellcheck disable=SC2016
	bubble='$9 == 59'

	packet "Router solicitation: the client asks the server for its address. The NAT has put its own address and a port of its choice in front." \
		"$from_client && \$8 == 133" &&
	packet "Router advertisement: the server's answer holds the Teredo prefix and, as \"origin\", the address and port that it saw: all that the client's IPv6 address is made of." \
		"$to_client && \$8 == 134" &&
	in_detail &&
	packet "Connectivity test: before it talks to an IPv6 host, the client pings it through the server. The answer shows which relay is near that host, and that nobody only pretends to be it." \
		"$from_client && \$5 == 3544 && \$8 == 128" &&
	packet "Bubble: the relay has that answer, but the NAT would not let it in. So it sends an empty packet through the server, which the NAT knows; \"origin\" is the relay." \
		"\$2 == \"$SERVER4\" && $to_client && $bubble && \$10 == \"$RELAY4\"" &&
	packet "The client's bubble back to the relay opens the NAT for the relay. From here on the server is no longer needed." \
		"$from_client && \$4 == \"$RELAY4\" && $bubble" &&
	packet "Data: an IPv6 packet, whole and unchanged, in UDP between client and relay." \
		"$from_client && \$4 == \"$RELAY4\" && \$7 == \"$NATIVE6\" && \$8 == 128" &&
	packet "Between two clients each opens its own NAT: this bubble to the other's NAT is lost there ..." \
		"$from_client && \$4 == \"$NAT_B4\" && $bubble" &&
	packet "... this one goes through the server, so that the other client answers, and its answer comes in through the NAT that the first one has opened ..." \
		"\$2 == \"$SERVER4\" && \$4 == \"$NAT_B4\" && $bubble && \$6 == \"$(address client)\"" &&
	packet "... and data goes from NAT to NAT, without any relay." \
		"$from_client && \$4 == \"$NAT_B4\" && \$8 == 128"
}

### the story

title "Teredo: IPv6 for a host behind a NAT"
text \
"A host with nothing but a private IPv4 address, behind a NAT, is to reach" \
"the IPv6 Internet and to be reached from it. Teredo (RFC 4380) does it by" \
"carrying each IPv6 packet in a UDP packet: NATs let UDP through. Three roles" \
"play together, all of them here by one kernel module, teredo.ko:" \
"" \
"  client  gets an IPv6 address that holds the address of its NAT" \
"  server  tells a client what its NAT looks like from outside, and helps to" \
"          open it; carries no data" \
"  relay   stands between the IPv6 Internet and the clients, carries the data" \
"" \
"This machine lays out a small Internet of network namespaces:" \
""
picture
text "" "Laying it out ..."
check "the network cannot be laid out" build
check "capturing does not start" capture_start

title "1. Server and relay"
text "All that their operators type (no daemon, no configuration file):" ""
check "server or relay cannot be set up" infrastructure

title "2. The client gets its address"
text \
"The helper teredod asks both addresses of the server what they see of the" \
"client. The same from both: the NAT uses one port for all, so that others" \
"can use it, too." ""
check "the client did not get an address" client_up client
FILTER=short_status
check "teredoctl status" at client teredoctl status
FILTER=''
text "" \
"That address, part by part: who the server is, and how to reach the client" \
"from outside, inverted so that NATs leave it alone." ""
check "teredoctl decode" at client teredoctl decode "$(address client)"
text "" "The NAT's own table agrees:" ""
check "the address is not what the NAT's table says" decoded_is_the_nat

title "3. From the client to the IPv6 Internet and back"
text "The first answer takes longer: it waits until the way is open." ""
check "the client does not reach the host" pings client "$NATIVE6"
text "" "And to the client, which no IPv4 host outside could reach:" ""
check "the host does not reach the client" pings host "$(address client)"

title "4. Between two clients, each behind its own NAT"
check "the second client did not get an address" client_up client2
text ""
check "the clients do not reach each other" \
	pings client "$(address client2)"
check "the packets went another way than from NAT to NAT" \
	endpoint_is client "$(address client2)" "$NAT_B4"
kill_process "$CAPTURE"

title "5. A TCP transfer from the client to the IPv6 host"
text "For 3 seconds. (This machine is emulated: the rate says nothing about a" \
"real one.)" ""
check "the transfer failed" transfer

title "6. Whom client and relay know"
text "IPv6 address, where its packets go in IPv4, and whether that is proven" \
"(stale: nothing came for 30 seconds, so the next packet proves it anew):" ""
check "the client has no peers" peers client
check "the relay has no peers" peers relay
check "the host is not reached through the relay" \
	endpoint_is client "$NATIVE6" "$RELAY4"

title "7. What crossed the IPv4 Internet"
text "Some of the packets, as tshark, which knows Teredo, reads them"
text "(this takes a moment):"
check "a packet is missing" packets

title "All $steps steps worked"
text \
"The client, behind its NAT, reaches the IPv6 Internet and is reached from it" \
"and by other clients. README.md tells how to do the same on real machines."
