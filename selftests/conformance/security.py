# SPDX-License-Identifier: GPL-2.0
"""What attackers send, and what it is worth (SEC)"""

import contextlib
import errno
import pathlib
import subprocess
import time

import wire
from control import UAPI, Control, attr
from genl import Refused, be16, ip4, u32
from wire import (CLIENT, CLIENT_ADDRESS, OTHER_SERVER, PORT, PRIMARY,
                  SECONDARY, bubble, echo, origin, rs, teredo, udp6)

from .client import pair, test_in, trusted
from .errors import kernel_log
from .lab import (FAR, FAR_RELAY, HOST6, ME, MY_FLAGS, MY_SERVER, NATIVE,
                  NEIGHBOUR, RELAY)
from .relay import CLIENT_SERVER, ONE, contact, sender
from .rows import client, host_relay, relay, relays, row, server

STRANGER = ("198.41.0.4", 5000)
STRANGER_ADDRESS = teredo(PRIMARY, *STRANGER, 0x1234)
TRACING = pathlib.Path("/sys/kernel/tracing")

# G-01 to G-13, and a neighbour of each that is global
NOT_GLOBAL = ("0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1",
              "172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.2.1",
              "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.254",
              "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.254",
              "240.0.0.1", "255.255.255.255", "5.6.7.255")
GLOBAL = ("1.0.0.1", "11.0.0.1", "100.128.0.1", "128.0.0.1", "169.255.0.1",
          "172.15.0.1", "172.32.0.1", "192.0.1.1", "192.0.3.1", "192.88.98.1",
          "192.169.0.1", "198.17.0.1", "198.20.0.1", "198.51.101.1",
          "203.0.114.1", "223.255.255.254")


def to_peer(lab, to=CLIENT_ADDRESS):
    """A packet for the tunnel from whoever may send it"""
    return udp6(lab.own or sender(lab), to, b"data")


# Form


@client("SEC-05 E-07", "an authentication on a packet: dropped")
def _(lab):
    trusted(lab)
    for headers in wire.auth(), wire.auth() + origin(*CLIENT):
        for src in CLIENT, MY_SERVER:
            lab.refused(headers + udp6(CLIENT_ADDRESS, lab.own, b"no"),
                        "rx_header", src)


@client("SEC-06", "an origin from anyone but a server's port 3544: dropped")
def _(lab):
    trusted(lab)
    for src in CLIENT, (OTHER_SERVER, PORT + 1), (PRIMARY, PORT):
        lab.refused(origin(*CLIENT) + bubble(CLIENT_ADDRESS, lab.own),
                    "rx_origin", src)


MARTIANS = "::", "::1", "::ffff:1.2.3.4", "ff02::1", "ff0e::1"


@client("SEC-08 COM-06", "impossible IPv6 addresses: dropped")
def _(lab):
    trusted(lab)
    for address in MARTIANS:
        lab.refused(udp6(address, lab.own, b"no"), "rx_martian6")
        lab.refused(udp6(CLIENT_ADDRESS, address, b"no"), "rx_martian6")


@relays("SEC-08 COM-06", "impossible IPv6 destinations: dropped")
def _(lab):
    contact(lab)
    for address in MARTIANS:
        lab.refused(udp6(CLIENT_ADDRESS, address, b"no"), "rx_martian6")


@client("SEC-10 CL-RX-03", "a source that is ours, or has our mapping")
def _(lab):
    for source in (lab.own, teredo(OTHER_SERVER, *ME, 0),
                   teredo(PRIMARY, *ME, MY_FLAGS)):
        for packet in (udp6(source, lab.own, b"no"),
                       bubble(source, lab.own)):
            lab.refused(packet, "rx_self", ME)
            lab.refused(packet, "rx_self")


@client("SEC-11 CL-RX-22", "a link-local source: dropped")
def _(lab):
    trusted(lab)
    for packet in (udp6("fe80::1", lab.own, b"no"), echo("fe80::1", lab.own),
                   bubble("fe80::1", lab.own)):
        lab.refused(packet, "rx_linklocal")
    lab.refused(origin(*CLIENT) + echo("fe80::1", lab.own), "rx_linklocal",
                MY_SERVER)


@relays("SEC-11", "a link-local source: dropped")
def _(lab):
    contact(lab)
    for packet in (udp6("fe80::1", sender(lab), b"no"),
                   bubble("fe80::1", HOST6)):
        lab.refused(packet, "rx_linklocal")


@server("SEC-11", "a link-local source: dropped, but for RS and bubbles")
def _(lab):
    lab.refused(echo("fe80::1", NATIVE), "rx_linklocal")


