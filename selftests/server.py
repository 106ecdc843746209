#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a server has to do, seen from outside; see server_net.sh.

server.py SUBJECT CLIENT SERVER NATIVE: a subject below, three namespaces.
"""

import os
import subprocess
import sys
import time

import wire
from wire import (CLIENT, CLIENT_ADDRESS, CLIENT_LL, CLIENT_LL_CONE, CONE,
                  OTHER_SERVER, PEER_ADDRESS, PORT, PRIMARY, SECONDARY, V1,
                  V2, V3, V4, V5, V6, V8, V9, auth, bubble, echo, icmp6, ipv6,
                  origin, rs, server_linklocal, teredo)

NATIVE = "2620::1"
SERVER = (PRIMARY, PORT)
OTHER = (SECONDARY, PORT)
PEER = ("1.2.3.4", 40000)
OWN_PEER = teredo(PRIMARY, *PEER, 0x2055)       # a client of this server
RELAY = ("198.41.0.4", 5000)
MARKER = ("203.220.1.1", 6000)


class Lab:
    """The networks, and what is asked of each packet."""

    def __init__(self, client, server, native):
        self.server = server
        self.link = wire.Link(client, "eth0")
        self.native = wire.Link(native, "eth0", wire.ETH_P_IPV6)
        self.tunnel = wire.Link(server, "teredo0", wire.ETH_P_IPV6)
        self.client_ns = client
        self.counters = wire.Counters(server, "teredo0")
        self.tap = wire.Tap()
        self.marker = lambda nonce: auth(nonce) + V1
        print("TAP version 13")

    def ip(self, *words):
        """ip on the server's host."""
        subprocess.run(["ip", "-n", self.server, *words], check=True)

    def set(self, *words):
        """Change the device."""
        self.ip("link", "set", "teredo0", *words)

    def ask(self, payload, src=CLIENT, dst=SERVER, **fields):
        """Send a datagram: what came back, and the counters that moved.

        A solicitation sent after it tells when to stop waiting.
        """
        self.link.drain()
        self.counters.moved()
        self.link.send(payload, src, dst, **fields)
        return self.settle()

    def settle(self):
        nonce = os.urandom(8)
        self.link.send(self.marker(nonce), MARKER, SERVER)
        got = []
        while (datagram := self.link.receive(10)) is not None:
            if datagram.dst == MARKER and \
               wire.Packet.parse(datagram.payload).nonce == nonce:
                break
            got.append(datagram)
        else:
            self.tap.result(False, "the server answers at all")
        got += self.link.drain(0.02)
        moved = self.counters.moved()
        moved["tx_adverts"] = moved.get("tx_adverts", 0) - 1
        return got, {name: by for name, by in moved.items() if by}

    def sent(self, name, payload, wanted, to, src=CLIENT, dst=SERVER,
             outer=SERVER, counted=None, **fields):
        """The server sends exactly one datagram: wanted, from outer, to."""
        got, moved = self.ask(payload, src, dst, **fields)
        got = [(d.src, d.dst, d.payload.hex(), d.ttl, d.tos, d.dont_fragment,
                d.right and bool(d.check)) for d in got]
        self.tap.equal((got, moved),
                       ([(outer, to, wanted.hex(), 64, 0, False, True)],
                        counted), name)

    def advertised(self, name, payload, wanted=V3 + V4, **fields):
        self.sent(name, payload, wanted, fields.get("src", CLIENT),
                  counted={"tx_adverts": 1}, **fields)

    def forwarded(self, name, payload, wanted, to, **fields):
        counted = {"tx_relayed": 1}
        if wire.Packet.parse(payload).is_bubble():
            counted["rx_bubbles"] = 1
        self.sent(name, payload, wanted, to, counted=counted, **fields)

    def refused(self, name, payload, counter, src=CLIENT, dst=SERVER,
                bubbles=0, **fields):
        """Nothing leaves, and the one counter tells why."""
        got, moved = self.ask(payload, src, dst, **fields)
        wanted = {counter: 1} if counter else {}
        if bubbles:
            wanted["rx_bubbles"] = bubbles
        self.tap.equal(([(d.dst, d.payload.hex()) for d in got], moved),
                       ([], wanted), f"{name}: {counter}")

    def routed(self, name, payload, wanted, **fields):
        """The server hands exactly one packet on to the native host."""
        for link in self.native, self.tunnel:
            while link.packet(0):
                pass
        got, moved = self.ask(payload, **fields)
        inside = self.tunnel.packet(0.2)
        arrived = []
        while (packet := self.native.packet(0.2)) is not None:
            # not the neighbour discovery of the link itself
            if packet[6] != wire.ICMP6 or packet[40] < 130:
                arrived.append(packet.hex())
        self.tap.equal((got, arrived, moved),
                       ([], [wanted.hex()], {"tx_relayed": 1}), name)
        self.tap.equal(inside, wire.Packet.parse(payload).inner,
                       f"{name}, as the stack sees it")


