# SPDX-License-Identifier: GPL-2.0
"""The server forwards (SV-05, SV-09 to SV-20, SV-36 to SV-41)"""

import subprocess

import wire
from wire import (CLIENT, CLIENT_ADDRESS, CLIENT_LL, CONE, OTHER_SERVER,
                  PEER_ADDRESS, PORT, PRIMARY, SECONDARY, V1, V2, V3, V4, V5,
                  V6, V8, V9, bubble, echo, icmp6, ipv6, origin,
                  server_linklocal, teredo)

from .lab import HOST6, NATIVE
from .rows import server
from .server import OWN_PEER, PEER, advertised

RELAY = ("198.41.0.4", 5000)
OWN_BUBBLE = bubble(CLIENT_ADDRESS, OWN_PEER)
NATIVE_TEST = echo(CLIENT_ADDRESS, NATIVE, b"12345678")


def is_bubble(payload):
    return wire.Packet.parse(payload).is_bubble()


def forwarded(lab, payload, wanted, to=PEER, src=CLIENT):
    """To a client: exactly this datagram"""
    lab.settle()
    lab.send(payload, src)
    counted = {"tx_relayed": 1}
    if is_bubble(payload):
        counted["rx_bubbles"] = 1
    lab.expect([(to, wanted)], counted)


def unforwarded(lab, payload, counter, src=CLIENT):
    """A bubble that is fine but for where it would go"""
    lab.settle()
    lab.send(payload, src)
    lab.expect(moved={counter: 1} | ({"rx_bubbles": 1} if is_bubble(payload)
                                     else {}))


def natives(lab):
    """What the native host got, but for MLD of the link"""
    return [packet.hex() for packet in lab.arrived() if packet[6]]


def routed(lab, payload, inner):
    """To the IPv6 Internet: the stack gets the packet, the host routes it"""
    lab.settle()
    lab.arrived()
    lab.send(payload)
    lab.expect(moved={"tx_relayed": 1},
               delivered=[wire.Packet.parse(payload).inner])
    lab.equal(natives(lab), [inner.hex()], "what the native host got")


@server("SV-05 SEC-13", "neither bubble nor ICMPv6: rx_type")
def _(lab):
    icmp = V6[40:]
    for packet in (ipv6(CLIENT_ADDRESS, OWN_PEER, 17, icmp),
                   ipv6(CLIENT_ADDRESS, OWN_PEER, 6, icmp + bytes(4)),
                   ipv6(CLIENT_ADDRESS, OWN_PEER, 0,
                        bytes.fromhex("3a00010400000000") + icmp),
                   ipv6(CLIENT_ADDRESS, NATIVE, 43,
                        bytes.fromhex("3a00000000000000") + icmp),
                   ipv6(CLIENT_ADDRESS, NATIVE, 44,
                        bytes.fromhex("3a00000000000001") + icmp),
                   ipv6(CLIENT_ADDRESS, NATIVE, 60,
                        bytes.fromhex("3a00010400000000") + icmp),
                   ipv6(CLIENT_ADDRESS, NATIVE, 4, bytes(20))):
        lab.refused(packet, "rx_type")


@server("SV-05 N-11", "no next header with a payload is no bubble")
def _(lab):
    lab.refused(ipv6(CLIENT_ADDRESS, OWN_PEER, 59, bytes(1)), "rx_type")


@server("SV-09", "a Teredo source is that of the sender, or dropped")
def _(lab):
    forwarded(lab, OWN_BUBBLE, V3 + OWN_BUBBLE)
    for dst in OWN_PEER, PEER_ADDRESS, NATIVE:
        packet = echo(CLIENT_ADDRESS, dst)
        for src in ((CLIENT[0], CLIENT[1] + 1), (CLIENT[0], CLIENT[1] - 1),
                    ("203.219.21.71", CLIENT[1]), ("203.219.20.70",
                                                   CLIENT[1])):
            lab.refused(packet, "rx_bad_source", src)


@server("SV-09 A-02 A-06", "the flags of the source mean nothing")
def _(lab):
    for flags in 0, CONE, 0x4000, 0xffff:
        packet = bubble(teredo(OTHER_SERVER, *CLIENT, flags), OWN_PEER)
        forwarded(lab, packet, V3 + packet)


@server("SV-10 SEC-28 NM-46", "a relay's bubble: to our clients alone")
def _(lab):
    for source in "2620::5", "fe80::1234:5678", "fd00::1":
        packet = bubble(source, OWN_PEER)
        forwarded(lab, packet, origin(*RELAY) + packet, src=RELAY)
        lab.refused(bubble(source, PEER_ADDRESS), "rx_bad_source", RELAY)
    packet = echo("2620::5", OWN_PEER)
    forwarded(lab, packet, origin(*RELAY) + packet, src=RELAY)


