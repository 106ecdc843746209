# SPDX-License-Identifier: GPL-2.0
"""The outer header and errors, both ways (TUN)"""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import time

import wire
from wire import CLIENT, CLIENT_ADDRESS, PORT, PRIMARY, bubble, routed, udp6

from .client import pair, trusted
from .lab import HOST6, ME, MY_SERVER, NATIVE
from .relay import contact, sender, sent_on
from .rows import CLOCK, client, relay, relays

ROUTER = "203.219.21.1"
UNREACHABLE, TIME_EXCEEDED, PARAMETER = 3, 11, 12
TOO_BIG = 2                     # of ICMPv6
UDP_SEGMENT = 103
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


def data(lab, size=60, number=0, to=CLIENT_ADDRESS):
    """A packet of so many octets to a client, from whoever may send it"""
    return udp6(lab.own or sender(lab), to,
                bytes([100 + number]) * (size - 48))


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
    return packet if lab.mode == "client" else sent_on(lab, packet)


@contextlib.contextmanager
def kernel_log():
    """Gives a function that returns the records since the last time"""
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(log, 0, os.SEEK_END)

    def records():
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(os.read(log, 8192).decode(errors="replace"))
        return found
    try:
        yield records
    finally:
        os.close(log)


def forget_path_mtus(lab):
    """Other rows leave route exceptions behind, also with DF clear"""
    lab.ip("route", "flush", "cache")
    for ns in lab.host, lab.native:
        subprocess.run(["ip", "-n", ns, "-6", "route", "flush", "cache"],
                       check=True)


# Errors for what we have sent


@client("TUN-11 TUN-13", "what did not arrive is unreachable (1/3) to the "
        "sender")
@relays("TUN-11 TUN-13", "what did not arrive is unreachable (1/3) to the "
        "sender")
def _(lab):
    packet = talking(lab)
    for kind, code in LOST:
        error(lab, kind, code, packet)
        lab.expect(moved={"icmp_peer": 1})
        lab.equal([(found[:2], found[4]) for found in lab.messages()],
                  [((1, 3), packet)], f"ICMPv6 errors for {kind}/{code}")
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


def silent(lab, counter, kind, code, payload, **fields):
    """An error that nobody is told of"""
    error(lab, kind, code, payload, **fields)
    lab.expect(moved={counter: 1} if counter else {})
    lab.equal(lab.messages(), [], "ICMPv6 errors")


def replaced(packet, src=None, dst=None):
    return (packet[:8] + (wire.ip6(src) if src else packet[8:24]) +
            (wire.ip6(dst) if dst else packet[24:40]) + packet[40:])


# that may not send into the tunnel
NO_SENDER = {"client": (HOST6, "2001::2"), "host-relay": (NATIVE, "2001::2"),
             "relay": ("2001::2", "fe80::1")}


@client("TUN-11 TUN-13", "an error for what we did not send: ignored")
@relays("TUN-11 TUN-13", "an error for what we did not send: ignored")
def _(lab):
    packet = talking(lab)
    source = wire.text6(packet[8:24])
    for name, payload, fields in [
            ("another port", packet, {"to": (CLIENT[0], CLIENT[1] + 1)}),
            ("another address", packet, {"to": ("198.41.0.4", CLIENT[1])}),
            ("no peer", replaced(packet, dst="2001::1"), {}),
            ("not IPv6", b"\x45" + packet[1:], {}),
            ("39 octets of it", packet, {"size": 28 + 39})] + [
            (f"from {address}", replaced(packet, src=address), {})
            for address in NO_SENDER[lab.mode]]:
        wrong = len(lab.wrong)
        silent(lab, "icmp_ignored", UNREACHABLE, 1, payload, **fields)
        lab.true(len(lab.wrong) == wrong, f"this was {name}")
    error(lab, UNREACHABLE, 1, packet, size=28 + 40)
    lab.expect(moved={"icmp_peer": 1})
    lab.equal([found[4] for found in lab.messages()], [packet[:40]],
              "the IPv6 header is enough")
    # for others
    silent(lab, "icmp_peer", UNREACHABLE, 1, bubble(source, CLIENT_ADDRESS))
    silent(lab, "icmp_peer", UNREACHABLE, 14, packet)
    silent(lab, "icmp_peer", PARAMETER, 0, packet)
    here = lab.here
    lab.here = (here[0], here[1] + 1)
    silent(lab, None, UNREACHABLE, 1, packet)
    lab.here = here


