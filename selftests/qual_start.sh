#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Starting where that is not possible, and devices that go away
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="options no_device no_teredo no_client twice no_server deleted \
	other_mode other_netns"

# refused STATUS TEXT ARGUMENT...: one line and the status
refused()
{
	local want=$1 text=$2 status=0

	shift 2
	ip netns exec "$client" timeout 20 teredod "$@" >"$LOGS/out" 2>&1 ||
		status=$?
	[ "$status" = "$want" ]
	check_err $? "exit status $status"
	[ "$(wc -l <"$LOGS/out")" = 1 ]
	check_err $? "not one line: $(cat "$LOGS/out")"
	[ "$(cat "$LOGS/out")" = "teredod: $text" ]
	check_err $? "says $(cat "$LOGS/out")"
}

options()
{
	local status=0

	teredod >"$LOGS/out" 2>"$LOGS/err" || status=$?
	[ "$status" = 2 ] && [ ! -s "$LOGS/out" ] && [ -s "$LOGS/err" ]
	check_err $? "without arguments: $status"
	teredod --version | grep -q "^teredod [0-9]"
	check_err $? "--version"
	teredod -h | grep -q "^Usage: teredod"
	check_err $? "-h"
	log_test "usage, help and version"
}

no_device()
{
	refused 1 "teredo0: No such device" -f teredo0
	refused 1 "\"a-name-that-is-too-long\" is not the name of a device" \
		-f a-name-that-is-too-long
	refused 1 "\"\" is not the name of a device" -f ""
	log_test "no such device"
}

no_teredo()
{
	refused 1 "eth0: not a Teredo device" -f eth0
	log_test "a device of another kind"
}

no_client()
{
	ip -n "$client" link add relay0 type teredo mode relay
	refused 1 "relay0: not a Teredo client: other modes need no teredod" \
		-f relay0
	ip -n "$client" link del relay0
	log_test "a device of another mode"
}

twice()
{
	client_add
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	refused 1 "teredo0: another teredod is running on it" -f teredo0
	state_is qualified
	check_err $? "state $(status .state)"
	log_helper_test "a second helper"
}

no_server()
{
	ip -n "$client" link set teredo0 type teredo server 0.0.0.0
	slowwait 10 state_is error
	check_err $? "state $(status .state)"
	[ "$(status .error)" = "no server is configured" ]
	check_err $? "reason: $(status .error)"
	nothing_left
	check_err $? "address or route is left"
	ip -n "$client" link set teredo0 type teredo server "$PRIMARY"
	qualified "$client"
	check_err $? "not qualified again"
	log_helper_test "the server is taken away and given again"
}

deleted()
{
	ip -n "$client" link del teredo0
	helper_gone "$GONE"
	log_helper_test "the device is deleted"
}

other_mode()
{
	# the port of the device before is taken at the NAT
	nat_maps "masquerade to :40001"
	client_add
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	ip -n "$client" link set teredo0 down
	ip -n "$client" link set teredo0 type teredo mode relay
	check_err $? "no relay"
	# what happens to a device that is down the kernel does not tell
	ip -n "$client" link set teredo0 up
	helper_gone "no longer a Teredo client"
	ip -n "$client" link del teredo0
	log_helper_test "the device gets another mode"
}

# The device is moved, its underlay stays where it was
other_netns()
{
	setup_ns inside
	# the port of the device before is taken at the NAT
	nat_maps "masquerade to :40001"
	# shellcheck disable=SC2154	# setup_ns assigns it
	ip -n "$client" -b - <<-END
		link add teredo0 type teredo server $PRIMARY
		link set teredo0 netns $inside
	END
	ip -n "$inside" link set teredo0 up
	helper_start "$inside" -n "$client"
	qualified "$inside"
	check_err $? "not qualified"
	ip -n "$client" route del default
	slowwait 10 state_is offline "$inside"
	check_err $? "a route that is gone is not seen"
	[ "$(status .error "$inside")" = "no route to the server $PRIMARY" ]
	check_err $? "reason: $(status .error "$inside")"
	ip -n "$client" route add default via 192.168.7.1
	qualified "$inside"
	check_err $? "a route that is back is not seen"
	log_helper_test "the underlay is in another network namespace"
}

qual_setup
tests_run
ktap_finished
