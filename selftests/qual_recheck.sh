#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Now and then the secondary address is asked again: a NAT that has become
# symmetric is noticed, and nothing but the kind of NAT changes (CL-M-10,
# CL-Q-14)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="becomes_symmetric stays_so is_none_again"

nat_is()
{
	[ "$(status .nat)" = "$1" ]
}

# Ten refreshes are 50 s at most
becomes_symmetric()
{
	echo "refresh-interval = 5" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	BEFORE=$(address)
	nat_is restricted
	check_err $? "NAT $(status .nat)"
	nat_maps "ip daddr $SECONDARY masquerade to :41001" \
		"masquerade to :40001"
	slowwait 70 logged ": symmetric NAT, mapped"
	nat_is symmetric
	check_err $? "NAT $(status .nat)"
	[ "$(status .state) $(address)" = "qualified $BEFORE" ]
	check_err $? "address was $BEFORE, is $(address), $(status .state)"
	log_helper_test "a NAT becomes symmetric: noticed, address kept (CL-M-10, CL-Q-14)"
}

stays_so()
{
	local lines

	lines=$(wc -l <"$LOG")
	# ten refreshes and more, so the secondary is asked again
	sleep 70
	[ "$(status .state) $(status .nat) $(address)" = \
		"qualified symmetric $BEFORE" ]
	check_err $? "$(status .state) $(status .nat) $(address)"
	[ "$(wc -l <"$LOG")" = "$lines" ]
	check_err $? "something is told"
	log_helper_test "it stays so: nothing changes (X-SN-01)"
}

restricted_again()
{
	tail -n 1 "$LOG" | grep -q ": restricted NAT, mapped"
}

is_none_again()
{
	nat_maps "masquerade to :40001"
	slowwait 120 restricted_again
	nat_is restricted
	check_err $? "NAT $(status .nat)"
	[ "$(status .state) $(address)" = "qualified $BEFORE" ]
	check_err $? "address was $BEFORE, is $(address), $(status .state)"
	log_helper_test "it is no longer: noticed, address kept"
}

qual_setup
client_add
tests_run
ktap_finished
