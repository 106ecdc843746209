# SPDX-License-Identifier: GPL-2.0
"""Trailers (T, X-TR), symmetric NATs (X-SN) and one NAT for two (X-HP)"""

import wire
from wire import (ANY_NONCE, CLIENT, CLIENT_ADDRESS, PRIMARY,
                  alternate_trailer, bubble, nonce_trailer, origin, teredo,
                  trailer)

from .client import PEER_SERVER, at, data, from_peer, pair, trusted
from .lab import ME, MY_SERVER
from .rows import client, relay

# where a symmetric NAT has put the peer towards us
ELSEWHERE = (CLIENT[0], 61001)
# we and a peer behind one NAT; NEAR is the peer's own address
NAT = "203.219.22.9"
OURS = (NAT, 40001)
THEIRS = (NAT, 50001)
THEIR_ADDRESS = teredo(PRIMARY, *THEIRS, 0x1081)
NEAR = ("5.6.7.9", 5001)


def relayed(lab, trailers=b"", address=CLIENT_ADDRESS, endpoint=CLIENT):
    """A bubble through our server"""
    lab.send(origin(*endpoint) + bubble(address, lab.own) + trailers,
             MY_SERVER)


def answered(lab, trailers, wanted):
    """The direct bubble to a peer that sent such trailers by its server. The
    peer is trusted and another one each time, so it is one bubble at once."""
    number = lab.asked = getattr(lab, "asked", 0) + 1
    endpoint = (CLIENT[0], 10000 + number)
    address = teredo(PRIMARY, *endpoint, number)
    trusted(lab, address, endpoint)
    lab.settle()
    relayed(lab, trailers, address, endpoint)
    lab.expect([(endpoint, bubble(lab.own, address) + wanted)],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})


def nonces(lab, datagrams):
    """The nonce of each of these bubbles, None where there is none"""
    found = []
    for datagram in datagrams:
        packet = wire.Packet.parse(datagram.payload)
        lab.true(packet.is_bubble(), "a bubble")
        known = dict(packet.trailers())
        found.append(known.get(wire.TRAILER_NONCE))
    return found


def asked(lab, address=CLIENT_ADDRESS):
    """Packets for the peer wait; the nonce of our indirect bubble"""
    lab.settle()
    lab.out(data(lab, to=address))
    sent, _ = lab.settle()
    found = nonces(lab, sent)
    lab.equal(len(found), 2, "bubbles")
    return found[-1]


def behind_nat(lab):
    """The client has an address of its own behind a NAT"""
    lab.qualify(OURS)
    lab.near(NEAR[0])


# Trailers

@client("T-01 X-TR-02", "unknown trailers but 0x40 to 0x7f are skipped")
def _(lab):
    for kind in 0x00, 0x3f, 0x80, 0xbf, 0xc0, 0xff:
        lab.taken(from_peer(lab) + trailer(kind, b"ab"))
        answered(lab, trailer(kind, b"ab") + nonce_trailer(b"wxyz"),
                 nonce_trailer(b"wxyz"))


@client("T-01 SEC-07 X-TR-02", "0x40 to 0x7f behind others: dropped")
def _(lab):
    trusted(lab)
    for kind in 0x40, 0x7f:
        lab.refused(from_peer(lab) + nonce_trailer(b"wxyz") + trailer(0x80) +
                    trailer(kind), "rx_trailer")
        lab.refused(origin(*CLIENT) + bubble(CLIENT_ADDRESS, lab.own) +
                    trailer(kind), "rx_trailer", MY_SERVER)


@client("T-01 SEC-07", "more than 32 trailers: dropped")
def _(lab):
    trusted(lab)
    lab.taken(from_peer(lab) + trailer(0x80) * 32)
    for rest in trailer(0x80), trailer(0x40), nonce_trailer(b"wxyz"):
        lab.refused(from_peer(lab) + trailer(0x80) * 32 + rest, "rx_trailer")
    # the longest that there are
    packet = from_peer(lab)
    for rest, moved in ((b"", {}), (b"\x80", {}),
                        (trailer(0x80), {"rx_trailer": 1})):
        lab.settle()
        lab.link.send_parts(packet + trailer(0x80, bytes(255)) * 32 + rest,
                            CLIENT, lab.here)
        lab.expect(moved=moved, delivered=[] if moved else [packet])


@client("T-02 X-TR-01 X-TR-02",
        "the walk ends at a malformed trailer; what came before it counts")
