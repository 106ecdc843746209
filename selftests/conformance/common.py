# SPDX-License-Identifier: GPL-2.0
"""What all modes have in common: encapsulation (E), trailers (T), reception
(COM), addresses (A)"""

import contextlib
import random
import struct
import subprocess

import wire
from wire import (ANY_NONCE, CLIENT, CLIENT_ADDRESS, NO_NEXT, OTHER_SERVER,
                  PORT, PRIMARY, V1, V2, V3, V4, V5, V6, alternate_trailer, auth, bubble,
                  echo, ipv6, nonce_trailer, origin, ra, rs, teredo, trailer,
                  udp6)

from . import client as c
from . import relay as r
from .lab import FAR_RELAY, HOST6, ME, MY_SERVER, NATIVE, OTHER, SERVER
from .rows import client, host_relay, relay, row, server

CUT = (("V1", V1, 0), ("V2 + V1", V2 + V1, 13), ("V3 + V4", V3 + V4, 8),
       ("V2 + V3 + V4", V2 + V3 + V4, 21), ("V4", V4, 0), ("V5", V5, 0),
       ("V6", V6, 0))


def refused_all(lab, payloads, counter, src=CLIENT):
    """As lab.refused(), of many; counter is a function of each"""
    before = lab.control.peers()
    lab.settle()
    for payload in payloads:
        lab.send(payload, src)
        sent, moved = lab.settle()
        if (len(sent), moved, lab.delivered()) != \
           (0, {counter(payload): 1}, []):
            lab.wrong.append(f"{payload.hex()}: sent {len(sent)}, {moved}")
    lab.equal(lab.control.peers(), before, "peers")


def cut(lab, octets, start, src=CLIENT):
    """Every truncation of octets that hold an IPv6 packet at an offset"""
    refused_all(lab, [octets[:size] for size in range(1, len(octets))],
                lambda part: "rx_length" if len(part) >= start + 40
                else "rx_short", src)


def twisted(lab):
    """Versions and lengths that are wrong. V5 would be accepted."""
    lab.refused(b"", "rx_short")
    for version in 0, 4, 5, 7, 15:
        lab.refused(bytes([version << 4 | 1]) + V5[1:], "rx_version")
    lab.refused(V5[:4] + b"\0\1" + V5[6:], "rx_length")
    lab.refused(V5[:4] + b"\xff\xff" + V5[6:], "rx_length")
    lab.refused(V5[:4] + b"\xff\xff" + V5[6:] + bytes(1000), "rx_length")
    # the identifier has the first octet of an IPv6 packet in it
    lab.refused(b"\0\1\xff\xff" + b"\x60" * 100, "rx_short")


def misplaced(lab):
    """Headers in a wrong order, repeated, or unknown"""
    own = origin(*CLIENT)
    for headers in (own + auth(), own + own, auth() + auth(),
                    auth() + own + auth(), b"\0\2" + own[2:],
                    b"\0\xff" + own[2:], own + b"\0\2" + own[2:]):
        lab.refused(headers + V5, "rx_header")


for name, packet, at in CUT:
    for decorator, kind in ((client, "client"), (server, "server")):
        decorator("COM-01 COM-03 E-05 SEC-01 SEC-03",
                  f"{kind}: {name}, cut off anywhere",
                  again=name != "V2 + V3 + V4")(
            lambda lab, octets=packet, start=at: cut(lab, octets, start))
    relay("COM-01 COM-03 E-05 SEC-01 SEC-03 RL-RX-01",
          f"relay: {name}, cut off anywhere", words="accept-unknown on",
          again=name != "V5")(
        lambda lab, octets=packet, start=at: cut(lab, octets, start))

