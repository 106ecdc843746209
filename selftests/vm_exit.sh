#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The VM passes a command's arguments, output and exit status through, has
# no network device, and lets nothing but -w's folder be written.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

vm=$(dirname "$0")/vm.sh
work=$(mktemp -d)
defer rm -rf "$work"
mkdir "$work/rw"
chmod 755 "$work"

status=0
# shellcheck disable=SC2016	# expanded in the VM
"$vm" -t 300 -w "$work/rw" -- bash -c '
	echo "out $1|$2|$PWD"
	echo "err" >/dev/stderr
	echo kept >"$3/file"
	touch "$0.new" 2>/dev/null && echo "the repository is writable"
	ls /sys/class/net >"$3/devices"
	touch /etc/here && echo "the root can be written"
	sleep 1000 &
	exit 7' "$PWD/Makefile" 'two  words' "quo'te\"\$x" "$work/rw" \
	>"$work/out" 2>"$work/err" || status=$?

ktap_print_header
check_err $((status != 7)) "status $status"
log_test "exit status"

diff -u - "$work/out" <<END
out two  words|quo'te"\$x|$(cd "$(dirname "$0")/.." && pwd -P)
the root can be written
END
check_err $? "see above"
log_test "arguments, output, the repository read-only at its own path"

check_err $(($(grep -cv '^vm: ' "$work/err") != 1)) "$(cat "$work/err")"
grep -qx err "$work/err"
check_err $? "$(cat "$work/err")"
log_test "standard error, apart, also by way of /dev/stderr"

[[ $(<"$work/rw/file") == kept ]]
check_err $? "not written"
log_test "a writable folder at its own path"

[[ $(<"$work/rw/devices") == lo ]]
check_err $? "$(<"$work/rw/devices")"
log_test "no network device but lo"
ktap_finished
