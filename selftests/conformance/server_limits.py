# SPDX-License-Identifier: GPL-2.0
"""What a server asks of its clients (CL-S), and its limits (SV-39, SV-41)"""

import hashlib

import wire
from keys import SHA256, Keys
from wire import (CLIENT, CLIENT_ADDRESS, NONCE, PORT, PRIMARY, V1, V2, V3, V4,
                  V7, V8, V9, auth, bubble, echo, mac, origin, rs, teredo)

from .lab import NATIVE, OTHER
from .rows import server
from .server import OWN_PEER, advertised
from .server_forward import NATIVE_TEST, OWN_BUBBLE, forwarded, natives

REPLAYER = ("204.1.2.3", 4321)


def signed(packet=V1, ident=b"host", secret=b"secret", nonce=NONCE, confirm=0,
           digest=hashlib.sha1):
    """A solicitation or an answer with a right value in front"""
    return auth(nonce, ident, mac(secret, packet, nonce, confirm, digest),
                confirm) + packet


def keyed(lab):
    keys = Keys(lab.host, "teredo0")
    keys.set(b"host", b"secret")
    return keys


@server("SV-08 SEC-26 CL-S-01", "no, unknown or wrong authentication: silence",
        words="secure on")
def _(lab):
    keyed(lab)
    for dst in (PRIMARY, PORT), OTHER:
        for payload in (V1, V2 + V1, signed(ident=b"nobody"),
                        signed(ident=b""), signed(ident=b"hos"),
                        signed(secret=b"guess"),
                        auth(ident=b"host") + V1):
            lab.refused(payload, "rx_auth", dst=dst)


@server("SV-08 N-03", "more than 256 octets of a solicitation, with a right "
        "value", words="secure on")
def _(lab):
    keyed(lab)
    longest = signed(rs(options=b"\xfd\x1f" + bytes(246)))
    advertised(lab, longest, signed(V3 + V4))
    lab.refused(signed(rs(options=b"\xfd\x20" + bytes(254))), "rx_nd")


@server("CL-S-02 CL-S-04 CL-S-05 SV-30",
        "V8 + V1 is answered with the second value of V7",
        words="secure on")
def _(lab):
    keyed(lab)
    advertised(lab, V8 + V1, auth(ident=b"host", value=V7[1]) + V3 + V4)
    advertised(lab, V8 + V1, signed(V3 + V4), dst=OTHER, outer=OTHER)


@server("CL-S-03", "each nonce comes back, and is covered", words="secure on")
def _(lab):
    keyed(lab)
    for nonce in bytes(8), b"\xff" * 8:
        advertised(lab, signed(nonce=nonce), signed(V3 + V4, nonce=nonce))
    lab.refused(V8[:-9] + bytes(8) + V8[-1:] + V1, "rx_auth")


@server("CL-S-04 CL-S-12", "HMAC-SHA256 by agreement; SHA1 whole, never MD5",
        words="secure on")
def _(lab):
    keys = keyed(lab)
    for digest in hashlib.md5, hashlib.sha256:
        lab.refused(signed(digest=digest), "rx_auth")
    for size in 10, 12, 19:
        lab.refused(auth(ident=b"host", value=V7[0][:size]) + V1, "rx_auth")
    keys.set(b"host", b"secret", algorithm=SHA256)
    lab.refused(V8 + V1, "rx_auth")
    advertised(lab, signed(digest=hashlib.sha256),
               signed(V3 + V4, digest=hashlib.sha256))


@server("CL-S-05", "the value covers all up to the trailers",
        words="secure on")
def _(lab):
    keyed(lab)
    advertised(lab, V8 + V1 + V9[0], signed(V3 + V4))
    advertised(lab, V8 + V1, signed(origin(*REPLAYER) + V4), src=REPLAYER)
    for packet in (rs(reserved=b"\0\0\0\1"), rs("fe80::1"),
                   rs(options=b"\1\1" + bytes(6))):
        lab.refused(V8 + packet, "rx_auth")
        advertised(lab, signed(packet),
                   signed(V3 + wire.ra(PRIMARY,
                                       wire.Packet.parse(packet).src)))


@server("CL-S-06 SEC-26", "each octet in front spoilt in turn",
        words="secure on")
def _(lab):
    keyed(lab)
    for at in range(4, len(V8)):
        packet = bytearray(V8 + V1)
        packet[at] ^= 0x80
        lab.refused(bytes(packet), "rx_auth")


@server("CL-S-07 SV-30", "confirmation: 0, or not for a key that expires",
        words="secure on")
def _(lab):
    keys = keyed(lab)
    advertised(lab, signed(confirm=1), signed(V3 + V4))
    for confirm in 1, 255, 0:
        keys.set(b"host", confirm=confirm)
        advertised(lab, V8 + V1, signed(V3 + V4, confirm=confirm))


@server("SEC-27 CL-S-11", "a replay is answered to where it comes from, and "
        "counts", words="secure on rate 1")
def _(lab):
    keyed(lab)
    moved = {}
    lab.settle()
    for _ in range(20):
        lab.send(V8 + V1, REPLAYER)
        sent, got = lab.settle()
        for name, by in got.items():
            moved[name] = moved.get(name, 0) + by
        for datagram in sent:
            lab.equal((datagram.dst, datagram.payload.hex()),
                      (REPLAYER, signed(origin(*REPLAYER) + V4).hex()),
                      "answer")
    lab.true(set(moved) == {"tx_adverts", "rx_rate"} and
             sum(moved.values()) == 20, f"counters {moved}")


