# SPDX-License-Identifier: GPL-2.0
"""Limits of bubbles and tests (CL-B), the list of peers (CL-P, V)"""

import wire
from wire import (CLIENT, CLIENT_ADDRESS, OTHER_SERVER, PRIMARY, bubble, echo,
                  origin, teredo, udp6)

from .client import (PAIR, at, data, from_peer, pair, pairs, proved, reply,
                     test_in, tested, trusted)
from .lab import FAR, FAR_RELAY, HOST6, ME, MY_FLAGS, MY_SERVER
from .rows import client


def other(number, server=PRIMARY):
    """Address and endpoint of some client"""
    endpoint = ("203.219.22.%u" % (number % 250 + 1), 1000 + number)
    return teredo(server, *endpoint, 0x1000), endpoint


def relayed(lab, src=HOST6, to=FAR_RELAY):
    """A bubble of a relay through our server"""
    lab.send(origin(*to) + bubble(src, lab.own), MY_SERVER)


@client("CL-B-02 C-14 AMB-03",
        "a bubble waits until 2 s after the last transmission", clock=True)
def _(lab):
    trusted(lab)
    lab.wait(29.5)
    lab.out(data(lab, 1))
    lab.expect([(CLIENT, data(lab, 1))])
    lab.mark()
    lab.wait(1)
    lab.out(data(lab, 2))
    lab.settle()
    lab.wait(0.9)
    lab.expect()
    lab.wait(0.5)
    lab.expect(at(2, pair(lab)), PAIR)
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, data(lab, 2))])


@client("CL-B-02 CL-B-04 C-14", "packets 1 s apart: one pair in 2 s",
        clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab, 1))
    lab.wait(1)
    lab.out(data(lab, 2))
    lab.wait(0.5)
    lab.expect(pairs(lab, 0), PAIR)
    record = lab.record(CLIENT_ADDRESS)
    lab.true(1400 < record["last_tx"] < 1700, f"last_tx {record['last_tx']}")
    lab.equal(record["tx_packets"], 1, "a pair counts once")


@client("CL-B-03 C-15", "a direct response: four more pairs are allowed",
        clock=True)
def _(lab):
    lab.mark()
    lab.out(data(lab, 1))
    lab.wait(4.9)
    lab.expect(pairs(lab, 0, 2, 4),
               {"tx_bubbles_direct": 3, "tx_bubbles_indirect": 3})
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, data(lab, 1))])
    lab.wait(31)
    lab.mark()
    lab.out(data(lab, 2))
    lab.wait(20)
    lab.expect(pairs(lab, 0, 2, 4, 6),
               {"tx_bubbles_direct": 4, "tx_bubbles_indirect": 4,
                "tx_unreachable": 1})


@client("CL-B-04 CL-P-05 V-02", "what netlink tells of a peer", clock=True)
def _(lab):
    trusted(lab)
    lab.wait(5)
    lab.out(data(lab))
    lab.settle()
    lab.wait(5)
    record = lab.record(CLIENT_ADDRESS)
    lab.equal((record["rx_packets"], record["tx_packets"], record["trusted"],
               record["queued"]), (1, 1, 1, 0), "record")
    lab.true(9900 < record["last_rx"] < 10200, f"last_rx {record['last_rx']}")
    lab.true(4900 < record["last_tx"] < 5200, f"last_tx {record['last_tx']}")
    lab.taken(from_peer(lab))
    record = lab.record(CLIENT_ADDRESS)
    lab.true(record["last_rx"] < 100, "moved by the packet")
    lab.equal(record["rx_packets"], 2, "received")


@client("CL-B-05 SEC-47", "one reply in 2 s to an origin; others have theirs",
        clock=True)
def _(lab):
    relayed(lab)
    lab.settle()
    relayed(lab)
    lab.expect(moved={"rx_bubbles": 1, "tx_bubble_limited": 1})
    relayed(lab, to=("198.41.0.6", 3545))
    lab.expect([(("198.41.0.6", 3545), bubble(lab.own, HOST6))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})
    lab.wait(2)
    relayed(lab)
    lab.expect([(FAR_RELAY, bubble(lab.own, HOST6))],
               {"rx_bubbles": 1, "tx_bubbles_direct": 1})


@client("CL-B-05 C-15", "four replies to a silent origin in 300 s",
        clock=True)
def _(lab):
    for number in range(6):
        relayed(lab)
        sent, _ = lab.settle()
        lab.equal(len(sent), number < 4, f"replies to bubble {number + 1}")
        lab.wait(40)
    lab.wait(65)
    relayed(lab)
    sent, _ = lab.settle()
    lab.equal(len(sent), 1, "replies after 305 s")


