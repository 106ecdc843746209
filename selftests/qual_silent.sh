#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Servers that do not answer, or answer on one address only, and a change of
# the underlay, which ends the waiting (CL-Q-06, 07, 09, 10, 11, 19; C-33)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"
require_command tcpdump

ALL_TESTS="primary_silent underlay_back secondary_configured secondary_derived"

# capture: solicitations as the server's host gets them, one line each
capture()
{
	ip netns exec "$core" tcpdump -tt -n -l -i eth0 udp dst port 3544 \
		>"$LOGS/capture" 2>"$LOGS/tcpdump" &
	CAPTURE=$!
	slowwait 20 grep -q listening "$LOGS/tcpdump"
}

# spacings FILE: between the lines, in tenths of a second
spacings()
{
	awk '/ > / {
		if (last)
			printf "%d ", ($1 - last) * 10
		last = $1
	} END { print "" }' "$1"
}

primary_silent()
{
	local first second next

	server_mute "ip daddr $PRIMARY"
	capture
	helper_start "$client"
	slowwait 30 logged offline
	check_err $? "not offline"
	kill_process "$CAPTURE"
	# a slow machine may see the next attempt begin
	read -r first second next _ < <(spacings "$LOGS/capture")
	if [[ ${KSFT_MACHINE_SLOW:-} == yes ]]; then
		[[ $second ]]
	else
		((first >= 39 && first < 60 && second >= 39 && second < 60 &&
			${next:-300} > 150))
	fi
	check_err $? "not three in 4 s steps: $(spacings "$LOGS/capture")"
	logged "offline: the server $PRIMARY does not answer; next try in \(2[2-9]\|3[0-8]\) s"
	check_err $? "reason and next try"
	nothing_left
	check_err $? "there is an address"
	log_helper_test "silent server: three solicitations, then offline"
}

underlay_back()
{
	server_mute
	ip -n "$client" route del default
	ip -n "$client" route add default via 192.168.7.1 src 192.168.7.2
	qualified "$client"
	check_err $? "not qualified"
	log_helper_test "another route to the server: tried again at once"
	helper_end TERM
}

secondary_configured()
{
	server_mute "ip daddr $SECONDARY"
	ip -n "$client" link set teredo0 type teredo secondary "$SECONDARY"
	helper_start "$client"
	slowwait 30 logged "offline: the secondary address"
	check_err $? "not offline"
	state_is offline && nothing_left
	check_err $? "state $(status .state)"
	log_helper_test "silent secondary that is configured: offline"
	helper_end TERM
}

secondary_derived()
{
	ip -n "$client" link set teredo0 type teredo secondary 0.0.0.0
	check_err $? "secondary cannot be taken away"
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status .nat)" = unknown ]
	check_err $? "NAT $(status .nat)"
	[ "$(solicitations)" -ge 4 ]
	check_err $? "secondary not asked three times"
	log_helper_test "silent secondary that is derived: NAT unknown"
}

qual_setup
client_add
tests_run
ktap_finished
