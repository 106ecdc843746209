#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What tshark warns of in the Teredo datagrams of a capture

judge.py FILE...: prints what is malformed or suspicious in it, and fails if
anything is, or if there is nothing in any of them. tshark's dissector does not know the trailers of RFC 6081, so
that datagrams with trailers are left out. Capture where checksums are
complete (ethtool -K DEV tx off).
"""

import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import wire

MAGIC = 0xa1b2c3d4
ETHERNET, RAW, COOKED, COOKED2 = 1, 101, 113, 276
# octets in front of the IP packet
LINK_HEADERS = {ETHERNET: 14, RAW: 0, COOKED: 16, COOKED2: 20}
# What is inside is left at UDP: the tests' data is no protocol's.
PROTOCOLS = ("frame", "raw", "ip", "udp", "teredo", "ipv6", "icmpv6", "tcp",
             "data")
EMPTY = "the capture holds no Teredo datagram"
# An answer that never came is no fault of what was sent, nor is what TCP had
# to repeat.
IGNORED = ("No response seen to ICMPv6 request", "D-SACK Sequence")


class Pcap:
    """A capture file of IP packets"""

    def __init__(self):
        descriptor, self.path = tempfile.mkstemp(suffix=".pcap")
        self.file = os.fdopen(descriptor, "wb")
        self.file.write(struct.pack("=IHHiIII", MAGIC, 2, 4, 0, 0, 65535,
                                    RAW))
        self.file.flush()
        self.count = 0

    def add(self, packet, when):
        self.file.write(struct.pack("=IIII", int(when),
                                    int(when % 1 * 1000000), len(packet),
                                    len(packet)) + packet)
        self.file.flush()
        self.count += 1


def packets(path):
    """IP packets of a capture file, with their times"""
    with open(path, "rb") as file:
        octets = file.read()
    order = "<" if octets[:4] == struct.pack("<I", MAGIC) else ">"
    skip = LINK_HEADERS[struct.unpack(order + "I", octets[20:24])[0]]
    at = 24
    while at + 16 <= len(octets):
        seconds, micros, size, _ = struct.unpack(order + "IIII",
                                                 octets[at:at + 16])
        yield octets[at + 16 + skip:at + 16 + size], seconds + micros / 1e6
        at += 16 + size


def is_teredo(datagram):
    """Looks like it, and has no trailers"""
    payload = datagram.payload
    if not payload or (payload[0] >> 4 != 6 and
                       payload[:2] not in (b"\0\0", b"\0\1")):
        return False
    try:
        return not wire.Packet.parse(payload).trailing
    except wire.Malformed:
        return True             # for tshark to say so


def judge(path):
    """What is wrong in a capture: a list of lines"""
    pcap = Pcap()
    for packet, when in packets(path):
        datagram = wire.Datagram.parse(packet)
        if datagram and is_teredo(datagram):
            if not datagram.right or not datagram.check:
                return [f"UDP checksum {datagram.check:#x} of "
                        f"{datagram.payload.hex()}"]
            pcap.add(packet, when)
    if not pcap.count:
        os.unlink(pcap.path)
        return [EMPTY]
    done = tshark("-n", "-r", pcap.path, "--enable-heuristic", "teredo_udp",
                  "-o", "udp.try_heuristic_first:TRUE",
                  "-o", "ip.check_checksum:TRUE",
                  "-o", "udp.check_checksum:TRUE",
                  "-o", "tcp.analyze_sequence_numbers:FALSE",
                  "-Y", "!teredo || _ws.malformed || "
                  "_ws.expert.severity >= 0x600000",
                  "-T", "fields", "-e", "frame.number", "-e", "ip.src",
                  "-e", "ip.dst", "-e", "_ws.expert.message",
                  "-e", "frame.protocols")
    os.unlink(pcap.path)
    if done.returncode:
        return [f"tshark: {line}" for line in done.stderr.splitlines()[:5]]
    return [line for line in done.stdout.splitlines()
            if not any(text in line for text in IGNORED)]


def tshark(*words):
    """Runs it with none but these protocols"""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"WIRESHARK_CONFIG_DIR": folder}

        def run(words):
            return subprocess.run(["tshark", *words], check=False, text=True,
                                  capture_output=True, env=environment)
        known = [line.split("\t")[2]
                 for line in run(["-G", "protocols"]).stdout.splitlines()]
        disabled = [name for name in known
                    if name not in PROTOCOLS and not name.startswith("_ws")]
        (pathlib.Path(folder) / "disabled_protos").write_text(
            "\n".join(disabled) + "\n", encoding="ascii")
        return run(words)


def main():
    found = [(path, line) for path in sys.argv[1:] for line in judge(path)]
    # what is said on a LAN does not pass the core
    empty = [path for path, line in found if line == EMPTY]
    if len(empty) < len(sys.argv) - 1:
        found = [(path, line) for path, line in found if path not in empty]
    for path, line in found:
        print(f"{path}: {line}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