@client("CL-B-05 AMB-04", "a busy relay that bubbles each 40 s: all answered",
        clock=True)
def _(lab):
    proved(lab)
    for number in range(15):
        lab.wait(40)
        relayed(lab)
        lab.expect([(FAR_RELAY, bubble(lab.own, HOST6))],
                   {"rx_bubbles": 1, "tx_bubbles_direct": 1})
        lab.taken(from_peer(lab, b"%u" % number, FAR), FAR_RELAY)


@client("CL-B-07 SEC-44", "bubbles a second of the device", clock=True,
        words="bubble-rate 5")
def _(lab):
    lab.wait(3)
    for number in range(30):
        lab.out(data(lab, to=other(number, f"65.54.227.{number + 130}")[0]))
    sent, moved = lab.settle()
    lab.true(20 <= len(sent) <= 24, f"{len(sent)} bubbles sent")
    lab.equal(moved.get("tx_bubble_limited", 0) * 2 + len(sent), 60,
              "the others are counted")


@client("CL-B-07 SEC-44", "bubble pairs a second to one server", clock=True,
        words="server-rate 5")
def _(lab):
    lab.wait(3)
    for number in range(30):
        lab.out(data(lab, to=other(number)[0]))
    sent, moved = lab.settle()
    lab.true(20 <= len(sent) <= 24, f"{len(sent)} bubbles sent")
    lab.equal(moved.get("tx_bubble_limited", 0) * 2 + len(sent), 60,
              "the others are counted")
    address, endpoint = other(1, "65.54.227.144")
    lab.out(data(lab, to=address))
    lab.expect(pair(lab, address, endpoint, ("65.54.227.144", 3544)), PAIR)


@client("CL-B-09 SEC-46", "tests a second caused by packets that come in",
        clock=True, words="bubble-rate 50")
def _(lab):
    lab.wait(3)
    for number in range(60):
        lab.send(from_peer(lab, src=f"2620:2::2:{number}"), FAR_RELAY)
    sent, moved = lab.settle()
    lab.true(10 <= len(sent) <= 14, f"{len(sent)} tests sent")
    lab.equal(moved.get("rx_test_limited", 0) + len(sent), 60,
              "the others are counted")
    # those of the host's own packets have another bucket
    lab.out(data(lab, to=FAR))
    sent, _ = lab.settle()
    lab.equal(len(sent), 1, "tests for a packet of ours")
    test_in(lab, sent[0])


@client("CL-B-09", "tests a second of the device", clock=True,
        words="bubble-rate 5")
def _(lab):
    lab.wait(3)
    for number in range(30):
        lab.out(data(lab, to=f"2620:2::2:{number}"))
    sent, moved = lab.settle()
    lab.true(10 <= len(sent) <= 12, f"{len(sent)} tests sent")
    lab.equal(moved.get("tx_bubble_limited", 0) + len(sent), 30,
              "the others are counted")


@client("CL-B-11 CL-RX-09", "the user's own ping with the test's identifier")
def _(lab):
    proved(lab)
    to = "2620:2::77"
    lab.out(data(lab, to=to))
    ident, nonce = tested(lab, to)
    ping = reply(lab, ident, b"12345678", to)
    lab.send(ping, FAR_RELAY)
    lab.settle()
    lab.is_peer(to, "incomplete")
    lab.send(reply(lab, ident, nonce, to), FAR_RELAY)
    lab.settle()
    # it was held until the peer was proved
    lab.equal([packet.hex() for packet in lab.delivered()], [ping.hex()],
              "delivered")


@client("CL-P-01 CL-P-02 SEC-52", "a full list: untrusted peers go first",
        words="max-peers 4")
def _(lab):
    for number in range(3):
        trusted(lab, *other(number))
    lab.out(data(lab, to=other(3)[0]))
    lab.settle()
    lab.out(data(lab, to=other(4)[0]))
    lab.expect(pair(lab, *other(4)), PAIR | {"peer_evicted": 1,
                                             "tx_unreachable": 1})
    lab.equal({address for address in lab.control.peers()},
              {wire.text6(other(number)[0]) for number in (0, 1, 2, 4)},
              "peers that are left")


@client("CL-P-02 SEC-52",
        "a full list of peers in use: a newcomer is refused",
        words="max-peers 4")
