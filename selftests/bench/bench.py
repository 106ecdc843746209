#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a packet costs a router, in instructions

For a VM whose clock counts instructions (vm.sh -i): `make bench` starts it.
"""

import argparse
import tempfile

from lab import Generator, run
from plots import plot
from profiles import PROFILES
from tables import TABLES


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE",
                        help=", ".join(TABLES) + "; all but quick")
    parser.add_argument("--profile", choices=PROFILES,
                        help="where they go, function by function: native to "
                        "tunnel, the reverse, a new peer, a server; without "
                        "tables the first two follow these")
    parser.add_argument("--plots", metavar="FOLDER",
                        help="draw those of the tables printed")
    args = parser.parse_args()
    for name in args.tables:
        if name not in TABLES:
            parser.error(f"there is no table '{name}'")
    with tempfile.TemporaryDirectory() as folder:
        gen = Generator(folder)
        run("sysctl", "-qw", "kernel.perf_cpu_time_max_percent=0")
        profiles = [args.profile] if args.profile else []
        tables = args.tables
        if not tables and not profiles:
            tables = [name for name in TABLES if name != "quick"]
            profiles = ["out", "in"]
        for name in tables:
            print(f"# {TABLES[name].__doc__}", flush=True)
            rows = TABLES[name](gen)
            if args.plots and rows:
                plot(name, rows, args.plots)
        for name in profiles:
            print(f"# By function: {name}", flush=True)
            PROFILES[name](gen)


if __name__ == "__main__":
    main()
