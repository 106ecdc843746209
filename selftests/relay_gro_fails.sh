#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# relay_gro sees what it is there to see: where the module's sockets merge
# nothing (debug/no-gro.patch) it fails, in the one test that is about that.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debug/planted.sh
. "$(dirname "$0")/debug/planted.sh"

# told LINE...: results of relay_gro, in its last run, which counts
told()
{
	local line

	for line; do
		tac "$out" | sed '/# Subtest: relay_gro/q' | grep -q "$line"
		check_err $? "no line $line"
	done
	[[ $RET == 0 ]] || tail -n 50 "$out" | sed 's/^/# /'
}

ktap_print_header
planted no-gro
check_err $? "the patch does not apply: bring it up to date"
status=0
"$copy/selftests/vm.sh" -t "$((600 * SLOW_FACTOR))" -- \
	selftests/run.sh relay_gro >"$out" 2>&1 || status=$?
check_err $((status != 1)) "status $status, not 1"
told ' not ok 1 .*: merged' ' ok 2 .*: cut' ' ok 3 '
log_test "nothing is merged: the first test of relay_gro fails, and it alone"
ktap_finished