def solicited(lab):
    lab.advertised("V2 + V1: V2 + V3 + V4", V2 + V1, V2 + V3 + V4)
    lab.advertised("V1: V3 + V4", V1)
    for source in ("fe80::fffe:ffff:fffe", "fe80::ffff:ffff:fffe",
                   "fe80::5445:5245:444f", "fe80::1"):
        lab.advertised(f"from {source}", rs(source),
                       V3 + wire.ra(PRIMARY, source))

    lab.advertised("to the secondary address", V2 + V1, V2 + V3 + V4,
                   dst=OTHER, outer=OTHER)
    for source in (CLIENT_LL_CONE, "fe80::8000:ffff:ffff:fffe",
                   "fe80::8000:5445:5245:444f"):
        answer = V2 + V3 + wire.ra(PRIMARY, source)
        lab.advertised(f"cone flag, from {source}", V2 + rs(source), answer,
                       outer=OTHER)
        lab.advertised(f"cone flag, from {source}, to the secondary address",
                       V2 + rs(source), answer, dst=OTHER)

    lab.advertised("another nonce", auth(b"\xff" * 8) + V1,
                   auth(b"\xff" * 8) + V3 + V4)
    lab.advertised("identifier and value are ignored", V8 + V1, V2 + V3 + V4)
    lab.advertised("the longest authentication",
                   auth(ident=b"i" * 255, value=b"v" * 255) + V1,
                   V2 + V3 + V4)
    lab.advertised("confirmation is answered with 0", auth(confirm=1) + V1,
                   V2 + V3 + V4)

    for source in ((CLIENT[0], 1), (CLIENT[0], 3544), ("1.0.0.1", 65535)):
        lab.advertised(f"mapping {source}", V1, origin(*source) + V4,
                       src=source)
    lab.advertised("no UDP checksum", V1, check=0)
    lab.advertised("reserved field is ignored", rs(reserved=b"\xff" * 4))
    lab.advertised("options are ignored",
                   rs(options=bytes.fromhex("0101020000000001") +
                      bytes.fromhex("fd02") + bytes(14)))
    lab.advertised("trailing octets are ignored", V1 + V9[0] + b"\x40")

    source = CLIENT_ADDRESS
    lab.advertised("from the client's Teredo address", V2 + rs(source),
                   V2 + V3 + wire.ra(PRIMARY, source))
    lab.advertised("from there to the server's link-local address",
                   V2 + rs(source, server_linklocal(PRIMARY)),
                   V2 + V3 + wire.ra(PRIMARY, source))

    for name, bad in (("hop limit 254", rs(hop_limit=254)),
                      ("wrong checksum", rs(bad=1)),
                      ("code 1", rs(code=1)),
                      ("option of length 0", rs(options=bytes(8))),
                      ("option longer than the packet",
                       rs(options=b"\1\2" + bytes(6))),
                      ("option of one octet", rs(options=b"\1"))):
        lab.refused(name, bad, "rx_nd")
        lab.refused(f"{name}, authenticated", V2 + bad, "rx_nd")
    lab.refused("unicast", rs(dst=server_linklocal(PRIMARY)), "rx_nd")
    lab.refused("to all nodes", rs(dst="ff02::1"), "rx_nd")
    lab.refused("from a native address", rs("2620::5"), "rx_bad_source")
    lab.refused("from a Teredo address of somebody else", rs(source),
                "rx_bad_source", src=RELAY)
    lab.refused("from the unspecified address", rs("::"), "rx_martian6")
    lab.refused("behind an origin indication", V3 + V1, "rx_origin")
    lab.refused("behind authentication and origin indication", V2 + V3 + V1,
                "rx_origin")

    lab.set("mtu", "1400")
    lab.advertised("MTU of the device", V1, V3 + wire.ra(PRIMARY, mtu=1400))
    lab.set("mtu", "1280")


