# SPDX-License-Identifier: GPL-2.0
"""Local discovery (CL-L), and what it is to sending and receiving"""

import socket
import struct
import subprocess

import wire
from wire import (ANY_NONCE, CLIENT_ADDRESS, PORT, PRIMARY, alternate_trailer,
                  bubble, teredo)

from .client import PEER_SERVER, data, from_peer, trusted
from .lab import ME
from .rows import client, row
from .trailers import NAT, NEAR, OURS, THEIR_ADDRESS, THEIRS

GROUP = ("224.0.0.253", PORT)
NEXT = (NEAR[0], 5002)
NEXT_ADDRESS = teredo(PRIMARY, NAT, 50002, 0x1082)


def lan(lab):
    """We have said what we say at first; a neighbour can be reached"""
    lab.qualify(OURS)
    lab.near(NEAR[0])
    lab.wait(4)
    lab.settle()


def hello(lab):
    """Our discovery bubble"""
    return (GROUP, bubble(lab.own, "ff02::1", 1))


def announce(lab, address=THEIR_ADDRESS, src=NEAR, dst=GROUP):
    """A neighbour's"""
    lab.send(bubble(address, "ff02::1", 1), src, dst, ttl=1)


def ignored(lab, counter, address=THEIR_ADDRESS, src=NEAR, dst=GROUP):
    lab.refused(bubble(address, "ff02::1", 1), counter, src, dst=dst, ttl=1)


def met(lab, address=THEIR_ADDRESS, src=NEAR):
    """We know it and have answered"""
    announce(lab, address, src)
    lab.expect([(src, bubble(lab.own, address))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})
    lab.equal(lab.control.neighbours(), {wire.text6(address)}, "neighbours")


def joined(lab):
    shown = subprocess.run(["ip", "-n", lab.host, "maddr", "show", "dev",
                            "eth0"], check=True, capture_output=True).stdout
    return GROUP[0].encode() in shown


@client("CL-L-02 CL-L-03 N-14 C-06 C-22 C-32", "a discovery bubble soon, and "
        "then every 200 to 300 s, from the service port",
        words="discovery on", clock=True)
def _(lab):
    lab.qualify(OURS)
    lab.mark()
    lab.wait(6000)
    sent, moved = lab.settle()
    lab.compare(sent, [hello(lab)] * len(sent))
    lab.equal({(d.ttl, d.tos) for d in sent}, {(1, 0)}, "TTL and TOS")
    lab.equal(moved, {}, "counters")
    times = [datagram.time for datagram in sent]
    lab.true(20 <= len(sent) <= 30, f"{len(sent)} bubbles")
    lab.true(times[0] - lab.since < 3.5, "the first one within seconds")
    gaps = [after - before for before, after in zip(times, times[1:])]
    # a timer of minutes is coarse
    lab.true(min(gaps) >= 199.9 and max(gaps) <= 300 * 1.13,
             f"gaps of 200 to 300 s: {gaps}")
    lab.true(max(gaps) - min(gaps) > 20, f"drawn at random: {gaps}")


