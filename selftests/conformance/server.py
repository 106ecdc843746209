# SPDX-License-Identifier: GPL-2.0
"""The server answers solicitations (SV-01 to SV-08, SV-21 to SV-35)"""

import subprocess

import wire
from wire import (CLIENT, CLIENT_ADDRESS, CLIENT_LL, CLIENT_LL_CONE,
                  OTHER_SERVER, PORT, PRIMARY, V1, V2, V3, V4, V6, V8, V9,
                  auth, bubble, echo, origin, rs, server_linklocal, teredo)

from .lab import OTHER, SERVER
from .rows import server

# a client of this server
PEER = ("1.2.3.4", 40000)
OWN_PEER = teredo(PRIMARY, *PEER, 0x2055)


def advertised(lab, payload, answer, src=CLIENT, dst=SERVER, outer=SERVER,
               **fields):
    """One advertisement, from outer, and nothing else"""
    lab.settle()
    lab.send(payload, src, dst, **fields)
    sent, moved = lab.settle()
    lab.equal([(d.src, d.dst, d.payload.hex(), d.dont_fragment, bool(d.check))
               for d in sent],
              [(outer, src, answer.hex(), False, True)], "answer")
    lab.equal(moved, {"tx_adverts": 1}, "counters")


def refusal(lab, words):
    """What ip says when it is to make such a server"""
    done = subprocess.run(["ip", "-n", lab.host, "link", "add", "bad0", "type",
                           "teredo", "mode", "server", *words.split()],
                          check=False, capture_output=True, text=True)
    if not done.returncode:
        lab.ip("link", "del", "bad0")
    return done.stderr


@server("SV-07 N-03 N-04 N-05 N-06 N-07 C-25 E-02",
        "a solicitation: V2 + V1 gives V2 + V3 + V4, 109 + 8 octets")
def _(lab):
    lab.send(V2 + V1)
    lab.expect([(CLIENT, V2 + V3 + V4)], {"tx_adverts": 1})
    lab.equal(len(V2 + V3 + V4), 117, "octets")


@server("SV-07 N-03 C-31", "a solicitation that is invalid: rx_nd")
def _(lab):
    for bad in (rs(hop_limit=254), rs(hop_limit=0), rs(bad=1), rs(code=1),
                rs(options=bytes(8)), rs(options=b"\1\2" + bytes(6)),
                rs(options=b"\1")):
        lab.refused(auth() + bad, "rx_nd")
        lab.refused(bad, "rx_nd")


@server("N-03", "unknown options and the reserved field are ignored")
def _(lab):
    for good in (rs(reserved=b"\xff" * 4), rs(options=b"\1\1" + bytes(6)),
                 rs(options=b"\xfd\2" + bytes(14))):
        advertised(lab, good, V3 + V4)


@server("N-03 SV-07", "more than 256 octets of a solicitation: rx_nd")
def _(lab):
    advertised(lab, rs(options=b"\xfd\x1f" + bytes(246)), V3 + V4)
    lab.refused(rs(options=b"\xfd\x20" + bytes(254)), "rx_nd")


@server("SV-07 A-10", "solicitations from any link-local source")
def _(lab):
    for source in (CLIENT_LL, "fe80::ffff:ffff:fffe", "fe80::5445:5245:444f",
                   "fe80::1"):
        advertised(lab, V2 + rs(source), V2 + V3 + wire.ra(PRIMARY, source))
    for source in (CLIENT_LL_CONE, "fe80::8000:ffff:ffff:fffe",
                   "fe80::8000:5445:5245:444f"):
        advertised(lab, V2 + rs(source), V2 + V3 + wire.ra(PRIMARY, source),
                   outer=OTHER)


@server("SV-01 SV-25", "the secondary address answers from itself")
def _(lab):
    advertised(lab, V1, V3 + V4, dst=OTHER, outer=OTHER)
    advertised(lab, V1, V3 + V4)


@server("SV-01", "an address that is not global: refused with extack")
def _(lab):
    for words, text in (("local 10.0.0.1 secondary 65.54.227.143", "local"),
                        ("local 65.54.227.142 secondary 192.168.0.1",
                         "secondary"),
                        ("local 65.54.227.142 secondary 65.54.227.142",
                         "secondary")):
        said = refusal(lab, words)
        lab.true(said and text in said, f"{words}: {said}")
    said = refusal(lab, "local 10.0.0.1 secondary 10.0.0.2 private on")
    lab.equal(said, "", "private on")


@server("SV-02", "5000 solicitations: nothing is remembered")
def _(lab):
    for i in range(5000):
        lab.send(V1, (f"204.{i >> 8}.{i & 255}.1", 1024 + i))
        if i % 100 == 99:
            lab.settle()
    lab.equal(lab.control.peers(), {}, "peers")
    moved = lab.counters.read()
    lab.equal((moved["tx_adverts"], moved["peer_limit"],
               moved["peer_evicted"]), (5000, 0, 0), "counters")


@server("SV-04 COM-01 SEC-01 SEC-02 SEC-03 E-05",
        "truncated, wrong version, wrong length: discarded in silence")
