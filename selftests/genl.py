#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""rtnetlink and generic netlink by hand, for tests.

Messages may be wrong in any way one likes: attributes are given as trees of
Attr, and what the kernel says of them comes back as Refused, with the very
Attr that it blames.

    uapi = constants("linux/teredo.h")
    genl = Netlink(NETLINK_GENERIC)
    family = Family(genl, "teredo")
    family.do(uapi["TEREDO_CMD_DEV_GET"],
              [Attr(uapi["TEREDO_A_DEV_IFINDEX"], u32(7))])
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import re
import socket
import struct

INCLUDE = pathlib.Path(__file__).resolve().parent.parent / "include/uapi"

NETLINK_ROUTE = 0
NETLINK_GENERIC = 16
SOL_NETLINK = 270
SO_RCVBUFFORCE = 33
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12

NLM_F_REQUEST = 1
NLM_F_ACK = 4
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_ACK_TLVS = 0x200
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSGERR_ATTR_MSG = 1
NLMSGERR_ATTR_OFFS = 2
NLMSGERR_ATTR_MISS_TYPE = 5

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3fff

GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID = 1
CTRL_ATTR_FAMILY_NAME = 2
CTRL_ATTR_MCAST_GROUPS = 7

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
IFLA_IFNAME = 3
IFLA_LINKINFO = 18
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFF_UP = 1


def constants(*headers):
    """Names and values of the enums and numbers in uapi headers of ours"""
    found = {}
    for header in headers:
        text = (INCLUDE / header).read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, value in re.findall(r"#define\s+(\w+)\s+(\d+)$", text,
                                      re.MULTILINE):
            found[name] = int(value)
        for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, re.DOTALL):
            number = 0
            for item in filter(None, map(str.strip, body.split(","))):
                name, _, value = map(str.strip, item.partition("="))
                if value:
                    if not value.isdigit():
                        continue
                    number = int(value)
                found[name] = number
                number += 1
    return found


def u8(value):
    return struct.pack("=B", value)


def u16(value):
    return struct.pack("=H", value)


def u32(value):
    return struct.pack("=I", value)


def be16(value):
    return struct.pack(">H", value)


def be32(value):
    return struct.pack(">I", value)


def ip4(text):
    return socket.inet_aton(text)


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def string(text):
    return text.encode() + b"\0"


@dataclasses.dataclass(eq=False)
class Attr:
    """An attribute; its value is octets or a list of attributes."""
    type: int
    value: bytes | list

    def pack(self, base, places):
        """As octets; places learns at which offset of the message it is."""
        places[base] = self
        if isinstance(self.value, list):
            body = pack_attrs(self.value, base + 4, places)
            kind = self.type | NLA_F_NESTED
        else:
            body, kind = self.value, self.type
        octets = struct.pack("=HH", 4 + len(body), kind) + body
        return octets + bytes(-len(octets) % 4)


def pack_attrs(attrs, base, places):
    octets = b""
    for attr in attrs:
        octets += attr.pack(base + len(octets), places)
    return octets


def unpack_attrs(octets):
    """Attributes by type; the values are octets."""
    found = {}
    while len(octets) >= 4:
        length, kind = struct.unpack_from("=HH", octets)
        if not 4 <= length <= len(octets):
            raise ValueError(f"attribute of length {length}")
        found[kind & NLA_TYPE_MASK] = octets[4:length]
        octets = octets[(length + 3) & ~3:]
    return found


class Refused(Exception):
    """What the kernel answers to a request that it does not like

    attr is the one that it blames, missing the type of one that it misses.
    """

    def __init__(self, code, text, attr, missing):
        super().__init__(f"{errno.errorcode.get(code, code)}: {text}")
        self.code = code
        self.text = text
        self.attr = attr
        self.missing = missing


class Netlink:
    """A netlink socket"""

    def __init__(self, protocol):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                    protocol)
        # who is slow has some hundred messages to read at once
        with contextlib.suppress(PermissionError):
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.bind((0, 0))
        self.socket.settimeout(30)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        self.seq = 0

    @property
    def portid(self):
        return self.socket.getsockname()[0]

    def join(self, group):
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def close(self):
        self.socket.close()

    def request(self, kind, header, attrs, flags=0):
        """Send a message; returns the answers, (header, payload) each."""
        places = {}
        body = header + pack_attrs(attrs, 16 + len(header), places)
        self.seq += 1
        if not flags & NLM_F_DUMP == NLM_F_DUMP:
            flags |= NLM_F_ACK
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind,
                                     flags | NLM_F_REQUEST, self.seq, 0) +
                         body)
        answers = []
        while True:
            for kind, flags, seq, payload in self.receive():
                if seq != self.seq:
                    continue
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    self._raise(kind, flags, payload, places)
                    return answers
                answers.append((flags, payload))

    def receive(self):
        """The messages of one datagram"""
        octets = self.socket.recv(65536)
        while len(octets) >= 16:
            length, kind, flags, seq, _ = struct.unpack_from("=IHHII", octets)
            yield kind, flags, seq, octets[16:length]
            octets = octets[(length + 3) & ~3:]

    @staticmethod
    def _raise(kind, flags, payload, places):
        code = -struct.unpack_from("=i", payload)[0]
        if not code:
            return
        tlvs = {}
        if flags & NLM_F_ACK_TLVS:
            skip = 4
            if kind == NLMSG_ERROR:
                quoted = struct.unpack_from("=I", payload, 4)[0]
                skip += 16 if flags & NLM_F_CAPPED else (quoted + 3) & ~3
            tlvs = unpack_attrs(payload[skip:])
        text = tlvs.get(NLMSGERR_ATTR_MSG, b"\0")[:-1].decode()
        offset = struct.unpack("=I", tlvs.get(NLMSGERR_ATTR_OFFS, bytes(4)))[0]
        missing = struct.unpack("=I", tlvs.get(NLMSGERR_ATTR_MISS_TYPE,
                                               bytes(4)))[0]
        raise Refused(code, text, places.get(offset), missing)


