# SPDX-License-Identifier: GPL-2.0
"""The client receives (CL-RX)"""

import json
import subprocess

import wire
from wire import (CLIENT, CLIENT_ADDRESS, EXTENSIONS, OTHER_SERVER, PORT,
                  behind, bubble, echo, icmp6, origin, ra, teredo, udp6)

from .client import (PAIR, data, from_peer, pair, proved, reply, tested,
                     trusted)
from .lab import FAR, FAR_RELAY, HOST6, ME, MY_FLAGS, MY_SERVER, NATIVE
from .rows import client

MY_SECONDARY = ("65.54.227.121", PORT)
OTHER_PORT = (CLIENT[0], CLIENT[1] + 1)
OTHER_RELAY = ("198.41.0.5", 3545)
NEAR = {"tx_bubbles_direct": 1, "rx_bubbles": 1}


def answered(lab, packet, to, address, own_origin=True):
    """A bubble through our server, and the direct one that it gets back"""
    lab.settle()
    lab.send((origin(*to) if own_origin else b"") + packet, MY_SERVER)
    lab.expect([(to, bubble(lab.own, address))], NEAR)


@client("CL-RX-01 COM-05 SEC-12",
        "an advertisement of our servers: to the helper, not to the stack")
def _(lab):
    lab.control.bind()
    for server in MY_SERVER, MY_SECONDARY:
        payload = wire.auth() + origin(*ME) + ra(OTHER_SERVER)
        lab.settle()
        lab.send(payload, server)
        lab.expect(moved={"rx_ctrl": 1})
        lab.equal(lab.control.received(), (payload, server), "to the helper")


@client("CL-RX-01 SEC-22", "an advertisement of anybody else: dropped")
def _(lab):
    lab.control.bind()
    payload = wire.auth() + origin(*ME) + ra(OTHER_SERVER)
    for src in CLIENT, (OTHER_SERVER, PORT + 1), ("65.54.227.119", PORT):
        lab.refused(payload, "rx_ra_source", src)


@client("CL-RX-02 SEC-09 SEC-30", "the destination is not ours: rx_not_mine")
def _(lab):
    for flags in range(16):
        lab.refused(udp6(CLIENT_ADDRESS, teredo(OTHER_SERVER, *ME, flags),
                         b"no"), "rx_not_mine")
    lab.refused(bubble(CLIENT_ADDRESS, NATIVE), "rx_not_mine")
    lab.refused(bubble(CLIENT_ADDRESS, "fe80::1"), "rx_not_mine")


@client("CL-RX-02 SEC-40", "never sent back into the tunnel")
def _(lab):
    trusted(lab)
    lab.refused(udp6(CLIENT_ADDRESS, FAR, b"no"), "rx_not_mine")
    lab.refused(udp6(CLIENT_ADDRESS, teredo(OTHER_SERVER, "198.41.0.9", 9),
                     b"no"), "rx_not_mine")


@client("CL-RX-03 SEC-10", "from ourselves, or from our mapping: rx_self")
def _(lab):
    for src in ME, CLIENT:
        for flags in MY_FLAGS, 0:
            lab.refused(udp6(teredo(OTHER_SERVER, *ME, flags), lab.own,
                             b"no"), "rx_self", src)


@client("CL-RX-04 V-01", "when our server's primary address was last heard",
        clock=True)
def _(lab):
    def ago():
        return lab.control.device("server_rx")
    lab.equal(ago(), None, "before")
    lab.send(wire.auth() + origin(*ME) + ra(OTHER_SERVER), MY_SERVER)
    lab.settle()
    lab.true(ago() < 100, "an advertisement")
    lab.wait(10)
    for payload, src in ((bubble(HOST6, lab.own), MY_SECONDARY),
                         (bubble(HOST6, lab.own), (OTHER_SERVER, PORT + 1)),
                         (bubble(CLIENT_ADDRESS, HOST6), MY_SERVER)):
        lab.send(payload, src)
        lab.settle()
        lab.true(9900 < ago() < 10200, f"another source: {ago()}")
    lab.send(origin(*CLIENT) + bubble(CLIENT_ADDRESS, lab.own), MY_SERVER)
    lab.settle()
    lab.true(ago() < 100, "a bubble")


