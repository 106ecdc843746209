// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: from a UDP datagram to an IPv6 packet
 *
 * The steps in their order: merge (GRO), find the headers, take the trailers
 * off, check source and destination, find the peer, deliver. A relay's and a
 * client's rules follow the rows RL-RX and CL-RX; a server's are in
 * teredo_server.c. Nothing is learned from a packet before all its checks
 * have passed (COM-03), but for that of ECN. teredo_encap_rcv() at the end
 * strings the steps together.
 */
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <net/addrconf.h>
#include <net/gro.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/udp.h>

#include "teredo.h"

/* How IPv6 merges: always there, as what does it is built in with IPv4 */
static const struct packet_offload *teredo_ip6_offload __ro_after_init;

/**
 * teredo_gro_init - what merging needs
 *
 * Return: 0, or -EAFNOSUPPORT if the kernel cannot merge IPv6.
 */
int __init teredo_gro_init(void)
{
	rcu_read_lock();
	teredo_ip6_offload = gro_find_receive_by_type(htons(ETH_P_IPV6));
	rcu_read_unlock();
	return teredo_ip6_offload ? 0 : -EAFNOSUPPORT;
}

/**
 * teredo_gro_receive - merge plain IPv6 packets in the socket (COM-07)
 * @sk: our socket
 * @head: packets held
 * @skb: datagram, pulled to its UDP payload
 *
 * Anything with a header in front or a trailer behind is passed singly. UDP
 * has compared the ports and IPv4 the addresses, TOS and TTL: one mapping.
 *
 * Return: the packet to be flushed, or NULL.
 */
struct sk_buff *teredo_gro_receive(struct sock *sk, struct list_head *head,
				   struct sk_buff *skb)
{
	const struct teredo_dev *t = rcu_dereference_sk_user_data(sk);
	unsigned int off = skb_gro_offset(skb);
	struct sk_buff *pp = NULL;
	const struct ipv6hdr *ip6;
	int outer;

	ip6 = skb_gro_header(skb, off + sizeof(*ip6), off);
	if (!ip6 || ip6->version != 6 || !t ||
	    sizeof(*ip6) + ntohs(ip6->payload_len) != skb_gro_len(skb) ||
	    !(READ_ONCE(t->dev->features) & NETIF_F_GRO))
		goto flush;
	/* before 6.9 UDP finds the socket again by the network header */
	outer = skb_network_offset(skb);
	pp = call_gro_receive(teredo_ip6_offload->callbacks.gro_receive, head,
			      skb);
	if (PTR_ERR(pp) != -EINPROGRESS)
		skb_set_network_header(skb, outer);
	return pp;

flush:
	NAPI_GRO_CB(skb)->flush = 1;
	return pp;
}

/**
 * teredo_gro_complete - finish what teredo_gro_receive() merged
 * @sk: our socket
 * @skb: the merged packet
 * @nhoff: offset of the inner IPv6 header
 *
 * Return: 0, or a negative errno.
 */
int teredo_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff)
{
	skb_set_inner_mac_header(skb, nhoff);
	/* and TCP its pseudo header; the core resets it afterwards */
	skb_set_network_header(skb, nhoff);
	return teredo_ip6_offload->callbacks.gro_complete(skb, nhoff);
}

/*
 * Find the headers (E-01 to E-05, COM-01, SV-04); what they say is readable
 * afterwards.
 */
static unsigned int teredo_rcv_parse(struct sk_buff *skb,
				     struct teredo_parsed *p)
{
	unsigned int hlen = sizeof(struct udphdr);
	unsigned int len = skb->len - hlen;
	const u8 *data;

	if (likely(pskb_may_pull(skb, hlen + sizeof(struct ipv6hdr)))) {
		data = skb->data + hlen;
		if (likely(data[0] >> 4 == 6)) {
			p->auth = -1;
			p->origin = -1;
			p->ip6 = 0;
			if (unlikely(len < 40 + (data[4] << 8) + data[5]))
				return TEREDO_A_STATS_RX_LENGTH;
			return 0;
		}
	}

