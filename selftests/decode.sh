#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# teredoctl decode and encode: the parts of a Teredo address, there and back.
# Needs neither the module nor privileges.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

ADDR=2001:0:4136:e38e:14e4:2ca1:3424:eab9
PARTS="server 65.54.227.142 client 203.219.21.70:54110 flags 0x14e4"
JSON="{\"address\":\"$ADDR\",\"prefix\":\"2001::/32\","
JSON+='"server":"65.54.227.142","flags":"0x14e4","cone":false,'
JSON+='"port":54110,"client":"203.219.21.70","notes":[]}'

err=$(mktemp)
defer rm -f "$err"

golden_json()
{
	[ "$(teredoctl -j decode "$ADDR")" = "$JSON" ] &&
		[ "$(teredoctl decode "$ADDR" -j)" = "$JSON" ]
}

golden_text()
{
	diff -u - <(teredoctl decode "$ADDR") <<-END
		address  $ADDR
		prefix   2001::/32
		server   65.54.227.142
		flags    0x14e4
		  C      0       cone NAT; always 0 since RFC 5991
		  z      0       reserved
		  R1     0x5     random
		  U      0       universal/local
		  G      0       individual/group
		  R2     0xe4    random
		port     54110 (0x2ca1 inverted)
		client   203.219.21.70 (0x3424eab9 inverted)
	END
}

golden_encode()
{
	# shellcheck disable=SC2086	# words
	[ "$(teredoctl encode $PARTS)" = $ADDR ] &&
		[ "$(teredoctl -j encode $PARTS)" = "$JSON" ]
}

# Python's ipaddress knows server and client of an address, too
judge()
{
	python3 -c '
import ipaddress, sys
for line in sys.stdin:
    addr, server, client = line.split()
    assert ipaddress.ip_address(addr).teredo == tuple(
        map(ipaddress.ip_address, (server, client))), line'
}

# random_quad VARIABLE
random_quad()
{
	printf -v "$1" %d.%d.%d.%d $((RANDOM % 256)) $((RANDOM % 256)) \
		$((RANDOM % 256)) $((RANDOM % 256))
}

# decode and encode are inverse for any value of each part
round_trips()
{
	local server client port flags cone addr json expected lines='' i

	for ((i = 0; i < 20; i++)); do
		random_quad server
		random_quad client
		port=$((RANDOM * 2 + 1))
		printf -v flags 0x%04x $((RANDOM * 2 + RANDOM % 2))
		cone=$( ((flags & 0x8000)) && echo true || echo false)
		addr=$(teredoctl encode flags "$flags" server "$server" \
			client "$client:$port") || return 1
		expected="{\"address\":\"$addr\",\"prefix\":\"2001::/32\","
		expected+="\"server\":\"$server\",\"flags\":\"$flags\","
		expected+="\"cone\":$cone,\"port\":$port,"
		expected+="\"client\":\"$client\",\"notes\":["
		json=$(teredoctl -j decode "$addr") || return 1
		[[ $json == "$expected"* ]] || {
			echo "# $json, not $expected"
			return 1
		}
		lines+="$addr $server $client"$'\n'
	done
	judge <<<"${lines%$'\n'}"
}

# notes ADDRESS WORD...: a note for each WORD, its subject, in that order
notes()
{
	local line found=''

	while read -ra line; do
		[[ ${line[0]} == note ]] || continue
		[[ ${line[1]} == the ]] && unset 'line[1]'
		found+=" ${line[*]:1:1}"
	done < <(teredoctl decode "$1")
	[[ $found == " ${*:2}" || $found == "${*:2}" ]] && return
	echo "# $1: notes on$found, not ${*:2}"
	return 1
}

