#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host whose IPv6 is switched off (ipv6.disable=1): a device is refused in
# words, nothing is said in the log, and the module goes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

vm=$(dirname "$0")/vm.sh
out=$(mktemp)
defer rm -f "$out"

ktap_print_header
status=0
"$vm" -t 300 -k ipv6.disable=1 -- sh -c '
	grep -c "^ipv6.disable=1$" <<-END
	$(tr " " "\n" </proc/cmdline)
	END
	ip link add type teredo && echo made
	modprobe teredo && echo loaded
	dmesg | sed "1,/teredo-vm: the command starts/d" | grep -v taint |
		sed "s/^/log: /"' >"$out" 2>&1 || status=$?
check_err $((status != 0)) "status $status"
grep -qx 1 "$out"
check_err $? "IPv6 is not switched off"
[[ $RET == 0 ]] || sed 's/^/# /' "$out"
log_test "the log holds no fault, the module unloads"

grep -q "Error: IPv6 is disabled on this host" "$out"
check_err $? "$(<"$out")"
grep -qx made "$out"
check_fail $? "ip link add succeeds"
log_test "a device is refused, in words"

grep -qx loaded "$out"
check_err $? "the module does not load"
grep -q "^log: " "$out"
check_fail $? "$(grep "^log: " "$out")"
log_test "the module loads, and nothing is printed"
ktap_finished
