#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Wrong netlink attributes are refused by name, and leave nothing behind.

Sends what neither iproute2 nor our tools would, each time one attribute that
is wrong, and wants the kernel to blame that very one.
"""

import contextlib
import ctypes
import errno
import os
import socket
import subprocess
import sys

import wire
from genl import (NETLINK_GENERIC, Attr, Family, Links,
                  Netlink, Refused, as_nobody, be16, be32, constants, in_child,
                  ip4, ip6, string, u8, u16, u32)

UAPI = constants("linux/teredo.h", "linux/if_teredo.h")
IFLA_ADDRESS = 1
IFLA_LINK = 5

MODES = ("CLIENT", "RELAY", "HOST_RELAY", "SERVER")
ALL = set(MODES)
PEERING = ALL - {"SERVER"}
RELAYS = {"RELAY", "HOST_RELAY"}
CLIENT = {"CLIENT"}
SERVER = {"SERVER"}

PREFIXES = ip6("2a00:1450::") + u8(32) + bytes(3) + bytes(16) + u8(0) + bytes(3)

# Each word: who knows it, a right value, and wrong ones
WORDS = {
    "MODE": (ALL, None, [u8(4), u8(255)]),
    "PREFIX": (ALL, be32(0x20010db8), [
        be32(0), be32(0xff000000), be32(0xff0e0001), be32(0xfe800000),
        be32(0xfebfffff)]),
    "LOCAL": (ALL, ip4("65.54.227.142"), [
        ip4("224.0.0.1"), ip4("127.0.0.1"), ip4("255.255.255.255"),
        ip4("0.1.2.3")]),
    "PORT": (ALL, be16(4000), [be16(0)]),
    "LINK": (ALL, u32(1), [u32(999999), u32(0xffffffff)]),
    "SERVER": (CLIENT, ip4("65.54.227.142"), [
        ip4("10.0.0.1"), ip4("172.16.0.1"), ip4("192.168.1.1"),
        ip4("100.64.0.1"), ip4("192.0.2.1"), ip4("127.0.0.1"),
        ip4("169.254.1.1"), ip4("239.1.1.1"), ip4("255.255.255.255")]),
    "SECONDARY": (CLIENT | SERVER, ip4("65.54.227.143"), [
        ip4("10.0.0.1"), ip4("198.51.100.1"), ip4("127.0.0.1"),
        ip4("224.0.0.5")]),
    "FWMARK": (ALL, u32(0xffffffff), []),
    "TOS": (ALL, u8(0x20), [u8(2), u8(3), u8(5), u8(255)]),
    "TTL": (ALL, u8(255), []),
    "ECN": (ALL, u8(1), [u8(2)]),
    "PMTUDISC": (ALL, u8(1), [u8(2)]),
    "PRIVATE": (ALL, u8(1), [u8(2)]),
    "MAX_PEERS": (PEERING, u32(4194304), [u32(0), u32(4194305)]),
    "QUEUE": (PEERING, u32(256), [u32(257)]),
    "PEER_RATE": (PEERING, u32(100000000), [u32(100000001)]),
    "BUBBLE_RATE": (PEERING, u32(0), [u32(100000001)]),
    "SERVER_RATE": (PEERING, u32(1), [u32(0xffffffff)]),
    "SERVE": ({"RELAY"}, PREFIXES, [
        ip6("2a00:1450::1") + u8(32) + bytes(3),
        ip6("2a00:1450::") + u8(129) + bytes(3),
        ip6("2a00:1450::") + u8(32) + b"\0\0\1",
        ip6("8000::") + u8(0) + bytes(3),
        PREFIXES + ip6("::1") + u8(127) + bytes(3),
        PREFIXES * 8 + PREFIXES[:20]]),
    "ACCEPT_UNKNOWN": ({"RELAY"}, u8(1), [u8(2)]),
    "NAT": (RELAYS, u8(2), [u8(3)]),
    "DISCOVERY": (CLIENT, u8(2), [u8(3)]),
    "LOCAL_STRICT": (CLIENT, u8(0), [u8(2)]),
    "RATE": (SERVER, u32(0), [u32(100000001)]),
    "ICMP_LIMIT": (SERVER, u32(65535), [u32(7), u32(65536)]),
    "SECURE": (SERVER, u8(1), [u8(2)]),
}

ONLY_DOWN = {
    "PREFIX": be32(0x3ffe831f),
    "LOCAL": ip4("65.54.227.144"),
    "PORT": be16(4001),
    "LINK": u32(1),
}


def word(name, value):
    return Attr(UAPI["IFLA_TEREDO_" + name], value)


def mode(name):
    return word("MODE", u8(UAPI["TEREDO_MODE_" + name]))


def attr(name, value):
    return Attr(UAPI["TEREDO_A_" + name], value)


def option(name):
    """What ip calls it"""
    return {"LINK": "dev"}.get(name, name.lower().replace("_", "-"))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Lab:
    def __init__(self):
        self.tap = wire.Tap()
        self.links = Links("teredo")
        self.genl = Netlink(NETLINK_GENERIC)
        self.family = Family(self.genl, "teredo")
        self.before = socket.if_nameindex()

    def complaint(self, call, codes, blamed, text=""):
        """None if the call is refused as it should be, else what happened"""
        if isinstance(codes, int):
            codes = (codes,)
        try:
            call()
        except Refused as refused:
            what = f"{refused} ({refused.attr})"
            if refused.code not in codes:
                return what
            if isinstance(blamed, int):
                return None if refused.missing == blamed else \
                    what + f" missing {refused.missing}"
            if refused.attr is not blamed:
                return what + f" blames not {blamed}"
            return None if text in refused.text else what
        return "not refused"

    def refused(self, name, call, codes, blamed=None, text=""):
        complaint = self.complaint(call, codes, blamed, text)
        self.tap.result(complaint is None, name, complaint)

    def all_refused(self, name, cases):
        """cases: (call, codes, blamed, text) each"""
        wrong = [str(found) for case in cases
                 if (found := self.complaint(*case)) is not None]
        left = set(socket.if_nameindex()) - set(self.before)
        self.tap.result(not wrong and not left, name,
                        "; ".join(wrong) + (f" left: {left}" if left else ""))
        for _, name in left:
            self.links.delete(name)

    def add_case(self, data, blamed, codes=errno.EINVAL, text="", extra=()):
        return (lambda: self.links.add("t0", data, extra), codes, blamed, text)


def add_unknown(lab):
    """Words of another mode"""
    for name, (knowing, value, _) in WORDS.items():
        cases = []
        for other in ALL - knowing:
            blamed = word(name, value)
            cases.append(lab.add_case([mode(other), blamed], blamed,
                                      text=option(name) + ": "))
        if cases:
            lab.all_refused(f"{option(name)}: not in other modes", cases)


def add_wrong(lab):
    """Wrong values and lengths"""
    for name, (knowing, value, wrong) in WORDS.items():
        cases = []
        for bad in wrong:
            for known in (knowing if value else {None}):
                blamed = word(name, bad)
                data = [mode(known), blamed] if known else [blamed]
                cases.append(lab.add_case(
                    data, blamed, (errno.EINVAL, errno.ERANGE, errno.ENODEV)))
        value = value or u8(0)
        for bad in (value[:-1], value + b"\0", b""):
            if name == "SERVE" and not bad:
                continue
            blamed = word(name, bad)
            data = [blamed] if name == "MODE" else \
                [mode(sorted(knowing)[0]), blamed]
            cases.append(lab.add_case(data, blamed,
                                      (errno.EINVAL, errno.ERANGE)))
        lab.all_refused(f"{option(name)}: wrong values and lengths", cases)


def add_together(lab):
    """What does not go together"""
    cases = []
    for name in ("10.1.2.3", "100.127.0.1", "192.0.2.1", "169.254.0.1",
                 "192.88.99.1"):
        blamed = word("LOCAL", ip4(name))
        cases.append(lab.add_case([mode("SERVER"), blamed], blamed,
                                  text="local: "))
    lab.all_refused("local: not global at a server", cases)

    blamed = word("LOCAL", ip4("127.0.0.1"))
    lab.all_refused("private: does not lift everything", [lab.add_case(
        [mode("SERVER"), word("PRIVATE", u8(1)), blamed], blamed)])

    blamed = word("SECONDARY", ip4("65.54.227.142"))
    lab.all_refused("secondary: the same as local or server", [
        lab.add_case([mode("SERVER"), word("LOCAL", ip4("65.54.227.142")),
                      blamed], blamed, text="secondary: "),
        lab.add_case([mode("CLIENT"), word("SERVER", ip4("65.54.227.142")),
                      blamed], blamed, text="secondary: ")])

    lab.links.add("t1")
    lab.before = socket.if_nameindex()
    blamed = word("LINK", u32(socket.if_nametoindex("t1")))
    lab.all_refused("dev: not a Teredo device",
                    [lab.add_case([blamed], blamed, text="dev: ")])
    lab.links.delete("t1")
    lab.before = socket.if_nameindex()

    outer = Attr(IFLA_ADDRESS, bytes(6))
    lab.all_refused("address: there is none", [
        lab.add_case(None, outer, errno.EOPNOTSUPP, "address: ", [outer])])
    outer = Attr(IFLA_LINK, u32(1))
    lab.all_refused("link: it is dev that is meant", [
        lab.add_case(None, outer, errno.EOPNOTSUPP, "link: ", [outer])])


def add_right(lab):
    """Each right value is taken and shown, and can be given back"""
    for name in MODES:
        data = [mode(name)] + [
            word(key, value) for key, (knowing, value, _) in WORDS.items()
            if value and name in knowing]
        lab.links.add("t0", data)
        shown = lab.links.show("t0")
        wanted = {item.type: item.value for item in data}
        lab.tap.equal(shown, wanted, f"{option(name)}: shows what was set")
        lab.links.change("t0", [Attr(*item) for item in shown.items()])
        lab.tap.equal(lab.links.show("t0"), wanted,
                      f"{option(name)}: takes what was shown")
        lab.links.delete("t0")


def change_up(lab):
    """What may change only while the device is down"""
    ip("address", "add", "65.54.227.142/32", "dev", "lo")
    ip("address", "add", "65.54.227.143/32", "dev", "lo")
    for name in MODES:
        lab.links.add("t0", [mode(name), word("TOS", u8(4))])
        if name == "SERVER":
            lab.links.change("t0", [
                word("LOCAL", ip4("65.54.227.142")),
                word("SECONDARY", ip4("65.54.227.143"))])
        lab.links.set_up("t0")
        lab.before = socket.if_nameindex()
        before = lab.links.show("t0")
        changes = [word(key, value) for key, value in ONLY_DOWN.items()]
        changes.append(mode("RELAY" if name == "CLIENT" else "CLIENT"))
        texts = [option(key) for key in ONLY_DOWN] + ["mode"]
        if name == "SERVER":
            changes.append(word("SECONDARY", ip4("65.54.227.144")))
            texts.append("secondary")
        lab.all_refused(f"{option(name)}: some words only while down", [
            (lambda change=change: lab.links.change("t0", [
                word("TOS", u8(8)), change]), errno.EBUSY, change,
             text + ": ") for change, text in zip(changes, texts)])
        lab.tap.equal(lab.links.show("t0"), before,
                      f"{option(name)}: a refused change changes nothing")
        lab.links.change("t0", [Attr(*item) for item in before.items()])
        lab.tap.equal(lab.links.show("t0"), before,
                      f"{option(name)}: takes what was shown, up")
        lab.links.delete("t0")
        lab.before = socket.if_nameindex()


def change_private(lab):
    server = word("SERVER", ip4("192.168.1.1"))
    lab.links.add("t0", [server, word("PRIVATE", u8(1))])
    off = word("PRIVATE", u8(0))
    lab.refused("private: off is blamed for what it breaks",
                lambda: lab.links.change("t0", [off]), errno.EINVAL, off,
                "server: ")
    lab.links.set_up("t0")
    lab.links.change("t0", [word("SERVER", ip4("65.54.227.142")), off])
    lab.refused("server: a private one while up",
                lambda: lab.links.change("t0", [server]), errno.EINVAL,
                server, "server: ")
    lab.links.delete("t0")


def change_mode(lab):
    lab.links.add("t0", [
        mode("RELAY"), word("TOS", u8(8)), word("QUEUE", u32(7)),
        word("SERVE", PREFIXES), word("NAT", u8(1))])
    lab.links.change("t0", [mode("CLIENT")])
    shown = lab.links.show("t0")
    lab.tap.equal([shown.get(UAPI["IFLA_TEREDO_" + name]) for name in (
        "MODE", "TOS", "QUEUE", "MAX_PEERS", "SERVE", "NAT", "DISCOVERY",
        "LOCAL_STRICT")],
        [u8(0), u8(8), u32(7), u32(4096), None, None, u8(0), u8(1)],
        "mode: another one keeps what both know")
    lab.links.change("t0", [mode("SERVER"), word("RATE", u32(5))])
    lab.links.change("t0", [mode("RELAY")])
    shown = lab.links.show("t0")
    lab.tap.equal([shown.get(UAPI["IFLA_TEREDO_" + name]) for name in (
        "TOS", "QUEUE", "MAX_PEERS", "SERVE", "PORT", "RATE")],
        [u8(8), u32(4), u32(65536), b"", None, None],
        "mode: what one does not know is forgotten")
    lab.links.delete("t0")


# Operations with what each needs besides the device
OPERATIONS = {
    "DEV_GET": ("DEV", []),
    "DEV_SET": ("DEV", [("DEV_STATE", u32(1))]),
    "PEER_GET": ("PEER", [("PEER_ADDRESS", ip6("2001::1"))]),
    "PEER_DEL": ("PEER", [("PEER_ADDRESS", ip6("2001::1"))]),
    "CTRL_BIND": ("CTRL", []),
    "CTRL_SEND": ("CTRL", [("CTRL_ADDRESS", ip4("65.54.227.142")),
                           ("CTRL_PORT", be16(3544)),
                           ("CTRL_PAYLOAD", bytes(40))]),
}


def do(lab, name, *attrs):
    return lab.family.do(UAPI["TEREDO_CMD_" + name], attrs)


def genl_device(lab):
    """Each operation wants a device of ours"""
    wrong = [(u32(999999), errno.ENODEV, "no such device"),
             (u32(0xffffffff), errno.ENODEV, "no such device"),
             (u32(1), errno.EOPNOTSUPP, "not a Teredo device"),
             (u32(0), errno.ERANGE, ""),
             (u16(1), (errno.ERANGE, errno.EINVAL), ""),
             (u32(1) + u32(1), errno.EINVAL, "")]
    for name, (kind, needed) in OPERATIONS.items():
        rest = [attr(*item) for item in needed]
        cases = [(lambda: do(lab, name, *rest), errno.EINVAL,
                  UAPI[f"TEREDO_A_{kind}_IFINDEX"], "")]
        for value, codes, text in wrong:
            blamed = attr(f"{kind}_IFINDEX", value)
            cases.append((lambda blamed=blamed: do(lab, name, blamed, *rest),
                          codes, blamed, text))
        unknown = Attr(60, u32(1))
        cases.append((lambda: do(lab, name, lab.index(kind), unknown),
                      errno.EINVAL, unknown, ""))
        lab.all_refused(f"{name.lower().replace('_', '-')}: "
                        "no device, or none of ours", cases)
    lab.refused("no such operation", lambda: lab.family.do(200),
                errno.EOPNOTSUPP)


def genl_dev_get(lab):
    wrong = [(string("nosuch"), errno.ENODEV),
             (string("lo"), errno.EOPNOTSUPP),
             (string("x" * 16), errno.EINVAL), (b"t0", errno.EINVAL)]
    cases = []
    for value, code in wrong:
        blamed = attr("DEV_IFNAME", value)
        cases.append((lambda blamed=blamed: do(lab, "DEV_GET", blamed), code,
                      blamed, ""))
    blamed = attr("DEV_IFNAME", string("t0"))
    cases.append((lambda: do(lab, "DEV_GET", lab.index("DEV"), blamed),
                  errno.EINVAL, blamed, "ifname: "))
    lab.all_refused("dev-get: wrong names", cases)


def genl_dev_set(lab):
    """A client that is up, and what no helper should say of it"""
    state = attr("DEV_STATE", u32(UAPI["TEREDO_STATE_QUALIFIED"]))
    right = {"SERVER": ip4("65.54.227.142"),
             "MAPPED_ADDRESS": ip4("203.219.21.70"),
             "MAPPED_PORT": be16(54110), "FLAGS": u16(0x14e4),
             "LIFETIME": u32(60)}
    before = do(lab, "DEV_GET", lab.index("DEV"))

    def qualify(*more, without=""):
        given = {item.type for item in more}
        do(lab, "DEV_SET", lab.index("DEV"), *more,
           *[item for item in [state] + [
               attr("DEV_" + name, value) for name, value in right.items()
               if name != without] if item.type not in given])

    lab.all_refused("dev-set: qualified, but something is missing", [
        (lambda name=name: qualify(without=name), errno.EINVAL, None,
         name.lower().replace("_", "-")) for name in right])
    cases = []
    for name, value, codes in (
            ("STATE", u32(5), errno.ERANGE),
            ("STATE", u8(3), (errno.ERANGE, errno.EINVAL)),
            ("SERVER", ip4("192.168.1.1"), errno.EINVAL),
            ("SERVER", ip4("224.0.0.1"), errno.EINVAL),
            ("SECONDARY", b"\1", (errno.ERANGE, errno.EINVAL)),
            ("MAPPED_ADDRESS", ip4("10.0.0.1"), errno.EINVAL),
            ("MAPPED_PORT", be16(0), errno.EINVAL),
            ("FLAGS", u16(0x8000), errno.EINVAL),
            ("FLAGS", u16(0x0300), errno.EINVAL),
            ("NAT", u32(5), errno.ERANGE),
            ("LIFETIME", u32(0), errno.ERANGE),
            ("LIFETIME", u32(86401), errno.ERANGE),
            ("REASON", string("x" * 128), errno.EINVAL),
            ("REASON", b"no end", errno.EINVAL)):
        blamed = attr("DEV_" + name, value)
        cases.append((lambda blamed=blamed: qualify(blamed), codes, blamed,
                      ""))
    lab.all_refused("dev-set: wrong values", cases)
    cases = []
    for name in "OFFLINE", "DORMANT", "PROBE", "QUALIFIED", "ERROR":
        for blamed in (attr("DEV_SERVER", ip4("127.0.0.1")),
                       attr("DEV_SERVER", ip4("0.0.0.0")),
                       attr("DEV_SECONDARY", ip4("10.0.0.1"))):
            cases.append((lambda name=name, blamed=blamed: qualify(
                attr("DEV_STATE", u32(UAPI["TEREDO_STATE_" + name])), blamed),
                errno.EINVAL, blamed, ""))
    lab.all_refused("dev-set: servers are global, whatever the state (SEC-31, "
                    "SEC-32)", cases)
    lab.refused("dev-set: no state", lambda: do(
        lab, "DEV_SET", lab.index("DEV"), attr("DEV_NAT", u32(1))),
        errno.EINVAL, None, "state")
    after = do(lab, "DEV_GET", lab.index("DEV"))
    lab.tap.equal(after, before, "dev-set: what is refused changes nothing")


def genl_peers(lab):
    for name in ("PEER_GET", "PEER_DEL"):
        short, unknown = (attr("PEER_ADDRESS", value) for value in
                          (bytes(15), ip6("2001:0:4136:e38e::1")))
        lab.all_refused(f"{name.lower().replace('_', '-')}: wrong address", [
            (lambda: do(lab, name, lab.index("PEER"), short), errno.ERANGE,
             short, ""),
            (lambda: do(lab, name, lab.index("PEER"), unknown), errno.ENOENT,
             unknown, "no such peer")])
    lab.refused("peer-get: no address",
                lambda: do(lab, "PEER_GET", lab.index("PEER")), errno.EINVAL,
                UAPI["TEREDO_A_PEER_ADDRESS"])
    for value, code in ((999999, errno.ENODEV), (1, errno.EOPNOTSUPP)):
        try:
            lab.family.dump(UAPI["TEREDO_CMD_PEER_GET"],
                            [attr("PEER_IFINDEX", u32(value))])
            got = 0
        except Refused as refused:
            got = refused.code
        lab.tap.equal(got, code, f"peer-get: no dump of device {value}")


def genl_ctrl(lab):
    index = lab.index("CTRL")
    relay = attr("CTRL_IFINDEX", u32(socket.if_nametoindex("t1")))
    lab.refused("ctrl-bind: only to a client",
                lambda: do(lab, "CTRL_BIND", relay), errno.EOPNOTSUPP)
    lab.refused("dev-set: only of a client",
                lambda: do(lab, "DEV_SET", relay,
                           attr("DEV_STATE", u32(1))), errno.EOPNOTSUPP)
    long = attr("CTRL_PAYLOAD", bytes(2049))
    lab.refused("ctrl-send: too long", lambda: do(
        lab, "CTRL_SEND", index, attr("CTRL_ADDRESS", ip4("65.54.227.142")),
        attr("CTRL_PORT", be16(3544)), long), errno.ERANGE, long)

    first, second = Netlink(NETLINK_GENERIC), Netlink(NETLINK_GENERIC)
    bind = UAPI["TEREDO_CMD_CTRL_BIND"]
    Family(first, "teredo").do(bind, [index])
    lab.refused("ctrl-bind: one helper a device",
                lambda: Family(second, "teredo").do(bind, [index]),
                errno.EBUSY)
    helper = do(lab, "DEV_GET", lab.index("DEV")).get(
        UAPI["TEREDO_A_DEV_HELPER"])
    lab.tap.equal(helper, u32(first.portid), "dev-get: tells the helper")
    first.close()
    Family(second, "teredo").do(bind, [index])
    helper = do(lab, "DEV_GET", lab.index("DEV")).get(
        UAPI["TEREDO_A_DEV_HELPER"])
    lab.tap.equal(helper, u32(second.portid),
                  "ctrl-bind: the next helper, when the first is gone")
    second.close()
    helper = do(lab, "DEV_GET", lab.index("DEV")).get(
        UAPI["TEREDO_A_DEV_HELPER"])
    lab.tap.equal(helper, None, "a helper that is gone is no helper")


def genl_nobody(lab):
    index = lab.index("DEV")

    def allowed():
        wanted = {"DEV_GET"}
        genl = Netlink(NETLINK_GENERIC)
        family = Family(genl, "teredo")
        wrong = 0
        for name, (_, needed) in OPERATIONS.items():
            try:
                family.do(UAPI["TEREDO_CMD_" + name],
                          [index] + [attr(*item) for item in needed])
                code = 0
            except Refused as refused:
                code = refused.code
            wrong += code != (0 if name in wanted else errno.EPERM)
        for name in ("DEV_GET", "PEER_GET"):
            try:
                family.dump(UAPI["TEREDO_CMD_" + name])
                code = 0
            except Refused as refused:
                code = refused.code
            wrong += code != (0 if name in wanted else errno.EPERM)
        try:
            genl.join(family.groups["monitor"])
            wrong += 1
        except PermissionError:
            pass
        return wrong

    lab.tap.equal(as_nobody(allowed), 0,
                  "without privileges: dev-get and nothing else")


def enter(*files):
    """Namespaces, by files that stand for them"""
    libc = ctypes.CDLL(None, use_errno=True)
    with contextlib.ExitStack() as stack:
        # all are opened from here
        opened = [stack.enter_context(open(file, "rb")) for file in files]
        for file in opened:
            if libc.setns(file.fileno(), 0):
                raise OSError(ctypes.get_errno(), file.name)


@contextlib.contextmanager
def inside(name):
    """Sockets that are opened meanwhile belong to that network namespace"""
    with open("/proc/self/ns/net", "rb") as here:
        enter(f"/run/netns/{name}")
        try:
            yield
        finally:
            enter(f"/proc/self/fd/{here.fileno()}")


def genl_moves(lab):
    """The helper stays behind when its device leaves the namespace"""
    ifindex = UAPI["TEREDO_A_DEV_IFINDEX"]
    helper = UAPI["TEREDO_A_DEV_HELPER"]
    do(lab, "DEV_SET", lab.index("DEV"), *[attr("DEV_" + name, value)
                                           for name, value in (
        ("STATE", u32(UAPI["TEREDO_STATE_QUALIFIED"])),
        ("SERVER", ip4("65.54.227.142")),
        ("MAPPED_ADDRESS", ip4("203.219.21.70")),
        ("MAPPED_PORT", be16(54110)), ("FLAGS", u16(0x14e4)),
        ("LIFETIME", u32(60)))])
    mine = Netlink(NETLINK_GENERIC)
    bind = UAPI["TEREDO_CMD_CTRL_BIND"]
    Family(mine, "teredo").do(bind, [lab.index("CTRL")])
    # who leaves goes down first
    lab.links.set_up("t0", False)
    before = do(lab, "DEV_GET", lab.index("DEV"))
    lab.tap.equal(before.get(helper), u32(mine.portid),
                  "ctrl-bind: a device that is down keeps its helper")
    index = lab.index("CTRL")
    ip("netns", "add", "other")
    ip("link", "set", "t0", "netns", "other")
    with inside("other"):
        family = Family(Netlink(NETLINK_GENERIC), "teredo")
        there = u32(socket.if_nametoindex("t0"))
    after = family.do(UAPI["TEREDO_CMD_DEV_GET"],
                      [attr("DEV_IFINDEX", there)])
    lab.tap.equal(after.get(helper), None,
                  "ctrl-bind: it ends when the device moves")
    del before[helper], before[ifindex], after[ifindex]
    lab.tap.equal(after, before, "dev-get: all else moves with the device")
    lab.refused("ctrl-send: the device is gone from here", lambda: do(
        lab, "CTRL_SEND", index, attr("CTRL_ADDRESS", ip4("65.54.227.142")),
        attr("CTRL_PORT", be16(3544)), attr("CTRL_PAYLOAD", bytes(40))),
        errno.ENODEV, index)
    family.do(bind, [attr("CTRL_IFINDEX", there)])
    after = family.do(UAPI["TEREDO_CMD_DEV_GET"],
                      [attr("DEV_IFINDEX", there)])
    lab.tap.equal(after.get(helper), u32(family.netlink.portid),
                  "ctrl-bind: a helper where the device is now")
    ip("-n", "other", "link", "set", "t0", "netns", str(os.getpid()))
    mine.close()
    family.netlink.close()
    ip("netns", "delete", "other")


def change_underlay(lab):
    """Who owns the device's namespace, but not that of its packets"""
    # the end of its input ends it
    with subprocess.Popen(
            ["unshare", "-Urn", "sh", "-c", "echo; cat"], user=65534,
            group=65534, extra_groups=[], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE) as owner:
        owner.stdout.readline()
        lab.links.add("t0")
        ip("link", "set", "t0", "netns", str(owner.pid))

        def permitted(name):
            """0: yes, 1: refused as it should be, 2: otherwise"""
            enter(f"/proc/{owner.pid}/ns/user", f"/proc/{owner.pid}/ns/net")
            data = [word(name, WORDS[name][1] or u8(0))]
            try:
                Links("teredo").change("t0", data)
            except Refused as refused:
                return 1 if refused.code == errno.EPERM and refused.text == \
                    "no permission in the underlay's namespace" else 2
            return 0

        for name in ("TTL", "TOS", "FWMARK", "LOCAL", "PORT", "LINK", "MODE",
                     "SECONDARY", "PRIVATE", "DISCOVERY", "QUEUE", "SERVER",
                     "MAX_PEERS", "BUBBLE_RATE"):
            lab.tap.equal(in_child(lambda: permitted(name)), 1,
                          f"{option(name)}: not without rights over the "
                          "underlay")
        owner.stdin.close()


def main():
    print("TAP version 13", flush=True)
    lab = Lab()
    for part in (add_unknown, add_wrong, add_together, add_right, change_up,
                 change_private, change_mode, change_underlay):
        part(lab)

    lab.links.add("t0", [mode("CLIENT")])
    lab.links.set_up("t0")
    lab.links.add("t1", [mode("RELAY")])
    lab.before = socket.if_nameindex()
    lab.index = lambda kind: attr(f"{kind}_IFINDEX",
                                  u32(socket.if_nametoindex("t0")))
    for part in (genl_device, genl_dev_get, genl_dev_set, genl_peers,
                 genl_ctrl, genl_nobody, genl_moves):
        part(lab)
    lab.links.delete("t0")
    lab.links.delete("t1")
    return lab.tap.finish()


if __name__ == "__main__":
    sys.exit(main())
