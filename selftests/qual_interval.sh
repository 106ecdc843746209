#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Interval determination: how long the NAT keeps a mapping is found out with a
# second port (CL-I-01 to 11; C-23, V-04)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"
require_command tcpdump

ALL_TESTS="off blocked short long hairpin"

# keeps SECONDS: a mapping of the NAT
keeps()
{
	ip netns exec "$nat" sysctl -qw \
		net.netfilter.nf_conntrack_udp_timeout="$1" \
		net.netfilter.nf_conntrack_udp_timeout_stream="$1"
}

# start: what the client's ports send is in capture
start()
{
	: >"$LOGS/capture"
	ip netns exec "$client" tcpdump -tt -n -l -Q out -i eth0 udp \
		>>"$LOGS/capture" 2>"$LOGS/tcpdump" &
	CAPTURE=$!
	slowwait 20 grep -q listening "$LOGS/tcpdump"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
}

end()
{
	helper_end TERM
	kill_process "$CAPTURE"
}

# sockets: UDP ports besides the service port and the discovery group's
sockets()
{
	ip netns exec "$client" ss -Hnua \
		"sport != :$(status .port) and sport != :3544"
}

# from_second FIELD: of what the second port sent
from_second()
{
	awk -v service="192.168.7.2.$(status .port)" -v field="$1" '
		$3 != service { print $field }' "$LOGS/capture"
}

# gaps: whole seconds between what the second port sent
gaps()
{
	from_second 1 | awk 'NR > 1 { printf "%d ", $1 - last + 0.5 }
		{ last = $1 }'
}

off()
{
	echo >"$LOGS/conf"
	start
	sleep 5
	[ ! "$(sockets)" ]
	check_err $? "a second port: $(sockets)"
	log_helper_test "off unless it is switched on"
	end
}

blocked()
{
	echo "interval-determination = on" >"$LOGS/conf"
	# the service port alone is mapped so
	nat_maps "udp sport $(status .port) masquerade to :40001" masquerade
	server_mute "udp sport != 40001"
	start
	slowwait 30 logged "refresh interval 30 s: the secondary port is not answered"
	check_err $? "not given up"
	[ "$(from_second 5 | sort | uniq -c | xargs)" = "3 $PRIMARY.3544:" ]
	check_err $? "the second port sent: $(from_second 5)"
	[ ! "$(sockets)" ]
	check_err $? "the port is left: $(sockets)"
	state_is qualified
	check_err $? "state $(status .state)"
	server_mute
	log_helper_test "a second port that is not answered: 30 s (CL-I-02)"
	end
}

short()
{
	keeps 50
	start
	slowwait 30 logged "the secondary port is mapped to $OUTER:"
	check_err $? "not qualified"
	[ "$(sockets | wc -l)" = 1 ]
	check_err $? "sockets: $(sockets)"
	# waiting costs less than asking
	sleep 110
	slowwait 90 logged "refresh interval 45 s: determined"
	check_err $? "not determined"
	[ "$(grep -o 'mappings .*' "$LOG" | paste -sd,)" = \
		"mappings do not live for 60 s,mappings live for 45 s" ]
	check_err $? "steps"
	log_helper_test "a NAT of 50 s: not 60 s, but 45 s (CL-I-01, 03, 04, 05, 06, 08)"

	[ "$(from_second 5 | sort -u)" = "$PRIMARY.3544:" ]
	check_err $? "the second port sent to $(from_second 5 | sort -u)"
	# an answer, 60 s, four bubbles 2 s apart
	[[ $(gaps) =~ ^6[89]\ $ ]]
	check_err $? "solicitations of the second port: $(gaps) s apart"
	[ ! "$(sockets)" ]
	check_err $? "the port is left: $(sockets)"
	log_test "solicits between the steps, and nothing else (CL-I-10, CL-I-11)"
	end
}

long()
{
	keeps 300
	start
	sleep 150
	slowwait 100 logged "refresh interval 90 s: determined"
	check_err $? "not determined"
	[ "$(grep -o 'mappings .*' "$LOG" | paste -sd,)" = \
		"mappings live for 60 s,mappings live for 90 s" ]
	check_err $? "steps"
	log_helper_test "a NAT of 300 s: 60 s, then 90 s, and enough (CL-I-07, CL-I-09)"
	end
}

# The NAT sends back inside what comes from there for its own address. It
# keeps port numbers.
hairpin()
{
	local service second

	echo "interval-determination = on" >"$LOGS/conf"
	nat_maps masquerade
	ip netns exec "$nat" nft -f - <<-END
		table ip hairpin {
			chain pre {
				type nat hook prerouting priority dstnat
				iifname in ip daddr $OUTER meta l4proto udp dnat to 192.168.7.2
			}
			chain post {
				type nat hook postrouting priority srcnat
				oifname in meta l4proto udp snat to $OUTER
			}
		}
	END
	keeps 300
	start
	sleep 65
	slowwait 30 logged "mappings live for 60 s"
	check_err $? "not determined"
	service=192.168.7.2.$(status .port)
	second=$(from_second 3 | sort -u)
	[ "$(awk -v service="$service" '
		$3 == service && $NF == 40 && $5 !~ /^224/ { print $5 }
		' "$LOGS/capture" |
		sort | uniq -c | xargs)" = "2 $OUTER.${second##*.}:" ]
	check_err $? "bubbles: $(grep -F "$service > " "$LOGS/capture")"
	log_helper_test "a NAT with hairpin: the bubbles go to the mapping itself (CL-I-05)"
	end
	ip netns exec "$nat" nft delete table ip hairpin
}

qual_setup
client_add
tests_run
ktap_finished
