#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A file as UDP datagrams that the kernel cuts out of large ones (UDP_SEGMENT),
as QUIC sends them

udp_segment.py send FILE ADDRESS PORT
udp_segment.py receive FILE PORT     until all is there; says when it listens
"""

import errno
import socket
import struct
import sys

UDP_SEGMENT, UDP_GRO = 103, 104
SIZE, AT_ONCE = 1200, 20
PATIENCE = 10


def send(file, address, port):
    """Each datagram starts with its number; the last one is short"""
    data = file.read()
    parts = [struct.pack("!I", at) + data[at:at + SIZE - 4]
             for at in range(0, len(data), SIZE - 4)]
    # a window: what is sent is received before more of it is
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((address, port))
        for at in range(0, len(parts), AT_ONCE):
            window = parts[at:at + AT_ONCE]
            try:
                sock.sendmsg([b"".join(window)], [
                    (socket.SOL_UDP, UDP_SEGMENT, struct.pack("=H", SIZE))])
            except OSError as error:
                # a device without checksums: refused before 6.11
                if error.errno != errno.EIO:
                    raise
                for part in window:
                    sock.send(part)
            sock.recv(1)


def receive(file, port):
    """Datagrams, merged or not, in their order"""
    done = n = 0
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
        sock.bind(("::", port))
        print("ready", flush=True)
        sock.settimeout(PATIENCE * 3)
        while True:
            data, notes, _, sender = sock.recvmsg(65536, 64)
            size = len(data)
            for _, kind, value in notes:
                if kind == UDP_GRO:
                    size = struct.unpack("=i", value)[0]
            for start in range(0, len(data), size):
                part = data[start:start + size]
                at, = struct.unpack("!I", part[:4])
                if at != done:
                    sys.exit(f"octet {at} after {done}")
                file.write(part[4:])
                done += len(part) - 4
                n += 1
                if n % AT_ONCE == 0 or len(part) < SIZE:
                    sock.sendto(b"+", sender)
                if len(part) < SIZE:
                    return


if __name__ == "__main__":
    if sys.argv[1] == "send":
        with open(sys.argv[2], "rb") as source:
            send(source, sys.argv[3], int(sys.argv[4]))
    else:
        with open(sys.argv[2], "wb") as target:
            receive(target, int(sys.argv[3]))