def discovery(src, dst):
    """Neighbour discovery of each kind"""
    return [wire.icmp6(src, dst, kind, body=bytes(20), hop_limit=255)
            for kind in (133, 135, 136, 137)]


@client("SEC-12 COM-05", "neighbour discovery never gets in")
def _(lab):
    trusted(lab)
    for packet in discovery(CLIENT_ADDRESS, lab.own):
        lab.refused(packet, "rx_nd")
    lab.refused(wire.ra(PRIMARY, lab.own, CLIENT_ADDRESS), "rx_ra_source")


@relay("SEC-12 COM-05", "neighbour discovery never gets in")
def _(lab):
    contact(lab)
    for packet in discovery(CLIENT_ADDRESS, NATIVE) + [
            wire.ra(PRIMARY, NATIVE, CLIENT_ADDRESS)]:
        lab.refused(packet, "rx_nd")


@server("SEC-13 SV-05", "packets with extension headers: dropped")
def _(lab):
    for kind in (0, 43, 44, 51, 60, 135, 139, 6, 17):
        lab.refused(wire.ipv6(CLIENT_ADDRESS, NATIVE, kind,
                              b"\x3a" + bytes(7) + bytes(8)), "rx_type")


@client("SEC-13", "a type 0 routing header: refused by the stack")
def _(lab):
    trusted(lab)
    header = bytes([17, 2, 0, 1]) + bytes(4) + wire.ip6(FAR)
    packet = wire.ipv6(CLIENT_ADDRESS, lab.own, 43, header + bytes(8))
    lab.send(packet)
    sent, _ = lab.settle()
    lab.equal(lab.delivered(), [packet], "delivered")
    lab.equal([(d.dst, wire.Packet.parse(d.payload).icmp6_type())
               for d in sent], [(CLIENT, 4)], "parameter problem")


# Qualification


@client("SEC-29 C-18", "each test has a nonce and an identifier of its own")
def _(lab):
    found = set()
    for number in range(1, 17):
        to = f"2620:2::{number}"
        lab.out(to_peer(lab, to))
        sent, _ = lab.settle()
        found.add(test_in(lab, sent[0], to))
    lab.equal(len({nonce for _, nonce in found}), 16, "nonces")
    lab.true(len({ident for ident, _ in found}) > 12, "identifiers")
    lab.true(all(len(set(nonce)) > 2 for _, nonce in found), "random")


@row("SEC-29 C-04", "a service port that nobody chose: another each time")
def _(lab):
    ports = set()
    for _ in range(6):
        lab.batch(lab.host, "link add teredo0 type teredo mode relay local "
                  f"{RELAY[0]}\nlink set teredo0 up\n")
        control = Control(lab.host, "teredo0")
        shown = control.family.do(UAPI["TEREDO_CMD_DEV_GET"], [
            attr("DEV_IFINDEX", control.index)])
        ports.add(int.from_bytes(shown[UAPI["TEREDO_A_DEV_PORT"]], "big"))
        lab.ip("link", "delete", "teredo0")
    lab.true(len(ports) > 4, f"ports {ports}")


@client("SEC-30 SEC-09", "guesses of the 12 random bits: silence")
def _(lab):
    trusted(lab)
    for flags in range(16):
        lab.refused(udp6(CLIENT_ADDRESS,
                         teredo(OTHER_SERVER, *ME, MY_FLAGS ^ 1 << flags),
                         b"no"), "rx_not_mine")


def ctrl_send(lab, to, payload=wire.V1):
    """errno of the answer, 0 if it was sent"""
    try:
        lab.control.family.do(UAPI["TEREDO_CMD_CTRL_SEND"], [
            attr("CTRL_IFINDEX", lab.control.index),
            attr("CTRL_ADDRESS", ip4(to[0])), attr("CTRL_PORT", be16(to[1])),
            attr("CTRL_PAYLOAD", payload)])
    except Refused as refused:
        return refused.code
    return 0


@client("SEC-31", "control packets go to the servers, bubbles to the mapping")
def _(lab):
    second = ("65.54.227.121", PORT)
    for to in MY_SERVER, second:
        lab.equal(ctrl_send(lab, to), 0, f"to {to}")
        lab.expect([(to, wire.V1)], {"tx_ctrl": 1})
    own = bubble(lab.own, lab.own)
    for to in ME, (ME[0], ME[1] + 1):
        lab.equal(ctrl_send(lab, to, own), 0, f"a bubble to {to}")
        lab.settle()
        lab.equal(ctrl_send(lab, to, own + b"more"), errno.EINVAL,
                  f"more than a bubble to {to}")
    for to in ((OTHER_SERVER, PORT + 1), (PRIMARY, PORT), CLIENT, ME,
               (ME[0], ME[1] + 1)):
        lab.equal(ctrl_send(lab, to), errno.EINVAL, f"to {to}")
    lab.expect()


