#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A device over generic netlink, for tests that do without the helper.

control.py DEVICE SERVER ADDRESS PORT FLAGS SECONDS: makes a client qualified
with this mapping for that long.
"""

import sys

from genl import (NETLINK_GENERIC, Attr, Family, Netlink, be16, constants,
                  ip4, string, u16, u32)
from wire import ip6, netns, text4, text6

UAPI = constants("linux/teredo.h")


def attr(name, value):
    return Attr(UAPI["TEREDO_A_" + name], value)


class Control:
    """What a helper and a monitor ask of a device"""

    def __init__(self, ns, ifname):
        with netns(ns):
            self.family = Family(Netlink(NETLINK_GENERIC), "teredo")
        name = attr("DEV_IFNAME", string(ifname))
        self.index = self.family.do(UAPI["TEREDO_CMD_DEV_GET"], [name])[
            UAPI["TEREDO_A_DEV_IFINDEX"]]

    def qualify(self, server, address, port, flags, seconds, **more):
        """more: secondary as text, nat as a number"""
        attrs = [attr("DEV_SECONDARY", ip4(value)) if name == "secondary"
                 else attr("DEV_NAT", u32(value))
                 for name, value in more.items()]
        self.family.do(UAPI["TEREDO_CMD_DEV_SET"], attrs + [
            attr("DEV_IFINDEX", self.index),
            attr("DEV_STATE", u32(UAPI["TEREDO_STATE_QUALIFIED"])),
            attr("DEV_SERVER", ip4(server)),
            attr("DEV_MAPPED_ADDRESS", ip4(address)),
            attr("DEV_MAPPED_PORT", be16(port)),
            attr("DEV_FLAGS", u16(flags)),
            attr("DEV_LIFETIME", u32(seconds))])

    def device_state(self):
        """In lower case, as in the API"""
        return self.state(self.device("state"), "TEREDO_STATE_")

    def device(self, name):
        """A number that is told of the device, or None"""
        value = self.family.do(UAPI["TEREDO_CMD_DEV_GET"], [
            attr("DEV_IFINDEX", self.index)]).get(
                UAPI["TEREDO_A_DEV_" + name.upper()])
        return value and int.from_bytes(value, sys.byteorder)

    def set_state(self, state):
        self.family.do(UAPI["TEREDO_CMD_DEV_SET"], [
            attr("DEV_IFINDEX", self.index),
            attr("DEV_STATE", u32(UAPI["TEREDO_STATE_" + state.upper()]))])

    def records(self):
        """All that is told of each peer: numbers by attribute and address"""
        found = {}
        for peer in self.family.dump(UAPI["TEREDO_CMD_PEER_GET"], [
                attr("PEER_IFINDEX", self.index)]):
            record = {}
            for name in ("ENDPOINT_ADDRESS", "ENDPOINT_PORT", "STATE",
                         "TRUSTED", "LOCAL", "QUEUED", "RX_PACKETS",
                         "TX_PACKETS", "LAST_RX", "LAST_TX"):
                value = peer.get(UAPI["TEREDO_A_PEER_" + name])
                if value is not None:
                    # a flag has no value
                    value = value or b"\1"
                    order = "big" if "ENDPOINT" in name else sys.byteorder
                    record[name.lower()] = int.from_bytes(value, order)
            found[text6(peer[UAPI["TEREDO_A_PEER_ADDRESS"]])] = record
        return found

    def neighbours(self):
        """Addresses of the peers that local discovery knows"""
        return {address for address, peer in self.records().items()
                if "local" in peer}

    def peers(self):
        """Endpoint, state and received packets of each peer, by address"""
        return {address: (
            (text4(peer["endpoint_address"].to_bytes(4, "big")),
             peer["endpoint_port"]) if "endpoint_address" in peer else None,
            self.state(peer["state"]), peer["rx_packets"])
                for address, peer in self.records().items()}

    def peer_del(self, address=None):
        """Of one peer, or all"""
        attrs = [attr("PEER_IFINDEX", self.index)]
        if address:
            attrs.append(attr("PEER_ADDRESS", ip6(address)))
        self.family.do(UAPI["TEREDO_CMD_PEER_DEL"], attrs)

    def bind(self):
        """Registers as the helper"""
        self.family.do(UAPI["TEREDO_CMD_CTRL_BIND"],
                       [attr("CTRL_IFINDEX", self.index)])

    def received(self):
        """The next control packet: payload and source"""
        for command, attrs in self.family.events():
            if command == UAPI["TEREDO_CMD_CTRL_RECV"]:
                return (attrs[UAPI["TEREDO_A_CTRL_PAYLOAD"]],
                        (text4(attrs[UAPI["TEREDO_A_CTRL_ADDRESS"]]),
                         int.from_bytes(attrs[UAPI["TEREDO_A_CTRL_PORT"]],
                                        "big")))
        return None

    @staticmethod
    def state(number, start="TEREDO_PEER_STATE_"):
        return next(name[len(start):].lower() for name, value in UAPI.items()
                    if name.startswith(start) and value == number)


if __name__ == "__main__":
    device, primary, mapped, number, bits, lifetime = sys.argv[1:]
    Control(None, device).qualify(primary, mapped, int(number), int(bits, 0),
                                  int(lifetime))