@server("SV-11 SV-40 SEC-28 SEC-43",
        "who is not where his address says reaches no native host")
def _(lab):
    lab.settle()
    natives(lab)        # what came of other rows
    for source in "2620::5", NATIVE, "fd00::1":
        lab.refused(echo(source, NATIVE), "rx_bad_source", RELAY)
        lab.refused(bubble(source, NATIVE), "rx_bad_source", RELAY)
    lab.refused(echo(CLIENT_ADDRESS, NATIVE), "rx_bad_source", RELAY)
    lab.equal(natives(lab), [], "what the native host got")


@server("SV-11 SEC-11", "no test from a link-local address")
def _(lab):
    for source in CLIENT_LL, "fe80::1":
        lab.refused(echo(source, OWN_PEER), "rx_linklocal")


@server("SV-12 SV-13 COM-06 SEC-08",
        "destinations that are not global are not forwarded")
def _(lab):
    for dst in (server_linklocal(PRIMARY), "fe80::1", "ff02::1", "ff02::2",
                "ff0e::1", "::", "::1", "::ffff:1.2.3.4", "fc00::1",
                "fdff::1", "fec0::1"):
        lab.refused(bubble(CLIENT_ADDRESS, dst), "rx_martian6")
        lab.refused(echo(CLIENT_ADDRESS, dst), "rx_martian6")


@server("COM-06 SEC-08", "sources that cannot be")
def _(lab):
    for source in "::", "::1", "ff02::5", "ff0e::1", "::ffff:1.2.3.4":
        lab.refused(bubble(source, OWN_PEER), "rx_martian6")
        lab.refused(echo(source, OWN_PEER), "rx_martian6")


@server("SV-14 COM-02", "a test to a native host, without its trailers")
def _(lab):
    hop = echo(CLIENT_ADDRESS, NATIVE, b"12345678", hop_limit=63)
    lab.sysctl(lab.native, "ipv6.icmp.echo_ignore_all", 1)
    try:
        routed(lab, NATIVE_TEST, hop)
        routed(lab, NATIVE_TEST + V9[0], hop)
    finally:
        lab.sysctl(lab.native, "ipv6.icmp.echo_ignore_all", 0)
    reply = echo(CLIENT_ADDRESS, NATIVE, kind=wire.ECHO_REPLY)
    routed(lab, reply, echo(CLIENT_ADDRESS, NATIVE, kind=wire.ECHO_REPLY,
                            hop_limit=63))


@server("SV-14 SEC-36 G-15", "a native address that embeds one of ours")
def _(lab):
    for dst in (wire.ip6("2002::")[:2] + wire.ip4(PRIMARY) + bytes(10),
                wire.ip6("2620:9::")[:8] + bytes.fromhex("00005efe") +
                wire.ip4(SECONDARY),
                wire.ip6("2620:9::")[:8] + bytes.fromhex("02005efe") +
                wire.ip4("5.6.7.1")):
        lab.refused(echo(CLIENT_ADDRESS, dst), "rx_loop6324")


# One row a range: number, addresses that fail, and neighbours that do not
RANGES = (
    ("G-01", ("0.0.0.0", "0.255.255.255"), ("1.0.0.0",)),
    ("G-02", ("10.0.0.0", "10.255.255.255"),
     ("9.255.255.255", "11.0.0.0")),
    ("G-03", ("127.0.0.1", "127.255.255.255"), ("126.255.255.255",
                                                "128.0.0.0")),
    ("G-04", ("169.254.0.0", "169.254.255.255"), ("169.253.255.255",
                                                  "169.255.0.0")),
    ("G-05", ("172.16.0.0", "172.31.255.255"), ("172.15.255.255",
                                                "172.32.0.0")),
    ("G-06", ("192.168.0.0", "192.168.255.255"), ("192.167.255.255",
                                                  "192.169.0.0")),
    ("G-07", ("192.88.99.0", "192.88.99.255"), ("192.88.98.255",
                                                "192.88.100.0")),
    ("G-08", ("224.0.0.0", "239.255.255.255"), ("223.255.255.255",)),
    ("G-09", ("255.255.255.255",), ()),
    ("G-10", ("5.6.7.255",), ("5.6.8.0",)),
    ("G-11", ("100.64.0.0", "100.127.255.255"), ("100.63.255.255",
                                                 "100.128.0.0")),
    ("G-12", ("192.0.0.1", "192.0.2.1", "198.18.0.0", "198.19.255.255",
              "198.51.100.1", "203.0.113.1"),
     ("192.0.1.1", "198.17.255.255", "198.20.0.0", "203.0.112.1")),
    ("G-13", ("240.0.0.0", "255.255.255.254"), ()),
)