@client("SEC-31", "control packets: ten a second")
def _(lab):
    began = time.time()
    answers = [ctrl_send(lab, MY_SERVER) for _ in range(40)]
    most = 21 + 10 * (time.time() - began)
    sent, _ = lab.settle()
    lab.true(20 <= answers.count(0) <= most, f"{answers}")
    lab.equal(answers.count(errno.EAGAIN), 40 - answers.count(0), "EAGAIN")
    lab.equal(len(sent), answers.count(0), "datagrams")


@client("SEC-31", "control packets: the helper is told that a queue drops")
def _(lab):
    queue = ("tc", "-n", lab.host, "qdisc")
    subprocess.run([*queue, "add", "dev", "eth0", "root", "bfifo", "limit",
                    "1"], check=True)
    try:
        lab.equal(ctrl_send(lab, MY_SERVER), errno.ENOBUFS, "full")
    finally:
        subprocess.run([*queue, "del", "dev", "eth0", "root"], check=True)
    lab.expect()
    lab.equal(ctrl_send(lab, MY_SERVER), 0, "no longer")
    lab.expect([(MY_SERVER, wire.V1)], {"tx_ctrl": 1})


@client("SEC-22 SEC-23 SEC-24 SEC-25", "what the helper refuses is counted")
def _(lab):
    for number, counter in enumerate(("rx_ra_unsolicited", "rx_ra_nonce",
                                      "rx_ra_auth", "rx_ra_invalid")):
        lab.control.family.do(UAPI["TEREDO_CMD_CTRL_REFUSE"], [
            attr("CTRL_IFINDEX", lab.control.index),
            attr("CTRL_REFUSAL", u32(number))])
        lab.expect(moved={counter: 1})


# Where packets may go


def targets(address):
    """It is the mapped address, it is the server"""
    return (teredo(PRIMARY, address, 1234, 0x1234),
            teredo(address, *STRANGER, 0x1234))


def sends_nowhere(lab):
    for address in NOT_GLOBAL:
        for to in targets(address):
            lab.unsent(to_peer(lab, to), "tx_not_global", [])
    lab.equal(lab.control.peers(), {}, "peers")
    for address in GLOBAL:
        lab.out(to_peer(lab, teredo(PRIMARY, address, 1234, 0x1234)))
        sent, _ = lab.settle()
        lab.true((PRIMARY, PORT) in [d.dst for d in sent],
                 f"bubbles for {address}")


for _mode in client, relay, host_relay:
    _mode("SEC-32 G-01 G-02 G-03 G-04 G-05 G-06 G-07 G-08 G-09 G-10 G-11 G-12"
          " G-13", "nothing goes to an embedded address that is not global",
          words="bubble-rate 0 server-rate 0")(sends_nowhere)


@server("SEC-32 G-10", "bubbles to an address that is not global: dropped")
def _(lab):
    for address in NOT_GLOBAL:
        lab.settle()
        lab.send(bubble(CLIENT_ADDRESS,
                        teredo(PRIMARY, address, 1234, 0x1234)))
        lab.expect(moved={"rx_bubbles": 1, "tx_not_global": 1})


@client("SEC-32 SEC-47", "an origin that is not global: no answer")
def _(lab):
    for address in NOT_GLOBAL:
        lab.refused(origin(address, 1234) + bubble("2620::1", lab.own),
                    "tx_not_global", MY_SERVER)
    lab.refused(origin(*ME) + bubble("2620::1", lab.own), "tx_self",
                MY_SERVER)


for _mode in "relay", "host-relay":
    relay("SEC-33", "what came out of a tunnel does not go into that of a "
          f"{_mode}")(lambda lab, mode=_mode: no_second(lab, mode))


def no_second(lab, mode):
    contact(lab)
    words = f"mode {mode} local {ME[0]} prefix 2a00:1::/32"
    lab.batch(lab.host, f"""
        link add teredo1 type teredo {words}
        link set teredo1 up
        route add fe80::2/128 dev teredo1
        route add 2a00:1::/32 via fe80::2 dev teredo1
        """)
    try:
        counters = wire.Counters(lab.host, "teredo1")
        inner = wire.ip6("2a00:1::")[:4] + wire.ip6(STRANGER_ADDRESS)[4:]
        lab.taken(udp6(CLIENT_ADDRESS, inner, b"no"))
        lab.equal(counters.moved(), {"tx_loop": 1}, "teredo1")
        # the native host may, but for the rule of a host-relay
        lab.forward(udp6(NATIVE, inner, b"yes"))
        lab.equal([d.dst for d in lab.settle()[0]],
                  [(PRIMARY, PORT)] if mode == "relay" else [], "a bubble")
        lab.equal(counters.moved(), ONE if mode == "relay" else
                  {"tx_forwarded": 1}, "teredo1")
    finally:
        lab.ip("link", "delete", "teredo1")


