# SPDX-License-Identifier: GPL-2.0
"""What a packet costs a router, in instructions: a table each

What the generator itself takes, with the packets dropped as soon as the stack
has them, is subtracted. Each returns what a plot needs of it.
"""

import re
import sys
import time

from lab import COUNT, ROUNDS, TAP, forwarding, inside, link, router, run, stop
from paths import IN_OPTIONS, OUT_OPTIONS, Fou, Geneve, Miredo, MiredoMany, \
    MiredoServer, Plain, Server, Teredo, TeredoMany, Vxlan

# A figure is the least of so many, with the devices made anew
AGAIN, AGAIN_STREAM = 8, 4


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
    rows = []
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
                rows.append((size, way(out), path.name, value))
    return rows


def quick(gen):
    """Small packets, in two minutes"""
    return packets(gen, (64,), 2)


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
    one, rows = None, []
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
            # the table may be growing still in the first rounds
            costs.append(forwarding(gen, path.frame(out, 64), path.name,
                                    options, more=n * out, rounds=10))
        one = one or costs
        rows.append((n, *costs))
        print(f"{n:8} {costs[0]:6.0f} {costs[0] / one[0]:7.2f} "
              f"{costs[1]:6.0f} {costs[1] / one[1]:7.2f} " +
              (f"{octets:14.0f}" if n >= 100000 else f"{'-':>14}"),
              flush=True)
    return rows


def reading(gen, out=True, size=64, plain=None, more=()):
    """What gen.c takes that also reads what comes out. `plain`: what it costs
    the router, if that is known."""
    if plain is None:
        router()
        Plain().up(gen)
        plain = forwarding(gen, Plain().frame(out, size), Plain.name)
    router(TAP)
    Plain().up(gen)
    return gen.send(Plain().frame(out, size), COUNT, ROUNDS,
                    ("-o", "sink", "-m", str(size), *more)) - plain


def miredo(gen):
    """The relay beside Miredo's, which takes the packets one by one"""
    rows = []
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
            rows.append((f"{size} octets {way(out)}", *costs))

    base, costs = reading(gen), []
    for path in TeredoMany(), MiredoMany():
        router(TAP)
        path.up(gen)
        costs.append(new_peer(gen, path) - 2 * base)
        path.down()
    print(f"  new peer  {costs[0]:7.0f} {costs[1]:7.0f} "
          f"{costs[0] / costs[1]:6.2f}", flush=True)
    # an instruction is a nanosecond here
    print(f"  a second  {1e9 / costs[0]:7.0f} {1e9 / costs[1]:7.0f} "
          f"{costs[1] / costs[0]:6.2f}", flush=True)
    rows.append(("new peer", *costs))
    return rows


def new_peer(gen, path, n=2000):
    """A packet for a client not known yet, its bubble, the packet out"""
    return gen.send(*met(path, n))


def met(path, n):
    """Frames and options for that, of so many clients in turn"""
    frame = path.frame(True, 64)
    return frame + path.bubble(), n, 1, (
        "-s", "-p", str(n), "-o", "sink", *OUT_OPTIONS, "-m", "60",
        "-l", str(len(frame)), *IN_OPTIONS, "-m", "106")


def exchange(gen):
    """A request and its response, one at a time"""
    # now and then one takes 600 more, for many rounds on end, without a tunnel
    # too: so there are enough to see the other state
    rounds = 4 * ROUNDS

    def both(path):
        router(TAP)
        path.up(gen)
        frame = path.frame(True, 64)
        total = gen.send(frame + path.frame(False, 64), COUNT // 2, rounds, (
            "-w", "1", "-o", "sink", "-m", "64", "-l", str(len(frame)),
            "-m", "64"))
        path.down()
        return total

    def least(path):
        return min(both(path()) for _ in range(AGAIN))

    plain = sum(min(cost(gen, Plain(), out, 64) for _ in range(AGAIN))
                for out in (True, False))
    base = least(Plain) - plain
    costs = [plain] + [least(path) - base for path in (Teredo, Fou, Miredo)]
    print(f"{'plain':>9}{'teredo':>9}{'sit':>9}{'of it':>6}"
          f"{'miredo':>9}{'of it':>6}")
    print(f"{costs[0]:9.0f}{costs[1]:9.0f}{costs[2]:9.0f}"
          f"{costs[1] / costs[2]:6.2f}{costs[3]:9.0f}"
          f"{costs[1] / costs[3]:6.2f}", flush=True)


# octets of a segment that fits the MTU, of a merged packet of a stream
SEGMENT, MERGED = 1220, 1220 * 49
OFFLOADS = "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"


