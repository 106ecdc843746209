#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Secure qualification, the server's side; see server_net.sh.

server_secure.py CLIENT SERVER NATIVE: three namespaces.
"""

import hashlib
import os
import pathlib
import sys

import wire
from genl import Refused
from keys import SHA256, Keys
from server import OTHER, PORT, SERVER, Lab
from wire import (CLIENT, CLIENT_LL_CONE, NONCE, PRIMARY, V1, V2, V3, V4, V7,
                  V8, V9, auth, mac, origin, rs)

MARKER_ID = b"marker"
MARKER_SECRET = b"what the marker knows"
REPLAYER = ("204.1.2.3", 4321)
TRACING = pathlib.Path("/sys/kernel/tracing")


def signed(packet=V1, ident=b"host", secret=b"secret", nonce=NONCE, confirm=0,
           digest=hashlib.sha1):
    """What a client sends, or a server, with a right value in front."""
    return auth(nonce, ident, mac(secret, packet, nonce, confirm, digest),
                confirm) + packet


def wrong_value(lab):
    """Nothing leaves, and rx_auth tells why."""
    right = mac(b"secret", V1)

    def refused(name, payload, **fields):
        lab.refused(name, payload, "rx_auth", **fields)

    for dst in SERVER, OTHER:
        refused(f"SV-08 SEC-26 no authentication, {dst[0]}", V1, dst=dst)
        refused(f"SV-08 SEC-26 nonce alone, {dst[0]}", V2 + V1, dst=dst)
        refused(f"SV-08 SEC-26 unknown identifier, {dst[0]}",
                signed(ident=b"nobody"), dst=dst)
        refused(f"SV-08 SEC-26 wrong value, {dst[0]}",
                signed(secret=b"guess"), dst=dst)
    refused("SV-08 value without an identifier", signed(ident=b""))
    for ident in b"hos", b"host\0", b"Host", b"host" * 63, b"h" * 255:
        refused(f"SV-08 identifier {ident[:8]} of {len(ident)} octets",
                signed(ident=ident))
    refused("SV-08 another client's secret", signed(secret=MARKER_SECRET))
    for value in (b"", right[:1], right[:12], right[:19], right + b"\0",
                  right + right, b"\0" * 20,
                  mac(b"secret", V1, digest=hashlib.sha256),
                  mac(b"secret", V1, digest=hashlib.sha256)[:20],
                  mac(b"secret", V1, digest=hashlib.md5)):
        refused(f"CL-S-04 value of {len(value)} octets: "
                f"{value[:4].hex() or 'none'}",
                auth(ident=b"host", value=value) + V1)

    # CL-S-06: each octet that it covers, and each of its own
    right = V8 + V1
    wrong = []
    for at in range(4, len(right)):
        packet = bytearray(right)
        packet[at] ^= 1
        got, moved = lab.ask(bytes(packet))
        if got or sum(moved.values()) != 1 or \
           at < len(V8) and moved != {"rx_auth": 1}:
            wrong.append((at, len(got), moved))
    lab.tap.equal(wrong, [], "CL-S-06 each octet of V8 + V1 spoilt in turn")
    # those are fine but for the value
    for name, packet in (("reserved field", rs(reserved=b"\0\0\0\1")),
                         ("option", rs(options=b"\1\1" + bytes(6))),
                         ("source", rs("fe80::ffff:ffff:fffe")),
                         ("cone flag", rs(CLIENT_LL_CONE))):
        refused(f"CL-S-05 CL-S-06 the value covers the {name}", V8 + packet)


def right_value(lab, keys):
    def answered(name, payload, answer, **fields):
        lab.advertised(name, payload, answer, **fields)

    answered("CL-S-02 CL-S-04 CL-S-05 SV-28 SV-30 V7 V8 over V1, V3 + V4",
             V8 + V1, auth(ident=b"host", value=V7[1]) + V3 + V4)
    answered("SV-30 through the secondary address", V8 + V1,
             signed(V3 + V4), dst=OTHER, outer=OTHER)
    cone = signed(rs(CLIENT_LL_CONE))
    answer = signed(V3 + wire.ra(PRIMARY, CLIENT_LL_CONE))
    answered("SV-26 SV-30 cone flag: from the other address", cone, answer,
             outer=OTHER)
    nonce = os.urandom(8)
    answered("CL-S-03 another nonce", signed(nonce=nonce),
             signed(V3 + V4, nonce=nonce))
    answered("CL-S-07 a confirmation is answered with 0", signed(confirm=1),
             signed(V3 + V4))
    answered("CL-S-05 trailers are not covered", V8 + V1 + V9[0] + b"\x40",
             signed(V3 + V4))
    source = ("1.0.0.1", 65535)
    answered("CL-S-05 SV-21 the value covers the origin indication", V8 + V1,
             signed(origin(*source) + V4), src=source)

    answered("SEC-27 a replay is answered", V8 + V1, signed(V3 + V4))
    answered("SEC-27 CL-S-11 to the replayer, nobody else", V8 + V1,
             signed(origin(*REPLAYER) + V4), src=REPLAYER)

    # padding, long secrets: a block of the hash has 64 octets
    for algorithm, digest, name in ((0, hashlib.sha1, "HMAC-SHA1"),
                                    (SHA256, hashlib.sha256, "HMAC-SHA256")):
        for size in 1, 20, 63, 64, 65, 200, 1024:
            secret = os.urandom(size)
            ident = os.urandom(min(size, 255))
            keys.set(ident, secret, algorithm=algorithm)
            answered(f"CL-S-01 CL-S-04 {name}, identifier of {len(ident)}, "
                     f"secret of {size} octets",
                     signed(V1, ident, secret, digest=digest),
                     signed(V3 + V4, ident, secret, digest=digest))
        for size in *range(8, 72, 8), 248:
            packet = rs(options=(b"\xfd" + bytes([size // 8])).ljust(size,
                                                                    b"o"))
            answered(f"CL-S-05 {name}, solicitation of {len(packet)} octets",
                     signed(packet, ident, secret, digest=digest),
                     signed(V3 + V4, ident, secret, digest=digest))
        lab.refused(f"CL-S-04 {name}, no other algorithm",
                    signed(V1, ident, secret,
                           digest=hashlib.sha256 if digest is hashlib.sha1
                           else hashlib.sha1), "rx_auth")
        keys.delete(ident)
        lab.refused(f"CL-S-01 {name}, key is gone",
                    signed(V1, ident, secret, digest=digest), "rx_auth")


def changes(lab, keys):
    for confirm in 1, 255:
        keys.set(b"host", confirm=confirm)
        lab.advertised(f"CL-S-07 SV-30 key expires, {confirm}", V8 + V1,
                       signed(V3 + V4, confirm=confirm))
    keys.set(b"host", confirm=0)
    lab.advertised("CL-S-07 SV-30 key is valid again", V8 + V1,
                   signed(V3 + V4))
    keys.set(b"host", b"new")
    lab.refused("CL-S-01 the former secret", V8 + V1, "rx_auth")
    lab.advertised("CL-S-01 the new secret", signed(secret=b"new"),
                   signed(V3 + V4, secret=b"new"))
    keys.set(b"host", b"secret")

    lab.set("down")
    lab.set("up")
    lab.advertised("CL-S-01 keys outlive down and up", V8 + V1,
                   signed(V3 + V4))
    lab.set("type", "teredo", "secure", "off")
    lab.advertised("SV-31 secure off: value and identifier are ignored",
                   V8 + V1, V2 + V3 + V4)
    lab.advertised("SV-31 secure off: a wrong value too",
                   signed(secret=b"guess"), V2 + V3 + V4)
    lab.advertised("SV-29 secure off: no authentication", V1)
    lab.set("type", "teredo", "secure", "on")
    # no client's key lets anything past but a solicitation
    lab.refused("E-07 SEC-05 authentication before a bubble",
                signed(wire.V5), "rx_header")
    lab.forwarded("SV-08 bubbles need no authentication", wire.V5, wire.V5,
                  ("1.2.3.4", 40000))


def computed():
    """How many values the module has computed since trace() began."""
    for line in (TRACING / "kprobe_profile").read_text().splitlines():
        if line.split()[0] == "teredo_key_mac":
            return int(line.split()[1])
    return 0


def trace(on):
    """False where the kernel cannot count calls."""
    enable = TRACING / "events/kprobes/teredo_key_mac/enable"
    try:
        if not on:
            enable.write_text("0")
        file = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
        os.write(file, b"p:teredo_key_mac teredo:teredo_key_mac" if on else
                 b"-:teredo_key_mac")
        os.close(file)
        if on:
            enable.write_text("1")
    except OSError:
        return False
    return True


def effort(lab):
    """Who floods makes the server compute no more than the rate."""
    if not trace(True):
        lab.tap.skip("SEC-55", "no kprobes in this kernel")
        return
    try:
        before = computed()
        lab.ask(V8 + V1)
        lab.tap.equal(computed() - before, 4,
                      "SEC-55 two values for an answer, two for the marker")
        before = computed()
        got, moved = flood(lab, signed(ident=b"nobody"), 200)
        lab.tap.equal((computed() - before, got, moved),
                      (0, 0, {"rx_auth": 200}),
                      "SEC-55 no value is computed for an unknown identifier")
        flood(lab, V1, 10)
        lab.set("type", "teredo", "rate", "10")
        before = computed()
        got, moved = flood(lab, signed(secret=b"guess"), 400)
        count = computed() - before
        lab.tap.result(not got and count == moved.get("rx_auth") and
                       count + moved.get("rx_rate", 0) == 400 and
                       2 <= count < 100,
                       "SEC-55 the limit comes before the value",
                       f"{count} values, {got} answers, {moved}")
        lab.set("type", "teredo", "rate", "0")
    finally:
        trace(False)


def flood(lab, payload, number):
    """Answers and counters"""
    lab.link.drain()
    lab.counters.moved()
    got = 0
    for i in range(number):
        lab.link.send(payload, CLIENT, SERVER)
        if i % 50 == 49:
            got += len(lab.link.drain())
    got += len(lab.link.drain(0.2))
    return got, lab.counters.moved()


def contention(lab, keys):
    """Keys come, change and go while solicitations arrive, as many as the
    machine can send: the rate is off."""
    child = os.fork()
    if not child:
        status = 1
        try:
            own = Keys(lab.server, "teredo0")
            for i in range(400):
                own.set(b"host", b"secret", confirm=i % 2)
                own.set(b"other", os.urandom(20), algorithm=i % 2)
                own.set(b"host", b"else")
                own.delete(b"other")
                own.list()
            status = 0
        finally:
            os._exit(status)
    lab.counters.moved()
    sent = 0
    while not os.waitpid(child, os.WNOHANG)[0] and sent < 100000:
        for ident in b"host", b"other", b"nobody":
            lab.link.send(signed(ident=ident), CLIENT, SERVER)
            sent += 1
        if sent % 48 == 0:
            lab.link.drain()
    lab.link.drain(0.2)
    moved = lab.counters.moved()
    lab.tap.result(set(moved) <= {"tx_adverts", "rx_auth"} and
                   sum(moved.values()) == sent,
                   "CL-S-01 keys change under traffic, each solicitation is "
                   "answered or refused", f"{sent} sent, {moved}")
    keys.set(b"host", b"secret")
    lab.advertised("CL-S-01 and the last key counts", V8 + V1,
                   signed(V3 + V4))


def main():
    lab = Lab(*sys.argv[1:])
    keys = Keys(lab.server, "teredo0")
    keys.set(b"host", b"secret")
    keys.set(MARKER_ID, MARKER_SECRET)
    lab.set("type", "teredo", "secure", "on")
    lab.marker = lambda nonce: signed(V1, MARKER_ID, MARKER_SECRET, nonce)
    wrong_value(lab)
    right_value(lab, keys)
    changes(lab, keys)
    effort(lab)
    contention(lab, keys)

    lab.set("down")
    lab.set("type", "teredo", "mode", "relay")
    try:
        keys.list()
        lab.tap.result(False, "CL-S-01 a relay has no keys")
    except Refused as refused:
        lab.tap.equal(refused.text, "keys are for servers",
                      "CL-S-01 a relay has no keys")
    lab.set("type", "teredo", "mode", "server", "local", PRIMARY, "secondary",
            wire.SECONDARY, "port", str(PORT))
    lab.tap.equal(keys.identifiers(), [],
                  "CL-S-01 SEC-67 keys went with the mode")
    return lab.tap.finish()


if __name__ == "__main__":
    sys.exit(main())