def by_source(lab):
    """The source address decides on the route, as with several uplinks."""
    lab.ip("rule", "add", "from", SECONDARY, "prohibit")
    lab.refused("no way out for the secondary address", V1, "tx_no_route",
                dst=OTHER)
    lab.refused("nor if the primary was asked", rs(CLIENT_LL_CONE),
                "tx_no_route")
    lab.advertised("the primary address has one", V1)
    lab.ip("rule", "del", "from", SECONDARY, "prohibit")


def instances(lab):
    """Two servers on one host share nothing."""
    primary, secondary, prefix = "65.54.228.142", "65.54.228.143", "2a00:1::"
    for address in primary, secondary:
        lab.ip("addr", "add", f"{address}/32", "dev", "eth0")
    lab.ip("link", "add", "teredo1", "type", "teredo", "mode", "server",
           "local", primary, "secondary", secondary, "prefix", f"{prefix}/32")
    lab.ip("link", "set", "teredo1", "up")
    second = wire.Counters(lab.server, "teredo1")

    def sent(name, payload, wanted, to, counted):
        lab.sent(f"second instance: {name}", payload, wanted, to,
                 dst=(primary, PORT), outer=(primary, PORT), counted={})
        lab.tap.equal(second.moved(), counted,
                      f"second instance: {name}, counted there alone")

    sent("advertisement", V2 + V1, V2 + V3 + wire.ra(primary, prefix=prefix),
         CLIENT, {"tx_adverts": 1})
    packet = bubble(teredo(primary, *CLIENT, prefix=prefix),
                    teredo(primary, *PEER, prefix=prefix))
    sent("bubble", packet, V3 + packet, PEER,
         {"tx_relayed": 1, "rx_bubbles": 1})
    lab.link.send(bubble(CLIENT_ADDRESS, OWN_PEER), CLIENT, (primary, PORT))
    got, moved = lab.settle()
    lab.tap.equal((got, moved, second.moved()),
                  ([], {}, {"rx_bad_source": 1}),
                  "second instance: not for the first one's clients")
    lab.ip("link", "del", "teredo1")
    lab.advertised("the first instance goes on", V1)


