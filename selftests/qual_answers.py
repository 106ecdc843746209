#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Answers to a client's solicitations, right and wrong; see qual_answers.sh.

qual_answers.py CLIENT INTERNET: namespaces; the client's device is teredo0, on
the address and port of the golden vectors.
"""

import errno
import json
import subprocess
import sys
import time

import wire
from control import UAPI, Control, attr
from genl import Refused, be16, ip4
from wire import CLIENT, PORT, PRIMARY, SECONDARY, Packet, auth, icmp6, origin

OTHER = "65.54.227.99"
SERVER = (PRIMARY, PORT)
WAIT = 60
PHASE = 8       # seconds that a nonce is good for, with some left


def advert(**fields):
    return wire.ra(PRIMARY, **fields)


def answer(nonce, packet=None, mapped=CLIENT, **fields):
    """A whole answer, right but for what is given."""
    return auth(nonce, **fields) + origin(*mapped) + (packet or advert())


def options(*several, kind=134, code=0, hop_limit=255, src=None, bad=0):
    """An advertisement with other options than a server's."""
    return icmp6(src or wire.server_linklocal(PRIMARY), wire.CLIENT_LL, kind,
                 code, bytes(12) + b"".join(several), hop_limit, bad)


PREFIX = advert(mtu=0)[40 + 16:]


