# SPDX-License-Identifier: GPL-2.0
"""Global unicast IPv4 addresses (G): what is never sent to, nor believed

An address is tried in both fields of a Teredo address, the mapped one and
the server's. At the edges of each range its neighbours pass.
"""

import contextlib

from wire import OTHER_SERVER, PRIMARY, bubble, origin, teredo, udp6

from . import client as c
from . import relay as r
from .lab import HOST6, ME, MY_SERVER, RELAY
from .rows import client, host_relay, relay, server

# id: the edges of what is refused, and neighbours that are not
RANGES = {
    "G-01": ("0.0.0.0 0.255.255.255", "1.0.0.0"),
    "G-02": ("10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0"),
    "G-03": ("127.0.0.0 127.0.0.1 127.255.255.255",
             "126.255.255.255 128.0.0.0"),
    "G-04": ("169.254.0.0 169.254.255.255", "169.253.255.255 169.255.0.0"),
    "G-05": ("172.16.0.0 172.31.255.255", "172.15.255.255 172.32.0.0"),
    "G-06": ("192.168.0.0 192.168.255.255", "192.167.255.255 192.169.0.0"),
    "G-07": ("192.88.99.0 192.88.99.255", "192.88.98.255 192.88.100.0"),
    "G-08": ("224.0.0.0 224.0.0.253 239.255.255.255", "223.255.255.255"),
    "G-09": ("255.255.255.255", ""),
    "G-10": ("5.6.7.255", "5.6.7.254"),
    "G-11": ("100.64.0.0 100.127.255.255", "100.63.255.255 100.128.0.0"),
    "G-12": ("192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 198.18.0.0 "
             "198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 "
             "203.0.113.255",
             "191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 198.17.255.255 "
             "198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 "
             "203.0.114.0"),
    "G-13": ("240.0.0.0 254.255.255.255", ""),
}
# what the switch `private` lifts
PRIVATE = ("G-02", "G-05", "G-06", "G-11", "G-12")
GLOBAL = ("198.41.0.9", 1234)


def addresses(item, column=0):
    return RANGES[item][column].split()


def both(address):
    """In the mapped field, and in the server's"""
    return (teredo(PRIMARY, address, GLOBAL[1]), teredo(address, *GLOBAL))


def at_client(lab, item):
    for address in addresses(item):
        for to in both(address):
            lab.unsent(c.data(lab, to=to), "tx_not_global")
    for address in addresses(item, 1):
        mapped, served = both(address)
        # nobody is tried again, however slow the machine
        lab.control.peer_del()
        lab.settle()
        lab.out(c.data(lab, to=mapped))
        lab.expect(c.pair(lab, mapped, (address, GLOBAL[1])), c.PAIR)
        lab.out(c.data(lab, to=served))
        lab.expect(c.pair(lab, served, GLOBAL, (address, 3544)), c.PAIR)


def at_relay(lab, item, source=r.NATIVE):
    """The direct bubble is off for a relay: one bubble to the server"""
    for address in addresses(item):
        for to in both(address):
            lab.unsent(udp6(source, to, b"no"), "tx_not_global")
    for address in addresses(item, 1):
        mapped, served = both(address)
        lab.control.peer_del()
        lab.settle()
        for to, host in (mapped, PRIMARY), (served, address):
            lab.out(udp6(source, to, b"data"))
            lab.expect([((host, 3544), bubble(HOST6, to))],
                       {"tx_bubbles_indirect": 1})


def at_server(lab, item):
    for address in addresses(item):
        lab.settle()
        lab.send(bubble("2620::5", both(address)[0]), r.CLIENT)
        lab.expect(moved={"tx_not_global": 1, "rx_bubbles": 1})
    for address in addresses(item, 1):
        packet = bubble("2620::5", both(address)[0])
        lab.settle()
        lab.send(packet, r.CLIENT)
        lab.expect([((address, GLOBAL[1]), origin(*r.CLIENT) + packet)],
                   {"tx_relayed": 1, "rx_bubbles": 1})


