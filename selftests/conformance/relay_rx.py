# SPDX-License-Identifier: GPL-2.0
"""The relay receives (RL-RX), and how it is operated (RL-OP)"""

import subprocess

import wire
from wire import (CLIENT, CLIENT_ADDRESS, EXTENSIONS, PRIMARY, behind, bubble,
                  icmp6, routed, teredo)

from .lab import HOST6, ME, NATIVE, NATIVE_2, RELAY
from .relay import (ONE, OTHER_ADDRESS, OTHER_CLIENT, contact, data, first,
                    from_client)
from .rows import relay, relays

OTHER_PORT = (CLIENT[0], CLIENT[1] + 1)
ELSEWHERE = (OTHER_CLIENT[0], CLIENT[1])


@relays("RL-RX-02 SEC-15 SEC-16 SEC-45",
        "from another port or address than it says: dropped")
def _(lab):
    packet = from_client(to=HOST6)
    for known in False, True:
        for src in OTHER_PORT, ELSEWHERE:
            lab.refused(packet, "rx_bad_mapping", src)
            lab.refused(bubble(CLIENT_ADDRESS, HOST6), "rx_bad_mapping", src)
        if not known:
            contact(lab)
    lab.taken(packet)


@relay("RL-RX-02 SEC-45", "our own datagrams come back: dropped")
def _(lab):
    contact(lab)
    lab.out(data(1))
    sent, _ = lab.settle()
    lab.refused(sent[0].payload, "rx_bad_mapping")


@relay("RL-RX-02", "a native source: dropped")
def _(lab):
    contact(lab)
    lab.refused(from_client(src=NATIVE_2), "rx_bad_mapping")
    lab.refused(bubble(NATIVE_2, HOST6), "rx_bad_mapping")


@relay("RL-RX-02 SEC-11", "a link-local source: rx_linklocal",
       words="accept-unknown on")
def _(lab):
    lab.refused(from_client(src="fe80::1"), "rx_linklocal")
    lab.refused(bubble("fe80::1", HOST6), "rx_linklocal")


@relays("RL-RX-03 SEC-37 SEC-17",
        "an unknown client: dropped, and stays unknown")
def _(lab):
    lab.refused(from_client(src=OTHER_ADDRESS, to=HOST6), "rx_unknown",
                OTHER_CLIENT)
    lab.refused(bubble(OTHER_ADDRESS, HOST6), "rx_unknown", OTHER_CLIENT)


@relay("RL-RX-03", "accept-unknown on: it is accepted",
       words="accept-unknown on")
def _(lab):
    lab.taken(from_client(src=OTHER_ADDRESS), OTHER_CLIENT)
    lab.is_peer(OTHER_ADDRESS, "trusted", OTHER_CLIENT)
    lab.out(data(to=OTHER_ADDRESS))
    lab.expect([(OTHER_CLIENT, routed(data(to=OTHER_ADDRESS)))])


@relay("RL-RX-03 RL-RX-04", "accept-unknown off again forgets nobody",
       words="accept-unknown on")
def _(lab):
    lab.taken(from_client(src=OTHER_ADDRESS), OTHER_CLIENT)
    lab.set("accept-unknown off")
    lab.taken(from_client(src=OTHER_ADDRESS), OTHER_CLIENT)
    lab.refused(from_client(), "rx_unknown")


@relay("RL-RX-04 SEQ-4", "data proves the mapping as a bubble does")
def _(lab):
    lab.out(data())
    lab.settle()
    lab.send(from_client())
    lab.expect([(CLIENT, routed(data()))], delivered=[from_client()])
    lab.is_peer(CLIENT_ADDRESS, "trusted", CLIENT)
    lab.equal(lab.record(CLIENT_ADDRESS)["rx_packets"], 1, "received")


