# SPDX-License-Identifier: GPL-2.0
"""NATs of every type around one routed core, for nat_types and nat_matrix

    client --- NAT ---\\                               /--- NAT --- client
    client --- NAT ---- router - router - core - ... --
    client -----------/                    |           \\--- client
                        servers, relays, IPv6-only hosts

The sides are some routers away from the core, as on the Internet: a packet can
be sent so that it gets out of the one NAT and not to the other. All addresses
look public, since Teredo refuses others, and never leave the namespaces.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import genl
from wire import netns

CORE4 = "198.32.64.1"
SERVER4 = ("65.54.227.142", "65.54.227.143")
RELAY4 = "204.152.184.7"
SERVER6, RELAY6, NATIVE6 = "2620:0:2d0::5", "2620:0:2d0::7", "2620:0:2d0::10"
# one more server of ours
OTHER_SERVER4 = ("65.54.230.142", "65.54.230.143")
OTHER_SERVER6 = "2620:0:2d0::6"
# where Miredo runs beside ours
MIREDO_SERVER4 = ("65.54.228.142", "65.54.228.143")
MIREDO_RELAY4 = "204.152.185.7"
MIREDO_SERVER6, MIREDO_RELAY6 = "2620:0:2d0::15", "2620:0:2d0::17"
MIREDO_NATIVE6 = "2620:0:2d0::20"

# RFC 4787 asks for at least two minutes (REQ-5); Linux has 30 s where there
# was no answer
UDP_SECONDS = 120

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17
ETHTOOL_SGSO = 0x24

NETLINK_NETFILTER = 12
CT_DELETE = 1 << 8 | 2
CTA_MARK = 8
CTA_MARK_MASK = 21

NAT_RULES = """
table ip nat {{
	map hosts {{
		type inet_service : ipv4_addr
		{hosts}
	}}
	set known {{
		type ipv4_addr . inet_service
		flags dynamic, timeout
		timeout {seconds}s
	}}
	chain note {{
		type filter hook prerouting priority mangle
		ct state new udp dport != 3544 ct mark set 1
	}}
	chain know {{
		type filter hook forward priority filter
		oifname wan meta l4proto udp update @known {{ ip daddr . udp sport }}
	}}
	chain in {{
		type nat hook prerouting priority dstnat
		{into}
	}}
	chain out {{
		type nat hook postrouting priority srcnat
		{forwarded}
		oifname wan masquerade {random}
		{hairpin}
	}}
	chain early {{
		type filter hook prerouting priority filter
		{early}
	}}
}}
"""


class Namespace:
    """A network namespace, described first and then built by Lab.build()"""

    def __init__(self, name):
        self.name = name
        self.lines = ["link set lo up"]
        self.sysctls = {"ipv6/conf/all/accept_dad": 0,
                        "ipv6/conf/default/accept_dad": 0}
        self.wires = []         # devices that send complete checksums

    def here(self):
        return netns(self.name)

    def ip(self, *lines):
        self.lines += lines

    def build(self):
        with self.here():
            for key, value in self.sysctls.items():
                sysctl(key, value)
            batch(self.lines)
            for device in self.wires:
                complete(device)

    def start(self, *words, log=None):
        """A program there"""
        with self.here():
            return subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                    stdout=log or subprocess.DEVNULL,
                                    stderr=subprocess.STDOUT)

    def address(self, device, start="20010000"):
        """The first Teredo address of a device, or None"""
        with self.here(), open("/proc/thread-self/net/if_inet6",
                               encoding="ascii") as lines:
            for line in lines:
                digits, *_, name = line.split()
                if name == device and digits.startswith(start):
                    return socket.inet_ntop(socket.AF_INET6,
                                            bytes.fromhex(digits))
        return None


class Router(Namespace):
    """Who has an access there is on a device of its own"""

    def __init__(self, name, address, upstream=None):
        super().__init__(name)
        self.address, self.upstream = address, upstream
        self.sysctls["ipv4/ip_forward"] = 1
        self.ip(f"addr add {address}/32 dev lo")

    def reach(self, device, address, via=None):
        """What is behind a device, here and from further up"""
        if via:
            self.ip(f"route add {address}/32 via {via} dev {device}")
        if self.upstream:
            self.upstream.reach(self.uplink, address, self.address)


class Nat(Namespace):
    """A NAT between its devices wan, which somebody attaches, and lan

    Types by RFC 4787 and 6081, all of them with one address outside:

        cone       one mapping, everybody may send to it
        address    one mapping, filtered by address
        port       one mapping, filtered by address and port
        symmetric  a mapping for each destination, at random, filtered so too

    Words: input: what nobody asked for reaches the NAT itself, which takes
    it for its own; else it is dropped before it leaves a trace. hairpin: what
    the LAN sends to a mapping comes back to it, from the sender's mapping;
    internal: the same, from the sender's own address. forwarded: the ports of
    the hosts keep their numbers outside, whatever the type.
    """

    def __init__(self, name, outer, net, kind, words=()):
        super().__init__(name)
        self.outer, self.nets = outer, {}
        self.kind, self.words = kind, words
        self.hosts = {}
        self.lan("lan", net)
        self.sysctls["ipv4/ip_forward"] = 1
        self.conntrack = None

    def lan(self, device, net):
        """One more network inside"""
        self.nets[device] = net
        self.ip(f"link add {device} type bridge",
                f"addr add {net}.1/24 dev {device}", f"link set {device} up")

    def build(self):
        super().build()
        to_host = "dnat to udp dport map @hosts"
        into = {"cone": [f"iifname wan {to_host}"],
                "address": ["iifname wan ip saddr . udp dport @known "
                            + to_host]}.get(self.kind, [])
        hairpin = ""
        if {"hairpin", "internal"} & set(self.words):
            into.append(f"iifname lan ip daddr {self.outer} {to_host}")
        if "hairpin" in self.words:
            hairpin = f"oifname lan ct status dnat snat to {self.outer}"
        ports = ", ".join(map(str, self.hosts))
        forwarded = ""
        if "forwarded" in self.words:
            into.append(f"iifname wan {to_host}")
            forwarded = f"oifname wan udp sport {{ {ports} }} masquerade"
        early = "iifname wan ct state new fib daddr type local drop"
        hosts = ", ".join(f"{port} : {host}"
                          for port, host in self.hosts.items())
        with self.here():
            nft(NAT_RULES.format(
                hosts=f"elements = {{ {hosts} }}" if hosts else "",
                seconds=UDP_SECONDS, into="\n".join(into), hairpin=hairpin,
                forwarded=forwarded,
                random="fully-random" if self.kind == "symmetric" else "",
                early="" if "input" in self.words else early))
            for name in "", "_stream":
                sysctl(f"netfilter/nf_conntrack_udp_timeout{name}",
                       UDP_SECONDS)
            self.conntrack = genl.Netlink(NETLINK_NETFILTER)

    def forget(self):
        """All but what is mapped towards servers"""
        self.conntrack.request(
            CT_DELETE, struct.pack("=BBH", socket.AF_INET, 0, 0),
            [genl.Attr(CTA_MARK, genl.be32(1)),
             genl.Attr(CTA_MARK_MASK, genl.be32(1))])


class Lab:
    """The core and what is attached to it"""

    def __init__(self):
        self.suffix = os.urandom(2).hex()
        self.namespaces, self.links, self.ports = [], [], 0
        self.children = []
        self.dir = tempfile.mkdtemp()
        self.core = self.have(Router(f"core-{self.suffix}", CORE4))
        self.core.ip("link add ip6 type bridge", "link set ip6 up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(self.children)
        with contextlib.suppress(RuntimeError):
            batch([f"netns delete {space.name}" for space in self.namespaces])
        shutil.rmtree(self.dir)

    def namespace(self, name):
        return self.have(Namespace(f"{name}-{self.suffix}"))

    def have(self, space):
        self.namespaces.append(space)
        return space

    def link(self, space, device, other, port):
        self.links.append(f"link add {device} netns {space.name} type veth "
                          f"peer name {port} netns {other.name}")

    def port(self):
        self.ports += 1
        return f"p{self.ports}"

    def region(self, name, number):
        """Two routers in a row; who is attached to the last one is three
        routers away from what is at the core"""
        at = self.core
        for n in (1, 2):
            at = self.have(Router(f"{name}{n}-{self.suffix}",
                                  f"198.32.6{4 + number}.{n}", at))
            at.uplink = self.attach(at, "uplink", at.address,
                                    at=at.upstream)
        return at

    def attach(self, space, device, *addresses, at=None):
        """An access of its own to a router, else the core"""
        router, port = at or self.core, self.port()
        self.link(space, device, router, port)
        router.ip(f"addr add {router.address} peer {addresses[0]}/32 dev {port}",
                  f"link set {port} up")
        for n, address in enumerate(addresses):
            router.reach(port, address, addresses[0] if n else None)
        space.ip(f"addr add {addresses[0]} peer {router.address}/32 dev {device}",
                 *(f"addr add {address}/32 dev {device}"
                   for address in addresses[1:]),
                 f"link set {device} up",
                 f"route add default via {router.address}")
        space.wires.append(device)
        return port

    def attach6(self, space, address):
        """A place on the IPv6 segment"""
        port = self.port()
        self.link(space, "eth6", self.core, port)
        self.core.ip(f"link set {port} master ip6 up")
        space.ip(f"addr add {address}/48 dev eth6 nodad", "link set eth6 up")

    def behind(self, nat, space, number, *ports, device="eth0", lan="lan"):
        """A place on a NAT's LAN; what comes to these ports of it is for
        this host"""
        net = nat.nets[lan]
        address, port = f"{net}.{number}", self.port()
        self.link(space, device, nat, port)
        nat.ip(f"link set {port} master {lan} up")
        space.ip(f"addr add {address}/24 dev {device}",
                 f"link set {device} up", f"route add default via {net}.1")
        space.wires.append(device)
        nat.hosts.update((number, address) for number in ports)
        return address

    def nat(self, name, outer, net, kind, words=(), at=None):
        """A NAT at a router, else at the core"""
        nat = self.have(Nat(f"{name}-{self.suffix}", outer, net, kind, words))
        self.attach(nat, "wan", outer, at=at)
        return nat

    def inner_nat(self, name, outer, number, ports, net, kind, words=()):
        """A NAT on the LAN of another one"""
        nat = self.have(Nat(f"{name}-{self.suffix}", f"{outer.nets['lan']}.{number}",
                            net, kind, words))
        self.behind(outer, nat, number, *ports, device="wan")
        return nat

    def build(self):
        batch([f"netns add {space.name}" for space in self.namespaces])
        batch(self.links)
        for space in self.namespaces:
            space.build()

    def start(self, space, *words):
        """A program that ends with the lab; its log is in a file"""
        path = os.path.join(self.dir, f"{space.name}.{words[0]}")
        with open(path, "w", encoding="utf-8") as log:
            child = space.start(*words, log=log)
        self.children.append(child)
        return child

    def miredo(self, space, program, *lines):
        """One of Miredo's programs, with this configuration"""
        if not os.path.exists("/dev/net/tun"):
            subprocess.run(["modprobe", "-q", "tun"], check=False)
        path = os.path.join(self.dir, f"{space.name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.start(space, program, "-f", "-c", path, "-p", f"{path}.pid")

    def end(self, children):
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    # who takes part

    def server(self, name, addresses, address6):
        """The host of a server: where our device or Miredo is then started"""
        space = self.namespace(name)
        self.attach(space, "eth0", *addresses)
        self.attach6(space, address6)
        space.sysctls["ipv6/conf/all/forwarding"] = 1
        return space

    def relay(self, name, address, address6):
        """The host of a relay, likewise"""
        space = self.namespace(name)
        self.attach(space, "eth0", address)
        self.attach6(space, address6)
        space.sysctls["ipv6/conf/all/forwarding"] = 1
        return space

    def native(self, name, address, relay):
        """A host without IPv4, and its way to Teredo clients"""
        space = self.namespace(name)
        self.attach6(space, address)
        space.ip(f"route add 2001::/32 via {relay}")
        return space


def run(words, text):
    done = subprocess.run(words, input=text, text=True, check=False,
                          capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stderr.strip()} in {text}")


def batch(lines):
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")


def nft(text):
    run(["nft", "-f", "-"], text)


def sysctl(key, value):
    with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
        file.write(str(value))


def complete(device):
    """Packets leave as from a card without offloads: a NAT on the same
    machine, or Miredo's socket, would else see checksums still to be made."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for command in ETHTOOL_STXCSUM, ETHTOOL_SGSO:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack(
                "16sP16x", device.encode(), ctypes.addressof(value)))
