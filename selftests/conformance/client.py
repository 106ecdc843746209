# SPDX-License-Identifier: GPL-2.0
"""The client sends (CL-TX), receives (CL-RX), bubbles (CL-B), and its list
of peers (CL-P)"""

import wire
from wire import (ANY_NONCE, CLIENT, CLIENT_ADDRESS, OTHER_SERVER, PORT,
                  PRIMARY, bubble, echo, nonce_trailer, origin, teredo, udp6)

from .lab import FAR, FAR_RELAY, ME, MY_SERVER
from .rows import client

PEER_SERVER = (PRIMARY, PORT)           # the one of CLIENT


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


def test_in(lab, datagram, to=FAR):
    """The connectivity test in a datagram: identifier and nonce"""
    packet = wire.Packet.parse(datagram.payload)
    lab.equal((datagram.dst, packet.icmp6_type(), packet.payload[1],
               packet.src, packet.dst, packet.trailing, packet.origin),
              (MY_SERVER, wire.ECHO_REQUEST, 0, wire.ip6(lab.own),
               wire.ip6(to), b"", ()), "a connectivity test")
    return int.from_bytes(packet.payload[4:6], "big"), packet.payload[8:]


def trusted(lab, address=CLIENT_ADDRESS, endpoint=CLIENT):
    """A peer whose bubble has come"""
    lab.send(bubble(address, lab.own), endpoint)
    lab.settle()
    lab.is_peer(address, "trusted", endpoint)


@client("CL-TX-01", "a source that is not ours: prohibited")
def _(lab):
    lab.unsent(udp6("2620::ff", CLIENT_ADDRESS, b"no"), "tx_source", [(1, 1)])


@client("CL-TX-15 CL-TX-16 CL-B-06 N-12 C-13",
        "no path yet: a direct bubble, then one through the peer's server")
def _(lab):
    lab.out(data(lab))
    lab.expect(pair(lab), {"tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})
    lab.is_peer(CLIENT_ADDRESS, "incomplete")


@client("CL-TX-17 C-16", "no answer: pairs at 0, 2, 4, 6 s", clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab))
    lab.wait(20)
    lab.expect([item for seconds in (0, 2, 4, 6)
                for item in at(seconds, pair(lab))],
               {"tx_bubbles_direct": 4, "tx_bubbles_indirect": 4,
                "tx_unreachable": 1}, errors=[(1, 3)])


@client("CL-TX-18", "its bubble releases what waits, in order")
def _(lab):
    for number in range(3):
        lab.out(data(lab, number))
    lab.settle()
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, data(lab, number)) for number in range(3)])


@client("CL-TX-07 N-15 C-18", "a native host: a test through our server")
def _(lab):
    lab.out(data(lab, to=FAR))
    sent, _ = lab.settle()
    lab.equal(len(sent), 1, "datagrams")
    _, nonce = test_in(lab, sent[0])
    lab.true(len(nonce) >= 8, "at least 64 random bits")
    lab.is_peer(FAR, "incomplete")


@client("CL-TX-09 CL-RX-09 N-16", "the test succeeds: what waits goes there")
def _(lab):
    packets = [data(lab, number, FAR) for number in range(4)]
    for packet in packets:
        lab.out(packet)
    sent, _ = lab.settle()
    ident, nonce = test_in(lab, sent[0])
    lab.send(echo(FAR, lab.own, nonce, wire.ECHO_REPLY, ident), FAR_RELAY)
    lab.expect([(FAR_RELAY, packet) for packet in packets])
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("CL-RX-02 SEC-09", "the destination is not ours: dropped, rx_not_mine")
def _(lab):
    lab.refused(udp6(CLIENT_ADDRESS, teredo(OTHER_SERVER, *ME, 0), b"no"),
                "rx_not_mine")


@client("CL-RX-10 SEC-16", "a mapping that is what it says: trusted")
def _(lab):
    lab.taken(from_peer(lab))
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@client("CL-RX-15 SEC-16", "another port than its address says: dropped")
def _(lab):
    lab.refused(from_peer(lab), "rx_bad_mapping", (CLIENT[0], CLIENT[1] + 1))


@client("CL-RX-05", "a bubble through our server: one direct bubble back")
def _(lab):
    packet = bubble(CLIENT_ADDRESS, lab.own)
    lab.settle()
    lab.send(origin(*CLIENT) + packet, MY_SERVER)
    lab.expect([(CLIENT, bubble(lab.own, CLIENT_ADDRESS))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})


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
    lab.expect(pair(lab), {"tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})


@client("T-01 SEC-07", "an unknown trailer 0x40 to 0x7f: dropped")
def _(lab):
    for kind in 0x40, 0x7f:
        lab.refused(from_peer(lab) + wire.trailer(kind, b"ab"), "rx_trailer")
    lab.taken(from_peer(lab) + nonce_trailer(b"abcd"))
