#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Generic netlink: what is asked for comes whole, and changes are told."""

import errno
import pathlib
import socket
import struct
import subprocess
import sys
import threading

import wire
from genl import (NETLINK_GENERIC, Attr, Family, Links, Netlink, Refused,
                  be16, constants, ip4, ip6, u8, u32, unpack_attrs)

UAPI = constants("linux/teredo.h", "linux/if_teredo.h")
DEVICES = 60
PEERS = 600
SO_SNDBUFFORCE = 32
QUOTA = pathlib.Path("/proc/sys/net/teredo/max_peers")


def word(name, value):
    return Attr(UAPI["IFLA_TEREDO_" + name], value)


def mode(name):
    return word("MODE", u8(UAPI["TEREDO_MODE_" + name]))


def attr(name, value):
    return Attr(UAPI["TEREDO_A_" + name], value)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def number(octets):
    """An attribute in host order"""
    return int.from_bytes(octets, sys.byteorder)


class Lab:
    def __init__(self):
        self.tap = wire.Tap()
        self.links = Links("teredo")
        self.family = Family(Netlink(NETLINK_GENERIC), "teredo")

    def device(self, name):
        """dev-get, octets by the attribute's name"""
        return self.by_name("DEV", self.family.do(
            UAPI["TEREDO_CMD_DEV_GET"],
            [attr("DEV_IFNAME", name.encode() + b"\0")]))

    def peers(self, *which):
        return [self.by_name("PEER", peer) for peer in self.family.dump(
            UAPI["TEREDO_CMD_PEER_GET"], which)]

    @staticmethod
    def by_name(kind, attrs):
        start = f"TEREDO_A_{kind}_"
        names = {value: name[len(start):] for name, value in UAPI.items()
                 if name.startswith(start) and name[len(start):] != "MAX"}
        return {names[key]: value for key, value in attrs.items()}


def devices(lab):
    """A dump has each device once, also when it needs many messages"""
    ip("link", "add", "other", "type", "dummy")
    names = [f"many{i}" for i in range(DEVICES)]
    for i, name in enumerate(names):
        lab.links.add(name, [mode(("CLIENT", "RELAY", "HOST_RELAY",
                                   "SERVER")[i % 4])])
    dump = [lab.by_name("DEV", device) for device in
            lab.family.dump(UAPI["TEREDO_CMD_DEV_GET"])]
    lab.tap.equal([device["IFNAME"][:-1].decode() for device in dump], names,
                  f"dev-get: all {DEVICES} devices, each once, no other")
    single = [lab.device(name) for name in names]
    lab.tap.result(dump == single, "dev-get: the same of one and of all")
    lab.tap.equal([number(device["MODE"]) for device in dump[:4]],
                  [0, 1, 2, 3], "dev-get: mode")
    for name in names:
        lab.links.delete(name)
    lab.tap.equal(lab.family.dump(UAPI["TEREDO_CMD_DEV_GET"]), [],
                  "dev-get: no device, no answer")
    ip("link", "delete", "other")


def contents(lab):
    """What dev-get tells of a device"""
    lab.links.add("t0", [mode("CLIENT"),
                         word("SERVER", ip4("65.54.227.142"))])
    told = lab.device("t0")
    lab.tap.equal([told.get(name) for name in (
        "SERVER", "SECONDARY", "LOCAL", "PORT", "ADDRESS", "HELPER", "NAT")],
        [ip4("65.54.227.142"), ip4("65.54.227.143"), None, None, None, None,
         u32(UAPI["TEREDO_NAT_UNKNOWN"])],
        "dev-get: a client that knows no more than its configuration")
    lab.links.set_up("t0")
    told = lab.device("t0")
    port = told.get("PORT")
    lab.tap.result(port and port != be16(3544), "dev-get: a random port",
                   f"{port}")
    lab.tap.equal(lab.links.show("t0").get(UAPI["IFLA_TEREDO_PORT"]), None,
                  "link: a random port is no configuration")
    lab.tap.equal([told["STATE"], told["MTU"], told["PREFIX"],
                   told["PEERS"]],
                  [u32(UAPI["TEREDO_STATE_DORMANT"]), u32(1280),
                   ip4("32.1.0.0"), u32(0)], "dev-get: dormant")
    lab.links.set_up("t0", False)
    lab.links.set_up("t0")
    lab.tap.equal(lab.device("t0").get("PORT"), port,
                  "dev-get: the port stays over down and up")
    lab.links.delete("t0")

    lab.links.add("t0", [mode("RELAY")])
    down = lab.device("t0")
    lab.links.set_up("t0")
    lab.tap.equal([down["STATE"], lab.device("t0")["STATE"]],
                  [u32(UAPI["TEREDO_STATE_DOWN"]),
                   u32(UAPI["TEREDO_STATE_UP"])], "dev-get: down and up")
    lab.links.delete("t0")

    lab.links.add("t0", [mode("SERVER")])
    try:
        lab.links.set_up("t0")
        code = 0
    except Refused as refused:
        code = refused.code
    told = lab.device("t0")
    lab.tap.equal([code, told["STATE"]],
                  [errno.EDESTADDRREQ, u32(UAPI["TEREDO_STATE_ERROR"])],
                  "dev-get: a server without addresses is in error")
    lab.tap.result(told.get("REASON", b"").startswith(b"local: "),
                   "dev-get: and says why", f"{told.get('REASON')}")
    lab.links.delete("t0")