@client("TUN-11", "an error for what was sent more than 30 s ago: ignored",
        clock=True)
def _(lab):
    packet = talking(lab)
    lab.wait(28)
    error(lab, UNREACHABLE, 1, packet)
    lab.expect(moved={"icmp_peer": 1}, errors=[(1, 3)])
    lab.wait(3)
    silent(lab, "icmp_ignored", UNREACHABLE, 1, packet)


def limited(told, counters, since, name, lab):
    """20 at once, 10 a second"""
    most = 21 + 10 * (time.time() - since)
    lab.true(20 <= told <= most, f"{told} {name}, not 20 to {most}")
    lab.equal(counters.get("icmp6_limited"), 60 - told, "icmp6_limited")


@client("TUN-11 SEC-54", "forged errors: 20 at once and 10 a second are told, "
        "those of our own have a limit of their own")
def _(lab):
    packet = talking(lab)
    began = time.time()
    for _ in range(60):
        error(lab, UNREACHABLE, 1, packet)
    _, moved = lab.settle()
    limited(len(lab.messages()), moved, began, "errors", lab)
    lab.equal(moved["icmp_peer"], 60, "icmp_peer")
    lab.unsent(udp6(HOST6, CLIENT_ADDRESS, b"no"), "tx_source", [(1, 1)])


@client("TUN-13", "forged errors during a search: it goes on", clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab))
    test = bubble(lab.own, CLIENT_ADDRESS)
    for _ in range(3):
        error(lab, UNREACHABLE, 1, test)
        error(lab, UNREACHABLE, 3, test, (PRIMARY, PORT))
        error(lab, UNREACHABLE, 3, data(lab))
    lab.wait(3)
    lab.expect([(to, payload, seconds) for seconds in (0, 2)
                for to, payload in pair(lab)],
               {"tx_bubbles_direct": 2, "tx_bubbles_indirect": 2,
                "icmp_ignored": 9}, errors=[])
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own), sent=[(CLIENT, data(lab))])


@client("TUN-13", "forged errors for control packets: still qualified")
def _(lab):
    packet = talking(lab)
    for payload in wire.V1, bubble(lab.own, CLIENT_ADDRESS):
        for code in 1, 3, 10:
            error(lab, UNREACHABLE, code, payload, MY_SERVER)
    lab.expect()
    lab.equal(lab.control.device_state(), "qualified", "state")
    lab.out(data(lab))
    lab.expect([(CLIENT, packet)])


@client("TUN-12 TUN-13", "fragmentation needed, DF clear: no effect")
def _(lab):
    packet = talking(lab)
    for mtu in 68, 576, 1300:
        silent(lab, "icmp_peer", UNREACHABLE, 4, packet, rest=mtu)
        lab.out(data(lab, 1280))
        lab.expect([(CLIENT, data(lab, 1280))])


def too_big(lab, size, mtu):
    """Refused, and the sender is told"""
    lab.out(data(lab, size))
    lab.expect(moved={"tx_too_big": 1})
    lab.equal([found[:3] for found in lab.messages()], [(TOO_BIG, 0, mtu)],
              f"ICMPv6 errors for {size} octets")


@relay("TUN-12 TUN-03 TUN-02", "pmtudisc on: the path MTU becomes packet too "
       "big, of 1280 or more", words="pmtudisc on")