for name in RANGES:
    shown = addresses(name)[0]
    client(f"{name} SEC-32 CL-TX-14 G-16", f"client: nothing to {shown} and so on")(
        lambda lab, item=name: at_client(lab, item))
    relay(f"{name} SEC-32 RL-TX-02 RL-TX-03",
          f"relay: nothing to {shown} and so on", again=name != "G-10")(
        lambda lab, item=name: at_relay(lab, item))
    host_relay(f"{name} SEC-32 RL-TX-02 RL-TX-03",
               f"host-relay: nothing to {shown} and so on", again=True)(
        lambda lab, item=name: at_relay(lab, item, HOST6))
    server(f"{name} SEC-32 SV-15", f"server: nothing to {shown} and so on",
           again=name != "G-10")(
        lambda lab, item=name: at_server(lab, item))


def believed(lab, source, to, counter):
    """Teredo sources of this embedded address, sent from it"""
    for item in RANGES:
        for address in addresses(item):
            if address.split(".")[0] in ("0", "127", "224", "239", "255") or \
               item == "G-10":
                continue        # IPv4 itself does not let these in
            lab.refused(bubble(teredo(OTHER_SERVER, address, 1234), to),
                        counter, (address, 1234))


@client("SEC-17 A-13 A-08 CL-RX-10",
        "client: no peer whose mapping is not global")
def _(lab):
    believed(lab, None, lab.own, "rx_not_global")
    lab.refused(bubble(teredo(OTHER_SERVER, "5.6.7.255", 1234), lab.own),
                "rx_not_global", ("5.6.7.255", 1234))
    for address in ME[0], "5.6.7.1":
        lab.refused(bubble(teredo(OTHER_SERVER, address, 1234), lab.own),
                    "rx_not_global", (address, 1234))


@relay("SEC-17 A-13 RL-RX-02", "relay: no peer whose mapping is not global",
       words="accept-unknown on")
def _(lab):
    believed(lab, None, HOST6, "rx_not_global")
    for address in RELAY[0], "5.6.7.1":
        lab.refused(bubble(teredo(OTHER_SERVER, address, 1234), HOST6),
                    "rx_not_global", (address, 1234))


@client("SEC-32 CL-RX-05", "client: no reply to an origin that is not global")
def _(lab):
    for item in RANGES:
        for address in addresses(item):
            lab.refused(origin(address, 1234) + bubble(HOST6, lab.own),
                        "tx_not_global", MY_SERVER)


@client("G-14", "client: `private on` lets private addresses pass",
        words="private on")
def _(lab):
    for item in RANGES:
        for address in addresses(item):
            mapped, served = both(address)
            # nobody is tried again, however slow the machine
            lab.control.peer_del()
            lab.settle()
            if item in PRIVATE:
                lab.out(c.data(lab, to=mapped))
                lab.expect(c.pair(lab, mapped, (address, GLOBAL[1])), c.PAIR)
                lab.out(c.data(lab, to=served))
                lab.expect(c.pair(lab, served, GLOBAL, (address, 3544)),
                           c.PAIR)
            else:
                for to in mapped, served:
                    lab.unsent(c.data(lab, to=to), "tx_not_global")
    address = teredo(OTHER_SERVER, "10.0.0.1", 1234)
    lab.bubbled(bubble(address, lab.own), ("10.0.0.1", 1234))
    lab.is_peer(address, "trusted", ("10.0.0.1", 1234))


@relay("G-14", "relay: `private on` lets private addresses pass",
       words="private on accept-unknown on")
def _(lab):
    for item in RANGES:
        for address in addresses(item):
            mapped, served = both(address)
            lab.control.peer_del()
            lab.settle()
            if item in PRIVATE:
                for to, host in (mapped, PRIMARY), (served, address):
                    lab.out(r.data(to=to))
                    lab.expect([((host, 3544), bubble(HOST6, to))],
                               {"tx_bubbles_indirect": 1})
            else:
                for to in mapped, served:
                    lab.unsent(r.data(to=to), "tx_not_global")
    address = teredo(OTHER_SERVER, "10.0.0.1", 1234)
    lab.bubbled(bubble(address, HOST6), ("10.0.0.1", 1234))


