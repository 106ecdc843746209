# SPDX-License-Identifier: GPL-2.0
"""The relay sends (RL-TX), receives (RL-RX) and is operated (RL-OP)"""

import wire
from wire import (CLIENT, CLIENT_ADDRESS, PORT, PRIMARY, bubble, routed, teredo,
                  udp6)

from .lab import HOST6, NATIVE
from .rows import relay

CLIENT_SERVER = (PRIMARY, PORT)


def data(number=0, to=CLIENT_ADDRESS):
    """A packet of the native host to a client"""
    return udp6(NATIVE, to, b"data %u" % number)


def from_client(text=b"data", src=CLIENT_ADDRESS, to=NATIVE):
    return udp6(src, to, text, (5000, 6000))


def contact(lab, address=CLIENT_ADDRESS, endpoint=CLIENT):
    """The native host has spoken to the client, and it has answered"""
    lab.out(data(to=address))
    lab.settle()
    lab.send(bubble(address, HOST6), endpoint)
    lab.settle()
    lab.is_peer(address, "trusted", endpoint)


@relay("RL-TX-06 N-13", "first contact: one bubble through its server")
def _(lab):
    lab.out(data())
    lab.expect([(CLIENT_SERVER, bubble(HOST6, CLIENT_ADDRESS))],
               {"tx_bubbles_indirect": 1})
    lab.is_peer(CLIENT_ADDRESS, "incomplete")


@relay("RL-TX-09 RL-RX-04", "its bubble frees what waited, in order")
def _(lab):
    packets = [data(number) for number in range(3)]
    for packet in packets:
        lab.out(packet)
    lab.settle()
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6),
                sent=[(CLIENT, routed(packet)) for packet in packets])
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@relay("RL-TX-07 RL-TX-08 C-21",
       "no answer: bubbles at 0, 2, 4, 6 s, then unreachable", clock=True)
def _(lab):
    lab.mark()
    lab.out(data())
    lab.wait(20)
    lab.expect([(CLIENT_SERVER, bubble(HOST6, CLIENT_ADDRESS), seconds)
                for seconds in (0, 2, 4, 6)],
               {"tx_bubbles_indirect": 4, "tx_unreachable": 1},
               errors=[(1, 3)])


@relay("RL-TX-02 SEC-32 G-02", "the embedded mapping is 10/8: silence")
def _(lab):
    lab.unsent(data(to=teredo(PRIMARY, "10.0.0.1", 1234)), "tx_not_global")


@relay("RL-RX-02 SEC-15", "a known client from another port: dropped")
def _(lab):
    contact(lab)
    lab.refused(from_client(), "rx_bad_mapping", (CLIENT[0], CLIENT[1] + 1))
    lab.taken(from_client())


@relay("RL-RX-03", "an unknown client: dropped")
def _(lab):
    lab.refused(from_client(), "rx_unknown")


@relay("RL-RX-09", "data of a client is forwarded, its hop limit counted")
def _(lab):
    contact(lab)
    lab.arrived()
    lab.taken(from_client())
    lab.equal(lab.arrived(), [routed(from_client())], "forwarded")


@relay("E-08 SEC-05 RL-RX-01", "a header in front of the packet: dropped")
def _(lab):
    contact(lab)
    for header in wire.origin(*CLIENT), wire.auth():
        lab.refused(header + from_client(), "rx_header")