def _(lab):
    lab.ip("link", "set", "teredo0", "mtu", "1472")
    forget_path_mtus(lab)
    talking(lab)
    lab.out(data(lab, 1280))
    lab.expect([(CLIENT, routed(data(lab, 1280)))])
    lab.out(data(lab, 1400))
    sent, _ = lab.settle()
    lab.equal([(d.dont_fragment, d.payload) for d in sent],
              [(True, routed(data(lab, 1400)))], "DF above 1280")
    silent(lab, "icmp_peer", UNREACHABLE, 4, sent[0].payload, rest=1400)
    too_big(lab, 1400, 1372)
    lab.out(data(lab, 1372))
    sent, _ = lab.settle()
    lab.equal([d.dont_fragment for d in sent], [True], "what fits")
    silent(lab, "icmp_peer", UNREACHABLE, 4, sent[0].payload, rest=68)
    too_big(lab, 1281, 1280)
    lab.out(data(lab, 1280))
    first = lab.link.packet(10)
    lab.true(first and not first[6] & 0x40, "1280 octets: DF clear")
    lab.expect(errors=[])
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)
    forget_path_mtus(lab)


# The outer header


@client("TUN-01 E-09", "1280 octets, DF clear, cross a path of 1000 in "
        "fragments")
def _(lab):
    talking(lab)
    lab.ip("link", "set", "eth0", "mtu", "1000")
    lab.out(data(lab, 1280))
    fragments = [lab.link.packet(10) for _ in range(2)]
    lab.ip("link", "set", "eth0", "mtu", "1500")
    lab.equal([fragment[6] & 0xe0 for fragment in fragments], [0x20, 0],
              "more fragments")
    lab.equal(b"".join(fragment[20:] for fragment in fragments)[8:],
              data(lab, 1280), "the datagram")
    lab.expect()


@client("TUN-02", "a greater MTU: DF is clear, too")
def _(lab):
    talking(lab)
    lab.ip("link", "set", "teredo0", "mtu", "1472")
    lab.out(data(lab, 1472))
    lab.expect([(CLIENT, data(lab, 1472))])


@client("TUN-04", "TTL: the namespace's, whatever the inner hop limit")
def _(lab):
    talking(lab)
    for words, ttl in ("", 64), ("ttl 9", 9):
        if words:
            lab.set(words)
        for hops in 1, 3, 255:
            lab.out(udp6(lab.own, CLIENT_ADDRESS, b"x", hop_limit=hops))
            sent, _ = lab.settle()
            lab.equal([(d.ttl, d.payload[7]) for d in sent], [(ttl, hops)],
                      "TTL and hop limit")
    lab.taken(udp6(CLIENT_ADDRESS, lab.own, b"x", hop_limit=77), ttl=1)


@client("TUN-04", "TTL: what the namespace, or before that the route, says")
def _(lab):
    talking(lab)
    lab.sysctl(lab.host, "ipv4.ip_default_ttl", 77)
    try:
        for words, ttl in ("", 77), ("hoplimit 33", 33):
            lab.batch(lab.host,
                      f"route replace default via {ROUTER} {words}")
            lab.out(data(lab))
            lab.equal([d.ttl for d in lab.settle()[0]], [ttl], "TTL")
    finally:
        lab.batch(lab.host, f"route replace default via {ROUTER}")
        lab.sysctl(lab.host, "ipv4.ip_default_ttl", 64)


def classed(packet, value):
    """The same with this traffic class"""
    return struct.pack("!I", 6 << 28 | value << 20) + packet[4:]


def traffic_class(packet):
    return (packet[0] << 4 | packet[1] >> 4) & 0xff


@client("TUN-05 SEC-69 TUN-09", "outer ECN and DSCP are 0 by default")
def _(lab):
    talking(lab)
    for value in (0, 1, 2, 3, 0xb8, 0xbb):
        packet = classed(data(lab), value)
        lab.out(packet)
        sent, _ = lab.settle()
        lab.equal([(d.tos, d.payload) for d in sent], [(0, packet)],
                  f"class {value:#04x}")
    # what we send ourselves
    lab.out(data(lab, to=wire.teredo(PRIMARY, "198.41.0.4", 5000, 0x1234)))
    lab.equal([d.tos for d in lab.settle()[0]], [0, 0], "bubbles")


@client("TUN-06", "ecn copy: outer is inner ECN, DSCP not", words="ecn copy")
def _(lab):
    talking(lab)
    for value in (0, 1, 2, 3, 0xbb):
        packet = classed(data(lab), value)
        lab.out(packet)
        sent, _ = lab.settle()
        lab.equal([(d.tos, d.payload) for d in sent], [(value & 3, packet)],
                  f"class {value:#04x}")