def counters(lab):
    """dev-get and ethtool have the same counters under the same names"""
    lab.links.add("t0")
    told = unpack_attrs(lab.device("t0")["STATS"])
    start = "TEREDO_A_STATS_"
    wanted = {name[len(start):].lower(): value for name, value in
              UAPI.items() if name.startswith(start) and
              name[len(start):] not in ("PAD", "MAX")}
    lab.tap.equal(set(told), set(wanted.values()), "dev-get: all counters")
    shown = subprocess.run(["ethtool", "-S", "t0"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()[1:]
    lab.tap.equal([line.split(":")[0].strip() for line in shown],
                  sorted(wanted, key=wanted.get), "ethtool: the same names")
    lab.links.delete("t0")


def events(lab, family):
    """What the monitors have been told of t0 until now"""
    told = []
    family.netlink.socket.settimeout(0.5)
    try:
        while True:
            for command, attrs in family.events():
                told.append((command, attrs))
    except (TimeoutError, BlockingIOError):
        pass
    return [lab.by_name("DEV", attrs) for command, attrs in told
            if command == UAPI["TEREDO_CMD_DEV_NTF"]]


def monitor(lab):
    family = Family(Netlink(NETLINK_GENERIC), "teredo")
    family.netlink.join(family.groups["monitor"])
    index = lab.links.add("t0", [mode("RELAY")])
    told = events(lab, family)
    lab.tap.equal([(number(ntf["IFINDEX"]), number(ntf["STATE"]))
                   for ntf in told][-1:],
                  [(index, UAPI["TEREDO_STATE_DOWN"])], "dev-ntf: made")
    lab.links.set_up("t0")
    told = events(lab, family)
    lab.tap.equal([number(ntf["STATE"]) for ntf in told][-1:],
                  [UAPI["TEREDO_STATE_UP"]], "dev-ntf: up")
    lab.links.delete("t0")
    told = events(lab, family)
    lab.tap.equal([(number(ntf["IFINDEX"]), "STATE" in ntf)
                   for ntf in told][-1:], [(index, False)], "dev-ntf: gone")
    family.netlink.close()


def client(i):
    """The Teredo address of a client that nobody is"""
    return ip6("2001:0:4136:e38e::")[:8] + struct.pack(
        ">HHI", 0, 0x1234, ~(0x04000000 + i) & 0xffffffff)


def make_peers(numbers):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        # all of them wait for a path
        sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 30)
        for i in numbers:
            sender.sendto(b"", (socket.inet_ntop(socket.AF_INET6, client(i)),
                                9))


def limits(lab, one):
    """The netns' limit on peers, and the device's own, both live"""
    before = QUOTA.read_text(encoding="ascii")
    QUOTA.write_text("10", encoding="ascii")
    make_peers(range(20))
    lab.tap.equal([len(lab.peers(one)), number(lab.device("t0")["PEERS"])],
                  [10, 10], "net.teredo.max_peers: of 20 peers 10 are there")
    QUOTA.write_text(before, encoding="ascii")
    make_peers(range(20))
    lab.tap.equal(len(lab.peers(one)), 20,
                  "net.teredo.max_peers: raised, all are there")

    lab.links.change("t0", [word("MAX_PEERS", u32(5))])
    lab.tap.equal([len(lab.peers(one)), number(lab.device("t0")["PEERS"])],
                  [5, 5], "max-peers: lowered, what is too many goes at once")
    make_peers(range(20))
    lab.tap.equal(len(lab.peers(one)), 5, "max-peers: and no more come")
    lab.links.change("t0", [word("MAX_PEERS", u32(65536))])
    lab.family.do(UAPI["TEREDO_CMD_PEER_DEL"], [one])

    # a network namespace that a user has made
    shown = subprocess.run(
        ["unshare", "-Urn", "sh", "-c",
         f"stat -c %a {QUOTA}; cat {QUOTA}; echo 5 >{QUOTA}; cat {QUOTA}"],
        user=65534, group=65534, extra_groups=[], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()
    lab.tap.equal(shown, ["444", "16384", "16384"],
                  "net.teredo.max_peers: an unprivileged netns has less, and "
                  "cannot raise it")


def peers(lab):
    ip("link", "set", "lo", "up")
    ip("address", "add", "2620::1/128", "dev", "lo")
    ip("link", "add", "under", "type", "dummy")
    ip("address", "add", "198.41.0.4/24", "dev", "under")
    ip("link", "set", "under", "up")
    ip("route", "add", "default", "dev", "under")
    index = lab.links.add("t0", [mode("RELAY"), word("BUBBLE_RATE", u32(0)),
                                 word("SERVER_RATE", u32(0))])
    lab.links.set_up("t0")
    lab.links.add("t1", [mode("RELAY")])
    ip("route", "add", "2001::/32", "via", "fe80::1", "dev", "t0",
       "src", "2620::1")
    one = attr("PEER_IFINDEX", u32(index))

    family = Family(Netlink(NETLINK_GENERIC), "teredo")
    family.netlink.join(family.groups["monitor"])
    make_peers([0])
    found = lab.peers(one)
    lab.tap.equal([(peer["ADDRESS"], number(peer["STATE"]),
                    number(peer["QUEUED"]), "TRUSTED" in peer)
                   for peer in found],
                  [(client(0), UAPI["TEREDO_PEER_STATE_INCOMPLETE"], 1,
                    False)], "peer-get: a peer that is searched for")
    told = []
    while not told:
        told = [lab.by_name("PEER", attrs) for command, attrs in
                family.events() if command == UAPI["TEREDO_CMD_PEER_NTF"]]
    family.netlink.close()
    lab.tap.equal([(peer["ADDRESS"], number(peer["STATE"]))
                   for peer in told],
                  [(client(0), UAPI["TEREDO_PEER_STATE_FAILED"])],
                  "peer-ntf: it did not answer")
    address = attr("PEER_ADDRESS", client(0))
    peer = lab.by_name("PEER", lab.family.do(UAPI["TEREDO_CMD_PEER_GET"],
                                             [one, address]))
    lab.tap.equal([number(peer["STATE"]), number(peer["QUEUED"]),
                   "LAST_RX" in peer],
                  [UAPI["TEREDO_PEER_STATE_FAILED"], 0, False],
                  "peer-get: one peer")
    lab.family.do(UAPI["TEREDO_CMD_PEER_DEL"], [one, address])
    lab.tap.equal(lab.peers(one), [], "peer-del: one peer")

    # Some may be given up meanwhile, but what is there at the end has been
    # there all the time.
    make_peers(range(PEERS))
    dumps = [[peer["ADDRESS"] for peer in lab.peers(*which)]
             for which in ([one], [], [one])]
    count = number(lab.device("t0")["PEERS"])
    last = {peer["ADDRESS"] for peer in lab.peers(one)}
    lab.tap.result(len(last) > PEERS / 4 and
                   all(client(0)[:8] == peer[:8] for peer in last),
                   "peer-get: many peers", f"{len(last)}")
    for what, found in zip(("of a device", "of all devices"), dumps):
        lab.tap.result(len(found) == len(set(found)) and last <= set(found),
                       f"peer-get: all peers {what}, each once",
                       f"{len(found)} peers, {len(set(found))} different, "
                       f"{len(last - set(found))} missing")
    lab.tap.result(len(dumps[2]) >= count >= len(last),
                   "dev-get: number of peers",
                   f"{len(dumps[2])}, {count}, {len(last)}")
    lab.tap.equal(lab.peers(attr("PEER_IFINDEX",
                                 u32(socket.if_nametoindex("t1")))), [],
                  "peer-get: none of another device")

    grow = threading.Thread(target=make_peers,
                            args=(range(PEERS, 3 * PEERS),))
    grow.start()
    dumps = []
    while grow.is_alive() or not dumps:
        dumps.append({peer["ADDRESS"] for peer in lab.peers(one)})
    grow.join()
    last &= dumps[-1]
    missing = sum(len(last - dump) for dump in dumps)
    lab.tap.result(not missing, "peer-get: misses none while others come",
                   f"{missing} of {len(last)} in {len(dumps)} dumps")

    lab.family.do(UAPI["TEREDO_CMD_PEER_DEL"], [one])
    lab.tap.equal([lab.peers(one), number(lab.device("t0")["PEERS"])],
                  [[], 0], "peer-del: all peers")

    limits(lab, one)

    make_peers(range(PEERS))
    reader = Family(Netlink(NETLINK_GENERIC), "teredo")
    reader.netlink.socket.send(
        struct.pack("=IHHII", 20, reader.id, 0x301, 99, 0) +
        struct.pack("=BBH", UAPI["TEREDO_CMD_PEER_GET"], 1, 0))
    lab.links.delete("t0")
    rest = 0
    while True:
        answers = list(reader.netlink.receive())
        rest += len(answers)
        if any(kind == 3 for kind, *_ in answers):
            break
    lab.tap.result(rest < PEERS, "peer-get: a slow reader holds no device",
                   f"{rest} answers")
    lab.links.delete("t1")
    ip("link", "delete", "under")


def main():
    print("TAP version 13", flush=True)
    lab = Lab()
    for part in (devices, contents, counters, monitor, peers):
        part(lab)
    return lab.tap.finish()


if __name__ == "__main__":
    sys.exit(main())
