#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine that has slept for longer than the refresh interval asks its server
# at once (V-06, CL-M-09)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="asks_at_once"

# All of a sleep but its last step, for so many seconds
machine_sleeps()
{
	echo "$1" >/sys/module/suspend/parameters/pm_test_delay
	echo core >/sys/power/pm_test
	echo mem >/sys/power/state
	check_err $? "the machine does not sleep"
	echo none >/sys/power/pm_test
}

# The next solicitation is due 3.75 to 5 s after the last one
asks_at_once()
{
	local before

	echo "refresh-interval = 5" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	before=$(solicitations)
	slowwait 20 sent_more_than "$before"
	check_err $? "no refresh"
	before=$(solicitations)
	sleep 3.2
	machine_sleeps 3
	busywait 500 sent_more_than "$before"
	check_err $? "nothing sent"
	state_is qualified
	check_err $? "$(status .state)"
	log_helper_test "after a sleep the client asks at once (V-06, CL-M-09)"
}

qual_setup
client_add
tests_run
ktap_finished
