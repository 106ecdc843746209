#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks of the module, each broken in turn: do the tests notice?

mutate.py --plant   in a copy of the sources: puts all mutations into it, of
                    which the module's parameter `mutant` chooses one
mutate.py --run     in a VM with that module: runs conformance rows with each

A mutation is caught if for each of its ids a row that carries it fails, and
no other row does: not of those that carry none of them, of which a sample
runs.
"""

import dataclasses
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SWITCH = "/sys/module/teredo/parameters/mutant"
# rows without the ids of a mutation that run with it
OTHERS = 40


@dataclasses.dataclass
class Mutation:
    """An expression of a function, and what takes its place"""
    ids: str            # of the rows that must notice
    mode: str           # those of this mode, or of these modes
    what: str
    file: str
    function: str
    old: str            # just once there, blanks don't count; a part of it
                        # in [[ ]]: only that is what is replaced
    new: str = "false"


MUTATIONS = [
    # form
    Mutation("SEC-02", "client relay server", "any version passes for IPv6",
             "teredo_proto.h", "teredo_parse_headers",
             "(data[off] >> 4) != 6"),
    Mutation("SEC-03", "client relay", "the length of the packet is believed",
             "teredo_recv.c", "teredo_rcv_parse",
             "len < 40 + (data[4] << 8) + data[5]"),
    Mutation("E-08 SEC-05", "relay", "a relay takes headers",
             "teredo_recv.c", "teredo_rcv_relay", "p->ip6"),
    Mutation("E-07 SEC-05 COM-07 SEC-67", "client",
             "authentication in front of anything",
             "teredo_recv.c", "teredo_rcv_client", "p->auth >= 0"),
    Mutation("SEC-06", "client", "anybody indicates an origin",
             "teredo_recv.c", "teredo_rcv_client",
             "p->origin >= 0 && !from_server"),
    Mutation("SEC-07 T-01 T-03", "client", "no trailer asks for a drop",
             "teredo_proto.h", "teredo_parse_trailers",
             "(type & 0xc0) == 0x40"),
    Mutation("SEC-07 T-01", "client", "more trailers than are looked at",
             "teredo_proto.h", "teredo_parse_trailers", "return [[len < 2]];",
             "true"),

    # IPv6 addresses
    Mutation("SEC-08 COM-06", "client", "impossible addresses",
             "teredo_recv.c", "teredo_rcv_client",
             "teredo_rcv_martian(ip6)"),
    Mutation("SEC-09 CL-RX-02 SEC-67", "client", "packets for others",
             "teredo_recv.c", "teredo_rcv_client",
             "!ipv6_addr_equal(&ip6->daddr, &q->addr)"),
    Mutation("SEC-10 CL-RX-03", "client", "packets of our own",
             "teredo_recv.c", "teredo_rcv_client",
             "teredo_ep_equal(teredo_mapped(&ip6->saddr), q->mapped)"),
    Mutation("SEC-11 CL-RX-22", "client", "link-local sources",
             "teredo_recv.c", "teredo_rcv_client",
             "ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL"),
    Mutation("SEC-12 COM-05", "client", "Neighbor Discovery in the tunnel",
             "teredo_recv.c", "teredo_rcv_client",
             "teredo_rcv_is_nd(skb, hlen, type)"),
    Mutation("SEC-12 COM-05", "client relay host-relay",
             "Neighbor Discovery behind extension headers",
             "teredo_recv.c", "teredo_rcv_is_nd",
             "type == TEREDO_TYPE_BEHIND"),
    Mutation("SEC-12 COM-05", "client relay host-relay",
             "what is behind too many extension headers",
             "teredo_recv.c", "teredo_rcv_is_nd",
             "type == TEREDO_TYPE_UNSEEN"),

    Mutation("SEC-12 COM-05", "client relay host-relay",
             "ND behind hop-by-hop options",
             "teredo_recv.c", "teredo_is_ext_hdr", "nexthdr == NEXTHDR_HOP"),
    Mutation("SEC-12 COM-05", "client relay host-relay",
             "ND behind a fragment header",
             "teredo_recv.c", "teredo_is_ext_hdr",
             "nexthdr == NEXTHDR_FRAGMENT"),
    Mutation("SEC-12 COM-05", "client relay host-relay",
             "ND behind an authentication header",
             "teredo_recv.c", "teredo_is_ext_hdr", "nexthdr == NEXTHDR_AUTH"),
    Mutation("X-TR-05", "client", "the last list of alternates counts",
             "teredo_proto.h", "teredo_parse_trailers",
             "tr->found & TEREDO_FOUND_ALTERNATE"),

    # who is where
    Mutation("SEC-15 CL-RX-18", "client", "a trusted peer from anywhere",
             "teredo_recv.c", "teredo_path_is",
             "teredo_ep_equal(teredo_path_ep(path), from)", "true"),
    Mutation("CL-RX-15 SEC-16 SEC-67", "client",
             "a peer is wherever it is heard",
             "teredo_recv.c", "teredo_rcv_client",
             "!teredo_ep_equal(teredo_mapped(&ip6->saddr), from)"),
    Mutation("RL-RX-02 SEC-16 SEC-45 RL-RX-11", "relay",
             "a client from any port",
             "teredo_recv.c", "teredo_rcv_relay",
             "!teredo_ep_equal(teredo_mapped(&ip6->saddr), from)"),
    Mutation("RL-RX-03 A-06", "relay", "an unknown client",
             "teredo_recv.c", "teredo_rcv_relay", "!cfg->accept_unknown"),
    Mutation("SEC-17 A-13", "client", "a peer on a private address",
             "teredo_recv.c", "teredo_rcv_new_peer",
             "!teredo_addr_valid(saddr, cfg->private_ok) || "
             "inet_addr_type(net, teredo_mapped(saddr).addr) != RTN_UNICAST"),
    Mutation("SEC-18 CL-B-11 SEC-67", "client",
             "any reply proves a native host",
             "teredo_search.c", "teredo_test_reply",
             "peer->search->nonce == get_unaligned(&test->nonce)", "true"),
    Mutation("SEC-21", "client", "the proof may come from elsewhere",
             "teredo_search.c", "teredo_search_release",
             "!teredo_ep_equal(s->held_from, from)"),
    Mutation("SEC-22 SEC-12", "client", "anybody advertises",
             "teredo_recv.c", "teredo_rcv_client",
             "if ([[from_server]])", "true"),
    Mutation("SEC-28 SEC-43 SEC-49 SV-09 SV-11", "server", "any Teredo source",
             "teredo_server.c", "teredo_request_from_client",
             "teredo_ep_equal(teredo_mapped(&rq->ip6.saddr), rq->from)",
             "true"),
    Mutation("SEC-17", "client", "by a nonce to all of a link",
             "teredo_recv.c", "teredo_rcv_elsewhere",
             "inet_addr_type(net, from.addr) != RTN_UNICAST"),
    Mutation("SV-12 SV-13", "server", "a client solicits whomever it likes",
             "teredo_server.c", "teredo_rs_check",
             "client && [[ipv6_addr_equal(&ip6->daddr, &self)]]", "true"),
    Mutation("SEC-62 X-SN-07", "client", "any nonce of a bubble",
             "teredo_bubble.c", "teredo_nonce_proves",
             "nonce && peer->nonce_sent == nonce", "true"),

    # destinations, loops
    Mutation("SEC-32 G-14", "client relay host-relay",
             "to addresses that are not global",
             "teredo_xmit.c", "teredo_tx_new_peer",
             "!teredo_ipv4_global(mapped.addr, cfg->private_ok)"),
    Mutation("SEC-32 G-14", "server", "forwarded to such addresses",
             "teredo_server.c", "teredo_forward_client",
             "!teredo_ipv4_global(to.addr, cfg->private_ok)"),
    Mutation("SEC-32 G-14", "client relay", "private peers stay",
             "teredo_main.c", "teredo_changelink",
             "old->private_ok && !cfg->private_ok"),
    Mutation("SEC-33 RL-TX-15", "relay", "in again what came out",
             "teredo_xmit.c", "teredo_tx_relay", "teredo_tx_loops(t, skb)"),
    Mutation("SEC-34 RL-RX-07", "relay", "from client to client",
             "teredo_recv.c", "teredo_rcv_relay",
             "teredo_has_prefix(&ip6->daddr, cfg->prefix)"),
    Mutation("SEC-35", "relay", "sources that embed our address",
             "teredo_xmit.c", "teredo_tx_relay",
             "teredo_loops6324(t, sock_net(sk), &ip6->saddr)"),
    Mutation("SEC-36", "relay", "destinations that embed our address",
             "teredo_recv.c", "teredo_rcv_relay",
             "teredo_loops6324(t, sock_net(sk), &ip6->daddr)"),
    Mutation("SEC-35 SEC-36", "relay", "what a router leads to is on a link",
             "teredo_xmit.c", "teredo_on_link6",
             "rt->rt6i_flags & [[(RTF_GATEWAY | RTF_REJECT)]]", "RTF_REJECT"),
    Mutation("SEC-35 SEC-36", "relay", "what a tunnel leads to is on a link",
             "teredo_xmit.c", "teredo_on_link6",
             "rt->dst.dev->flags & IFF_NOARP"),
    Mutation("SEC-38", "server", "datagrams of the server itself",
             "teredo_server.c", "teredo_request_origin",
             "rq->from.port == htons(TEREDO_UDP_PORT)"),
    Mutation("SEC-40 CL-TX-04", "client", "packets of others are sent",
             "teredo_xmit.c", "teredo_tx_client", "teredo_tx_forwarded(skb)"),
    Mutation("SEC-50", "relay client", "port 0",
             "teredo_xmit.c", "teredo_tx_new_peer", "!mapped.port"),
    Mutation("SV-05 SEC-13", "server", "data through the server",
             "teredo_server.c", "teredo_request_parse",
             "rq->ip6.nexthdr != IPPROTO_ICMPV6"),
    Mutation("SV-34", "server", "the secondary address forwards",
             "teredo_server.c", "teredo_server_rcv", "!rq.to_primary"),

    Mutation("RL-TX-18", "relay", "too big, past the routes",
             "teredo_xmit.c", "teredo_xmit_rcu",
             "skb->len > dev->mtu && !skb_is_gso(skb)"),
    Mutation("RL-TX-11 HR-07", "relay host-relay",
             "no NAT without `local`",
             "teredo_bubble.c", "teredo_behind_nat", "if ([[!saddr]])"),
    Mutation("RL-TX-11 HR-07", "relay host-relay", "no NAT with 172.16/12",
             "teredo_proto.h", "teredo_ipv4_private",
             "(a & 0xfff00000) == 0xac100000"),
    Mutation("RL-TX-11 HR-07", "relay host-relay", "no NAT with 192.168/16",
             "teredo_proto.h", "teredo_ipv4_private",
             "(a & 0xffff0000) == 0xc0a80000"),
    Mutation("RL-TX-11 HR-07", "relay host-relay", "no NAT with 100.64/10",
             "teredo_proto.h", "teredo_ipv4_private",
             "(a & 0xffc00000) == 0x64400000"),
    Mutation("TUN-04", "client", "TTL: not the namespace's",
             "teredo_xmit.c", "teredo_ttl",
             "READ_ONCE(net->ipv4.sysctl_ip_default_ttl)", "64"),
    Mutation("TUN-04", "client", "TTL: not the route's",
             "teredo_xmit.c", "teredo_ttl",
             "dst_metric_raw(&rt->dst, RTAX_HOPLIMIT)", "0"),

    # limits, local discovery
    Mutation("SV-39 SEC-43", "server", "tests for native hosts without end",
             "teredo_server.c", "teredo_forward_native",
             "!teredo_server_admit(t, rq)"),
    Mutation("SEC-51 CL-B-03", "client", "bubbles without an end",
             "teredo_bubble.c", "teredo_bubble_event",
             "peer->bubbles == TEREDO_TRIES"),
    Mutation("SEC-58 CL-L-05", "client", "discovery by unicast",
             "teredo_local.c", "teredo_local_check",
             "ip_hdr(skb)->daddr != htonl(TEREDO_GROUP)"),
    Mutation("SEC-59 CL-L-07", "client", "discovery from off the link",
             "teredo_local.c", "teredo_local_check",
             "!teredo_on_link(skb, from.addr)"),
    Mutation("SEC-61", "client", "alternates of anybody",
             "teredo_bubble.c", "teredo_alternate_sendable",
             "teredo_same_nat(q, &peer->addr)", "true"),
    Mutation("SEC-61", "client", "alternates that are no host's address",
             "teredo_bubble.c", "teredo_alternate_sendable",
             "inet_addr_type(net, a->addr) == RTN_UNICAST", "true"),
    Mutation("SEC-61", "client", "alternates without a limit",
             "teredo_bubble.c", "teredo_alternate_sendable",
             "teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate)",
             "true"),
    Mutation("CL-B-02 C-14", "client", "bubbles without a pause",
             "teredo_search.c", "teredo_search_try",
             "since < TEREDO_SPACING"),
    Mutation("CL-L-10", "client", "answers without a pause",
             "teredo_bubble.c", "teredo_bubble_event",
             "teredo_since(now, READ_ONCE(peer->last_tx)) < "
             "TEREDO_SPACING"),
    Mutation("CL-L-06", "client", "discovery from any source",
             "teredo_local.c", "teredo_local_check",
             "!teredo_addr_valid(saddr, cfg->private_ok)"),
    Mutation("SEC-60 CL-L-08", "client", "discovery from other NATs",
             "teredo_local.c", "teredo_local_check", "cfg->local_strict"),
    Mutation("CL-L-12", "client", "a peer in use is moved",
             "teredo_local.c", "teredo_local_learn",
             "!teredo_peer_known(peer, path)", "true"),
    Mutation("X-HP-05", "client", "malformed alternates",
             "teredo_recv.c", "teredo_rcv_relayed",
             "tr->found & TEREDO_FOUND_BAD"),
    Mutation("SEC-63", "client", "our own address for everybody",
             "teredo_bubble.c", "teredo_bubble_indirect",
             "teredo_same_nat(q, &peer->addr)", "true"),
    Mutation("X-SN-10", "client", "data proves a peer",
             "teredo_recv.c", "teredo_rcv_elsewhere",
             "!teredo_is_bubble(ip6)"),
    Mutation("V-06", "client", "no time passes in sleep",
             "teredo.h", "teredo_now", "READ_ONCE(teredo_slept)", "0"),

    Mutation("SEC-39 G-15 SEC-49", "server", "to addresses of this host",
             "teredo_xmit.c", "teredo_route_refusal",
             "return [[self]] ?", "true"),
    Mutation("G-10 G-15", "client relay",
             "to what another link has of this host",
             "teredo_xmit.c", "teredo_route_refusal",
             "cfg->link"),
    Mutation("SEC-46 CL-B-09", "client", "tests that others cause, no limit",
             "teredo_search.c", "teredo_test_held",
             "teredo_bucket_take(t, &t->rx_test_bucket, "
             "DIV_ROUND_UP(cfg->bubble_rate, 10))", "true"),
    Mutation("SEC-53 C-34", "client", "what waits for a test, however long",
             "teredo_search.c", "teredo_queue_charge",
             "skb->len > TEREDO_QUEUE_BYTES"),
    Mutation("SEC-53 C-34", "client",
             "what waits for a test, whatever memory it takes",
             "teredo_search.c", "teredo_test_held",
             "skb->truesize > TEREDO_HELD_BYTES"),
    Mutation("SEC-31", "client", "control packets to the mapped address",
             "teredo_qual.c", "teredo_ctrl_allowed",
             "skb->len == sizeof(struct ipv6hdr)", "true"),
    Mutation("SEC-47 CL-B-05", "client", "replies without a pause",
             "teredo_bubble.c", "teredo_reply_token",
             "now - r->last >= TEREDO_SPACING", "true"),
    Mutation("SEC-69 TUN-05 TUN-09", "client", "ECN is copied",
             "teredo_xmit.c", "teredo_output", "cfg->ecn == TEREDO_ECN_COPY",
             "true"),

    # keys
    Mutation("SV-08 CL-S-06 CL-S-03 CL-S-05 SEC-55", "server",
             "any authentication value",
             "teredo_server.c", "teredo_rs_key",
             "crypto_memneq(mac, value, auth->au_len)"),
    Mutation("CL-S-03 A-09 SV-26 SV-31 COM-02 CL-S-02 SEC-27 SV-07 SV-28 "
             "CL-S-05 CL-S-07 CL-S-12 SV-29 SV-39", "server",
             "the answer has no nonce",
             "teredo_server.c", "teredo_put_auth",
             "id + asked->id_len + asked->au_len", "tail.nonce"),
    Mutation("CL-S-07 SV-30", "server", "a key that expires is confirmed",
             "teredo_key.c", "teredo_key_confirm", "READ_ONCE(key->confirm)",
             "0"),
]


def fail(text):
    sys.exit(f"mutate.py: {text}")


def pattern(old):
    """Finds an expression however it is broken into lines: what is in front
    of the part in question, that part, and what is behind it"""
    parts = re.split(r"\[\[|\]\]", old) if "[[" in old else ["", old, ""]
    return re.compile("".join(
        "(" + "".join(re.escape(token) + r"\s*"
                      for token in re.findall(r"\w+|[^\w\s]", part)) + ")"
        for part in parts))


def plant_one(number, mutation, text):
    """The text of the file with this mutation in it as well"""
    sys.path.insert(0, os.path.join(HERE, "lint"))
    from ids import definitions
    lines = text.splitlines(keepends=True)
    for start, end, name in definitions(text.splitlines()):
        if name == mutation.function + "()":
            break
    else:
        fail(f"stale: {mutation.ids}: there is no {mutation.function}() in "
             f"{mutation.file}")
    body = "".join(lines[start:end])
    body, n = pattern(mutation.old).subn(
        lambda old: f"{old[1]}(teredo_mutant == {number} ? {mutation.new} : "
                    f"({old[2]})){old[3]}", body)
    if n != 1:
        fail(f"stale: {mutation.ids}: {n} times in {mutation.function}(): "
             f"{mutation.old}")
    return "".join(lines[:start]) + body + "".join(lines[end:])


def plant():
    """Changes the sources in the current folder"""
    texts = {}
    for number, mutation in enumerate(MUTATIONS, 1):
        name = mutation.file
        if name not in texts:
            with open(name, encoding="utf-8") as file:
                texts[name] = file.read()
        texts[name] = plant_one(number, mutation, texts[name])
    with open("teredo_main.c", encoding="utf-8") as file:
        texts.setdefault("teredo_main.c", file.read())
    texts["teredo_main.c"] += (
        "\nunsigned int teredo_mutant;\n"
        "module_param_named(mutant, teredo_mutant, uint, 0644);\n")
    if "teredo_proto.h" not in texts:
        with open("teredo_proto.h", encoding="utf-8") as file:
            texts["teredo_proto.h"] = file.read()
    # the tools use it too
    texts["teredo_proto.h"] = texts["teredo_proto.h"].replace(
        "#define _TEREDO_PROTO_H\n",
        "#define _TEREDO_PROTO_H\n"
        "#ifdef __KERNEL__\nextern unsigned int teredo_mutant;\n"
        "#else\nenum { teredo_mutant };\n#endif\n")
    for name, text in texts.items():
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


class Verdicts:
    """What rows.run() reports to: remembers it"""

    def __init__(self):
        self.ok = []

    def result(self, ok, _name, why=""):
        self.ok.append(bool(ok))


def failing(rows, labs, chosen):
    """Those of the chosen rows that fail"""
    verdicts = Verdicts()
    rows.run(chosen, labs, verdicts)
    return [row for row, ok in zip(chosen, verdicts.ok) if not ok]


def tell(text):
    """The console shows it, should the kernel not survive what follows"""
    with open("/dev/kmsg", "w", encoding="utf-8") as file:
        file.write(f"<4>mutate: {text}\n")


def switch(number):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write(str(number))


def carries(row, mutation):
    return bool(set(row.ids) & set(mutation.ids.split())) and \
        row.mode in mutation.mode.split()


def choose(rows, mutation, number):
    """The rows that may fail, and others that must not: of the same mode,
    spread over the table, not the same ones each time"""
    wanted = [row for row in rows.ROWS if carries(row, mutation)]
    rest = [row for row in rows.ROWS if row not in wanted and
            row.mode in mutation.mode.split() and not row.clock]
    step = max(1, len(rest) // OTHERS)
    return wanted, rest[number % step::step]


def titles(rows):
    return ", ".join(f"{row.where} {' '.join(row.ids)}" for row in rows)


def judge(mutation, wanted, failed):
    """What is wrong with the result of a mutation, line by line"""
    for name in mutation.ids.split():
        if not any(name in row.ids for row in wanted):
            yield f"no row of {mutation.mode} carries {name}"
        elif not any(name in row.ids for row in failed):
            yield f"no row that carries {name} fails: " + \
                titles([row for row in wanted if name in row.ids])
    if beyond := [row for row in failed if row not in wanted]:
        yield "fails, too: " + titles(beyond)


def run(tap, only):
    """Each mutation, in the VM"""
    from conformance import rows
    from conformance.lab import Labs

    rows.load()
    began = time.monotonic()
    mutations = [(number, mutation, *choose(rows, mutation, number))
                 for number, mutation in enumerate(MUTATIONS, 1)
                 if not only or set(only) & set(mutation.ids.split())]
    sound = [row for row in rows.ROWS
             if any(row in wanted + others
                    for _, _, wanted, others in mutations)]
    labs = Labs()
    try:
        broken = failing(rows, labs, sound)
        tap.result(not broken, f"without a mutation: {len(sound)} rows pass",
                   titles(broken))
        for number, mutation, wanted, others in mutations:
            chosen = [row for row in wanted + others if row not in broken]
            wanted = [row for row in wanted if row not in broken]
            tell(f"{mutation.ids}: {mutation.what}")
            switch(number)
            failed = failing(rows, labs, chosen)
            switch(0)
            wrong = list(judge(mutation, wanted, failed))
            tap.result(not wrong,
                       f"{mutation.ids}: {mutation.what}: {len(failed)} of "
                       f"{len(chosen)} rows fail", "\n# ".join(wrong))
            if failed:
                print(f"# caught by {titles(failed)}", flush=True)
    finally:
        labs.close()
    print(f"# {time.monotonic() - began:.0f} s")


def main():
    if sys.argv[1:] == ["--plant"]:
        plant()
    elif sys.argv[1:2] == ["--run"]:
        import wire
        print("TAP version 13")
        tap = wire.Tap()
        run(tap, sys.argv[2:])
        return tap.finish()
    else:
        sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
