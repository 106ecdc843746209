# SPDX-License-Identifier: GPL-2.0
"""The ways through the router: no tunnel, ours, others"""

import os
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
import wire                                                     # noqa: E402
from lab import (FAR, INNER, NATIVE, NS, RELAY, ether, inside,  # noqa: E402
                 ip, link, run)

SERVER4, CLIENT4, PORT = "65.54.227.142", "50.0.0.1", 40001
HERE4, THERE4 = (RELAY, 3545), (CLIENT4, PORT)
CLIENT = wire.text6(wire.teredo(SERVER4, CLIENT4, PORT))

# where frames have a client's addresses, for gen.c
OUT_OPTIONS = ("-t", str(14 + 24))
IN_OPTIONS = ("-i", "14", "-t", str(14 + 28 + 8))


class Plain:
    """Forwarding without a tunnel: the limit"""
    name = "plain IPv6 forwarding"

    def up(self, gen):
        """Ready for the first packet"""
        del gen
        ip("route add 2001::/32 dev sink")

    def down(self):
        """What does not end with the namespace"""

    def inner(self, out, size):
        """IPv6 and UDP headers included"""
        src, dst = (NATIVE, CLIENT) if out else (CLIENT, FAR)
        return wire.udp6(src, dst, bytes(size - 48))

    def frame(self, out, size):
        """As it comes in, from the native side (out) or the tunnel's"""
        return ether(self.inner(out, size))

    def tcp(self, src, dst, octets):
        """Its checksum is left to a device"""
        pseudo = wire.ip6(src) + wire.ip6(dst) + \
            struct.pack("!II", 20 + octets, 6)
        return wire.ipv6(src, dst, 6, struct.pack(
            "!HHIIBBHHH", 5000, 5000, 1, 1, 0x50, 0x10, 1000,
            wire.checksum(pseudo) ^ 0xffff, 0) + bytes(octets))

    def merged(self, octets):
        """TCP to the client"""
        return ether(self.tcp(NATIVE, CLIENT, octets))


    def segment(self, octets):
        """One of TCP from the client; offset of the TCP header"""
        return self.wrap(self.tcp(CLIENT, FAR, octets)), 14 + 40

    def wrap(self, packet):
        """As it comes in from the tunnel's side"""
        return ether(packet)


class Teredo(Plain):
    """A relay with one client"""
    name = "teredo"
    more = ""

    def up(self, gen):
        ip(f"link add t0 type teredo mode relay local {RELAY} port {HERE4[1]} "
           f"{self.more}",
           "link set t0 up",
           # one neighbour for all clients, as README.md says
           "route add fe80::1/128 dev t0",
           "route add 2001::/32 via fe80::1 dev t0")
        self.meet(gen)

    def meet(self, gen):
        """The relay learns of the client"""
        gen.send(self.frame(True, 64), 1)
        gen.send(self.bubble(), 1)

    def bubble(self):
        """That the client sends"""
        return ether(wire.udp4(THERE4, HERE4, wire.bubble(CLIENT, NATIVE)))

    def frame(self, out, size):
        packet = self.inner(out, size)
        return ether(packet) if out else self.wrap(packet)

    def segment(self, octets):
        return self.wrap(self.tcp(CLIENT, FAR, octets)), 14 + 28 + 40

    def wrap(self, packet):
        return ether(wire.udp4(THERE4, HERE4, packet))


class TeredoMany(Teredo):
    """A relay with as many as the table holds, and without limits"""
    more = ("max-peers 1048576 accept-unknown on queue 1 peer-rate 0 "
            "bubble-rate 0 server-rate 0")

    def meet(self, gen):
        """Nobody yet"""


class Fou(Teredo):
    """The same datagrams, by a tunnel with one endpoint"""
    name = "sit over fou"

    def up(self, gen):
        run("modprobe", "-a", "fou", "sit")
        inside("ip", "fou", "add", "port", str(HERE4[1]), "ipproto", "41")
        ip(f"link add t0 type sit local {RELAY} remote {CLIENT4} ttl 64 "
           f"encap fou encap-sport {HERE4[1]} encap-dport {PORT} encap-csum",
           "link set t0 up",
           "route add 2001::/32 dev t0")


class Vxlan(Teredo):
    """Ethernet in UDP"""
    name = "vxlan"
    words = f"vxlan id 1 dstport {HERE4[1]} local {RELAY} nolearning"
    header = "0800000000000100"

    def up(self, gen):
        ip(f"link add t0 type {self.words} remote {CLIENT4} udpcsum",
           "link set t0 addrgenmode none up",
           f"neigh add fe80::1 lladdr {INNER.hex(':')} dev t0",
           "route add 2001::/32 via fe80::1 dev t0")

    def frame(self, out, size):
        packet = self.inner(out, size)
        if not out:
            mac = bytes.fromhex(link("t0")["address"].replace(":", ""))
            packet = wire.udp4(THERE4, HERE4, bytes.fromhex(self.header) +
                               ether(packet, mac))
        return ether(packet)


class Geneve(Vxlan):
    """Ethernet in UDP"""
    name = "geneve"
    words = f"geneve id 1 dstport {HERE4[1]}"
    header = "0000655800000100"


class Daemon:
    """A program that runs until down()"""

    def __init__(self, program, *lines):
        self.folder = tempfile.TemporaryDirectory()
        conf = os.path.join(self.folder.name, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", NS, program, "-f", "-c", conf, "-p",
             os.path.join(self.folder.name, "pid")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self, *words):
        """Until this command has something to say"""
        for _ in range(100):
            if inside(*words):
                return
            time.sleep(0.1)
        sys.exit(f"{self.process.args}: not ready")

    def down(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Miredo(Teredo):
    """Miredo's relay"""
    name = "miredo"

    def __init__(self):
        self.daemon = None

    def up(self, gen):
        self.daemon = Daemon("miredo", "RelayType relay", "InterfaceName t0",
                             f"BindAddress {RELAY}", f"BindPort {HERE4[1]}")
        self.daemon.wait("ip", "-6", "route", "show", "2001::/32")
        self.meet(gen)

    def down(self):
        self.daemon.down()


class MiredoMany(Miredo):
    """That knows nobody yet"""

    def meet(self, gen):
        """Nobody"""


class Server:
    """Ours"""
    here, second = SERVER4, "65.54.227.143"

    def up(self):
        """Ready for the first packet"""
        ip(f"link add t0 type teredo mode server local {self.here} "
           f"secondary {self.second} rate 0",
           "link set t0 up")

    def down(self):
        """What does not end with the namespace"""

    def frame(self, payload):
        """From a client"""
        return ether(wire.udp4(THERE4, (self.here, 3544), payload))

    def frames(self):
        """What is asked of it, and octets of an answer at least"""
        other = wire.text6(wire.teredo(SERVER4, "50.0.0.9", PORT))
        return (("solicitation", self.frame(wire.auth() + wire.rs()), 90),
                ("bubble to forward", self.frame(wire.bubble(CLIENT, other)),
                 80))


class MiredoServer(Server):
    """Miredo's"""

    def __init__(self):
        self.daemon = None

    def up(self):
        self.daemon = Daemon("miredo-server",
                             f"ServerBindAddress {self.here}",
                             f"ServerBindAddress2 {self.second}")
        self.daemon.wait("ss", "-Hlun", "sport", "=", ":3544")

    def down(self):
        self.daemon.down()