@relays("SEC-34 RL-RX-07", "from Teredo to Teredo: dropped")
def _(lab):
    contact(lab)
    lab.refused(udp6(CLIENT_ADDRESS, STRANGER_ADDRESS, b"no"), "rx_loop")


def own_forms(address):
    """6to4 and ISATAP addresses of a host"""
    v4 = wire.ip4(address)
    return [wire.text6(packed) for packed in (
        wire.ip6("2002::")[:2] + v4 + wire.ip6("::1")[6:],
        wire.ip6("2620:9::")[:8] + b"\0\0\x5e\xfe" + v4,
        wire.ip6("2620:9::")[:8] + b"\2\0\x5e\xfe" + v4)]


# Where they seem to be: nowhere, behind a router, in a tunnel without neighbours
WAYS = (("", ""),
        ("route add default via 2620::1 dev eth1",
         "route del default via 2620::1 dev eth1"),
        ("""link add far0 type dummy
            link set far0 arp off up
            route add 2002::/16 dev far0
            route add 2620:9::/64 dev far0""", "link del far0"))


def ways(lab):
    """Each of these in turn"""
    for there, away in WAYS:
        lab.batch(lab.host, there)
        try:
            yield
        finally:
            lab.batch(lab.host, away)


@relay("SEC-35 RL-TX-16", "a source that embeds an address of ours: dropped")
def _(lab):
    for _ in ways(lab):
        for address in RELAY[0], ME[0], "5.6.7.1":
            for source in own_forms(address):
                lab.unsent(udp6(source, CLIENT_ADDRESS, b"no"), "tx_loop6324",
                           [])
    lab.unsent(udp6(teredo(RELAY[0], *STRANGER), CLIENT_ADDRESS, b"no"),
               "tx_source", [])
    for source in own_forms("198.41.0.4"):
        lab.out(udp6(source, CLIENT_ADDRESS, b"yes"))
    lab.equal([d.dst for d in lab.settle()[0]], [CLIENT_SERVER], "a bubble")


@relay("SEC-36", "a destination that embeds an address of ours: dropped")
def _(lab):
    contact(lab)
    for _ in ways(lab):
        for address in RELAY[0], ME[0], "5.6.7.1":
            for to in own_forms(address):
                lab.refused(udp6(CLIENT_ADDRESS, to, b"no"), "rx_loop6324")
    for to in own_forms("198.41.0.4"):
        lab.delivered()
        lab.send(udp6(CLIENT_ADDRESS, to, b"yes"))
        lab.settle()
        lab.equal(lab.delivered()[:1], [udp6(CLIENT_ADDRESS, to, b"yes")],
                  "addresses of others")


@server("SEC-36", "a destination that embeds an address of ours: dropped")
def _(lab):
    for _ in ways(lab):
        for address in PRIMARY, SECONDARY, "5.6.7.1":
            for to in own_forms(address):
                lab.refused(echo(CLIENT_ADDRESS, to), "rx_loop6324")


@relay("SEC-35 SEC-36", "such an address on a link of ours: not dropped")
def _(lab):
    own, neighbour = (wire.text6(wire.ip6("2002::")[:2] + wire.ip4(RELAY[0]) +
                                 wire.ip6(end)[6:]) for end in ("::1", "::2"))
    contact(lab)
    # the neighbour is known, so that no error comes later
    lab.batch(lab.host, f"""
        addr add {own}/64 dev eth1 nodad
        neigh replace {neighbour} lladdr {NEIGHBOUR} dev eth1
        """)
    try:
        for here in own, neighbour:
            packet = udp6(CLIENT_ADDRESS, here, b"yes")
            lab.delivered()
            lab.send(packet)
            lab.settle()
            lab.equal(lab.delivered()[:1], [packet], f"to {here}")
        lab.out(udp6(neighbour, CLIENT_ADDRESS, b"yes"))
        lab.expect([(CLIENT, udp6(neighbour, CLIENT_ADDRESS, b"yes",
                                  hop_limit=63))])
    finally:
        lab.batch(lab.host, f"""
            neigh del {neighbour} dev eth1
            addr del {own}/64 dev eth1
            """)


