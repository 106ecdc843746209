#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The shortest life of a peer: a relay meets one and is deleted. Fails where
# no peer came to be, so that a planted fault has had its chance.
set -e

ip link set lo up
ip link add eth0 type dummy
ip link set eth0 up
ip addr add 5.6.7.8/24 dev eth0
ip route add default via 5.6.7.1
ip -6 addr add 2620::1/64 dev eth0 nodad
ip link add teredo0 type teredo mode relay local 5.6.7.8
ip link set teredo0 up
ip -6 route add 2001::/32 dev teredo0
ping -c 1 -W 1 2001:0:4136:e38e:0:2ca1:3424:eab9 >/dev/null || true
teredoctl -j peers teredo0 | jq -e 'length == 1' >/dev/null
ip link delete teredo0
ip link delete eth0
