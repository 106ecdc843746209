# SPDX-License-Identifier: GPL-2.0
"""The networks around a device, and what is asked of them

    inet ------------- eth0  host  eth1 -------------- native
    203.219.21.1       5.6.7.1/24    2620::ff        2620::1
                       and others                    2620:1::1

All the IPv4 Internet is one namespace: it sends from any address, sees all
that the host sends, to whatever address, and answers to none of it.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time

import wire
from control import Control
from judge import Pcap
from wire import OTHER_SERVER, PEER_ADDRESS, PORT, PRIMARY, SECONDARY

from .rows import CLOCK

# the client's
ME = ("1.2.3.4", 40000)
MY_SERVER = (OTHER_SERVER, PORT)
MY_FLAGS = 0x2055               # with this PEER_ADDRESS is ours
# a native host that only the tunnel leads to
FAR = "2620:2::1"
FAR_RELAY = ("198.41.0.4", 3545)

# the relay's
RELAY = ("204.152.184.7", 3545)
HOST6 = "2620::ff"
NATIVE = "2620::1"
NATIVE_2 = "2620:1::1"

# the server's
SERVER = (PRIMARY, PORT)
OTHER = (SECONDARY, PORT)

# nobody is asked for them, and no packet waits for the answer
GATEWAY = "02:00:00:00:00:01"
ROUTER = "02:00:00:00:00:02"
NEIGHBOUR = "02:00:00:00:00:03"
MARKER = ("203.219.21.1", 7)
# a timer has this much patience: its own jitter (AMB-39), and a tick
LATE = 1.1


class Lab:
    """Three namespaces; the device is on host"""

    HERE = {"client": ME, "relay": RELAY, "host-relay": RELAY,
            "server": SERVER}

    def __init__(self, addresses, pcap):
        # all that is sent takes the same way, so nothing overtakes
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        suffix = os.urandom(3).hex()
        self.inet = f"inet-{suffix}"
        self.host = f"host-{suffix}"
        self.native = f"native-{suffix}"
        self.wrong = []
        self.connect(addresses)

        self.link = wire.Link(self.inet, "eth0", record=pcap.add)
        self.native_link = wire.Link(self.native, "eth0", wire.ETH_P_IPV6)
        self.markers = {}
        for address in addresses:
            self.listen(address)
        self.out6 = {ns: self.raw6(ns, socket.IPPROTO_RAW)
                     for ns in (self.host, self.native)}
        self.icmp6 = {ns: self.raw6(ns, socket.IPPROTO_ICMPV6)
                      for ns in (self.host, self.native)}
        # takes what rows send, so that nobody answers
        self.sinks = [wire.Udp6(ns, port) for ns in (self.host, self.native)
                      for port in (5000, 6000)]
        self.inside = None
        self.children = []

    # the networks

    def connect(self, addresses):
        for ns in self.inet, self.host, self.native:
            subprocess.run(["ip", "netns", "add", ns], check=True)
        self.batch(None, f"""
            link add eth0 netns {self.host} type veth peer eth0 \
                netns {self.inet} address {GATEWAY}
            link add eth1 netns {self.host} address {ROUTER} type veth \
                peer eth0 netns {self.native} address {NEIGHBOUR}
            """)
        for ns in self.inet, self.host, self.native:
            self.sysctl(ns, "ipv6.conf.all.accept_dad", 0)
            self.sysctl(ns, "ipv6.conf.default.accept_dad", 0)
            # so that packets can be foretold
            self.sysctl(ns, "ipv6.auto_flowlabels", 0)
            # each error is asked for
            self.sysctl(ns, "ipv6.icmp.ratelimit", 0)
        self.sysctl(self.host, "ipv6.conf.all.forwarding", 1)
        for name in "all", "eth0":
            # whatever the source, it is for the module to judge
            self.sysctl(self.host, f"ipv4.conf.{name}.rp_filter", 0)
            self.sysctl(self.host, f"ipv4.conf.{name}.accept_local", 1)
        # so that captured checksums are complete
        for name in "eth0", "eth1":
            subprocess.run(["ip", "netns", "exec", self.host, "ethtool", "-K",
                            name, "tx", "off", "gso", "off", "tso", "off"],
                           check=True, stdout=subprocess.DEVNULL)
        self.batch(self.inet, """
            link set lo up
            addr add 203.219.21.1/32 dev eth0
            link set eth0 up
            route add default dev eth0
            """)
        self.batch(self.host, "link set lo up\nlink set eth0 up\n" + "".join(
            f"addr add {address}/32 dev eth0\n" for address in addresses) + """
            addr add 5.6.7.1/24 brd + dev eth0
            neigh add 5.6.7.254 lladdr """ + GATEWAY + """ dev eth0
            route add 203.219.21.1 dev eth0
            route add default via 203.219.21.1
            addr add 2620::ff/64 dev eth1 nodad
            link set eth1 up
            neigh add 2620::1 lladdr """ + NEIGHBOUR + """ dev eth1
            route add 2620:1::/64 via 2620::1
            """)
        self.batch(self.native, """
            link set lo up
            addr add 2620::1/64 dev eth0 nodad
            addr add 2620:1::1/128 dev lo nodad
            link set eth0 up
            neigh add 2620::ff lladdr """ + ROUTER + """ dev eth0
            route add default via 2620::ff
            """)

    @staticmethod
    def batch(ns, lines, force=False):
        """ip -batch: one program for many lines"""
        words = ["ip", "-batch", "-"]
        if force:
            words.insert(1, "-force")
        if ns:
            words[1:1] = ["-n", ns]
        done = subprocess.run(words, input=lines, text=True, check=False,
                              capture_output=True)
        if done.returncode and not force:
            raise RuntimeError(f"ip: {done.stderr.strip()} in {lines}")

    @staticmethod
    def sysctl(ns, name, value):
        with wire.netns(ns):
            # /proc/sys/net is that of the thread that opens it
            path = "/proc/sys/net/" + name.replace(".", "/")
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))

    @staticmethod
    def raw6(ns, protocol):
        with wire.netns(ns):
            sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return sock

    def ip(self, *words):
        """ip on the host"""
        subprocess.run(["ip", "-n", self.host, *words], check=True)

    def set(self, words):
        """Changes the device"""
        self.ip("link", "set", "teredo0", "type", "teredo", *words.split())

    def down(self):
        self.ip("link", "set", "teredo0", "down")
        # the capture tells of it, once
        self.inside.tap.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def listen(self, address):
        """One more address of the host, for settle() to use"""
        if address not in self.markers:
            self.markers[address] = wire.Udp(self.host, address, 7)

    def close(self):
        self.end()
        for ns in self.inet, self.host, self.native:
            subprocess.run(["ip", "netns", "delete", ns], check=True)

    # one row

    def begin(self):
        self.wrong = []
        self.mode = self.here = self.own = None
        self.mark()

    def end(self):
        """Takes away what a row has made"""
        for child in self.children:
            child.send_signal(signal.SIGTERM)
            child.wait()
        self.children = []
        if self.inside:
            self.inside.close()
            self.inside = None
        self.batch(self.host, "link delete teredo0\nlink delete teredo1\n",
                   force=True)
        self.link.drain(0)
        self.errors()

    def device(self, mode, words="", qualified=True):
        """A new device in place of the former"""
        here = self.HERE[mode]
        words = f"mode {mode} local {here[0]} {words}"
        if mode == "server" and "secondary" not in words:
            words += f" secondary {SECONDARY}"
        if mode != "server":
            words += f" port {here[1]}"
        if self.inside:
            self.batch(self.host, "link delete teredo0\n")
        self.batch(self.host, f"""
            link add teredo0 type teredo {words}
            link set teredo0 up
            route add fe80::1/128 dev teredo0
            route add 2001::/32 via fe80::1 dev teredo0
            """)
        self.attach(mode, here)
        if mode == "client" and qualified:
            self.qualify()

    def attach(self, mode, here, ifname="teredo0"):
        """What looks at the device, which is there"""
        self.mode, self.here = mode, here
        if self.inside:
            self.inside.close()
        self.inside = wire.Link(self.host, ifname, wire.ETH_P_IPV6)
        self.counters = wire.Counters(self.host, ifname)
        self.control = Control(self.host, ifname)

    def qualify(self, mapped=ME, flags=MY_FLAGS, server=OTHER_SERVER,
                seconds=86400):
        """What a helper would have learned; addresses and routes as well"""
        self.control.qualify(server, *mapped, flags, seconds)
        self.own = wire.text6(wire.teredo(server, *mapped, flags))
        self.batch(self.host, f"""
            addr replace {self.own}/128 dev teredo0 nodad
            route replace 2620:2::/32 via fe80::1 dev teredo0
            """)

    def near(self, address):
        """A neighbour of the host, as it were: the other end of the link"""
        link = json.loads(subprocess.run(
            ["ip", "-j", "-n", self.inet, "link", "show", "eth0"], check=True,
            capture_output=True).stdout)
        self.ip("neigh", "replace", address, "lladdr", link[0]["address"],
                "dev", "eth0")

    # in

    def send(self, payload, src=wire.CLIENT, dst=None, **fields):
        """A datagram for the device (or another destination)"""
        self.link.send(payload, src, dst or self.here, **fields)

    # out

    def out(self, packet):
        """An IPv6 packet for the tunnel: of the host itself, for a relay
        and a server of the native host"""
        ns = self.native if self.mode in ("relay", "server") else self.host
        self.out6[ns].sendto(packet, (wire.text6(packet[24:40]), 0))

    def forward(self, packet):
        """An IPv6 packet of the native host, in any mode"""
        self.out6[self.native].sendto(packet, (wire.text6(packet[24:40]), 0))

    def inject(self, packet):
        """An IPv6 packet for the device, past the routes"""
        self.inside.tap.sendto(packet, ("teredo0", wire.ETH_P_IPV6))

    # what came of it

    def mark(self):
        """Times are told from now on"""
        self.since = time.time()

    def wait(self, seconds):
        """Only where waiting is exact"""
        if not CLOCK:
            raise RuntimeError("a row that waits is one with clock=True")
        time.sleep(seconds)

    @staticmethod
    def sleep(seconds):
        """The machine sleeps: everything but the last step to its firmware.
        The clocks stand still, but for those that count sleep; those have
        whole seconds, so it is up to one less. Not free: it costs more than
        ten seconds of processor time a second."""
        for name, value in (("/sys/module/suspend/parameters/pm_test_delay",
                             seconds),
                            ("/sys/power/pm_test", "core"),
                            ("/sys/power/state", "mem"),
                            ("/sys/power/pm_test", "none")):
            with open(name, "w", encoding="ascii") as file:
                file.write(f"{value}\n")

    def settle(self):
        """Waits until the host has seen all that was sent to it; returns the
        datagrams that it sent and the counters that moved"""
        marker = self.markers[(self.here or RELAY)[0]]
        # the second time for what the first one made wait behind it
        for nonce in os.urandom(8), os.urandom(8):
            self.link.send(nonce, MARKER, marker.sock.getsockname())
            while True:
                got = marker.receive(30)
                if got is None:
                    raise RuntimeError("the host does not receive")
                if got[0] == nonce:
                    break
        return self.link.drain(0.001), self.counters.moved()

    def next(self, seconds=10):
        """The next datagram that the host sends, or None"""
        return self.link.receive(seconds)

    def delivered(self):
        """The packets that the stack got from the device since the last
        time it was asked"""
        found = []
        while (packet := self.inside.packet(0)) is not None:
            found.append(packet)
        return found

    def arrived(self):
        """The packets that the native host got, but for ND"""
        found = []
        while (packet := self.native_link.packet(0)) is not None:
            if packet[6] != wire.ICMP6 or not 130 <= packet[40] <= 143:
                found.append(packet)
        return found

    def messages(self):
        """ICMPv6 errors that senders got: type, code, the field behind,
        source, quoted packet"""
        found = []
        for sock in self.icmp6.values():
            with contextlib.suppress(BlockingIOError):
                while True:
                    data, source = sock.recvfrom(65535)
                    if data[0] < 128:
                        found.append((data[0], data[1],
                                      int.from_bytes(data[4:8], "big"),
                                      source[0], data[8:]))
        return found

    def errors(self):
        """The same: type, code and quoted packet"""
        return [(*found[:2], found[4]) for found in self.messages()]

    # verdicts

    def equal(self, got, wanted, what):
        if got != wanted:
            self.wrong.append(f"{what}:\n  got  {got}\n  want {wanted}")

    def true(self, right, what):
        if not right:
            self.wrong.append(what)

    def compare(self, sent, wanted):
        """Exactly these datagrams, in order: (to, payload), with time
        (to, payload, seconds) and the grace of a timer. A payload may have
        wire.ANY_NONCE for a trailer."""
        payloads = [d.payload for d in sent]
        for number, item in enumerate(wanted[:len(sent)]):
            payloads[number] = wire.blank_nonce(payloads[number], item[1])
        got = [(d.src, d.dst, payload.hex(), d.dont_fragment,
                d.right and bool(d.check))
               for d, payload in zip(sent, payloads)]
        self.equal(got, [(self.here, item[0], item[1].hex(), False, True)
                         for item in wanted], "datagrams sent")
        if len(sent) != len(wanted):
            return
        for datagram, item in zip(sent, wanted):
            if len(item) > 2:
                after = datagram.time - self.since
                self.true(item[2] - 0.05 <= after <= item[2] * LATE + 0.05,
                          f"sent after {after:.3f} s, not {item[2]} s")

    def expect(self, sent=(), moved=None, delivered=(), errors=None):
        """All that has happened since the last time: datagrams, counters,
        packets that the stack got, and errors (type and code) if asked"""
        seen, counted = self.settle()
        self.compare(seen, list(sent))
        self.equal(counted, moved or {}, "counters")
        self.equal([packet.hex() for packet in self.delivered()],
                   [packet.hex() for packet in delivered], "delivered")
        if errors is not None:
            self.equal([error[:2] for error in self.errors()], list(errors),
                       "ICMPv6 errors")

    def refused(self, payload, counter, src=wire.CLIENT, **fields):
        """Dropped and counted, nothing sent, nothing learned"""
        before = self.control.peers()
        self.settle()
        self.send(payload, src, **fields)
        self.expect(moved={counter: 1})
        self.equal(self.control.peers(), before, "peers")

    def taken(self, payload, src=wire.CLIENT, inner=None, **fields):
        """Delivered to the stack, not answered"""
        self.settle()
        self.send(payload, src, **fields)
        if inner is None:
            inner = wire.Packet.parse(payload).inner
        self.expect(delivered=[inner])

    def bubbled(self, payload, src=wire.CLIENT, sent=(), **fields):
        """Taken as a bubble, consumed; what it makes the host send"""
        self.settle()
        self.send(payload, src, **fields)
        self.expect(sent, {"rx_bubbles": 1})

    def unsent(self, packet, counter, errors=(), moved=None, inject=False):
        """Not sent, but counted; what the sender is told"""
        self.settle()
        self.errors()
        (self.inject if inject else self.out)(packet)
        self.expect(moved={counter: 1} | (moved or {}), errors=errors)

    def peer(self, address):
        """Endpoint, state and received packets, or None"""
        return self.control.peers().get(wire.text6(wire.ip6(address)))

    def record(self, address):
        """What netlink tells of a peer, {} if there is none"""
        return self.control.records().get(wire.text6(wire.ip6(address)), {})

    def is_peer(self, address, state, endpoint=None):
        """state None: there is none"""
        got = self.peer(address)
        self.equal(got and got[:2], state and (endpoint, state), "peer")

    # processes

    def start(self, *words, **fields):
        """A program on the host, ended with the row"""
        child = subprocess.Popen(["ip", "netns", "exec", self.host, *words],
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, **fields)
        self.children.append(child)
        return child

    @staticmethod
    def readable(sock, seconds):
        return bool(select.select([sock], [], [], seconds)[0])


class Labs:
    """The networks for each mode, made when first asked for"""

    def __init__(self):
        self.pcap = Pcap()
        self.made = {}

    def __call__(self, mode):
        kind = "server" if mode == "server" else "edge"
        if kind not in self.made:
            addresses = ((PRIMARY, SECONDARY) if kind == "server"
                         else (RELAY[0], ME[0]))
            self.made[kind] = Lab(addresses, self.pcap)
        return self.made[kind]

    def close(self):
        for lab in self.made.values():
            lab.close()


assert wire.teredo(OTHER_SERVER, *ME, MY_FLAGS) == PEER_ADDRESS
