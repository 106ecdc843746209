#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [TABLE...]: what a packet costs, in a VM whose clock counts
# instructions, beside the tunnels that the kernel has, and Miredo. All tables,
# profiles, and the plots of Documentation/, if none is named. QUICK=1: small
# packets only, two minutes. `bench.sh scaling`: two CPUs beside one, by an
# ordinary clock.
cd -P "$(dirname "$0")/.." || exit
[[ ${1:-} != scaling ]] ||
	exec selftests/vm.sh -c 2 -m 2048 -t 3600 -- selftests/bench/scaling.py
plots=$PWD/Documentation/networking
set -- ${QUICK:+quick} "$@"
(($#)) || set -- --plots "$plots"
exec selftests/vm.sh -i -m 4096 -t 3600 -w "$plots" -- \
	selftests/bench/bench.py "$@"
