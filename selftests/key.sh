#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Keys of a server: teredoctl key, and what generic netlink refuses.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

tmp=$(mktemp -d)
defer rm -rf "$tmp"

# run STATUS TEXT ARGUMENT...: teredoctl key with standard input from here;
# that status, and that text among what it prints
run()
{
	local wanted=$1 text=$2 out status=0

	shift 2
	out=$(teredoctl key "$@" 2>&1) || status=$?
	[[ $status -eq $wanted && $out == *"$text"* ]] && return
	echo "# key $*: status $status, '$out', not '$text'"
	return 1
}

# json WANTED: what -j key list prints
json()
{
	local out

	out=$(teredoctl -j key list s1 | jq -c '[.[] | [.ifname, .identifier,
		.algorithm, .confirm]]')
	[[ $out == "$1" ]] && return
	echo "# $out, not $1"
	return 1
}

# prints TEXT: what key list prints
prints()
{
	local out

	out=$(teredoctl key list s1)
	[[ $out == "$1" ]] && return
	echo "# '$out', not '$1'"
	return 1
}

set_and_list()
{
	json '[]' && prints "no keys" || return
	run 0 '' set s1 host <<<secret || return
	run 0 '' set s1 other hmac-sha256 <<<secret || return
	run 0 '' set s1 third hmac-sha1 <<<secret || return
	run 0 '' expire s1 other || return
	json '[["s1","host","hmac-sha1",0],["s1","other","hmac-sha256",1],["s1","third","hmac-sha1",0]]' ||
		return
	prints "ALGORITHM   KEY      IDENTIFIER
hmac-sha1   valid    host
hmac-sha256 expires  other
hmac-sha1   valid    third" || return
	run 0 '' set s1 other <<<new || return
	run 0 '' del s1 third || return
	json '[["s1","host","hmac-sha1",0],["s1","other","hmac-sha1",0]]'
}

hex_identifiers()
{
	local i

	for i in host other; do
		run 0 '' del s1 "$i" || return
	done
	# the last is text: it has an odd digit
	for i in 0x00 0x0A0b 0x686f7374 0x 0xab1; do
		run 0 '' set s1 "$i" <<<secret || return
	done
	json '[["s1","0x","hmac-sha1",0],["s1","0x00","hmac-sha1",0],["s1","0x0a0b","hmac-sha1",0],["s1","0xab1","hmac-sha1",0],["s1","host","hmac-sha1",0]]' ||
		return
	for i in $(teredoctl -j key list s1 | jq -r '.[].identifier'); do
		run 0 '' del s1 "$i" || return
	done
	# octets that look like hex are shown as hex
	run 0 '' set s1 0x30783030 <<<secret && run 0 '' del s1 0x30783030 &&
		json '[]'
}

# The value that server_secure.py expects tells whether a newline got in; here
# only what is too long or too short
secrets()
{
	local size bad=0

	run 1 "is empty" set s1 x </dev/null || bad=1
	run 1 "is empty" set s1 x <<<'' || bad=1
	for size in 1 1024; do
		head -c "$size" /dev/urandom | tr '\n' x >"$tmp/secret"
		run 0 '' set s1 x <"$tmp/secret" || bad=1
		echo >>"$tmp/secret"
		run 0 '' set s1 x <"$tmp/secret" || bad=1
	done
	echo >>"$tmp/secret"
	run 1 "more than 1024" set s1 x <"$tmp/secret" || bad=1
	run 1 "cannot read" set s1 x <"$tmp" || bad=1
	run 0 '' del s1 x || bad=1
	return "$bad"
}

refusals()
{
	local long bad=0

	long=$(printf '%0256d' 0)
	run 2 "key set" || bad=1
	run 2 "key set" move s1 x || bad=1
	run 2 "key set DEV ID" set s1 <<<secret || bad=1
	run 2 "key del DEV ID" del s1 || bad=1
	run 2 "key expire DEV ID" expire s1 x y || bad=1
	run 2 "key list DEV" list || bad=1
	run 2 '"md5"' set s1 x md5 <<<secret || bad=1
	run 2 "1 to 255" set s1 "" <<<secret || bad=1
	run 2 "1 to 255" set s1 "$long" <<<secret || bad=1
	run 0 '' set s1 "${long:1}" <<<secret || bad=1
	run 0 '' del s1 "${long:1}" || bad=1
	run 2 '"a/b"' set a/b x <<<secret || bad=1
	run 1 '"nosuch"' set nosuch x <<<secret || bad=1
	run 1 "no such identifier" del s1 x || bad=1
	run 1 "no such identifier" expire s1 x || bad=1
	run 1 "keys are for servers" set r1 x <<<secret || bad=1
	run 1 "keys are for servers" list r1 || bad=1
	run 1 "not a Teredo device" list lo || bad=1
	return "$bad"
}

privileges()
{
	local drop=(setpriv --reuid=65534 --regid=65534 --clear-groups
		--inh-caps=-all)

	! "${drop[@]}" teredoctl key list s1 2>/dev/null &&
		! "${drop[@]}" teredoctl key set s1 x <<<secret 2>/dev/null &&
		"${drop[@]}" teredoctl key list s1 2>&1 | grep -q CAP_NET_ADMIN
}

netlink()
{
	unshare -n env PYTHONDONTWRITEBYTECODE=1 python3 \
		"$(dirname "$0")/key.py" >"$tmp/tap"
	local status=$?

	sed 's/^/# /' "$tmp/tap"
	return "$status"
}

ktap_print_header
ktap_set_plan 6

modprobe teredo
ip link add u1 type dummy
ip link set u1 up
ip addr add 1.2.3.4/24 dev u1
ip addr add 1.2.3.5/24 dev u1
ip link add r1 type teredo mode relay
ip link add s1 type teredo mode server local 1.2.3.4 secondary 1.2.3.5
for name in u1 r1 s1; do
	defer ip link del $name
done

ktap_test_result "CL-S-01 teredoctl key: set, expire, del, list" set_and_list
ktap_test_result "CL-S-01 identifiers that are no text" hex_identifiers
ktap_test_result "CL-S-10 the secret comes from standard input" secrets
ktap_test_result "what is refused, and the words for it" refusals
ktap_test_result "privileges" privileges
ktap_test_result "CL-S-01 CL-S-07 CL-S-10 SEC-67 generic netlink" netlink
ktap_finished
