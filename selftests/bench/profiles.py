# SPDX-License-Identifier: GPL-2.0
"""Where the instructions go, function by function"""

import os
import re
import tempfile

from lab import COUNT, TAP, inside, router, run, stop
from paths import Fou, Plain, Server, Teredo, TeredoMany
from tables import met

# Samples a second. A packet takes the same each time: at one frequency the
# samples could hit the same few places over and over.
FREQUENCIES = 17011, 19001, 20011, 21013, 23003, 24001, 25013, 26003


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
    """By function, what costs most in a column first"""
    print("".join(f"{name:>13}" for name in names))
    print("".join(f"{sum(each.values()):13.0f}" for each in costs))
    symbols = {symbol for each in costs for symbol in each}
    for row in sorted(([each.get(symbol, 0) for each in costs] + [symbol]
                       for symbol in symbols), key=lambda row: -max(row[:-1])):
        if max(row[:-1]) >= 5:
            print("".join(f"{value:13.0f}" for value in row[:-1]), row[-1])


def forwarded(gen, out):
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


def new(gen):
    """A new peer: its first packet, its bubble, the packet out"""
    path = TeredoMany()

    def anew():
        router(TAP)
        path.up(gen)

    frames, _, _, options = met(path, 8000)
    columns(("teredo",), (sampled(gen, frames, options, anew),))


def server(gen):
    """What a server is asked"""
    names, costs = [], []
    for name, frame, _ in Server().frames():
        router(addresses=(Server.here, Server.second))
        Server().up()
        gen.send(frame, COUNT // 8)
        names.append(name.split()[0])
        costs.append(sampled(gen, frame))
    columns(names, costs)


PROFILES = {
    "out": lambda gen: forwarded(gen, True),
    "in": lambda gen: forwarded(gen, False),
    "new": new,
    "server": server,
}