@client("TUN-09", "tos inherit: the six bits of DSCP; tos N: these")
def _(lab):
    talking(lab)
    for words, tos in (("tos inherit", 0xb8), ("tos 0x48", 0x48),
                       ("tos 0", 0)):
        lab.set(words)
        for ecn in range(4):
            packet = classed(data(lab), 0xb8 | ecn)
            lab.out(packet)
            sent, _ = lab.settle()
            lab.equal([(d.tos, d.payload) for d in sent], [(tos, packet)],
                      f"{words}, ECN {ecn}")


NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3
STRENGTH = (ECT0, ECT1, CE)


@client("TUN-07 TUN-08 TUN-09 SEC-69", "decapsulation: the 16 combinations")
def _(lab):
    talking(lab)
    for inner in range(4):
        for outer in range(4):
            lab.delivered()
            lab.send(classed(udp6(CLIENT_ADDRESS, lab.own, b"x"),
                             0xb8 | inner), tos=0x48 | outer)
            _, moved = lab.settle()
            if inner == NOT_ECT:
                result = None if outer == CE else NOT_ECT
            else:
                result = max((inner, outer) if outer else (inner,),
                             key=STRENGTH.index)
            counters = {}
            if inner == NOT_ECT and outer:
                counters = {"ecn_odd": 1}
            if result is None:
                counters["rx_ecn"] = 1
            lab.equal(([traffic_class(p) for p in lab.delivered()], moved),
                      ([] if result is None else [0xb8 | result], counters),
                      f"inner {inner}, outer {outer}")


@client("TUN-08", "odd ECN fields are logged where dynamic debug is on")
def _(lab):
    control = pathlib.Path("/proc/dynamic_debug/control")
    if CLOCK:
        lab.wait(6)     # for the limit, should this have run before
    with kernel_log() as records:
        talking(lab)
        # the debug kernel has no such switch
        if control.exists():
            control.write_text("module teredo +p\n", encoding="ascii")
        for _ in range(100):
            lab.send(udp6(CLIENT_ADDRESS, lab.own, b"x"), tos=ECT1)
        if control.exists():
            control.write_text("module teredo -p\n", encoding="ascii")
        lab.send(udp6(CLIENT_ADDRESS, lab.own, b"x"), tos=ECT0)
        lab.settle()
        lab.delivered()
        found = [line for line in records()
                 if "non-ECT from 203.219.21.70" in line]
    lab.true(1 <= len(found) < 50 if control.exists() else not found,
             f"{len(found)} lines of the log")
    lab.true(all("TOS=0x1" in line for line in found), "of the first kind")


@client("TUN-10", "all outer fragments carry the ECN field",
        words="ecn copy")
def _(lab):
    talking(lab)
    lab.ip("link", "set", "eth0", "mtu", "1000")
    lab.out(classed(data(lab, 1280), ECT0))
    fragments = [lab.link.packet(10) for _ in range(2)]
    lab.ip("link", "set", "eth0", "mtu", "1500")
    lab.equal([fragment[1] for fragment in fragments], [ECT0, ECT0], "TOS")
    lab.expect()


@client("TUN-10", "fragments with mixed ECN: what reassembly makes of them")
def _(lab):
    talking(lab)
    for first, second, result in (
            (ECT0, ECT0, ECT0), (ECT0, CE, CE), (CE, ECT0, CE),
            (ECT1, CE, CE), (CE, ECT1, CE), (NOT_ECT, ECT0, None),
            (CE, NOT_ECT, None),
            # the first one's, where the rule asks for ECT(1)
            (ECT0, ECT1, ECT0), (ECT1, ECT0, ECT1)):
        packet = classed(udp6(CLIENT_ADDRESS, lab.own, bytes(600)), ECT0)
        lab.delivered()
        lab.link.send_parts(packet, CLIENT, lab.here, 400, (first, second))
        lab.settle()
        lab.equal([traffic_class(p) for p in lab.delivered()],
                  [] if result is None else [result],
                  f"fragments with {first} and {second}")


