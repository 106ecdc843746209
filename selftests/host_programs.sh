#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vm/host.sh on hosts that lack a program: what it installs, whom it asks, and
# what it says. The programs are stand-ins that write down how they are called.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command unshare script

ALL_TESTS="complete no_namespaces as_root by_sudo in_words without_sudo without_apt"
script=$(cd "$(dirname "$0")" && pwd -P)/vm/host.sh
needed="qemu-system-x86_64 mmdebstrap mke2fs unshare flock xz git newuidmap"
probe="unshare --map-root-user --map-auto --mount true"
install="install -y --no-install-recommends xz-utils debian-archive-keyring"
DIR=$(mktemp -d)
defer rm -rf "$DIR"
# who is nobody there must reach the stand-ins
chmod 755 "$DIR"

# host PROGRAM...: one that has these and the keyring, and has done nothing
host()
{
	local program

	rm -rf "${DIR:?}/bin"
	mkdir "$DIR/bin"
	: >"$DIR/calls"
	: >"$DIR/keyring"
	chmod 666 "$DIR/calls"
	for program in bash cat env mktemp rm sh; do
		ln -s "$(command -v "$program")" "$DIR/bin/"
	done
	for program; do
		cat >"$DIR/bin/$program" <<-END
			#!/bin/sh
			echo "$program \$*" >>"$DIR/calls"
		END
		chmod 755 "$DIR/bin/$program"
	done
}

# lacks PROGRAM...: xz and the keyring are missing on all of these hosts
lacks()
{
	# shellcheck disable=SC2086	# words
	host ${needed/xz /} "$@"
	rm "$DIR/keyring"
}

# asks WRAPPER...: runs host.sh with what the host has; sets status
asks()
{
	status=0
	TEREDO_KEYRING=$DIR/keyring "$@" "$(command -v env)" \
		PATH="$DIR/bin" "$DIR/bin/bash" "$script" >"$DIR/said" 2>&1 \
		</dev/null || status=$?
}

root()
{
	if ((EUID)); then
		unshare --map-root-user -- "$@"
	else
		"$@"
	fi
}

# of nobody that the namespace knows, which is not root
user()
{
	unshare --user -- "$@"
}

user_at_a_terminal()
{
	user script -qefc "${*@Q}" /dev/null
}

# calls LINE...: these programs were run, no others
calls()
{
	diff <((($# == 0)) || printf '%s\n' "$@") "$DIR/calls" >"$DIR/diff"
	check_err $? "called: $(<"$DIR/diff")"
}

# says STATUS TEXT
says()
{
	check_err $((status != $1)) "status $status: $(<"$DIR/said")"
	grep -qF -- "$2" "$DIR/said"
	check_err $? "does not say $2: $(<"$DIR/said")"
}

complete()
{
	# shellcheck disable=SC2086	# words
	host $needed apt-get sudo
	asks user
	calls "$probe"
	[[ $status == 0 && ! -s $DIR/said ]]
	check_err $? "status $status: $(<"$DIR/said")"
	asks root
	calls "$probe"
	log_test "a host that has all: nothing is said or done"
}

no_namespaces()
{
	# shellcheck disable=SC2086	# words
	host $needed apt-get sudo
	echo "exit 1" >>"$DIR/bin/unshare"
	asks user
	says 1 "which does not work here"
	calls "$probe"
	log_test "a user who can be root in no namespace: told what it takes"
}

as_root()
{
	lacks apt-get sudo
	asks root
	says 0 "installing xz-utils debian-archive-keyring"
	calls "apt-get update" "apt-get $install"
	log_test "root: installs what is missing"
}

by_sudo()
{
	lacks apt-get sudo
	asks user_at_a_terminal
	says 0 "sudo apt-get $install"
	calls "sudo apt-get update" "sudo apt-get $install" "$probe"
	log_test "a user: asks sudo for the packages alone"
}

in_words()
{
	lacks apt-get sudo
	asks user
	says 1 "sudo apt-get $install"
	calls
	log_test "a user without a terminal: the command is printed"
}

without_sudo()
{
	lacks apt-get
	asks user_at_a_terminal
	says 1 "sudo apt-get $install"
	calls
	log_test "a user without sudo: the command is printed"
}

without_apt()
{
	lacks sudo
	asks root
	says 1 "missing: xz $DIR/keyring apt-get dpkg-deb"
	calls
	log_test "no apt: all that is missing is named, apt's own too"
}

ktap_print_header
# host.sh looks there as well
[[ ! /usr/sbin -ef /usr/bin ]] ||
	ktap_skip_all "programs cannot be hidden here"
tests_run
ktap_finished
