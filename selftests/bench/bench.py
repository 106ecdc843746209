#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a packet costs a router, in instructions

bench.py [--quick]           the table
bench.py --profile PATH DIR  where they go, function by function; DIR is `out`
                             (native to tunnel) or `in`

For a VM whose clock counts instructions (vm.sh -i): `make bench` starts it. One
router forwards from a TAP device, which gen.c fills, to a dummy device, with
the tunnel in between on either side. What the generator itself takes, with
the packets dropped as soon as the stack has them, is subtracted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import wire     # noqa: E402  pylint: disable=wrong-import-position

NS = "bench"
RELAY, CLIENT4, PORT = "192.88.99.1", "50.0.0.1", 40001
HERE4, THERE4 = (RELAY, 3545), (CLIENT4, PORT)
CLIENT = wire.text6(wire.teredo("65.54.227.142", CLIENT4, PORT))
NATIVE, FAR = "2620:1::1", "2620:2::1"
GATEWAY, ROUTER, INNER = (bytes.fromhex("02000000000" + n) for n in "129")

# packets of a measurement, measurements of a figure, and devices made anew
COUNT, ROUNDS = 4000, 3


def run(*words, **more):
    """Its output; what it says when it fails"""
    done = subprocess.run(words, capture_output=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def inside(*words, **more):
    return run("ip", "netns", "exec", NS, *words, **more)


def ip(*lines):
    run("ip", "-n", NS, "-b", "-", input="\n".join(lines).encode())


def link(name):
    """What `ip` tells of a device"""
    return json.loads(run("ip", "-n", NS, "-s", "-j", "link", "show", name))[0]


def ether(packet, to=ROUTER):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return to + GATEWAY + kind + packet


class Plain:
    """Forwarding without a tunnel: the limit"""
    name = "plain IPv6 forwarding"
    payload = b""       # in front of the IPv6 packet, inside UDP

    def up(self):
        ip("route add 2001::/32 dev sink")

    def inner(self, out, size):
        """IPv6 and UDP headers included"""
        src, dst = (NATIVE, CLIENT) if out else (CLIENT, FAR)
        return wire.udp6(src, dst, bytes(size - 48))

    def frame(self, out, size):
        """As it comes in, from the native side (out) or the tunnel's"""
        return ether(self.inner(out, size))


class Teredo(Plain):
    """A relay with one client"""
    name = "teredo"

    def up(self):
        ip(f"link add t0 type teredo mode relay local {RELAY} port {HERE4[1]}",
           "link set t0 up",
           "route add 2001::/32 dev t0")
        send(self.frame(True, 64), 1)
        send(ether(wire.udp4(THERE4, HERE4, wire.bubble(CLIENT, NATIVE))), 1)

    def frame(self, out, size):
        packet = self.inner(out, size)
        return ether(packet if out else wire.udp4(THERE4, HERE4, packet))


class Fou(Teredo):
    """The same datagrams, by a tunnel with one endpoint"""
    name = "sit over fou"

    def up(self):
        run("modprobe", "-a", "fou", "sit")
        inside("ip", "fou", "add", "port", str(HERE4[1]), "ipproto", "41")
        ip(f"link add t0 type sit local {RELAY} remote {CLIENT4} ttl 64 "
           f"encap fou encap-sport {HERE4[1]} encap-dport {PORT} encap-csum",
           "link set t0 up",
           "route add 2001::/32 dev t0")


class Vxlan(Teredo):
    """Ethernet in UDP"""
    name = "vxlan"
    words = f"vxlan id 1 dstport {HERE4[1]} local {RELAY}"
    header = "0800000000000100"

    def up(self):
        ip(f"link add t0 type {self.words} remote {CLIENT4} udpcsum",
           "link set t0 addrgenmode none up",
           f"neigh add fe80::1 lladdr {INNER.hex(':')} dev t0",
           "route add 2001::/32 via fe80::1 dev t0")

    def frame(self, out, size):
        packet = self.inner(out, size)
        if not out:
            mac = bytes.fromhex(link("t0")["address"].replace(":", ""))
            packet = wire.udp4(THERE4, HERE4, bytes.fromhex(self.header) +
                               ether(packet, mac))
        return ether(packet)


class Geneve(Vxlan):
    """Ethernet in UDP"""
    name = "geneve"
    words = f"geneve id 1 dstport {HERE4[1]}"
    header = "0000655800000100"


PATHS = (Plain, Teredo, Fou, Vxlan, Geneve)


def router():
    """A namespace of its own, made anew"""
    subprocess.run(["ip", "netns", "delete", NS], check=False,
                   stderr=subprocess.DEVNULL)
    run("ip", "netns", "add", NS)
    inside("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1",
           "net.ipv6.conf.default.accept_dad=0",
           "net.ipv4.conf.all.rp_filter=0",
           "net.ipv4.conf.default.rp_filter=0")
    ip("link set lo up",
       f"addr add {RELAY}/32 dev lo",
       "tuntap add dev gen mode tap vnet_hdr",
       f"link set gen address {ROUTER.hex(':')} addrgenmode none up",
       "link add sink type dummy",
       "link set sink addrgenmode none up",
       "addr add 2620:1::2/64 dev gen",
       "route add default dev sink",
       "route add 2620:2::/32 dev sink")


def send(frame, count, rounds=1):
    """Nanoseconds, which are instructions, a packet and round"""
    out = inside(GEN, "-n", str(count), "-r", str(rounds), "gen", input=frame)
    return min(float(line) for line in out.split())


def cost(path, out, size):
    """Of one packet, the generator subtracted"""
    router()
    path.up()
    frame = path.frame(out, size)
    send(frame, COUNT // 8)             # caches, routes
    before = link("sink")["stats64"]["tx"]["packets"]
    total = send(frame, COUNT, ROUNDS)
    passed = link("sink")["stats64"]["tx"]["packets"] - before
    # now and then a packet of the router's own leaves, too
    if not 0 <= passed - COUNT * ROUNDS < 10:
        sys.exit(f"{path.name}: {passed} of {COUNT * ROUNDS} packets passed")
    inside("tc", "qdisc", "add", "dev", "gen", "clsact")
    inside("tc", "filter", "add", "dev", "gen", "ingress", "matchall",
           "action", "drop")
    return total - send(frame, COUNT, ROUNDS)


def table(quick):
    """Each path beside what the closest tunnel takes"""
    print(f"{'bytes':>5} {'way':3} {'path':24}{'cost':>7}{'added':>7}"
          f"{'added, of sit over fou':>24}{'whole':>7}")
    for size in (64,) if quick else (64, 512, 1232):
        for out in True, False:
            costs = {path: min(cost(path(), out, size)
                               for _ in range(2 if quick else 8))
                     for path in PATHS}
            plain, fou = costs[Plain], costs[Fou]
            for path, value in costs.items():
                added = value - plain
                print(f"{size:5} {'out' if out else 'in':3} {path.name:24}"
                      f"{value:7.0f}{added:7.0f}"
                      f"{added / (fou - plain):24.2f}{value / fou:7.2f}",
                      flush=True)


def profile(name, out):
    """By function, with the generator's own"""
    path = {path.name: path for path in PATHS}[name]()
    router()
    path.up()
    frame = path.frame(out, 64)
    send(frame, COUNT // 8)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        run("sysctl", "-qw", "kernel.perf_cpu_time_max_percent=0")
        inside("perf", "record", "-q", "-g", "-o", data, "-e", "cpu-clock",
               "-F", "19997", "-a", "--", GEN, "-n", str(COUNT * 15), "gen",
               input=frame)
        print(run("perf", "report", "-i", data, "--stdio", "--no-children",
                  "-g", "caller,0.5,callee,function,percent",
                  "--max-stack", "4", "--percent-limit", "0.4").decode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--profile", nargs=2, metavar=("PATH", "DIR"))
    args = parser.parse_args()
    run("modprobe", "tun")
    run("cc", "-O2", "-Wall", "-Werror", "-o", GEN,
        os.path.join(HERE, "gen.c"))
    if args.profile:
        profile(args.profile[0], args.profile[1] == "out")
    else:
        table(args.quick)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GEN = os.path.join(scratch, "gen")
        main()
