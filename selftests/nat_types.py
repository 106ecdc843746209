#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The NATs of nat_lab.py are what they are called: seen with plain UDP and no
Teredo, in the terms of RFC 4787 (NM-39 to NM-42, NM-44)"""

import sys

import nat_lab
from wire import Tap, Udp

QUIET = 0.3
PORT = 40002
ONE, TWO, THREE = "198.41.0.4", "198.41.1.4", "198.41.2.4"

# Mapping and filtering: independent of the endpoint, or dependent on address
# or port. And the mapping for a destination whose packet was there before
# ours: if the NAT drops it early, and if it takes it for its own.
TYPES = {
    "cone": ("endpoint", "endpoint", "kept", "kept"),
    "address": ("endpoint", "address", "kept", "changed"),
    "port": ("endpoint", "port", "kept", "changed"),
    "symmetric": ("port", "port", "changed", "changed"),
}
# From where a neighbour sees what is sent to its mapping
HAIRPINS = {(): "nothing", ("hairpin",): "mapping", ("internal",): "inside"}


def answered(sock, peer, word):
    """From where the peer sees what sock sends it"""
    for _ in range(10):
        sock.send(word, peer.sock.getsockname())
        got = peer.receive(QUIET)
        while got and got[0] != word:
            got = peer.receive(QUIET)
        if got:
            return got[1]
    return None


def drain(sock):
    got = []
    while (datagram := sock.receive(QUIET)):
        got.append(datagram[0])
    return got


def probe(client, core):
    inner = Udp(client, "0.0.0.0", PORT)
    near = Udp(core, ONE, 7001)
    mapped = answered(inner, near, b"near")

    # Filtering, as long as nothing was sent to these
    other_port = Udp(core, ONE, 7002)
    other_address = Udp(core, TWO, 7001)
    other_port.send(b"port", mapped)
    other_address.send(b"address", mapped)
    got = drain(inner)
    if b"address" in got:
        filtering = "endpoint"
    else:
        filtering = "address" if b"port" in got else "port"

    # Mapping, to destinations that have sent nothing
    seen = [answered(inner, Udp(core, address, 7004), b"map")
            for address in (ONE, TWO)]
    if seen == [mapped, mapped]:
        mapping = "endpoint"
    else:
        mapping = "address" if seen[0] == mapped else "port"

    # The destination's packet is there before ours. Last, since Linux gives a
    # changed port to later destinations as well.
    stray = Udp(core, THREE, 7003)
    stray.send(b"stray", mapped)
    drain(inner)
    changed = answered(inner, stray, b"stray") != mapped
    return mapping, filtering, "changed" if changed else "kept"


def hairpin(one, other, core):
    """How the first host's packet for the other's mapping arrives"""
    inner = Udp(one, "0.0.0.0", PORT)
    neighbour = Udp(other, "0.0.0.0", PORT + 1)
    near = Udp(core, ONE, 7001)
    mine = answered(inner, near, b"mine")
    inner.send(b"hairpin", answered(neighbour, near, b"other"))
    got = neighbour.receive(QUIET * 3)
    if not got:
        return "nothing"
    return "mapping" if got[1] == mine else "inside"


def main():
    tap = Tap()
    print("TAP version 13", flush=True)
    with nat_lab.Lab() as lab:
        lab.core.ip(*(f"addr add {address}/32 dev lo"
                      for address in (ONE, TWO, THREE)))
        sites, number = [], 0
        for words in ((), ("input",), *filter(None, HAIRPINS)):
            for kind in TYPES if words in ((), ("input",)) else ("port",):
                number += 1
                nat = lab.nat(f"nat{number}", f"84.16.{number}.1",
                              "192.168.1", kind, words)
                hosts = [lab.namespace(f"h{number}{n}") for n in (0, 1)]
                for n, host in enumerate(hosts):
                    lab.behind(nat, host, 2 + n, PORT + n)
                sites.append((kind, words, hosts))
        lab.build()
        core = lab.core.name
        for kind, words, (one, other) in sites:
            if words in ((), ("input",)):
                mapping, filtering, *stray = TYPES[kind]
                tap.equal(probe(one.name, core),
                          (mapping, filtering, stray["input" in words]),
                          f"{kind} NAT{' with input' if words else ''}: "
                          "mapping, filtering, after a stray packet")
            if words != ("input",):
                tap.equal(hairpin(one.name, other.name, core),
                          HAIRPINS[words], f"NM-44: {kind} NAT, to a "
                          f"neighbour: {HAIRPINS[words]}"
                          if kind == "port" else
                          f"{kind} NAT, no hairpin")
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