def _(lab):
    for number in range(4):
        trusted(lab, *other(number))
        lab.out(data(lab, to=other(number)[0]))
    lab.settle()
    lab.unsent(data(lab, to=other(4)[0]), "peer_limit", [(1, 3)])
    lab.refused(from_peer(lab, src=other(5)[0]), "peer_limit", other(5)[1])
    lab.refused(from_peer(lab, src=FAR), "peer_limit", FAR_RELAY)
    for number in range(4):
        lab.is_peer(other(number)[0], "trusted", other(number)[1])


@client("CL-P-02 SEC-52", "a full list: with nothing waiting goes before an "
        "older one with a packet", words="max-peers 3")
def _(lab):
    lab.out(data(lab))
    trusted(lab, *other(1))
    lab.out(data(lab, to=FAR))
    sent, _ = lab.settle()
    test_in(lab, sent[0])
    # which ends the test, and what waited is gone
    lab.send(wire.icmp6(FAR, lab.own, 1, body=bytes(4) + sent[0].payload),
             FAR_RELAY)
    lab.settle()
    lab.is_peer(FAR, "failed")
    lab.delivered()
    lab.out(data(lab, to=other(2)[0]))
    lab.expect(pair(lab, *other(2)), PAIR | {"peer_evicted": 1})
    lab.equal(lab.record(CLIENT_ADDRESS).get("queued"), 1, "the older one")
    lab.is_peer(FAR, None)
    # now for both a packet waits
    lab.out(data(lab, to=other(3)[0]))
    lab.expect(pair(lab, *other(3)), PAIR | {"peer_evicted": 1,
                                             "tx_unreachable": 1})
    lab.equal({address for address in lab.control.peers()},
              {wire.text6(other(number)[0]) for number in (1, 2, 3)},
              "peers that are left")


@client("CL-P-01 CL-P-02", "the idle one goes, the busy ones stay",
        clock=True, words="max-peers 4")
def _(lab):
    for number in range(4):
        trusted(lab, *other(number))
        lab.out(data(lab, to=other(number)[0]))
    lab.wait(31)
    for number in 0, 1, 3:
        lab.taken(from_peer(lab, src=other(number)[0]), other(number)[1])
    lab.out(data(lab, to=other(9)[0]))
    lab.expect(pair(lab, *other(9)), PAIR | {"peer_evicted": 1})
    lab.equal({address for address in lab.control.peers()},
              {wire.text6(other(number)[0]) for number in (0, 1, 3, 9)},
              "peers that are left")


@client("CL-P-01", "the default holds at least 1024 peers")
def _(lab):
    for number in range(900):
        lab.send(bubble(other(number)[0], lab.own), other(number)[1])
    lab.settle()
    for number in range(900, 1024):
        lab.out(data(lab, to=other(number)[0]))
    _, moved = lab.settle()
    lab.equal((len(lab.control.peers()), "peer_evicted" in moved),
              (1024, False), "peers")


@client("CL-P-03", "idle for 300 s: freed", clock=True)
def _(lab):
    trusted(lab)
    lab.wait(150)
    lab.taken(from_peer(lab))
    lab.wait(295)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)
    lab.wait(10)
    lab.is_peer(CLIENT_ADDRESS, None)


@client("CL-P-03", "a transmission keeps it, too", clock=True)
def _(lab):
    trusted(lab)
    lab.wait(25)
    lab.out(data(lab))
    lab.settle()
    lab.wait(290)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)
    lab.wait(15)
    lab.is_peer(CLIENT_ADDRESS, None)


@client("CL-P-06 CL-M-05", "our address changes: no peer and no packet is left")
def _(lab):
    trusted(lab)
    lab.out(data(lab, to=FAR))
    tested(lab)
    lab.errors()
    lab.qualify(flags=MY_FLAGS ^ 0x1000)
    lab.equal(lab.control.peers(), {}, "peers")
    lab.expect(moved={"tx_unreachable": 1}, errors=[])
    # the former address is nobody's
    lab.refused(udp6(CLIENT_ADDRESS, teredo(OTHER_SERVER, *ME, MY_FLAGS),
                     b"no"), "rx_not_mine")
    lab.taken(from_peer(lab))


@client("CL-M-07 CL-P-06", "the same result again: peers stay")
def _(lab):
    trusted(lab)
    lab.qualify()
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@client("CL-M-07 C-35", "the lifetime ends: no longer qualified", clock=True)
def _(lab):
    lab.qualify(seconds=90)
    trusted(lab)
    lab.wait(89)
    lab.taken(from_peer(lab))
    lab.wait(2)
    lab.refused(from_peer(lab), "rx_down")
    lab.unsent(data(lab), "tx_unqualified", [(1, 0)])


