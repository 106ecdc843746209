# SPDX-License-Identifier: GPL-2.0
"""Keys of a server over generic netlink, for tests."""

import socket

import wire
from genl import NETLINK_GENERIC, Attr, Family, Netlink, constants, u8, u32

UAPI = constants("linux/teredo.h")
SHA1 = UAPI["TEREDO_ALGORITHM_HMAC_SHA1"]
SHA256 = UAPI["TEREDO_ALGORITHM_HMAC_SHA256"]


def attr(name, value):
    return Attr(UAPI["TEREDO_A_KEY_" + name], value)


class Keys:
    """The keys of a device in a network namespace"""

    def __init__(self, ns, ifname):
        with wire.netns(ns):
            self.netlink = Netlink(NETLINK_GENERIC)
            self.ifindex = socket.if_nametoindex(ifname)
        self.family = Family(self.netlink, "teredo")

    def attrs(self, **values):
        """Octets and numbers as attributes"""
        found = [attr("IFINDEX", u32(self.ifindex))]
        for name, value in values.items():
            name = name.upper()
            if not isinstance(value, bytes):
                value = (u8 if name == "CONFIRM" else u32)(value)
            found.append(attr(name, value))
        return found

    def set(self, identifier, secret=None, **values):
        if secret is not None:
            values["secret"] = secret
        self.family.do(UAPI["TEREDO_CMD_KEY_SET"],
                       self.attrs(identifier=identifier, **values))

    def delete(self, identifier):
        self.family.do(UAPI["TEREDO_CMD_KEY_DEL"],
                       self.attrs(identifier=identifier))

    def list(self):
        """Attributes of each key, octets by type"""
        return self.family.dump(UAPI["TEREDO_CMD_KEY_GET"], self.attrs())

    def identifiers(self):
        return sorted(key[UAPI["TEREDO_A_KEY_IDENTIFIER"]]
                      for key in self.list())