@client("CL-L-01 CL-L-04", "discovery off: no join, nothing sent or taken",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    lab.true(joined(lab), "the group is joined")
    met(lab)
    lab.set("discovery off")
    lab.true(not joined(lab), "the group is left")
    lab.equal(lab.control.neighbours(), set(), "neighbours")
    lab.settle()
    announce(lab, NEXT_ADDRESS, NEXT)
    lab.wait(400)
    lab.expect()
    lab.equal(lab.peer(NEXT_ADDRESS), None, "peer")
    lab.set("discovery on")
    lab.true(joined(lab), "and joined again")
    lab.wait(4)
    lab.expect([hello(lab)])


@client("CL-L-01", "auto: not with a public address; nor unqualified")
def _(lab):
    lab.true(not joined(lab), "auto on a public address")
    lab.device("client", "discovery on", qualified=False)
    lab.true(not joined(lab), "unqualified")
    lab.qualify()
    lab.true(joined(lab), "qualified")
    lab.ip("link", "set", "teredo0", "down")
    lab.true(not joined(lab), "down")


@client("CL-L-05 SEC-58", "on a unicast address: rx_disc_unicast",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    ignored(lab, "rx_disc_unicast", dst=ME)


@client("CL-L-06 SEC-59", "no well-formed Teredo source: rx_disc_source",
        words="discovery on local-strict off", clock=True)
def _(lab):
    lan(lab)
    for address in ("2620::1", "fe80::1", teredo(PRIMARY, NAT, 0),
                    teredo(PRIMARY, "10.0.0.1", 5000),
                    teredo(PRIMARY, *THEIRS, prefix="2001:1::")):
        ignored(lab, "rx_disc_source", address)


@client("CL-L-07 SEC-59", "an outer source off the link: rx_disc_source",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    for address in "5.6.8.9", "203.219.21.1", "5.6.6.255":
        ignored(lab, "rx_disc_source", src=(address, 5001))
    ignored(lab, "rx_disc_source", src=(NEAR[0], 0))


@client("CL-L-08 SEC-60", "another mapped address: rx_disc_mapped, unless "
        "local-strict is off", words="discovery on", clock=True)
def _(lab):
    lan(lab)
    ignored(lab, "rx_disc_mapped", CLIENT_ADDRESS)
    lab.set("local-strict off")
    met(lab, CLIENT_ADDRESS)


@client("CL-L-09 CL-RX-12", "a neighbour: known, but untrusted",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.is_peer(THEIR_ADDRESS, "incomplete")


@client("CL-L-10", "a neighbour is answered, but not again within 2 s",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    announce(lab)
    lab.expect([], {"rx_bubbles": 1, "tx_bubble_limited": 1})
    lab.wait(2.1)
    met(lab)


@client("CL-L-09 CL-L-12", "an entry stays as it is, but for being local",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    trusted(lab, THEIR_ADDRESS, THEIRS)
    # in use: whoever says that it is here is not believed
    announce(lab)
    lab.expect([], {"rx_bubbles": 1})
    lab.equal(lab.control.neighbours(), set(), "neighbours")
    lab.is_peer(THEIR_ADDRESS, "trusted", THEIRS)
    lab.refused(bubble(THEIR_ADDRESS, lab.own), "rx_bad_mapping", NEAR)
    lab.wait(31)
    lab.settle()
    met(lab)
    lab.is_peer(THEIR_ADDRESS, "stale", THEIRS)


@client("CL-L-11 CL-RX-13", "a bubble from where it was seen: trusted there",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.refused(bubble(THEIR_ADDRESS, lab.own), "rx_bad_mapping", NEXT)
    lab.bubbled(bubble(THEIR_ADDRESS, lab.own), NEAR)
    lab.is_peer(THEIR_ADDRESS, "trusted", NEAR)
    lab.out(data(lab, to=THEIR_ADDRESS))
    lab.expect([(NEAR, data(lab, to=THEIR_ADDRESS))])


@client("CL-RX-13 CL-RX-11", "so does data; and its mapping moves it back",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.taken(from_peer(lab, src=THEIR_ADDRESS), NEAR)
    lab.is_peer(THEIR_ADDRESS, "trusted", NEAR)
    lab.taken(from_peer(lab, src=THEIR_ADDRESS), THEIRS)
    lab.is_peer(THEIR_ADDRESS, "trusted", THEIRS)


@client("CL-TX-11 SEQ-9", "a packet for a neighbour: a bubble to it and one to "
        "all, then what waits", words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.wait(2.1)
    lab.out(data(lab, to=THEIR_ADDRESS))
    lab.expect([(NEAR, bubble(lab.own, THEIR_ADDRESS)), hello(lab)],
               {"tx_bubbles_direct": 1})
    lab.bubbled(bubble(THEIR_ADDRESS, lab.own), NEAR,
                [(NEAR, data(lab, to=THEIR_ADDRESS))])


@client("CL-TX-12", "four bubbles unanswered: a neighbour no more, and through "
        "its server", words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.wait(2.1)
    packet = bubble(lab.own, THEIR_ADDRESS)
    lab.mark()
    lab.out(data(lab, to=THEIR_ADDRESS))
    lab.wait(30)
    indirect = packet + ANY_NONCE + alternate_trailer(ME)
    wanted = [(to, payload, seconds) for seconds in (0, 2, 4, 6)
              for to, payload in ((NEAR, packet), hello(lab))]
    wanted += [(to, payload, seconds) for seconds in (8, 10, 12, 14)
               for to, payload in ((THEIRS, packet), (PEER_SERVER, indirect))]
    lab.expect(wanted, {"tx_bubbles_direct": 8, "tx_bubbles_indirect": 4,
                        "tx_unreachable": 1}, errors=[(1, 3)])
    lab.equal(lab.control.neighbours(), set(), "neighbours")


@client("CL-TX-12 CL-B-03", "a neighbour that goes on announcing itself does "
        "not prolong the search", words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.wait(2.1)
    lab.out(data(lab, to=THEIR_ADDRESS))
    for _ in range(9):
        lab.wait(2.3)
        announce(lab)
    sent, moved = lab.settle()
    lab.equal([d.dst for d in sent if d.dst == PEER_SERVER],
              [PEER_SERVER] * 4, "indirect bubbles")
    lab.equal(moved.get("tx_unreachable"), 1, "the packet has an end")


@row("CL-L-04", "service port 3544, discovery off: what another program has "
     "joined is not taken")
def _(lab):
    lab.batch(lab.host, f"""
        link add teredo0 type teredo port {PORT} discovery off
        link set teredo0 up
        route add fe80::1/128 dev teredo0
        """)
    lab.attach("client", (ME[0], PORT))
    lab.qualify(OURS)
    lab.near(NEAR[0])
    with wire.netns(lab.host):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack(
        "!4s4si", socket.inet_aton(GROUP[0]), bytes(4), 0))
    with other:
        ignored(lab, "rx_disc_source")


@client("C-12 CL-P-03 AMB-09", "a neighbour is remembered for 600 s",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    met(lab)
    lab.wait(598)
    lab.settle()
    lab.out(data(lab, to=THEIR_ADDRESS))
    sent, _ = lab.settle()
    lab.equal([datagram.dst for datagram in sent], [NEAR, GROUP],
              "after 598 s")
    lab.device("client", "discovery on")
    lan(lab)
    met(lab)
    lab.wait(602)
    lab.settle()
    lab.equal(lab.peer(THEIR_ADDRESS), None, "the entry after 602 s")
    lab.out(data(lab, to=THEIR_ADDRESS))
    sent, _ = lab.settle()
    lab.equal([datagram.dst for datagram in sent], [THEIRS, PEER_SERVER],
              "after 602 s")


@client("CL-L-13", "our own bubbles, come back: rx_self",
        words="discovery on", clock=True)
def _(lab):
    lan(lab)
    ignored(lab, "rx_self", lab.own)


@client("CL-L-05 COM-06", "nothing but discovery bubbles is taken from the "
        "group", words="discovery on", clock=True)
def _(lab):
    lan(lab)
    lab.refused(from_peer(lab, src=THEIR_ADDRESS), "rx_not_mine", THEIRS,
                dst=GROUP)
    lab.refused(bubble(THEIR_ADDRESS, lab.own), "rx_not_mine", THEIRS,
                dst=GROUP)
