#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Who reaches whom through which NATs: what the RFCs say, and what happens.

nat_matrix.py [NAME]...: with our parts; or in these configurations, see
PAIR_CONFIGURATIONS; or in all: Miredo for each of our parts in turn, and
Miredo alone.

Each side of the matrix has sites: a NAT of each type and kind, with a client
of each family behind it (nat_lab.py). A cell is a site of the one side that
sends to a site of the other. In a round each client has one cell at most, and
after it the NATs forget all but their mappings towards the servers: what a
client met before must not matter, and Linux would give a port that it chose
for one destination to the next one too.
"""

import dataclasses
import itertools
import os
import sys
import time

import judge
import nat_cells
import nat_lab
from control import Control
from wire import Tap

KINDS = ("none", "cone", "address", "port", "symmetric")
WAYS = ("early", "input")
SLOW = 6 if os.environ.get("KSFT_MACHINE_SLOW") == "yes" else 2

# From the row's type of NAT to the column's, in the order of KINDS. +: works;
# -: does not; n: has no address. First RFC 4380 by itself, then with RFC 6081
# at both ends, where the numbers are added: the figure in its section 3.
# "symmetric" is "port-symmetric" there.
PAIRS = """
NM-01 none      + + + + n
NM-02 cone      + + + + n
NM-03 address   + + + + n
NM-04 port      + + + + n
NM-05 symmetric n n n n n
"""
PAIRS_6081 = """
NM-19 none      + + + + +
NM-19 cone      + + + + +
NM-20 address   + + + + +
NM-21 port      + + + + -
NM-26 symmetric + + + - -
"""

# From behind this type of NAT to a native host, and from it. RFC 6081 gives
# the client an address, but is for clients only: to a relay it is a client
# whose bubbles come from a port that its address does not name.
NATIVES = """
NM-28 none      + +
NM-28 cone      + +
NM-29 address   + +
NM-29 port      + +
NM-30 symmetric n n
"""
NATIVES_6081 = """
NM-30 symmetric - -
"""

# Special topologies. What RFC 4380 says by itself, what with RFC 6081.
SPECIALS = """
NM-06 + + one LAN, hairpin from the outer address
NM-07 - + one LAN, hairpin from the inner address
NM-08 - + one LAN, no hairpin
NM-09 - + two LANs of one NAT, no hairpin
NM-10 - - two NATs behind one without hairpin
NM-11 + + to behind cone in cone
NM-11 + + to behind port in cone
NM-11 + + to behind cone in port
NM-11 n - to behind symmetric in cone
NM-12 - + from behind two NATs to between them
NM-13 n n server between two NATs
NM-14 + + to the one of two clients with one port
NM-14 + + to the other
NM-15 + + to behind symmetric, port forwarded
NM-16 + + clients of different servers
"""

WORDS = {"+": "works", "-": "does not work", "n": "no address"}


def table(text, targets):
    """(id, mark) by types of NAT"""
    found = {}
    for line in text.strip().splitlines():
        number, source, *marks = line.split()
        for target, mark in zip(targets, marks):
            found[source, target] = number, mark
    return found


def pairs(extended):
    """What is expected of each pair; extended: with RFC 6081"""
    found = table(PAIRS, KINDS)
    if extended:
        for key, (number, mark) in table(PAIRS_6081, KINDS).items():
            found[key] = f"{found[key][0]} {number}", mark
    return found


def natives(extended):
    """The same, of cells with a native host"""
    by_way = table(NATIVES, ("to", "from"))
    if extended:
        by_way.update(table(NATIVES_6081, ("to", "from")))
    return {(kind, "native") if way == "to" else ("native", kind): wanted
            for (kind, way), wanted in by_way.items()}


def specials(extended):
    """The same, of the special topologies"""
    found = {}
    for line in SPECIALS.strip().splitlines():
        number, plain, with_6081, title = line.split(None, 3)
        found[title, ""] = number, with_6081 if extended else plain
    return found


@dataclasses.dataclass
class Known:
    """What is seen in place of that, and why. Each of the first four says
    which values it is about; none: any."""
    configurations: tuple
    ways: tuple
    sources: tuple
    targets: tuple
    mark: str
    why: str

    def covers(self, key):
        return all(not mine or its in mine for mine, its in zip(
            (self.configurations, self.ways, self.sources, self.targets),
            key))


STRAY = ("Miredo's direct bubble is at the other NAT before that is open, and "
         "its entry there is in the way of the answer")
COOKIE = ("there is an address, and Miredo takes an answer from any port that "
          "has its cookie (NM-45)")
NO_NONCE = ("there is an address, but Miredo neither sends nor knows the nonce "
            "that proves another port (NM-45)")
RELAY = ("Miredo has an address, as it does not ask the secondary server "
         "(DEV-01), but our relay wants the port that it names (RL-RX-02)")
OPEN, SYMMETRIC = ("none", "cone", "address"), ("symmetric",)

# The first that fits counts
KNOWN = [
    Known(("Miredo sends", "Miredo alone"), (), OPEN, SYMMETRIC, "+", COOKIE),
    Known(("Miredo sends", "Miredo answers", "Miredo alone"), (), SYMMETRIC,
          KINDS, "-", NO_NONCE),
    Known(("Miredo sends", "Miredo answers", "Miredo alone"), (), KINDS,
          SYMMETRIC, "-", NO_NONCE),
    Known(("Miredo sends",), ("input",), ("port",), ("port",), "-", STRAY),
    Known(("Miredo alone",), ("input",), ("port",), ("address", "port"), "-",
          STRAY),
    Known(("Miredo alone",), ("input",),
          ("to behind port in cone", "to behind cone in port",
           "to the one of two clients with one port", "to the other",
           "clients of different servers"), (), "-", STRAY),
    Known(("Miredo alone",), (), ("to behind symmetric in cone",), (), "-",
          NO_NONCE),
    Known(("Miredo's client",), (), SYMMETRIC, ("native",), "-", RELAY),
    Known(("Miredo's client",), (), ("native",), SYMMETRIC, "-", RELAY),
    Known(("Miredo's relay", "Miredo alone"), (), SYMMETRIC, ("native",), "+",
          COOKIE),
    Known(("Miredo's relay", "Miredo alone"), (), ("native",), SYMMETRIC, "+",
          COOKIE),
]


class Client:
    """A client of a family: ours or miredo's, with our server or Miredo's"""

    def __init__(self, lab, space, port, server):
        self.lab, self.space = lab, space
        self.port, self.server = port, server
        self.address = None

    def poll(self):
        """Whether there is nothing more to wait for"""
        self.address = self.space.address(self.device)
        return bool(self.address)


class Ours(Client):
    """Our client and its helper"""
    device = "teredo0"

    def start(self):
        with self.space.here():
            nat_lab.batch([f"link add teredo0 type teredo mode client server "
                           f"{self.server} port {self.port}",
                           "link set teredo0 up"])
        self.lab.start(self.space, "teredod", "-f", "teredo0")

    def poll(self):
        if super().poll():
            return True
        state = Control(self.space.name, "teredo0").device_state()
        return state in ("offline", "error")


class Miredo(Client):
    """Miredo's client"""
    device = "miredo"

    def start(self):
        self.lab.miredo(self.space, "miredo", "RelayType client",
                        "InterfaceName miredo", f"BindPort {self.port}",
                        f"ServerAddress {self.server}")