@relay("RL-RX-05 AMB-31", "a bubble is consumed, whatever it is sent to")
def _(lab):
    lab.out(data())
    lab.settle()
    lab.bubbled(bubble(CLIENT_ADDRESS, "2001:db8::1"),
                sent=[(CLIENT, routed(data()))])
    for to in NATIVE, "fe80::1", "ff02::1", CLIENT_ADDRESS, OTHER_ADDRESS:
        lab.bubbled(bubble(CLIENT_ADDRESS, to))


@relay("RL-RX-06 RL-RX-07 SEC-34", "to another client: rx_loop")
def _(lab):
    contact(lab)
    for to in OTHER_ADDRESS, CLIENT_ADDRESS, "2001::1":
        lab.refused(from_client(to=to), "rx_loop")


@relay("RL-RX-06", "to what is not global: rx_not_served")
def _(lab):
    contact(lab)
    for to in "fe80::2", "fec0::1", "fd00::1":
        lab.refused(from_client(to=to), "rx_not_served")


@relay("RL-RX-06", "serve: inside it is forwarded, outside it is not")
def _(lab):
    contact(lab)
    far = from_client(to=NATIVE_2)
    lab.taken(far)
    lab.set("serve 2620::/64")
    lab.refused(far, "rx_not_served")
    lab.taken(from_client())
    lab.set("serve 2620::/64,2620:1::/64")
    lab.taken(far)
    lab.set("serve all")
    lab.taken(far)


# the debug kernel has no segment routing
@relay("RL-RX-06", "a packet in a packet in one, unwrapped on the spot",
       again=True)
def _(lab):
    contact(lab)
    segment = "2620:5::1"
    lab.batch(lab.host, f"route add {segment}/128 encap seg6local action "
              f"End.DX4 nh4 {lab.here[0]} dev teredo0")
    levels = [from_client()]
    for _ in range(10):
        levels.insert(0, wire.ipv6(CLIENT_ADDRESS, segment, 4,
                                   wire.udp4(CLIENT, lab.here, levels[0])))
    try:
        lab.settle()
        lab.arrived()
        lab.send(levels[0])
        lab.settle()
        lab.equal(sorted(lab.delivered()), sorted(levels), "on the device")
        lab.equal(lab.arrived(), [routed(levels[-1])], "the innermost")
    finally:
        lab.batch(lab.host, f"route delete {segment}/128")


@relay("RL-RX-07", "to 2001::/32 even where that is served",
       words="serve 2001::/16")
def _(lab):
    contact(lab)
    lab.refused(from_client(to=OTHER_ADDRESS), "rx_loop")


@relay("RL-RX-08 V-02", "times of a client, as netlink tells them", clock=True)
def _(lab):
    contact(lab)
    lab.wait(5)
    lab.taken(from_client())
    lab.wait(5)
    lab.out(data())
    lab.settle()
    lab.wait(3)
    record = lab.record(CLIENT_ADDRESS)
    lab.true(7900 < record["last_rx"] < 8300, f"last_rx {record['last_rx']}")
    lab.true(2900 < record["last_tx"] < 3200, f"last_tx {record['last_tx']}")


@relay("RL-RX-09 SEC-68", "the stack forwards: its hop limit, its filter")
def _(lab):
    contact(lab)
    lab.arrived()
    lab.taken(from_client())
    lab.equal(lab.arrived(), [routed(from_client())], "forwarded")

    def nft(words):
        subprocess.run(["ip", "netns", "exec", lab.host, "nft", words],
                       check=True)
    nft("add table inet t; add chain inet t f { type filter hook forward "
        "priority 0; }; add rule inet t f iifname teredo0 drop")
    lab.taken(from_client())
    lab.equal(lab.arrived(), [], "forwarded past the filter")
    nft("delete table inet t")


@relay("RL-RX-11", "a native packet teaches no mapping")
def _(lab):
    lab.out(data())
    lab.settle()
    lab.refused(from_client(src=NATIVE), "rx_bad_mapping")
    lab.refused(from_client(), "rx_bad_mapping", OTHER_PORT)
    lab.is_peer(CLIENT_ADDRESS, "incomplete")