def forward(lab):
    packet = bubble(CLIENT_ADDRESS, OWN_PEER)
    lab.forwarded("bubble to an own client: origin indication", packet,
                  V3 + packet, PEER)
    lab.forwarded("bubble to another server's client: none", V5, V5, PEER)
    for hop_limit in 0, 1, 255:
        packet = bubble(CLIENT_ADDRESS, OWN_PEER, hop_limit)
        lab.forwarded(f"hop limit {hop_limit} stays", packet, V3 + packet,
                      PEER)
    for source in ("2620::5", "fe80::1234:5678", "fd00::1"):
        packet = bubble(source, OWN_PEER)
        lab.forwarded(f"bubble of a relay from {source}", packet,
                      origin(*RELAY) + packet, PEER, src=RELAY)
    for flags in 0, CONE, 0xffff:
        source = teredo(OTHER_SERVER, *CLIENT, flags)
        packet = bubble(source, OWN_PEER)
        lab.forwarded(f"client of another server, flags {flags:#x}", packet,
                      V3 + packet, PEER)
    packet = bytearray(bubble(CLIENT_ADDRESS, OWN_PEER))
    packet[:4] = bytes.fromhex("6ff12345")
    lab.forwarded("traffic class and flow label stay inside", bytes(packet),
                  V3 + packet, PEER)

    packet = bubble(CLIENT_ADDRESS, OWN_PEER)
    for name, trailers in (("nonce", V9[0]), ("alternate addresses", V9[1]),
                           ("all known", b"".join(V9)),
                           ("unknown, malformed", bytes.fromhex("4000ff09")),
                           ("one octet", b"\1"), ("1200 octets", bytes(1200))):
        lab.forwarded(f"trailers stay: {name}", packet + trailers,
                      V3 + packet + trailers, PEER)
    lab.forwarded("trailers stay: another server's client", V5 + V9[0],
                  V5 + V9[0], PEER)

    for kind, name in ((wire.ECHO_REQUEST, "request"),
                       (wire.ECHO_REPLY, "reply")):
        packet = echo(CLIENT_ADDRESS, OWN_PEER, bytes(80), kind)
        lab.forwarded(f"echo {name} of 88 octets", packet, V3 + packet, PEER)
        lab.refused(f"echo {name} of 89 octets",
                    echo(CLIENT_ADDRESS, OWN_PEER, bytes(81), kind),
                    "rx_type")
    packet = echo("2620::5", OWN_PEER)
    lab.forwarded("echo from a native host", packet, origin(*RELAY) + packet,
                  PEER, src=RELAY)
    lab.set("type", "teredo", "icmp-limit", "1000")
    packet = echo(CLIENT_ADDRESS, OWN_PEER, bytes(992)) + V9[0]
    lab.forwarded("icmp-limit 1000", packet, V3 + packet, PEER)
    lab.refused("icmp-limit 1000, 1001 octets",
                echo(CLIENT_ADDRESS, OWN_PEER, bytes(993)), "rx_type")
    lab.set("type", "teredo", "icmp-limit", "88")

    hop = echo(CLIENT_ADDRESS, NATIVE, bytes.fromhex("a1a2a3a4a5a6a7a8"),
               hop_limit=63)
    lab.routed("V6 to a native host", V6, hop)
    lab.routed("V6 to a native host, without its trailers", V6 + V9[0], hop)
    lab.routed("echo reply to a native host",
               echo(CLIENT_ADDRESS, NATIVE, kind=wire.ECHO_REPLY),
               echo(CLIENT_ADDRESS, NATIVE, kind=wire.ECHO_REPLY,
                    hop_limit=63))
    lab.refused("89 octets to a native host",
                echo(CLIENT_ADDRESS, NATIVE, bytes(81)), "rx_type")

    lab.set("type", "teredo", "private", "on")
    private = ("10.0.0.5", 4000)
    packet = bubble(teredo(PRIMARY, *private), OWN_PEER)
    lab.forwarded("private on: from a private address", packet,
                  origin(*private) + packet, PEER, src=private)
    packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, "192.168.1.1", 7))
    lab.forwarded("private on: to a private address", packet, V3 + packet,
                  ("192.168.1.1", 7))
    for address in ("127.0.0.1", "0.1.2.3", "169.254.1.1", "224.0.0.253",
                    "255.255.255.255", "240.0.0.1"):
        lab.refused(f"private on: to {address}",
                    bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, 7)),
                    "tx_not_global", bubbles=1)
    lab.set("type", "teredo", "private", "off")

    # bubbles and tests with trailers, not data (SV-20)
    gateway = ("203.219.21.1", 5000)
    sock = wire.Udp(lab.client_ns, *gateway)
    for name, packet, size, counter in (
            ("1280 octets", bubble(teredo(PRIMARY, *gateway), PEER_ADDRESS),
             1280, "tx_relayed"),
            ("1280 octets and an origin indication",
             bubble(teredo(PRIMARY, *gateway), OWN_PEER), 1280, "tx_relayed"),
            ("1281 octets", bubble(teredo(PRIMARY, *gateway), OWN_PEER),
             1281, "tx_too_big"),
            ("65507 octets", bubble(teredo(PRIMARY, *gateway), OWN_PEER),
             65507, "tx_too_big")):
        lab.counters.moved()
        sock.send(packet + bytes(size - len(packet)), SERVER)
        _, moved = lab.settle()
        lab.tap.equal(moved, {"rx_bubbles": 1, counter: 1},
                      f"{name}: {counter}")


