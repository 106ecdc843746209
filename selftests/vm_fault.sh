#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A run fails when the kernel log holds a fault, when the kernel dies, and
# when the command hangs, whatever the command itself says; and each time
# one sees why.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

vm=$(dirname "$0")/vm.sh
out=$(mktemp)
defer rm -f "$out"

# gives WANTED_STATUS TEXT VM_ARGUMENT...: the run ends so and says so
gives()
{
	local wanted=$1 text=$2 status=0

	shift 2
	"$vm" "$@" >"$out" 2>&1 || status=$?
	check_err $((status != wanted)) "status $status, not $wanted"
	grep -q "$text" "$out"
	check_err $? "does not say: $text"
	[[ $RET == 0 ]] || sed 's/^/# /' "$out"
}

ktap_print_header
gives 99 'WARNING: CPU: 0' -t 300 -- \
	sh -c 'echo "<4>WARNING: CPU: 0 planted" >/dev/kmsg'
log_test "a warning in the kernel log"

gives 0 fine -t 300 -- \
	sh -c 'echo "teredo: warning, bugs and oopses" >/dev/kmsg; echo fine'
log_test "words that are no fault"

gives 99 'sysrq triggered crash' -t 300 -- \
	sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
log_test "a panic"

gives 124 'the last words' -t "$((60 * SLOW_FACTOR))" -- \
	sh -c 'echo "<2>the last words" >/dev/kmsg; sleep 10000'
log_test "a command that hangs"
ktap_finished