@relays("COM-05 SEC-12", "ND in the tunnel: rx_nd")
def _(lab):
    contact(lab)
    for number in range(133, 138):
        packet = icmp6(CLIENT_ADDRESS, HOST6, number, body=bytes(20),
                       hop_limit=255)
        lab.refused(packet, "rx_nd")
        for header in EXTENSIONS:
            lab.refused(behind(packet, *header), "rx_nd")
    packet = from_client(to=HOST6)
    for _ in range(12):
        packet = behind(packet)
    lab.taken(packet)
    lab.refused(behind(packet), "rx_nd")


# How it is operated

@relay("RL-OP-01", "the device brings no route of its own")
def _(lab):
    lab.batch(lab.host, """
        link delete teredo0
        link add teredo0 type teredo mode relay
        link set teredo0 up
        """)
    lab.equal(routes(lab), [], "routes")
    lab.ip("route", "add", "2001::/32", "dev", "teredo0")
    lab.ip("link", "set", "teredo0", "down")
    lab.equal(routes(lab), [], "routes of a device that is down")


def routes(lab):
    """Unicast routes over the device"""
    shown = subprocess.run(["ip", "-n", lab.host, "-6", "route", "show", "dev",
                            "teredo0"], check=True, capture_output=True,
                           text=True).stdout
    return [line for line in shown.splitlines()
            if not line.startswith(("fe80::/64", "ff00::/8", "multicast"))]


@relay("RL-OP-02 C-04", "one port for all clients")
def _(lab):
    for to in CLIENT_ADDRESS, OTHER_ADDRESS:
        lab.out(data(to=to))
    sent, _ = lab.settle()
    lab.equal({datagram.src for datagram in sent}, {RELAY}, "sources")


@relay("RL-OP-02 C-04", "without `port` a random one, kept over down and up")
def _(lab):
    ports = set()
    for _ in range(4):
        lab.batch(lab.host, f"""
            link delete teredo0
            link add teredo0 type teredo mode relay local {RELAY[0]}
            link set teredo0 up
            route add fe80::1/128 dev teredo0
            route add 2001::/32 via fe80::1 dev teredo0
            """)
        lab.attach("relay", RELAY)
        lab.out(data())
        sent, _ = lab.settle()
        ports.add(sent[0].src[1])
    lab.true(len(ports) > 1, f"ports {ports}")
    lab.batch(lab.host, """
        link set teredo0 down
        link set teredo0 up
        route add fe80::1/128 dev teredo0
        route add 2001::/32 via fe80::1 dev teredo0
        """)
    lab.out(data())
    again, _ = lab.settle()
    lab.equal(again[0].src, sent[0].src, "port after down and up")


@relay("RL-OP-06", "anycast: a relay that does not know a client bubbles anew")
def _(lab):
    contact(lab)
    # the path moves to a second relay, with the same IPv6 side
    lab.batch(lab.host, f"""
        link add teredo1 type teredo mode relay local {ME[0]} port 3545
        link set teredo1 up
        route replace 2001::/32 dev teredo1
        """)
    lab.out(data(1))
    sent, _ = lab.settle()
    lab.equal([(d.src, d.dst, d.payload) for d in sent],
              [((ME[0], 3545), *item) for item in first()], "its bubble")
    lab.send(bubble(CLIENT_ADDRESS, HOST6), dst=(ME[0], 3545))
    sent, _ = lab.settle()
    lab.equal([(d.src, d.dst, d.payload) for d in sent],
              [((ME[0], 3545), CLIENT, routed(data(1)))], "and data")
    # the first one has its peer still
    lab.taken(from_client())


@relay("RL-RX-02 A-06", "other flags are another client, and not known")
def _(lab):
    contact(lab)
    other = teredo(PRIMARY, *CLIENT, 0x14e5)
    lab.refused(from_client(src=other), "rx_unknown")
    lab.out(data(to=other))
    lab.expect(first(other), ONE)
    lab.equal(sorted(lab.control.peers()),
              sorted([wire.text6(other), wire.text6(CLIENT_ADDRESS)]),
              "peers")
