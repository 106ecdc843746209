# SPDX-License-Identifier: GPL-2.0
"""The host-specific relay (HR)"""

import socket
import subprocess

import wire
from wire import CLIENT, CLIENT_ADDRESS, bubble, udp6

from .lab import HOST6, ME, NATIVE
from .relay import CLIENT_SERVER, ONE, contact, data, first, from_client, own
from .relay_rx import routes
from .rows import host_relay


@host_relay("HR-01", "the device brings neither address nor route")
def _(lab):
    lab.batch(lab.host, """
        link delete teredo0
        link add teredo0 type teredo mode host-relay
        link set teredo0 up
        """)
    lab.equal(routes(lab), [], "routes")
    shown = subprocess.run(["ip", "-n", lab.host, "-6", "-o", "addr", "show",
                            "dev", "teredo0"], check=True,
                           capture_output=True, text=True).stdout
    lab.equal(shown, "", "addresses")


@host_relay("HR-02 SEQ-7 CL-O-04", "a client's path: bubble, answer, data")
def _(lab):
    lab.out(own(lab))
    lab.expect(first(), ONE)
    lab.bubbled(bubble(CLIENT_ADDRESS, HOST6), sent=[(CLIENT, own(lab))])
    lab.out(own(lab, 1))
    lab.expect([(CLIENT, own(lab, 1))])
    lab.taken(from_client(to=HOST6))


@host_relay("HR-02", "no solicitation is ever sent", clock=True)
def _(lab):
    lab.wait(120)
    lab.expect()


@host_relay("HR-03", "packets of others are refused: prohibited")
def _(lab):
    contact(lab)
    lab.errors()
    lab.forward(udp6(NATIVE, CLIENT_ADDRESS, b"data"))
    lab.expect(moved={"tx_forwarded": 1}, errors=[(1, 1)])


@host_relay("HR-04", "only for this host: rx_not_served")
def _(lab):
    contact(lab)
    lab.refused(from_client(to=NATIVE), "rx_not_served")
    lab.refused(from_client(to="2620::fe"), "rx_not_served")
    lab.taken(from_client(to=HOST6))


@host_relay("HR-05", "bubbles have the source of the flow")
def _(lab):
    lab.ip("addr", "add", "2620::fa/64", "dev", "eth1", "nodad")
    try:
        for source in HOST6, "2620::fa":
            lab.device("host-relay")
            lab.out(data(src=source))
            lab.expect([(CLIENT_SERVER, bubble(source, CLIENT_ADDRESS))], ONE)
    finally:
        lab.ip("addr", "del", "2620::fa/64", "dev", "eth1")


@host_relay("HR-06", "a host without a native address: no route")
def _(lab):
    lab.ip("addr", "del", f"{HOST6}/64", "dev", "eth1")
    try:
        for source in "::1", "fe80::9":
            if source != "::1":
                lab.ip("addr", "add", f"{source}/64", "dev", "teredo0",
                       "nodad")
            with wire.netns(lab.host):
                sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            with sock:
                sock.connect((wire.text6(CLIENT_ADDRESS), 5000))
                lab.equal(sock.getsockname()[0], source, "source")
                sock.send(b"data")
                lab.expect(moved={"tx_source": 1}, errors=[(1, 0)])
    finally:
        lab.batch(lab.host, f"""
            addr add {HOST6}/64 dev eth1 nodad
            route replace 2620:1::/64 via 2620::1
            """)


@host_relay("HR-06", "sources that are nobody's: dropped")
def _(lab):
    lab.unsent(data(src="fe80::5"), "tx_source", inject=True)
    lab.unsent(data(src=CLIENT_ADDRESS), "tx_source", inject=True)


@host_relay("HR-09", "no client beside a host-relay, nor the other way round")
def _(lab):
    def up(words):
        lab.batch(lab.host, f"link add teredo1 type teredo {words}")
        done = subprocess.run(["ip", "-n", lab.host, "link", "set", "teredo1",
                               "up"], check=False, capture_output=True,
                              text=True)
        lab.ip("link", "delete", "teredo1")
        return done.returncode, done.stderr
    status, text = up(f"mode client local {ME[0]}")
    lab.equal((status, "host-relay" in text or "busy" in text.lower()),
              (2, True), f"a client: {text}")
    lab.equal(up(f"mode client local {ME[0]} prefix 2a00:1::/32")[0], 0,
              "a client of another prefix")
    lab.equal(up(f"mode relay local {ME[0]}")[0], 0, "a relay")
    lab.device("client")
    status, text = up("mode host-relay")
    lab.equal(status, 2, f"a host-relay: {text}")
