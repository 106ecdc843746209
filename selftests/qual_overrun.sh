#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Notifications that the helper has no room for, and changes that are over
# before it looks: what counts is noticed all the same (CL-O-01, CL-Q-20, SEC-56)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="lost down_and_up control gone"

# frozen COMMAND...: while the helper does not look
frozen()
{
	local status=0

	kill -STOP "$HELPER"
	"$@" || status=$?
	kill -CONT "$HELPER"
	return "$status"
}

# churn: more notifications than a socket holds, of each kind
churn()
{
	local i

	ip -n "$client" link add noise0 type dummy
	for ((i = 0; i < 1000; i++)); do
		echo "link set noise0 mtu $((1300 + i))"
		echo "route replace 10.1.0.0/24 via 192.168.7.1 mtu $((600 + i))"
		echo "route replace 3fff:0:$i::/48 dev lo"
	done | ip -n "$client" -b -
	ip -n "$client" link delete noise0
}

# drops: how many sockets of the helper's namespace have lost messages
drops()
{
	ip netns exec "$client" awk '$9 > 0 { n++ } END { print n + 0 }' \
		/proc/net/netlink
}

lost()
{
	helper_start "$client"
	qualified "$client"
	check_err $? "not qualified"
	frozen churn
	slowwait 10 state_is qualified
	[ "$(drops)" -ge 3 ]
	check_err $? "only $(drops) sockets have lost messages"
	# or the NAT takes the new address for another host
	nat_maps "masquerade to :40001"
	ip -n "$client" addr add 192.168.7.3/24 dev eth0
	ip -n "$client" route replace default via 192.168.7.1 src 192.168.7.3
	slowwait 20 logged "now from 192.168.7.3"
	check_err $? "the new address is not noticed"
	qualified "$client"
	check_err $? "not qualified from the new address"
	log_helper_test "lost notifications: changes of the underlay are noticed"

	ip -n "$client" addr add 3fff:ffff::1/128 dev eth0 nodad
	ip -n "$client" -6 route add default via fe80::9 dev eth0
	slowwait 20 state_is dormant
	check_err $? "state $(status .state) beside other IPv6"
	ip -n "$client" -6 route del default via fe80::9 dev eth0
	qualified "$client"
	check_err $? "not qualified after that"
	log_helper_test "lost notifications: other IPv6 is noticed (CL-O-01)"
}

both_ways()
{
	ip -n "$client" -b - <<-END
		link set teredo0 down
		link set teredo0 up
	END
}

down_and_up()
{
	frozen both_ways
	slowwait 10 logged "the device is down"
	check_err $? "not noticed"
	qualified "$client"
	check_err $? "not qualified again"
	log_helper_test "down and up at once: it begins anew (CL-Q-20)"
}

# flood: advertisements as long as they get, as many as the kernel lets through
flood()
{
	ip netns exec "$nat" env PYTHONPATH="$(dirname "$0")" python3 - "$PRIMARY" \
		192.168.7.2 "$PORT" <<-END
		import socket, sys
		import wire
		server, host, port = sys.argv[1:]
		advert = wire.icmp6("fe80::1", wire.CLIENT_LL, 134,
		                    body=bytes(1400), hop_limit=255)
		packet = wire.udp4((server, 3544), (host, int(port)), advert)
		raw = socket.socket(socket.AF_INET, socket.SOCK_RAW,
		                    socket.IPPROTO_RAW)
		for _ in range(400):
		    raw.sendto(packet, (host, 0))
	END
}

control()
{
	PORT=$(status .port)
	frozen flood
	slowwait 10 full
	check_err $? "nothing was lost: $(status .stats.rx_ctrl) came"
	kill -0 "$HELPER"
	check_err $? "the helper has ended"
	ip -n "$client" link set teredo0 down
	ip -n "$client" link set teredo0 up
	qualified "$client"
	check_err $? "not qualified again"
	log_helper_test "a flood of control packets: no harm (SEC-56)"
}

full()
{
	(($(status .stats.rx_ctrl_full) > 0))
}

gone()
{
	frozen churn
	ip -n "$client" link delete teredo0
	helper_gone "$GONE"
	log_helper_test "lost notifications: a device that goes is noticed"
}

qual_setup
client_add
tests_run
ktap_finished