def keep_whole():
    """A card that cuts, but not what is in a tunnel"""
    inside("ethtool", "-K", "sink",
           *(word for each in OFFLOADS for word in (each, "off")))


def stream_out(gen, path, cut, streams=1):
    """Merged on arrival, of one packet"""
    router()
    if cut:
        keep_whole()
    path.up(gen)
    frame = path.merged(MERGED)
    options = ("-g", str(SEGMENT), "-c", str(14 + 40), "-e", str(streams))
    gen.send(frame, COUNT // 8, options=options)
    return forwarding(gen, frame, path.name, options, COUNT // 8, len(frame))


def stream_out_read(gen, path):
    """The same, cut before it is read, the reader included"""
    router(TAP)
    path.up(gen)
    total = gen.send(path.merged(MERGED), COUNT // 40, ROUNDS, (
        "-g", str(SEGMENT), "-o", "sink", "-m", str(SEGMENT),
        "-x", str(MERGED // SEGMENT)))
    path.down()
    return total


def stream_in(gen, path, streams):
    """Segments from clients, merged on arrival or in the socket; of one"""
    frame, tcp = path.segment(SEGMENT)
    options = ("-c", str(tcp), "-e", str(streams))
    if tcp > 14 + 40:
        options += ("-i", "14")
    router()
    # packets of several polls are merged, as with a card that has more
    inside("sh", "-c", "echo 20000000 >/sys/class/net/gen/gro_flush_timeout")
    path.up(gen)
    gen.send(frame, COUNT // 8, 1, options)
    before = link("sink")["stats64"]["tx"]
    total = gen.send(frame, COUNT, ROUNDS, options)
    after = link("sink")["stats64"]["tx"]
    segments = (after["bytes"] - before["bytes"]) / SEGMENT
    number = after["packets"] - before["packets"]
    if not 0.99 < segments / (COUNT * ROUNDS) < 1.1 or number > segments / 20:
        sys.exit(f"{path.name}: {COUNT * ROUNDS} segments went in, "
                 f"{segments:.0f} came out in {number} packets")
    stop()
    inside("ethtool", "-K", "gen", "gro", "off")
    return total - gen.send(frame, COUNT, ROUNDS, options)


def several(streams):
    return f"{streams} stream{'s' * (streams > 1)}"


def stream(gen):
    """TCP streams, instructions per MB"""
    whole, each = 1e6 / MERGED, 1e6 / SEGMENT
    print(f"{'':36}{'plain':>9}{'teredo':>9}{'sit':>9}{'of it':>6}"
          f"{'miredo':>9}{'of it':>6}")

    def least(measure, *args):
        return [min(measure(gen, path(), *args) for _ in range(AGAIN_STREAM))
                for path in (Plain, Teredo, Fou)]

    def line(name, costs, miredo_s):
        print(f"{name:36}{costs[0]:9.0f}{costs[1]:9.0f}{costs[2]:9.0f}"
              f"{costs[1] / costs[2]:6.2f}{miredo_s:9.0f}"
              f"{costs[1] / miredo_s:6.2f}", flush=True)

    base = stream_out_read(gen, Plain()) - stream_out(gen, Plain(), True)
    miredo_s = (stream_out_read(gen, Miredo()) - base) * whole
    for name, cut in (("a card that cuts", False),
                      ("cut before the card", True)):
        for streams in 1, 8:
            line(f"out, {several(streams)}, {name}",
                 [cost * whole for cost in least(stream_out, cut, streams)],
                 miredo_s)

    base = reading(gen, False, SEGMENT + 60)
    router(TAP)
    path = Miredo()
    path.up(gen)
    miredo_s = (gen.send(path.frame(False, SEGMENT + 60), COUNT, ROUNDS, (
        "-o", "sink", "-m", str(SEGMENT))) - base) * each
    path.down()
    for streams in 1, 8:
        line(f"in, {several(streams)}, merged",
             [cost * each for cost in least(stream_in, streams)], miredo_s)


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
        print(f"{'  a second':20} {1e9 / costs[0]:7.0f} {1e9 / costs[1]:7.0f} "
              f"{costs[1] / costs[0]:6.2f}", flush=True)


def lines(gen):
    """What lies in which cache line of a peer"""
    del gen
    module = run("modinfo", "-n", "teredo").decode().strip()
    print(run("pahole", "-C", "teredo_peer", module).decode())


TABLES = {table.__name__: table
          for table in (quick, packets, stream, exchange, peers, miredo,
                        server, lines)}
