# SPDX-License-Identifier: GPL-2.0
"""The helper qualifies (CL-Q, CL-S, CL-M, CL-I, CL-O)"""

import wire
from wire import OTHER_SERVER

from .lab import ME, MY_SERVER
from .rows import row


def helper(lab, words="", *options):
    """A client that is not qualified, and teredod for it"""
    lab.device("client", f"server {OTHER_SERVER} {words}", qualified=False)
    lab.mark()
    return lab.start("teredod", "-f", *options, "teredo0")


def solicited(lab, to=MY_SERVER, seconds=30):
    """The next solicitation"""
    datagram = lab.next(seconds)
    if not datagram:
        raise RuntimeError("no solicitation")
    lab.equal(datagram.dst, to, "where it goes")
    return datagram, wire.Packet.parse(datagram.payload)


def advertise(lab, packet, mapped=ME, server=MY_SERVER, **fields):
    """A valid advertisement for a solicitation"""
    lab.send(wire.auth(packet.nonce) + wire.origin(*mapped) +
             wire.ra(OTHER_SERVER, packet.src, **fields), server)


@row("CL-Q-01 CL-Q-30 N-01 N-02 C-19",
     "the first solicitation: cone flag clear, nonce, to the server")
def _(lab):
    helper(lab)
    datagram, packet = solicited(lab)
    lab.equal(datagram.src, ME, "from the service port")
    lab.equal(packet.inner, wire.V1, "V1")
    lab.equal((len(packet.auth), packet.confirm), (13, 0), "nonce only")


@row("CL-Q-06 CL-Q-09 C-07 C-08 C-05",
     "a silent server: three solicitations, 4 s apart", clock=True)
def _(lab):
    helper(lab)
    times = [solicited(lab)[0].time for _ in range(3)]
    for before, after in zip(times, times[1:]):
        lab.true(3.9 < after - before < 4.2, f"{after - before} s apart")
    lab.equal(lab.next(8), None, "no fourth")


@row("CL-Q-20 C-33", "off-line: tried again after 30 s, then after 60 s, "
     "25 % more or less", clock=True)
def _(lab):
    helper(lab)
    times = [solicited(lab, seconds=120)[0].time for _ in range(7)]
    for pause, number in ((30, 3), (60, 6)):
        # the last one before it is waited for, too
        waited = times[number] - times[number - 1] - 4
        lab.true(0.75 * pause - 0.1 < waited < 1.25 * pause + 0.5,
                 f"{waited} s")
