#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Keys of a server over generic netlink: what is taken, what is refused.

Runs in a network namespace of its own, as root.
"""

import errno
import os
import subprocess
import sys

import wire
from genl import NETLINK_GENERIC, Attr, Links, Netlink, Refused, as_nobody, u32
from keys import SHA1, SHA256, UAPI, Family, Keys, attr

SECRET = b"never to be seen again"
SET = UAPI["TEREDO_CMD_KEY_SET"]
DEL = UAPI["TEREDO_CMD_KEY_DEL"]
GET = UAPI["TEREDO_CMD_KEY_GET"]
MOST = 4096


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def shown(keys):
    """Identifier, algorithm and confirmation, in order"""
    return sorted((key[UAPI["TEREDO_A_KEY_IDENTIFIER"]],
                   int.from_bytes(key[UAPI["TEREDO_A_KEY_ALGORITHM"]],
                                  sys.byteorder),
                   key[UAPI["TEREDO_A_KEY_CONFIRM"]][0])
                  for key in keys.list())


def refused(tap, name, call, code, blamed=None, missing=0, text=""):
    try:
        call()
        tap.result(False, name, "not refused")
    except Refused as what:
        tap.result(what.code == code and what.attr is blamed and
                   what.missing == missing and text in what.text and
                   what.text, name,
                   f"{what} (blames {what.attr}, misses {what.missing})")


def no_dump(tap, keys, name, attrs, code, text):
    """6.1 says no more of a dump than this"""
    try:
        keys.family.dump(GET, attrs)
        tap.result(False, name, "not refused")
    except Refused as what:
        tap.result(what.code == code and text in what.text, name, what)


def life(tap, keys):
    tap.equal(shown(keys), [], "no keys at first")
    keys.set(b"a", SECRET)
    keys.set(b"b", SECRET, algorithm=SHA256, confirm=7)
    keys.set(bytes(range(255)), os.urandom(1024))
    wanted = [(bytes(range(255)), SHA1, 0), (b"a", SHA1, 0),
              (b"b", SHA256, 7)]
    tap.equal(shown(keys), wanted, "CL-S-01 identifiers and secrets of any "
              "octets and length; HMAC-SHA1 by default")
    keys.set(b"b", confirm=0)
    keys.set(b"a", confirm=255)
    wanted[1:] = [(b"a", SHA1, 255), (b"b", SHA256, 0)]
    tap.equal(shown(keys), wanted, "CL-S-07 confirm alone")
    keys.set(b"a", SECRET, algorithm=SHA256)
    wanted[1] = (b"a", SHA256, 0)
    tap.equal(shown(keys), wanted, "a new secret replaces the whole key")
    keys.delete(b"a")
    del wanted[1]
    tap.equal(shown(keys), wanted, "key-del")
    return wanted


def refusals(tap, keys, relay):
    def do(command, *attrs):
        return lambda: keys.family.do(command, list(attrs))

    index = attr("IFINDEX", u32(keys.ifindex))
    ident = attr("IDENTIFIER", b"new")
    secret = attr("SECRET", SECRET)
    for command, name in (SET, "key-set"), (DEL, "key-del"):
        refused(tap, f"{name}: ifindex is missing", do(command, ident, secret)
                if command == SET else do(command, ident), errno.EINVAL,
                missing=UAPI["TEREDO_A_KEY_IFINDEX"], text="ifindex")
        refused(tap, f"{name}: identifier is missing", do(command, index),
                errno.EINVAL, missing=UAPI["TEREDO_A_KEY_IDENTIFIER"],
                text="identifier")
        empty = attr("IDENTIFIER", b"")
        refused(tap, f"{name}: identifier is empty",
                do(command, index, empty), errno.EINVAL, empty,
                text="identifier: ")
        long = attr("IDENTIFIER", bytes(256))
        refused(tap, f"{name}: identifier of 256 octets",
                do(command, index, long), errno.ERANGE, long, text="")
        nobody = attr("IFINDEX", u32(999999))
        refused(tap, f"{name}: no such device", do(command, nobody, ident),
                errno.ENODEV, nobody, text="no such device")
        there = attr("IFINDEX", u32(1))
        refused(tap, f"{name}: not a Teredo device",
                do(command, there, ident), errno.EOPNOTSUPP, there)
        there = attr("IFINDEX", u32(relay))
        refused(tap, f"{name}: not a server", do(command, there, ident),
                errno.EOPNOTSUPP, there, text="keys are for servers")
    refused(tap, "key-set: secret is missing", do(SET, index, ident),
            errno.EINVAL, missing=UAPI["TEREDO_A_KEY_SECRET"], text="secret")
    refused(tap, "key-set: confirm of a key that there is not",
            do(SET, index, ident, attr("CONFIRM", b"\1")), errno.ENOENT,
            ident, text="no such identifier")
    for name, value, code in (("SECRET", b"", errno.EINVAL),
                              ("SECRET", bytes(1025), errno.ERANGE),
                              ("ALGORITHM", u32(2), errno.ERANGE)):
        bad = attr(name, value)
        extra = [] if name == "SECRET" else [secret]
        refused(tap, f"key-set: {name.lower()} {value[:4].hex() or 'empty'}, "
                f"{len(value)} octets", do(SET, index, ident, bad, *extra),
                code, bad)
    algorithm = attr("ALGORITHM", u32(SHA1))
    refused(tap, "key-set: another algorithm for the same secret",
            do(SET, index, attr("IDENTIFIER", b"b"), algorithm,
               attr("CONFIRM", b"\1")), errno.EINVAL, algorithm,
            text="algorithm: ")
    refused(tap, "key-set: unknown attribute",
            do(SET, index, ident, secret,
               unknown := Attr(UAPI["TEREDO_A_KEY_CONFIRM"] + 1, b"\0\0\0\0")),
            errno.EINVAL, unknown)
    ident = attr("IDENTIFIER", b"a")
    refused(tap, "key-del: no such identifier", do(DEL, index, ident),
            errno.ENOENT, ident, text="no such identifier")

    no_dump(tap, keys, "key-get: ifindex is missing", [], errno.EINVAL,
            "ifindex is missing")
    no_dump(tap, keys, "key-get: not a server", [there], errno.EOPNOTSUPP,
            "keys are for servers")


def nobody_may(tap, keys):
    """How many requests are not refused for want of privileges"""
    def allowed():
        family = Family(Netlink(NETLINK_GENERIC), "teredo")
        wrong = 0
        for call in (lambda: family.do(SET, keys.attrs(identifier=b"x",
                                                       secret=b"y")),
                     lambda: family.do(DEL, keys.attrs(identifier=b"b")),
                     lambda: family.dump(GET, keys.attrs())):
            try:
                call()
                wrong += 1
            except Refused as what:
                wrong += what.code != errno.EPERM
        return wrong

    tap.equal(as_nobody(allowed), 0, "without privileges: none of it")


def secrecy(tap, keys):
    """CL-S-10 SEC-67: nothing that can be asked shows a secret"""
    raw = b"".join(payload for _, payload in keys.netlink.request(
        keys.family.id, bytes([GET, 1, 0, 0]), keys.attrs(), 0x300))
    said = raw + b"".join(
        subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
        for words in (["ip", "-d", "link"], ["teredoctl", "-j", "status"],
                      ["teredoctl", "key", "list", "s0"],
                      ["teredoctl", "-j", "key", "list", "s0"], ["dmesg"],
                      ["ethtool", "-S", "s0"]))
    tap.result(SECRET not in said and SECRET.hex().encode() not in said and
               UAPI["TEREDO_A_KEY_SECRET"] not in keys.list()[0],
               "CL-S-10 SEC-67 the secret is in no dump, no list, no log")
    # what a refusal quotes of the request
    sock = keys.netlink.socket
    request = keys.attrs(identifier=b"c" * 3, secret=SECRET)
    request[0] = attr("IFINDEX", u32(999999))
    places = {}
    body = bytes([SET, 1, 0, 0])
    for item in request:
        body += item.pack(len(body) + 16, places)
    sock.send((16 + len(body)).to_bytes(4, sys.byteorder) +
              keys.family.id.to_bytes(2, sys.byteorder) +
              (5).to_bytes(2, sys.byteorder) + bytes(8) + body)
    answer = sock.recv(65536)
    tap.result(b"ccc" in answer and SECRET not in answer,
               "SEC-67 a refusal quotes the request without the secret")


def many(tap, keys):
    present = len(keys.list())
    for i in range(MOST - present):
        keys.set(b"key-%d" % i, SECRET, algorithm=i % 2)
    tap.equal(len(keys.identifiers()), MOST, "4096 keys, all of them dumped")
    ident = attr("IDENTIFIER", b"one more")
    refused(tap, "and not one more", lambda: keys.family.do(
        SET, [attr("IFINDEX", u32(keys.ifindex)), ident,
              attr("SECRET", SECRET)]), errno.ENOSPC, ident, text="4096")
    keys.set(b"key-0", b"another", confirm=1)
    tap.equal(len(keys.identifiers()), MOST, "a known one is replaced")
    keys.delete(b"key-1")
    keys.set(b"one more", SECRET)
    tap.equal(len(keys.identifiers()), MOST, "room for one that is deleted")


def gone(tap, keys, name):
    no_dump(tap, keys, name, keys.attrs(), errno.ENODEV, "no such device")


def order(tap, keys):
    """SEC-57: who chooses identifiers cannot choose where they are kept"""
    ip("link", "add", "s2", "type", "teredo", "mode", "server")
    other = Keys(None, "s2")
    for i in range(200):
        keys.set(b"order-%d" % i, SECRET)
        other.set(b"order-%d" % i, SECRET)
    name = UAPI["TEREDO_A_KEY_IDENTIFIER"]
    orders = [[key[name] for key in which.list()
               if key[name].startswith(b"order")] for which in (keys, other)]
    tap.result(len(orders[0]) == 200 and orders[0] != orders[1] and
               sorted(orders[0]) == sorted(orders[1]),
               "SEC-57 each device has its own order of the same keys")
    for i in range(200):
        keys.delete(b"order-%d" % i)
    ip("link", "del", "s2")


def moves(tap, keys, links):
    """Down, up, another namespace, another mode, gone"""
    before = keys.identifiers()
    for state in "up", "down":
        ip("link", "set", "s0", state)
    tap.equal(keys.identifiers(), before, "keys outlive down and up")
    name = f"key-{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("link", "set", "s0", "netns", name)
        gone(tap, keys, "a device that left has no keys here")
        there = Keys(name, "s0")
        tap.equal(there.identifiers(), before,
                  "keys go with the device into another namespace")
        ip("-n", name, "link", "set", "s0", "netns", str(os.getpid()))
    finally:
        ip("netns", "del", name)
    keys.ifindex = Keys(None, "s0").ifindex
    tap.equal(keys.identifiers(), before, "and back")
    ip("link", "set", "s0", "type", "teredo", "mode", "relay")
    ip("link", "set", "s0", "type", "teredo", "mode", "server", "secondary",
       "1.2.3.5")
    tap.equal(shown(keys), [], "SEC-67 another mode drops the keys")
    keys.set(b"a", SECRET)
    tap.equal(shown(keys), [(b"a", SHA1, 0)], "a server again, with new keys")
    for i in range(100):
        keys.set(b"%d" % i, SECRET)
    links.delete("s0")
    gone(tap, keys, "a device that is gone has no keys")


def main():
    print("TAP version 13", flush=True)
    tap = wire.Tap()
    links = Links("teredo")
    ip("link", "add", "u0", "type", "dummy")
    ip("addr", "add", "1.2.3.4/24", "dev", "u0")
    ip("addr", "add", "1.2.3.5/24", "dev", "u0")
    ip("link", "set", "u0", "up")
    ip("link", "add", "r0", "type", "teredo", "mode", "relay")
    ip("link", "add", "s0", "type", "teredo", "mode", "server", "local",
       "1.2.3.4", "secondary", "1.2.3.5")
    keys = Keys(None, "s0")
    relay = Keys(None, "r0").ifindex
    left = life(tap, keys)
    refusals(tap, keys, relay)
    nobody_may(tap, keys)
    tap.equal(shown(keys), left, "what was refused left nothing behind")
    secrecy(tap, keys)
    order(tap, keys)
    many(tap, keys)
    moves(tap, keys, links)
    links.delete("r0")
    ip("link", "del", "u0")
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
