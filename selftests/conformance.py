#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every rule of the RFCs, shown packet by packet; see conformance/__init__.py

conformance.py [--list] [ID...]
"""

import gc
import os
import sys

import judge
import wire
from conformance import rows
from conformance.lab import Labs
from lint import ids


def print_table(wanted):
    known = rows.requirements()
    for row in rows.ROWS:
        if not wanted or set(wanted) & set(row.ids):
            print("\t".join([" ".join(row.ids), known[row.ids[0]][0],
                             row.mode or "-", "clock" if row.clock else "-",
                             row.where, row.title]))


def print_ids():
    """What became of each id; of one without a row that was run, which other
    test shows it or why none does"""
    os.chdir(rows.HERE.parents[1])
    table = ids.read_list()
    ids.scan_tests(table, ids.Ids(table))
    for name, item in table.items():
        ran = [row.right for row in rows.ROWS
               if name in row.ids and row.right is not None]
        if not ran:
            verdict = (f"shown by {' '.join(item.tests)}" if item.tests
                       else item.status(table))
        elif all(ran):
            verdict = f"ok ({len(ran)} row{'s' * (len(ran) > 1)})"
        else:
            verdict = "FAILED"
        print(f"# {name} {verdict}")


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
    if not sys.argv[1:] and rows.SHARD[1] == 1:
        print_ids()
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