def private_no_longer(lab, address, endpoint, packet):
    """A peer with a private address goes with the switch, and no other"""
    lab.is_peer(address, "trusted", endpoint)
    lab.set("private off")
    lab.is_peer(address, None)
    lab.is_peer(r.CLIENT_ADDRESS, "trusted", r.CLIENT)
    lab.unsent(packet, "tx_not_global")


@client("SEC-32 G-14", "client: `private off`, and private peers are forgotten",
        words="private on")
def _(lab):
    endpoint = ("10.0.0.1", 1234)
    address = teredo(OTHER_SERVER, *endpoint)
    lab.bubbled(bubble(r.CLIENT_ADDRESS, lab.own))
    lab.bubbled(bubble(address, lab.own), endpoint)
    private_no_longer(lab, address, endpoint, c.data(lab, to=address))


@relay("SEC-32 G-14", "relay: `private off`, and private peers are forgotten",
       words="private on accept-unknown on")
def _(lab):
    endpoint = ("10.0.0.1", 1234)
    address = teredo(OTHER_SERVER, *endpoint)
    lab.bubbled(bubble(r.CLIENT_ADDRESS, HOST6))
    lab.bubbled(bubble(address, HOST6), endpoint)
    private_no_longer(lab, address, endpoint, r.data(to=address))


@server("G-14", "server: `private on` lets private addresses pass",
        words="private on")
def _(lab):
    for item in RANGES:
        for address in addresses(item):
            packet = bubble("2620::5", both(address)[0])
            lab.settle()
            lab.send(packet, r.CLIENT)
            if item in PRIVATE:
                lab.expect([((address, GLOBAL[1]),
                             origin(*r.CLIENT) + packet)],
                           {"tx_relayed": 1, "rx_bubbles": 1})
            else:
                lab.expect(moved={"tx_not_global": 1, "rx_bubbles": 1})


@client("G-15 SEC-32", "client: nothing to an address of this host")
def _(lab):
    for address in RELAY[0], "5.6.7.1":
        lab.unsent(c.data(lab, to=both(address)[0]), "tx_self")


@relay("G-15 SEC-32", "relay: nothing to an address of this host")
def _(lab):
    for address in RELAY[0], ME[0], "5.6.7.1":
        lab.unsent(r.data(to=both(address)[0]), "tx_self")


@host_relay("G-15 SEC-32", "host-relay: nothing to an address of this host")
def _(lab):
    for address in RELAY[0], ME[0], "5.6.7.1":
        lab.unsent(udp6(HOST6, both(address)[0], b"no"), "tx_self")


@server("G-15 SEC-39", "server: nothing to an address of this host")
def _(lab):
    for address in PRIMARY, "65.54.227.143", "5.6.7.1":
        lab.settle()
        lab.send(bubble("2620::5", both(address)[0]), r.CLIENT)
        lab.expect(moved={"tx_self": 1, "rx_bubbles": 1})


@contextlib.contextmanager
def other_link(lab):
    """An address that the device's link knows nothing of, and its broadcast"""
    lab.ip("link", "add", "other0", "type", "dummy")
    try:
        lab.ip("addr", "add", "5.6.8.1/24", "brd", "+", "dev", "other0")
        lab.ip("link", "set", "other0", "up")
        yield (("5.6.8.1", "tx_self"), ("5.6.8.255", "tx_not_global"))
    finally:
        lab.ip("link", "del", "other0")


@client("G-10 G-15 SEC-32", "client on one link: nor to what is on another",
        words="dev eth0")
def _(lab):
    with other_link(lab) as refused:
        for address, counter in refused:
            lab.unsent(c.data(lab, to=both(address)[0]), counter)


@relay("G-10 G-15 SEC-32", "relay on one link: nor to what is on another",
       words="dev eth0 nat on")
def _(lab):
    with other_link(lab) as refused:
        for address, counter in refused:
            lab.unsent(r.data(to=both(address)[0]), counter)


@server("G-10 G-15 SEC-39", "server on one link: nor to what is on another",
        words="dev eth0")
def _(lab):
    with other_link(lab) as refused:
        for address, counter in refused:
            lab.settle()
            lab.send(bubble("2620::5", both(address)[0]), r.CLIENT)
            lab.expect(moved={counter: 1, "rx_bubbles": 1})