def to_range(number, bad, good):
    # the row of the table that this one is
    @server(f"SV-15 SEC-32 A-13 {number}", f"to {bad[0]} and beside it")
    def _(lab):
        for address in bad:
            for at in PRIMARY, OTHER_SERVER:
                unforwarded(lab, bubble(CLIENT_ADDRESS,
                                        teredo(at, address, 7)),
                            "tx_not_global")
        for address in good:
            packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, 7))
            forwarded(lab, packet, V3 + packet, (address, 7))


for line in RANGES:
    to_range(*line)


@server("G-14", "private on lifts private and documentation ranges alone",
        words="private on")
def _(lab):
    for address in ("10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1",
                    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"):
        packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, 7))
        forwarded(lab, packet, V3 + packet, (address, 7))
        packet = bubble(teredo(PRIMARY, address, 7), OWN_PEER)
        forwarded(lab, packet, origin(address, 7) + packet,
                  src=(address, 7))
        advertised(lab, V1, origin(address, 7) + V4, src=(address, 7))
    for address in ("0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.253",
                    "255.255.255.255", "240.0.0.1", "192.88.99.1",
                    "5.6.7.255"):
        unforwarded(lab, bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, 7)),
                    "tx_not_global")


@server("SV-15 SEC-50 A-13", "the embedded port is 0; low ones are not")
def _(lab):
    unforwarded(lab, bubble(CLIENT_ADDRESS, teredo(PRIMARY, PEER[0], 0)),
                "tx_bad_port")
    for port in 1, 53, 65535:
        packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, PEER[0], port))
        forwarded(lab, packet, V3 + packet, (PEER[0], port))


@server("SV-16 SV-17 E-06 A-01 A-14 E-01 E-02",
        "to the embedded mapping, with an origin for our own client")
def _(lab):
    forwarded(lab, OWN_BUBBLE, V3 + OWN_BUBBLE)
    forwarded(lab, V5, V5)
    packet = echo(CLIENT_ADDRESS, OWN_PEER)
    forwarded(lab, packet, V3 + packet)
    packet = echo(CLIENT_ADDRESS, PEER_ADDRESS)
    forwarded(lab, packet, packet)


@server("SV-18 COM-02 T-01 T-02", "trailers go along unchanged, whatever")
def _(lab):
    for trailers in (V9[0], V9[1], b"".join(V9), b"\x40\0\xff\x09", b"\1",
                     b"\1\xff", bytes(1200)):
        forwarded(lab, OWN_BUBBLE + trailers, V3 + OWN_BUBBLE + trailers)
        forwarded(lab, V5 + trailers, V5 + trailers)


@server("SV-18 C-32", "hop limit, traffic class and flow label stay")
def _(lab):
    for hop_limit in 0, 1, 64, 255:
        packet = bytearray(bubble(CLIENT_ADDRESS, OWN_PEER, hop_limit))
        packet[:4] = bytes.fromhex("6ff12345")
        forwarded(lab, bytes(packet), V3 + packet)


@server("SV-18 E-07 SEC-05 SEC-06", "headers in front of what is forwarded")
def _(lab):
    for packet in OWN_BUBBLE, V5, NATIVE_TEST:
        for header in V2, V8:
            lab.refused(header + packet, "rx_header")
        lab.refused(V3 + packet, "rx_origin")


@server("SV-19", "errors, MLD and the like are not forwarded")
def _(lab):
    for kind in 1, 2, 3, 4, 130, 131, 132, 138, 143, 255:
        for dst in OWN_PEER, NATIVE:
            lab.refused(icmp6(CLIENT_ADDRESS, dst, kind), "rx_type")


@server("SV-19 SEC-12 COM-05", "neighbour discovery: rx_nd, and no trace")
def _(lab):
    for kind in 134, 135, 136, 137:
        for dst in OWN_PEER, NATIVE, "ff02::1", CLIENT_ADDRESS:
            lab.refused(icmp6(CLIENT_ADDRESS, dst, kind, body=bytes(20),
                              hop_limit=255), "rx_nd")


@server("SV-20", "88 octets of ICMPv6, or what icmp-limit says")
def _(lab):
    for kind in wire.ECHO_REQUEST, wire.ECHO_REPLY:
        packet = echo(CLIENT_ADDRESS, OWN_PEER, bytes(80), kind)
        forwarded(lab, packet, V3 + packet)
        for dst in OWN_PEER, NATIVE:
            lab.refused(echo(CLIENT_ADDRESS, dst, bytes(81), kind),
                        "rx_type")
    lab.set("icmp-limit 100")
    packet = echo(CLIENT_ADDRESS, OWN_PEER, bytes(92))
    forwarded(lab, packet, V3 + packet)
    lab.refused(echo(CLIENT_ADDRESS, OWN_PEER, bytes(93)), "rx_type")


