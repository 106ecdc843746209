# SPDX-License-Identifier: GPL-2.0
"""What a server must not be used for (SEC-26 to SEC-28, SEC-38 to SEC-49)"""

from wire import (CLIENT, CLIENT_ADDRESS, OTHER_SERVER, PORT, PRIMARY, V1, V2,
                  V3, V4, auth, bubble, echo, origin, rs, teredo)

from .lab import NATIVE, OTHER, SERVER
from .rows import server

PEER = ("1.2.3.4", 40000)
OWN_PEER = teredo(PRIMARY, *PEER, 0x2055)
FOREIGN_PEER = teredo(OTHER_SERVER, *PEER, 0x2055)
RELAY = ("198.41.0.4", 5000)
# another server's addresses
PRIMARY_2, SECONDARY_2 = "65.54.228.142", "65.54.228.143"


def off_by_one(address):
    """Sources that are not quite what the address says"""
    head, last = address[0].rsplit(".", 1)
    return ((address[0], address[1] + 1), (address[0], address[1] - 1),
            (f"{head}.{int(last) + 1}", address[1]), (RELAY[0], address[1]))


@server("SEC-27 SV-02", "a solicitation again and again: the same answer each")
def _(lab):
    for _ in range(5):
        lab.send(V2 + V1)
        lab.expect([(CLIENT, V2 + V3 + V4)], {"tx_adverts": 1})


@server("SEC-27 SEC-41", "replayed from elsewhere: the answer goes there")
def _(lab):
    lab.send(V2 + V1, RELAY)
    lab.expect([(RELAY, V2 + origin(*RELAY) + V4)], {"tx_adverts": 1})


@server("SEC-28 SEC-43 SV-09 SV-11",
        "a Teredo source that is not the sender's: rx_bad_source")
def _(lab):
    for src in off_by_one(CLIENT):
        for to in OWN_PEER, FOREIGN_PEER, NATIVE:
            lab.refused(bubble(CLIENT_ADDRESS, to), "rx_bad_source", src)
            lab.refused(echo(CLIENT_ADDRESS, to), "rx_bad_source", src)
        lab.refused(rs(CLIENT_ADDRESS), "rx_bad_source", src)


@server("SEC-28 SV-10 SV-11", "others only towards clients of ours")
def _(lab):
    for source in "2620::5", "fe80::1234":
        packet = bubble(source, OWN_PEER)
        lab.settle()
        lab.send(packet, RELAY)
        lab.expect([(PEER, origin(*RELAY) + packet)],
                   {"tx_relayed": 1, "rx_bubbles": 1})
        lab.refused(bubble(source, FOREIGN_PEER), "rx_bad_source", RELAY)


@server("SEC-43 SV-11 SV-40", "a native source to a native one: never")
def _(lab):
    lab.arrived()
    for source in "2620::5", "2620:1::5", "fe80::5", "fd00::5":
        lab.refused(echo(source, NATIVE), "rx_linklocal"
                    if source.startswith("fe80") else "rx_bad_source", RELAY)
        lab.refused(bubble(source, NATIVE), "rx_bad_source", RELAY)
    lab.equal(lab.arrived(), [], "packets at the native host")


@server("SEC-38 G-15", "from an address of our own: rx_loop")
def _(lab):
    own = teredo(PRIMARY, PRIMARY, PORT)
    for src in SERVER, OTHER, ("5.6.7.1", PORT):
        for to in own, OWN_PEER, FOREIGN_PEER:
            lab.refused(bubble(teredo(PRIMARY, *src), to), "rx_loop", src)
        lab.refused(V1, "rx_loop", src)


@server("SEC-39 G-15", "to a client that has our own address: tx_self")
def _(lab):
    for address in PRIMARY, OTHER[0], "5.6.7.1":
        for port in PORT, 40000:
            lab.settle()
            lab.send(bubble(CLIENT_ADDRESS, teredo(PRIMARY, address, port)))
            lab.expect(moved={"tx_self": 1, "rx_bubbles": 1})


@server("SEC-41", "no answer is more than twice its solicitation")
def _(lab):
    for front in b"", V2, auth(b"\xff" * 8):
        lab.settle()
        lab.send(front + V1)
        sent, _ = lab.settle()
        lab.equal((len(sent), sent[0].src[1]), (1, PORT), "one, from 3544")
        lab.true(96 <= len(sent[0].payload) <= 117 and
                 len(sent[0].payload) <= 2.2 * len(front + V1),
                 f"{len(sent[0].payload)} octets for {len(front + V1)}")


@server("SEC-41 SEC-32 SV-06 SV-27", "none to an address that is not global")
def _(lab):
    for address in ("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.1.1",
                    "192.88.99.1", "100.64.0.1", "192.0.2.1", "240.0.0.1"):
        lab.refused(V2 + V1, "rx_not_global", (address, 5000))


@server("SEC-42 SV-17 E-02", "what is forwarded names its sender, 8 octets more")
def _(lab):
    for src in RELAY, ("198.41.0.7", 1):
        packet = bubble("2620::5", OWN_PEER)
        lab.settle()
        lab.send(packet, src)
        sent, _ = lab.settle()
        lab.equal([(d.dst, d.payload) for d in sent],
                  [(PEER, origin(*src) + packet)], "forwarded")


@server("SEC-49", "two servers cannot be made to play ping-pong")
def _(lab):
    lab.batch(lab.host, f"""
        addr add {PRIMARY_2}/32 dev eth0
        addr add {SECONDARY_2}/32 dev eth0
        """)
    try:
        lab.settle()
        # to a client that is the other server
        other = teredo(PRIMARY, PRIMARY_2, PORT)
        lab.send(bubble("2620::5", other), RELAY)
        lab.expect(moved={"tx_self": 1, "rx_bubbles": 1})
    finally:
        lab.batch(lab.host, f"""
            addr del {PRIMARY_2}/32 dev eth0
            addr del {SECONDARY_2}/32 dev eth0
            """)
    # the other one elsewhere: what it gets comes from S1:3544
    packet = bubble("2620::5", other)
    lab.send(packet, RELAY)
    lab.expect([((PRIMARY_2, PORT), origin(*RELAY) + packet)],
               {"tx_relayed": 1, "rx_bubbles": 1})
    # and what such a one makes of it is not taken here
    for source in ("2620::5", teredo(PRIMARY_2, *CLIENT),
                   teredo(PRIMARY, PRIMARY, PORT)):
        for to in (teredo(PRIMARY_2, PRIMARY, PORT),
                   teredo(PRIMARY_2, *PEER)):
            lab.refused(bubble(source, to), "rx_bad_source",
                        (PRIMARY_2, PORT))
    lab.refused(origin(*RELAY) + packet, "rx_origin", (PRIMARY_2, PORT))