def _(lab):
    for rest in b"\5", b"\x05\x09\0", b"\x05\x09\0" + trailer(0x40):
        lab.taken(from_peer(lab) + nonce_trailer(b"wxyz") + rest)
        answered(lab, nonce_trailer(b"wxyz") + rest, nonce_trailer(b"wxyz"))
        answered(lab, rest + nonce_trailer(b"wxyz"), b"")


@client("T-07", "a known type with a wrong length is malformed")
def _(lab):
    for kind, size in ((1, 3), (1, 5), (1, 0), (4, 3), (4, 5), (5, 1), (5, 3)):
        rest = trailer(kind, bytes(size))
        lab.taken(from_peer(lab) + rest + trailer(0x40))
        answered(lab, rest + nonce_trailer(b"wxyz"), b"")


@client("T-05 T-06 X-TR-03", "what no extension uses is skipped, so is 0x02")
def _(lab):
    for rest in (wire.discovery_trailer(0), wire.discovery_trailer(2),
                 wire.random_port_trailer(1201), trailer(2, b"\4\xb1")):
        lab.taken(from_peer(lab) + rest)
        answered(lab, rest + nonce_trailer(b"wxyz"), nonce_trailer(b"wxyz"))


@client("X-TR-05", "of two trailers of a kind the first counts")
def _(lab):
    answered(lab, nonce_trailer(b"1111") + nonce_trailer(b"2222"),
             nonce_trailer(b"1111"))


@relay("X-TR-04 X-TR-01", "a relay acts on no trailer",
       words="accept-unknown on")
def _(lab):
    lab.bubbled(bubble(CLIENT_ADDRESS, "2620::ff") + trailer(0x40))
    lab.bubbled(bubble(CLIENT_ADDRESS, "2620::ff") + nonce_trailer(b"wxyz"))


# Symmetric NATs

@client("X-SN-03 X-SN-05 X-SN-12 C-20 T-03",
        "each indirect bubble has a new nonce, no direct one has any",
        clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab))
    lab.wait(7)
    sent, _ = lab.settle()
    lab.compare(sent, [item for seconds in (0, 2, 4, 6)
                       for item in at(seconds, pair(lab))])
    found = nonces(lab, sent)
    lab.equal(found[::2], [None] * 4, "nonces of direct bubbles")
    lab.true(len(set(found[1::2])) == 4 and bytes(4) not in found,
             f"four different nonces: {found[1::2]}")


@client("X-SN-04 X-SN-06", "direct bubbles have the nonce of the last "
        "indirect one, or none if that had none", clock=True)
def _(lab):
    indirect = (PEER_SERVER, bubble(lab.own, CLIENT_ADDRESS) + ANY_NONCE)
    direct = (CLIENT, bubble(lab.own, CLIENT_ADDRESS))
    with_nonce = (CLIENT, direct[1] + nonce_trailer(b"wxyz"))
    relayed(lab, nonce_trailer(b"wxyz"))
    lab.wait(3)
    lab.expect([with_nonce, indirect], {
        "rx_bubbles": 1, "tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})
    lab.out(data(lab))
    lab.expect([with_nonce, indirect], {"tx_bubbles_direct": 1,
                                        "tx_bubbles_indirect": 1})
    relayed(lab)
    lab.expect([direct], {"rx_bubbles": 1, "tx_bubbles_direct": 1})
    lab.wait(2.3)
    lab.expect([direct, indirect], {"tx_bubbles_direct": 1,
                                    "tx_bubbles_indirect": 1})


@client("CL-RX-14 X-SN-07 X-SN-08 CL-TX-18",
        "a bubble from elsewhere with our nonce: the peer is there",
        clock=True)
def _(lab):
    nonce = asked(lab)
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                ELSEWHERE, [(ELSEWHERE, data(lab))])
    lab.is_peer(CLIENT_ADDRESS, "trusted", ELSEWHERE)
    lab.out(data(lab, 1))
    lab.expect([(ELSEWHERE, data(lab, 1))])
    # and nowhere else
    lab.refused(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                "rx_bad_nonce", (CLIENT[0], 61002))
    lab.is_peer(CLIENT_ADDRESS, "trusted", ELSEWHERE)


@client("X-SN-07 SEC-62 CL-RX-15",
        "a wrong nonce, an old one, another peer's: rx_bad_nonce; none at all:"
        " rx_bad_mapping", clock=True)
def _(lab):
    nonce = asked(lab)
    packet = bubble(CLIENT_ADDRESS, lab.own)
    wrong = bytes([nonce[0] ^ 1]) + nonce[1:]
    lab.refused(packet + nonce_trailer(wrong), "rx_bad_nonce", ELSEWHERE)
    lab.refused(packet + nonce_trailer(bytes(4)), "rx_bad_nonce", ELSEWHERE)
    lab.refused(packet, "rx_bad_mapping", ELSEWHERE)
    other = teredo(PRIMARY, *CLIENT, 0x14e5)
    lab.refused(bubble(other, lab.own) + nonce_trailer(nonce), "rx_bad_nonce",
                ELSEWHERE)
    lab.is_peer(CLIENT_ADDRESS, "incomplete")
    lab.bubbled(packet + nonce_trailer(nonce), ELSEWHERE,
                [(ELSEWHERE, data(lab))])


@client("X-SN-07", "the nonce of an earlier indirect bubble does not count",
        clock=True)
def _(lab):
    old = asked(lab)
    lab.wait(2.3)
    lab.settle()
    lab.refused(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(old),
                "rx_bad_nonce", ELSEWHERE)


@client("SEC-62", "a nonce is good for ten seconds, not for the life of a peer",
        clock=True)
def _(lab):
    nonce = asked(lab)
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own), CLIENT, [(CLIENT, data(lab))])
    lab.wait(10.1)
    lab.refused(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                "rx_bad_nonce", ELSEWHERE)
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@client("SEC-17 X-HP-07", "no nonce leads into a private network, but of a peer"
        " behind our NAT", clock=True)