	len = min_t(unsigned int, skb->len, hlen + TEREDO_MAX_HDRS);
	if (!pskb_may_pull(skb, len))
		return TEREDO_A_STATS_RX_NO_MEMORY;
	switch (teredo_parse_headers(p, skb->data + hlen, len - hlen,
				     skb->len - hlen)) {
	case TEREDO_PARSE_OK:
		return 0;
	case TEREDO_PARSE_VERSION:
		return TEREDO_A_STATS_RX_VERSION;
	case TEREDO_PARSE_LENGTH:
		return TEREDO_A_STATS_RX_LENGTH;
	case TEREDO_PARSE_HEADER:
		return TEREDO_A_STATS_RX_HEADER;
	case TEREDO_PARSE_SHORT:
		break;
	}
	return TEREDO_A_STATS_RX_SHORT;
}

static struct ipv6hdr *teredo_rcv_ip6(const struct sk_buff *skb,
				      unsigned int hlen)
{
	return (struct ipv6hdr *)(skb->data + hlen);
}

/*
 * Cut off what follows the IPv6 packet (COM-02, X-TR-01); a client asks for
 * the trailers in it (X-TR-02), nobody else does (X-TR-04). A merged packet has
 * nothing there, and its length may be more than its header can say.
 */
static unsigned int teredo_rcv_trim(struct sk_buff *skb, unsigned int hlen,
				    struct teredo_trailers *tr)
{
	unsigned int end, len;

	if (tr)
		tr->found = 0;
	if (skb_is_gso(skb))
		return 0;
	end = hlen + sizeof(struct ipv6hdr) +
	      ntohs(teredo_rcv_ip6(skb, hlen)->payload_len);
	if (likely(end == skb->len))
		return 0;
	if (tr) {
		len = min_t(unsigned int, skb->len - end, TEREDO_TRAILERS_SPAN);
		if (!pskb_may_pull(skb, end + len))
			return TEREDO_A_STATS_RX_NO_MEMORY;
		if (!teredo_parse_trailers(tr, skb->data + end, len))
			return TEREDO_A_STATS_RX_TRAILER;
	}
	if (pskb_trim_rcsum(skb, end))
		return TEREDO_A_STATS_RX_NO_MEMORY;
	return 0;
}

/* What is behind extension headers is looked at where it counts */
#define TEREDO_TYPE_BEHIND	(-2)
/* It is behind more of them than anybody needs: neighbour discovery, perhaps */
#define TEREDO_TYPE_UNSEEN	(-3)
#define TEREDO_EXT_HDRS_MAX	12

static bool teredo_is_ext_hdr(u8 nexthdr)
{
	return nexthdr == NEXTHDR_HOP || nexthdr == NEXTHDR_ROUTING ||
	       nexthdr == NEXTHDR_FRAGMENT || nexthdr == NEXTHDR_AUTH ||
	       nexthdr == NEXTHDR_DEST;
}

/* ICMPv6 type of the packet, or negative if it is something else */
static int teredo_rcv_icmp6_type(struct sk_buff *skb, unsigned int hlen)
{
	u8 nexthdr = teredo_rcv_ip6(skb, hlen)->nexthdr;

	if (nexthdr != IPPROTO_ICMPV6)
		return unlikely(teredo_is_ext_hdr(nexthdr)) ?
			TEREDO_TYPE_BEHIND : -1;
	if (!pskb_may_pull(skb, hlen + sizeof(struct ipv6hdr) +
				sizeof(struct icmp6hdr)))
		return -1;
	return skb->data[hlen + sizeof(struct ipv6hdr)];
}

/*
 * The same of a packet with extension headers. They may lie in thousands of
 * fragments, which are walked for each of them, and ipv6_skip_exthdr() of
 * older kernels has no limit.
 */
static noinline int teredo_rcv_icmp6_behind(const struct sk_buff *skb,
					    unsigned int hlen)
{
	unsigned int off = hlen + sizeof(struct ipv6hdr);
	u8 nexthdr = teredo_rcv_ip6(skb, hlen)->nexthdr;
	struct frag_hdr buf;			/* none is shorter */
	const struct frag_hdr *hdr;
	const u8 *type;
	unsigned int n;

	for (n = 0; teredo_is_ext_hdr(nexthdr); n++) {
		if (n == TEREDO_EXT_HDRS_MAX)
			return TEREDO_TYPE_UNSEEN;
		hdr = skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!hdr)
			return -1;
		if (nexthdr == NEXTHDR_FRAGMENT) {
			if (hdr->frag_off & htons(IP6_OFFSET))
				return -1;
			off += sizeof(*hdr);
		} else if (nexthdr == NEXTHDR_AUTH) {
			off += ipv6_authlen((const struct ipv6_opt_hdr *)hdr);
		} else {
			off += ipv6_optlen((const struct ipv6_opt_hdr *)hdr);
		}
		nexthdr = hdr->nexthdr;
	}
	if (nexthdr != IPPROTO_ICMPV6)
		return -1;
	type = skb_header_pointer(skb, off, sizeof(*type), &buf);
	return type ? *type : -1;
}

