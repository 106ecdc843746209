#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the helper takes for an answer of a server and what not: see
# qual_answers.py, which plays the servers
#
#   client ------------- internet
#   203.219.21.70        203.219.21.1
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command teredod teredoctl python3

setup_ns client internet || ktap_skip_all "no namespaces"
# shellcheck disable=SC2154	# setup_ns assigns them
ip link add eth0 netns "$client" type veth peer name eth0 netns "$internet"
ip -n "$client" -b - <<-END
	addr add 203.219.21.70/24 dev eth0
	link set eth0 up
	route add default via 203.219.21.1
	link add teredo0 type teredo server 65.54.227.142 port 54110
	link set teredo0 up
END
ip -n "$internet" addr add 203.219.21.1/24 dev eth0
ip -n "$internet" link set eth0 up

log=$(mktemp)
defer rm -f "$log"
ip netns exec "$client" teredod -f teredo0 2>"$log" &
defer kill_process "$!"
PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "$0")/qual_answers.py" \
	"$client" "$internet" || {
	status=$?
	tail -n 20 "$log" | sed 's/^/# /'
	exit "$status"
}
