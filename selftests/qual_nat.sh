#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Qualification behind a NAT: what is learned and set, and that neither a
# restart of the helper nor its end does more than it should
# (SEQ-8; CL-Q-01, 08, 12, 24, 33, 34; CL-M-08, CL-M-11; CL-O-06; A-03 to A-07)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="qualifies sets_up no_nat killed stopped"

qualifies()
{
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(part '"\(.server) \(.client) \(.port)"')" = \
		"$PRIMARY $OUTER 40001" ]
	check_err $? "$(address) is not of the server and the outer mapping"
	(($(part .flags) & 0xc300))
	check_fail $? "flags $(part .flags)"
	[ "$(status .address)" = "$(address)" ]
	check_err $? "status shows another address"
	[ "$(status '|"\(.mapped.address):\(.mapped.port)"')" = "$OUTER:40001" ]
	check_err $? "status shows another mapping"
	[ "$(status '|"\(.nat) \(.server) \(.secondary)"')" = \
		"restricted $PRIMARY $SECONDARY" ]
	check_err $? "status shows another NAT or server"
	log_helper_test "qualifies with the outer address and port of the NAT"
}

sets_up()
{
	ip -n "$client" -6 addr show dev teredo0 | grep -q "/128 .*nodad"
	check_err $? "not a /128 without duplicate address detection"
	routes | grep -q "^default via fe80::1 .*metric 4294967295"
	check_err $? "default route: $(routes)"
	[ "$(routes | wc -l)" = 1 ]
	check_err $? "more than one route: $(routes)"
	ip -n "$client" link show teredo0 | grep -q "mtu 1280 .* state UP"
	check_err $? "MTU or state"
	log_test "sets address, MTU and the route of last resort"
}

no_nat()
{
	client_add "$public"
	ip netns exec "$public" teredod -f teredo0 2>"$LOGS/public" &
	qualified "$public"
	check_err $? "not qualified"
	[ "$(part '"\(.client) \(.port)"' "$public")" = \
		"$PUBLIC $(status .port "$public")" ]
	check_err $? "not its own address and port"
	[ "$(status .nat "$public")" = none ]
	check_err $? "NAT $(status .nat "$public")"
	log_test "a client on a public address has no NAT"
}

# ping_during COMMAND...: prints how many packets of a running ping are lost
ping_during()
{
	local peer pid

	peer=$(address "$public")
	# the path is opened first
	slowwait 20 ip netns exec "$client" ping -c 1 -W 1 "$peer" >/dev/null ||
		echo "no path"
	ip netns exec "$client" ping -i 0.2 -W 20 "$peer" >"$LOGS/ping" &
	pid=$!
	sleep 1
	"$@"
	sleep 1
	kill -INT "$pid"
	wait "$pid"
	awk '/packets transmitted/ { print $1 - $4 }' "$LOGS/ping"
}

kill_and_start()
{
	local sent

	helper_end KILL
	sleep 1
	sent=$(solicitations)
	helper_start "$client"
	slowwait 10 sent_more_than "$sent"
}

killed()
{
	local before

	before=$(address)
	ip -n "$client" link set teredo0 mtu 1300
	# not in a subshell, for HELPER
	ping_during kill_and_start >"$LOGS/lost"
	[ "$(cat "$LOGS/lost")" = 0 ]
	check_err $? "lost packets: $(cat "$LOGS/lost")"
	[ "$(address)" = "$before" ]
	check_err $? "address was $before, is $(address)"
	[ "$(status .nat)" = restricted ]
	check_err $? "NAT $(status .nat)"
	[ "$(status .mtu)" = 1300 ]
	check_err $? "the operator's MTU is $(status .mtu)"
	ip -n "$client" link set teredo0 mtu 1280
	log_helper_test "killed and restarted: no packet lost, same address and MTU"
}

stopped()
{
	local status=0 before

	before=$(address)
	helper_end TERM || status=$?
	[ "$status" = 0 ]
	check_err $? "exit status $status"
	nothing_left
	check_err $? "address or route is left"
	[ "$(status .state)" = offline ]
	check_err $? "state $(status .state)"
	[ -z "$(status .mapped)" ]
	check_err $? "mapped $(status .mapped)"
	helper_start "$client"
	slowwait 20 state_is qualified
	check_err $? "not qualified once more"
	[ "$(address)" = "$before" ]
	check_err $? "A-07: address was $before, is $(address)"
	helper_end TERM
	log_helper_test "SIGTERM takes address and route away, not the device or its flags"
}

qual_setup
client_add
tests_run
ktap_finished