FAMILIES = {
    "ours": (Ours, nat_lab.SERVER4[0]),
    "miredo": (Miredo, nat_lab.SERVER4[0]),
    "ours at miredo's": (Ours, nat_lab.MIREDO_SERVER4[0]),
    "miredo at miredo's": (Miredo, nat_lab.MIREDO_SERVER4[0]),
}


@dataclasses.dataclass
class Configuration:
    """Who is at the ends of a cell, by family; relay, where one is native"""
    source: str
    target: str
    relay: str = ""

    @property
    def extended(self):
        """RFC 6081 at both ends"""
        return all(FAMILIES[family][0] is Ours
                   for family in (self.source, self.target))


PAIR_CONFIGURATIONS = {
    "ours": Configuration("ours", "ours"),
    "Miredo sends": Configuration("miredo", "ours"),
    "Miredo answers": Configuration("ours", "miredo"),
    "Miredo's server": Configuration("ours at miredo's", "ours at miredo's"),
    "Miredo alone": Configuration("miredo at miredo's", "miredo at miredo's"),
}
NATIVE_CONFIGURATIONS = {
    "ours": Configuration("ours", "ours", "ours"),
    "Miredo's client": Configuration("miredo", "miredo", "ours"),
    "Miredo's relay": Configuration("ours", "ours", "miredo"),
    "Miredo's server": Configuration("ours at miredo's", "ours at miredo's",
                                     "ours"),
    "Miredo alone": Configuration("miredo at miredo's", "miredo at miredo's",
                                  "miredo"),
}


