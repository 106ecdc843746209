# SPDX-License-Identifier: GPL-2.0
"""The relay sends (RL-TX); and what all rows of relays need"""

import subprocess

import wire
from wire import (CLIENT, CLIENT_ADDRESS, CONE, OTHER_SERVER, PORT, PRIMARY,
                  bubble, icmp6, ipv6, routed, teredo, udp6)

from .lab import HOST6, NATIVE, NATIVE_2
from .rows import relay, relays

CLIENT_SERVER = (PRIMARY, PORT)
ONE = {"tx_bubbles_indirect": 1}
# a client whose server is another one
OTHER_CLIENT = ("198.41.0.4", 5000)
OTHER_ADDRESS = teredo(OTHER_SERVER, *OTHER_CLIENT, 0x1234)


def data(number=0, to=CLIENT_ADDRESS, src=NATIVE):
    """A packet of the native host to a client"""
    return udp6(src, to, b"data %u" % number)


def sender(lab):
    """Who may send into the tunnel"""
    return HOST6 if lab.mode == "host-relay" else NATIVE


def own(lab, number=0, **fields):
    """As data(), of who may send"""
    return data(number, src=sender(lab), **fields)


def sent_on(lab, packet):
    """What becomes of it: a relay is a router"""
    return packet if lab.mode == "host-relay" else routed(packet)


def from_client(text=b"data", src=CLIENT_ADDRESS, to=NATIVE):
    return udp6(src, to, text, (5000, 6000))


def first(to=CLIENT_ADDRESS, src=HOST6, host=CLIENT_SERVER):
    """The bubble of first contact"""
    return [(host, bubble(src, to))]


def bubbles(*seconds):
    return [(CLIENT_SERVER, bubble(HOST6, CLIENT_ADDRESS), second)
            for second in seconds]


def contact(lab, address=CLIENT_ADDRESS, endpoint=CLIENT):
    """The native host has spoken to the client, and it has answered"""
    lab.out(own(lab, to=address))
    lab.settle()
    lab.send(bubble(address, HOST6), endpoint)
    lab.settle()
    lab.is_peer(address, "trusted", endpoint)


@relay("RL-TX-01", "not for 2001::/32: no route; to a group: no error")
def _(lab):
    lab.batch(lab.host, "route add 2a00:2::/32 via fe80::1 dev teredo0")
    lab.batch(lab.native, "route replace 2a00:2::/32 via 2620::ff")
    lab.unsent(data(to="2a00:2::1"), "tx_foreign", [(1, 0)])
    for to in "ff0e::1", "ff02::1", "fe80::2":
        lab.unsent(data(to=to), "tx_scope", inject=True)


@relay("RL-TX-04 E-01 E-06 E-09", "a trusted client: one datagram a packet")
def _(lab):
    contact(lab)
    for number in range(3):
        lab.out(data(number))
        lab.expect([(CLIENT, routed(data(number)))])


@relay("RL-TX-05 D-08", "the client's cone flag is not heeded")
def _(lab):
    address = teredo(PRIMARY, *CLIENT, CONE)
    lab.out(data(to=address))
    lab.expect(first(address), ONE)
    lab.is_peer(address, "incomplete")


@relays("RL-TX-06 N-11 N-13 C-13 SEC-37 SEQ-4",
        "first contact: one bubble through its server, the packet waits")
def _(lab):
    lab.out(own(lab))
    lab.expect(first(), ONE)
    lab.is_peer(CLIENT_ADDRESS, "incomplete")
    lab.equal(lab.record(CLIENT_ADDRESS)["queued"], 1, "packets that wait")
    lab.out(own(lab, to=OTHER_ADDRESS))
    lab.expect(first(OTHER_ADDRESS, host=(OTHER_SERVER, PORT)), ONE)


@relay("N-13 AMB-05", "the bubble's source is the address towards the sender")
def _(lab):
    # a global one, though the packet comes from elsewhere
    lab.out(data(src=NATIVE_2))
    lab.expect(first(), ONE)


@relay("N-13", "without a global address: a link-local one")
def _(lab):
    lab.ip("addr", "del", f"{HOST6}/64", "dev", "eth1")
    try:
        lab.inject(data())
        sent, _ = lab.settle()
        packet = wire.Packet.parse(sent[0].payload)
        lab.true(wire.text6(packet.src).startswith("fe80::"),
                 f"source {wire.text6(packet.src)}")
        lab.equal((len(sent), sent[0].dst, packet.dst, packet.is_bubble()),
                  (1, CLIENT_SERVER, CLIENT_ADDRESS, True), "one bubble")
    finally:
        lab.batch(lab.host, f"""
            addr add {HOST6}/64 dev eth1 nodad
            route replace 2620:1::/64 via 2620::1
            """)


