#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Secure qualification with a server that has the key, or has not (CL-S-01, 02,
# 04, 07 to 10)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"
require_command tcpdump

ALL_TESTS="no_key sha1 sha256 wrong_secret not_known expired hidden"
SECRET=nobody-is-to-see-this

# key COMMAND...: of the server's keys
key()
{
	ip netns exec "$core" teredoctl key "$1" server0 "${@:2}"
}

# conf LINE...: the client's file
conf()
{
	printf '%s\n' "identifier = host" "secret-file = $LOGS/secret" "$@" \
		>"$LOGS/conf"
	(umask 077 && echo "$SECRET" >"$LOGS/secret")
}

no_key()
{
	ip -n "$core" link set server0 type teredo secure on
	helper_start "$client"
	slowwait 30 logged "offline"
	check_err $? "state $(status .state)"
	helper_end TERM
	log_helper_test "a secure server does not answer without a key"
}

sha1()
{
	local capture

	conf
	echo "$SECRET" | key set host
	ip netns exec "$core" tcpdump -x -n -l -c 1 -i eth0 udp dst port 3544 \
		>"$LOGS/capture" 2>"$LOGS/tcpdump" &
	capture=$!
	slowwait 20 grep -q listening "$LOGS/tcpdump"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(part .port)" = 40001 ]
	check_err $? "address $(address)"
	wait "$capture"
	# 4 octets of identifier, 20 of value, confirmation 0, 48 of IPv6
	sed -n 's/^\t0x[0-9a-f]*: *//p' "$LOGS/capture" | tr -d ' \n' |
		grep -qE '^.{56}00010414686f7374.{40}.{16}006.{95}$'
	check_err $? "not authenticated: $(cat "$LOGS/capture")"
	log_helper_test "HMAC-SHA1, the default: qualified (CL-S-01, CL-S-02, CL-S-04, CL-S-07)"
	helper_end TERM
}

sha256()
{
	conf "algorithm = hmac-sha256"
	key del host
	echo "$SECRET" | key set host hmac-sha256
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	log_helper_test "HMAC-SHA256: qualified (CL-S-04)"
	helper_end TERM
}

wrong_secret()
{
	key del host
	echo another | key set host hmac-sha256
	helper_start "$client" -c "$LOGS/conf"
	slowwait 30 logged "offline"
	check_err $? "state $(status .state)"
	log_helper_test "another secret: no answer that counts"
	helper_end TERM
}

# A server that asks nobody for keys, and does not know ours
not_known()
{
	key del host
	ip -n "$core" link set server0 type teredo secure off
	helper_start "$client" -c "$LOGS/conf"
	slowwait 30 logged "offline"
	check_err $? "state $(status .state)"
	nothing_left
	check_err $? "there is an address"
	log_helper_test "a server without our key is not believed (CL-S-09)"
	helper_end TERM
	ip -n "$core" link set server0 type teredo secure on
}

# complains TEXT: what status says though the client is qualified
complains()
{
	state_is qualified && [ "$(status .error)" = "$1" ]
}

expired()
{
	conf
	echo "$SECRET" | key set host
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	complains ""
	check_err $? "before: $(status .state) $(status .error)"
	key expire host
	# with the next refresh
	slowwait 40 complains "the server asks for a new key"
	check_err $? "$(status .state) $(status .error)"
	logged "the server $PRIMARY asks for a new key"
	check_err $? "not in the log"
	[ "$(part .port)" = 40001 ]
	check_err $? "address $(address)"
	log_helper_test "a key that expires: qualified, and a new one is asked for (CL-S-08)"

	echo "$SECRET" | key set host
	slowwait 40 complains ""
	check_err $? "$(status .state) $(status .error)"
	log_helper_test "a new key: no complaint any more (CL-S-07, CL-S-08)"
	helper_end TERM
}

hidden()
{
	conf
	echo "$SECRET" | key set host
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	{
		cat "$LOGS"/helper.* "/proc/$HELPER/cmdline" \
			"/proc/$HELPER/environ"
		ip netns exec "$client" teredoctl -j status
		ip netns exec "$client" teredoctl status
		ip -n "$client" -d link show teredo0
		ip netns exec "$core" teredoctl key list server0
		ip -n "$core" -d link show server0
		dmesg
	} 2>/dev/null | tr '\0' '\n' | grep -q "$SECRET"
	check_fail $? "the secret is shown"
	log_helper_test "the secret is shown nowhere (CL-S-10)"
}

qual_setup
client_add
tests_run
ktap_finished
