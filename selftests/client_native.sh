#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A client behind a NAT and hosts that have native IPv6 alone, through a relay
# shellcheck source-path=SCRIPTDIR source=topo.sh
. "$(dirname "$0")/topo.sh"
require_command teredod teredoctl jq nft socat python3

ALL_TESTS="to_native from_native tcp unreachable"
SILENT6=2620:0:2d0::11
DIR=$(mktemp -d)
defer rm -r "$DIR"
LOG=$DIR/log

# told WANTED: what was on the IPv4 Internet, by names
told()
{
	story_is "$1" "$LOG" "A=$A_EP" "R=$R_EP" "SRV=$SERVER4:3544" "a=$A" \
		"r=$RELAY6" "h=$NATIVE6" "s=$SILENT6"
}

to_native()
{
	pings "$CA" "$NATIVE6"
	check_err $? "no answer"
	# the first reply is the test's, which its asker alone knows
	told "A SRV request a h
R SRV bubble r a
SRV A bubble r a R
A R bubble a r
R A reply h a
A R request a h
R A reply h a"
	check_err $? "not these datagrams"
	[[ $(teredo_count "$CA" tx_tests) == 1 ]]
	check_err $? "more than one test"
	log_test "SEQ-5, N-13, CL-TX-07, CL-TX-09: client to native host"
}

from_native()
{
	local ns

	for ns in "$CA" "$RLY"; do
		ip netns exec "$ns" teredoctl flush teredo0 >/dev/null
	done
	# so that the reply to the relay's bubble is not one too many
	sleep 2.1
	pings "$H" "$A"
	check_err $? "no answer"
	told "R SRV bubble r a
SRV A bubble r a R
A R bubble a r
R A request h a
A SRV request a h
R A reply h a
A R reply a h"
	check_err $? "not these datagrams"
	log_test "SEQ-6, CL-RX-16: native host to client, tested first"
}

tcp()
{
	tcp_passes "$CA" "$H" "$NATIVE6"
	check_err $? "client to native host"
	tcp_passes "$H" "$CA" "$A"
	check_err $? "native host to client"
	grep -q " tcp " "$LOG"
	check_err $? "not through the tunnel"
	log_test "TCP both ways"
}

# Times in the log of what went to the server for the silent host
test_times()
{
	awk -v to="$SILENT6" '$4 == "request" && $6 == to { print $1 }' "$LOG"
}

unreachable()
{
	local began ended times=() i

	ip netns exec "$S" nft -f - <<-END
		table ip6 filter { chain in {
			type filter hook input priority filter;
			icmpv6 type echo-request drop
			}
		}
	END
	: >"$LOG"
	began=$(date +%s%3N)
	ip netns exec "$CA" ping -n -c 1 -W 60 "$SILENT6" >"$DIR/ping"
	check_fail $? "ping"
	ended=$(date +%s%3N)
	grep -q "Destination unreachable: Address unreachable" "$DIR/ping"
	check_err $? "$(grep -i from "$DIR/ping")"
	mapfile -t times < <(test_times)
	((${#times[@]} == 4))
	check_err $? "${#times[@]} tests"
	grep " $SILENT6" "$LOG" | grep -v " $A_EP $SERVER4:3544 request"
	check_fail $? "something else was sent"
	for ((i = 1; i < ${#times[@]}; i++)); do
		awk -v gap="${times[i]} ${times[i - 1]}" 'BEGIN {
			split(gap, time, " ")
			exit time[1] - time[2] < 1.9 }'
		check_err $? "test $i came too soon: ${times[*]}"
	done
	((ended - began >= 7900))
	check_err $? "error after $((ended - began)) ms"
	[[ $(teredo_count "$CA" tx_unreachable) == 1 ]]
	check_err $? "tx_unreachable: $(teredo_count "$CA" tx_unreachable)"
	log_test "C-17, CL-TX-08, CL-TX-10: 4 tests in vain, then the error"
}

setup_ns SRV CA NA RLY H S || ktap_skip_all "no namespaces"
topo_core
topo_server "$SRV" || ktap_skip_all "no device"
topo_nat "$NA" "$NAT_A4" 192.168.1 restricted
topo_behind "$CA" "$NA" 192.168.1 2
topo_relay "$RLY"
topo_host6 "$H" "$NATIVE6"
topo_host6 "$S" "$SILENT6"
topo_meet "$NA" "$RELAY4"
topo_meet "$RLY" "$NAT_A4" "$SERVER4"
teredo_add "$CA" mode client server "$SERVER4"
teredo_helper "$CA" "$DIR/helper"
ktap_print_header
teredo_must_qualify "$CA" "$DIR/helper"
A=$(teredo_address "$CA")
A_EP=$(teredo_mapped "$CA")
R_EP=$RELAY4:$(teredo_status "$RLY" .port)
# shellcheck disable=SC2153	# setup_ns assigns CORE
watch "$CORE" ip4 "$LOG"
tests_run
ktap_finished