@relays("RL-TX-07 RL-TX-08 C-21 SEC-51",
        "no answer: bubbles at 0, 2, 4, 6 s, then unreachable", clock=True)
def _(lab):
    lab.mark()
    lab.out(own(lab))
    lab.wait(7.9)
    lab.equal(lab.errors(), [], "no error before 8 s")
    lab.wait(1.1)
    lab.expect(bubbles(0, 2, 4, 6),
               {"tx_bubbles_indirect": 4, "tx_unreachable": 1},
               errors=[(1, 3)])
    lab.equal(lab.record(CLIENT_ADDRESS).get("queued", 0), 0, "queue")


@relays("RL-TX-08", "each packet that waited gets its error", clock=True)
def _(lab):
    for number in range(3):
        lab.out(own(lab, number))
    lab.wait(10)
    lab.settle()
    # the errors quote them, as they came to the relay
    lab.equal([(kind, code, quoted.hex())
               for kind, code, quoted in lab.errors()],
              [(1, 3, sent_on(lab, own(lab, number)).hex())
               for number in range(3)], "errors")


@relays("RL-TX-09 RL-RX-04 SEQ-4 CL-P-07",
        "its bubble frees what waited, in order")
def _(lab):
    packets = [own(lab, number) for number in range(4)]
    for packet in packets:
        lab.out(packet)
    lab.settle()
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6),
                sent=[(CLIENT, sent_on(lab, packet)) for packet in packets])
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@relay("RL-TX-10 C-34 SEC-53", "the oldest go when the queue is full")
def _(lab):
    for number in range(20):
        lab.out(data(number))
    lab.expect(first(), ONE | {"tx_queue_full": 16})
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6),
                sent=[(CLIENT, routed(data(number)))
                      for number in range(16, 20)])


@relay("RL-TX-10", "queue 0: nothing waits, the bubble goes", words="queue 0")
def _(lab):
    lab.out(data())
    lab.expect(first(), ONE | {"tx_queue_full": 1})
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6))
    lab.out(data(1))
    lab.expect([(CLIENT, routed(data(1)))])


@relay("RL-TX-11", "nat on: a direct bubble first", words="nat on")
def _(lab):
    lab.out(data())
    lab.expect([(CLIENT, bubble(HOST6, CLIENT_ADDRESS))] + first(),
               ONE | {"tx_bubbles_direct": 1})


@relay("RL-TX-12", "nat auto, public address: none")
def _(lab):
    lab.out(data())
    lab.expect(first(), ONE)


@relay("RL-TX-12", "nat off: none")
def _(lab):
    lab.set("nat off")
    lab.out(data(to=OTHER_ADDRESS))
    lab.expect(first(OTHER_ADDRESS, host=(OTHER_SERVER, PORT)), ONE)


def of_its_own(lab, address, local, direct):
    """A device that leaves from this address: by `local`, or by its route"""
    mode, words = lab.mode, f"local {address}" if local else ""
    lab.batch(lab.host, f"""
        link delete teredo0
        addr add {address}/32 dev eth0
        route replace default via 203.219.21.1 src {address}
        link add teredo0 type teredo mode {mode} {words} port 3545
        link set teredo0 up
        route add fe80::1/128 dev teredo0
        route add 2001::/32 via fe80::1 dev teredo0
        """)
    try:
        lab.attach(mode, (address, 3545))
        lab.listen(address)
        lab.out(own(lab))
        lab.expect([(CLIENT, bubble(HOST6, CLIENT_ADDRESS))] * direct +
                   first(), ONE | {"tx_bubbles_direct": 1} if direct else ONE)
    finally:
        lab.batch(lab.host, f"""
            route replace default via 203.219.21.1
            addr del {address}/32 dev eth0
            """)
        lab.here = None


@relays("RL-TX-11 HR-07", "a private address of its own switches it on")
def _(lab):
    of_its_own(lab, "10.1.2.3", True, True)
    for address in ("10.1.2.3", "172.16.0.9", "172.31.255.9", "192.168.1.2",
                    "100.64.0.9", "100.127.255.9"):
        of_its_own(lab, address, False, True)


@relays("RL-TX-12 HR-07", "beside the private ranges: it stays off")
def _(lab):
    for address in ("11.1.2.3", "172.15.255.9", "172.32.0.9", "192.169.1.2",
                    "100.63.255.9", "100.128.0.9"):
        of_its_own(lab, address, False, False)


@relay("RL-TX-13", "a dead client each second: 4 bubbles, 30 s none, 4 bubbles",
       clock=True)
def _(lab):
    lab.mark()
    for number in range(45):
        lab.out(data(number))
        lab.wait(1)
    sent, moved = lab.settle()
    times = [datagram.time - lab.since for datagram in sent]
    lab.equal(moved["tx_bubbles_indirect"], len(sent), "all are bubbles")
    lab.equal(len([when for when in times if when < 8]), 4, f"first {times}")
    lab.equal([when for when in times if 8 < when < 37.9], [], "then none")
    again = [when for when in times if when >= 37.9]
    lab.true(again and again[0] < 41, f"then again: {times}")
    # 4 waited until 8 s, the others had no need to
    errors = len(lab.errors())
    lab.true(30 <= errors <= 38, f"{errors} errors")


