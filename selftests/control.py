#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A device over generic netlink, for tests that do without the helper.

control.py DEVICE SERVER ADDRESS PORT FLAGS SECONDS: makes a client qualified
with this mapping for that long.
"""

import sys

from genl import (NETLINK_GENERIC, Attr, Family, Netlink, be16, constants,
                  ip4, string, u16, u32)
from wire import netns, text4, text6

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

    def qualify(self, server, address, port, flags, seconds):
        self.family.do(UAPI["TEREDO_CMD_DEV_SET"], [
            attr("DEV_IFINDEX", self.index),
            attr("DEV_STATE", u32(UAPI["TEREDO_STATE_QUALIFIED"])),
            attr("DEV_SERVER", ip4(server)),
            attr("DEV_MAPPED_ADDRESS", ip4(address)),
            attr("DEV_MAPPED_PORT", be16(port)),
            attr("DEV_FLAGS", u16(flags)),
            attr("DEV_LIFETIME", u32(seconds))])

    def device_state(self):
        """In lower case, as in the API"""
        answer = self.family.do(UAPI["TEREDO_CMD_DEV_GET"], [
            attr("DEV_IFINDEX", self.index)])
        return self.state(answer[UAPI["TEREDO_A_DEV_STATE"]],
                          "TEREDO_STATE_")

    def peers(self):
        """Endpoint, state and received packets of each peer, by address"""
        found = {}
        for peer in self.family.dump(UAPI["TEREDO_CMD_PEER_GET"], [
                attr("PEER_IFINDEX", self.index)]):
            def get(name, peer=peer):
                return peer.get(UAPI["TEREDO_A_PEER_" + name])
            address, port = get("ENDPOINT_ADDRESS"), get("ENDPOINT_PORT")
            found[text6(get("ADDRESS"))] = (
                address and (text4(address), int.from_bytes(port, "big")),
                self.state(get("STATE")),
                int.from_bytes(get("RX_PACKETS"), sys.byteorder))
        return found

    def neighbours(self):
        """Addresses of the peers that local discovery knows"""
        return {text6(peer[UAPI["TEREDO_A_PEER_ADDRESS"]])
                for peer in self.family.dump(UAPI["TEREDO_CMD_PEER_GET"], [
                    attr("PEER_IFINDEX", self.index)])
                if UAPI["TEREDO_A_PEER_LOCAL"] in peer}

    @staticmethod
    def state(octets, start="TEREDO_PEER_STATE_"):
        number = int.from_bytes(octets, sys.byteorder)
        return next(name[len(start):].lower() for name, value in UAPI.items()
                    if name.startswith(start) and value == number)


if __name__ == "__main__":
    device, primary, mapped, number, bits, lifetime = sys.argv[1:]
    Control(None, device).qualify(primary, mapped, int(number), int(bits, 0),
                                  int(lifetime))