@server("SV-20 SEC-42", "more than 1280 octets, trailers and all")
def _(lab):
    forwarded(lab, OWN_BUBBLE + bytes(1240), V3 + OWN_BUBBLE + bytes(1240))
    unforwarded(lab, OWN_BUBBLE + bytes(1241), "tx_too_big")


@server("COM-04 SV-14", "a bubble never gets to the IPv6 stack")
def _(lab):
    for packet in OWN_BUBBLE, V5:
        lab.settle()
        lab.send(packet)
        lab.settle()
        lab.equal(lab.delivered(), [], "delivered")
    unforwarded(lab, bubble(CLIENT_ADDRESS, NATIVE), "rx_type")


@server("SV-36 SV-37", "a relay beside it, on another address and port")
def _(lab):
    here = ("5.6.7.1", 4000)
    lab.refused(wire.udp6(CLIENT_ADDRESS, NATIVE, b"some data"), "rx_type")
    lab.batch(lab.host, """
        link add teredo1 type teredo mode relay local 5.6.7.1 port 4000
        link set teredo1 up
        route replace 2001::/32 via fe80::1 dev teredo1
        """)
    try:
        packet = wire.udp6(NATIVE, CLIENT_ADDRESS, b"some data")
        first = bubble(HOST6, CLIENT_ADDRESS)
        lab.settle()
        lab.out(packet)
        # through the server on its own host
        lab.expect([(CLIENT, origin(*here) + first)],
                   {"rx_bubbles": 1, "tx_relayed": 1})
        lab.send(bubble(CLIENT_ADDRESS, HOST6), dst=here)
        sent, moved = lab.settle()
        lab.equal([(d.src, d.dst, d.payload.hex()) for d in sent],
                  [(here, CLIENT, wire.routed(packet).hex())], "relayed")
        lab.equal(moved, {}, "counters of the server")
        advertised(lab, V1, V3 + V4)
        forwarded(lab, OWN_BUBBLE, V3 + OWN_BUBBLE)
        lab.refused(wire.udp6(CLIENT_ADDRESS, NATIVE, b"some data"), "rx_type")
    finally:
        lab.ip("link", "del", "teredo1")


@server("SV-37", "nothing native goes into a server's device")
def _(lab):
    for packet in (wire.udp6(NATIVE, CLIENT_ADDRESS, b"some data"),
                   echo(NATIVE, OWN_PEER)):
        lab.unsent(packet, "tx_foreign", errors=[(1, 0)])
    lab.ip("link", "add", "teredo1", "type", "teredo", "mode", "server",
           "local", PRIMARY, "secondary", SECONDARY, "port", "4000")
    try:
        lab.ip("link", "set", "teredo1", "up")
        routes = subprocess.run(["ip", "-n", lab.host, "-6", "route", "show",
                                 "dev", "teredo1"], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        lab.equal(routes, "", "routes that came by themselves")
    finally:
        lab.ip("link", "del", "teredo1")


@server("SEC-39 G-15", "to an address of this host: tx_self")
def _(lab):
    for address in PRIMARY, SECONDARY, "5.6.7.1":
        for port in PORT, 40000:
            for at in PRIMARY, OTHER_SERVER:
                unforwarded(lab, bubble(CLIENT_ADDRESS,
                                        teredo(at, address, port)),
                            "tx_self")


@server("SEC-49", "what another server has forwarded stops here")
def _(lab):
    there = (OTHER_SERVER, PORT)
    for packet in V5, OWN_BUBBLE, echo(CLIENT_ADDRESS, OWN_PEER):
        lab.refused(packet, "rx_bad_source", there)
    # and what we forward, at a second server: its source is 65.54.227.142
    lab.ip("link", "add", "teredo1", "type", "teredo", "mode", "server",
           "local", "5.6.7.1", "secondary", "5.6.7.2")
    try:
        lab.ip("addr", "add", "5.6.7.2/32", "dev", "eth0")
        lab.ip("link", "set", "teredo1", "up")
        second = wire.Counters(lab.host, "teredo1")
        for payload in V5, V3 + OWN_BUBBLE:
            lab.send(payload, (PRIMARY, PORT), ("5.6.7.1", PORT))
        sent, _ = lab.settle()
        lab.equal(sent, [], "datagrams")
        moved = second.moved()
        lab.equal(moved.get("tx_relayed", 0), 0, "forwarded")
        lab.true(sum(moved.values()) == 2, f"refused: {moved}")
    finally:
        lab.ip("link", "del", "teredo1")
        lab.batch(lab.host, "addr del 5.6.7.2/32 dev eth0\n", force=True)


@server("SEC-42", "a bubble grows by its origin indication, no more")
def _(lab):
    victim = ("204.1.1.1", 99)
    packet = bubble(CLIENT_ADDRESS, teredo(PRIMARY, *victim))
    forwarded(lab, packet, V3 + packet, victim)