def refuse(lab):
    good = bubble(CLIENT_ADDRESS, OWN_PEER)
    lab.refused("bubble to the secondary address", good, "rx_type", dst=OTHER)
    lab.refused("test to the secondary address", V6, "rx_type", dst=OTHER)
    for name, header in (("authentication", V2), ("long one", V8)):
        lab.refused(f"{name} before a bubble", header + good, "rx_header")
        lab.refused(f"{name} before a test", header + V6, "rx_header")
    lab.refused("origin indication before a bubble", V3 + good, "rx_origin")

    for name, packet in (
            # to who forgot to look at the next header, these are tests
            ("UDP inside", ipv6(CLIENT_ADDRESS, OWN_PEER, 17, V6[40:])),
            ("TCP inside", ipv6(CLIENT_ADDRESS, OWN_PEER, 6,
                                V6[40:] + bytes(4))),
            ("hop-by-hop options before ICMPv6",
             ipv6(CLIENT_ADDRESS, OWN_PEER, 0,
                  bytes.fromhex("3a00010400000000") + V6[40:])),
            ("routing header of type 0",
             ipv6(CLIENT_ADDRESS, NATIVE, 43,
                  bytes.fromhex("3a00000000000000") + V6[40:])),
            ("fragment", ipv6(CLIENT_ADDRESS, NATIVE, 44,
                              bytes.fromhex("3a00000000000001") + V6[40:])),
            ("no next header with a payload",
             ipv6(CLIENT_ADDRESS, OWN_PEER, 59, bytes(1))),
            ("empty UDP", ipv6(CLIENT_ADDRESS, OWN_PEER, 17))):
        lab.refused(name, packet, "rx_type")
    for kind in 1, 2, 3, 4, 127, 130, 131, 132, 138, 143, 255:
        for dst, where in (OWN_PEER, "client"), (NATIVE, "native host"):
            lab.refused(f"ICMPv6 type {kind} to a {where}",
                        icmp6(CLIENT_ADDRESS, dst, kind), "rx_type")
    for kind in 134, 135, 136, 137:
        for dst, where in ((OWN_PEER, "client"), (NATIVE, "native host"),
                           ("ff02::1", "all nodes")):
            lab.refused(f"ICMPv6 type {kind} to {where}",
                        icmp6(CLIENT_ADDRESS, dst, kind, body=bytes(20),
                              hop_limit=255), "rx_nd")
    for size in range(8):
        packet = ipv6(CLIENT_ADDRESS, OWN_PEER, 58, V6[40:40 + size])
        lab.refused(f"ICMPv6 of {size} octets", packet, "rx_short")
        lab.refused(f"ICMPv6 of {size} octets, the rest as trailer",
                    packet + V6[40 + size:], "rx_short")
    lab.refused("bubble to a native host", bubble(CLIENT_ADDRESS, NATIVE),
                "rx_type", bubbles=1)

    for address in ("10.0.0.1", "10.255.255.255", "172.16.0.1",
                    "172.31.255.255", "192.168.0.1", "169.254.1.1",
                    "192.88.99.1", "100.64.0.1", "192.0.0.1", "192.0.2.1",
                    "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
                    "5.6.7.255"):
        src = (address, 4000)
        lab.refused(f"solicitation from {address}", V2 + V1, "rx_not_global",
                    src=src)
        lab.refused(f"bubble from {address}",
                    bubble(teredo(PRIMARY, *src), OWN_PEER), "rx_not_global",
                    src=src)
    lab.refused("solicitation from port 0", V1, "rx_not_global",
                src=(CLIENT[0], 0))
    for address in PRIMARY, SECONDARY, "5.6.7.1":
        lab.refused(f"solicitation from {address}:3544", V1, "rx_loop",
                    src=(address, PORT))
        src = teredo(PRIMARY, address, PORT)
        lab.refused(f"bubble from {address}:3544 to itself", bubble(src, src),
                    "rx_loop", src=(address, PORT))

    for source in "::", "::1", "ff02::5", "ff0e::1", "::ffff:1.2.3.4":
        lab.refused(f"bubble from {source}", bubble(source, OWN_PEER),
                    "rx_martian6")
        lab.refused(f"test from {source}", echo(source, OWN_PEER),
                    "rx_martian6")
    for dst in ("::", "::1", "ff02::1", "ff02::2", "ff0e::1",
                "::ffff:1.2.3.4", "fe80::1", "fec0::1", "fc00::1",
                "fdff::1", server_linklocal(PRIMARY)):
        for name, packet in (("bubble", bubble(CLIENT_ADDRESS, dst)),
                             ("test", echo(CLIENT_ADDRESS, dst))):
            name = f"{name} to {wire.text6(wire.ip6(dst))}"
            lab.refused(name, packet, "rx_martian6")

    lab.refused("test from a link-local address", echo(CLIENT_LL, OWN_PEER),
                "rx_linklocal")
    for name, src in (("port", (CLIENT[0], CLIENT[1] + 1)),
                      ("address", ("203.219.21.71", CLIENT[1]))):
        for where, dst in (("own client", OWN_PEER), ("native host", NATIVE),
                           ("another server's client", PEER_ADDRESS)):
            lab.refused(f"{name} off by one, to {where}",
                        echo(CLIENT_ADDRESS, dst), "rx_bad_source", src=src)
    for name, source in (("native", "2620::5"), ("link-local", CLIENT_LL)):
        for where, dst in (("a native host", NATIVE),
                           ("another server's client", PEER_ADDRESS)):
            lab.refused(f"{name} bubble to {where}", bubble(source, dst),
                        "rx_bad_source", src=RELAY)
    lab.refused("native test to a native host", echo("2620::5", NATIVE),
                "rx_bad_source", src=RELAY)
    # what another server's forwarding looks like; two cannot play ping-pong
    there = (OTHER_SERVER, PORT)
    lab.refused("bubble forwarded by another server, to its client", V5,
                "rx_bad_source", src=there)
    lab.refused("bubble forwarded by another server, to our client", good,
                "rx_bad_source", src=there)

    for address in ("0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1",
                    "169.254.1.1", "172.16.0.1", "172.31.255.255",
                    "192.168.0.1", "192.88.99.1", "224.0.0.253",
                    "239.255.255.255", "255.255.255.255", "100.64.0.1",
                    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.0.1",
                    "198.51.100.1", "203.0.113.1", "240.0.0.1", "5.6.7.255"):
        for where, at in (("ours", PRIMARY), ("another's", OTHER_SERVER)):
            lab.refused(f"to {address}, {where}",
                        bubble(CLIENT_ADDRESS, teredo(at, address, 7)),
                        "tx_not_global", bubbles=1)
    for address in ("172.15.255.255", "172.32.0.1", "11.0.0.1", "192.88.98.1",
                    "100.63.255.255", "223.255.255.1"):
        packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, 7))
        lab.forwarded(f"to {address}, beside what is refused", packet,
                      V3 + packet, (address, 7))
    lab.refused("to port 0", bubble(CLIENT_ADDRESS,
                                    teredo(PRIMARY, PEER[0], 0)),
                "tx_bad_port", bubbles=1)
    for address in PRIMARY, SECONDARY, "5.6.7.1":
        for port in PORT, 40000:
            lab.refused(f"to {address}:{port}",
                        bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, port)),
                        "tx_self", bubbles=1)
    for name, dst in (
            ("6to4", wire.ip6("2002::")[:2] + wire.ip4(PRIMARY) + bytes(10)),
            ("ISATAP", wire.ip6("2620:9::")[:8] + bytes.fromhex("00005efe") +
             wire.ip4(SECONDARY)),
            ("ISATAP, universal", wire.ip6("2620:9::")[:8] +
             bytes.fromhex("02005efe") + wire.ip4("5.6.7.1"))):
        lab.refused(f"to {name} of this host", echo(CLIENT_ADDRESS, dst),
                    "rx_loop6324")


