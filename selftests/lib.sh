# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every test has at hand: results in TAP, namespaces, waiting for
# events, and undoing. The names mean what they mean in the kernel's own
# selftests (net/lib.sh, kselftest/ktap_helpers.sh), so that a test moves
# there by its source line alone.

# shellcheck disable=SC2034	# for the tests
readonly KSFT_PASS=0 KSFT_FAIL=1 KSFT_XFAIL=2 KSFT_SKIP=4 \
	ksft_pass=0 ksft_fail=1 ksft_xfail=2 ksft_skip=4
# RET, retmsg: the outcome of the checks since the last log_test
RET=0 retmsg=''
EXIT_STATUS=$KSFT_PASS

# Timeouts are generous, and more so where everything is slow.
if [[ ${KSFT_MACHINE_SLOW:-} == yes ]]; then
	readonly SLOW_FACTOR=6
else
	readonly SLOW_FACTOR=2
fi

### TAP

declare -i ktap_tests=0 ktap_passed=0 ktap_failed=0 ktap_skipped=0
ktap_plan='' ktap_done=''

ktap_print_header()
{
	echo "TAP version 13"
}

ktap_print_msg()
{
	echo "#" "$@"
}

ktap_set_plan()
{
	ktap_plan=$1
	echo "1..$1"
}

# ktap_skip_all WHY: nothing of this file can run here
ktap_skip_all()
{
	echo "1..0 # SKIP $*"
	ktap_done=yes
	exit $KSFT_SKIP
}

ktap_test_pass()
{
	ktap_tests+=1 ktap_passed+=1
	echo "ok $ktap_tests $*"
}

ktap_test_fail()
{
	ktap_tests+=1 ktap_failed+=1
	# shellcheck disable=SC2034	# for the tests
	EXIT_STATUS=$KSFT_FAIL
	echo "not ok $ktap_tests $*"
}

ktap_test_skip()
{
	ktap_tests+=1 ktap_skipped+=1
	echo "ok $ktap_tests $* # SKIP"
}

# ktap_test_result DESCRIPTION COMMAND...: passes if the command does
ktap_test_result()
{
	local what=$1

	shift
	if "$@"; then
		ktap_test_pass "$what"
	else
		ktap_test_fail "$what"
	fi
}

# ktap_finished: the plan where none was given, the totals, the exit
ktap_finished()
{
	[[ $ktap_plan ]] || ktap_set_plan $ktap_tests
	ktap_print_msg "Totals: pass:$ktap_passed fail:$ktap_failed" \
		"skip:$ktap_skipped"
	ktap_done=yes
	if ((ktap_failed || ktap_tests != ktap_plan)); then
		exit $KSFT_FAIL
	elif ((ktap_tests && ktap_skipped == ktap_tests)); then
		exit $KSFT_SKIP
	fi
	exit $KSFT_PASS
}

### checks, and one line of TAP for all of them

# check_err STATUS MESSAGE: what should have worked
check_err()
{
	if ((RET == 0 && $1)); then
		RET=$1
		retmsg=${2:-}
	fi
}

# check_fail STATUS MESSAGE: what should not have worked
check_fail()
{
	if ((RET == 0 && !$1)); then
		RET=1
		retmsg=${2:-}
	fi
}

# check_err_fail SHOULD_FAIL STATUS WHAT
check_err_fail()
{
	if (($1)); then
		check_fail "$2" "$3 succeeded, but should have failed"
	else
		check_err "$2" "$3 failed"
	fi
}

# log_test NAME: the verdict of the checks since the last one
log_test()
{
	if ((RET == KSFT_SKIP)); then
		ktap_test_skip "$*"
	elif ((RET)); then
		ktap_test_fail "$*"
	else
		ktap_test_pass "$*"
	fi
	[[ $retmsg ]] && ktap_print_msg "$retmsg"
	RET=0 retmsg=''
	return 0
}

log_test_skip()
{
	RET=$KSFT_SKIP
	retmsg=${2:-}
	log_test "$1"
}

log_info()
{
	ktap_print_msg "$@"
}

# require_command NAME...: without it, the whole file is skipped
require_command()
{
	local name

	for name; do
		command -v "$name" >/dev/null ||
			ktap_skip_all "$name is not installed"
	done
}

# tests_run: the functions named in ALL_TESTS (or TESTS), each in a scope of
# its own for defer
tests_run()
{
	local test

	for test in ${TESTS:-$ALL_TESTS}; do
		in_defer_scope "$test"
	done
}

### waiting for events