@client("TUN-18", "the outer source stays when the routes change")
def _(lab):
    lab.ip("link", "delete", "teredo0")
    lab.ip("route", "replace", "default", "via", ROUTER, "src", ME[0])
    lab.batch(lab.host, f"""
        link add teredo0 type teredo mode client port {ME[1]}
        link set teredo0 up
        route add fe80::1/128 dev teredo0
        route add 2001::/32 via fe80::1 dev teredo0
        """)
    lab.attach("client", ME)
    lab.qualify()
    packet = talking(lab)
    lab.ip("route", "replace", "default", "via", ROUTER, "src", "5.6.7.1")
    lab.out(packet)
    lab.expect([(CLIENT, packet)])
    lab.out(data(lab, to=wire.teredo(PRIMARY, "198.41.0.4", 5000, 0x1234)))
    sent, _ = lab.settle()
    lab.ip("route", "replace", "default", "via", ROUTER)
    lab.equal([d.src for d in sent], [ME, ME], "source of bubbles")


@client("TUN-19", "segmentation offload: whole datagrams, as without",
        offloads=True)
def _(lab):
    talking(lab)
    with wire.netns(lab.host):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sock:
        sock.bind((lab.own, 6002))
        sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1000)
        sock.sendto(b"d" * 10500, (wire.text6(CLIENT_ADDRESS), 5000))
        lab.expect([(CLIENT, udp6(lab.own, CLIENT_ADDRESS, b"d" * size,
                                  (6002, 5000)))
                    for size in [1000] * 10 + [500]])


@client("TUN-20", "the IPv4 identification of 1000 datagrams: none twice")
def _(lab):
    idents = []
    for number in range(1000):
        if number % 100 == 0:
            talking(lab)            # it takes a slow machine longer than 30 s
        lab.out(data(lab))
        if number % 100 == 99:
            idents += [d.ident for d in lab.settle()[0]]
    lab.equal((len(idents), len(set(idents))), (1000, 1000), "distinct")


# Errors to senders


@client("TUN-15", "no error for an error, a redirect, or from a source that "
        "is none")
def _(lab):
    talking(lab)
    body = bytes(4) + data(lab)
    for kind in 1, 2, 3, 4, 137:
        lab.unsent(wire.icmp6(HOST6, CLIENT_ADDRESS, kind, body=body),
                   "tx_source", [])
    for source in "::", "ff0e::1":
        lab.unsent(udp6(source, CLIENT_ADDRESS, b"x"), "tx_source", [])
    lab.unsent(wire.echo(HOST6, CLIENT_ADDRESS), "tx_source", [(1, 1)])


@client("TUN-15 SEC-14 CL-TX-02", "link-local and multicast destinations: "
        "dropped without an error")
def _(lab):
    for to in "fe80::5", "ff02::1", "ff0e::1":
        lab.unsent(udp6(lab.own, to, b"x"), "tx_scope", inject=True)


@client("TUN-16 SEC-54 C-30", "errors quote what fits into 1280 octets")
def _(lab):
    packet = udp6(HOST6, CLIENT_ADDRESS, b"d" * 1232)
    lab.settle()
    lab.out(packet)
    lab.expect(moved={"tx_source": 1})
    lab.equal([found[4] for found in lab.messages()], [packet[:1232]],
              "quotation")


@client("TUN-16 SEC-54 C-30", "errors: 20 at once, 10 a second")
def _(lab):
    lab.settle()
    began = time.time()
    for _ in range(60):
        lab.out(udp6(HOST6, CLIENT_ADDRESS, b"d"))
    _, moved = lab.settle()
    lab.equal(moved["tx_source"], 60, "tx_source")
    limited(len(lab.messages()), moved, began, "errors", lab)


@relays("TUN-17", "the source of errors is an address of the host")
def _(lab):
    packet = talking(lab)
    error(lab, UNREACHABLE, 1, packet)
    lab.expect(moved={"icmp_peer": 1})
    lab.equal([found[3] for found in lab.messages()], [HOST6], "source")


@client("TUN-17", "the source of errors is the Teredo address")
def _(lab):
    packet = talking(lab)
    error(lab, UNREACHABLE, 1, packet)
    lab.expect(moved={"icmp_peer": 1})
    lab.equal([found[3] for found in lab.messages()], [lab.own], "source")
