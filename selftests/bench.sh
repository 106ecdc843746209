#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [TABLE...]: what a packet costs, in a VM whose clock counts
# instructions, beside the tunnels that the kernel has, and Miredo. QUICK=1:
# small packets only, two minutes.
exec "$(dirname "$0")/vm.sh" -i -m 4096 -t 3600 -- \
	selftests/bench/bench.py ${QUICK:+quick} "$@"
