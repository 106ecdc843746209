#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every rule of the RFCs, shown packet by packet; see conformance/__init__.py

conformance.py [--list] [ID...]
"""

import gc
import sys

import judge
import wire
from conformance import rows
from conformance.lab import Labs


def print_table(wanted):
    known = rows.requirements()
    for row in rows.ROWS:
        if not wanted or set(wanted) & set(row.ids):
            print("\t".join([" ".join(row.ids), known[row.ids[0]][0],
                             row.mode or "-", "clock" if row.clock else "-",
                             row.where, row.title]))


def print_notes():
    """Why there is no row for what is implemented"""
    shown = {name for row in rows.ROWS for name in row.ids}
    for name, (_, scope, note) in rows.requirements().items():
        if scope in ("now", "test") and note and name not in shown:
            print(f"# {name} has no row: {note}")


def main():
    rows.load()
    if sys.argv[1:2] == ["--list"]:
        print_table(sys.argv[2:])
        return 0

    print("TAP version 13")
    tap = wire.Tap()
    chosen = rows.chosen(sys.argv[1:])
    if not chosen:
        print("1..0 # SKIP none of these rows runs here")
        return 4
    gc.disable()                # so that its pauses are not in the times
    labs = Labs()
    try:
        rows.run(chosen, labs, tap)
    finally:
        labs.close()
    complaints = judge.judge(labs.pcap.path)
    tap.result(not complaints, "tshark agrees with all that was sent "
               f"({labs.pcap.count} packets)", "\n# ".join(complaints))
    if not sys.argv[1:]:
        print_notes()
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
