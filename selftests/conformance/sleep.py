# SPDX-License-Identifier: GPL-2.0
"""The machine sleeps (V-06): in a VM of their own, see suspend.sh"""

from wire import CLIENT, CLIENT_ADDRESS

from .client import PAIR, at, data, pair, trusted
from .rows import client


@client("V-06", "a path is not valid after a sleep that was too long",
        clock=True, named=True)
def _(lab):
    trusted(lab)
    lab.wait(29.2)
    lab.sleep(2)
    lab.is_peer(CLIENT_ADDRESS, "stale", CLIENT)
    lab.mark()
    lab.out(data(lab))
    lab.expect(at(0, pair(lab)), PAIR)


@client("V-06", "the lifetime of an address ends in sleep", clock=True,
        named=True)
def _(lab):
    lab.qualify(seconds=20)
    lab.wait(19.2)
    lab.sleep(2)
    lab.equal(lab.control.device_state(), "dormant", "state")