for words in "V4", "V2 + V4", "V3 + V4", "V2 + V3 + V4":
    client("COM-01 SEC-01 SEC-03 CL-RX-01",
           f"client: {words} of its server, cut off anywhere",
           again=words != "V2 + V3 + V4")(
        lambda lab, front=b"".join({"V2": V2, "V3": V3}.get(word, b"")
                                   for word in words.split(" + ")):
        cut(lab, front + ra(OTHER_SERVER), len(front), MY_SERVER))

for decorator, kind, more in ((client, "client", ""), (server, "server", ""),
                              (relay, "relay", "accept-unknown on"),
                              (host_relay, "host-relay", "")):
    decorator("COM-01 E-05 SEC-01 SEC-02 SEC-03",
              f"{kind}: wrong versions and lengths", words=more)(twisted)
    decorator("E-04 COM-01 SEC-04", f"{kind}: headers out of order, twice, "
              "unknown", words=more)(misplaced)


@client("COM-01", "client: noise is never answered")
def _(lab):
    noise = random.Random(1)
    for _ in range(300):
        lab.send(noise.randbytes(noise.randrange(0, 200)))
        lab.send(noise.choice((b"", V2, V3)) + b"\x60" +
                 noise.randbytes(noise.randrange(0, 200)))
    sent, moved = lab.settle()
    lab.equal((sent, lab.delivered(), lab.control.peers()), ([], [], {}),
              "sent, delivered, peers")
    lab.equal(sum(moved.values()), 600, "drops counted")


@client("COM-02 E-05 T-02 X-TR-01",
        "client: what follows the packet never reaches the stack")
def _(lab):
    for size in range(1, 65):
        lab.taken(c.from_peer(lab) + b"\xff" * size)
    lab.taken(c.from_peer(lab) + b"\xff" * 1000)


@relay("COM-02 E-05 X-TR-04 X-TR-01",
       "relay: what follows the packet is not looked at")
def _(lab):
    r.contact(lab)
    for behind in [b"\xff" * size for size in range(1, 65)] + [
            trailer(0x40, b"ab"), b"\x40", bytes(1000), nonce_trailer(b"abcd")]:
        lab.taken(r.from_client() + behind)
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6) + trailer(0x40))


@client("COM-03", "a bad packet of a peer moves no time and no mapping",
        clock=True)
def _(lab):
    c.trusted(lab)
    lab.wait(20)
    for payload in (c.from_peer(lab)[:-1], c.from_peer(lab) + trailer(0x40),
                    auth() + c.from_peer(lab),
                    udp6(CLIENT_ADDRESS, "2620::9", b"no")):
        lab.send(payload)
        lab.settle()
        lab.true(19900 < lab.record(CLIENT_ADDRESS)["last_rx"] < 20500,
                 "last_rx")
    lab.wait(11)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)


@relay("COM-03", "a packet that is not served keeps no path open", clock=True)
def _(lab):
    r.contact(lab)
    lab.wait(20)
    for to in wire.teredo(PRIMARY, *CLIENT, 7), "ff0e::1", "fe80::1":
        lab.send(udp6(CLIENT_ADDRESS, to, b"no"))
        lab.settle()
    lab.wait(11)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)


for decorator, kind in (relay, "relay"), (host_relay, "host-relay"):
    decorator("COM-04 RL-RX-05", f"{kind}: bubbles never reach the stack")(
        lambda lab: consumed(lab))


def consumed(lab):
    r.contact(lab)
    lab.delivered()
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6))


@client("N-11 COM-04", "next header 59 with a payload is no bubble")
def _(lab):
    lab.taken(ipv6(CLIENT_ADDRESS, lab.own, NO_NEXT, b"payload"))


@client("C-32 N-11", "a bubble with any hop limit is one")
def _(lab):
    for hop_limit in 0, 1, 255:
        lab.bubbled(bubble(CLIENT_ADDRESS, lab.own, hop_limit))