@client("CL-RX-05 N-12 SEQ-2 AMB-04",
        "a client's bubble through our server: one direct bubble back")
def _(lab):
    answered(lab, bubble(CLIENT_ADDRESS, lab.own), CLIENT, CLIENT_ADDRESS)


@client("CL-RX-05", "the same without an origin: to the embedded mapping")
def _(lab):
    answered(lab, bubble(CLIENT_ADDRESS, lab.own), CLIENT, CLIENT_ADDRESS,
             False)


@client("CL-RX-05 SEC-16", "the origin is not what the address says: dropped")
def _(lab):
    for src in OTHER_PORT, (OTHER_RELAY[0], CLIENT[1]):
        lab.refused(origin(*src) + bubble(CLIENT_ADDRESS, lab.own),
                    "rx_bad_mapping", MY_SERVER)


@client("CL-RX-05 SEQ-4",
        "a relay's bubble through our server: one to the origin")
def _(lab):
    answered(lab, bubble(HOST6, lab.own), FAR_RELAY, HOST6)
    lab.equal(lab.control.peers(), {}, "it is no peer")


@client("CL-RX-05 CL-RX-22", "the same from a link-local source")
def _(lab):
    answered(lab, bubble("fe80::1234:5678", lab.own), FAR_RELAY,
             "fe80::1234:5678")


@client("CL-RX-05", "a relay's bubble without an origin: dropped")
def _(lab):
    for src in HOST6, "fe80::1234:5678":
        lab.refused(bubble(src, lab.own), "rx_origin", MY_SERVER)


@client("CL-RX-05 SEC-32 SEC-47", "an origin that is not global: dropped")
def _(lab):
    for address in ("10.0.0.1", "127.0.0.1", "192.168.1.1", "224.0.0.253",
                    "255.255.255.255", "0.0.0.1", "5.6.7.255"):
        lab.refused(origin(address, 1234) + bubble(HOST6, lab.own),
                    "tx_not_global", MY_SERVER)
    for address in ME[0], "5.6.7.1":
        lab.refused(origin(address, 1234) + bubble(HOST6, lab.own), "tx_self",
                    MY_SERVER)
    lab.refused(origin(*FAR_RELAY[:1], 0) + bubble(HOST6, lab.own),
                "rx_origin", MY_SERVER)


@client("SEC-06 CL-RX-05", "an origin from anybody but our server: rx_origin")
def _(lab):
    for src in CLIENT, (OTHER_SERVER, PORT + 1), ("65.54.227.119", PORT):
        lab.refused(origin(*CLIENT) + bubble(CLIENT_ADDRESS, lab.own),
                    "rx_origin", src)


@client("CL-RX-07", "ICMPv6 through our server: delivered, nothing learned")
def _(lab):
    request = echo(CLIENT_ADDRESS, lab.own, b"12345678")
    lab.settle()
    lab.send(origin(*CLIENT) + request, MY_SERVER)
    # the stack answers, the peer has no path yet
    lab.expect(pair(lab), PAIR, delivered=[request])
    lab.is_peer(CLIENT_ADDRESS, "incomplete")
    error = icmp6(HOST6, lab.own, 1, 3, bytes(4) + data(lab))
    lab.taken(origin(*FAR_RELAY) + error, MY_SERVER)
    lab.is_peer(HOST6, None)


@client("CL-RX-07", "through our server: not UDP, not another's mapping")
def _(lab):
    lab.refused(origin(*CLIENT) + from_peer(lab), "rx_type", MY_SERVER)
    lab.refused(origin(*OTHER_PORT) + echo(CLIENT_ADDRESS, lab.own),
                "rx_bad_mapping", MY_SERVER)
    lab.refused(origin(*FAR_RELAY) + echo("fe80::1", lab.own),
                "rx_linklocal", MY_SERVER)


