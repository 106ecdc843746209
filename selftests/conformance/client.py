# SPDX-License-Identifier: GPL-2.0
"""The client sends (CL-TX); and what all rows of clients need"""

import wire
from wire import (ANY_NONCE, CLIENT, CLIENT_ADDRESS, CONE, OTHER_SERVER, PORT,
                  PRIMARY, bubble, echo, teredo, udp6)

from .lab import FAR, FAR_RELAY, HOST6, ME, MY_FLAGS, MY_SERVER, NATIVE
from .rows import client

PEER_SERVER = (PRIMARY, PORT)           # the one of CLIENT
PAIR = {"tx_bubbles_direct": 1, "tx_bubbles_indirect": 1}


def data(lab, number=0, to=CLIENT_ADDRESS):
    """A packet of the host to a peer"""
    return udp6(lab.own, to, b"data %u" % number)


def from_peer(lab, text=b"data", src=CLIENT_ADDRESS):
    return udp6(src, lab.own, text, (5000, 6000))


def pair(lab, address=CLIENT_ADDRESS, endpoint=CLIENT, server=PEER_SERVER):
    """A direct and an indirect bubble, the latter with a nonce"""
    packet = bubble(lab.own, address)
    return [(endpoint, packet), (server, packet + ANY_NONCE)]


def at(seconds, datagrams):
    return [(to, payload, seconds) for to, payload in datagrams]


def pairs(lab, *seconds):
    return [item for when in seconds for item in at(when, pair(lab))]


def test_in(lab, datagram, to=FAR):
    """The connectivity test in a datagram: identifier and nonce"""
    packet = wire.Packet.parse(datagram.payload)
    lab.equal((datagram.dst, packet.icmp6_type(), packet.payload[1],
               packet.src, packet.dst, packet.trailing, packet.origin),
              (MY_SERVER, wire.ECHO_REQUEST, 0, wire.ip6(lab.own),
               wire.ip6(to), b"", ()), "a connectivity test")
    return int.from_bytes(packet.payload[4:6], "big"), packet.payload[8:]


def tested(lab, to=FAR):
    """The one test that has just gone out: identifier and nonce"""
    sent, moved = lab.settle()
    lab.equal((len(sent), moved), (1, {"tx_tests": 1}), "one test")
    return test_in(lab, sent[0], to)


def reply(lab, ident, nonce, src=FAR, **fields):
    return echo(src, lab.own, nonce, wire.ECHO_REPLY, ident, **fields)


def trusted(lab, address=CLIENT_ADDRESS, endpoint=CLIENT):
    """A peer whose bubble has come"""
    lab.send(bubble(address, lab.own), endpoint)
    lab.settle()
    lab.is_peer(address, "trusted", endpoint)


def proved(lab, address=FAR, endpoint=FAR_RELAY):
    """A native host that has passed the test"""
    lab.out(data(lab, to=address))
    ident, nonce = tested(lab, address)
    lab.send(reply(lab, ident, nonce, address), endpoint)
    lab.expect([(endpoint, data(lab, to=address))])
    lab.is_peer(address, "trusted", endpoint)


@client("CL-TX-01", "a source that is not ours: prohibited")
def _(lab):
    lab.unsent(udp6(HOST6, CLIENT_ADDRESS, b"no"), "tx_source", [(1, 1)])
    lab.unsent(udp6(HOST6, FAR, b"no"), "tx_source", [(1, 1)])


@client("CL-TX-02 SEC-14", "to a group or a link-local address: no error")
def _(lab):
    for to in "ff02::1", "ff0e::1", "fe80::2", "::1", "::ffff:1.2.3.4":
        lab.unsent(udp6(lab.own, to, b"no"), "tx_scope", inject=True)


@client("CL-TX-03", "to ourselves: dropped; to our mapping: unreachable")
def _(lab):
    lab.unsent(udp6(lab.own, lab.own, b"no"), "tx_self", inject=True)
    for flags in 0, MY_FLAGS ^ 1, 0xffff:
        lab.unsent(data(lab, to=teredo(PRIMARY, *ME, flags)), "tx_self",
                   [(1, 3)])


@client("CL-TX-15 TUN-04", "the first direct bubble gets past our NAT only",
        clock=True)
def _(lab):
    lab.out(data(lab))
    lab.wait(5)
    sent, _ = lab.settle()
    lab.equal([datagram.ttl for datagram in sent if datagram.dst == CLIENT],
              [4, 64, 64], "TTLs")