def _(lab):
    nonce = asked(lab)
    # nor to all of a link, nor to ourselves
    for address in "192.168.7.9", "5.6.7.255", "5.6.7.1", ME[0]:
        lab.refused(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                    "rx_not_global", (address, 5000))
        lab.is_peer(CLIENT_ADDRESS, "incomplete")


@client("X-SN-10", "data from elsewhere counts once a bubble has proved it",
        clock=True)
def _(lab):
    nonce = asked(lab)
    lab.refused(from_peer(lab) + nonce_trailer(nonce), "rx_bad_mapping",
                ELSEWHERE)
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                ELSEWHERE, [(ELSEWHERE, data(lab))])
    lab.taken(from_peer(lab), ELSEWHERE)


@client("X-SN-09 AMB-18 CL-B-01", "an indirect bubble: a direct one back, and "
        "a tenth of a second later an indirect one", clock=True)
def _(lab):
    lab.mark()
    relayed(lab, nonce_trailer(b"wxyz"))
    lab.wait(60)
    sent, moved = lab.settle()
    lab.compare(sent, [(CLIENT, bubble(lab.own, CLIENT_ADDRESS) +
                        nonce_trailer(b"wxyz")),
                       (PEER_SERVER, bubble(lab.own, CLIENT_ADDRESS) +
                        ANY_NONCE)])
    lab.equal(moved, {"rx_bubbles": 1, "tx_bubbles_direct": 1,
                      "tx_bubbles_indirect": 1}, "counters")
    if len(sent) == 2:
        after = sent[1].time - sent[0].time
        lab.true(0.1 <= after <= 0.35, f"a tenth of a second: {after}")
    lab.is_peer(CLIENT_ADDRESS, "incomplete")


@client("X-SN-09 SEQ-1", "heard directly meanwhile: no indirect bubble",
        clock=True)
def _(lab):
    relayed(lab)
    lab.send(bubble(CLIENT_ADDRESS, lab.own))
    lab.wait(60)
    lab.expect([(CLIENT, bubble(lab.own, CLIENT_ADDRESS))],
               {"rx_bubbles": 2, "tx_bubbles_direct": 1})


@client("X-SN-09 X-HP-08", "from a peer that is trusted: one direct bubble to "
        "where it is", clock=True)
def _(lab):
    nonce = asked(lab)
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own) + nonce_trailer(nonce),
                ELSEWHERE, [(ELSEWHERE, data(lab))])
    relayed(lab, nonce_trailer(b"wxyz"))
    lab.wait(20)
    lab.expect([(ELSEWHERE, bubble(lab.own, CLIENT_ADDRESS) +
                 nonce_trailer(b"wxyz"))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})


@client("X-SN-09 CL-B-03 CL-B-05 SEC-47 SEC-51 C-15",
        "both answers are bounded: 2 s, and 4 in 300 s", clock=True)