@client("COM-06 SEC-08", "client: impossible IPv6 addresses: rx_martian6")
def _(lab):
    for address in "ff02::1", "ff0e::1", "::", "::1", "::ffff:1.2.3.4":
        lab.refused(udp6(address, lab.own, b"no"), "rx_martian6")
        lab.refused(bubble(address, lab.own), "rx_martian6")
        lab.refused(udp6(CLIENT_ADDRESS, address, b"no"), "rx_martian6")


@relay("COM-06 SEC-08", "relay: impossible IPv6 destinations: rx_martian6")
def _(lab):
    r.contact(lab)
    for address in "ff02::1", "ff0e::1", "::", "::1", "::ffff:1.2.3.4":
        lab.refused(udp6(CLIENT_ADDRESS, address, b"no"), "rx_martian6")


@client("COM-08", "client: not qualified, nothing is accepted")
def _(lab):
    lab.device("client", qualified=False)
    lab.own = wire.text6(wire.PEER_ADDRESS)
    for payload in c.from_peer(lab), bubble(CLIENT_ADDRESS, lab.own):
        lab.refused(payload, "rx_down")
        lab.refused(payload, "rx_down", MY_SERVER)


for mode in "client", "relay", "host-relay", "server":
    row("COM-08", f"{mode}: not up, nothing is accepted", mode=mode)(
        lambda lab: down(lab))


def down(lab):
    lab.down()
    lab.settle()
    lab.send(V5)
    lab.send(V2 + V1)
    lab.expect()


@client("E-07 SEC-05", "client: authentication in front of data: rx_header")
def _(lab):
    lab.refused(auth() + c.from_peer(lab), "rx_header")
    lab.refused(auth() + V5, "rx_header")
    lab.refused(auth() + origin(*CLIENT) + V5, "rx_header", MY_SERVER)


@relay("E-08 SEC-05 RL-RX-01", "relay: a header in front: rx_header",
       words="accept-unknown on")
def _(lab):
    for header in origin(*CLIENT), auth(), auth() + origin(*CLIENT):
        lab.refused(header + r.from_client(), "rx_header")
        lab.refused(header + V5, "rx_header")


@client("E-09 E-10 TUN-01", "DF is clear, the checksum right and not 0")
def _(lab):
    c.trusted(lab)
    for size in (1, 2, 3, 100, 1231, 1232):
        packet = udp6(lab.own, CLIENT_ADDRESS, bytes(size))
        lab.out(packet)
        lab.expect([(CLIENT, packet)])


@client("E-10", "no UDP checksum is accepted, a wrong one is not")
def _(lab):
    packet = udp6(CLIENT_ADDRESS, lab.own, b"data")
    lab.taken(packet, check=0)
    lab.settle()
    lab.send(packet, check=1)
    lab.expect()


@server("E-11 E-03 SV-29", "no authentication asked, none in the answer")
def _(lab):
    lab.send(V1)
    lab.expect([(CLIENT, V3 + V4)], {"tx_adverts": 1})


# Trailers

@client("T-01 SEC-07 X-TR-02", "a trailer 0x40 to 0x7f drops the packet")
def _(lab):
    for number in range(0x40, 0x80):
        lab.refused(c.from_peer(lab) + trailer(number, b"ab"), "rx_trailer")
    lab.refused(c.from_peer(lab) + trailer(0x41), "rx_trailer")
    lab.refused(c.from_peer(lab) + nonce_trailer(b"abcd") + trailer(0x80) +
                trailer(0x40), "rx_trailer")
    lab.refused(V5 + trailer(0x40), "rx_trailer")
    lab.refused(origin(*CLIENT) + V5 + trailer(0x40), "rx_trailer", MY_SERVER)
    lab.equal(lab.control.peers(), {}, "peers")


@client("T-01 T-06", "any other unknown trailer is skipped")
def _(lab):
    for number in (0x00, 0x02, 0x06, 0x3f, 0x80, 0xbf, 0xc0, 0xff):
        lab.taken(c.from_peer(lab) + trailer(number, b"ab"))
        lab.refused(c.from_peer(lab) + trailer(number, b"ab") +
                    trailer(0x40), "rx_trailer")