@relay("SEC-45 RL-RX-02", "datagrams that come back from an echo service")
def _(lab):
    contact(lab)
    lab.out(to_peer(lab))
    sent, _ = lab.settle()
    lab.refused(sent[0].payload, "rx_bad_mapping", CLIENT)
    lab.refused(bubble(HOST6, CLIENT_ADDRESS), "rx_bad_mapping", CLIENT_SERVER)


@client("SEC-46 CL-B-09", "tests that others cause: a limit of their own",
        words="bubble-rate 10")
def _(lab):
    began = time.time()
    lab.settle()
    for number in range(1, 11):
        lab.send(udp6(f"2620:2::{number}", lab.own, b"x"), STRANGER)
    sent, moved = lab.settle()
    most = 3 + (time.time() - began)
    lab.true(2 <= len(sent) <= most, f"{len(sent)} tests, not 2 to {most}")
    lab.equal(moved, {"tx_tests": len(sent),
                      "rx_test_limited": 10 - len(sent)}, "counters")
    # our own are none of these
    lab.out(to_peer(lab, "2620:2::99"))
    lab.equal(lab.settle()[1], {"tx_tests": 1}, "counters")


@client("SEC-46 SEC-21 CL-RX-16", "one test a source, none for an ICMPv6 "
        "error")
def _(lab):
    lab.settle()
    for _ in range(5):
        lab.send(udp6(FAR, lab.own, b"x"), STRANGER)
    lab.equal(lab.settle()[1], {"tx_tests": 1, "rx_untrusted": 4}, "counters")
    lab.delivered()
    quoted = udp6(lab.own, "2620:2::7", b"x")
    lab.taken(wire.icmp6("2620:2::8", lab.own, 3, body=bytes(4) + quoted),
              STRANGER)


@client("SEC-47 CL-B-05", "bubbles through the server: one answer in 2 s")
def _(lab):
    trusted(lab)                # who is not has an indirect one, too, later
    for _ in range(11):
        lab.send(origin(*CLIENT) + bubble(CLIENT_ADDRESS, lab.own), MY_SERVER)
    lab.expect([(CLIENT, bubble(lab.own, CLIENT_ADDRESS))],
               {"rx_bubbles": 11, "tx_bubbles_direct": 1,
                "tx_bubble_limited": 10})


@client("SEC-47", "bubbles through the server: all answers have one limit",
        words="bubble-rate 5")
def _(lab):
    began = time.time()
    lab.settle()
    for number in range(40):
        mapped = (f"203.219.22.{number + 1}", 1234)
        lab.send(origin(*mapped) + bubble(teredo(PRIMARY, *mapped), lab.own),
                 MY_SERVER)
    sent, moved = lab.settle()
    most = 11 + 5 * (time.time() - began)
    lab.true(10 <= len(sent) <= most, f"{len(sent)} answers, not 10 to {most}")
    # on a slow machine the indirect ones are due, too, of those answered
    direct = moved.pop("tx_bubbles_direct")
    limited = moved.pop("tx_bubble_limited")
    lab.equal(direct + moved.pop("tx_bubbles_indirect", 0), len(sent), "sent")
    lab.true(40 - direct <= limited <= 40, f"{limited} limited")
    lab.equal(moved, {"rx_bubbles": 40}, "counters")


@client("SEC-48", "whatever leaves, it leaves from our own address and port")
def _(lab):
    trusted(lab)
    lab.out(to_peer(lab))
    lab.out(to_peer(lab, FAR))
    lab.out(to_peer(lab, wire.text6(STRANGER_ADDRESS)))
    lab.send(origin(*STRANGER) + bubble(STRANGER_ADDRESS, lab.own), MY_SERVER)
    sent, _ = lab.settle()
    lab.equal([d.src for d in sent], [ME] * 5, "sources")


def bad_port(lab):
    lab.unsent(to_peer(lab, teredo(PRIMARY, STRANGER[0], 0)), "tx_bad_port",
               [])
    for port in 1, 53, 1023, 65535:
        lab.out(to_peer(lab, teredo(PRIMARY, STRANGER[0], port)))
        sent, _ = lab.settle()
        lab.true((PRIMARY, PORT) in [d.dst for d in sent], f"port {port}")


for _mode in client, relay, host_relay:
    _mode("SEC-50 RL-TX-03 CL-TX-14", "an embedded port of 0: dropped, any "
          "other is allowed")(bad_port)


@server("SEC-50", "a bubble to an embedded port of 0: dropped")
def _(lab):
    lab.settle()
    lab.send(bubble(CLIENT_ADDRESS, teredo(PRIMARY, STRANGER[0], 0)))
    lab.expect(moved={"rx_bubbles": 1, "tx_bad_port": 1})