def malformed(lab):
    vectors = (("V1", V1), ("V2 + V1", V2 + V1), ("V8 + V1", V8 + V1),
               ("V2 + V3 + V4", V2 + V3 + V4),
               ("bubble", bubble(CLIENT_ADDRESS, OWN_PEER)), ("V5", V5),
               ("V6", V6), ("V3 + V5", V3 + V5))
    causes = {"rx_short", "rx_version", "rx_length", "rx_header"}
    for name, vector in vectors:
        wrong = []
        for size in range(len(vector)):
            got, moved = lab.ask(vector[:size])
            if got or sum(moved.values()) != 1 or not set(moved) < causes:
                wrong.append((size, len(got), moved))
        lab.tap.equal(wrong, [], f"{name}, truncated to each length")

    for name, packet in (("V1", V1), ("V5", V5), ("V6", V6)):
        length = int.from_bytes(packet[4:6], "big") + 1
        lab.refused(f"{name}, length + 1",
                    packet[:4] + length.to_bytes(2, "big") + packet[6:],
                    "rx_length")
        for version in 0x40, 0x50, 0x70, 0xf0:
            lab.refused(f"{name}, version {version >> 4}",
                        bytes([version]) + packet[1:], "rx_version")
    for name, header in (("unknown indicator", b"\0\2" + V3[2:]),
                         ("indicator 255", b"\0\xff" + V3[2:]),
                         ("origin twice", V3 + V3),
                         ("authentication twice", V2 + V2),
                         ("origin before authentication", V3 + V2)):
        for what, packet in (("V1", V1), ("V5", V5)):
            lab.refused(f"{name}, {what}", header + packet, "rx_header")