class Family:
    """A generic netlink family"""

    def __init__(self, netlink, name):
        self.netlink = netlink
        self.version = 1
        answer = netlink.request(
            GENL_ID_CTRL, struct.pack("=BBH", CTRL_CMD_GETFAMILY, 1, 0),
            [Attr(CTRL_ATTR_FAMILY_NAME, string(name))])[0][1]
        attrs = unpack_attrs(answer[4:])
        self.id = struct.unpack("=H", attrs[CTRL_ATTR_FAMILY_ID])[0]
        self.groups = {}
        groups = unpack_attrs(attrs.get(CTRL_ATTR_MCAST_GROUPS, b""))
        for group in map(unpack_attrs, groups.values()):
            self.groups[group[1][:-1].decode()] = struct.unpack(
                "=I", group[2])[0]

    def _request(self, cmd, attrs, flags):
        header = struct.pack("=BBH", cmd, self.version, 0)
        return [unpack_attrs(payload[4:]) for _, payload in
                self.netlink.request(self.id, header, attrs, flags)]

    def do(self, cmd, attrs=()):
        """The attributes of the answer, or None"""
        answers = self._request(cmd, list(attrs), 0)
        return answers[0] if answers else None

    def dump(self, cmd, attrs=()):
        """The attributes of all answers"""
        return self._request(cmd, list(attrs), NLM_F_DUMP)

    def events(self):
        """(command, attributes) of the messages in one datagram"""
        for kind, _, _, payload in self.netlink.receive():
            if kind == self.id:
                yield payload[0], unpack_attrs(payload[4:])


class Links:
    """Devices of one kind, over rtnetlink"""

    def __init__(self, kind):
        self.kind = kind
        self.netlink = Netlink(NETLINK_ROUTE)

    def _info(self, name, data, index=0, flags=0):
        info = [Attr(IFLA_INFO_KIND, string(self.kind))]
        if data is not None:
            info.append(Attr(IFLA_INFO_DATA, data))
        attrs = [Attr(IFLA_LINKINFO, info)]
        if name:
            attrs.insert(0, Attr(IFLA_IFNAME, string(name)))
        return struct.pack("=BxHiII", 0, 0, index, flags, flags), attrs

    def add(self, name, data=None, extra=()):
        header, attrs = self._info(name, data)
        self.netlink.request(RTM_NEWLINK, header, attrs + list(extra),
                             NLM_F_CREATE | NLM_F_EXCL)
        return socket.if_nametoindex(name)

    def change(self, name, data):
        header, attrs = self._info(None, data, socket.if_nametoindex(name))
        self.netlink.request(RTM_NEWLINK, header, attrs)

    def set_up(self, name, up=True):
        self.netlink.request(
            RTM_NEWLINK, struct.pack("=BxHiII", 0, 0,
                                     socket.if_nametoindex(name),
                                     IFF_UP if up else 0, IFF_UP), [])

    def delete(self, name):
        self.netlink.request(
            RTM_DELLINK, struct.pack("=BxHiII", 0, 0,
                                     socket.if_nametoindex(name), 0, 0), [])

    def show(self, name):
        """What IFLA_INFO_DATA says, octets by type"""
        answer = self.netlink.request(
            RTM_GETLINK, struct.pack("=BxHiII", 0, 0,
                                     socket.if_nametoindex(name), 0, 0),
            [])[0][1]
        info = unpack_attrs(unpack_attrs(answer[16:])[IFLA_LINKINFO])
        return unpack_attrs(info[IFLA_INFO_DATA])


def in_child(function):
    """Call function in a process of its own; returns what it returns if that
    is a small number."""
    child = os.fork()
    if not child:
        status = 255
        try:
            status = function()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def as_nobody(function):
    """The same without privileges"""
    def nobody():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return function()

    return in_child(nobody)