@client("SEC-18 CL-RX-09", "a reply without the nonce of the test: no proof")
def _(lab):
    lab.out(to_peer(lab, FAR))
    sent, _ = lab.settle()
    ident, nonce = test_in(lab, sent[0])
    for number, value in ((ident, bytes(8)), (ident, nonce[::-1]),
                          (ident, b""), (ident ^ 1, nonce)):
        lab.send(echo(FAR, lab.own, value, wire.ECHO_REPLY, number), STRANGER)
        lab.settle()
        lab.is_peer(FAR, "incomplete")
    lab.delivered()
    lab.send(echo(FAR, lab.own, nonce, wire.ECHO_REPLY, ident), FAR_RELAY)
    lab.settle()
    lab.is_peer(FAR, "trusted", FAR_RELAY)


@client("SEC-19", "a test goes through our own server, whence the reply comes "
        "is learned")
def _(lab):
    lab.out(to_peer(lab, FAR))
    sent, _ = lab.settle()
    ident, nonce = test_in(lab, sent[0])        # to the server, that is
    lab.send(echo(FAR, lab.own, nonce, wire.ECHO_REPLY, ident), STRANGER)
    lab.expect([(STRANGER, to_peer(lab, FAR))])
    lab.is_peer(FAR, "trusted", STRANGER)


@client("SEC-40 CL-RX-02", "a packet for another is not forwarded into the "
        "tunnel again")
def _(lab):
    trusted(lab)
    lab.arrived()               # of the row before
    for to in (teredo(OTHER_SERVER, *ME, 0), STRANGER_ADDRESS, FAR, NATIVE):
        lab.refused(udp6(CLIENT_ADDRESS, to, b"no"), "rx_not_mine")
    lab.equal(lab.arrived(), [], "forwarded")


@relay("SEC-44", "a client that there is not: four bubbles to the server that "
       "it names", clock=True)
def _(lab):
    lab.mark()
    for _ in range(30):
        lab.out(to_peer(lab, STRANGER_ADDRESS))
        lab.wait(1)
    sent, _ = lab.settle()
    lab.compare(sent, [(CLIENT_SERVER, bubble(HOST6, STRANGER_ADDRESS),
                        seconds) for seconds in (0, 2, 4, 6)])


@relay("SEC-44 CL-B-07", "many that name one server: bounded, others are not",
       words="server-rate 5")
def _(lab):
    began = time.time()
    for number in range(40):
        lab.out(to_peer(lab, teredo(PRIMARY, f"198.41.0.{number + 1}", 1)))
    sent, moved = lab.settle()
    most = 11 + 5 * (time.time() - began)
    lab.true(10 <= len(sent) <= most, f"{len(sent)} bubbles, not 10 to {most}")
    lab.equal(moved, {"tx_bubbles_indirect": len(sent),
                      "tx_bubble_limited": 40 - len(sent)}, "counters")
    lab.out(to_peer(lab, teredo(OTHER_SERVER, *STRANGER)))
    lab.equal([d.dst for d in lab.settle()[0]], [MY_SERVER], "another server")


# Exhaustion


@client("SEC-51 CL-B-02 CL-B-03 C-14 C-15", "a silent peer: four pairs, then "
        "none until 300 s are over", clock=True)
def _(lab):
    lab.mark()
    for _ in range(280):
        lab.out(to_peer(lab))
        lab.wait(1)
    sent, _ = lab.settle()
    lab.compare(sent, [(to, payload, seconds) for seconds in (0, 2, 4, 6)
                       for to, payload in pair(lab)])
    lab.wait(22)
    lab.out(to_peer(lab))
    lab.equal([d.dst for d in lab.settle()[0]],
              [to for to, _ in pair(lab)], "after 302 s")


@client("SEC-52 CL-P-01 CL-P-02", "a full table: the least useful goes first",
        words="max-peers 3")
def _(lab):
    trusted(lab)
    lab.out(to_peer(lab))
    lab.settle()
    for number in range(1, 9):
        lab.out(to_peer(lab, f"2620:2::{number}"))
    _, moved = lab.settle()
    lab.equal(moved.get("peer_evicted"), 6, "peer_evicted")
    peers = lab.control.peers()
    lab.equal(len(peers), 3, "peers")
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)


@client("SEC-52 CL-P-09", "peers that others make: limited in rate",
        words="peer-rate 5")