def groups(configurations):
    """Those that have no client in common can be tried at once"""
    found = []
    for name, configuration in configurations.items():
        for group in found:
            if all(configuration.source != other.source and
                   configuration.target != other.target
                   for other in group.values()):
                group[name] = configuration
                break
        else:
            found.append({name: configuration})
    return found


# Those of the pairs that are tried in the special topologies too
SPECIAL_CONFIGURATIONS = ("ours", "Miredo alone")


class Specials:
    """Topologies of requirements section 6.3, with their clients"""

    def __init__(self, matrix, name, way):
        self.matrix, self.lab = matrix, matrix.lab
        self.name, self.way = name, way
        self.words = ["input"] if way == "input" else []
        self.one_lan()
        self.two_lans()
        self.two_inner()
        for inner, outer in (("cone", "cone"), ("port", "cone"),
                             ("cone", "port"), ("symmetric", "cone")):
            self.two_in_a_row(inner, outer)
        self.between()
        self.server_between()
        self.same_port()
        self.forwarded()
        self.servers()

    def nat(self, kind="port", *words, side="to"):
        net = self.matrix.net()
        nat = self.lab.nat(self.label("nat"), f"{net}.1", "192.168.1", kind,
                           [*self.words, *words], self.matrix.regions[side])
        self.matrix.nats.append(nat)
        return nat

    def inner(self, outer, number, net, kind="port", ports=()):
        nat = self.lab.inner_nat(self.label("nat"), outer, number, ports, net,
                                 kind, self.words)
        self.matrix.nats.append(nat)
        return nat

    def label(self, what):
        return f"{what}{len(self.lab.namespaces)}"

    def client(self, nat, number=2, port=None, lan="lan", server=None):
        """A client of this configuration's family behind a NAT"""
        configuration = PAIR_CONFIGURATIONS[self.name]
        make, usual = FAMILIES[configuration.source]
        port = port or 40000 + number
        space = self.lab.namespace(self.label("c"))
        self.lab.behind(nat, space, number, port, lan=lan)
        return make(self.lab, space, port, server or usual)

    def outside(self):
        return self.client(self.nat(side="from"))

    def add(self, title, one, other):
        self.matrix.special[self.name, self.way, title, ""] = one, other

    def one_lan(self):
        for title, words in (
                ("one LAN, hairpin from the outer address", ["hairpin"]),
                ("one LAN, hairpin from the inner address", ["internal"]),
                ("one LAN, no hairpin", [])):
            nat = self.nat("port", *words)
            self.add(title, self.client(nat, 2), self.client(nat, 3))

    def two_lans(self):
        nat = self.nat()
        nat.lan("lan2", "192.168.2")
        self.add("two LANs of one NAT, no hairpin", self.client(nat, 2),
                 self.client(nat, 3, lan="lan2"))

    def two_inner(self):
        outer = self.nat()
        self.add("two NATs behind one without hairpin", *(
            self.client(self.inner(outer, number, f"10.0.{number}"), number)
            for number in (2, 3)))

    def two_in_a_row(self, inner, outer):
        nat = self.inner(self.nat(outer), 2, "10.0.2", inner, [40002])
        self.add(f"to behind {inner} in {outer}", self.outside(),
                 self.client(nat))

    def between(self):
        outer = self.nat()
        self.add("from behind two NATs to between them",
                 self.client(self.inner(outer, 2, "10.0.2")),
                 self.client(outer, 3))

    def server_between(self):
        outer = self.nat()
        inner = self.inner(outer, 2, "10.0.2")
        addresses = ["65.54.229.142", "65.54.229.143"]
        server = self.lab.namespace(self.label("s"))
        self.lab.behind(outer, server, 3)
        server.ip(*(f"addr add {address}/32 dev eth0"
                    for address in addresses))
        inner.ip("route add 65.54.229.0/24 dev wan")
        self.matrix.more_servers.append((server, addresses))
        self.add("server between two NATs", *(
            self.client(inner, number, server=addresses[0])
            for number in (2, 3)))

    def same_port(self):
        nat = self.nat()
        for title, number in (("to the one of two clients with one port", 2),
                              ("to the other", 3)):
            self.add(title, self.outside(), self.client(nat, number, 40000))

    def forwarded(self):
        self.add("to behind symmetric, port forwarded", self.outside(),
                 self.client(self.nat("symmetric", "forwarded")))

    def servers(self):
        self.add("clients of different servers", self.outside(),
                 self.client(self.nat(), server=nat_lab.OTHER_SERVER4[0]))