@relay("RL-TX-14 C-11 RL-RX-08", "after 29 s valid, after 31 s a bubble again",
       clock=True)
def _(lab):
    contact(lab)
    lab.wait(29)
    lab.out(data(1))
    lab.expect([(CLIENT, routed(data(1)))])
    lab.wait(2)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)
    lab.out(data(2))
    lab.expect(first(), ONE)
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6),
                sent=[(CLIENT, routed(data(2)))])


@relay("RL-TX-15 SEC-33", "from a Teredo device into one: dropped")
def _(lab):
    lab.settle()
    # its client's packet for a client: served, if the prefix were not ours
    lab.batch(lab.host, """
        link add teredo1 type teredo mode relay local 1.2.3.4 port 3546 prefix 2a00:1::/32 accept-unknown on
        link set teredo1 up
        """)
    try:
        src = teredo(PRIMARY, *CLIENT, 7, "2a00:1::")
        lab.send(udp6(src, OTHER_ADDRESS, b"no"), dst=("1.2.3.4", 3546))
        lab.expect(moved={"tx_loop": 1})
    finally:
        lab.ip("link", "delete", "teredo1")


@relay("RL-TX-16", "sources that no native host has: tx_source")
def _(lab):
    for src in CLIENT_ADDRESS, "2001::1":
        lab.unsent(data(src=src), "tx_source")
    for src in "fe80::1", "ff02::1", "::", "::1", "::ffff:1.2.3.4":
        lab.unsent(data(src=src), "tx_source", inject=True)


@relay("RL-TX-17", "a hop limit of 1: time exceeded")
def _(lab):
    lab.settle()
    lab.errors()
    lab.out(udp6(NATIVE, CLIENT_ADDRESS, b"no", hop_limit=1))
    lab.expect(errors=[(3, 0)])
    contact(lab)
    for hop_limit in 2, 255:
        packet = udp6(NATIVE, CLIENT_ADDRESS, b"data", hop_limit=hop_limit)
        lab.out(packet)
        lab.expect([(CLIENT, routed(packet))])


def forget_path_mtu(lab):
    """What the native host has learned when the row was run before"""
    subprocess.run(["ip", "-n", lab.native, "-6", "route", "flush", "cache"],
                   check=True)


@relay("RL-TX-18 C-24 TUN-01 V6-05", "1280 octets pass, 1281 are too big")
def _(lab):
    forget_path_mtu(lab)
    contact(lab)
    packet = udp6(NATIVE, CLIENT_ADDRESS, bytes(1232))
    lab.out(packet)
    lab.expect([(CLIENT, routed(packet))])
    for mtu, to in (1280, CLIENT_ADDRESS), (1400, OTHER_ADDRESS):
        lab.ip("link", "set", "teredo0", "mtu", str(mtu))
        lab.out(udp6(NATIVE, to, bytes(mtu + 1 - 48)))
        lab.settle()
        lab.equal([found[:3] for found in lab.messages()], [(2, 0, mtu)],
                  f"errors for {mtu + 1} octets")


@relay("RL-TX-18 C-30", "too big, past the routes: the sender is told all the "
       "same")
def _(lab):
    forget_path_mtu(lab)
    address = teredo(OTHER_SERVER, "198.41.0.6", 5000)
    lab.errors()
    tc = ("tc", "-n", lab.host)
    subprocess.run([*tc, "qdisc", "add", "dev", "eth1", "clsact"], check=True)
    try:
        subprocess.run([*tc, "filter", "add", "dev", "eth1", "ingress",
                        "protocol", "ipv6", "matchall", "action", "mirred",
                        "egress", "redirect", "dev", "teredo0"], check=True)
        lab.out(udp6(NATIVE, address, bytes(1400 - 48)))
        lab.expect(moved={"tx_too_big": 1}, errors=[(2, 0)])
    finally:
        subprocess.run([*tc, "qdisc", "del", "dev", "eth1", "clsact"],
                       check=True)


@relay("TUN-15 C-30", "no error for an ICMPv6 error")
def _(lab):
    lab.batch(lab.host, "route add 2a00:2::/32 via fe80::1 dev teredo0")
    lab.batch(lab.native, "route replace 2a00:2::/32 via 2620::ff")
    lab.unsent(icmp6(NATIVE, "2a00:2::1", 1, 0, bytes(4) + data()),
               "tx_foreign")
    lab.unsent(ipv6(NATIVE, "2a00:2::1", 59), "tx_foreign", [(1, 0)])