@client("T-02", "a malformed trailer ends the walk, the packet is good")
def _(lab):
    nonce = trailer(1, bytes.fromhex("deadbeef"))
    for behind in (b"\x05", nonce + b"\x05", nonce + b"\x05\x09\0",
                   b"\x40", b"\x40\x02a", nonce + b"\x40\xff" + bytes(254),
                   b"\x05\x09\0" + trailer(0x40), b"\x81\x01" * 100):
        lab.taken(c.from_peer(lab) + behind)


@client("T-03 T-04 T-05 T-06", "known trailers on data are skipped")
def _(lab):
    for behind in (nonce_trailer(b"abcd"), alternate_trailer(FAR_RELAY),
                   wire.discovery_trailer(0), wire.discovery_trailer(1),
                   wire.random_port_trailer(1201), b"".join(wire.V9)):
        lab.taken(c.from_peer(lab) + behind)
        lab.refused(c.from_peer(lab) + behind + trailer(0x40), "rx_trailer")


@client("T-07", "a known type with a wrong length ends the walk")
def _(lab):
    for number, size in ((1, 3), (1, 5), (4, 3), (5, 1), (5, 3)):
        lab.bubbled(bubble(CLIENT_ADDRESS, lab.own) +
                    trailer(number, bytes(size)))


# Addresses

@client("A-01 A-12 C-01 C-03", "the address says server, mapping and flags")
def _(lab):
    for server_, mapped, flags in ((PRIMARY, CLIENT, 0x14e4),
                                   (OTHER_SERVER, ME, 0x3cff),
                                   ("1.0.0.1", ("198.41.0.4", 1), 0)):
        lab.control.qualify(server_, *mapped, flags, 3600)
        lab.own = wire.text6(teredo(server_, *mapped, flags))
        # whoever is addressed so gets it
        lab.bubbled(bubble(teredo(PRIMARY, "203.219.22.9", 9), lab.own),
                    ("203.219.22.9", 9))
    lab.control.qualify(PRIMARY, *CLIENT, 0x14e4, 3600)
    lab.own = "2001:0:4136:e38e:14e4:2ca1:3424:eab9"
    lab.bubbled(bubble(teredo(PRIMARY, "203.219.22.9", 9), lab.own),
                ("203.219.22.9", 9))


for mode, source in (("client", None), ("relay", NATIVE),
                     ("host-relay", HOST6)):
    row("C-01 A-01", f"{mode}: another service prefix", mode=mode,
        words="prefix 2a00:1::/32")(
        lambda lab, source=source: other_prefix(lab, source))


def other_prefix(lab, source):
    """2001::/32 is nothing special then; the tables of routes are"""
    prefix = "2a00:1::"
    lab.batch(lab.host, "route add 2a00:1::/32 via fe80::1 dev teredo0")
    lab.batch(lab.native, "route replace 2a00:1::/32 via 2620::ff")
    if not source:
        lab.own = source = wire.text6(teredo(OTHER_SERVER, *ME, 0x2055,
                                             prefix))
        lab.batch(lab.host, f"addr add {source}/128 dev teredo0 nodad")
    to = teredo(PRIMARY, *CLIENT, 7, prefix)
    lab.out(udp6(source, to, b"data"))
    bubbles = [((PRIMARY, PORT), bubble(source if lab.own else HOST6, to))]
    moved = {"tx_bubbles_indirect": 1}
    if lab.own:
        bubbles.insert(0, (CLIENT, bubbles[0][1]))
        bubbles[1] = ((PRIMARY, PORT), bubbles[0][1] + ANY_NONCE)
        moved["tx_bubbles_direct"] = 1
    lab.expect(bubbles, moved)
    lab.send(bubble(to, lab.own or HOST6))
    lab.settle()
    lab.is_peer(to, "trusted", CLIENT)
    if not lab.own:
        lab.unsent(udp6(source, CLIENT_ADDRESS, b"no"), "tx_foreign",
                   [(1, 0)])


