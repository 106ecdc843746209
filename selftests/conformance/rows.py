# SPDX-License-Identifier: GPL-2.0
"""The table of rows: how one gets in, and how all are run"""

import dataclasses
import functools
import importlib
import os
import pathlib
import pkgutil
import traceback
import typing

HERE = pathlib.Path(__file__).resolve().parent
# waiting is free and exact
CLOCK = bool(os.environ.get("TEREDO_VM_CLOCK"))
SLOW = os.environ.get("KSFT_MACHINE_SLOW") == "yes"
# some devices do things for the stack
OFFLOADS = os.environ.get("KSFT_OFFLOADS") != "off"
# which part of all rows: the first of four is 1-4
SHARD = [int(part) for part in
         (os.environ.get("KSFT_SHARD") or "1-1").split("-")]


@dataclasses.dataclass
class Row:
    """One behaviour"""
    ids: list
    title: str
    function: typing.Callable
    mode: str | None = None
    words: str = ""
    clock: bool = False
    again: bool = False
    named: bool = False         # runs only when it is asked for
    offloads: bool = False      # is about what devices do for the stack
    where: str = ""             # file and line
    right: bool | None = None   # None: not run


ROWS = []


def row(ids, title, *, mode=None, words="", clock=False, again=False,
        named=False, offloads=False):
    """Decorator: a row of the table"""
    def add(function):
        code = function.__code__
        ROWS.append(Row(ids.split(), title, function, mode, words, clock,
                        again, named, offloads,
                        f"{pathlib.Path(code.co_filename).name}:"
                        f"{code.co_firstlineno}"))
        return function
    return add


client = functools.partial(row, mode="client")
relay = functools.partial(row, mode="relay")
host_relay = functools.partial(row, mode="host-relay")
server = functools.partial(row, mode="server")


def relays(ids, title, **more):
    """Decorator: a row of a relay, and the same of a host-relay"""
    def add(function):
        for mode in "relay", "host-relay":
            row(ids, f"{mode}: {title}", mode=mode, **more)(function)
        return function
    return add


def load():
    """Reads all modules of this package"""
    for module in sorted(pkgutil.iter_modules([str(HERE)]),
                         key=lambda module: module.name):
        importlib.import_module(f"{__package__}.{module.name}")


def requirements():
    """id: level, scope and note, see requirements.tsv"""
    found = {}
    for line in (HERE / "requirements.tsv").read_text(
            encoding="utf-8").splitlines():
        fields = line.split("\t")
        if len(fields) == 7 and not line.startswith("#"):
            found[fields[0]] = (fields[2], fields[3], fields[6])
    return found


def chosen(wanted):
    """The rows that are asked for and run here"""
    def asked(row):
        return any(name == want or name.startswith(want + "-")
                   for want in wanted
                   for name in row.ids + [row.where.partition(".")[0]])
    found = [row for row in ROWS
             if (asked(row) if wanted else not row.named) and
             (CLOCK or not row.clock) and not (SLOW and row.again) and
             (OFFLOADS or not row.offloads)]
    return found[SHARD[0] - 1::SHARD[1]]


def note(text):
    """Into the kernel log"""
    with open("/dev/kmsg", "w", encoding="utf-8") as log:
        log.write(f"teredo-row: {text[:500]}\n")


def run_one(row, labs):
    """Runs it; labs gives the networks for a mode. Returns what was wrong."""
    # so that what the kernel has to say has a place
    note(f"{row.ids[0]} {row.where}")
    lab = labs(row.mode)
    lab.begin()
    try:
        if row.mode:
            lab.device(row.mode, row.words)
        row.function(lab)
    except Exception:       # whatever goes wrong, the next row runs
        lab.wrong.append(traceback.format_exc().strip())
    lab.end()
    if lab.wrong:
        note("not ok: " + lab.wrong[0].replace("\n", " "))
    return lab.wrong


def run(rows, labs, tap):
    """Runs them. On a slow machine a timer of seconds may run out in between,
    and a bubble leave that belongs to what follows: there, and only there, a
    row may try again."""
    for row in rows:
        wrong = run_one(row, labs)
        for _ in range(2 if SLOW and wrong else 0):
            print(f"# again, as it may be too slow: {wrong[0]}".replace(
                "\n", "\n# "), flush=True)
            wrong = run_one(row, labs)
            if not wrong:
                break
        row.right = not wrong
        tap.result(not wrong, f"{' '.join(row.ids)} {row.title}",
                   "\n".join(wrong).replace("\n", "\n# "))