# busywait MILLISECONDS COMMAND...: until the command succeeds; prints what it
# printed last
busywait()
{
	local limit=$(($1 * SLOW_FACTOR)) start now output

	shift
	start=$(date +%s%3N)
	while true; do
		if output=$("$@" 2>&1); then
			[[ ! $output ]] || echo "$output"
			return 0
		fi
		now=$(date +%s%3N)
		if ((now - start >= limit)); then
			[[ ! $output ]] || echo "$output"
			return 1
		fi
		sleep 0.02
	done
}

# slowwait SECONDS COMMAND...: the same, less often
slowwait()
{
	local limit=$(($1 * SLOW_FACTOR)) start=$SECONDS output

	shift
	while true; do
		if output=$("$@" 2>&1); then
			[[ ! $output ]] || echo "$output"
			return 0
		fi
		if ((SECONDS - start >= limit)); then
			[[ ! $output ]] || echo "$output"
			return 1
		fi
		sleep 0.2
	done
}

# not COMMAND...: so that busywait can wait for something to end
not()
{
	! "$@"
}

# wait_local_port_listen NAMESPACE PORT PROTOCOL
wait_local_port_listen()
{
	busywait 5000 local_port_listens "$@"
}

local_port_listens()
{
	ip netns exec "$1" ss -Hnl"${3:0:1}" "sport = :$2" | grep -q .
}

### undoing

# One entry a scope; commands of a scope are lines, the last one first.
declare -a defer_scopes=('')

# defer COMMAND...: run when the scope ends
defer()
{
	defer_scopes[-1]="${*@Q}"$'\n'"${defer_scopes[-1]}"
}

defer_scope_push()
{
	defer_scopes+=('')
}

defer_scope_pop()
{
	local commands=${defer_scopes[-1]}

	unset 'defer_scopes[-1]'
	eval "$commands"
}

in_defer_scope()
{
	local status=0

	defer_scope_push
	"$@" || status=$?
	defer_scope_pop
	return "$status"
}

# kill_process PID...: ends a background job and waits for it
kill_process()
{
	kill "$@" 2>/dev/null
	wait "$@" 2>/dev/null
	return 0
}

### captures

# complete_checksums NAMESPACE DEVICE...: as on a wire; veth leaves them pending
complete_checksums()
{
	local ns=$1 dev

	shift
	for dev; do
		ip netns exec "$ns" ethtool -K "$dev" tx off >/dev/null
	done
}

# capture_for_judge NAMESPACE DEVICE: keeps what passes there, until the scope
# ends, for run.sh to have tshark look at. Once that is long, no more.
capture_for_judge()
{
	local ns=$1 dev=$2 log

	[[ ${KSFT_CAPTURES:-} ]] || return 0
	log=$(mktemp)
	defer rm -f "$log"
	ip netns exec "$ns" tcpdump -U -n -c 20000 -i "$dev" \
		-w "$KSFT_CAPTURES/${0##*/}.$dev.pcap" udp and not port 53 \
		2>"$log" &
	defer kill_process "$!"
	slowwait 20 grep -q listening "$log"
}

### namespaces

declare -a NS_LIST=()

# setup_ns NAME...: makes a namespace for each name and sets the variable of
# that name to it. Loopback is up, addresses are usable at once.
setup_ns()
{
	local variable ns

	for variable; do
		ns=${variable,,}-$(printf '%06x' $((SRANDOM & 0xffffff)))
		ip netns add "$ns" || return
		NS_LIST+=("$ns")
		printf -v "$variable" %s "$ns"
		ip -n "$ns" link set lo up
		ip netns exec "$ns" sysctl -qw \
			net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
	done
}

# cleanup_ns NAMESPACE...: with all that runs in it
cleanup_ns()
{
	local ns pids

	for ns; do
		[[ -e /run/netns/$ns ]] || continue
		pids=$(ip netns pids "$ns")
		# shellcheck disable=SC2086	# words
		[[ ! $pids ]] || kill -KILL $pids 2>/dev/null
		ip netns delete "$ns"
	done
}

cleanup_all_ns()
{
	cleanup_ns "${NS_LIST[@]}"
	NS_LIST=()
}

lib_exit()
{
	local status=$?

	while ((${#defer_scopes[@]})); do
		defer_scope_pop
	done
	cleanup_all_ns
	if [[ ! $ktap_done ]] && ((ktap_tests)); then
		ktap_print_msg "ended early with status $status"
		((status)) || status=$KSFT_FAIL
	fi
	exit "$status"
}
trap lib_exit EXIT
