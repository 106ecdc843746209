#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Servers by name: several addresses in turn, primaries and secondaries in one
# name, and looking them up again (CL-Q-27, CL-Q-39, DEV-31)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"
require_command dnsmasq tcpdump

ALL_TESTS="pair in_turn crowd ways named again unknown dead elsewhere other_netns"
DNS=5.6.7.1
NAME=teredo.example.net

# name_is ADDRESS...: from now on
name_is()
{
	printf "%s $NAME\n" "$@" >"$LOGS/hosts"
	kill -HUP "$DNSMASQ"
	# nothing says when it has read that
	slowwait 10 asked_again "$(printf '%s\n' "$@" | sort)"
}

asked_again()
{
	[ "$(ip netns exec "$client" getent ahostsv4 "$NAME" |
		awk '{ print $1 }' | sort -u)" = "$1" ]
}

# resolv_conf NAMESPACE: looks names up at DNS
resolv_conf()
{
	mkdir -p "/etc/netns/$1"
	echo "nameserver $DNS" >"/etc/netns/$1/resolv.conf"
	defer rm -r "/etc/netns/$1"
}

names_setup()
{
	resolv_conf "$client"
	# more than one question at a time
	nat_maps "udp dport 53 masquerade" "masquerade to :40001"
	echo "$PRIMARY $NAME" >"$LOGS/hosts"
	ip netns exec "$core" dnsmasq -k -C /dev/null -u root --no-resolv \
		--local=/example.net/ \
		--no-hosts --addn-hosts="$LOGS/hosts" --listen-address=$DNS \
		--bind-interfaces --pid-file="$LOGS/pid" 2>"$LOGS/dnsmasq" &
	DNSMASQ=$!
	defer kill_process "$DNSMASQ"
	wait_local_port_listen "$core" 53 udp
	echo "server = $NAME" >"$LOGS/conf"
	ip netns exec "$core" tcpdump -n -l -i eth0 udp dst port 3544 \
		>>"$LOGS/capture" 2>"$LOGS/tcpdump" &
	defer kill_process "$!"
	slowwait 20 grep -q listening "$LOGS/tcpdump"
}

# asked: the servers in the order that they were asked
asked()
{
	sed -n 's/.* > \(.*\)\.3544: .*/\1/p' "$LOGS/capture" | uniq |
		paste -sd' '
}

asked_are()
{
	[ "$(asked)" = "$*" ]
}

pair()
{
	name_is "$SECONDARY" "$PRIMARY"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	slowwait 5 asked_are "$PRIMARY" "$SECONDARY"
	check_err $? "asked: $(asked)"
	[ "$(status .nat)" = restricted ]
	check_err $? "NAT $(status .nat)"
	log_helper_test "of two consecutive addresses the higher is the secondary (CL-Q-39)"
	helper_end TERM
}

in_turn()
{
	name_is 5.6.7.101 5.6.7.103 5.6.7.105 5.6.7.107 "$PRIMARY"
	helper_start "$client" -c "$LOGS/conf"
	slowwait 80 logged "qualified as"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status .server)" = "$PRIMARY" ]
	check_err $? "server $(status .server)"
	[ "$(part .server)" = "$PRIMARY" ]
	check_err $? "address $(address)"
	grep -q "offline" "$LOG"
	check_fail $? "gave up between two"
	log_helper_test "five addresses, at most four silent: one qualifies (CL-Q-27)"
	helper_end TERM
}

# all that fits into an answer, and nobody is there
crowd()
{
	ip -n "$client" route add unreachable 5.6.8.0/24
	# more than 512 octets
	echo "options edns0" >>"/etc/netns/$client/resolv.conf"
	name_is 5.6.8.{1..32}
	echo "server = $NAME $PRIMARY" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified: $(status .error)"
	log_helper_test "a name with 32 addresses leaves room for others (CL-Q-27)"
	helper_end TERM
	sed -i "/^options/d" "/etc/netns/$client/resolv.conf"
}

