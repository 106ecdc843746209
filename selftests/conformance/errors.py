# SPDX-License-Identifier: GPL-2.0
"""The outer header and errors, both ways (TUN)"""

import struct

import wire
from wire import CLIENT, CLIENT_ADDRESS, routed, udp6

from .client import trusted
from .lab import NATIVE
from .relay import contact
from .rows import client, relay

ROUTER = "203.219.21.1"
UNREACHABLE, TIME_EXCEEDED = 3, 11
# that it did not arrive
LOST = [(UNREACHABLE, code) for code in (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11,
                                         12, 13, 15)] + [(TIME_EXCEEDED, 0)]


def icmp4(dst, kind, code, quoted, rest=0, src=ROUTER):
    """IPv4 packet with an ICMP error"""
    message = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    check = wire.checksum(message)
    message = message[:2] + struct.pack("!H", check) + message[4:]
    outer = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, 1,
                        0) + wire.ip4(src) + wire.ip4(dst)
    outer = outer[:10] + struct.pack("!H", wire.checksum(outer)) + outer[12:]
    return outer + message


def error(lab, kind, code, payload, to=CLIENT, rest=0, size=548):
    """An ICMP error for a datagram of the device, sent or not"""
    quoted = wire.udp4(lab.here, to, payload)[:size]
    lab.link.raw.sendto(icmp4(lab.here[0], kind, code, quoted, rest),
                        (lab.here[0], 0))


def messages(lab):
    """ICMPv6 errors: type, code, the field behind, source, quoted packet"""
    found = []
    for sock in lab.icmp6.values():
        while lab.readable(sock, 0):
            data, source = sock.recvfrom(65535)
            if data[0] < 128:
                found.append((data[0], data[1],
                              int.from_bytes(data[4:8], "big"), source[0],
                              data[8:]))
    return found


def data(lab, size=60, number=0, to=CLIENT_ADDRESS):
    """A packet of so many octets to a client, from whoever may send it"""
    source = lab.own if lab.mode == "client" else NATIVE
    return udp6(source, to, bytes([100 + number]) * (size - 48))


def on_wire(lab, packet):
    return packet if lab.mode == "client" else routed(packet)


def talking(lab):
    """A client that is trusted and was sent a packet, which is returned"""
    if lab.mode == "client":
        trusted(lab)
    else:
        contact(lab)
    packet = data(lab)
    lab.out(packet)
    lab.settle()
    lab.errors()
    return on_wire(lab, packet)


# Errors for what we have sent


def unreachable(lab):
    packet = talking(lab)
    for kind, code in LOST:
        error(lab, kind, code, packet)
        lab.expect(moved={"icmp_peer": 1})
        lab.equal([(found[:2], found[4]) for found in messages(lab)],
                  [((1, 3), packet)], f"ICMPv6 errors for {kind}/{code}")
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


client("TUN-11 TUN-13", "what did not arrive is unreachable (1/3) to the "
       "sender")(unreachable)
relay("TUN-11 TUN-13", "what did not arrive is unreachable (1/3) to the "
      "native sender")(unreachable)