@server("SEC-55", "the limit comes before the value", words="secure on rate 1")
def _(lab):
    keyed(lab)
    lab.settle()
    for _ in range(50):
        lab.send(signed(secret=b"guess"))
    sent, moved = lab.settle()
    lab.equal(sent, [], "answers")
    lab.true(0 < moved.get("rx_auth", 0) < 25 and
             moved["rx_auth"] + moved.get("rx_rate", 0) == 50,
             f"counters {moved}")


@server("SV-39 SEC-41 SEC-55", "solicitations of one /24 starve no other",
        words="rate 16")
def _(lab):
    lab.settle()
    for i in range(200):
        lab.send(V2 + V1, (f"198.41.7.{i % 250 + 1}", 4000 + i))
    sent, moved = lab.settle()
    lab.true(len(sent) < 100 and moved.get("tx_adverts") == len(sent) and
             moved.get("rx_rate") == 200 - len(sent),
             f"{len(sent)} answers, {moved}")
    advertised(lab, V2 + V1, V2 + V3 + V4)


@server("SV-39 SEC-42", "bubbles of one /24 starve no other", words="rate 16")
def _(lab):
    lab.settle()
    for i in range(200):
        lab.send(bubble("2620::5", OWN_PEER), (f"198.41.7.{i % 250 + 1}",
                                               4000 + i))
    sent, moved = lab.settle()
    lab.true(len(sent) < 100 and moved.get("tx_relayed") == len(sent) and
             moved.get("tx_rate") == 200 - len(sent),
             f"{len(sent)} forwarded, {moved}")
    forwarded(lab, OWN_BUBBLE, V3 + OWN_BUBBLE)


@server("SV-39 SEC-43", "tests of one /24 for native hosts starve no other",
        words="rate 16")
def _(lab):
    lab.sysctl(lab.native, "ipv6.icmp.echo_ignore_all", 1)
    try:
        lab.settle()
        natives(lab)
        for i in range(200):
            source = (f"198.41.7.{i % 250 + 1}", 4000 + i)
            lab.send(echo(teredo(PRIMARY, *source), NATIVE), source)
        _, moved = lab.settle()
        count = len(natives(lab))
        lab.true(0 < count < 100, f"{count} forwarded")
        lab.equal(moved, {"tx_relayed": count, "tx_rate": 200 - count},
                  "counters")
        lab.send(NATIVE_TEST)
        lab.settle()
        lab.equal(len(natives(lab)), 1, "of another network")
    finally:
        lab.sysctl(lab.native, "ipv6.icmp.echo_ignore_all", 0)


@server("SV-41", "a second server on the host shares nothing",
        words="rate 1 secure on")
def _(lab):
    primary, secondary = "65.54.228.142", "65.54.228.143"
    words = f"local {primary} secondary {secondary} prefix 2a00:1::/32"
    keyed(lab)
    lab.batch(lab.host, f"""
        addr add {primary}/32 dev eth0
        addr add {secondary}/32 dev eth0
        link add teredo1 type teredo mode server {words}
        link set teredo1 up
        """)
    try:
        second = wire.Counters(lab.host, "teredo1")
        lab.equal(Keys(lab.host, "teredo1").identifiers(), [], "keys")
        lab.settle()
        for _ in range(20):
            lab.send(V8 + V1)
        lab.settle()
        lab.equal(second.moved(), {}, "counters after a flood of the first")
        lab.send(V1, dst=(primary, PORT))
        sent, moved = lab.settle()
        lab.equal([(d.src, d.dst, d.payload.hex()) for d in sent],
                  [((primary, PORT), CLIENT,
                    (V3 + wire.ra(primary, prefix="2a00:1::")).hex())],
                  "answer of the second")
        lab.equal((moved, second.moved()), ({}, {"tx_adverts": 1}),
                  "counters")
        lab.send(bubble(CLIENT_ADDRESS, OWN_PEER), dst=(primary, PORT))
        sent, moved = lab.settle()
        lab.equal((sent, moved, second.moved()),
                  ([], {}, {"rx_bad_source": 1}),
                  "a bubble for the first one's client")
    finally:
        lab.batch(lab.host, f"link del teredo1\naddr del {primary}/32 dev "
                  f"eth0\naddr del {secondary}/32 dev eth0\n", force=True)


@server("SV-41", "the same addresses in another network namespace")
def _(lab):
    name = lab.host + "-2"
    words = f"local {PRIMARY} secondary {OTHER[0]}"
    lab.batch(None, f"netns add {name}\n")
    try:
        lab.batch(name, f"""
            link set lo up
            addr add {PRIMARY}/32 dev lo
            addr add {OTHER[0]}/32 dev lo
            link add teredo0 type teredo mode server {words}
            link set teredo0 up
            """)
        second = wire.Counters(name, "teredo0")
        advertised(lab, V1, V3 + V4)
        forwarded(lab, OWN_BUBBLE, V3 + OWN_BUBBLE)
        lab.equal(second.moved(), {}, "counters of the other")
    finally:
        lab.batch(None, f"netns del {name}\n", force=True)
    advertised(lab, V1, V3 + V4)