def _(lab):
    causes = {"rx_short", "rx_version", "rx_length", "rx_header"}
    for vector in (V1, V2 + V1, V8 + V1, bubble(CLIENT_ADDRESS, OWN_PEER), V6):
        for size in range(0, len(vector), 3):
            lab.settle()
            lab.send(vector[:size])
            sent, moved = lab.settle()
            lab.true(not sent and sum(moved.values()) == 1 and
                     set(moved) < causes, f"{size} octets: {moved}")
    for version in 0x40, 0x50, 0x70:
        lab.refused(bytes([version]) + V1[1:], "rx_version")
        lab.refused(V2 + bytes([version]) + V1[1:], "rx_version")
    lab.refused(V1[:5] + b"\x09" + V1[6:], "rx_length")
    lab.refused(V1[:20], "rx_short")


@server("SV-04 E-04 SEC-04", "headers unknown, twice or in the wrong order")
def _(lab):
    for headers in (b"\0\2" + V3[2:], b"\0\xff" + V3[2:], V3 + V3, V2 + V2,
                    V3 + V2):
        lab.refused(headers + V1, "rx_header")


@server("SV-06 SV-27 SEC-32 SEC-41",
        "an outer source that is not global: no advertisement")
def _(lab):
    for address in ("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.1.1",
                    "192.88.99.1", "100.64.0.1", "192.0.0.1", "192.0.2.1",
                    "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
                    "5.6.7.255"):
        lab.refused(V2 + V1, "rx_not_global", (address, 4000))
        lab.refused(bubble(teredo(PRIMARY, address, 4000), OWN_PEER),
                    "rx_not_global", (address, 4000))
    lab.refused(V1, "rx_not_global", (CLIENT[0], 0))


@server("SV-12 SV-13 N-03", "a solicitation to another destination: rx_nd")
def _(lab):
    for dst in server_linklocal(PRIMARY), "ff02::1", "2620::1":
        lab.refused(rs(dst=dst), "rx_nd")
    for dst in server_linklocal(OTHER_SERVER), "ff02::1", "2620::1", OWN_PEER:
        lab.refused(rs(CLIENT_ADDRESS, dst), "rx_nd")


@server("SV-11", "a solicitation from ::, a native or a foreign address")
def _(lab):
    lab.refused(rs("::"), "rx_martian6")
    lab.refused(rs("2620::5"), "rx_bad_source")
    lab.refused(rs(CLIENT_ADDRESS), "rx_bad_source", ("198.41.0.4", 5000))
    advertised(lab, rs(CLIENT_ADDRESS),
               V3 + wire.ra(PRIMARY, CLIENT_ADDRESS))


@server("TUN-20", "the identification of advertisements: not always the same")
def _(lab):
    for _ in range(8):
        lab.send(V1)
    sent, _ = lab.settle()
    lab.true(len(sent) == 8 and len({d.ident for d in sent}) > 1,
             f"{[d.ident for d in sent]}")


@server("SV-21 SV-24 E-02 C-03",
        "the origin indication is where the solicitation came from")
def _(lab):
    for src in (CLIENT, (CLIENT[0], 1), ("1.0.0.1", 65535), ("1.2.3.4", 337)):
        advertised(lab, V1, origin(*src) + V4, src=src)
    lab.settle()
    lab.send(V1, dst=(PRIMARY, PORT + 1))
    lab.expect()


@server("SV-22 A-12", "the prefix is that of the primary, whoever is asked")
def _(lab):
    advertised(lab, V1, V3 + V4, dst=OTHER, outer=OTHER)
    prefix = V4[wire.ra(PRIMARY).index(bytes.fromhex("0304")) + 16:][:8]
    lab.equal(prefix, wire.teredo(PRIMARY, "0.0.0.0", 0)[:8], "prefix")


@server("SV-22 C-01 A-12", "another service prefix",
        words="prefix 2a00:1::/32")
def _(lab):
    advertised(lab, V1, V3 + wire.ra(PRIMARY, prefix="2a00:1::"))
    lab.refused(bubble(CLIENT_ADDRESS, teredo(PRIMARY, *PEER,
                                              prefix="2a00:2::")),
                "rx_bad_source")


@server("SV-23 A-11", "source and destination of the advertisement")
def _(lab):
    lab.send(rs("fe80::1"))
    sent, _ = lab.settle()
    packet = wire.Packet.parse(sent[0].payload)
    lab.equal((wire.text6(packet.src), wire.text6(packet.dst)),
              ("fe80::8000:f227:bec9:1c71", "fe80::1"), "addresses")


@server("SV-26 A-09 D-08", "cone flag: the answer leaves from the other one")
def _(lab):
    answer = V2 + V3 + wire.ra(PRIMARY, CLIENT_LL_CONE)
    advertised(lab, V2 + rs(CLIENT_LL_CONE), answer, outer=OTHER)
    advertised(lab, V2 + rs(CLIENT_LL_CONE), answer, dst=OTHER)


@server("SV-28 E-03 E-04", "the nonce comes back, before the origin")
def _(lab):
    for nonce in bytes(8), b"\xff" * 8, b"\0\1\2\3\0\0\0\1":
        advertised(lab, auth(nonce) + V1, auth(nonce) + V3 + V4)
    advertised(lab, auth(confirm=9) + V1, V2 + V3 + V4)