@client("COM-05 SEC-12", "neighbour discovery in the tunnel: rx_nd")
def _(lab):
    trusted(lab)
    for kind in 133, 135, 136, 137:
        packet = icmp6(CLIENT_ADDRESS, lab.own, kind, body=bytes(20),
                       hop_limit=255)
        lab.refused(packet, "rx_nd")
        for header in EXTENSIONS:
            lab.refused(behind(packet, *header), "rx_nd")
        lab.refused(origin(*CLIENT) +
                    icmp6(CLIENT_ADDRESS, lab.own, kind, body=bytes(20),
                          hop_limit=255), "rx_nd", MY_SERVER)
    packet = from_peer(lab)
    for _ in range(12):
        packet = behind(packet)
    lab.taken(packet)
    lab.refused(behind(packet), "rx_nd")


@client("CL-RX-08 CL-P-04 AMB-10", "silent for 40 s, then it speaks: accepted",
        clock=True)
def _(lab):
    proved(lab)
    lab.wait(40)
    lab.is_peer(FAR, "stale", FAR_RELAY)
    lab.taken(from_peer(lab, src=FAR), FAR_RELAY)
    lab.is_peer(FAR, "trusted", FAR_RELAY)
    lab.out(data(lab, to=FAR))
    lab.expect([(FAR_RELAY, data(lab, to=FAR))])


@client("CL-RX-08", "a bubble keeps a peer valid", clock=True)
def _(lab):
    trusted(lab)
    for _ in range(4):
        lab.wait(25)
        lab.bubbled(bubble(CLIENT_ADDRESS, lab.own))
        lab.wait(4)
        lab.out(data(lab))
        lab.expect([(CLIENT, data(lab))])


@client("CL-RX-09 N-16 SEC-18 CL-B-11 AMB-06",
        "an echo reply with another nonce proves nothing")
def _(lab):
    lab.out(data(lab, to=FAR))
    ident, nonce = tested(lab)
    wrong = [reply(lab, ident, nonce[:-1] + bytes([nonce[-1] ^ 1])),
             reply(lab, ident, nonce[:-1]), reply(lab, ident, nonce + b"x"),
             reply(lab, ident, b""), reply(lab, ident ^ 1, nonce)]
    bad = bytearray(reply(lab, ident, nonce))
    bad[42] ^= 1                # its checksum
    lab.settle()
    for packet in wrong + [bytes(bad)]:
        # the first is held for the test, there is room for one
        lab.send(packet, FAR_RELAY)
        lab.settle()
        lab.equal(lab.delivered(), [], "nothing is delivered")
        lab.is_peer(FAR, "incomplete")
    lab.equal(lab.record(FAR)["queued"], 1, "the packet waits")


@client("CL-RX-09 SEC-18 SEC-21 CL-B-10",
        "the answer of a former test proves nothing", clock=True)
def _(lab):
    lab.out(data(lab, to=FAR))
    old = reply(lab, *tested(lab))
    lab.wait(9)
    lab.is_peer(FAR, "failed")
    lab.wait(3)
    lab.settle()
    lab.out(data(lab, to=FAR))
    new = reply(lab, *tested(lab))
    lab.send(old, FAR_RELAY)
    lab.settle()
    lab.is_peer(FAR, "incomplete")
    lab.send(new, FAR_RELAY)
    lab.settle()
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("CL-RX-10 SEC-16 SEQ-1", "a mapping that is what it says: trusted")
def _(lab):
    lab.taken(from_peer(lab))
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)
    lab.out(data(lab))
    lab.expect([(CLIENT, data(lab))])


@client("CL-RX-10 COM-04", "a bubble does, too, and is consumed")
def _(lab):
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own))
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)
    record = lab.record(CLIENT_ADDRESS)
    lab.equal((record.get("last_tx"), record["rx_packets"]), (None, 1),
              "never sent, received once")


@client("CL-RX-10 C-13", "a peer made by its bubble may be bubbled at once",
        clock=True)
def _(lab):
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own))
    lab.wait(31)
    lab.out(data(lab))
    lab.expect(pair(lab), PAIR)


@client("CL-RX-10 A-13", "an embedded port of 0 is never a mapping")
def _(lab):
    lab.refused(udp6(teredo(OTHER_SERVER, CLIENT[0], 0), lab.own, b"no"),
                "rx_bad_mapping")