all_notes()
{
	local bad=0

	notes 2001:0:4136:e38e:14e4:2ca1:3424:eab9 || bad=1
	notes 2001:0:a00:1:0:2ca1:3424:eab9 server || bad=1
	notes 2001:0:4136:e38e:0:2ca1:3f57:fefd client || bad=1
	notes 2001:0:4136:e38e:0:ffff:3424:eab9 port || bad=1
	notes 2001:0:4136:e38e:8000:2ca1:3424:eab9 C || bad=1
	notes 2001:0:4136:e38e:4000:2ca1:3424:eab9 z || bad=1
	notes 2001:0:4136:e38e:200:2ca1:3424:eab9 U || bad=1
	notes 2001:0:4136:e38e:100:2ca1:3424:eab9 U || bad=1
	notes 2001:db8:4136:e38e:0:2ca1:3424:eab9 not || bad=1
	notes 2001:db8::ffff:ffff:ffff:ffff not server client port C z U ||
		bad=1
	return "$bad"
}

other_prefix()
{
	[ "$(teredoctl encode prefix 3ffe:831f::/32 server 65.54.227.142 \
		client 203.219.21.70:54110)" = \
		3ffe:831f:4136:e38e:0:2ca1:3424:eab9 ]
}

# Exit status 2, the word in the message, nothing on standard output
refused()
{
	local word=$1 out status=0

	shift
	out=$(teredoctl "$@" 2>"$err") || status=$?
	[[ $status -eq 2 && -z $out && $(<"$err") == *"$word"* ]] && return
	echo "# teredoctl $*: status $status, $out$(<"$err")"
	return 1
}

bad_input()
{
	local s="server 65.54.227.142" c="client 203.219.21.70:1" fail=0

	# shellcheck disable=SC2086	# words
	{
		refused Usage || fail=1
		refused '"frobnicate"' frobnicate || fail=1
		refused decode decode || fail=1
		refused decode decode ::1 ::2 || fail=1
		refused '"1.2.3.4"' decode 1.2.3.4 || fail=1
		refused '"2001::1%lo"' decode 2001::1%lo || fail=1
		refused '""' decode '' || fail=1
		refused server encode $c || fail=1
		refused client encode $s || fail=1
		refused '"fe80::1"' encode server fe80::1 $c || fail=1
		refused '"1.2.3.4"' encode $s client 1.2.3.4 || fail=1
		refused '"1.2.3.4:0"' encode $s client 1.2.3.4:0 || fail=1
		refused '"1.2.3.4:65536"' encode $s client 1.2.3.4:65536 ||
			fail=1
		refused '"1.2.3.4:+1"' encode $s client 1.2.3.4:+1 || fail=1
		refused '"0x10000"' encode $s $c flags 0x10000 || fail=1
		refused '"C"' encode $s $c flags C || fail=1
		refused '"2001::/16"' encode $s $c prefix 2001::/16 || fail=1
		refused '"2001::1/32"' encode $s $c prefix 2001::1/32 ||
			fail=1
		refused twice encode $s $c $s || fail=1
		refused '"ttl"' encode $s $c ttl 3 || fail=1
		refused value encode $s client || fail=1
		refused help -x decode "$ADDR" || fail=1
	}
	return "$fail"
}

version()
{
	local version

	version=$(<"$(dirname "$0")/../VERSION")
	[ "$(teredoctl --version)" = "teredoctl $version" ]
}

no_space()
{
	local status=0

	teredoctl decode "$ADDR" 2>"$err" >/dev/full || status=$?
	[ "$status" -eq 1 ] && grep -q "No space left" "$err"
}

ktap_print_header
ktap_set_plan 10
ktap_test_result "seed address as JSON, -j before and after" golden_json
ktap_test_result "A-02: seed address as text, each part of the flags" golden_text
ktap_test_result "encode is the inverse of decode" golden_encode
ktap_test_result "20 random addresses, judged by Python's ipaddress" round_trips
ktap_test_result "notes on what is remarkable" all_notes
ktap_test_result "another service prefix" other_prefix
ktap_test_result "bad input exits 2 with a message that names it" bad_input
ktap_test_result "--help" eval 'teredoctl --help | grep -q "decode ADDR"'
ktap_test_result "--version is the one of the sources" version
ktap_test_result "no space for the output exits 1" no_space
ktap_finished
