#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a packet costs a router, in instructions

bench.py [TABLE...]          tables, all if none is named
bench.py --profile WHAT      where they go, function by function; WHAT is `out`
                             (native to tunnel), `in`, `new` (a new peer), or
                             `server`

For a VM whose clock counts instructions (vm.sh -i): `make bench` starts it.
What the generator itself takes, with the packets dropped as soon as the stack
has them, is subtracted.
"""

import argparse
import os
import re
import sys
import tempfile
import time

from lab import COUNT, ROUNDS, TAP, Generator, forwarding, inside, router, \
    run, stop
from paths import IN_OPTIONS, OUT_OPTIONS, Fou, Geneve, Miredo, MiredoMany, \
    MiredoServer, Plain, Server, Teredo, TeredoMany, Vxlan

# A figure is the least of so many, with the devices made anew
AGAIN = 8

# Samples a second. A packet takes the same each time: at one frequency the
# samples could hit the same few places over and over.
FREQUENCIES = 17011, 19001, 20011, 21013, 23003, 24001, 25013, 26003


def cost(gen, path, out, size):
    """Of one packet"""
    router()
    path.up(gen)
    frame = path.frame(out, size)
    gen.send(frame, COUNT // 8)             # caches, routes
    return forwarding(gen, frame, path.name)


def way(out):
    return "out" if out else "in"


def packets(gen, sizes=(64, 512, 1232), again=AGAIN):
    """Small and large packets, each path beside the closest tunnel"""
    print(f"{'bytes':>5} {'way':3} {'path':24}{'cost':>7}{'added':>7}"
          f"{'added, of sit over fou':>24}{'whole':>7}")
    for size in sizes:
        for out in True, False:
            costs = {path: min(cost(gen, path(), out, size)
                               for _ in range(again))
                     for path in (Plain, Teredo, Fou, Vxlan, Geneve)}
            plain, fou = costs[Plain], costs[Fou]
            for path, value in costs.items():
                added = value - plain
                print(f"{size:5} {way(out):3} {path.name:24}"
                      f"{value:7.0f}{added:7.0f}"
                      f"{added / (fou - plain):24.2f}{value / fou:7.2f}",
                      flush=True)


def quick(gen):
    """Small packets, in two minutes"""
    packets(gen, (64,), 2)


def free_memory():
    """Octets"""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemFree:\s+(\d+)", file.read())[1]) * 1024


def await_no_peers():
    """Those of the former router are gone a little later than it"""
    for _ in range(1000):
        with open("/proc/slabinfo", encoding="ascii") as file:
            found = re.search(r"^teredo_peer\s+(\d+)", file.read(), re.M)
        if not found or found[1] == "0":
            return
        time.sleep(0.1)
    sys.exit("there are peers left")


def peers(gen):
    """Packets of clients by chance, and what a client takes of memory"""
    print(f"{'peers':>8} {'out':>6} {'of one':>7} {'in':>6} {'of one':>7}"
          f" {'octets a peer':>14}")
    one = None
    for n in 1, 1000, 100000, 1000000:
        path, costs = TeredoMany(), []
        for out in True, False:
            router()
            path.up(gen)
            await_no_peers()
            before = free_memory()
            options = ("-p", str(n)) + IN_OPTIONS
            gen.send(path.bubble(), rounds=1, options=options + ("-s",))
            octets = (before - free_memory()) / n
            if out:
                options = ("-p", str(n), "-a") + OUT_OPTIONS
            costs.append(forwarding(gen, path.frame(out, 64), path.name,
                                    options, more=n * out))
        one = one or costs
        print(f"{n:8} {costs[0]:6.0f} {costs[0] / one[0]:7.2f} "
              f"{costs[1]:6.0f} {costs[1] / one[1]:7.2f} " +
              (f"{octets:14.0f}" if n >= 100000 else f"{'-':>14}"),
              flush=True)


def reading(gen, out=True, size=64):
    """What gen.c takes that also reads what comes out"""
    router()
    Plain().up(gen)
    frame = Plain().frame(out, size)
    plain = forwarding(gen, frame, Plain.name)
    router(TAP)
    Plain().up(gen)
    return gen.send(frame, COUNT, ROUNDS, ("-o", "sink", "-m", "64")) - plain


def miredo(gen):
    """The relay beside Miredo's, which takes the packets one by one"""
    print(f"{'bytes':>5} {'way':3} {'teredo':>7} {'miredo':>7} {'of it':>6}")
    for size in 64, 512, 1232:
        for out in True, False:
            base, costs = reading(gen, out, size), []
            for path in Teredo(), Miredo():
                router(TAP)
                path.up(gen)
                options = ("-o", "sink", "-m", str(size))
                costs.append(gen.send(path.frame(out, size), COUNT, ROUNDS,
                                      options) - base)
                path.down()
            print(f"{size:5} {way(out):3} {costs[0]:7.0f} {costs[1]:7.0f} "
                  f"{costs[0] / costs[1]:6.2f}", flush=True)

    base, costs = reading(gen), []
    for path in TeredoMany(), MiredoMany():
        router(TAP)
        path.up(gen)
        costs.append(new_peer(gen, path) - 2 * base)
        path.down()
    print(f"  new peer  {costs[0]:7.0f} {costs[1]:7.0f} "
          f"{costs[0] / costs[1]:6.2f}", flush=True)