def _(lab):
    began = time.time()
    lab.settle()
    for number in range(40):
        mapped = (f"203.219.22.{number + 1}", 1234)
        lab.send(bubble(teredo(PRIMARY, *mapped), lab.own), mapped)
    _, moved = lab.settle()
    most = 11 + 5 * (time.time() - began)
    made = len(lab.control.peers())
    lab.true(10 <= made <= most, f"{made} peers, not 10 to {most}")
    lab.equal(moved, {"rx_bubbles": made, "peer_limit": 40 - made},
              "counters")


@client("SEC-53 C-34 CL-TX-20", "what waits for a peer is bounded")
def _(lab):
    packets = [udp6(lab.own, CLIENT_ADDRESS, b"%03u" % number)
               for number in range(20)]
    for packet in packets:
        lab.out(packet)
    _, moved = lab.settle()
    lab.equal(moved.get("tx_queue_full"), 16, "tx_queue_full")
    lab.bubbled(bubble(CLIENT_ADDRESS, lab.own),
                sent=[(CLIENT, packet) for packet in packets[16:]])


@client("SEC-53 C-34", "what waits for a test is no larger than what waits for "
        "a peer")
def _(lab):
    for size, moved in (8192, {"rx_test_limited": 1}), (8000, {"tx_tests": 1}):
        lab.settle()
        lab.link.send_parts(udp6(FAR, lab.own, bytes(size)), STRANGER, lab.here)
        lab.equal(lab.settle()[1], moved, f"counters of {size} octets")


@client("SEC-53 C-34", "what waits for a test takes no more memory than it may")
def _(lab):
    # each fragment is a buffer of its own
    for size, moved in (128, {"rx_test_limited": 1}), (1280, {"tx_tests": 1}):
        lab.settle()
        lab.link.send_parts(udp6(FAR, lab.own, bytes(4000)), STRANGER,
                            lab.here, size)
        lab.equal(lab.settle()[1], moved, f"counters, {size} octets each")


@server("SEC-55 SV-39", "a flood of solicitations: bounded for a network, "
        "others are served", words="rate 160")
def _(lab):
    began = time.time()
    lab.settle()
    for number in range(120):
        lab.send(rs(), (f"203.219.21.{number + 2}", 1234))
    sent, moved = lab.settle()
    most = 41 + 20 * (time.time() - began)
    lab.true(20 <= len(sent) <= most, f"{len(sent)} answers, not 20 to {most}")
    lab.equal(moved, {"tx_adverts": len(sent), "rx_rate": 120 - len(sent)},
              "counters")
    served = 0
    for number in range(8):
        lab.send(rs(), (f"198.41.{number}.4", 1234))
        served += len(lab.settle()[0])
    lab.true(served >= 6, f"{served} of 8 other networks served")


@client("SEC-56", "advertisements without a helper are dropped")
def _(lab):
    for _ in range(50):
        lab.send(wire.V3 + wire.ra(OTHER_SERVER), MY_SERVER)
    lab.expect(moved={"rx_ctrl_full": 50})


@client("SEC-56", "a flood of advertisements: 100 a second for the helper, the "
        "others are dropped, packets go on")
def _(lab):
    trusted(lab)
    helper = Control(lab.host, "teredo0")
    helper.bind()
    began = time.time()
    for _ in range(600):
        lab.send(wire.V3 + wire.ra(OTHER_SERVER), MY_SERVER)
    sent, moved = lab.settle()
    most = 201 + 100 * (time.time() - began)
    passed = moved.get("rx_ctrl", 0)
    lab.true(100 <= passed <= most, f"{passed} passed, not 100 to {most}")
    # a slow machine sends no more than that
    refused = {"rx_ctrl_full": 600 - passed} if passed < 600 else {}
    lab.equal((sent, moved), ([], {"rx_ctrl": passed, **refused}), "counters")
    lab.equal(helper.received(), (wire.V3 + wire.ra(OTHER_SERVER), MY_SERVER),
              "what the helper gets")
    lab.taken(udp6(CLIENT_ADDRESS, lab.own, b"data"))


# What is seen


@contextlib.contextmanager
def tracing():
    """Gives a function that reads what was traced"""
    if not (TRACING / "events").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "none", str(TRACING)],
                       check=True)
    enable = TRACING / "events/teredo/teredo_drop/enable"
    (TRACING / "trace").write_text("", encoding="ascii")
    enable.write_text("1", encoding="ascii")
    try:
        yield lambda: [
            line.split("teredo_drop: ")[1] for line in
            (TRACING / "trace").read_text(encoding="ascii").splitlines()
            if "teredo_drop: " in line]
    finally:
        enable.write_text("0", encoding="ascii")