@client("A-06", "another flags field is another peer")
def _(lab):
    addresses = [teredo(OTHER_SERVER, *CLIENT, flags)
                 for flags in (0, 1, 0x4000, 0x8000, 0x3cff)]
    for address in addresses:
        lab.taken(from_peer(lab, src=address))
    lab.equal(len(lab.control.peers()), 5, "peers")
    lab.out(data(lab, to=addresses[1]))
    lab.expect([(CLIENT, data(lab, to=addresses[1]))])


@client("CL-RX-15 SEC-15 SEC-16 CL-B-08",
        "another port or address than its own says: dropped")
def _(lab):
    for known in False, True:
        for src in OTHER_PORT, (OTHER_RELAY[0], CLIENT[1]):
            lab.refused(from_peer(lab), "rx_bad_mapping", src)
            lab.refused(bubble(CLIENT_ADDRESS, lab.own), "rx_bad_mapping",
                        src)
        if not known:
            trusted(lab)
    lab.taken(from_peer(lab))


@client("CL-RX-16 SEC-21 SEQ-6 V6-04 AMB-16",
        "an unknown native source: held, tested, delivered")
def _(lab):
    lab.settle()
    packet = from_peer(lab, src=FAR)
    lab.send(packet, FAR_RELAY)
    lab.equal(lab.delivered(), [], "not before the test")
    ident, nonce = tested(lab)
    lab.is_peer(FAR, "incomplete")
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect(delivered=[packet])
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("CL-RX-16 SEC-21", "the proof comes from elsewhere: not delivered")
def _(lab):
    lab.settle()
    lab.send(from_peer(lab, src=FAR), OTHER_RELAY)
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect(moved={"rx_untrusted": 1})
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("CL-RX-16 SEC-21 SEC-18", "no proof: dropped after 8 s, no error",
        clock=True)
def _(lab):
    lab.settle()
    lab.send(from_peer(lab, src=FAR), FAR_RELAY)
    tested(lab)
    lab.wait(10)
    sent, moved = lab.settle()
    lab.equal((len(sent), moved), (3, {"tx_tests": 3, "rx_untrusted": 1}),
              "three more tests")
    lab.equal((lab.delivered(), lab.errors()), ([], []), "nothing else")


@client("CL-RX-16 C-34", "one packet is held, others are dropped")
def _(lab):
    lab.settle()
    first = from_peer(lab, b"first", FAR)
    lab.send(first, FAR_RELAY)
    ident, nonce = tested(lab)
    lab.send(from_peer(lab, b"second", FAR), FAR_RELAY)
    lab.expect(moved={"rx_untrusted": 1})
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect(delivered=[first])


@client("CL-RX-16 SEC-18", "a bubble of a native source: dropped, no test")
def _(lab):
    lab.refused(bubble(FAR, lab.own), "rx_untrusted", FAR_RELAY)


@client("CL-RX-17 SEC-46",
        "ICMPv6 errors for what we sent are delivered at once")
def _(lab):
    for kind, code in ((1, 0), (2, 0), (3, 0), (4, 1)):
        error = icmp6(FAR, lab.own, kind, code,
                      b"\0\0\5\0" + data(lab, to="2620:2::9"))
        lab.taken(error, FAR_RELAY)
    lab.equal(lab.control.peers(), {}, "nothing is learned")


@client("CL-RX-17 SEC-46", "errors for what we did not send: dropped, no test")
def _(lab):
    quoted = bytes(4) + udp6(HOST6, FAR, b"data")
    lab.refused(icmp6(FAR, lab.own, 1, 0, quoted), "rx_untrusted", FAR_RELAY)
    # nor any that is behind extension headers
    for packet in (icmp6(FAR, lab.own, 1, 0, quoted),
                   icmp6(FAR, lab.own, 1, 0, bytes(4) + data(lab, to=FAR))):
        lab.refused(behind(packet), "rx_untrusted", FAR_RELAY)
    lab.equal(lab.control.peers(), {}, "nothing is learned")