class Matrix:
    """The sites, who serves them, and the cells between them"""

    def __init__(self, lab, pair_names, native_names):
        self.lab = lab
        self.pairs, self.natives = pair_names, native_names
        self.nats, self.clients, self.outcome = [], {}, {}
        self.special, self.more_servers = {}, []
        used = [*pair_names.values(), *native_names.values()]
        self.families = [
            family for family in FAMILIES if any(
                family in (configuration.source, configuration.target)
                for configuration in used)]
        self.sites = 0
        self.regions = {side: lab.region(side, number) for number, side in
                        enumerate(("from", "to"), start=1)}
        for side in "from", "to":
            for way in WAYS:
                for kind in KINDS:
                    self.site(side, way, kind)
        for name in SPECIAL_CONFIGURATIONS:
            if name in pair_names:
                for way in WAYS:
                    Specials(self, name, way)
        self.server = lab.server("server", nat_lab.SERVER4, nat_lab.SERVER6)
        self.miredo_server = lab.server(
            "miredo-server", nat_lab.MIREDO_SERVER4, nat_lab.MIREDO_SERVER6)
        other = lab.server("other-server", nat_lab.OTHER_SERVER4,
                           nat_lab.OTHER_SERVER6)
        self.more_servers.append((other, nat_lab.OTHER_SERVER4))
        self.relay = lab.relay("relay", nat_lab.RELAY4, nat_lab.RELAY6)
        self.miredo_relay = lab.relay("miredo-relay", nat_lab.MIREDO_RELAY4,
                                      nat_lab.MIREDO_RELAY6)
        self.native = {
            "ours": (lab.native("native", nat_lab.NATIVE6, nat_lab.RELAY6),
                     nat_lab.NATIVE6),
            "miredo": (lab.native("miredo-native", nat_lab.MIREDO_NATIVE6,
                                  nat_lab.MIREDO_RELAY6),
                       nat_lab.MIREDO_NATIVE6)}

    def net(self):
        """Another network of the Internet"""
        self.sites += 1
        return f"84.16.{self.sites}"

    def site(self, side, way, kind):
        """A NAT and the clients behind it"""
        net, name = self.net(), f"{side}-{way}-{kind}"
        nat = None
        if kind != "none":
            nat = self.lab.nat(f"nat-{name}", f"{net}.1", "192.168.1", kind,
                               ["input"] if way == "input" else [],
                               self.regions[side])
            self.nats.append(nat)
        for n, family in enumerate(self.families):
            space = self.lab.namespace(f"{n}-{name}")
            if nat:
                self.lab.behind(nat, space, 2 + n, 40000 + n)
            else:
                self.lab.attach(space, "eth0", f"{net}.{2 + n}",
                                at=self.regions[side])
            make, server = FAMILIES[family]
            self.clients[side, way, kind, family] = make(
                self.lab, space, 40000 + n, server)

    def start(self, limit):
        """Servers, relays and clients; waits for their addresses"""
        for space, addresses in ((self.server, nat_lab.SERVER4),
                                 *self.more_servers):
            self.ours(space, "mode server local {} secondary {}".format(
                *addresses))
        self.ours(self.relay, f"mode relay local {nat_lab.RELAY4}")
        with self.relay.here():
            nat_lab.batch(["route add fe80::1/128 dev teredo0",
                           "route add 2001::/32 via fe80::1 dev teredo0"])
        if self.families != ["ours"]:
            self.lab.miredo(
                self.miredo_server, "miredo-server",
                f"ServerBindAddress {nat_lab.MIREDO_SERVER4[0]}",
                f"ServerBindAddress2 {nat_lab.MIREDO_SERVER4[1]}")
            self.lab.miredo(
                self.miredo_relay, "miredo", "RelayType relay",
                "InterfaceName miredo", "BindPort 3545",
                f"BindAddress {nat_lab.MIREDO_RELAY4}")
        waiting = {*self.clients.values(), *itertools.chain(
            *self.special.values())}
        for client in waiting:
            client.start()
        end = time.monotonic() + limit
        while waiting and time.monotonic() < end:
            waiting = {client for client in waiting if not client.poll()}
            time.sleep(0.5)

    @staticmethod
    def ours(space, words):
        with space.here():
            nat_lab.batch([f"link add teredo0 type teredo {words}",
                           "link set teredo0 up"])

    def cells_of_pairs(self, group, shift):
        """Each site of the one side, and one of the other each"""
        for name, configuration in group.items():
            for way in WAYS:
                for n, source in enumerate(KINDS):
                    target = KINDS[(n + shift) % len(KINDS)]
                    one = self.clients["from", way, source,
                                       configuration.source]
                    other = self.clients["to", way, target,
                                         configuration.target]
                    yield ((name, way, source, target),
                           one.address and one.space, other.space,
                           other.address)

    def cells_of_natives(self, group):
        """Each site of the one side to a native host, and from it to each of
        the other side"""
        for name, configuration in group.items():
            native, address = self.native[configuration.relay]
            for way in WAYS:
                for kind in KINDS:
                    one = self.clients["from", way, kind,
                                       configuration.source]
                    other = self.clients["to", way, kind,
                                         configuration.target]
                    yield ((name, way, kind, "native"),
                           one.address and one.space, native, address)
                    yield ((name, way, "native", kind), native, other.space,
                           other.address)

    def round(self, cells):
        """Cells at once: key, sender, receiver, address of the receiver"""
        able = []
        for key, source, target, address in cells:
            if source and address:
                able.append(nat_cells.Pair(key, source.name, target.name,
                                            address))
            else:
                self.outcome[key] = "no address"
        self.outcome.update(nat_cells.run(able, 10 * SLOW))
        for nat in self.nats:
            nat.forget()

    def rounds(self):
        for group in groups(self.pairs):
            for shift in range(len(KINDS)):
                self.round(self.cells_of_pairs(group, shift))
        for group in groups(self.natives):
            self.round(self.cells_of_natives(group))
        self.round((key, one.address and one.space, other.space, other.address)
                   for key, (one, other) in self.special.items())

    def mark(self, *key):
        outcome = self.outcome.get(key)
        return {"works": "+", "no address": "n", None: "?"}.get(outcome, "-")

    def verdict(self, tap, key, number, mark):
        name, way, source, target = key
        got = self.mark(*key)
        cell = f"{source} to {target}" if target else source
        line = f"{number} {name}: {cell}, {way}: {self.outcome.get(key)}"
        known = next((known for known in KNOWN if known.covers(key)), None)
        if known and got == known.mark:
            tap.result(True, f"{line} # XFAIL {known.why}")
        else:
            tap.result(got == (known.mark if known else mark), line,
                       f"expected: {WORDS[mark]}")

    def verdicts(self, tap):
        named = {name for name, *_ in self.special}
        for names, wanted in ((self.pairs, pairs), (self.natives, natives),
                              (named, specials)):
            for name in names:
                table_of = wanted(PAIR_CONFIGURATIONS[name].extended
                                  if wanted is not natives else
                                  NATIVE_CONFIGURATIONS[name].extended)
                for way in WAYS:
                    for pair, (number, mark) in table_of.items():
                        self.verdict(tap, (name, way, *pair), number, mark)

    def show(self):
        for way, what in zip(WAYS, ("drop strays early",
                                    "take strays for their own")):
            print(f"# NATs that {what}; a sign each:", ", ".join(self.pairs))
            self.lines(way, self.pairs, KINDS, KINDS)
            print("# and with native hosts:", ", ".join(self.natives))
            self.lines(way, self.natives, KINDS, ["native"])
            self.lines(way, self.natives, ["native"], KINDS)

            names = [name for name in SPECIAL_CONFIGURATIONS
                     if name in self.pairs]
            print("# special topologies:", ", ".join(names))
            for (title, _), (number, _) in specials(False).items():
                print("#", f"{number} {title:42}", "".join(
                    self.mark(name, way, title, "") for name in names))

    def lines(self, way, names, sources, targets):
        print("#", " " * 9, *(f"{kind:9}" for kind in targets))
        for source in sources:
            print("#", f"{source:9}", *(
                f"{''.join(self.mark(name, way, source, target) for name in names):9}"
                for target in targets))