def traced(direction, counter, endpoint=None, src="::", dst="::"):
    """The line of a drop"""
    where = "%s:%u" % (endpoint or ("0.0.0.0", 0))
    return (f"dev=teredo0 dir={direction} counter={counter} endpoint={where} "
            f"saddr={wire.text6(wire.ip6(src))} "
            f"daddr={wire.text6(wire.ip6(dst))}")


@client("SEC-67 SEC-54", "each drop is traced: counter, endpoint, addresses; "
        "no nonce")
def _(lab):
    trusted(lab)
    with tracing() as lines:
        lab.send(wire.auth() + udp6(CLIENT_ADDRESS, lab.own, b"no"))
        lab.send(b"\x60")
        lab.send(udp6(CLIENT_ADDRESS, FAR, b"no"))
        lab.send(udp6(CLIENT_ADDRESS, lab.own, b"no"), STRANGER)
        lab.send(udp6(CLIENT_ADDRESS, lab.own, b"no"), tos=3)
        lab.send(wire.auth() + wire.V3 + wire.ra(OTHER_SERVER), MY_SERVER)
        lab.settle()
        lab.out(udp6(HOST6, CLIENT_ADDRESS, b"no"))
        lab.out(to_peer(lab, teredo(PRIMARY, "10.0.0.1", 1234)))
        lab.settle()
        ll = wire.ra(OTHER_SERVER)
        lab.equal(lines(), [
            traced("rx", "rx_header", CLIENT, CLIENT_ADDRESS, lab.own),
            traced("rx", "rx_short", CLIENT),
            traced("rx", "rx_not_mine", CLIENT, CLIENT_ADDRESS, FAR),
            traced("rx", "rx_bad_mapping", STRANGER, CLIENT_ADDRESS, lab.own),
            traced("rx", "rx_ecn", CLIENT, CLIENT_ADDRESS, lab.own),
            traced("rx", "rx_ctrl_full", MY_SERVER, wire.text6(ll[8:24]),
                   wire.text6(ll[24:40])),
            traced("tx", "tx_source", CLIENT, HOST6, CLIENT_ADDRESS),
            traced("tx", "tx_not_global", None, lab.own,
                   teredo(PRIMARY, "10.0.0.1", 1234))], "trace")


@client("SEC-67", "nonces of tests are neither traced nor logged")
def _(lab):
    with tracing() as lines, kernel_log() as records:
        lab.out(to_peer(lab, FAR))
        sent, _ = lab.settle()
        ident, nonce = test_in(lab, sent[0])
        lab.send(echo(FAR, lab.own, bytes(8), wire.ECHO_REPLY, ident),
                 STRANGER)
        lab.send(udp6(FAR, lab.own, b"x"), STRANGER)
        lab.settle()
        seen = lines() + records()
        lab.true(bool(seen), "something is traced")
        for form in nonce.hex(), nonce[::-1].hex():
            lab.true(not any(form in line for line in seen), f"{seen}")


@client("SEC-68", "the host's firewall sees what is inside, and the datagrams")
def _(lab):
    trusted(lab)
    rules = """
        table inet t {
            chain in {
                type filter hook input priority 0
                iifname "teredo0" udp dport 6000 drop
                iifname "eth0" udp sport 9 drop
            }
            chain out {
                type filter hook output priority 0
                oifname "teredo0" udp dport 6000 drop
                oifname "eth0" udp dport 54111 drop
            }
        }"""
    subprocess.run(["ip", "netns", "exec", lab.host, "nft", "-f", "-"],
                   input=rules, text=True, check=True)
    try:
        inside = wire.Udp6(lab.host, 6001)
        with inside.sock:
            inside.sock.settimeout(0.2)
            for port in 6000, 6001:
                lab.send(udp6(CLIENT_ADDRESS, lab.own, b"%u" % port,
                              (5000, port)))
            lab.settle()
            lab.equal(inside.sock.recv(9), b"6001", "a port that is open")
        lab.equal(len(lab.delivered()), 2, "packets on the device")
        lab.send(udp6(CLIENT_ADDRESS, lab.own, b"no"), (CLIENT[0], 9))
        lab.expect()
        for packet in (udp6(lab.own, CLIENT_ADDRESS, b"no", (5000, 6000)),
                       udp6(lab.own, CLIENT_ADDRESS, b"yes")):
            with contextlib.suppress(PermissionError):
                lab.out(packet)
        lab.expect([(CLIENT, udp6(lab.own, CLIENT_ADDRESS, b"yes"))])
    finally:
        subprocess.run(["ip", "netns", "exec", lab.host, "nft", "delete",
                        "table", "inet", "t"], check=True)
