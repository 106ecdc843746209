#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The debug kernel sees what it is there to see: faults planted into a copy
# of the sources (debug/*.patch) fail a run that would pass without them.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debug/planted.sh
. "$(dirname "$0")/debug/planted.sh"

# with PATCH...: runs a peer's life with these faults; sets status
with()
{
	planted "$@" || return
	status=0
	"$copy/selftests/vm.sh" -d -t "$((150 * SLOW_FACTOR))" -- \
		sh selftests/debug/one-peer.sh >"$out" 2>&1 || status=$?
}

# reports TEXT: the run failed for its kernel log, which says so
reports()
{
	check_err $((status != 99)) "status $status, not 99"
	grep -qE "$1" "$out"
	check_err $? "the log does not say: $1"
	[[ $RET == 0 ]] || tail -n 50 "$out" | sed 's/^/# /'
}

ktap_print_header
require_command git
with lock-inversion leak
check_err $? "the patches do not apply: bring them up to date"
reports 'possible circular locking'
log_test "a lock inversion"
reports 'unreferenced object'
log_test "a leak"

with uaf
check_err $? "the patch does not apply: bring it up to date"
reports 'KASAN: .*use-after-free'
log_test "a use after free"
ktap_finished