ways()
{
	local asked

	echo "server = 5.6.8.1 5.6.7.101" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	slowwait 40 logged "offline"
	asked=$(grep -c "asking" "$LOG")
	ip -n "$client" link add other0 type dummy
	ip -n "$client" link set other0 up
	# longer than what the helper takes for one change
	sleep 1
	[ "$(grep -c "asking" "$LOG")" = "$asked" ]
	check_err $? "tries again for nothing"
	ip -n "$client" link del other0
	ip -n "$client" route del unreachable 5.6.8.0/24
	slowwait 5 logged "asking the server 5.6.8.1"
	check_err $? "does not try again"
	log_helper_test "offline: a new way to any of the servers counts (CL-Q-19)"
	helper_end TERM
	echo "server = $NAME" >"$LOGS/conf"
}

# The rule of consecutive addresses is wrong here: the primary is the higher one
named()
{
	ip -n "$core" addr add 65.54.227.151/32 dev eth1
	ip -n "$core" addr add 65.54.227.150/32 dev eth1
	ip -n "$core" link add server1 type teredo mode server \
		local 65.54.227.151 secondary 65.54.227.150
	ip -n "$core" link set server1 up
	name_is 65.54.227.150 65.54.227.151
	: >"$LOGS/capture"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status '|"\(.server) \(.secondary) \(.nat)"')" = \
		"65.54.227.151 65.54.227.150 restricted" ]
	check_err $? "server $(status '|"\(.server) \(.secondary) \(.nat)"')"
	logged "65.54.227.150 says that the primary address is 65.54.227.151"
	check_err $? "not told"
	log_helper_test "an answer that names another address of ours: that is asked (CL-Q-39)"
	helper_end TERM
	ip -n "$core" link del server1
}

again()
{
	name_is 5.6.7.101
	helper_start "$client" -c "$LOGS/conf"
	slowwait 40 logged "offline"
	check_err $? "state $(status .state)"
	name_is "$PRIMARY"
	ip -n "$client" route replace default via 192.168.7.1 src 192.168.7.2
	qualified "$client"
	check_err $? "not qualified"
	log_helper_test "a new start looks the name up again (CL-Q-27)"
	helper_end TERM
}

unknown()
{
	echo "server = nobody.example.net" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	slowwait 60 logged "offline"
	[[ $(status .error) == "no server: nobody.example.net: "* ]]
	check_err $? "reason: $(status .error)"
	log_helper_test "a name that there is not: offline, with the reason"
	helper_end TERM
	echo "server = nobody.example.net $NAME" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	log_helper_test "the other names count"
	helper_end TERM
	echo "server = $NAME" >"$LOGS/conf"
}

# A name server that is silent keeps the C library for longer than the limit.
dead()
{
	echo "server = $NAME $PRIMARY" >"$LOGS/conf"
	kill -STOP "$DNSMASQ"
	echo "options timeout:20" >>"/etc/netns/$client/resolv.conf"
	helper_start "$client" -c "$LOGS/conf"
	slowwait 60 logged "qualified as"
	qualified "$client"
	check_err $? "not qualified: $(status .error)"
	log_helper_test "an address counts while names have no answer (CL-Q-27)"
	helper_end TERM
	echo "server = $NAME" >"$LOGS/conf"
	helper_start "$client" -c "$LOGS/conf"
	slowwait 60 logged "offline"
	[[ $(status .error) == "no server: "*"name servers do not answer" ]]
	check_err $? "reason: $(status .error)"
	log_helper_test "no answer from any: offline, with the reason"
	helper_end TERM
	sed -i "/^options/d" "/etc/netns/$client/resolv.conf"
	kill -CONT "$DNSMASQ"
}

elsewhere()
{
	setup_ns inside
	# shellcheck disable=SC2154	# setup_ns assigns it
	ip -n "$client" link set teredo0 netns "$inside"
	ip -n "$inside" link set teredo0 up
	helper_start "$inside" -c "$LOGS/conf"
	slowwait 10 state_is error "$inside"
	check_err $? "state $(status .state "$inside")"
	[[ $(status .error "$inside") == *"only with option -n"* ]]
	check_err $? "reason: $(status .error "$inside")"
	log_helper_test "the underlay is elsewhere, where is not known: no names"
	helper_end TERM
}

# This namespace has no way to a name server, and another resolv.conf
other_netns()
{
	helper_start "$inside" -n "$client" -c "$LOGS/conf"
	qualified "$inside"
	check_err $? "not qualified"
	log_helper_test "names are looked up where the underlay is"
}

qual_setup
names_setup
client_add
tests_run
ktap_finished