class Lab:
    """The client, and all servers of the Internet."""

    def __init__(self, client, internet):
        self.client = client
        self.link = wire.Link(internet, "eth0")
        self.counters = wire.Counters(client, "teredo0")
        self.tap = wire.Tap()
        self.nonce = None
        self.since = 0
        print("TAP version 13")

    def ip(self, *words):
        return subprocess.run(["ip", "-n", self.client, *words], check=True,
                              capture_output=True, text=True).stdout

    def status(self):
        text = subprocess.run(["ip", "netns", "exec", self.client, "teredoctl",
                               "-j", "status", "teredo0"], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(text)[0]

    def wait(self, condition):
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        return None

    def solicited(self, server, timeout=WAIT):
        """The next solicitation that is sent there; keeps its nonce."""
        end = time.monotonic() + timeout
        while (got := self.link.receive(max(0, end - time.monotonic()))):
            if got.dst == (server, PORT):
                nonce = Packet.parse(got.payload).nonce
                if nonce != self.nonce:
                    self.since = time.monotonic()
                self.nonce = nonce
                return got
        return None

    def current(self, server):
        """The nonce in force; has a new one made if it is too old."""
        if time.monotonic() - self.since > PHASE:
            self.restart()
            self.solicited(PRIMARY)
            if server == SECONDARY:
                self.link.send(answer(self.nonce), SERVER, CLIENT)
                self.solicited(SECONDARY)
        return self.nonce

    def refused(self, name, payload, counter, server=PRIMARY, src=None,
                handed=1):
        """It is counted so, and nothing else happens."""
        nonce = self.current(server)
        if callable(payload):
            payload = payload(nonce)
        self.counters.moved()
        self.link.send(payload, src or (server, PORT), CLIENT)
        before = self.counters.last
        self.wait(lambda: self.counters.read()[counter] != before[counter])
        moved = self.counters.moved()
        moved.pop("tx_ctrl", None)
        wanted = {counter: 1}
        if handed:
            wanted["rx_ctrl"] = handed
        self.tap.equal(moved, wanted, f"{name}: {counter}")

    def restart(self):
        self.ip("link", "set", "teredo0", "down")
        self.link.drain()
        self.ip("link", "set", "teredo0", "up")

    def qualify(self, packet=None, mapped=CLIENT):
        """Answers as a server does, from the first solicitation on."""
        for server in PRIMARY, SECONDARY:
            self.solicited(server)
            self.link.send(answer(self.nonce, packet, mapped), (server, PORT),
                           CLIENT)
        return self.wait(lambda: self.status()["state"] == "qualified")


def primary(lab):
    rs = lab.solicited(PRIMARY)
    lab.tap.equal((rs.src, rs.payload), (CLIENT, auth(lab.nonce) + wire.V1),
                  "the first solicitation is V1 with a nonce, C bit clear "
                  "(CL-Q-01, CL-Q-30, N-01, N-02)")

    for who, src in (("a third address", (OTHER, PORT)),
                     ("another port of the server", (PRIMARY, PORT + 1))):
        lab.refused(f"from {who} (CL-Q-29, SEC-22)", answer, "rx_ra_source",
                    src=src, handed=0)
    lab.refused("from the secondary address, which was not asked "
                "(CL-Q-29, SEC-22)", answer, "rx_ra_unsolicited",
                src=(SECONDARY, PORT))
    for name, dst in (("the cone link-local address", wire.CLIENT_LL_CONE),
                      ("another link-local address", "fe80::1")):
        lab.refused(f"to {name} (CL-Q-25, SEC-22)",
                    lambda nonce, dst=dst: answer(nonce, advert(dst=dst)),
                    "rx_ra_unsolicited")

    lab.refused("without authentication (CL-Q-30, SEC-23)",
                origin(*CLIENT) + advert(), "rx_ra_nonce")
    lab.refused("with another nonce (CL-Q-30, CL-S-03, SEC-23)",
                answer(bytes(8)), "rx_ra_nonce")
    lab.refused("with one bit of the nonce changed (SEC-23)",
                lambda nonce: answer(nonce[:7] + bytes([nonce[7] ^ 1])),
                "rx_ra_nonce")
    lab.refused("confirmation 1 with the nonce alone (CL-S-08, SEC-24)",
                lambda nonce: answer(nonce, confirm=1), "rx_ra_auth")
    lab.refused("an identifier that is not ours (CL-S-09, SEC-24)",
                lambda nonce: answer(nonce, ident=b"host", value=bytes(20)),
                "rx_ra_auth")

    for name, packet in (
            ("hop limit 254 (N-08, C-31)", advert(hop_limit=254)),
            ("code 1 (N-08)", options(PREFIX, code=1)),
            ("wrong checksum (N-08)", options(PREFIX, bad=1)),
            ("global source (N-08)", options(PREFIX, src="2620::1")),
            ("option of length 0 (N-08)",
             options(PREFIX, bytes([1] + [0] * 7))),
            ("option behind the end (N-08)",
             options(PREFIX, bytes([1, 2]) + bytes(6))),
            ("no prefix (N-09)", options()),
            ("two prefixes (N-09)", options(PREFIX, PREFIX)),
            ("prefix of 63 bits (N-09)",
             options(PREFIX[:2] + b"\x3f" + PREFIX[3:])),
            ("another server's prefix (CL-Q-26)", wire.ra(
                OTHER, src=wire.server_linklocal(PRIMARY))),
            ("the secondary's prefix (CL-Q-26, AMB-08)",
             wire.ra(SECONDARY)),
            ("historic prefix (C-02)", advert(prefix="3ffe:831f::")),
            ("ordinary prefix (CL-Q-40)", advert(prefix="2620::"))):
        lab.refused(f"{name}, SEC-25", lambda nonce, packet=packet:
                    answer(nonce, packet), "rx_ra_invalid")
    lab.refused("without origin indication (N-09, CL-Q-28, SEC-25)",
                lambda nonce: auth(nonce) + advert(), "rx_ra_invalid")
    for address in ("0.0.0.1", "10.0.0.1", "127.0.0.1", "169.254.1.1",
                    "172.16.0.1", "192.168.1.2", "192.88.99.1", "224.0.0.1",
                    "255.255.255.255", "100.64.0.1", "192.0.2.1"):
        lab.refused(f"mapped address {address} (CL-Q-32, A-08, SEC-25)",
                    lambda nonce, address=address:
                    answer(nonce, mapped=(address, 4000)), "rx_ra_invalid")
    lab.refused("mapped port 0 (CL-Q-32, SEC-25)",
                lambda nonce: answer(nonce, mapped=(CLIENT[0], 0)),
                "rx_ra_invalid")


def secondary(lab):
    first = lab.current(PRIMARY)
    lab.link.drain()
    lab.link.send(answer(first), SERVER, CLIENT)
    rs = lab.solicited(SECONDARY)
    lab.tap.equal((rs.src, rs.payload), (CLIENT, auth(lab.nonce) + wire.V1),
                  "after all that, the right answer counts, and the secondary "
                  "address is asked (CL-Q-08, CL-Q-15)")
    lab.tap.result(lab.nonce != first, "with another nonce (CL-Q-31)")
    lab.refused("again the answer of the primary (CL-Q-31)", answer(first),
                "rx_ra_unsolicited", SECONDARY, SERVER)
    lab.refused("the nonce of the phase before (CL-Q-31)", answer(first),
                "rx_ra_nonce", SECONDARY)
    lab.refused("from the primary address, which was not asked (CL-Q-29)",
                answer, "rx_ra_unsolicited", SECONDARY, SERVER)
    lab.refused("the secondary's own prefix (CL-Q-26)", lambda nonce:
                answer(nonce, wire.ra(SECONDARY)), "rx_ra_invalid", SECONDARY)
    lab.refused("mapped port 0 (CL-Q-32)", lambda nonce:
                answer(nonce, mapped=(CLIENT[0], 0)), "rx_ra_invalid",
                SECONDARY)

    flood(lab)
    lab.link.send(answer(lab.current(SECONDARY)), (SECONDARY, PORT), CLIENT)
    lab.wait(lambda: lab.status()["state"] == "qualified")
    status = lab.status()
    lab.tap.equal((status["state"], status["mapped"], status["nat"]),
                  ("qualified", {"address": CLIENT[0], "port": CLIENT[1]},
                   "none"), "qualified (CL-Q-12, CL-Q-24, CL-Q-28)")


def flood(lab):
    """Faster than the helper is meant to be asked."""
    lab.counters.moved()
    payload = answer(bytes(8))
    # a slow machine may need many for more than 100 a second
    for _ in range(30):
        for _ in range(1000):
            lab.link.send(payload, (SECONDARY, PORT), CLIENT)
        if lab.counters.read()["rx_ctrl_full"] > \
           lab.counters.last["rx_ctrl_full"]:
            break
    lab.wait(lambda: lab.counters.read()["rx_ctrl_full"] >
             lab.counters.last["rx_ctrl_full"])
    moved = lab.counters.moved()
    full, passed = moved.get("rx_ctrl_full", 0), moved.get("rx_ctrl", 0)
    lab.tap.result(full and passed, "a flood is cut, never waited for "
                   "(SEC-56)", f"{moved}")
    # until the limit has room again
    time.sleep(2)


def maintained(lab):
    """Qualified: what postpones a refresh, and what does not."""
    began = lab.since
    peer, other = ("1.2.3.4", 40000), ("1.2.3.5", 5)
    own = lab.status()["address"]
    lab.link.drain()
    lab.link.send(wire.bubble(wire.teredo(PRIMARY, *peer), own), peer, CLIENT)
    nonce, seen = lab.nonce, []
    while lab.nonce == nonce and time.monotonic() - began < 40:
        lab.link.send(answer(nonce), SERVER, CLIENT)
        lab.link.send(wire.bubble(wire.teredo(PRIMARY, *other), own), SERVER,
                      CLIENT)
        end = time.monotonic() + 1
        while (got := lab.link.receive(max(0, end - time.monotonic()))):
            packet = Packet.parse(got.payload)
            # bubbles that come through the server are answered (X-SN-09)
            if packet.is_bubble() and packet.dst == wire.teredo(PRIMARY,
                                                                *other):
                continue
            seen.append((got.src, got.dst))
            if got.dst == SERVER:
                lab.nonce = packet.nonce
                break
    waited = time.monotonic() - began
    lab.tap.result(22 < waited < 32 and lab.nonce != nonce,
                   "packets from the server do not put the refresh off "
                   "(C-10, CL-M-01, CL-M-02, CL-M-03, CL-Q-16)",
                   f"after {waited:.1f} s")
    lab.tap.equal(seen, [(CLIENT, SERVER)], "and nothing else is sent, to no "
                  "peer that is idle (CL-M-12)")

    lab.counters.moved()
    lab.link.send(auth(lab.nonce) + advert(), SERVER, CLIENT)
    lab.link.send(answer(lab.nonce, wire.ra(SECONDARY)), SERVER, CLIENT)
    lab.wait(lambda: lab.counters.read()["rx_ra_invalid"] ==
             lab.counters.last["rx_ra_invalid"] + 2)
    again = lab.solicited(PRIMARY)
    lab.tap.result(again and lab.status()["mapped"]["port"] == CLIENT[1],
                   "an invalid answer to a refresh is none (CL-M-04)")
    lab.link.send(answer(lab.nonce, advert(mtu=1400)), SERVER, CLIENT)
    got = lab.wait(lambda: lab.status()["mtu"] == 1400)
    lab.tap.result(got, "the MTU option of a refresh counts (N-10, CL-Q-34)",
                   f"{lab.status()['mtu']}")
    time.sleep(5)
    lab.tap.equal(([got.dst for got in lab.link.drain()],
                   lab.status()["state"]), ([], "qualified"),
                  "a valid one is (CL-M-06)")


def sends(lab):
    """Where the helper's socket may send to."""
    control = Control(lab.client, "teredo0")
    index = attr("CTRL_IFINDEX", control.index)

    def send(to):
        try:
            control.family.do(UAPI["TEREDO_CMD_CTRL_SEND"], [
                index, attr("CTRL_ADDRESS", ip4(to[0])),
                attr("CTRL_PORT", be16(to[1])),
                attr("CTRL_PAYLOAD", wire.V1)])
        except Refused as refused:
            return refused.code
        return 0

    for to, code in ((SERVER, 0), ((SECONDARY, PORT), 0),
                     ((PRIMARY, PORT + 1), errno.EINVAL),
                     ((OTHER, PORT), errno.EINVAL),
                     (("1.2.3.4", 40000), errno.EINVAL)):
        time.sleep(0.2)
        lab.tap.equal(send(to), code, f"ctrl-send to {to[0]}:{to[1]} "
                      f"{'is refused' if code else 'is sent'} (SEC-31)")
    codes = {send(SERVER) for _ in range(200)}
    lab.tap.equal(codes, {0, errno.EAGAIN},
                  "200 at once are too many (SEC-31)")


def late(lab):
    lab.counters.moved()
    lab.link.send(answer(lab.nonce, mapped=(CLIENT[0], 4000)), SERVER, CLIENT)
    lab.wait(lambda: lab.counters.read()["rx_ra_unsolicited"] >
             lab.counters.last["rx_ra_unsolicited"])
    status = lab.status()
    lab.tap.equal((status["state"], status["mapped"]["port"]),
                  ("qualified", CLIENT[1]),
                  "a late answer changes nothing (CL-Q-31)")


def mtu(lab):
    for told, used in (0, 1280), (1279, 1280), (1400, 1400), (65535, 1472):
        lab.restart()
        lab.qualify(advert(mtu=told))
        got = lab.wait(lambda used=used: lab.status()["mtu"] == used)
        lab.tap.result(got, f"MTU option {told or 'absent'}: {used} (N-06, "
                       "N-07, N-10, CL-Q-34)", f"{lab.status()['mtu']}")


def bits(lab):
    """Each new mapping gets new bits, the same one the same."""
    seen = []
    for i in range(24):
        lab.restart()
        lab.qualify(mapped=(CLIENT[0], 10000 + i))
        seen.append(int(lab.ip("-6", "-o", "addr", "show", "dev", "teredo0")
                        .split("/128")[0].split(":")[-4], 16))
    ones = zeros = 0
    for flags in seen:
        ones |= flags
        zeros |= ~flags
    lab.tap.equal((ones, zeros & 0xffff), (0x3cff, 0xffff),
                  "24 addresses: the 12 random bits are random, the others 0 "
                  "(A-03, A-04, A-05, SEC-29)")


def told(lab):
    """What status says of a mapping that cannot be ours."""
    lab.restart()
    while lab.solicited(PRIMARY, 6):
        lab.link.send(answer(lab.nonce, mapped=("10.0.0.1", 4000)), SERVER,
                      CLIENT)
    lab.wait(lambda: lab.status()["state"] == "offline")
    status = lab.status()
    lab.tap.equal((status["state"], status["error"]), (
        "offline", f"the answer of the server {PRIMARY} tells a mapped address "
        "that is not global (10.0.0.1)"),
        "status tells of a mapped address that is not global (CL-Q-32)")


def main():
    lab = Lab(*sys.argv[1:])
    for part in primary, secondary, maintained, late, sends, mtu, bits, told:
        part(lab)
    return lab.tap.finish()


if __name__ == "__main__":
    sys.exit(main())
