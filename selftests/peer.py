#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Clients and relays seen from outside, datagram by datagram.

peer.py SUBJECT INET HOST NATIVE: a subject below, three namespaces of
peer_net.sh. The device is on HOST; INET plays everybody on the IPv4 Internet.
"""

import errno
import os
import socket
import struct
import subprocess
import sys
import time

import wire
from control import Control
from wire import (CLIENT, CLIENT_ADDRESS, OTHER_SERVER, PEER_ADDRESS, PORT,
                  PRIMARY, V1, V2, V3, V4, V5, V6, auth, bubble, echo, ipv6,
                  origin, ra, teredo, trailer)

HOST6 = "2620::ff"
NATIVE = "2620::1"
NATIVE_2 = "2620:1::1"
RELAY = ("204.152.184.7", 3545)
SERVER = (PRIMARY, PORT)
PEER = ("1.2.3.4", 40000)                       # V5 is for this client
OTHER_CLIENT = ("198.41.0.4", 5000)
OTHER_ADDRESS = teredo(PRIMARY, *OTHER_CLIENT, 0x1234)
DEAD_ADDRESS = teredo(OTHER_SERVER, "203.219.22.1", 1234, 0x0815)
IPV6_RECVERR = 25
MARKER = ("203.219.21.1", 7)


def udp6(src, dst, data, ports=(6000, 5000)):
    """IPv6 packet with a UDP datagram"""
    header = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    pseudo = wire.ip6(src) + wire.ip6(dst) + struct.pack("!II", 8 + len(data),
                                                         17)
    check = wire.checksum(pseudo + header + data) or 0xffff
    return ipv6(src, dst, 17, header[:6] + struct.pack("!H", check) + data)


class Lab:
    """The networks, a device, and what is asked of each packet"""

    def __init__(self, inet, host, native):
        # all that is sent takes the same way, so nothing overtakes
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.host = host
        self.native = native
        self.link = wire.Link(inet, "eth0")
        self.tap = wire.Tap()
        self.markers = {}
        print("TAP version 13")

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.host, *words], check=True)

    def device(self, address, *words):
        """A new device in place of the former"""
        subprocess.run(["ip", "-n", self.host, "link", "delete", "teredo0"],
                       check=False, stderr=subprocess.DEVNULL)
        self.ip("link", "add", "teredo0", "type", "teredo", *words)
        self.ip("link", "set", "teredo0", "up")
        self.ip("route", "add", "fe80::1/128", "dev", "teredo0")
        self.ip("route", "add", "2001::/32", "via", "fe80::1", "dev",
                "teredo0")
        self.here = address
        if address[0] not in self.markers:
            self.markers[address[0]] = wire.Udp(self.host, address[0], 7)
        self.counters = wire.Counters(self.host, "teredo0")
        self.control = Control(self.host, "teredo0")

    def socket(self, ns, port=5000):
        with wire.netns(ns):
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::", port))
        return sock

    def send(self, payload, src=CLIENT):
        self.link.send(payload, src, self.here)

    def settle(self):
        """Waits until the host has seen all that was sent to it; returns what
        it sent and the counters that moved."""
        marker = self.markers[self.here[0]]
        nonce = os.urandom(8)
        self.link.send(nonce, MARKER, (self.here[0], 7))
        while True:
            got = marker.receive(10)
            if got is None:
                self.tap.result(False, "the host is there")
                break
            if got[0] == nonce:
                break
        return self.link.drain(0.01), self.counters.moved()

    def ask(self, payload, src=CLIENT):
        self.settle()
        self.send(payload, src)
        return self.settle()

    def refused(self, name, payload, counter, src=CLIENT):
        """Dropped and counted, nothing sent, nothing learned"""
        self.refused_all(name, [payload], counter, src)

    def refused_all(self, name, payloads, counter, src=CLIENT):
        """The same of many; counter may be a function of each"""
        before = self.control.peers()
        wrong = []
        for payload in payloads:
            wanted = counter(payload) if callable(counter) else counter
            sent, moved = self.ask(payload, src)
            if (len(sent), moved) != (0, {wanted: 1}):
                wrong.append((payload.hex(), len(sent), moved, wanted))
        if self.control.peers() != before:
            wrong.append((before, self.control.peers()))
        self.tap.equal(wrong, [], name)

    def taken(self, name, payload, sock, data, src=CLIENT):
        """Delivered to a socket as it was, and not answered"""
        sent, moved = self.ask(payload, src)
        self.tap.equal((self.received(sock), len(sent), moved),
                       (data, 0, {}), name)

    @staticmethod
    def received(sock, timeout=5.0):
        sock.settimeout(timeout)
        try:
            return sock.recv(65535)
        except TimeoutError:
            return None

    def sent(self, count, timeout=5.0):
        """What the host sends next, that many datagrams and no more"""
        got = []
        while len(got) < count:
            datagram = self.link.receive(timeout)
            if datagram is None:
                break
            got.append(datagram)
        return got + self.link.drain(0.02)

    def sends(self, name, wanted, timeout=5.0):
        """The host sends exactly these: destination and payload"""
        got = [(d.src, d.dst, d.payload.hex(), d.dont_fragment,
                d.right and bool(d.check))
               for d in self.sent(len(wanted), timeout)]
        self.tap.equal(got, [(self.here, to, payload.hex(), False, True)
                             for to, payload in wanted], name)


# A relay

def contact(lab, sock):
    """Native host to client, first contact"""
    packets = [udp6(NATIVE, CLIENT_ADDRESS, data, (5000, 6000))
               for data in (b"one", b"two", b"three")]
    # the router on the way has counted one
    packets = [packet[:7] + b"\x3f" + packet[8:] for packet in packets]
    to = (wire.text6(CLIENT_ADDRESS), 6000)
    for data in b"one", b"two", b"three":
        sock.sendto(data, to)
    lab.sends("SEQ-4, N-13, RL-TX-06: one bubble, through the client's server",
              [(SERVER, bubble(HOST6, CLIENT_ADDRESS))])
    lab.tap.equal(lab.control.peers(),
                  {wire.text6(CLIENT_ADDRESS): (None, "incomplete", 0)},
                  "RL-TX-06: the client is known but not trusted")
    lab.send(bubble(CLIENT_ADDRESS, HOST6))
    lab.sends("SEQ-4, RL-TX-09: its bubble frees what waited, in order",
              [(CLIENT, packet) for packet in packets])
    lab.tap.equal(lab.control.peers(),
                  {wire.text6(CLIENT_ADDRESS): (CLIENT, "trusted", 1)},
                  "RL-RX-04: the client is trusted")
    sock.sendto(b"one", to)
    lab.sends("RL-TX-04: then data alone", [(CLIENT, packets[0])])
    lab.taken("RL-RX-09: data from the client is forwarded",
              udp6(CLIENT_ADDRESS, NATIVE, b"four"), sock, b"four")


def strangers(lab, sock):
    """Sources that are not to be believed, destinations not to be served"""
    data = udp6(CLIENT_ADDRESS, NATIVE, b"no")
    lab.refused("SEC-15, RL-RX-02: a known client from another port", data,
                "rx_bad_mapping", (CLIENT[0], CLIENT[1] + 1))
    lab.refused("RL-RX-02: and from another address", data, "rx_bad_mapping",
                (OTHER_CLIENT[0], CLIENT[1]))
    lab.refused("RL-RX-02: a native source", udp6(NATIVE_2, NATIVE, b"no"),
                "rx_bad_mapping")
    lab.refused("SEC-11: a link-local source", udp6("fe80::1", NATIVE, b"no"),
                "rx_linklocal")
    lab.refused("RL-RX-03: data of an unknown client",
                udp6(OTHER_ADDRESS, NATIVE, b"no"), "rx_unknown", OTHER_CLIENT)
    lab.refused("RL-RX-03: a bubble of an unknown client",
                bubble(OTHER_ADDRESS, HOST6), "rx_unknown", OTHER_CLIENT)
    lab.refused("RL-RX-07, SEC-34: to another client",
                udp6(CLIENT_ADDRESS, OTHER_ADDRESS, b"no"), "rx_loop")
    lab.refused("SEC-08: to a multicast group",
                udp6(CLIENT_ADDRESS, "ff02::1", b"no"), "rx_martian6")
    lab.refused("RL-RX-06: to a link-local address",
                udp6(CLIENT_ADDRESS, "fe80::2", b"no"), "rx_not_served")
    lab.tap.equal(lab.received(sock, 0.1), None, "none of it is forwarded")


def switches(lab, sock):
    """accept-unknown and serve"""
    lab.ip("link", "set", "teredo0", "type", "teredo", "accept-unknown", "on")
    lab.taken("RL-RX-03: accept-unknown lets an unknown client in",
              udp6(OTHER_ADDRESS, NATIVE, b"five"), sock, b"five",
              OTHER_CLIENT)
    lab.tap.equal(lab.control.peers().get(wire.text6(OTHER_ADDRESS)),
                  (OTHER_CLIENT, "trusted", 1), "and has it trusted")
    lab.refused("SEC-17: but not one behind a private address",
                bubble(teredo(PRIMARY, "10.0.0.1", 1234), HOST6),
                "rx_not_global", ("10.0.0.1", 1234))
    lab.ip("link", "set", "teredo0", "type", "teredo", "accept-unknown",
           "off")
    # who is known stays known
    lab.taken("RL-RX-04: accept-unknown off forgets nobody",
              udp6(OTHER_ADDRESS, NATIVE, b"six"), sock, b"six", OTHER_CLIENT)

    far = udp6(CLIENT_ADDRESS, NATIVE_2, b"far")
    lab.taken("RL-RX-06: without serve all is served", far, sock, b"far")
    lab.ip("link", "set", "teredo0", "type", "teredo", "serve", "2620::/64")
    lab.refused("RL-RX-06: outside of serve", far, "rx_not_served")
    lab.taken("RL-RX-06: inside of serve",
              udp6(CLIENT_ADDRESS, NATIVE, b"near"), sock, b"near")
    lab.ip("link", "set", "teredo0", "type", "teredo", "serve", "all")
    lab.taken("RL-RX-06: serve all", far, sock, b"far")


def private(lab, sock):
    """Teredo addresses that must not make us send anything"""
    lab.settle()
    for address in (teredo(PRIMARY, "10.0.0.1", 1234),
                    teredo("127.0.0.1", "203.219.22.2", 1234),
                    teredo(PRIMARY, "203.219.22.2", 0),
                    teredo(PRIMARY, RELAY[0], 1234)):
        sock.sendto(b"no", (wire.text6(address), 6000))
    sent, moved = lab.settle()
    lab.tap.equal((len(sent), moved), (0, {"tx_not_global": 2,
                                           "tx_bad_port": 1, "tx_self": 1}),
                  "RL-TX-02, RL-TX-03, SEC-32, SEC-50: nothing is sent")


def dead(lab, native):
    """A client that does not answer"""
    sock = lab.socket(native, 5001)
    sock.connect((wire.text6(DEAD_ADDRESS), 6000))
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    server = (OTHER_SERVER, PORT)
    began = time.monotonic()
    sock.send(b"dead")
    lab.sends("RL-TX-07: four bubbles through its server, and no more",
              [(server, bubble(HOST6, DEAD_ADDRESS))] * 4, 10)
    bubbles = time.monotonic() - began
    error, after = error_of(sock, 20), time.monotonic() - began
    lab.tap.equal(error, errno.EHOSTUNREACH,
                  "RL-TX-08: then ICMPv6 address unreachable")
    # too late cannot be told from a machine that is busy
    lab.tap.result(bubbles >= 5.8 and after >= 7.8,
                   "C-21: bubbles at 0, 2, 4, 6 s, the error at 8 s",
                   f"bubbles within {bubbles} s, error after {after} s")
    lab.tap.equal(lab.control.peers().get(wire.text6(DEAD_ADDRESS), (0, 0))[1],
                  "failed", "RL-TX-13: it has failed")

    failed = time.monotonic()
    errors = []
    lab.settle()
    while time.monotonic() < failed + 60:
        sock.send(b"dead")
        asked = time.monotonic()
        error = error_of(sock, 3)
        if error is None:
            break
        errors.append(error)
        # so that the host's limit of errors does not hide any
        time.sleep(max(0, asked + 1.2 - time.monotonic()))
    barred = asked - failed
    lab.tap.result(len(errors) > 5 and set(errors) == {errno.EHOSTUNREACH},
                   "RL-TX-13: later packets get the error at once",
                   f"{errors}")
    lab.tap.result(28 < barred < 60, "RL-TX-13: for 30 s", f"{barred} s")
    sent, _ = lab.settle()
    lab.tap.equal({(d.dst, d.payload) for d in sent},
                  {(server, bubble(HOST6, DEAD_ADDRESS))},
                  "RL-TX-13: then it is tried anew")


def error_of(sock, timeout):
    """What ICMPv6 said of a packet, or None"""
    sock.settimeout(timeout)
    try:
        sock.recv(1)
    except TimeoutError:
        return None
    except OSError as error:
        return error.errno
    return 0


def relay(lab):
    lab.device(RELAY, "mode", "relay", "local", RELAY[0], "port",
               str(RELAY[1]))
    sock = lab.socket(lab.native)
    contact(lab, sock)
    strangers(lab, sock)
    switches(lab, sock)
    private(lab, sock)
    dead(lab, lab.native)


# What does not parse

def cut(lab, vectors):
    """Every truncation of octets that hold an IPv6 packet at an offset"""
    for name, octets, start in vectors:
        lab.refused_all(
            f"SEC-01, SEC-03: {name}, cut off anywhere",
            [octets[:size] for size in range(1, len(octets))],
            lambda part, start=start: "rx_length"
            if len(part) >= start + 40 else "rx_short")


def twisted(lab):
    """Versions, lengths and headers that are wrong. V5 would be accepted."""
    lab.refused("SEC-01: nothing", b"", "rx_short")
    for version in 0, 4, 5, 7, 15:
        lab.refused(f"SEC-02: version {version}",
                    bytes([version << 4 | 1]) + V5[1:], "rx_version")
    lab.refused("SEC-03: a length of one more",
                V5[:4] + b"\0\1" + V5[6:], "rx_length")
    lab.refused("SEC-03: a length of 65535",
                V5[:4] + b"\xff\xff" + V5[6:], "rx_length")
    lab.refused("SEC-03: the same with 1000 octets behind",
                V5[:4] + b"\xff\xff" + V5[6:] + bytes(1000), "rx_length")
    own = origin(*CLIENT)
    for name, headers in (("origin before authentication", own + auth()),
                          ("origin twice", own + own),
                          ("authentication twice", auth() + auth()),
                          ("authentication, origin, authentication",
                           auth() + own + auth()),
                          ("an unknown indicator", b"\0\2" + own[2:]),
                          ("an unknown one after origin",
                           own + b"\0\2" + own[2:])):
        lab.refused(f"SEC-04, E-04: {name}", headers + V5, "rx_header")
    # the identifier has the first octet of an IPv6 packet in it
    lab.refused("SEC-01: lengths beyond the end",
                b"\0\1\xff\xff" + b"\x60" * 100, "rx_short")


def malformed_relay(lab):
    """accept-unknown, so that the least mistake would make a peer"""
    print("# a relay")
    lab.device(RELAY, "mode", "relay", "local", RELAY[0], "port",
               str(RELAY[1]), "accept-unknown", "on")
    sock = lab.socket(lab.native)
    cut(lab, (("V1", V1, 0), ("V2 + V1", V2 + V1, 13), ("V3 + V4", V3 + V4, 8),
              ("V2 + V3 + V4", V2 + V3 + V4, 21), ("V4", V4, 0), ("V5", V5, 0),
              ("V6", V6, 0)))
    twisted(lab)
    for name, headers in (("origin", origin(*CLIENT)),
                          ("authentication", auth())):
        lab.refused(f"E-08, SEC-05: {name} and a packet", headers + V5,
                    "rx_header")
    lab.tap.equal(lab.control.peers(), {}, "nothing was learned")
    lab.ask(V5)
    lab.tap.equal(lab.control.peers(),
                  {wire.text6(CLIENT_ADDRESS): (CLIENT, "trusted", 1)},
                  "V5 as it should be is a bubble")
    data = udp6(CLIENT_ADDRESS, NATIVE, b"data")
    for name, behind in (("20 octets", bytes(20)), ("1 octet", b"\x40"),
                         ("a trailer 0x40", trailer(0x40, b"ab")),
                         ("1000 octets", b"\xff" * 1000)):
        lab.taken(f"COM-02, X-TR-04: {name} behind the packet are not "
                  "interpreted", data + behind, sock, b"data")
    sock.close()


def malformed_client(lab):
    """The client that V5 is for"""
    print("# a client")
    lab.device(PEER, "mode", "client", "local", PEER[0], "port", str(PEER[1]))
    lab.control.qualify(OTHER_SERVER, *PEER, 0x2055, 3600)
    address = wire.text6(PEER_ADDRESS)
    lab.ip("addr", "add", f"{address}/128", "dev", "teredo0", "nodad")
    sock = lab.socket(lab.host)
    server = (OTHER_SERVER, PORT)
    cut(lab, (("V1", V1, 0), ("V2 + V1", V2 + V1, 13), ("V5", V5, 0),
              ("V6", V6, 0)))
    own = ra(OTHER_SERVER)
    for name, headers in (("", b""), ("V2 + ", V2), ("V3 + ", V3),
                          ("V2 + V3 + ", V2 + V3)):
        octets = headers + own
        lab.refused_all(
            f"SEC-01, SEC-03: {name}V4 from the server, cut off anywhere",
            [octets[:size] for size in range(1, len(octets))],
            lambda part, start=len(headers): "rx_length"
            if len(part) >= start + 40 else "rx_short", server)
    twisted(lab)
    lab.refused("E-07, SEC-05: authentication and a packet", auth() + V5,
                "rx_header")
    lab.refused("SEC-06: an origin from a peer", origin(*CLIENT) + V5,
                "rx_origin")
    lab.tap.equal(lab.control.peers(), {}, "nothing was learned")
    lab.ask(V5)
    lab.tap.equal(lab.control.peers(),
                  {wire.text6(CLIENT_ADDRESS): (CLIENT, "trusted", 1)},
                  "V5 as it should be is a bubble")

    data = udp6(CLIENT_ADDRESS, PEER_ADDRESS, b"data")
    for kind in 0x01, 0x02, 0x05, 0x3f, 0x80, 0xff:
        lab.taken(f"T-01: a trailer {kind:#04x} is skipped",
                  data + trailer(kind, b"ab"), sock, b"data")
    for kind in 0x40, 0x7f:
        lab.refused(f"T-01, SEC-07: a trailer {kind:#04x}",
                    data + trailer(kind, b"ab"), "rx_trailer")
    lab.refused("T-01: the same behind others",
                data + trailer(1, bytes(4)) + trailer(0x80) + trailer(0x40),
                "rx_trailer")
    lab.refused("T-01: the same behind a bubble", V5 + trailer(0x40),
                "rx_trailer")
    for name, behind in (
            ("one octet is left", trailer(1, bytes(4)) + b"\5"),
            ("the length is too great", trailer(1, bytes(4)) + b"\5\x09\0"),
            ("a trailer 0x40 that is cut off", b"\x40\x02a"),
            ("a trailer 0x40 behind one that is cut off",
             b"\x05\x09\0" + trailer(0x40)),
            ("1000 octets of anything else", b"\xff" * 1000)):
        lab.taken(f"T-02: {name}: the packet remains valid", data + behind,
                  sock, b"data")
    request = echo(CLIENT_ADDRESS, PEER_ADDRESS, b"abcdefgh")
    lab.send(request + bytes(33))
    lab.sends("COM-02: what is behind never reaches the stack",
              [(CLIENT, echo(PEER_ADDRESS, CLIENT_ADDRESS, b"abcdefgh",
                             wire.ECHO_REPLY))])
    sock.close()


def malformed(lab):
    malformed_relay(lab)
    malformed_client(lab)


def main():
    subject, *namespaces = sys.argv[1:]
    lab = Lab(*namespaces)
    {"relay": relay, "malformed": malformed}[subject](lab)
    sys.exit(lab.tap.finish())


if __name__ == "__main__":
    main()
