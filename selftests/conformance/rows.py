# SPDX-License-Identifier: GPL-2.0
"""The table of rows: how one gets in, and how all are run"""

import dataclasses
import functools
import importlib
import inspect
import os
import pathlib
import pkgutil
import traceback
import typing

HERE = pathlib.Path(__file__).resolve().parent
# waiting is free and exact
CLOCK = bool(os.environ.get("TEREDO_VM_CLOCK"))
BINDING = ("MUST", "must", "P-MUST", "MUST NOT")


@dataclasses.dataclass
class Row:
    """One behaviour"""
    ids: list
    title: str
    function: typing.Callable
    mode: str | None = None
    words: str = ""
    clock: bool = False
    where: str = ""             # file and line


@dataclasses.dataclass
class Why:
    """What cannot be shown by packets, or need not be"""
    ids: list
    reason: str


ROWS = []
WHYS = []


def row(ids, title, *, mode=None, words="", clock=False):
    """Decorator: a row of the table"""
    caller = inspect.currentframe().f_back

    def add(function):
        file = pathlib.Path(caller.f_code.co_filename)
        line = caller.f_lineno
        ROWS.append(Row(ids.split(), title, function, mode, words, clock,
                        f"{file.name}:{line}"))
        return function
    return add


client = functools.partial(row, mode="client")
relay = functools.partial(row, mode="relay")
host_relay = functools.partial(row, mode="host-relay")
server = functools.partial(row, mode="server")


def why(ids, reason):
    WHYS.append(Why(ids.split(), reason))


def load():
    """Reads all modules of this package"""
    for module in sorted(pkgutil.iter_modules([str(HERE)]),
                         key=lambda module: module.name):
        importlib.import_module(f"{__package__}.{module.name}")


def levels():
    """Level of each id"""
    lines = (HERE / "ids").read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[0]: line.split("\t")[1]
            for line in lines if line and not line.startswith("#")}


def missing():
    """Binding ids without a row or a reason, and unknown ids"""
    shown = {name for row in ROWS + WHYS for name in row.ids}
    known = levels()
    return ([name for name, level in known.items()
             if level in BINDING and name not in shown],
            sorted(shown - set(known)))


def chosen(wanted):
    """The rows that are asked for and run here"""
    def asked(row):
        return any(name == want or name.startswith(want + "-")
                   for want in wanted for name in row.ids)
    return [row for row in ROWS if (not wanted or asked(row)) and
            (CLOCK or not row.clock)]


def run(rows, labs, tap):
    """Runs them; labs gives the networks for a mode"""
    for row in rows:
        lab = labs(row.mode)
        lab.begin()
        try:
            if row.mode:
                lab.device(row.mode, row.words)
            row.function(lab)
        except Exception:       # whatever goes wrong, the next row runs
            lab.wrong.append(traceback.format_exc().strip())
        lab.end()
        tap.result(not lab.wrong, f"{' '.join(row.ids)} {row.title}",
                   "\n".join(lab.wrong).replace("\n", "\n# "))