@client("A-13 CL-RX-10", "echo through a peer whose port is 1")
def _(lab):
    address = teredo(PRIMARY, CLIENT[0], 1)
    lab.send(echo(address, lab.own, b"12345678"), (CLIENT[0], 1))
    lab.expect([((CLIENT[0], 1), echo(lab.own, address, b"12345678",
                                      wire.ECHO_REPLY))],
               delivered=[echo(address, lab.own, b"12345678")])


@relay("A-13 SEC-50", "relay: port 0 is refused, others are not")
def _(lab):
    lab.unsent(r.data(to=teredo(PRIMARY, CLIENT[0], 0)), "tx_bad_port")
    for port in 1, 53, 65535:
        address = teredo(PRIMARY, CLIENT[0], port)
        lab.out(r.data(to=address))
        lab.expect([(r.CLIENT_SERVER, bubble(HOST6, address))],
                   {"tx_bubbles_indirect": 1})


@server("A-09 A-10 A-11", "server: any link-local source, of old clients too")
def _(lab):
    for cone, sources in (("", ("ffff:ffff:ffff", "ffff:ffff:fffe",
                                "5445:5245:444f", "1")),
                          ("8000:", ("ffff:ffff:ffff", "ffff:ffff:fffe",
                                     "5445:5245:444f"))):
        for source in sources:
            source = f"fe80::{cone}{source}"
            lab.send(V2 + rs(source))
            sent, _ = lab.settle()
            # with the cone flag set it is the other address that answers
            lab.equal([(d.src, d.dst, d.payload.hex()) for d in sent],
                      [(OTHER if cone else SERVER, CLIENT,
                        (V2 + V3 + ra(PRIMARY, source)).hex())], source)


@server("A-14 SV-10 SV-17", "server: a client of ours has our primary address")
def _(lab):
    packet = bubble("2620::5", teredo(PRIMARY, "1.2.3.4", 40000))
    lab.settle()
    lab.send(packet)
    lab.expect([(("1.2.3.4", 40000), V3 + packet)],
               {"tx_relayed": 1, "rx_bubbles": 1})
    lab.refused(bubble("2620::5", teredo(OTHER[0], "1.2.3.4", 40000)),
                "rx_bad_source")


# What the socket merges


@contextlib.contextmanager
def merging(lab):
    """Gives a function that sends IPv4 packets so that they come in at once,
    to a device with GRO: a queue keeps them until all are there. veth merges
    what comes from a sender without TSO. What was merged is not answered."""
    def run(ns, *words):
        subprocess.run(["ip", "netns", "exec", ns, *words], check=True)

    def burst(packets):
        run(lab.inet, "tc", "qdisc", "add", "dev", "eth0", "root", "plug")
        for packet in packets:
            lab.link.raw.sendto(packet, (lab.here[0], 0))
        run(lab.inet, "tc", "qdisc", "change", "dev", "eth0", "root", "plug",
            "release_indefinite")
        lab.settle()
        run(lab.inet, "tc", "qdisc", "delete", "dev", "eth0", "root")
    run(lab.inet, "ethtool", "-K", "eth0", "tso", "off")
    run(lab.host, "ethtool", "-K", "eth0", "gro", "on")
    run(lab.host, "nft", "add table inet t; add chain inet t i { type filter "
        "hook input priority 0; }; add rule inet t i iifname teredo0 drop")
    try:
        yield burst
    finally:
        run(lab.host, "nft", "delete table inet t")
        run(lab.host, "ethtool", "-K", "eth0", "gro", "off")
        run(lab.inet, "ethtool", "-K", "eth0", "tso", "on")


