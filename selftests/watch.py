#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""watch.py DEVICE: the Teredo datagrams that a device sees, one a line.

    SECONDS FROM TO KIND IPV6-SOURCE IPV6-DESTINATION [ORIGIN]

KIND is bubble, rs, ra, request or reply (ICMPv6 echo), icmp6/TYPE/CODE,
udp/OCTETS of data, tcp, or the number of the next header. The first line is
"ready". Times are the kernel's, of arrival.
"""

import socket
import struct
import sys

import wire

SO_TIMESTAMPNS = 35
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1


def kind(packet):
    if packet.is_bubble():
        return "bubble"
    if packet.next_header == wire.ICMP6 and len(packet.payload) >= 4:
        known = {wire.ECHO_REQUEST: "request", wire.ECHO_REPLY: "reply",
                 wire.ROUTER_SOLICITATION: "rs",
                 wire.ROUTER_ADVERTISEMENT: "ra"}
        number, code = packet.payload[:2]
        return known.get(number, f"icmp6/{number}/{code}")
    if packet.next_header == socket.IPPROTO_UDP:
        return f"udp/{len(packet.payload) - 8}"
    if packet.next_header == socket.IPPROTO_TCP:
        return "tcp"
    return str(packet.next_header)


def line(octets):
    datagram = wire.Datagram.parse(octets)
    if not datagram:
        return None
    try:
        packet = wire.Packet.parse(datagram.payload)
    except wire.Malformed:
        return None
    fields = ["%s:%u" % datagram.src, "%s:%u" % datagram.dst, kind(packet),
              wire.text6(packet.src), wire.text6(packet.dst)]
    if packet.origin:
        fields.append("%s:%u" % packet.origin)
    return " ".join(fields)


def main(device):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tap.bind((device, wire.ETH_P_IP))
    tap.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack(
        "IHH8s", socket.if_nametoindex(device), PACKET_MR_PROMISC, 0, b""))
    print("ready", flush=True)
    while True:
        octets, ancillary, _, _ = tap.recvmsg(65535, 64)
        text = line(octets)
        if text:
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            print(f"{seconds}.{nanoseconds // 1000000:03} {text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