/* Neighbour discovery, which the stack must not see (COM-05, SEC-12)? */
static bool teredo_rcv_is_nd(const struct sk_buff *skb, unsigned int hlen,
			     int type)
{
	if (unlikely(type == TEREDO_TYPE_BEHIND))
		type = teredo_rcv_icmp6_behind(skb, hlen);
	return type == TEREDO_TYPE_UNSEEN ||
	       (type >= NDISC_ROUTER_SOLICITATION && type <= NDISC_REDIRECT);
}

/*
 * Addresses that no packet in the tunnel may carry (COM-06, SEC-08). A
 * link-local source is left to the caller.
 */
static bool teredo_rcv_martian(const struct ipv6hdr *ip6)
{
	int type;

	if (likely(teredo_addr6_plain(&ip6->saddr) &&
		   teredo_addr6_plain(&ip6->daddr)))
		return false;
	type = ipv6_addr_type(&ip6->saddr);
	if (!(type & IPV6_ADDR_UNICAST) ||
	    type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_MAPPED))
		return true;
	type = ipv6_addr_type(&ip6->daddr);
	return !(type & IPV6_ADDR_UNICAST) ||
	       type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_MAPPED);
}

/* A packet was accepted from the endpoint of this peer */
static void teredo_rcv_account(struct teredo_dev *t, struct teredo_peer *peer,
			       struct teredo_ep from)
{
	u32 now = teredo_now(), last = READ_ONCE(peer->last_rx);

	if (last != now) {			/* CL-P-05, RL-RX-08 */
		WRITE_ONCE(peer->last_rx, now);
		WRITE_ONCE(peer->ever_rx, true);
		if (now - last >= HZ && t->replies)
			teredo_reply_heard(t, from);	/* CL-B-05 */
	}
	WRITE_ONCE(peer->rx_packets, READ_ONCE(peer->rx_packets) + 1);
}

static bool teredo_path_is(union teredo_path path, struct teredo_ep from)
{
	return path.state == TEREDO_PEER_TRUSTED &&
	       teredo_ep_equal(teredo_path_ep(path), from);
}

static void teredo_rcv_bubble(struct teredo_dev *t, struct sk_buff *skb)
{
	teredo_count(t, TEREDO_A_STATS_RX_BUBBLES);
	consume_skb(skb);		/* COM-04 */
}

/*
 * An ECN field outside that a packet without ECN never gets (TUN-08). Logged
 * as well, at a limited rate, where dynamic debug is switched on.
 */
static void teredo_rcv_ecn(struct teredo_dev *t, const struct iphdr *iph)
{
	teredo_count(t, TEREDO_A_STATS_ECN_ODD);
	net_dbg_ratelimited("%s: non-ECT from %pI4 with TOS=%#x\n",
			    t->dev->name, &iph->saddr, iph->tos);
}

/**
 * teredo_decap - make an IPv6 packet of the tunnel device out of a datagram
 * @t: the device
 * @skb: datagram, its data at the UDP header, its network header the outer
 *	 one; consumed on failure
 * @hlen: octets in front of the IPv6 header
 *
 * Softirq, RCU.
 *
 * Return: true, or false if the packet was dropped.
 */