def rate(lab):
    """Floods from one network and from many.

    A network has a sixteenth of the rate, at least 1 a second, in each of two
    buckets that hold twice that, and gets others every 8 s.
    """
    def network(third):
        return [f"203.219.{third}.{host}" for host in range(1, 9)]

    def flood(payload, sources, number=400):
        lab.link.drain()
        lab.counters.moved()
        began = time.monotonic()
        got = 0
        for i in range(number):
            lab.link.send(payload, (sources[i % len(sources)], 4000), SERVER)
            if i % 50 == 49:
                got += len(lab.link.drain())
        got += len(lab.link.drain(0.1))
        return got, lab.counters.moved(), time.monotonic() - began

    def limited(name, payload, sources, counter, per_second, **counted):
        got, moved, seconds = flood(payload, sources)
        dropped = moved.pop(counter, 0)
        epochs = 2 + seconds // 8
        most = per_second * (2 * epochs + seconds) + 1
        counted = {name: by or got for name, by in counted.items()}
        lab.tap.result(2 <= got <= min(most, 399) and got + dropped == 400 and
                       moved == counted, f"{name}: {counter}",
                       f"{got} passed, at most {most:.0f}, {dropped} dropped "
                       f"within {seconds:.1f} s, {moved}")

    got, moved, _ = flood(V2 + V1, network(40), 100)
    lab.tap.equal((got, moved), (100, {"tx_adverts": 100}),
                  "100 solicitations are below the default")

    lab.set("type", "teredo", "rate", "10")
    limited("flood of solicitations from one network", V2 + V1, network(41),
            "rx_rate", 2, tx_adverts=None)
    lab.advertised("another network has its answer", V2 + V1, V2 + V3 + V4)
    limited("flood of bubbles from one network", bubble("2620::5", OWN_PEER),
            network(42), "tx_rate", 2, tx_relayed=None, rx_bubbles=400)
    packet = bubble(CLIENT_ADDRESS, OWN_PEER)
    lab.forwarded("another network has its bubble", packet, V3 + packet, PEER)
    limited("flood of solicitations from 400 networks", V2 + V1,
            [f"204.{i // 200}.{i % 200}.1" for i in range(400)],
            "rx_rate", 10, tx_adverts=None)

    lab.set("type", "teredo", "rate", "0")
    got, moved, _ = flood(V2 + V1, network(43))
    lab.tap.equal((got, moved), (400, {"tx_adverts": 400}),
                  "rate 0 is no limit")


SUBJECTS = {
    "rs": (solicited, by_source, instances),
    "forward": (forward,),
    "refuse": (refuse,),
    "malformed": (malformed,),
    "rate": (rate,),
}


def main():
    subject, *namespaces = sys.argv[1:]
    lab = Lab(*namespaces)
    for part in SUBJECTS[subject]:
        part(lab)
    return lab.tap.finish()


if __name__ == "__main__":
    sys.exit(main())