@client("CL-P-08", "removed with what waits; nothing comes after it",
        clock=True)
def _(lab):
    lab.out(data(lab))
    lab.expect(pair(lab), PAIR)
    lab.control.peer_del(CLIENT_ADDRESS)
    lab.expect(moved={"tx_unreachable": 1}, errors=[])
    lab.wait(10)
    lab.expect()
    lab.equal(lab.control.peers(), {}, "peers")


@client("CL-P-08", "the device goes down with packets waiting", clock=True)
def _(lab):
    trusted(lab)
    lab.out(data(lab, to=other(1)[0]))
    lab.send(from_peer(lab, src=FAR), FAR_RELAY)
    lab.settle()
    lab.down()
    lab.wait(10)
    lab.equal(lab.control.peers(), {}, "peers")
    lab.ip("link", "set", "teredo0", "up")
    lab.counters.moved()
    lab.expect()


@client("CL-P-09 SEC-52", "peers a second made by packets that come in",
        clock=True, words="peer-rate 5")
def _(lab):
    lab.wait(3)
    for number in range(30):
        address, endpoint = other(number)
        lab.send(bubble(address, lab.own), endpoint)
    _, moved = lab.settle()
    made = len(lab.control.peers())
    lab.true(10 <= made <= 12, f"{made} peers made")
    lab.equal(moved, {"rx_bubbles": made, "peer_limit": 30 - made},
              "counters")
    trusted(lab, *other(0))


def strange(number, flags=0x1234):
    """One of many clients at one IPv4 address, and where it is"""
    endpoint = ("203.219.22.1", 1000 + number)
    return teredo(PRIMARY, *endpoint, flags), endpoint


@client("SEC-52 CL-P-09", "one IPv4 address gets a share of the list, others "
        "theirs", words="max-peers 128 peer-rate 0")
def _(lab):
    for number in range(100):
        address, endpoint = strange(number)
        lab.send(bubble(address, lab.own), endpoint)
    lab.expect(moved={"rx_bubbles": 64, "peer_limit": 36})
    # nor by the flags
    address, endpoint = strange(0, 0x1334)
    lab.refused(from_peer(lab, src=address), "peer_limit", endpoint)
    # one may have the same hash
    for number in range(1, 5):
        address, endpoint = other(number)
        lab.send(bubble(address, lab.own), endpoint)
    _, moved = lab.settle()
    lab.true(moved.get("rx_bubbles", 0) >= 3, f"others: {moved}")
    # whom we speak to is no stranger
    address, endpoint = strange(200)
    lab.out(data(lab, to=address))
    lab.expect(pair(lab, address, endpoint), PAIR)
    lab.bubbled(bubble(address, lab.own), endpoint,
                sent=[(endpoint, data(lab, to=address))])
    # who is gone leaves his place
    for number in 0, 1:
        lab.control.peer_del(strange(number)[0])
    for number, counter in (100, "rx_bubbles"), (101, "peer_limit"):
        address, endpoint = strange(number)
        lab.send(bubble(address, lab.own), endpoint)
        lab.expect(moved={counter: 1})


@client("CL-M-12", "idle peers: nothing is sent to keep a path open",
        clock=True)
def _(lab):
    trusted(lab)
    proved(lab)
    lab.wait(600)
    lab.expect()


@client("CL-P-07 CL-TX-09", "what comes while the queue leaves stays in order")
def _(lab):
    for number in range(4):
        lab.out(data(lab, number, FAR))
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    for number in range(4, 8):
        lab.out(data(lab, number, FAR))
    lab.expect([(FAR_RELAY, data(lab, number, FAR)) for number in range(8)])


@client("C-30 SEC-54", "ICMPv6 errors: a bucket, no fixed gap", clock=True)
def _(lab):
    lab.wait(3)
    for number in range(100):
        lab.out(udp6(HOST6, FAR, b"%u" % number))
    _, moved = lab.settle()
    got = len(lab.errors())
    lab.true(20 <= got <= 24, f"{got} errors")
    lab.equal(moved, {"tx_source": 100, "icmp6_limited": 100 - got},
              "counters")


@client("CL-RX-16 CL-P-05", "a ping of the host is a packet as any other")
def _(lab):
    ping = echo(lab.own, FAR, b"12345678")
    lab.out(ping)
    ident, nonce = tested(lab)
    lab.send(reply(lab, ident, nonce), FAR_RELAY)
    lab.expect([(FAR_RELAY, ping)])
    answer = echo(FAR, lab.own, b"12345678", wire.ECHO_REPLY)
    lab.taken(answer, FAR_RELAY)
