#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The configuration file: what is wrong in it is told with its line, and what
# it says is done (C-09, C-10, C-35, CL-Q-38, CL-S-01, CL-S-10)
# shellcheck source-path=SCRIPTDIR source=qual_net.sh
. "$(dirname "$0")/qual_net.sh"

ALL_TESTS="lines whole secrets which sections interval nat_detect
	unfit"

# conf TEXT: with \n, the file
conf()
{
	printf '%b' "$1" >"$LOGS/conf"
}

# refused MESSAGE [WORD]...: with this file
refused()
{
	local text="teredod: $LOGS/conf$1" status=0

	shift
	ip netns exec "$client" timeout 20 teredod -f -c "$LOGS/conf" "$@" \
		>"$LOGS/out" 2>&1 || status=$?
	[ "$status" = 1 ]
	check_err $? "exit status $status for $text"
	[ "$(cat "$LOGS/out")" = "$text" ]
	check_err $? "says $(cat "$LOGS/out"), not $text"
}

lines()
{
	local long

	conf "force = on\n\nsever = 5.6.7.8\n"
	refused ":3: unknown key \"sever\"" teredo0
	conf "[other0]\nsever = 5.6.7.8\n"
	refused ":2: unknown key \"sever\"" teredo0
	conf "; comment\nforce\n"
	refused ":2: neither [DEVICE] nor KEY = VALUE" teredo0
	conf "[teredo0\n"
	refused ":1: neither [DEVICE] nor KEY = VALUE" teredo0
	conf "force = yes\nsymmetric = off\nsever = 1\n"
	refused ":1: force is \"on\" or \"off\", not \"yes\"" teredo0
	conf "nat-detect = \n"
	refused ":1: nat-detect is \"on\" or \"off\", not \"\"" teredo0
	conf "refresh-interval = 4\n"
	refused ":1: refresh-interval is a number of seconds from 5 to 600, not \"4\"" teredo0
	conf "refresh-interval = 30s\n"
	refused ":1: refresh-interval is a number of seconds from 5 to 600, not \"30s\"" teredo0
	conf "algorithm = hmac-md5\n"
	refused ":1: algorithm is \"hmac-sha1\" or \"hmac-sha256\", not \"hmac-md5\"" teredo0
	conf "server =\n"
	refused ":1: server is empty" teredo0
	conf "server = $(echo host{1..17})\n"
	refused ":1: more than 16 servers" teredo0
	conf "[teredo0]\n  server = 5.6.7.8\n  sever = 1\n"
	refused ":3: unknown key \"sever\"" teredo0
	conf "secondary = a b\n"
	refused ":1: secondary is one name or address" teredo0
	conf "force = on\n[teredo0]\nforce = off\nforce = on\n"
	refused ":4: force is given twice" teredo0
	conf "[a-name-that-is-too-long]\nforce = on\n"
	refused ":2: [a-name-that-is-too-long] is not the name of a device" \
		teredo0
	printf -v long 'force = %0300d' 0
	conf "symmetric = on\n$long\n"
	refused ":2: the line is longer than 198 characters" teredo0
	log_test "a line that is wrong is named"
}

whole()
{
	conf "secondary = $SECONDARY\n"
	refused ": secondary belongs to one server" teredo0
	conf "refresh-interval = 20\ninterval-determination = on\n"
	refused ": either refresh-interval or interval-determination" teredo0
	conf "identifier = host\n"
	refused ": identifier and secret-file belong together" teredo0
	conf "secret-file = $LOGS/secret\n"
	refused ": identifier and secret-file belong together" teredo0
	conf "algorithm = hmac-sha256\n"
	refused ": algorithm needs identifier and secret-file" teredo0
	rm "$LOGS/conf"
	refused ": No such file or directory" teredo0
	log_test "what does not go together is told (CL-S-01)"
}