class Capture:
    """What passes the core, for tshark to judge"""

    def __init__(self, lab):
        self.lab = lab
        self.path = os.path.join(lab.dir, "core.pcap")
        self.tcpdump = lab.start(lab.core, "tcpdump", "-i", "any", "-Q", "in",
                                 "-Z", "root", "-w", self.path, "udp")
        while not os.path.exists(self.path):
            time.sleep(0.1)

    def verdict(self):
        """For Tap.result()"""
        self.lab.end([self.tcpdump])
        self.lab.children.remove(self.tcpdump)
        wrong = judge.judge(self.path)
        return (not wrong, "tshark agrees with all that passed the core",
                "; ".join(wrong[:5]))


def note(text):
    """With the machine's time, since some have to be patient"""
    print(f"# {time.monotonic():.0f} s: {text}", flush=True)


def chosen(configurations, names):
    if "all" in names:
        return configurations
    return {name: configuration for name, configuration in
            configurations.items() if name in names}


def main(names):
    tap = Tap()
    print("TAP version 13", flush=True)
    with nat_lab.Lab() as lab:
        matrix = Matrix(lab, chosen(PAIR_CONFIGURATIONS, names),
                        chosen(NATIVE_CONFIGURATIONS, names))
        lab.build()
        note("built")
        # Miredo's packets are not ours to judge
        capture = names == ["ours"] and Capture(lab)
        matrix.start(30 * SLOW)
        have = sum(bool(client.address) for client in matrix.clients.values())
        note(f"{have} of {len(matrix.clients)} clients have an address")
        matrix.rounds()
        note("all cells are tried")
        matrix.show()
        matrix.verdicts(tap)
        if capture:
            tap.result(*capture.verdict())
    return tap.finish()


if __name__ == "__main__":
    named = os.environ.get("KSFT_ALL") == "yes"
    sys.exit(main(sys.argv[1:] or ["all" if named else "ours"]))