@client("CL-RX-18", "another relay: tested, the old path in use meanwhile")
def _(lab):
    proved(lab)
    packet = from_peer(lab, src=FAR)
    lab.send(packet, OTHER_RELAY)
    lab.equal(lab.delivered(), [], "not before the test")
    ident, nonce = tested(lab)
    lab.out(data(lab, 1, FAR))
    lab.expect([(FAR_RELAY, data(lab, 1, FAR))])
    lab.send(reply(lab, ident, nonce), OTHER_RELAY)
    lab.expect(delivered=[packet])
    lab.is_peer(FAR, "trusted", OTHER_RELAY)
    lab.out(data(lab, 2, FAR))
    lab.expect([(OTHER_RELAY, data(lab, 2, FAR))])


@client("CL-RX-18", "the test fails: the old path stays", clock=True)
def _(lab):
    proved(lab)
    lab.send(from_peer(lab, src=FAR), OTHER_RELAY)
    tested(lab)
    lab.wait(10)
    sent, moved = lab.settle()
    lab.equal((len(sent), moved), (3, {"tx_tests": 3, "rx_untrusted": 1}),
              "three more tests")
    lab.is_peer(FAR, "trusted", FAR_RELAY)
    lab.out(data(lab, to=FAR))
    lab.expect([(FAR_RELAY, data(lab, to=FAR))])


def test_error(lab, src, ident, nonce, code=4):
    """ICMPv6 unreachable for our own test"""
    return icmp6(src, lab.own, 1, code, bytes(4) +
                 echo(lab.own, FAR, nonce, ident=ident))


@client("CL-RX-19", "the host itself refuses the test: its code, at once")
def _(lab):
    lab.out(data(lab, to=FAR))
    ident, nonce = tested(lab)
    error = test_error(lab, FAR, ident, nonce)
    lab.send(error, FAR_RELAY)
    lab.settle()
    lab.is_peer(FAR, "failed")
    lab.equal(lab.delivered(), [error], "delivered")
    # the one that the stack got, and the one of the waiting packet
    lab.equal(sorted(error[:2] for error in lab.errors()), [(1, 4), (1, 4)],
              "errors")


@client("CL-RX-19", "from anybody else, or another nonce: the test goes on")
def _(lab):
    lab.out(data(lab, to=FAR))
    ident, nonce = tested(lab)
    for error in (test_error(lab, "2620:2::99", ident, nonce),
                  test_error(lab, FAR, ident, bytes(8)),
                  test_error(lab, FAR, ident ^ 1, nonce)):
        lab.taken(error, FAR_RELAY)
        lab.is_peer(FAR, "incomplete")
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect([(FAR_RELAY, data(lab, to=FAR))])


@client("CL-RX-20", "data is never answered by a bubble")
def _(lab):
    for number in range(3):
        lab.taken(from_peer(lab, b"%u" % number))


@client("CL-RX-21 SEC-21 AMB-38",
        "our server relays: its own packets are tested as others are")
def _(lab):
    lab.settle()
    packet = from_peer(lab, src=FAR)
    lab.send(packet, MY_SERVER)
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), MY_SERVER)
    lab.expect(delivered=[packet])
    lab.taken(from_peer(lab, b"more", FAR), MY_SERVER)


@client("CL-RX-22 SEC-11", "a link-local source: rx_linklocal")
def _(lab):
    lab.refused(bubble("fe80::1234", lab.own), "rx_linklocal")
    lab.refused(udp6("fe80::1234", lab.own, b"no"), "rx_linklocal")
    lab.refused(udp6("fe80::1234", lab.own, b"no"), "rx_linklocal", MY_SERVER)


@client("CL-RX-23 SEC-68", "netfilter sees what arrives on the device")
def _(lab):
    def nft(*words):
        return subprocess.run(["ip", "netns", "exec", lab.host, "nft", *words],
                              check=True, capture_output=True).stdout
    nft("add table inet t; add counter inet t seen; add chain inet t in "
        "{ type filter hook input priority 0; }; add rule inet t in "
        "iifname teredo0 udp sport 5000 counter name seen")
    lab.taken(from_peer(lab))
    lab.taken(from_peer(lab))
    seen = json.loads(nft("-j", "list", "counters", "table", "inet", "t"))
    nft("delete", "table", "inet", "t")
    lab.equal([item["counter"]["packets"] for item in seen["nftables"]
               if "counter" in item], [2], "packets of the rule")
