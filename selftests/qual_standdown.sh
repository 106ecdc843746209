#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Other IPv6 makes Teredo stand down: a default route and a global address,
# not one of them (CL-O-01 to 03, CL-Q-21, CL-Q-22)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="neither_alone stands_down comes_back flaps at_start link_down force"

# other COMMAND...: of the interface that brings other IPv6
other()
{
	ip -n "$client" "$@" dev other0
}

# settled: the helper has seen what changed, and a refresh would be due soon
settled()
{
	sleep 1
	state_is qualified
}

neither_alone()
{
	ip -n "$client" link add other0 type veth peer name other1
	ip -n "$client" link set other0 up
	ip -n "$client" link set other1 up
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	other -6 route add default via fe80::2
	settled
	check_err $? "stands down for a route"
	other -6 addr add fd00::5/64 nodad
	settled
	check_err $? "stands down for a unique local address"
	other -6 addr add 2001:0:4136:e378::5/64 nodad
	settled
	check_err $? "stands down for a Teredo address"
	other -6 route del default
	other -6 addr add 2620::5/64 nodad
	settled
	check_err $? "stands down for an address"
	ip -n "$client" -6 route add unreachable default metric 4096
	settled
	check_err $? "stands down for an unreachable route"
	ip -n "$client" -6 route del unreachable default metric 4096
	log_helper_test "neither a route nor an address alone is a reason"
}

dormant()
{
	slowwait 10 state_is dormant
	check_err $? "state $(status .state)"
	nothing_left
	check_err $? "address or route is left"
	[ "$(status .error)" = \
		"not needed: other IPv6 by other0, with the address 2620::5" ]
	check_err $? "reason: $(status .error)"
}

stands_down()
{
	local sent

	other -6 route add default via fe80::2
	dormant
	sent=$(solicitations)
	ip -n "$client" route del default
	ip -n "$client" route add default via 192.168.7.1
	sleep 5
	[ "$(solicitations)" = "$sent" ]
	check_err $? "solicitations are sent"
	state_is dormant
	check_err $? "state $(status .state)"
	log_helper_test "native IPv6 comes: address and route go (CL-Q-21)"
}

comes_back()
{
	other -6 route del default
	qualified "$client"
	check_err $? "not qualified"
	# 6to4, and a route for all that is in use
	other -6 addr del 2620::5/64
	other -6 addr add 2002:5060:708::5/64 nodad
	settled
	check_err $? "stands down for an address"
	other -6 route add 2000::/3 via fe80::2
	slowwait 10 state_is dormant
	check_err $? "not for 6to4"
	other -6 route del 2000::/3
	other -6 addr del 2002:5060:708::5/64
	other -6 addr add 2620::5/64 nodad
	qualified "$client"
	check_err $? "not qualified again"
	log_helper_test "it goes: qualified again (CL-Q-22)"
}

# Each start asks name servers and servers; a router must not make us do so all
# the time
flaps()
{
	local began=$SECONDS gone=0 i

	: >"$LOG"
	for i in {1..10}; do
		other -6 route add default via fe80::2
		slowwait 10 state_is dormant
		check_err $? "round $i: state $(status .state)"
		other -6 route del default
		# longer than what the helper takes for one change
		sleep 0.3
	done
	qualified "$client"
	check_err $? "not qualified"
	gone=$(grep -c "other IPv6 is gone" "$LOG")
	((gone >= 1 && gone <= 1 + (SECONDS - began + 1) / 5))
	check_err $? "$gone starts in $((SECONDS - began)) s"
	log_helper_test "it comes and goes: a start in 5 s at most (CL-Q-22)"
}

at_start()
{
	local sent

	other -6 route add default via fe80::2
	dormant
	helper_end TERM
	sent=$(solicitations)
	helper_start "$client"
	dormant
	[ "$(solicitations)" = "$sent" ]
	check_err $? "solicitations are sent"
	log_helper_test "it is there at the start: no solicitation (CL-O-01)"
}

link_down()
{
	ip -n "$client" link set other0 down
	qualified "$client"
	check_err $? "not qualified"
	log_helper_test "its interface goes down: qualified (CL-Q-22)"
	helper_end TERM
}

force()
{
	ip -n "$client" link set other0 up
	other -6 addr replace 2620::5/64 nodad
	other -6 route replace default via fe80::2
	echo "force = on" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	settled
	check_err $? "state $(status .state)"
	ip -n "$client" -6 route get 2620:1:: | grep -q other0
	check_err $? "Teredo is preferred"
	log_helper_test "force: Teredo besides, as the last resort (CL-O-01, CL-O-06)"
}

qual_setup
client_add
tests_run
ktap_finished
