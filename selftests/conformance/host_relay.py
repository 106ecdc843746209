# SPDX-License-Identifier: GPL-2.0
"""The host-specific relay (HR)"""

from wire import CLIENT_ADDRESS, PORT, PRIMARY, bubble, udp6

from .lab import HOST6, NATIVE
from .rows import host_relay


@host_relay("HR-05", "bubbles have the source of the flow")
def _(lab):
    lab.out(udp6(HOST6, CLIENT_ADDRESS, b"data"))
    lab.expect([((PRIMARY, PORT), bubble(HOST6, CLIENT_ADDRESS))],
               {"tx_bubbles_indirect": 1})


@host_relay("HR-03", "packets of others are refused: prohibited")
def _(lab):
    lab.settle()
    lab.forward(udp6(NATIVE, CLIENT_ADDRESS, b"data"))
    lab.expect(moved={"tx_forwarded": 1}, errors=[(1, 1)])