@client("CL-TX-04 SEC-40", "packets of others are not sent: prohibited")
def _(lab):
    for to in CLIENT_ADDRESS, FAR:
        lab.settle()
        lab.errors()
        lab.forward(data(lab, to=to))
        lab.expect(moved={"tx_forwarded": 1}, errors=[(1, 1)])
        lab.forward(udp6(NATIVE, to, b"no"))
        lab.expect(moved={"tx_source": 1}, errors=[(1, 1)])


@client("CL-TX-05 E-01 E-06 E-09 CL-B-11",
        "a trusted peer: one datagram a packet, nothing in front of it")
def _(lab):
    trusted(lab)
    for number in range(3):
        lab.out(data(lab, number))
        lab.expect([(CLIENT, data(lab, number))])


@client("C-11 CL-TX-06 CL-P-04", "after 29 s a peer is valid, after 31 s not",
        clock=True)
def _(lab):
    trusted(lab)
    lab.wait(29)
    lab.out(data(lab, 1))
    lab.expect([(CLIENT, data(lab, 1))])
    lab.wait(2)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)
    lab.out(data(lab, 2))
    lab.expect(pair(lab), PAIR)


@client("C-11 CL-TX-06", "the same of a native host: the test comes again",
        clock=True)
def _(lab):
    proved(lab)
    lab.wait(29)
    lab.out(data(lab, 1, FAR))
    lab.expect([(FAR_RELAY, data(lab, 1, FAR))])
    lab.wait(2)
    lab.out(data(lab, 2, FAR))
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect([(FAR_RELAY, data(lab, 2, FAR))])


@client("CL-TX-07 N-15 C-18 CL-B-08 SEC-19",
        "a native host: a test through our server, and the packet waits")
def _(lab):
    for to in FAR, FAR + "0":
        lab.out(data(lab, to=to))
        _, nonce = tested(lab, to)
        lab.true(8 <= len(nonce) <= 16, "8 to 16 octets of data")
        lab.is_peer(to, "incomplete")
        lab.equal(lab.record(to)["queued"], 1, "packets that wait")


@client("CL-TX-07 C-18 CL-B-10 SEC-29", "each test has a nonce of its own")
def _(lab):
    nonces, idents = set(), set()
    for number in range(20):
        lab.out(data(lab, to=f"2620:2::1:{number}"))
        ident, nonce = tested(lab, f"2620:2::1:{number}")
        nonces.add(nonce)
        idents.add(ident)
    lab.equal(len(nonces), 20, "nonces that differ")
    lab.true(len(idents) > 15, f"{len(idents)} of 20 identifiers differ")


@client("CL-TX-08 CL-TX-10 C-17 V6-01",
        "no answer: one test at 0, 2, 4, 6 s, then unreachable; "
        "a new one 2 s later", clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab, to=FAR))
    lab.wait(7.9)
    sent, _ = lab.settle()
    lab.equal(len(sent), 4, "tests")
    lab.equal(len({test_in(lab, datagram) for datagram in sent}), 1, "nonces")
    for number, datagram in enumerate(sent):
        after = datagram.time - lab.since
        lab.true(2 * number - 0.05 < after < 2.2 * number + 0.05,
                 f"test {number} after {after} s")
    lab.equal(lab.errors(), [], "no error before 8 s")
    lab.wait(1.1)
    lab.expect(moved={"tx_unreachable": 1}, errors=[(1, 3)])
    lab.is_peer(FAR, "failed")

    lab.unsent(data(lab, 1, FAR), "tx_unreachable", [(1, 3)])
    lab.wait(2.3)
    lab.out(data(lab, 2, FAR))
    lab.true(tested(lab) != test_in(lab, sent[0]), "a new nonce")


@client("CL-TX-09 CL-RX-09 N-16 SEQ-5 V6-03 CL-P-07",
        "the test succeeds: what waits goes there, in order")
def _(lab):
    packets = [data(lab, number, FAR) for number in range(4)]
    for packet in packets:
        lab.out(packet)
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect([(FAR_RELAY, packet) for packet in packets])
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("CL-TX-13 D-07 D-08", "the peer's cone flag is not heeded")
def _(lab):
    address = teredo(PRIMARY, *CLIENT, CONE)
    lab.out(data(lab, to=address))
    lab.expect(pair(lab, address), PAIR)
    lab.is_peer(address, "incomplete")


@client("CL-TX-15 CL-TX-16 CL-TX-21 CL-B-01 CL-B-06 N-11 N-12 C-13 SEC-20",
        "no path yet: a direct bubble, then one through the peer's server")
