#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Nothing is left of a helper that is killed and not started again: state,
# address and route have a lifetime, which each refresh renews (C-35, CL-M-07)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="renewed ends"

# seconds_left: of the address and of the route
seconds_left()
{
	ip -n "$client" -6 addr show dev teredo0 |
		sed -n 's/.*valid_lft \([0-9]*\)sec.*/\1/p'
	routes | sed -n 's/.*expires \([0-9]*\)sec.*/\1/p'
}

renewed()
{
	local seconds

	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	slowwait 40 sent_more_than 2
	check_err $? "no refresh"
	sleep 1
	[ "$(seconds_left | wc -l)" = 2 ]
	check_err $? "lifetimes of address and route: $(seconds_left)"
	# before, at most 67 were left
	for seconds in $(seconds_left); do
		((seconds > 70 && seconds <= 90))
		check_err $? "lifetime is $seconds"
	done
	log_helper_test "a refresh renews address and route"
}

ends()
{
	helper_end KILL
	state_is qualified
	check_err $? "not qualified to the end"
	slowwait 100 not state_is qualified
	check_err $? "qualified for ever"
	[ "$(status .state)" = dormant ]
	check_err $? "state $(status .state)"
	# IPv6 collects what has expired now and then
	slowwait 70 nothing_left
	check_err $? "left: $(address) $(routes)"
	log_helper_test "without a helper all of it ends"
}

qual_setup
client_add
tests_run
ktap_finished
