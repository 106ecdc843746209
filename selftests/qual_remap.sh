#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a refresh finds out: another mapping, a NAT that has become symmetric,
# a server that is gone (CL-M-02, 05, 06, 10; CL-Q-17, 18; C-10)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="refreshes remapped becomes_symmetric server_gone"

# Both clients refresh side by side
refreshes()
{
	local since

	client_add "$public"
	ip netns exec "$public" teredod -f teredo0 2>"$LOGS/public" &
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

qual_setup
client_add
tests_run
ktap_finished