def _(lab):
    lab.out(data(lab))
    lab.expect(pair(lab), PAIR)
    lab.is_peer(CLIENT_ADDRESS, "incomplete")
    address = teredo(OTHER_SERVER, *CLIENT, 0x1111)
    lab.out(data(lab, to=address))
    lab.expect(pair(lab, address, server=MY_SERVER), PAIR)


@client("CL-TX-17 C-16 CL-B-02 SEC-51 SEQ-13", "no answer: pairs at 0, 2, 4, 6 s",
        clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab))
    lab.wait(7.9)
    lab.equal(lab.errors(), [], "no error before 8 s")
    lab.wait(1.1)
    lab.expect(pairs(lab, 0, 2, 4, 6),
               {"tx_bubbles_direct": 4, "tx_bubbles_indirect": 4,
                "tx_unreachable": 1}, errors=[(1, 3)])


@client("CL-TX-18 CL-RX-10 SEQ-1 CL-P-07",
        "its bubble releases what waits, in order")
def _(lab):
    packets = [data(lab, number) for number in range(4)]
    for packet in packets:
        lab.out(packet)
    lab.settle()
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, packet) for packet in packets])


@client("CL-TX-18", "a packet from the peer does, too")
def _(lab):
    lab.out(data(lab))
    lab.settle()
    lab.send(from_peer(lab))
    lab.expect([(CLIENT, data(lab))], delivered=[from_peer(lab)])


@client("CL-TX-19 CL-B-03 C-15 AMB-35 SEC-51",
        "silent peer: four pairs, errors at once until 300 s, then again",
        clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab))
    lab.wait(10)
    lab.expect(pairs(lab, 0, 2, 4, 6),
               {"tx_bubbles_direct": 4, "tx_bubbles_indirect": 4,
                "tx_unreachable": 1}, errors=[(1, 3)])
    lab.is_peer(CLIENT_ADDRESS, "failed")
    for _ in range(28):
        lab.unsent(data(lab), "tx_unreachable", [(1, 3)])
        lab.wait(10)
    lab.wait(13)
    lab.mark()
    lab.out(data(lab))
    lab.wait(1)
    lab.expect(pairs(lab, 0), PAIR)


@client("CL-TX-20 C-34 SEC-53 C-14",
        "100 packets: one pair; the oldest go, the last four stay")
def _(lab):
    for number in range(100):
        lab.out(data(lab, number))
    lab.expect(pair(lab), PAIR | {"tx_queue_full": 96})
    lab.equal(lab.record(CLIENT_ADDRESS)["queued"], 4, "packets that wait")
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, data(lab, number))
                      for number in range(96, 100)])


@client("CL-TX-20 C-34", "no more than 8 KiB wait", words="queue 100")
def _(lab):
    packets = [udp6(lab.own, CLIENT_ADDRESS, bytes([number]) * 1100)
               for number in range(10)]
    for packet in packets:
        lab.out(packet)
    lab.expect(pair(lab), PAIR | {"tx_queue_full": 3})
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, packet) for packet in packets[3:]])


@client("CL-TX-22 CL-RX-21 CL-RX-09", "our server is the relay, too")
def _(lab):
    proved(lab, endpoint=MY_SERVER)
    lab.taken(from_peer(lab, src=FAR), MY_SERVER)


@client("CL-TX-23 A-13 SEC-50", "in 2001::/32, but no Teredo address: dropped")
def _(lab):
    for address, counter in (("2001:0:7f00:1::1", "tx_not_global"),
                             ("2001::1", "tx_not_global"),
                             (teredo(PRIMARY, CLIENT[0], 0), "tx_bad_port")):
        lab.unsent(data(lab, to=address), counter)
        lab.is_peer(address, None)
    for port in 1, 53, 65535:
        address = teredo(PRIMARY, CLIENT[0], port)
        lab.out(data(lab, to=address))
        lab.expect(pair(lab, address, (CLIENT[0], port)), PAIR)


@client("CL-Q-23", "not qualified: unreachable, and nothing leaves")
def _(lab):
    lab.device("client", qualified=False)
    lab.own = wire.text6(wire.PEER_ADDRESS)
    lab.batch(lab.host, f"""
        addr add {lab.own}/128 dev teredo0 nodad
        route replace 2620:2::/32 via fe80::1 dev teredo0
        """)
    for to in CLIENT_ADDRESS, FAR:
        lab.unsent(data(lab, to=to), "tx_unqualified", [(1, 0)])
