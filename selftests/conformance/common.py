# SPDX-License-Identifier: GPL-2.0
"""What all modes have in common: encapsulation (E), reception (COM)"""

from wire import CLIENT, CLIENT_ADDRESS, V5, auth, origin, udp6

from .rows import client


@client("E-04 SEC-04", "headers in the wrong order, twice or unknown: dropped")
def _(lab):
    own = origin(*CLIENT)
    for headers in (own + auth(), own + own, auth() + auth(),
                    auth() + own + auth(), b"\0\2" + own[2:],
                    own + b"\0\2" + own[2:]):
        lab.refused(headers + V5, "rx_header")


@client("E-10", "no UDP checksum is accepted, a wrong one is not")
def _(lab):
    packet = udp6(CLIENT_ADDRESS, lab.own, b"data")
    lab.taken(packet, check=0)
    lab.settle()
    lab.send(packet, check=1)
    lab.expect()