bool teredo_decap(struct teredo_dev *t, struct sk_buff *skb, unsigned int hlen)
{
	unsigned int outer = skb_network_header(skb) - skb->head;
	struct net_device *dev = t->dev;
	const struct iphdr *iph;
	struct teredo_ep from;
	unsigned int stat;
	int odd;

	stat = TEREDO_A_STATS_RX_NO_MEMORY;
	if (unlikely(iptunnel_pull_header(skb, hlen, htons(ETH_P_IPV6),
					  !net_eq(dev_net(skb->dev),
						  dev_net(dev)))))
		goto drop;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	/* of a merged packet tc asks for it before IPv6 sets it */
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb_set_transport_header(skb, skb_checksum_start_offset(skb));
	stat = TEREDO_A_STATS_RX_ECN;			/* TUN-07 */
	iph = (const struct iphdr *)(skb->head + outer);
	odd = IP_ECN_decapsulate(iph, skb);
	if (unlikely(odd)) {
		teredo_rcv_ecn(t, iph);
		if (odd > 1)			/* a mark that would be lost */
			goto drop;
	}
	skb->dev = dev;
	return true;

drop:
	iph = (const struct iphdr *)(skb->head + outer);
	from.addr = iph->saddr;
	from.port = udp_hdr(skb)->source;
	teredo_drop_inner(t, skb, stat, from);
	return false;
}

/*
 * This CPU is in teredo_netif_receive(). With PREEMPT_RT other tasks on it may
 * see it set, and take the queue, or cleared, and go one level deeper.
 */
static DEFINE_PER_CPU(bool, teredo_receiving);

/**
 * teredo_netif_receive - hand a packet to the IPv6 stack (CL-RX-23)
 * @t: the device
 * @skb: what teredo_decap() made; consumed
 *
 * At once, not by way of the backlog: see "The way of a packet" in
 * Documentation/networking/teredo.rst. But not out of another packet: how deep
 * packets are in packets (there are ways to take IPv4 out of IPv6 without a
 * queue) is for a sender to say, and the stack has an end. BH disabled, no lock
 * held.
 */
void teredo_netif_receive(struct teredo_dev *t, struct sk_buff *skb)
{
	dev_sw_netstats_rx_add(t->dev, skb->len);
	/* the core counts what it drops */
	if (unlikely(this_cpu_read(teredo_receiving))) {
		netif_rx(skb);
		return;
	}
	this_cpu_write(teredo_receiving, true);
	netif_receive_skb(skb);
	this_cpu_write(teredo_receiving, false);
}

/* Both in one; as teredo_decap(), but @skb is consumed in any case */
void teredo_deliver(struct teredo_dev *t, struct sk_buff *skb,
		    unsigned int hlen)
{
	if (likely(teredo_decap(t, skb, hlen)))
		teredo_netif_receive(t, skb);
}

/* Does the relay forward to this destination (RL-RX-06)? */
static bool teredo_serves(const struct teredo_config *cfg,
			  const struct in6_addr *daddr)
{
	int i;

	if (!cfg->n_serve)
		return teredo_addr6_global(daddr);
	for (i = 0; i < cfg->n_serve; i++)
		if (ipv6_prefix_equal(daddr, &cfg->serve[i].addr,
				      cfg->serve[i].len))
			return true;
	return false;
}

/* A Teredo source that proved its mapping, but has no entry (CL-RX-10) */
static struct teredo_peer *teredo_rcv_new_peer(struct teredo_dev *t,
					       const struct teredo_config *cfg,
					       struct net *net,
					       const struct in6_addr *saddr,
					       unsigned int *stat)
{
	struct teredo_peer *peer;

	if (!teredo_addr_valid(saddr, cfg->private_ok) ||
	    inet_addr_type(net, teredo_mapped(saddr).addr) != RTN_UNICAST) {
		*stat = TEREDO_A_STATS_RX_NOT_GLOBAL;	/* SEC-17 */
		return NULL;
	}
	peer = teredo_peer_make(t, cfg, saddr, true);
	if (!peer)
		*stat = TEREDO_A_STATS_PEER_LIMIT;
	return peer;
}

/* Relay and host-relay, RL-RX and HR. Consumes @skb. */
static void teredo_rcv_relay(struct teredo_dev *t,
			     const struct teredo_config *cfg, struct sock *sk,
			     struct sk_buff *skb, const struct teredo_parsed *p)
{
	unsigned int hlen = sizeof(struct udphdr);
	const struct ipv6hdr *ip6;
	struct teredo_peer *peer;
	union teredo_path path;
	struct teredo_ep from;
	unsigned int stat;
	int type;

	stat = TEREDO_A_STATS_RX_HEADER;		/* RL-RX-01, E-08 */
	if (unlikely(p->ip6))
		goto drop;
	stat = teredo_rcv_trim(skb, hlen, NULL);
	if (unlikely(stat))
		goto drop;