def _(lab):
    both = [(CLIENT, bubble(lab.own, CLIENT_ADDRESS)),
            (PEER_SERVER, bubble(lab.own, CLIENT_ADDRESS) + ANY_NONCE)]
    moved = {"rx_bubbles": 1, "tx_bubbles_direct": 1,
             "tx_bubbles_indirect": 1}
    relayed(lab)
    lab.wait(1)
    lab.expect(both, moved)
    relayed(lab)
    lab.wait(1.5)
    lab.expect([], {"rx_bubbles": 1, "tx_bubble_limited": 1})
    for _ in range(3):
        relayed(lab)
        lab.wait(2.5)
        lab.expect(both, moved)
    relayed(lab)
    lab.wait(2.5)
    lab.expect([], {"rx_bubbles": 1, "tx_bubble_limited": 1})
    # what is for the peer meets the cap, too
    lab.out(data(lab))
    lab.expect([], {"tx_bubble_limited": 1, "tx_unreachable": 1},
               errors=[(1, 3)])
    lab.wait(292)
    relayed(lab)
    lab.wait(1)
    lab.expect(both, moved)


@client("CL-B-03 CL-B-04", "a direct response after three: the count restarts",
        clock=True)
def _(lab):
    lab.out(data(lab))
    lab.wait(5)
    lab.expect(pair(lab) * 3, {"tx_bubbles_direct": 3,
                               "tx_bubbles_indirect": 3})
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own), sent=[(CLIENT, data(lab))])
    lab.wait(31)
    lab.out(data(lab, 1))
    lab.wait(20)
    lab.expect(pair(lab) * 4,
               {"tx_bubbles_direct": 4, "tx_bubbles_indirect": 4,
                "tx_unreachable": 1}, errors=[(1, 3)])


@client("CL-TX-14 SEC-32", "no indirect bubble to a server that is not global",
        clock=True)
def _(lab):
    address = teredo("10.0.0.1", *CLIENT, 7)
    relayed(lab, b"", address)
    lab.wait(2.5)
    lab.expect([(CLIENT, bubble(lab.own, address))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1, "tx_not_global": 1})


# Behind one NAT

@client("X-HP-03 X-HP-04 SEC-63 T-04",
        "our own address goes to a peer behind our NAT, and to no other",
        clock=True)
