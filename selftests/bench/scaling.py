#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How much more do two CPUs forward than one?

For a VM with two CPUs and the ordinary clock: `selftests/bench.sh scaling`
starts it. Each CPU has a generator with a device of its own. The paths take
turns, so that what else the machine does is the same for all.
"""

import os
import statistics
import subprocess
import sys
import tempfile

from lab import NS, ROUTER, Generator, ip, router
from paths import IN_OPTIONS, OUT_OPTIONS, Fou, Plain, Teredo, TeredoMany

TIMES = 5
PACKETS = 60000
CLIENTS = 1000


def generators(gen, frame, options, cpus):
    """Packets a microsecond, of all of them together"""
    started = [subprocess.Popen(
        ["taskset", "-c", str(cpu), "ip", "netns", "exec", NS, gen.program,
         "-n", str(PACKETS), *options, f"gen{cpu or ''}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE) for cpu in cpus]
    rate = 0
    for process in started:
        process.stdin.write(frame)
        process.stdin.close()
    for process in started:
        rate += 1000 / float(process.stdout.read())
        if process.wait():
            sys.exit("a generator failed")
    return rate


def rates(gen, path, out, options):
    """With one CPU, with two"""
    router()
    ip("tuntap add dev gen1 mode tap vnet_hdr",
       f"link set gen1 address {ROUTER.hex(':')} addrgenmode none up")
    path.up(gen)
    if options:
        gen.send(path.bubble(), options=("-s", "-p", str(CLIENTS)) +
                 IN_OPTIONS)
        options = ("-p", str(CLIENTS), "-a") + options
    frame = path.frame(out, 64)
    return [generators(gen, frame, options, cpus) for cpus in ((0,), (0, 1))]


def main():
    if os.cpu_count() < 2:
        sys.exit("this takes two CPUs")
    cases = [(way, name, kind, out, options)
             for way, out, more in (("out", True, OUT_OPTIONS),
                                    ("in", False, IN_OPTIONS))
             for name, kind, options in (
                 ("no tunnel", Plain, ()),
                 ("sit over fou, one endpoint", Fou, ()),
                 ("teredo, one client", Teredo, ()),
                 (f"teredo, {CLIENTS} clients", TeredoMany, more))]
    found = {case[:2]: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        gen = Generator(folder)
        for _ in range(TIMES):
            for way, name, kind, out, options in cases:
                found[way, name].append(rates(gen, kind(), out, options))
    print(f"{'way':3} {'path':28}{'1 CPU':>8}{'2 CPUs':>8}{'of it':>7}"
          "   least and most of that")
    for (way, name), runs in found.items():
        one, two = (statistics.median(column) for column in zip(*runs))
        ratios = [run[1] / run[0] for run in runs]
        print(f"{way:3} {name:28}{one:8.3f}{two:8.3f}"
              f"{statistics.median(ratios):7.2f}   {min(ratios):.2f} "
              f"{max(ratios):.2f}")


if __name__ == "__main__":
    main()
