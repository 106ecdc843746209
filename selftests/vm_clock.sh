#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The clock that counts instructions tells the same figure twice, and waiting
# is exact and takes no time.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

vm=$(dirname "$0")/vm.sh

# nanoseconds of a loop that keeps the CPU busy, the least of 8; then of a
# wait of 30 s
# shellcheck disable=SC2016	# expanded in the VM
measure='
import time
best = None
for _ in range(8):
    start = time.monotonic_ns()
    sum(i * i for i in range(20000))
    took = time.monotonic_ns() - start
    best = took if best is None else min(best, took)
start = time.monotonic_ns()
time.sleep(30)
print(best, (time.monotonic_ns() - start) // 10**7)'

figures()
{
	"$vm" -i -t 600 -- python3 -c "$measure"
}

ktap_print_header
read -r first wait_first <<<"$(figures)"
read -r second wait_second <<<"$(figures)"
ktap_print_msg "loop: $first and $second ns"
ktap_print_msg "wait: $wait_first and $wait_second times 10 ms"

((first > 0 && (first - second) ** 2 * 10 ** 8 < first ** 2))
check_err $? "they differ by more than 1 in 10^4"
log_test "the same figure twice"

((wait_first >= 3000 && wait_first <= 3005 && wait_second <= 3005))
check_err $? "30 s were not 30 s"
log_test "waiting is exact"
ktap_finished