@server("SV-29 E-11", "no authentication asked, none in the answer")
def _(lab):
    advertised(lab, V2 + V1, V2 + V3 + V4)
    advertised(lab, V1, V3 + V4)


@server("SV-31", "not secure: identifier and value are ignored")
def _(lab):
    advertised(lab, V8 + V1, V2 + V3 + V4)
    advertised(lab, auth(ident=b"i" * 255, value=b"v" * 255) + V1,
               V2 + V3 + V4)


@server("SV-32 N-06 C-24", "MTU option: 1280, or what the device has")
def _(lab):
    advertised(lab, V1, V3 + wire.ra(PRIMARY, mtu=1280))
    for mtu in 1281, 65467:
        lab.ip("link", "set", "teredo0", "mtu", str(mtu))
        advertised(lab, V1, V3 + wire.ra(PRIMARY, mtu=mtu))


@server("SV-34", "the secondary address takes solicitations alone")
def _(lab):
    lab.refused(bubble(CLIENT_ADDRESS, OWN_PEER), "rx_type", dst=OTHER)
    lab.refused(V6, "rx_type", dst=OTHER)
    lab.refused(echo(CLIENT_ADDRESS, OWN_PEER), "rx_type", dst=OTHER)


@server("SV-35", "two uplinks: each address by its own")
def _(lab):
    lab.batch(None, f"link add eth2 netns {lab.host} type veth "
              f"peer eth2 netns {lab.inet}\n")
    try:
        lab.batch(lab.inet, "link set eth2 up\n")
        lab.batch(lab.host, f"""
            link set eth2 up
            rule add from {OTHER[0]} lookup 100
            route add default dev eth2 table 100
            neigh add {CLIENT[0]} lladdr 02:00:00:00:00:01 dev eth2
            """)
        second = wire.Link(lab.inet, "eth2")
        for dst, src, link, silent in (
                (SERVER, CLIENT_LL, lab.link, second),
                (OTHER, CLIENT_LL, second, lab.link),
                (SERVER, CLIENT_LL_CONE, second, lab.link),
                (OTHER, CLIENT_LL_CONE, lab.link, second)):
            lab.send(rs(src), dst=dst)
            got = link.receive(10)
            outer = SERVER if link is lab.link else OTHER
            lab.equal(got and (got.src, got.dst), (outer, CLIENT),
                      f"answer to {dst}, {src}")
            lab.equal(silent.drain(0.01), [], "the other uplink")
    finally:
        lab.batch(lab.host, f"link del eth2\nrule del from {OTHER[0]} "
                  "lookup 100\n", force=True)


@server("SV-35", "no way out for one address: the other is not taken")
def _(lab):
    lab.ip("rule", "add", "from", OTHER[0], "prohibit")
    try:
        lab.refused(V1, "tx_no_route", dst=OTHER)
        lab.refused(rs(CLIENT_LL_CONE), "tx_no_route")
        advertised(lab, V1, V3 + V4)
    finally:
        lab.ip("rule", "del", "from", OTHER[0], "prohibit")


@server("E-09 E-10", "DF clear; a UDP checksum, right or none")
def _(lab):
    advertised(lab, V1, V3 + V4, check=0)
    lab.settle()
    lab.send(V1, check=1)
    lab.expect()
    lab.send(V1)
    sent, _ = lab.settle()
    lab.equal([(d.dont_fragment, d.right, bool(d.check), d.ttl, d.tos)
               for d in sent], [(False, True, True, 64, 0)], "outer header")


@server("COM-02", "octets behind the solicitation are ignored")
def _(lab):
    for trailing in V9[0], V9[0] + b"\x40", b"\x40\0", bytes(100):
        advertised(lab, V1 + trailing, V3 + V4)
        advertised(lab, V2 + V1 + trailing, V2 + V3 + V4)


@server("COM-08", "down: nobody listens; up again: as before")
def _(lab):
    lab.ip("link", "set", "teredo0", "down")
    for dst in SERVER, OTHER:
        lab.send(V1, dst=dst)
    lab.equal(lab.settle(), ([], {}), "datagrams and counters")
    lab.ip("link", "set", "teredo0", "up")
    lab.attach("server", SERVER)    # what looked at it saw it go
    advertised(lab, V1, V3 + V4)


@server("SEC-38", "from an address of this host and 3544: a loop")
def _(lab):
    for address in PRIMARY, OTHER[0], "5.6.7.1":
        src = (address, PORT)
        lab.refused(V1, "rx_loop", src)
        own = teredo(PRIMARY, *src)
        lab.refused(bubble(own, own), "rx_loop", src)
        lab.refused(bubble("2620::5", OWN_PEER), "rx_loop", src)


@server("SEC-41 C-25", "what a spoofed solicitation makes: 104 or 117 octets")
def _(lab):
    for question, size in (V1, 104), (V2 + V1, 117):
        lab.settle()
        lab.send(question)
        sent, _ = lab.settle()
        lab.equal([len(d.payload) for d in sent], [size], "octets")