	ip6 = teredo_rcv_ip6(skb, hlen);
	from.addr = ip_hdr(skb)->saddr;
	from.port = udp_hdr(skb)->source;
	if (unlikely(!teredo_has_prefix(&ip6->saddr, cfg->prefix))) {
		stat = ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL ?
			TEREDO_A_STATS_RX_LINKLOCAL :
			TEREDO_A_STATS_RX_BAD_MAPPING;
		goto drop;
	}
	stat = TEREDO_A_STATS_RX_BAD_MAPPING;	/* RL-RX-02, SEC-15, SEC-16 */
	if (unlikely(!teredo_ep_equal(teredo_mapped(&ip6->saddr), from)))
		goto drop;

	/* what is wrong with the destination must not keep a path open */
	if (!teredo_is_bubble(ip6)) {
		stat = TEREDO_A_STATS_RX_MARTIAN6;
		if (unlikely(teredo_rcv_martian(ip6)))
			goto drop;
		stat = TEREDO_A_STATS_RX_LOOP;	/* RL-RX-07, SEC-34 */
		if (unlikely(teredo_has_prefix(&ip6->daddr, cfg->prefix)))
			goto drop;
		stat = TEREDO_A_STATS_RX_NOT_SERVED;
		if (unlikely(!teredo_serves(cfg, &ip6->daddr)))
			goto drop;
		if (cfg->mode == TEREDO_MODE_HOST_RELAY &&
		    !ipv6_chk_addr(dev_net(t->dev), &ip6->daddr, NULL, 0))
			goto drop;			/* HR-04 */
		stat = TEREDO_A_STATS_RX_LOOP6324;	/* SEC-36 */
		if (unlikely(teredo_loops6324(t, sock_net(sk), &ip6->daddr)))
			goto drop;
		stat = TEREDO_A_STATS_RX_ND;
		type = teredo_rcv_icmp6_type(skb, hlen);
		if (unlikely(teredo_rcv_is_nd(skb, hlen, type)))
			goto drop;
		ip6 = teredo_rcv_ip6(skb, hlen);
	}

