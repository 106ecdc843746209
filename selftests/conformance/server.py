# SPDX-License-Identifier: GPL-2.0
"""The server (SV)"""

from wire import CLIENT, V1, V2, V3, V4, auth, rs

from .lab import OTHER
from .rows import server


@server("SV-07 SV-21 N-04 N-05 N-06 C-25",
        "a solicitation: V2 + V1 gives V2 + V3 + V4")
def _(lab):
    lab.send(V2 + V1)
    lab.expect([(CLIENT, V2 + V3 + V4)], {"tx_adverts": 1})


@server("SV-07 N-03 C-31", "a solicitation that is invalid: rx_nd")
def _(lab):
    for bad in (rs(hop_limit=254), rs(bad=1), rs(code=1),
                rs(options=bytes(8))):
        lab.refused(auth() + bad, "rx_nd")


@server("SV-01", "the secondary address answers from itself")
def _(lab):
    lab.send(V1, dst=OTHER)
    sent, moved = lab.settle()
    lab.equal([(d.src, d.dst, d.payload) for d in sent],
              [(OTHER, CLIENT, V3 + V4)], "answer")
    lab.equal(moved, {"tx_adverts": 1}, "counters")