def _(lab):
    behind_nat(lab)
    lab.out(data(lab, to=THEIR_ADDRESS))
    packet = bubble(lab.own, THEIR_ADDRESS)
    lab.expect([(THEIRS, packet),
                (PEER_SERVER, packet + ANY_NONCE + alternate_trailer(ME))],
               {"tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})
    lab.out(data(lab))
    lab.expect(pair(lab), {"tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})


@client("X-HP-06 X-HP-09 C-29", "alternates of a peer behind our NAT: a bubble "
        "to each, and an indirect one, as one event", clock=True)
def _(lab):
    behind_nat(lab)
    packet = bubble(lab.own, THEIR_ADDRESS)
    direct = packet + nonce_trailer(b"wxyz")
    for count in range(1, 5):
        near = [(NEAR[0], NEAR[1] + i) for i in range(count)]
        relayed(lab, nonce_trailer(b"wxyz") + alternate_trailer(*near),
                THEIR_ADDRESS, THEIRS)
        lab.wait(2.5)
        lab.expect([(THEIRS, direct)] + [(to, direct) for to in near] +
                   [(PEER_SERVER, packet + ANY_NONCE + alternate_trailer(ME))],
                   {"rx_bubbles": 1, "tx_bubbles_direct": 1 + count,
                    "tx_bubbles_indirect": 1})


@client("X-TR-05 T-04", "of two lists of alternates the first counts, whatever "
        "is reserved in it", clock=True)
def _(lab):
    behind_nat(lab)
    packet = bubble(lab.own, THEIR_ADDRESS)
    for trailers in (
            alternate_trailer(NEAR) + alternate_trailer((NEAR[0], 5002)),
            alternate_trailer(NEAR) + trailer(3, bytes(7)),
            trailer(3, b"\xff\xff" + alternate_trailer(NEAR)[4:])):
        relayed(lab, trailers, THEIR_ADDRESS, THEIRS)
        lab.wait(2.5)
        lab.expect([(THEIRS, packet), (NEAR, packet),
                    (PEER_SERVER,
                     packet + ANY_NONCE + alternate_trailer(ME))],
                   {"rx_bubbles": 1, "tx_bubbles_direct": 2,
                    "tx_bubbles_indirect": 1})


@client("X-HP-05 T-04 T-07", "malformed alternates: dropped")
def _(lab):
    behind_nat(lab)
    packet = origin(*THEIRS) + bubble(THEIR_ADDRESS, lab.own)
    lists = [bytes(size) for size in (0, 2, 7, 9)] + [
        bytes(2) + (wire.ip4(NEAR[0]) + b"\x13\x89") * 5]
    for value in lists:
        lab.refused(packet + trailer(3, value), "rx_alt_invalid", MY_SERVER)
    for bad in ((NEAR[0], 0), ("224.0.0.1", 5), ("255.255.255.255", 5),
                ("0.0.0.0", 5)):
        lab.refused(packet + alternate_trailer(NEAR, bad), "rx_alt_invalid",
                    MY_SERVER)


@client("T-04 T-07", "alternates on anything else are not looked at")
def _(lab):
    lab.taken(from_peer(lab) + alternate_trailer(NEAR))
    lab.taken(from_peer(lab) + trailer(3, bytes(7)))
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own) + trailer(3, bytes(7)))


@client("SEC-61", "no bubble to loopback, broadcast and own addresses",
        clock=True)
def _(lab):
    behind_nat(lab)
    packet = bubble(lab.own, THEIR_ADDRESS)
    relayed(lab, alternate_trailer(("127.0.0.1", 5000), ("5.6.7.255", 5000),
                                   ME, NEAR), THEIR_ADDRESS, THEIRS)
    lab.wait(2)
    lab.expect([(THEIRS, packet), (NEAR, packet),
                (PEER_SERVER, packet + ANY_NONCE + alternate_trailer(ME))],
               {"rx_bubbles": 1, "tx_alt_limited": 3, "tx_bubbles_direct": 2,
                "tx_bubbles_indirect": 1})


@client("SEC-61", "bubbles to alternates are among those that are limited",
        words="bubble-rate 1", clock=True)
def _(lab):
    behind_nat(lab)
    packet = bubble(lab.own, THEIR_ADDRESS)
    near = [(NEAR[0], NEAR[1] + i) for i in range(4)]
    relayed(lab, alternate_trailer(*near), THEIR_ADDRESS, THEIRS)
    lab.wait(0.5)
    # nor does the indirect one leave that follows
    lab.expect([(THEIRS, packet), (near[0], packet)],
               {"rx_bubbles": 1, "tx_alt_limited": 3, "tx_bubbles_direct": 2,
                "tx_bubble_limited": 1})


@client("SEC-61 AMB-21", "alternates of a peer behind another NAT: not used",
        clock=True)
def _(lab):
    behind_nat(lab)
    relayed(lab, alternate_trailer(NEAR, (NEAR[0], 5002)))
    lab.wait(2)
    lab.expect(pair(lab), {"rx_bubbles": 1, "tx_alt_limited": 2,
                           "tx_bubbles_direct": 1, "tx_bubbles_indirect": 1})


@client("X-HP-07 X-HP-08 SEQ-11", "found at its own address by the nonce: what "
        "waits leaves when it can know us", clock=True)
def _(lab):
    behind_nat(lab)
    nonce = asked(lab, THEIR_ADDRESS)
    lab.bubbled(bubble(THEIR_ADDRESS, lab.own) + nonce_trailer(nonce), NEAR)
    lab.is_peer(THEIR_ADDRESS, "trusted", NEAR)
    relayed(lab, nonce_trailer(b"wxyz") + alternate_trailer(NEAR),
            THEIR_ADDRESS, THEIRS)
    lab.expect([(NEAR, bubble(lab.own, THEIR_ADDRESS) +
                 nonce_trailer(b"wxyz")),
                (NEAR, data(lab, to=THEIR_ADDRESS))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})
    lab.taken(from_peer(lab, src=THEIR_ADDRESS), NEAR)


@client("X-HP-07", "its indirect bubble is lost: what waits leaves all the "
        "same", clock=True)
def _(lab):
    behind_nat(lab)
    nonce = asked(lab, THEIR_ADDRESS)
    lab.bubbled(bubble(THEIR_ADDRESS, lab.own) + nonce_trailer(nonce), NEAR)
    lab.wait(2.5)
    lab.expect([(NEAR, data(lab, to=THEIR_ADDRESS))])