	peer = teredo_peer_find(t, &ip6->saddr);
	if (unlikely(!peer)) {
		stat = TEREDO_A_STATS_RX_UNKNOWN;	/* RL-RX-03 */
		if (!cfg->accept_unknown)
			goto drop;
		peer = teredo_rcv_new_peer(t, cfg, sock_net(sk), &ip6->saddr,
					   &stat);
		if (!peer)
			goto drop;
	}
	path = teredo_path(peer);
	teredo_rcv_account(t, peer, from);
	if (unlikely(!teredo_path_is(path, from) ||
		     path.flags & TEREDO_PEER_SEARCH))
		teredo_peer_heard(peer, from);		/* RL-RX-04 */
	if (unlikely(teredo_is_bubble(ip6)))
		teredo_rcv_bubble(t, skb);		/* RL-RX-05 */
	else
		teredo_deliver(t, skb, hlen);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/*
 * A packet with an origin indication, or a bubble, from the own server
 * (CL-RX-05, CL-RX-07). Consumes @skb.
 */
static void teredo_rcv_relayed(struct teredo_dev *t,
			       const struct teredo_config *cfg,
			       const struct teredo_qual *q, struct net *net,
			       struct sk_buff *skb,
			       const struct teredo_parsed *p,
			       const struct teredo_trailers *tr)
{
	unsigned int hlen = sizeof(struct udphdr) + p->ip6;
	const struct ipv6hdr *ip6 = teredo_rcv_ip6(skb, hlen);
	const struct teredo_origin_hdr *oh;
	struct teredo_ep origin = {};
	unsigned int stat;
	int type;

	if (p->origin >= 0) {
		oh = (void *)(skb->data + sizeof(struct udphdr) + p->origin);
		origin.addr = ~oh->addr;
		origin.port = ~oh->port;
	}
	stat = TEREDO_A_STATS_RX_BAD_MAPPING;
	if (teredo_has_prefix(&ip6->saddr, cfg->prefix)) {
		if (p->origin < 0)
			origin = teredo_mapped(&ip6->saddr);
		else if (!teredo_ep_equal(teredo_mapped(&ip6->saddr), origin))
			goto drop;
	}
	stat = TEREDO_A_STATS_RX_ORIGIN;
	if (!origin.port)
		goto drop;

	if (teredo_is_bubble(ip6)) {
		stat = TEREDO_A_STATS_RX_ALT_INVALID;	/* X-HP-05 */
		if (tr->found & TEREDO_FOUND_BAD)
			goto drop;
		stat = teredo_ipv4_sendable(cfg, net, origin.addr);
		if (stat)
			goto drop;
		teredo_bubble_reply(t, cfg, q, &ip6->saddr, origin, tr);
		teredo_rcv_bubble(t, skb);
		return;
	}
	stat = TEREDO_A_STATS_RX_LINKLOCAL;
	if (ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL)
		goto drop;
	stat = TEREDO_A_STATS_RX_TYPE;
	type = teredo_rcv_icmp6_type(skb, hlen);
	if (type < 0)
		goto drop;
	stat = TEREDO_A_STATS_RX_ND;
	if (teredo_rcv_is_nd(skb, hlen, type))
		goto drop;
	teredo_deliver(t, skb, hlen);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/*
 * A native source without a trusted path from there (CL-RX-09, CL-RX-16 to
 * CL-RX-19, SEC-18, SEC-21); the own server may be the relay (CL-RX-21,
 * CL-TX-22). Consumes @skb.
 */
static void teredo_rcv_unproven(struct teredo_dev *t,
				const struct teredo_config *cfg,
				const struct teredo_qual *q,
				struct teredo_peer *peer, struct sk_buff *skb,
				unsigned int hlen, struct teredo_ep from)
{
	int type = teredo_rcv_icmp6_type(skb, hlen);
	int any = type;

	if (unlikely(type == TEREDO_TYPE_BEHIND))
		any = teredo_rcv_icmp6_behind(skb, hlen);
	if (type == ICMPV6_ECHO_REPLY && peer &&
	    teredo_test_reply(peer, skb, hlen, from)) {
		consume_skb(skb);
		return;
	}
	if (any >= 0 && !(any & ICMPV6_INFOMSG_MASK)) {
		/* whoever sends errors must not make us send (SEC-46) */
		if (type == any && teredo_test_error(q, peer, skb, hlen))
			teredo_deliver(t, skb, hlen);
		else
			teredo_drop(t, skb, TEREDO_A_STATS_RX_UNTRUSTED);
		return;
	}
	if (teredo_decap(t, skb, hlen))
		teredo_test_held(t, cfg, peer, skb, from);
}

/*
 * A Teredo source that is not where its address says. It may be known there
 * by local discovery (CL-RX-13, CL-L-11), or its bubble proves itself by the
 * nonce (CL-RX-14, X-SN-07). Data proves nothing (X-SN-10).
 *
 * Returns 0, or the counter of the refusal (CL-RX-15, SEC-16, SEC-62).
 */
static unsigned int teredo_rcv_elsewhere(const struct teredo_config *cfg,
					 const struct teredo_qual *q,
					 struct net *net,
					 struct teredo_peer *peer,
					 const struct ipv6hdr *ip6,
					 const struct teredo_trailers *tr,
					 struct teredo_ep from)
{
	if (peer && teredo_local_is_at(peer, from))
		return 0;
	if (!teredo_is_bubble(ip6) || !(tr->found & TEREDO_FOUND_NONCE))
		return TEREDO_A_STATS_RX_BAD_MAPPING;
	/* into our network only from behind the same NAT (SEC-17, X-HP-07) */
	if (!teredo_ipv4_global(from.addr, cfg->private_ok) &&
	    !teredo_same_nat(q, &ip6->saddr))
		return TEREDO_A_STATS_RX_NOT_GLOBAL;
	if (!from.port || !peer)
		return TEREDO_A_STATS_RX_BAD_NONCE;
	/* it will be sent to, so not one that only a forger has (G-10) */
	if (inet_addr_type(net, from.addr) != RTN_UNICAST)
		return TEREDO_A_STATS_RX_NOT_GLOBAL;
	if (!teredo_nonce_proves(peer, tr->nonce))
		return TEREDO_A_STATS_RX_BAD_NONCE;
	return 0;
}

static bool teredo_is_discovery(const struct ipv6hdr *ip6)
{
	return teredo_is_bubble(ip6) &&
	       ipv6_addr_equal(&ip6->daddr, &in6addr_linklocal_allnodes);
}

/* A packet of the own server's primary address (CL-RX-04) */
static void teredo_rcv_server_seen(struct teredo_dev *t)
{
	WRITE_ONCE(t->server_rx, teredo_now());
}

/* Client, CL-RX. Consumes @skb. */
static void teredo_rcv_client(struct teredo_dev *t,
			      const struct teredo_config *cfg, struct sock *sk,
			      struct sk_buff *skb,
			      const struct teredo_parsed *p)
{
	const struct teredo_qual *q = rcu_dereference(t->qual);
	unsigned int hlen = sizeof(struct udphdr) + p->ip6;
	struct teredo_trailers tr;
	__be32 primary, secondary;
	bool from_primary;
	const struct ipv6hdr *ip6;
	struct teredo_peer *peer;
	union teredo_path path;
	struct teredo_ep from;
	unsigned int stat;
	bool from_server;
	int type;

	from.addr = ip_hdr(skb)->saddr;
	from.port = udp_hdr(skb)->source;
	teredo_servers(t, q, &primary, &secondary);
	from_primary = from.port == htons(TEREDO_UDP_PORT) &&
		       from.addr == primary;
	from_server = from_primary ||
		      (from.port == htons(TEREDO_UDP_PORT) &&
		       from.addr == secondary);

	type = teredo_rcv_icmp6_type(skb, hlen);
	if (unlikely(type == NDISC_ROUTER_ADVERTISEMENT)) {	/* CL-RX-01 */
		if (from_server) {
			if (from_primary)
				teredo_rcv_server_seen(t);
			teredo_ctrl_recv(t, skb);
			return;
		}
		stat = TEREDO_A_STATS_RX_RA_SOURCE;
		goto drop;
	}
	stat = TEREDO_A_STATS_RX_DOWN;			/* COM-08 */
	if (unlikely(!q))
		goto drop;
	stat = TEREDO_A_STATS_RX_HEADER;		/* E-07 */
	if (unlikely(p->auth >= 0))
		goto drop;
	stat = TEREDO_A_STATS_RX_ORIGIN;		/* SEC-06 */
	if (unlikely(p->origin >= 0 && !from_server))
		goto drop;
	stat = teredo_rcv_trim(skb, hlen, &tr);
	if (unlikely(stat))
		goto drop;

	ip6 = teredo_rcv_ip6(skb, hlen);
	stat = TEREDO_A_STATS_RX_MARTIAN6;
	if (unlikely(teredo_rcv_martian(ip6))) {
		if (!teredo_is_discovery(ip6))
			goto drop;
		teredo_local_rcv(t, cfg, q, skb, hlen);	/* CL-RX-12 */
		return;
	}
	stat = TEREDO_A_STATS_RX_NOT_MINE;	/* CL-RX-02, SEC-09, SEC-40 */
	if (unlikely(!ipv6_addr_equal(&ip6->daddr, &q->addr)))
		goto drop;
	stat = TEREDO_A_STATS_RX_SELF;		/* CL-RX-03, SEC-10 */
	if (unlikely(teredo_has_prefix(&ip6->saddr, cfg->prefix) &&
		     teredo_ep_equal(teredo_mapped(&ip6->saddr), q->mapped)))
		goto drop;
	if (unlikely(from_primary))
		teredo_rcv_server_seen(t);
	if (unlikely(p->origin >= 0 ||
		     (from_primary && teredo_is_bubble(ip6)))) {
		teredo_rcv_relayed(t, cfg, q, sock_net(sk), skb, p, &tr);
		return;
	}
	if (unlikely(!teredo_addr6_plain(&ip6->saddr))) {
		stat = TEREDO_A_STATS_RX_LINKLOCAL;	/* CL-RX-22, SEC-11 */
		if (ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL)
			goto drop;
	}
	stat = TEREDO_A_STATS_RX_ND;		/* COM-05, SEC-12 */
	if (unlikely(teredo_rcv_is_nd(skb, hlen, type)))
		goto drop;

	peer = teredo_peer_find(t, &ip6->saddr);
	if (likely(peer)) {
		path = teredo_path(peer);
		if (likely(teredo_path_is(path, from))) {
			/* CL-RX-09: the test of a peer that was silent */
			if (unlikely(path.flags & TEREDO_PEER_SEARCH) &&
			    type == ICMPV6_ECHO_REPLY &&
			    teredo_test_reply(peer, skb, hlen, from)) {
				consume_skb(skb);
				return;
			}
			ip6 = teredo_rcv_ip6(skb, hlen);
			goto accept;		/* CL-RX-08, SEC-15 */
		}
	}
	if (!teredo_has_prefix(&ip6->saddr, cfg->prefix)) {
		stat = TEREDO_A_STATS_RX_UNTRUSTED;
		if (teredo_is_bubble(ip6))
			goto drop;
		teredo_rcv_unproven(t, cfg, q, peer, skb, hlen, from);
		return;
	}
	if (!teredo_ep_equal(teredo_mapped(&ip6->saddr), from)) {
		stat = teredo_rcv_elsewhere(cfg, q, sock_net(sk), peer, ip6,
					    &tr, from);
		if (stat)
			goto drop;
	} else if (!peer) {				/* CL-RX-10 */
		peer = teredo_rcv_new_peer(t, cfg, sock_net(sk), &ip6->saddr,
					   &stat);
		if (!peer)
			goto drop;
	}
	path = teredo_path(peer);

accept:
	teredo_rcv_account(t, peer, from);
	if (unlikely(!teredo_path_is(path, from) ||
		     path.flags & TEREDO_PEER_SEARCH))
		teredo_peer_heard(peer, from);
	if (unlikely(teredo_is_bubble(ip6)))
		teredo_rcv_bubble(t, skb);
	else
		teredo_deliver(t, skb, hlen);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/* Whom a datagram is for, and where its parts are; NULL if it was consumed */
static struct teredo_dev *teredo_rcv_begin(struct sock *sk,
					   struct sk_buff *skb,
					   struct teredo_parsed *p)
{
	struct teredo_dev *t = rcu_dereference_sk_user_data(sk);
	unsigned int stat;

	/* UDP may have cut it out of a larger one, with others behind it */
	skb_mark_not_on_list(skb);
	if (unlikely(!t)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NO_SOCKET);
		return NULL;
	}
	if (unlikely(!netif_running(t->dev))) {
		teredo_drop(t, skb, TEREDO_A_STATS_RX_DOWN);
		return NULL;
	}
	stat = teredo_rcv_parse(skb, p);
	if (unlikely(stat)) {
		teredo_drop(t, skb, stat);
		return NULL;
	}
	return t;
}

/**
 * teredo_group_rcv - a datagram for the discovery group (CL-L-01)
 * @sk: the socket that has joined it
 * @skb: the datagram, its data at the UDP header; checksum verified; consumed
 *
 * Nothing but a discovery bubble is taken here. Softirq, RCU.
 *
 * Return: 0
 */
int teredo_group_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct teredo_parsed p;
	struct teredo_dev *t;

	t = teredo_rcv_begin(sk, skb, &p);
	if (!t)
		return 0;
	if (teredo_is_discovery(teredo_rcv_ip6(skb, sizeof(struct udphdr) +
						    p.ip6)))
		teredo_rcv_client(t, rcu_dereference(t->cfg), sk, skb, &p);
	else
		teredo_drop(t, skb, TEREDO_A_STATS_RX_NOT_MINE);
	return 0;
}

/**
 * teredo_encap_rcv - a datagram for one of our sockets
 * @sk: the socket
 * @skb: the datagram, its data at the UDP header; checksum verified; consumed
 *
 * Softirq, RCU.
 *
 * Return: 0
 */
int teredo_encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	const struct teredo_config *cfg;
	struct teredo_parsed p;
	struct teredo_dev *t;

	t = teredo_rcv_begin(sk, skb, &p);
	if (unlikely(!t))
		return 0;
	cfg = rcu_dereference(t->cfg);
	if (cfg->mode == TEREDO_MODE_CLIENT)
		teredo_rcv_client(t, cfg, sk, skb, &p);
	else if (cfg->mode == TEREDO_MODE_SERVER)
		teredo_server_rcv(t, sk, skb, &p);
	else
		teredo_rcv_relay(t, cfg, sk, skb, &p);
	return 0;
}