# secret MESSAGE
bad_secret()
{
	local status=0

	ip netns exec "$client" timeout 20 teredod -f -c "$LOGS/conf" teredo0 \
		>"$LOGS/out" 2>&1 || status=$?
	[ "$status" = 1 ]
	check_err $? "exit status $status"
	[ "$(cat "$LOGS/out")" = "teredod: $LOGS/secret: $1" ]
	check_err $? "says $(cat "$LOGS/out")"
}

secrets()
{
	local private="has to be a file of root that nobody else may read or write"

	conf "identifier = host\nsecret-file = $LOGS/secret\n"
	bad_secret "No such file or directory"
	echo not-to-be-seen >"$LOGS/secret"
	chmod 644 "$LOGS/secret"
	bad_secret "$private"
	chmod 620 "$LOGS/secret"
	bad_secret "$private"
	chmod 600 "$LOGS/secret"
	chown 65534 "$LOGS/secret"
	bad_secret "$private"
	chown 0 "$LOGS/secret"
	: >"$LOGS/secret"
	bad_secret "a secret has 1 to 1024 octets"
	head -c 1026 /dev/zero >"$LOGS/secret"
	bad_secret "a secret has 1 to 1024 octets"
	rm "$LOGS/secret"
	mkdir "$LOGS/secret"
	bad_secret "$private"
	rmdir "$LOGS/secret"
	log_test "the secret's file is root's alone (CL-S-10)"
}

which()
{
	conf "force = on\n"
	refused ": no section, so say which device"
	conf "[teredo0]\nforce = on\n[teredo1]\nforce = on\n"
	refused ": several sections, so say which device"
	log_test "the device is named, or the only one of the file"
}

sections()
{
	ip -n "$client" link set teredo0 type teredo server 0.0.0.0
	conf "server = 5.6.7.99\nsecondary = 5.6.7.98\n[teredo0]\nserver = $PRIMARY\n"
	LOG=$(mktemp "$LOGS/helper.XXXXXX")
	ip netns exec "$client" teredod -f -c "$LOGS/conf" 2>"$LOG" &
	HELPER=$!
	qualified "$client"
	check_err $? "not qualified"
	[ "$(status '|"\(.server) \(.secondary)"')" = "$PRIMARY $SECONDARY" ]
	check_err $? "another server"
	helper_end TERM
	log_helper_test "the device's section comes before what is for all"
}

interval()
{
	conf "server = $PRIMARY\nrefresh-interval = 5\n[other0]\nforce = on\n"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	slowwait 20 sent_more_than "$(($(solicitations) + 2))"
	check_err $? "solicitations: $(solicitations)"
	(($(routes | sed -n 's/.*expires \([0-9]*\)sec.*/\1/p') <= 40))
	check_err $? "lifetime: $(routes)"
	helper_end TERM
	log_helper_test "an interval of 5 s (C-09, C-10, C-35)"
}

nat_detect()
{
	local sent

	sent=$(solicitations)
	conf "server = $PRIMARY\nnat-detect = off\n"
	helper_start "$client" -c "$LOGS/conf"
	qualified "$client"
	check_err $? "not qualified"
	[ "$(solicitations)" = $((sent + 1)) ]
	check_err $? "more than one solicitation"
	[ "$(status .nat)" = unknown ]
	check_err $? "NAT $(status .nat)"
	helper_end TERM
	log_helper_test "nat-detect off: the secondary is not asked (CL-Q-38)"
}

# unfit_one ADDRESS: told as one that is no server's; offline, with the reason
unfit_one()
{
	helper_start "$client" -c "$LOGS/conf"
	slowwait 20 logged "offline"
	check_err $? "state $(status .state)"
	logged "no server can be at $1"
	check_err $? "$1 is not told"
	[ "$(status .error)" = \
		"no server: no address of a server is fit for one" ]
	check_err $? "reason: $(status .error)"
	helper_end TERM
}

unfit()
{
	conf "server = 10.0.0.1\n"
	unfit_one 10.0.0.1
	conf "server = $PRIMARY\nsecondary = 192.0.2.1\n"
	unfit_one 192.0.2.1
	log_helper_test "an address that no server can have is told (G-02)"
}

qual_setup
client_add
tests_run
ktap_finished
