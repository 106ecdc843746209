#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Teredo as it is on the wire (RFC 4380, 5991, 6081), for tests.

Builds and takes apart UDP payloads, sends datagrams from any address and
captures what a host sends. Made from the RFCs: nothing of it is shared with
the module, so that an error in one is not an error in the other.

Addresses may be given as text or as packed octets; packets are bytes.

    link = Link("client", "eth0")
    link.send(auth() + rs(), CLIENT, (PRIMARY, PORT))
    answer = link.receive()
    ra = Packet.parse(answer.payload)

Run as a program it checks itself with the golden vectors and prints TAP.
"""

import array
import contextlib
import ctypes
import dataclasses
import fcntl
import hashlib
import hmac
import ipaddress
import itertools
import select
import socket
import struct
import sys
import time

PORT = 3544
PREFIX = "2001::"
CONE = 0x8000
ALL_ROUTERS = "ff02::2"
CLIENT_LL = "fe80::ffff:ffff:ffff"
CLIENT_LL_CONE = "fe80::8000:ffff:ffff:ffff"
NONCE = bytes(range(1, 9))

ICMP6 = 58
NO_NEXT = 59
ECHO_REQUEST = 128
ECHO_REPLY = 129
ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134

TRAILER_NONCE = 1
TRAILER_ALTERNATE = 3
TRAILER_DISCOVERY = 4
TRAILER_RANDOM_PORT = 5


def ip4(address):
    """Packed IPv4 address."""
    if isinstance(address, bytes):
        return address
    return ipaddress.IPv4Address(address).packed


def ip6(address):
    """Packed IPv6 address."""
    if isinstance(address, bytes):
        return address
    return ipaddress.IPv6Address(address).packed


def text4(packed):
    return str(ipaddress.IPv4Address(packed))


def text6(packed):
    return str(ipaddress.IPv6Address(packed))


def invert(octets):
    return bytes(octet ^ 0xff for octet in octets)


def checksum(data):
    """Internet checksum: 0 over data that holds a right one."""
    if len(data) % 2:
        data += b"\0"
    words = array.array("H", data)
    if sys.byteorder == "little":
        words.byteswap()
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


# Addresses

def teredo(server, client, port, flags=0, prefix=PREFIX):
    """Teredo address of the client with this mapping (RFC 4380 section 4)."""
    return (ip6(prefix)[:4] + ip4(server) + struct.pack("!H", flags) +
            struct.pack("!H", port ^ 0xffff) + invert(ip4(client)))


@dataclasses.dataclass
class TeredoAddress:
    """What a Teredo address says."""
    prefix: bytes
    server: str
    flags: int
    port: int
    client: str

    @classmethod
    def parse(cls, address):
        address = ip6(address)
        flags, port = struct.unpack("!HH", address[8:12])
        return cls(address[:4], text4(address[4:8]), flags, port ^ 0xffff,
                   text4(invert(address[12:])))


def server_linklocal(primary):
    """Source of the advertisements of a server (RFC 4380 section 5.3.2)."""
    return (ip6("fe80::")[:8] + struct.pack("!HH", CONE, PORT ^ 0xffff) +
            invert(ip4(primary)))


# IPv6 packets

def ipv6(src, dst, next_header, payload=b"", hop_limit=64, length=None):
    """IPv6 packet; length overrides the payload length."""
    if length is None:
        length = len(payload)
    return (struct.pack("!IHBB", 6 << 28, length, next_header, hop_limit) +
            ip6(src) + ip6(dst) + payload)


def icmp6_checksum(src, dst, message):
    return checksum(ip6(src) + ip6(dst) +
                    struct.pack("!II", len(message), ICMP6) + message)


def icmp6(src, dst, kind, code=0, body=b"\0" * 4, hop_limit=64, bad=0):
    """IPv6 packet with an ICMPv6 message; bad spoils its checksum."""
    message = struct.pack("!BBH", kind, code, 0) + body
    right = icmp6_checksum(src, dst, message) ^ bad
    message = message[:2] + struct.pack("!H", right) + message[4:]
    return ipv6(src, dst, ICMP6, message, hop_limit)


def bubble(src, dst, hop_limit=64):
    return ipv6(src, dst, NO_NEXT, hop_limit=hop_limit)


def behind(packet, kind=60, first=1):
    """The same packet behind an extension header of 8 octets; first is its
    third octet, see EXTENSIONS."""
    header = struct.pack("!BBBBI", packet[6], 0, first, 4 if first else 0, 0)
    length = struct.unpack("!H", packet[4:6])[0] + len(header)
    return packet[:4] + struct.pack("!HB", length, kind) + packet[7:40] + \
        header + packet[40:]


# hop-by-hop options and destination options (one, PadN), routing (no segments
# left), fragment (the first, and all of it), authentication
EXTENSIONS = ((0, 1), (60, 1), (43, 0), (44, 0), (51, 0))


def udp6(src, dst, data, ports=(6000, 5000), hop_limit=64):
    """IPv6 packet with a UDP datagram."""
    header = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    pseudo = ip6(src) + ip6(dst) + struct.pack("!II", 8 + len(data), 17)
    check = checksum(pseudo + header + data) or 0xffff
    return ipv6(src, dst, 17, header[:6] + struct.pack("!H", check) + data,
                hop_limit)


def routed(packet):
    """The same IPv6 packet after a router"""
    return packet[:7] + bytes([packet[7] - 1]) + packet[8:]


def echo(src, dst, data=b"", kind=ECHO_REQUEST, ident=0x1234, seq=1,
         hop_limit=64):
    return icmp6(src, dst, kind, body=struct.pack("!HH", ident, seq) + data,
                 hop_limit=hop_limit)


def rs(src=CLIENT_LL, dst=ALL_ROUTERS, code=0, options=b"", hop_limit=255,
       reserved=b"\0" * 4, bad=0):
    """Router solicitation."""
    return icmp6(src, dst, ROUTER_SOLICITATION, code, reserved + options,
                 hop_limit, bad)


def ra(primary, dst=CLIENT_LL, src=None, prefix=PREFIX, mtu=1280,
       hop_limit=255, retransmit=0):
    """Router advertisement of a server; without an MTU option if mtu is 0."""
    body = struct.pack("!BBHII", 0, 0, 0, 0, retransmit)
    body += struct.pack("!BBBBIII", 3, 4, 64, 0x40, 0xffffffff, 0xffffffff, 0)
    body += ip6(prefix)[:4] + ip4(primary) + bytes(8)
    if mtu:
        body += struct.pack("!BBHI", 5, 1, 0, mtu)
    return icmp6(src or server_linklocal(primary), dst, ROUTER_ADVERTISEMENT,
                 body=body, hop_limit=hop_limit)


# In front of and behind them

def auth(nonce=NONCE, ident=b"", value=b"", confirm=0):
    """Authentication header (RFC 4380 section 5.1.1)."""
    return (struct.pack("!HBB", 1, len(ident), len(value)) + ident + value +
            nonce + bytes([confirm]))


def mac(secret, rest, nonce=NONCE, confirm=0, digest=hashlib.sha1):
    """Authentication value for what follows the header (section 5.2.2)."""
    return hmac.new(secret, nonce + bytes([confirm]) + rest, digest).digest()


def origin(address, port):
    """Origin indication."""
    return struct.pack("!HH", 0, port ^ 0xffff) + invert(ip4(address))


def trailer(kind, value=b""):
    """Trailer of RFC 6081."""
    return bytes([kind, len(value)]) + value


def nonce_trailer(nonce):
    return trailer(TRAILER_NONCE, nonce)


# in what is expected: whatever the nonce is, it is not 0
ANY_NONCE = nonce_trailer(bytes(4))


def blank_nonce(payload, wanted):
    """The payload, its nonce blanked where any is wanted."""
    if wanted[40:46] == ANY_NONCE and payload[40:42] == ANY_NONCE[:2] and \
       payload[42:46] != bytes(4):
        return payload[:42] + bytes(4) + payload[46:]
    return payload


def alternate_trailer(*endpoints):
    return trailer(TRAILER_ALTERNATE, bytes(2) + b"".join(
        ip4(address) + struct.pack("!H", port)
        for address, port in endpoints))


def discovery_trailer(kind):
    return trailer(TRAILER_DISCOVERY, bytes([kind, 0, 0, 0]))


def random_port_trailer(port):
    return trailer(TRAILER_RANDOM_PORT, struct.pack("!H", port))


class Malformed(ValueError):
    """Not a Teredo packet."""


@dataclasses.dataclass
class Packet:
    """A UDP payload, taken apart."""
    src: bytes
    dst: bytes
    next_header: int
    hop_limit: int
    payload: bytes              # of IPv6
    inner: bytes                # the IPv6 packet
    trailing: bytes             # what follows it
    auth: bytes = b""           # the whole header
    nonce: bytes = b""
    ident: bytes = b""
    value: bytes = b""
    confirm: int = 0
    origin: tuple = ()          # address and port

    @classmethod
    def parse(cls, data):
        fields = {}
        rest = data
        if rest[:2] == b"\0\1":
            if len(rest) < 4 or len(rest) < 13 + rest[2] + rest[3]:
                raise Malformed("authentication")
            size = 13 + rest[2] + rest[3]
            fields["auth"] = rest[:size]
            fields["ident"] = rest[4:4 + rest[2]]
            fields["value"] = rest[4 + rest[2]:size - 9]
            fields["nonce"] = rest[size - 9:size - 1]
            fields["confirm"] = rest[size - 1]
            rest = rest[size:]
        if rest[:2] == b"\0\0":
            if len(rest) < 8:
                raise Malformed("origin")
            port, = struct.unpack("!H", rest[2:4])
            fields["origin"] = (text4(invert(rest[4:8])), port ^ 0xffff)
            rest = rest[8:]
        if len(rest) < 40 or rest[0] >> 4 != 6:
            raise Malformed("IPv6 header")
        length, next_header, hop_limit = struct.unpack("!HBB", rest[4:8])
        if len(rest) < 40 + length:
            raise Malformed("IPv6 length")
        return cls(rest[8:24], rest[24:40], next_header, hop_limit,
                   rest[40:40 + length], rest[:40 + length],
                   rest[40 + length:], **fields)

    def is_bubble(self):
        return self.next_header == NO_NEXT and not self.payload

    def icmp6_type(self):
        """Type of an ICMPv6 message with a right checksum, else None."""
        if self.next_header != ICMP6 or len(self.payload) < 4 or \
           icmp6_checksum(self.src, self.dst, self.payload):
            return None
        return self.payload[0]

    def options(self):
        """Options of a router advertisement: list of type and octets."""
        found = []
        rest = self.payload[16:]
        while rest:
            if len(rest) < 2 or not rest[1] or len(rest) < rest[1] * 8:
                raise Malformed("option")
            found.append((rest[0], rest[:rest[1] * 8]))
            rest = rest[rest[1] * 8:]
        return found

    def trailers(self):
        """Trailers up to the first malformed one: list of type and value."""
        found = []
        rest = self.trailing
        while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
            found.append((rest[0], rest[2:2 + rest[1]]))
            rest = rest[2 + rest[1]:]
        return found


# Datagrams

def udp4(src, dst, payload, ttl=64, tos=0, check=None):
    """IPv4 packet with a UDP datagram; src and dst are (address, port)."""
    addresses = ip4(src[0]) + ip4(dst[0])
    length = 8 + len(payload)
    header = struct.pack("!HHHH", src[1], dst[1], length, 0)
    if check is None:
        check = checksum(addresses + struct.pack("!HH", 17, length) + header +
                         payload) or 0xffff
    header = header[:6] + struct.pack("!H", check)
    outer = struct.pack("!BBHHHBBH", 0x45, tos, 20 + length, 0, 0, ttl, 17,
                        0) + addresses
    outer = outer[:10] + struct.pack("!H", checksum(outer)) + outer[12:]
    return outer + header + payload


@dataclasses.dataclass
class Datagram:
    """A captured UDP datagram."""
    src: tuple                  # address and port
    dst: tuple
    payload: bytes
    ttl: int
    tos: int
    ident: int
    dont_fragment: bool
    check: int
    right: bool                 # the UDP checksum is
    time: float = 0.0           # of its arrival, as time.time() tells it

    @classmethod
    def parse(cls, packet):
        """None if it is no unfragmented UDP datagram over IPv4."""
        if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != 17:
            return None
        size = (packet[0] & 15) * 4
        tos, length, ident, fragment, ttl = struct.unpack("!xBHHHB",
                                                          packet[:9])
        if fragment & 0x3fff or length > len(packet):
            return None
        datagram = packet[size:length]
        sport, dport, length, check = struct.unpack("!HHHH", datagram[:8])
        if length != len(datagram):
            return None
        pseudo = packet[12:20] + struct.pack("!HH", 17, length)
        return cls((text4(packet[12:16]), sport),
                   (text4(packet[16:20]), dport), datagram[8:], ttl, tos,
                   ident, bool(fragment & 0x4000), check,
                   not checksum(pseudo + datagram))


CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def netns(name):
    """The network namespace for what is opened inside; None: stay."""
    if name is None:
        yield
        return
    with open("/proc/thread-self/ns/net", "rb") as before, \
         open(f"/run/netns/{name}", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            yield
        finally:
            libc.setns(before.fileno(), CLONE_NEWNET)


class Udp:
    """An ordinary UDP socket."""

    def __init__(self, ns, address, port=0):
        with netns(ns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))

    def send(self, payload, to):
        self.sock.sendto(payload, to)

    def receive(self, timeout=2.0):
        """Payload and source, or None."""
        self.sock.settimeout(timeout)
        try:
            return self.sock.recvfrom(65535)
        except TimeoutError:
            return None


class Udp6:
    """An ordinary UDP socket over IPv6."""

    def __init__(self, ns, port):
        with netns(ns):
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.bind(("::", port))


ETH_P_ALL = 3
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86dd
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_TIMESTAMPNS = 35


class Link:
    """Raw access to an interface: any source out, everything in.

    Each packet that comes in is also given to record, with its time.
    """

    def __init__(self, ns, ifname, protocol=ETH_P_IP, record=None):
        self.record = record
        self.time = 0.0
        self.ident = 0
        with netns(ns):
            self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                     socket.IPPROTO_RAW)
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                     socket.htons(protocol))
        self.tap.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.tap.bind((ifname, protocol))
        self.tap.setblocking(False)

    def close(self):
        self.raw.close()
        self.tap.close()

    def send(self, payload, src, dst, **fields):
        """Send a datagram from src to dst, both (address, port)."""
        packet = udp4(src, dst, payload, **fields)
        self.raw.sendto(packet, (dst[0], 0))

    def send_parts(self, payload, src, dst, size=1400, tos=()):
        """The same in IPv4 fragments with so many octets of the datagram; tos
        is of each, 0 where it has no more."""
        packet = udp4(src, dst, payload)
        body, self.ident = packet[20:], self.ident + 1
        for at, each in itertools.zip_longest(range(0, len(body), size), tos,
                                              fillvalue=0):
            part = body[at:at + size]
            more = at + size < len(body)
            self.raw.sendto(struct.pack(
                "!BBHHHBBH", 0x45, each, 20 + len(part), self.ident,
                at // 8 | more << 13, 64, 17, 0) + packet[12:20] + part,
                (dst[0], 0))

    def packet(self, timeout=2.0):
        """The next packet that comes in, or None; time is its arrival's."""
        if not select.select([self.tap], [], [], timeout)[0]:
            return None
        packet, ancillary, _, _ = self.tap.recvmsg(65535, 64)
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
        self.time = seconds + nanoseconds / 1e9
        if self.record:
            self.record(packet, self.time)
        return packet

    def receive(self, timeout=2.0):
        """The next datagram that comes in, or None."""
        end = time.monotonic() + timeout
        while True:
            packet = self.packet(max(0, end - time.monotonic()))
            if packet is None:
                return None
            datagram = Datagram.parse(packet)
            if datagram:
                datagram.time = self.time
                return datagram

    def drain(self, timeout=0.0):
        """All datagrams until none comes for a time."""
        found = []
        while (datagram := self.receive(timeout)) is not None:
            found.append(datagram)
        return found


SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 3
ETHTOOL_GSTRINGS = 0x1b
ETHTOOL_GSTATS = 0x1d
ETH_SS_STATS = 1


class Counters:
    """The counters of a device, as ethtool -S shows them."""

    def __init__(self, ns, ifname):
        self.ifname = ifname
        with netns(ns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        info = self.ioctl(struct.pack("I", ETHTOOL_GDRVINFO).ljust(196, b"\0"))
        self.number, = struct.unpack("I", info[180:184])
        strings = self.ioctl(struct.pack("III", ETHTOOL_GSTRINGS, ETH_SS_STATS,
                                         self.number) + bytes(32 * self.number))
        self.names = [strings[12 + 32 * i:44 + 32 * i].split(b"\0")[0].decode()
                      for i in range(self.number)]
        self.last = self.read()

    def ioctl(self, request):
        data = ctypes.create_string_buffer(request, len(request))
        ifreq = struct.pack("16sP16x", self.ifname.encode(),
                            ctypes.addressof(data))
        fcntl.ioctl(self.sock, SIOCETHTOOL, ifreq)
        return data.raw

    def read(self):
        """All counters by name."""
        data = self.ioctl(struct.pack("II", ETHTOOL_GSTATS, self.number) +
                          bytes(8 * self.number))
        return dict(zip(self.names,
                        struct.unpack(f"{self.number}Q", data[8:])))

    def moved(self):
        """What has changed since the last call: name and difference."""
        before, self.last = self.last, self.read()
        return {name: value - before[name]
                for name, value in self.last.items() if value != before[name]}


# Golden vectors: server 65.54.227.142, client 203.219.21.70:54110

PRIMARY = "65.54.227.142"
SECONDARY = "65.54.227.143"
OTHER_SERVER = "65.54.227.120"
CLIENT = ("203.219.21.70", 54110)

V1 = bytes.fromhex(
    "6000000000083aff fe800000000000000000ffffffffffff"
    "ff020000000000000000000000000002 85007d3700000000")
V2 = bytes.fromhex("00010000 0102030405060708 00")
V3 = bytes.fromhex("0000 2ca1 3424eab9")
V4 = bytes.fromhex(
    "6000000000383aff fe800000000000008000f227bec91c71"
    "fe800000000000000000ffffffffffff 86009d1c00000000 0000000000000000"
    "03044040ffffffffffffffff00000000200100004136e38e0000000000000000"
    "0501000000000500")
V5 = bytes.fromhex(
    "6000000000003b40 200100004136e38e14e42ca13424eab9"
    "200100004136e378205563bffefdfcfb")
V6 = bytes.fromhex(
    "6000000000103a40 200100004136e38e14e42ca13424eab9"
    "26200000000000000000000000000001 80000f9f12340001 a1a2a3a4a5a6a7a8")
V7 = (bytes.fromhex("ccaeb133fca073a17af57ea3f3f48d6b26c99cbc"),
      bytes.fromhex("4932f7ce437a7124c3473ba91828a7da6f291e0a"))
V8 = bytes.fromhex(
    "0001 04 14 686f7374 ccaeb133fca073a17af57ea3f3f48d6b26c99cbc"
    "0102030405060708 00")
V9 = (bytes.fromhex("0104deadbeef"),
      bytes.fromhex("03080000c0a8010a9c41"),
      bytes.fromhex("040400000000"),
      bytes.fromhex("040401000000"),
      bytes.fromhex("050204b1"))

CLIENT_ADDRESS = teredo(PRIMARY, *CLIENT, 0x14e4)
PEER_ADDRESS = teredo(OTHER_SERVER, "1.2.3.4", 40000, 0x2055)


class Tap:
    """Results in the Test Anything Protocol."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def result(self, right, name, detail=""):
        self.number += 1
        self.failed += not right
        print(f"{'' if right else 'not '}ok {self.number} {name}", flush=True)
        if not right and detail:
            print(f"# {detail}", flush=True)

    def equal(self, got, wanted, name):
        if isinstance(got, bytes) and isinstance(wanted, bytes):
            detail = f"got {got.hex()}, want {wanted.hex()}"
        else:
            detail = f"got {got}, want {wanted}"
        self.result(got == wanted, name, detail)

    def skip(self, name, reason):
        self.number += 1
        print(f"ok {self.number} {name} # SKIP {reason}", flush=True)

    def finish(self):
        """Plan and exit status."""
        print(f"1..{self.number}", flush=True)
        return 1 if self.failed else 0


def check_itself():
    tap = Tap()
    print("TAP version 13")
    tap.equal(rs(), V1, "V1 solicitation")
    tap.equal(auth(), V2, "V2 authentication")
    tap.equal(origin(*CLIENT), V3, "V3 origin")
    tap.equal(ra(PRIMARY), V4, "V4 advertisement")
    tap.equal(bubble(CLIENT_ADDRESS, PEER_ADDRESS), V5, "V5 bubble")
    tap.equal(echo(CLIENT_ADDRESS, "2620::1", bytes(range(0xa1, 0xa9))), V6,
              "V6 connectivity test")
    tap.equal(mac(b"secret", V1), V7[0], "V7 value of a solicitation")
    tap.equal(mac(b"secret", V3 + V4), V7[1], "V7 value of an advertisement")
    tap.equal(auth(ident=b"host", value=V7[0]), V8,
              "V8 authentication with a value")
    tap.equal((nonce_trailer(bytes.fromhex("deadbeef")),
               alternate_trailer(("192.168.1.10", 40001)),
               discovery_trailer(0), discovery_trailer(1),
               random_port_trailer(1201)), V9, "V9 trailers")

    packet = Packet.parse(V8 + V3 + V4 + b"".join(V9))
    tap.equal((packet.ident, packet.value, packet.nonce, packet.confirm),
              (b"host", V7[0], NONCE, 0), "authentication taken apart")
    tap.equal(packet.origin, CLIENT, "origin taken apart")
    tap.equal(packet.icmp6_type(), ROUTER_ADVERTISEMENT, "ICMPv6 taken apart")
    tap.equal([kind for kind, _ in packet.options()], [3, 5],
              "options taken apart")
    tap.equal(tuple(trailer(*item) for item in packet.trailers()), V9,
              "trailers taken apart")
    tap.equal(TeredoAddress.parse("2001:0:4136:e38e:14e4:2ca1:3424:eab9"),
              TeredoAddress(ip6(PREFIX)[:4], PRIMARY, 0x14e4, *CLIENT[::-1]),
              "address taken apart")

    datagram = Datagram.parse(udp4(CLIENT, (PRIMARY, PORT), V1, ttl=3))
    tap.equal((datagram.src, datagram.dst, datagram.payload, datagram.ttl,
               datagram.right), (CLIENT, (PRIMARY, PORT), V1, 3, True),
              "datagram built and taken apart")
    return tap.finish()


if __name__ == "__main__":
    sys.exit(check_itself())