def new_peer(gen, path, n=2000):
    """A packet for a client not known yet, its bubble, the packet out"""
    frame = path.frame(True, 64)
    return gen.send(frame + path.bubble(), options=(
        "-s", "-p", str(n), "-o", "sink", *OUT_OPTIONS, "-m", "60",
        "-l", str(len(frame)), *IN_OPTIONS, "-m", "106"))


# octets of a segment that fits the MTU, of a merged packet of a stream
SEGMENT, MERGED = 1220, 1220 * 49


def stream(gen):
    """A TCP stream to a client, merged on arrival, instructions per MB"""
    mb = 1e6 / MERGED
    offloads = "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"
    print(f"{'':32}{'plain':>9}{'teredo':>9}{'sit':>9}{'of it':>6}")
    for name, cut in (("a card that cuts", False), ("cut before it", True)):
        costs = []
        for path in Plain(), Teredo(), Fou():
            router()
            if cut:
                inside("ethtool", "-K", "sink",
                       *(word for each in offloads for word in (each, "off")))
            path.up(gen)
            frame = path.merged(MERGED)
            options = ("-g", str(SEGMENT))
            gen.send(frame, COUNT // 8, options=options)
            costs.append(forwarding(gen, frame, path.name, options,
                                    COUNT // 8, len(frame)) * mb)
        print(f"{name:32}{costs[0]:9.0f}{costs[1]:9.0f}{costs[2]:9.0f}"
              f"{costs[1] / costs[2]:6.2f}", flush=True)

    costs = []
    for path in Teredo(), Miredo():
        router(TAP)
        path.up(gen)
        frame = path.merged(MERGED)
        options = ("-g", str(SEGMENT), "-o", "sink", "-m", str(SEGMENT),
                   "-x", str(MERGED // SEGMENT))
        costs.append(gen.send(frame, COUNT // 40, ROUNDS, options) * mb)
        path.down()
    print(f"{'generator and reader with it':32}{'':9}{costs[0]:9.0f} miredo"
          f" {costs[1]:9.0f}{costs[0] / costs[1]:6.2f}", flush=True)


def server(gen):
    """What a client asks of a server, beside Miredo's"""
    base = reading(gen)
    print(f"{'exchange':20} {'teredo':>7} {'miredo':>7} {'of it':>6}")
    servers = Server(), MiredoServer()
    for name, frame, least in Server().frames():
        costs = []
        for each in servers:
            router(TAP, (Server.here, Server.second))
            each.up()
            costs.append(gen.send(frame, COUNT, ROUNDS, (
                "-o", "sink", "-m", str(least))) - base)
            each.down()
        print(f"{name:20} {costs[0]:7.0f} {costs[1]:7.0f} "
              f"{costs[0] / costs[1]:6.2f}", flush=True)


def sampled(gen, frame, options=(), anew=None):
    """Instructions of one packet by function, the generator's own, too. What
    has to be made anew for each frequency is `anew`."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        for frequency in FREQUENCIES:
            if anew:
                anew()
            spent = inside("perf", "record", "-q", "-o", data, "-e",
                           "cpu-clock", "-F", str(frequency), "-a", "--",
                           gen.program, "-n", str(COUNT * 4), *options,
                           "gen", input=frame)
            report = run("perf", "report", "-i", data, "--stdio", "-q",
                         "--sort", "symbol", "-F", "overhead,symbol").decode()
            for share, symbol in re.findall(r"([\d.]+)%\s+\[.\] (\S+)",
                                            report):
                found[symbol] = found.get(symbol, 0) + \
                    float(share) / 100 * float(spent) / len(FREQUENCIES)
    return found


def columns(names, costs):
    """By function, what costs most in the second column first"""
    print("".join(f"{name:>13}" for name in names))
    print("".join(f"{sum(each.values()):13.0f}" for each in costs))
    symbols = {symbol for each in costs for symbol in each}
    for row in sorted(([each.get(symbol, 0) for each in costs] + [symbol]
                       for symbol in symbols), key=lambda row: -max(row[:-1])):
        if max(row[:-1]) >= 5:
            print("".join(f"{value:13.0f}" for value in row[:-1]), row[-1])


def profile(gen, out):
    """A packet that is forwarded, the generator subtracted"""
    compared = Plain, Teredo, Fou
    costs = []
    for path in (path() for path in compared):
        router()
        path.up(gen)
        frame = path.frame(out, 64)
        gen.send(frame, COUNT // 8)
        costs.append(sampled(gen, frame))
        stop()
        for symbol, value in sampled(gen, frame).items():
            costs[-1][symbol] = costs[-1].get(symbol, 0) - value
    columns([path.name.split()[0] for path in compared], costs)


def profile_new(gen):
    """A new peer: its first packet, its bubble, the packet out"""
    path = TeredoMany()

    def anew():
        router(TAP)
        path.up(gen)

    frame = path.frame(True, 64)
    columns(("teredo",), (sampled(gen, frame + path.bubble(), (
        "-s", "-p", "8000", "-o", "sink", *OUT_OPTIONS, "-m", "60",
        "-l", str(len(frame)), *IN_OPTIONS, "-m", "106"), anew),))


def profile_server(gen):
    """What a server is asked"""
    names, costs = [], []
    for name, frame, _ in Server().frames():
        router(addresses=(Server.here, Server.second))
        Server().up()
        gen.send(frame, COUNT // 8)
        names.append(name.split()[0])
        costs.append(sampled(gen, frame))
    columns(names, costs)


TABLES = {table.__name__: table
          for table in (quick, packets, stream, peers, miredo, server)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE",
                        help=", ".join(TABLES))
    parser.add_argument("--profile", choices=("out", "in", "new",
                                                "server"))
    args = parser.parse_args()
    for name in args.tables:
        if name not in TABLES:
            parser.error(f"there is no table '{name}'")
    with tempfile.TemporaryDirectory() as folder:
        gen = Generator(folder)
        if args.profile:
            run("sysctl", "-qw", "kernel.perf_cpu_time_max_percent=0")
            if args.profile == "new":
                profile_new(gen)
            elif args.profile == "server":
                profile_server(gen)
            else:
                profile(gen, args.profile == "out")
            return
        for name in args.tables or [name for name in TABLES
                                    if name != "quick"]:
            print(f"# {TABLES[name].__doc__}", flush=True)
            TABLES[name](gen)


if __name__ == "__main__":
    main()
