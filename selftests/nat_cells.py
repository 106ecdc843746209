# SPDX-License-Identifier: GPL-2.0
"""Pairs of hosts that try to reach each other by UDP over IPv6, all at once

    outcome = run([Pair(key, namespace, namespace, address), ...], seconds)

The first namespace of a pair sends to the address, which is the second's.
What becomes of it, by key:

    works         answered, and then small and large ones without loss
    loses         answered, but then some were not
    unreachable   the sender got an ICMPv6 error
    silent        nothing in that time
    no route      the sender cannot even send
"""

import dataclasses
import errno
import select
import socket
import time
import typing

from wire import netns

PORT = 5000
IPV6_RECVERR = 25
AGAIN = 1.0             # seconds from one try to the next, until an answer
FIRST = 100             # octets of the tries
AFTER = (101, 102, 103, 104, 1200)
PATIENCE = 20.0         # seconds for what comes after


def udp6(ns):
    with netns(ns):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


@dataclasses.dataclass
class Pair:
    """Who sends to whom"""
    key: typing.Any
    source: str
    target: str
    address: str


class Echo:
    """Sends back what comes in"""

    def __init__(self, ns):
        self.sock = udp6(ns)
        self.sock.bind(("::", PORT))

    def readable(self):
        try:
            octets, source = self.sock.recvfrom(2000)
            self.sock.sendto(octets, source)
        except OSError:
            pass        # the pair's outcome shows it


class Cell:
    """A pair at work"""

    def __init__(self, pair, limit):
        self.pair = pair
        self.sock = udp6(pair.source)
        self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        self.deadline = time.monotonic() + limit
        self.next = 0.0
        self.missing = None     # sizes not answered yet, after the first was
        self.outcome = None

    def send(self, size):
        try:
            self.sock.sendto(bytes(size), (self.pair.address, PORT))
        except OSError as error:
            self.fail(error)

    def fail(self, error):
        """An error of this packet, or of an earlier one"""
        if error.errno == errno.ENETUNREACH:
            self.outcome = "no route"
        elif error.errno != errno.EAGAIN:
            self.outcome = "unreachable"

    def tick(self, now):
        """What is due; returns when the next is"""
        if now >= self.deadline:
            self.outcome = "loses" if self.missing else "silent"
        elif self.missing is None and now >= self.next:
            self.send(FIRST)
            self.next = now + AGAIN
        return self.deadline if self.missing else self.next

    def readable(self):
        try:
            size = len(self.sock.recv(2000))
        except OSError as error:
            self.fail(error)
            return
        if self.missing is None:
            self.missing = set(AFTER)
            self.deadline = time.monotonic() + PATIENCE
            for after in AFTER:
                self.send(after)
        else:
            self.missing.discard(size)
            if not self.missing:
                self.outcome = "works"


def run(pairs, seconds):
    echoes = [Echo(ns) for ns in {pair.target for pair in pairs}]
    cells = [Cell(pair, seconds) for pair in pairs]
    ends = {end.sock.fileno(): end for end in echoes + cells}
    poll = select.poll()
    for descriptor in ends:
        poll.register(descriptor, select.POLLIN)
    outcomes = {}
    while cells:
        now = time.monotonic()
        due = min(cell.tick(now) for cell in cells)
        for descriptor, _ in poll.poll(max(0, due - now) * 1000 + 1):
            ends[descriptor].readable()
        for cell in [cell for cell in cells if cell.outcome]:
            poll.unregister(cell.sock)
            cells.remove(cell)
            outcomes[cell.pair.key] = cell.outcome
    for end in ends.values():
        end.sock.close()
    return outcomes
