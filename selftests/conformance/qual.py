# SPDX-License-Identifier: GPL-2.0
"""The helper qualifies (CL-Q, CL-S, CL-M, CL-I, CL-O)"""

import ctypes
import time

import wire
from wire import OTHER_SERVER

from .lab import ME, MY_SERVER
from .rows import row


CLONE_NEWTIME = 0x80


def helper(lab, words="", *options, **fields):
    """A client that is not qualified, and teredod for it"""
    lab.device("client", f"server {OTHER_SERVER} {words}", qualified=False)
    lab.mark()
    return lab.start("teredod", "-f", *options, "teredo0", **fields)


def booted(seconds):
    """In a process of its own: it is so long since the machine started"""
    offset = seconds - int(time.clock_gettime(time.CLOCK_BOOTTIME))
    if wire.libc.unshare(CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "unshare")
    with open("/proc/self/timens_offsets", "w", encoding="ascii") as file:
        file.write(f"boottime {offset} 0\n")
    with open("/proc/self/ns/time_for_children", "rb") as there:
        if wire.libc.setns(there.fileno(), CLONE_NEWTIME):
            raise OSError(ctypes.get_errno(), "setns")


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


def delays(lab, seconds):
    """Of the first solicitations of six helpers on a machine that has been
    up for so long"""
    found = []
    for _ in range(6):
        child = helper(lab, preexec_fn=lambda: booted(seconds))
        found.append(solicited(lab)[0].time - lab.since)
        child.terminate()
        child.wait()
        lab.children.remove(child)
        lab.settle()
    return found


@row("CL-Q-35", "the first solicitation waits up to 1 s while the machine "
     "starts, not later", clock=True)
def _(lab):
    late = delays(lab, 600)
    lab.true(max(late) < 0.25, f"ten minutes after the start: {late}")
    early = delays(lab, 10)
    lab.true(max(early) < 1 + max(late) and
             max(early) - min(early) > 0.05, f"ten seconds after: {early}")
