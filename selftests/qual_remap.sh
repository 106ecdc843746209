#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a refresh finds out: another mapping, a NAT that has become symmetric,
# a server that is gone and comes back, or another one instead (CL-M-02, 05,
# 06, 10; CL-Q-17, 18; C-10)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"
require_command socat

ALL_TESTS="refreshes remapped connected becomes_symmetric server_gone
	server_back next_server"
SERVER2=65.54.227.150

# Both clients refresh side by side
refreshes()
{
	local since

	client_add "$public"
	ip netns exec "$public" teredod -f teredo0 2>"$LOGS/public" &
	PUBLIC_HELPER=$!
	helper_start "$client"
	qualified "$client" && qualified "$public"
	check_err $? "not qualified"
	since=$(date +%s%3N)
	nat_maps "masquerade to :40002"
	slowwait 40 sent_more_than 2
	check_err $? "no refresh"
	since=$(($(date +%s%3N) - since))
	((since > 15000))
	check_err $? "refreshed after $since ms"
	log_helper_test "refreshes the mapping"
}

remapped()
{
	slowwait 10 port_is 40002
	check_err $? "address is $(address)"
	logged "mapping changed from $OUTER:40001 to $OUTER:40002"
	check_err $? "not told"
	[ "$(status '|"\(.state) \(.nat) \(.mapped.port)"')" = \
		"qualified restricted 40002" ]
	check_err $? "status"
	log_helper_test "another mapping: another address in place of the old"
}

# says ADDRESS: what is sent to this echo server comes back
says()
{
	echo hello | ip netns exec "$client" timeout 10 socat -t 5 - \
		"TCP6:[$1]:5000,connect-timeout=5" | grep -qx hello
}

# talk: a line now and then, for a connection that is never silent
talk()
{
	while echo talk; do
		sleep 0.1
	done
}

# stamp: each line with the time, in milliseconds
stamp()
{
	local line

	while read -r line; do
		echo "$(date +%s%3N) $line"
	done
}

# when PATTERN: of the first change of the client's addresses that fits
when()
{
	sed -nE "/$1/{s/ .*//p;q}" "$LOGS/addresses" | grep .
}

connected()
{
	local old peer deprecated deleted again

	old=$(address)
	peer=$(address "$public")
	ip netns exec "$public" socat TCP6-LISTEN:5000,reuseaddr,fork \
		EXEC:cat &
	defer kill_process "$!"
	wait_local_port_listen "$public" 5000 tcp
	ip netns exec "$client" socat - "TCP6:[$peer]:5000" \
		>"$LOGS/talk" < <(talk) &
	defer kill_process "$!"
	slowwait 20 test -s "$LOGS/talk"
	check_err $? "no connection"
	ip -n "$client" -o monitor address > >(stamp >"$LOGS/addresses") &
	defer kill_process "$!"
	nat_maps "masquerade to :40004"
	busywait 40000 when "Deleted.* $old" >/dev/null
	slowwait 10 says "$peer"
	check_err $? "no new connection"
	again=$(date +%s%3N)
	port_is 40004
	check_err $? "address is $(address)"
	deprecated=$(when " $old.* deprecated ")
	deleted=$(when "Deleted.* $old")
	((deprecated && deleted && deprecated <= deleted))
	check_err $? "not deprecated, then gone: $(<"$LOGS/addresses")"
	again=$((again - deleted))
	log_info "deprecated for $((deleted - deprecated)) ms," \
		"a new connection $again ms later"
	[[ ${KSFT_MACHINE_SLOW:-} == yes ]] ||
		((deleted - deprecated < 5000 && again < 10000))
	check_err $? "too late"
	log_helper_test "a connection lives: the address goes all the same, a new one works (CL-M-05, CL-Q-17)"
}

port_is()
{
	[ "$(part .port)" = "$1" ]
}

nat_is()
{
	[ "$(status .nat)" = "$1" ]
}

# The next refresh of both clients
becomes_symmetric()
{
	server_mute "ip saddr $PUBLIC"
	nat_maps "ip daddr $PRIMARY masquerade to :40003" \
		"ip daddr $SECONDARY masquerade to :41003"
	slowwait 40 nat_is symmetric
	check_err $? "NAT $(status .nat)"
	[ "$(status '|"\(.state) \(.mapped.port)"') $(part .port)" = \
		"qualified 40003 40003" ]
	check_err $? "address is $(address), $(status .state)"
	log_helper_test "a NAT that becomes symmetric is noticed (CL-Q-14)"
}

server_gone()
{
	LOG=$LOGS/public
	slowwait 40 state_is offline "$public"
	check_err $? "still $(status .state "$public")"
	logged "offline: the server $PRIMARY does not answer"
	check_err $? "not told"
	address "$public" >/dev/null
	check_fail $? "address is left"
	log_helper_test "three refreshes unanswered: offline, no address"
}

# The next attempt is up to 38 s away, and nothing but its time comes
server_back()
{
	local before

	LOG=$LOGS/public
	before=$(wc -l <"$LOG")
	server_mute
	slowwait 60 state_is qualified "$public"
	check_err $? "still $(status .state "$public")"
	qualified "$public"
	check_err $? "no address"
	# asked again for one reason only
	[ "$(tail -n "+$((before + 1))" "$LOG" | grep -c "asking")" = 1 ]
	check_err $? "asked otherwise"
	log_helper_test "the server is back: the next attempt qualifies (C-33)"
}

server_is()
{
	[ "$(status .server "$public")" = "$1" ] && qualified "$public"
}

# Of two servers the one in use falls silent
next_server()
{
	local first next

	kill_process "$HELPER" "$PUBLIC_HELPER"
	ip -n "$core" -b - <<-END
		addr add $SERVER2/32 dev eth1
		addr add 65.54.227.151/32 dev eth1
		link add server1 type teredo mode server local $SERVER2 secondary 65.54.227.151
		link set server1 up
	END
	printf '%s\n' "server = $PRIMARY $SERVER2" "refresh-interval = 5" \
		>"$LOGS/conf"
	helper_start "$public" -c "$LOGS/conf"
	qualified "$public"
	check_err $? "not qualified"
	first=$(status .server "$public")
	next=$SERVER2
	[ "$first" = "$PRIMARY" ] || next=$PRIMARY
	server_mute "ip daddr $first"
	slowwait 40 server_is "$next"
	check_err $? "server $(status .server "$public"), $(status .state "$public")"
	logged "the server $first does not answer"
	check_err $? "not told"
	logged offline
	check_fail $? "offline between the two"
	[ "$(part .server "$public")" = "$next" ]
	check_err $? "address $(address "$public")"
	log_helper_test "the server in use is gone: qualified at the next one (CL-Q-18)"
	ip -n "$core" link del server1
}

qual_setup
client_add
tests_run
ktap_finished