def segment(number, dst, src=CLIENT_ADDRESS):
    """One of a TCP stream's, 500 octets of data"""
    body = struct.pack("!HHIIBBHHH", 5000, 6000, 1000 + number * 500, 1, 0x50,
                       0x10, 1000, 0, 0) + bytes([number]) * 500
    pseudo = wire.ip6(src) + wire.ip6(dst) + struct.pack("!II", len(body), 6)
    check = struct.pack("!H", wire.checksum(pseudo + body))
    return ipv6(src, dst, 6, body[:16] + check + body[18:])


def datagram(lab, number, payload, src=CLIENT, **fields):
    """IPv4 identifications in a row are needed for merging"""
    packet = wire.udp4(src, lab.here, payload, **fields)
    return packet[:4] + struct.pack("!H", 100 + number) + packet[6:]


def parts(lab):
    """The packets on the device: source, and the segments in each"""
    found = []
    for packet in lab.delivered():
        data = packet[60:]
        lab.equal((len(data) + 20, struct.unpack("!I", packet[44:48])[0]),
                  (int.from_bytes(packet[4:6], "big"), 1000 + data[0] * 500),
                  "length and sequence number")
        found.append((wire.text6(packet[8:24]),
                      [data[at] for at in range(0, len(data), 500)]))
        lab.equal(data, b"".join(bytes([number]) * 500
                                 for number in found[-1][1]), "data")
    return sorted(found)


@client("COM-07", "GRO: what is merged, and what is not", offloads=True)
def _(lab):
    others = ((CLIENT[0], CLIENT[1] + 1), ("198.41.0.4", CLIENT[1]))
    peers = {endpoint: wire.text6(teredo(PRIMARY, *endpoint, 0x14e4))
             for endpoint in (CLIENT, *others)}
    for endpoint, address in peers.items():
        c.trusted(lab, address, endpoint)
    plain = [datagram(lab, number, segment(number, lab.own))
             for number in range(6)]
    apart = [[0, 1], [2], [3, 4, 5]]

    def third(payload=segment(2, lab.own), **fields):
        return plain[:2] + [datagram(lab, 2, payload, **fields)] + plain[3:]

    with merging(lab) as burst:
        for name, packets, wanted, counters in (
                ("plain", plain, [[0, 1, 2, 3, 4, 5]], {}),
                ("a trailer", third(segment(2, lab.own) +
                                    nonce_trailer(b"abcd")), apart, {}),
                ("another TOS", third(tos=0x48), apart, {}),
                ("another ECN field", third(tos=2), apart, {"ecn_odd": 1}),
                ("another TTL", third(ttl=9), apart, {}),
                ("an origin", third(origin(*CLIENT) + segment(2, lab.own)),
                 [[0, 1], [3, 4, 5]], {"rx_origin": 1}),
                ("an authentication", third(auth() + segment(2, lab.own)),
                 [[0, 1], [3, 4, 5]], {"rx_header": 1})):
            before = lab.counters.read()
            burst(packets)
            after = lab.counters.read()
            lab.equal(parts(lab), [(peers[CLIENT], numbers)
                                   for numbers in wanted], name)
            lab.equal({key: after[key] - before[key] for key in after
                       if key.startswith(("rx_", "ecn_")) and
                       after[key] != before[key]}, counters, name)
        for endpoint in others:
            burst(plain[:3] + [datagram(lab, 3, segment(
                3, lab.own, peers[endpoint]), endpoint)] + plain[3:])
            lab.equal(parts(lab), sorted([
                (peers[CLIENT], [0, 1, 2, 3, 4, 5]), (peers[endpoint], [3])]),
                f"of another peer, {endpoint}")
        subprocess.run(["ip", "netns", "exec", lab.host, "ethtool", "-K",
                        "teredo0", "gro", "off"], check=True)
        burst(plain)
        lab.equal(parts(lab), [(peers[CLIENT], [number])
                               for number in range(6)], "gro off")
