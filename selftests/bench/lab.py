# SPDX-License-Identifier: GPL-2.0
"""A router in a namespace of its own, and what it takes to forward

It forwards from a TAP device, which gen.c fills, to another device, with the
tunnel in between on either side.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

NS = "bench"
NATIVE, FAR = "2620:1::1", "2620:2::1"
RELAY = "192.88.99.1"
GATEWAY, ROUTER, INNER = (bytes.fromhex("02000000000" + n) for n in "129")

# packets of a measurement, measurements of a figure
COUNT, ROUNDS = 4000, 3


def run(*words, **more):
    """Its output; what it says when it fails"""
    done = subprocess.run(words, capture_output=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.decode()}")
    return done.stdout


def inside(*words, **more):
    return run("ip", "netns", "exec", NS, *words, **more)


def ip(*lines):
    run("ip", "-n", NS, "-b", "-", input="\n".join(lines).encode())


def link(name):
    """What `ip` tells of a device"""
    return json.loads(run("ip", "-n", NS, "-s", "-j", "link", "show", name))[0]


def ether(packet, to=ROUTER):
    """The packet as it comes in"""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return to + GATEWAY + kind + packet


def router(sink="link add sink type dummy", addresses=(RELAY,)):
    """Made anew; what leaves goes to a device that `sink` makes"""
    subprocess.run(["ip", "netns", "delete", NS], check=False,
                   stderr=subprocess.DEVNULL)
    run("ip", "netns", "add", NS)
    inside("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1",
           "net.ipv6.conf.default.accept_dad=0",
           "net.ipv4.conf.all.rp_filter=0",
           "net.ipv4.conf.default.rp_filter=0")
    ip("link set lo up",
       *(f"addr add {address}/32 dev lo" for address in addresses),
       "tuntap add dev gen mode tap vnet_hdr",
       f"link set gen address {ROUTER.hex(':')} addrgenmode none up",
       sink,
       "link set sink addrgenmode none arp off up",
       "addr add 2620:1::2/64 dev gen",
       # one neighbour for all clients, as behind a gateway
       "route add default via 192.0.2.1 dev sink onlink",
       "route add 2620:2::/32 dev sink")


# what comes out can be read
TAP = "tuntap add dev sink mode tap vnet_hdr"


class Generator:
    """gen.c, built in a folder"""

    def __init__(self, folder):
        self.program = os.path.join(folder, "gen")
        run("modprobe", "tun")
        run("cc", "-O2", "-Wall", "-Werror", "-o", self.program,
            os.path.join(HERE, "gen.c"))

    def send(self, frame, count=COUNT, rounds=1, options=()):
        """Nanoseconds, which are instructions, a packet"""
        out = inside(self.program, "-n", str(count), "-r", str(rounds),
                     *options, "gen", input=frame)
        return min(float(line) for line in out.split())


def stop():
    """From here on nothing passes: what remains is the generator"""
    inside("tc", "qdisc", "add", "dev", "gen", "clsact")
    inside("tc", "filter", "add", "dev", "gen", "ingress", "matchall",
           "action", "drop")


def forwarding(gen, frame, name, options=(), count=COUNT, least=0, more=0,
               rounds=ROUNDS):
    """What the router takes for a packet, the generator subtracted. `least`:
    octets that leave for one, if it may leave in parts; `more`: packets that
    the generator sends without counting them."""
    before = link("sink")["stats64"]["tx"]
    total = gen.send(frame, count, rounds, options)
    after = link("sink")["stats64"]["tx"]
    out = after["packets"] - before["packets"]
    if least:
        out = (after["bytes"] - before["bytes"]) // least
    # now and then a packet of the router's own leaves, too
    wanted = count * rounds + more
    if not wanted <= out < wanted * 1.1:
        sys.exit(f"{name}: {out} of {wanted} packets passed")
    stop()
    return total - gen.send(frame, count, ROUNDS, options)
