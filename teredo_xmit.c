// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: from an IPv6 packet to a UDP datagram
 *
 * The steps in their order: may this packet be sent from here, which peer is
 * it for, how is that reached, encapsulate. teredo_xmit() at the end strings
 * them together. A peer without a path continues in teredo_search.c.
 */
#include <linux/ipv6.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "teredo.h"

/* Tunnels in tunnels in a circle would have it grow without end */
#define TEREDO_MAX_HEADROOM	512

/* Drop and tell the sender (unless it is an error or multicast, TUN-15) */
static void teredo_tx_refuse(struct teredo_dev *t, struct sk_buff *skb,
			     unsigned int stat, u8 code)
{
	teredo_icmp6_unreach(t, skb, code);
	teredo_tx_drop(t, skb, stat);
}

/* Ours, or to be had without another tunnel or router */
static bool teredo_on_link6(struct net *net, const struct in6_addr *a)
{
	struct rt6_info *rt = rt6_lookup(net, a, NULL, 0, NULL, 0);
	bool on_link;

	if (!rt)
		return false;
	on_link = rt->rt6i_flags & RTF_LOCAL ||
		  !(rt->rt6i_flags & (RTF_GATEWAY | RTF_REJECT) ||
		    rt->dst.dev->flags & IFF_NOARP);
	ip6_rt_put(rt);
	return on_link;
}

/**
 * teredo_embeds_own - does an IPv6 address embed an IPv4 address of this host?
 * @t: the device
 * @net: the underlay
 * @a: a 6to4 or ISATAP address
 *
 * For teredo_loops6324(). Softirq, RCU.
 *
 * Return: true if it does, and is neither this host's own nor a neighbour's.
 */
bool teredo_embeds_own(const struct teredo_dev *t, struct net *net,
		       const struct in6_addr *a)
{
	__be32 v4 = a->s6_addr32[3];

	if (teredo_is_6to4(a))
		v4 = get_unaligned((__be32 *)&a->s6_addr16[1]);
	return inet_addr_type(net, v4) == RTN_LOCAL &&
	       !teredo_on_link6(dev_net(t->dev), a);
}

/* Did a Teredo device of this host receive the packet (SEC-33)? */
static bool teredo_tx_loops(const struct teredo_dev *t,
			    const struct sk_buff *skb)
{
	const struct net_device *in;

	if (!skb->skb_iif)
		return false;
	if (skb->skb_iif == t->dev->ifindex)
		return true;
	if (READ_ONCE(teredo_n_devices) == 1)
		return false;
	in = dev_get_by_index_rcu(dev_net(t->dev), skb->skb_iif);
	return in && teredo_dev_is(in);
}

/* Does this host but route the packet? IP6SKB_FORWARDED is for multicast. */
static bool teredo_tx_forwarded(const struct sk_buff *skb)
{
	return skb->skb_iif;
}

/* May a client send this packet (CL-TX-01 to CL-TX-04)? Else it is consumed. */
static bool teredo_tx_client(struct teredo_dev *t, const struct teredo_qual *q,
			     const struct teredo_config *cfg,
			     struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	int type;

	if (!teredo_addr6_plain(&ip6->daddr)) {
		type = ipv6_addr_type(&ip6->daddr);
		if (!(type & IPV6_ADDR_UNICAST) ||
		    type & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK |
			    IPV6_ADDR_MAPPED)) {
			teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_SCOPE);
			return false;
		}
	}
	if (!q) {					/* CL-Q-23 */
		teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_UNQUALIFIED,
				 ICMPV6_NOROUTE);
		return false;
	}
	if (!ipv6_addr_equal(&ip6->saddr, &q->addr)) {
		teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_SOURCE,
				 ICMPV6_ADM_PROHIBITED);
		return false;
	}
	if (teredo_tx_forwarded(skb)) {
		teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_FORWARDED,
				 ICMPV6_ADM_PROHIBITED);
		return false;
	}
	if (teredo_has_prefix(&ip6->daddr, cfg->prefix) &&
	    teredo_ep_equal(teredo_mapped(&ip6->daddr), q->mapped)) {
		if (ipv6_addr_equal(&ip6->daddr, &q->addr))
			teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_SELF);
		else
			teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_SELF,
					 ICMPV6_ADDR_UNREACH);
		return false;
	}
	return true;
}

/*
 * May a relay send this packet (RL-TX-01, RL-TX-15, RL-TX-16, HR-01, HR-03,
 * SEC-35)? Else it is consumed.
 */
static bool teredo_tx_relay(struct teredo_dev *t,
			    const struct teredo_config *cfg, struct sock *sk,
			    struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	int type;

	if (cfg->mode == TEREDO_MODE_SERVER ||
	    !teredo_has_prefix(&ip6->daddr, cfg->prefix)) {
		if (__ipv6_addr_needs_scope_id(ipv6_addr_type(&ip6->daddr)) ||
		    ipv6_addr_is_multicast(&ip6->daddr))
			teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_SCOPE);
		else
			teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_FOREIGN,
					 ICMPV6_NOROUTE);
		return false;
	}
	if (teredo_tx_loops(t, skb)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_LOOP);
		return false;
	}
	if (cfg->mode == TEREDO_MODE_HOST_RELAY && teredo_tx_forwarded(skb)) {
		teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_FORWARDED,
				 ICMPV6_ADM_PROHIBITED);
		return false;
	}
	if (!teredo_addr6_plain(&ip6->saddr)) {
		type = ipv6_addr_type(&ip6->saddr);
		if (type & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK) &&
		    cfg->mode == TEREDO_MODE_HOST_RELAY) {
			/* HR-06: what is chosen without a native address */
			teredo_tx_refuse(t, skb, TEREDO_A_STATS_TX_SOURCE,
					 ICMPV6_NOROUTE);
			return false;
		}
		if (!(type & IPV6_ADDR_UNICAST) ||
		    type & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK |
			    IPV6_ADDR_MAPPED))
			goto bad_source;
	}
	if (teredo_has_prefix(&ip6->saddr, cfg->prefix))
		goto bad_source;
	if (teredo_loops6324(t, sock_net(sk), &ip6->saddr)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_LOOP6324);
		return false;
	}
	return true;

bad_source:
	teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_SOURCE);
	return false;
}

/**
 * teredo_ipv4_sendable - may something be sent to an address taken from an
 *			  IPv6 address or an origin indication (SEC-32)?
 * @cfg: the device's configuration
 * @net: the underlay
 * @addr: the address
 *
 * Rows G-01 to G-15. Looks routes up: for the slow path only. RCU.
 *
 * Return: 0, or the counter of the refusal.
 */
unsigned int teredo_ipv4_sendable(const struct teredo_config *cfg,
				  struct net *net, __be32 addr)
{
	if (!teredo_ipv4_global(addr, cfg->private_ok))
		return TEREDO_A_STATS_TX_NOT_GLOBAL;
	switch (inet_addr_type(net, addr)) {
	case RTN_LOCAL:				/* G-15, SEC-39 */
		return TEREDO_A_STATS_TX_SELF;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
		return TEREDO_A_STATS_TX_NOT_GLOBAL;
	}
	return 0;
}

/*
 * Room for the headers of the tunnel and of what is below it. Who sends next
 * leaves as much from the start; a forwarded packet has what its card left, and
 * to ask for more than its route needs would copy each one.
 */
static u16 teredo_headroom(struct net_device *dev, const struct rtable *rt)
{
	unsigned int room = LL_RESERVED_SPACE(rt->dst.dev) +
			    rt->dst.header_len + TEREDO_HLEN;

	room = min_t(unsigned int, room, TEREDO_MAX_HEADROOM);
	if (room > READ_ONCE(dev->needed_headroom))
		WRITE_ONCE(dev->needed_headroom, room);
	return room;
}

/**
 * teredo_route - route to an endpoint
 * @t: the device
 * @cfg: its configuration
 * @sk: socket that the datagram leaves from
 * @to: endpoint
 * @saddr: in: wanted source address or 0; out: source address
 * @link: ifindex of the device that it leaves on, 0 = the configured one, if
 *	  there is one
 *
 * RCU, BH disabled.
 *
 * Return: a route with a reference, or an error pointer.
 */
struct rtable *teredo_route(const struct teredo_dev *t,
			    const struct teredo_config *cfg, struct sock *sk,
			    struct teredo_ep to, __be32 *saddr, int link)
{
	struct flowi4 fl4 = {
		.flowi4_oif = link ?: cfg->link,
		.flowi4_mark = cfg->fwmark,
		.flowi4_proto = IPPROTO_UDP,
		.daddr = to.addr,
		.saddr = *saddr,
		.fl4_sport = inet_sk(sk)->inet_sport,
		.fl4_dport = to.port,
	};
	struct rtable *rt;

	rt = ip_route_output_flow(sock_net(sk), &fl4, sk);
	if (IS_ERR(rt))
		return rt;
	if (rt->dst.dev == t->dev) {
		ip_rt_put(rt);
		return ERR_PTR(-ELOOP);
	}
	*saddr = fl4.saddr;
	return rt;
}

/* Outer source address: configured, or fixed at qualification (TUN-18) */
static __be32 teredo_saddr(const struct teredo_dev *t,
			   const struct teredo_config *cfg)
{
	const struct teredo_qual *q;

	if (cfg->local || cfg->mode != TEREDO_MODE_CLIENT)
		return cfg->local;
	q = rcu_dereference(t->qual);
	return q ? q->local : 0;
}

/*
 * Have the peer remember the route to an endpoint, which is given to it, and
 * the source address. False if it is removed, or its endpoint another by now.
 */
static bool teredo_peer_keep_route(struct teredo_peer *peer, struct rtable *rt,
				   __be32 saddr, struct teredo_ep to)
{
	struct dst_entry *old = &rt->dst;
	bool keep;

	spin_lock_bh(&peer->lock);
	keep = !peer->dead && teredo_ep_equal(teredo_dst_ep(peer), to);
	if (keep) {
		/* before the route is seen */
		WRITE_ONCE(peer->saddr, saddr);
		WRITE_ONCE(peer->room, teredo_headroom(peer->t->dev, rt));
		old = rcu_replace_pointer(peer->dst, &rt->dst,
					  lockdep_is_held(&peer->lock));
	}
	spin_unlock_bh(&peer->lock);
	dst_release(old);
	return keep;
}

/* Look the peer's route up. In line it would cost those that have one. */
static noinline struct rtable *
teredo_peer_reroute(struct teredo_peer *peer, const struct teredo_config *cfg,
		    struct sock *sk, union teredo_path path)
{
	__be32 saddr = teredo_saddr(peer->t, cfg);
	struct teredo_ep to = teredo_path_ep(path);
	struct rtable *rt;

	rt = teredo_route(peer->t, cfg, sk, to, &saddr, 0);
	if (!IS_ERR(rt) && !teredo_peer_keep_route(peer, rt, saddr, to))
		return ERR_PTR(-EAGAIN);
	return rt;
}

/* The peer's route, without a reference: valid as long as RCU is held */
static __always_inline struct rtable *
teredo_peer_route(struct teredo_peer *peer, const struct teredo_config *cfg,
		  struct sock *sk, union teredo_path path)
{
	struct dst_entry *dst = rcu_dereference(peer->dst);

	if (unlikely(!dst || !dst_check(dst, 0)))
		return teredo_peer_reroute(peer, cfg, sk, path);
	smp_rmb();	/* what belongs to it, see teredo_peer_keep_route() */
	return container_of(dst, struct rtable, dst);
}

/*
 * The counter of the refusal to send to @addr by this route (G-15, SEC-39), 0 =
 * none. @self: it may be this host. The route tells, unless it was looked up in
 * a way that may have passed by the table of local addresses.
 */
static unsigned int teredo_route_refusal(const struct teredo_config *cfg,
					 struct net *net,
					 const struct rtable *rt, __be32 addr,
					 bool self)
{
	unsigned int type = rt->rt_type;

	if (type == RTN_UNICAST &&
	    (cfg->link || fib4_has_custom_rules(net) || dst_xfrm(&rt->dst)))
		type = inet_addr_type(net, addr);
	if (type == RTN_LOCAL)
		return self ? 0 : TEREDO_A_STATS_TX_SELF;
	return type == RTN_BROADCAST ? TEREDO_A_STATS_TX_NOT_GLOBAL : 0;
}

/*
 * The destination has no peer entry yet: may it have one (CL-TX-14, CL-TX-23,
 * RL-TX-02, RL-TX-03, SEC-50)? Else the packet is consumed, silently. The route
 * that tells is kept for the packets that wait.
 */
static noinline struct teredo_peer *
teredo_tx_new_peer(struct teredo_dev *t, const struct teredo_config *cfg,
		   struct sock *sk, struct sk_buff *skb)
{
	const struct in6_addr *daddr = &ipv6_hdr(skb)->daddr;
	__be32 saddr = teredo_saddr(t, cfg);
	struct rtable *rt = NULL;
	struct teredo_peer *peer;
	struct teredo_ep mapped;
	unsigned int stat;

	if (teredo_has_prefix(daddr, cfg->prefix)) {
		mapped = teredo_mapped(daddr);
		stat = TEREDO_A_STATS_TX_BAD_PORT;
		if (!mapped.port)
			goto drop;
		stat = TEREDO_A_STATS_TX_NOT_GLOBAL;
		if (!teredo_ipv4_global(mapped.addr, cfg->private_ok))
			goto drop;
		stat = teredo_ipv4_sendable(cfg, sock_net(sk),
					    teredo_server(daddr));
		/* a client's or relay's host may be the peer's server */
		if (stat && stat != TEREDO_A_STATS_TX_SELF)
			goto drop;
		rt = teredo_route(t, cfg, sk, mapped, &saddr, 0);
		if (IS_ERR(rt))		/* there may be one when it is heard */
			rt = NULL;
		stat = rt ? teredo_route_refusal(cfg, sock_net(sk), rt,
						 mapped.addr, false) : 0;
		if (stat)
			goto put_route;
	}
	peer = teredo_peer_make(t, cfg, daddr, false);
	if (peer) {
		if (rt)
			teredo_peer_keep_route(peer, rt, saddr, mapped);
		return peer;
	}
	if (rt)
		ip_rt_put(rt);
	teredo_tx_refuse(t, skb, TEREDO_A_STATS_PEER_LIMIT,
			 ICMPV6_ADDR_UNREACH);
	return NULL;

put_route:
	ip_rt_put(rt);
drop:
	teredo_tx_drop(t, skb, stat);
	return NULL;
}

/* Is the packet, or a segment of it, larger than this? */
static bool teredo_exceeds(const struct sk_buff *skb, u32 mtu)
{
	return skb_is_gso(skb) ? !skb_gso_validate_network_len(skb, mtu) :
				 skb->len > mtu;
}

/* What fits into the path without being fragmented, if that may be so small */
static u32 teredo_path_mtu(const struct rtable *rt)
{
	return max_t(u32, TEREDO_MIN_MTU, dst_mtu(&rt->dst) - TEREDO_HLEN);
}

/*
 * Make the packet ready for another UDP header. One that was merged, or is to
 * be segmented, leaves all checksums to the device.
 *
 * With any other, an inner checksum that is left to the device would make the
 * outer one final (local checksum offload). A NAT on this machine would see the
 * pending mark and update the outer one as if it were pending too: it would be
 * wrong from there on. So the inner one is not left pending; then the outer one
 * is. What a network card received has none.
 */
static __always_inline int teredo_offloads(struct sk_buff *skb)
{
	int err = 0;

	if (skb_is_gso(skb)) {
		/* not IPPROTO_IPV6: that one is sit's segmentation (TUN-19) */
		skb_set_inner_protocol(skb, htons(ETH_P_IPV6));
		return udp_tunnel_handle_offloads(skb, true);
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		err = skb_checksum_help(skb);
	skb->encapsulation = 0;
	return err;
}

/*
 * The UDP checksum (E-10), left to the device. udp_set_csum() would ask again
 * what teredo_offloads() has seen to.
 */
static __always_inline void
teredo_set_csum(struct sk_buff *skb, int len, __be32 saddr, __be32 daddr)
{
	if (skb_is_gso(skb)) {
		udp_set_csum(false, skb, saddr, daddr, len);
		return;
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	udp_hdr(skb)->check = ~udp_v4_check(len, saddr, daddr, 0);
}

/*
 * TTL of a datagram: as configured, or that of the route (TUN-04). Not
 * ip4_dst_hoplimit(), which looks for the namespace that is known here.
 */
static u8 teredo_ttl(const struct rtable *rt, const struct net *net, u8 ttl)
{
	return ttl ?: dst_metric_raw(&rt->dst, RTAX_HOPLIMIT) ?:
	       READ_ONCE(net->ipv4.sysctl_ip_default_ttl);
}

/*
 * The identification (TUN-20): each peer counts for itself, like a connected
 * socket, and like two of these peers behind one address may use a number at
 * the same time. @peer NULL: packets of our own, which share the numbers of all
 * that are not connected.
 */
static void teredo_set_id(struct net *net, struct iphdr *iph,
			  struct teredo_peer *peer, int segs)
{
	if (likely(peer))
		iph->id = htons(atomic_fetch_add_relaxed(segs, &peer->id));
	else
		__ip_select_ident(net, iph, segs);
}

/*
 * Encapsulate and send. @skb->data is the UDP payload, its network header the
 * IPv6 packet in it; @rt stays the caller's; @room is what its headers take;
 * @df is 0 or IP_DF; @ttl 0 is the route's; @peer may be NULL. Consumes @skb.
 * RCU, BH disabled.
 * In line in all that call it, so that the packets of peers need no call.
 */
static __always_inline int
teredo_output(struct teredo_dev *t, const struct teredo_config *cfg,
	      struct sock *sk, struct sk_buff *skb, struct teredo_peer *peer,
	      struct rtable *rt, unsigned int room, __be32 saddr,
	      struct teredo_ep to, __be16 df, u8 ttl)
{
	struct net *net = sock_net(sk);
	unsigned int len = skb->len;
	struct udphdr *uh;
	struct iphdr *iph;
	u8 dsfield, tos;
	int err;

	/* tunnels in one another: each level takes much of the stack */
	if (unlikely(dev_recursion_level() > IP_TUNNEL_RECURSION_LIMIT)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_LOOP);
		return -ELOOP;
	}

	dsfield = ipv6_get_dsfield(ipv6_hdr(skb));	/* TUN-09 */
	tos = cfg->tos == TEREDO_TOS_INHERIT ? dsfield & ~INET_ECN_MASK :
					       cfg->tos;
	if (cfg->ecn == TEREDO_ECN_COPY)	/* TUN-05, TUN-06, SEC-69 */
		tos |= dsfield & INET_ECN_MASK;	/* CE too, unlike RFC 3168 */

	err = skb_cow_head(skb, room);
	if (unlikely(err))
		goto nomem;
	err = teredo_offloads(skb);
	if (unlikely(err))
		goto nomem;

	skb_scrub_packet(skb, !net_eq(net, dev_net(t->dev)));
	skb_clear_hash_if_not_l4(skb);
	skb->mark = cfg->fwmark;
	skb_dst_set_noref(skb, &rt->dst);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));

	__skb_push(skb, sizeof(*iph) + sizeof(*uh));
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*iph));
	uh = udp_hdr(skb);
	uh->source = inet_sk(sk)->inet_sport;
	uh->dest = to.port;
	uh->len = htons(sizeof(*uh) + len);
	teredo_set_csum(skb, sizeof(*uh) + len, saddr, to.addr);

	iph = ip_hdr(skb);
	*(__be16 *)iph = htons(4 << 12 | sizeof(*iph) / 4 << 8 | tos);
	iph->frag_off = df;			/* E-09, TUN-01 */
	iph->ttl = teredo_ttl(rt, net, ttl);
	iph->protocol = IPPROTO_UDP;
	iph->saddr = saddr;
	iph->daddr = to.addr;
	teredo_set_id(net, iph, peer, skb_shinfo(skb)->gso_segs ?: 1);

	dev_xmit_recursion_inc();
	err = ip_local_out(net, sk, skb);
	dev_xmit_recursion_dec();
	if (likely(!err) || !net_xmit_eval(err)) {
		dev_sw_netstats_tx_add(t->dev, 1, len);
		return 0;
	}
	DEV_STATS_INC(t->dev, tx_dropped);
	return err > 0 ? net_xmit_errno(err) : err;

nomem:
	teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_NO_MEMORY);
	return err;
}

/* Send a packet to the endpoint of a peer. Consumes @skb. RCU, BH disabled. */
static __always_inline void
teredo_peer_output(struct teredo_dev *t, const struct teredo_config *cfg,
		   struct sock *sk, struct sk_buff *skb,
		   struct teredo_peer *peer, union teredo_path path, u32 now)
{
	struct teredo_ep to = teredo_path_ep(path);
	struct rtable *rt;
	__be16 df = 0;

	rt = teredo_peer_route(peer, cfg, sk, path);
	if (IS_ERR(rt)) {
		if (rt == ERR_PTR(-EAGAIN))
			teredo_send(t, skb, to, true, 0);
		else
			teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_NO_ROUTE);
		return;
	}
	if (unlikely(cfg->pmtudisc) && teredo_exceeds(skb, TEREDO_MIN_MTU)) {
		if (teredo_exceeds(skb, teredo_path_mtu(rt))) {
			teredo_icmp6_too_big(t, skb, teredo_path_mtu(rt));
			teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_TOO_BIG);
			return;
		}
		df = htons(IP_DF);		/* TUN-03 */
	}
	if (READ_ONCE(peer->last_tx) != now) {	/* CL-P-05 */
		WRITE_ONCE(peer->last_tx, now);
		WRITE_ONCE(peer->ever_tx, true);
	}
	WRITE_ONCE(peer->tx_packets, READ_ONCE(peer->tx_packets) + 1);
	teredo_output(t, cfg, sk, skb, peer, rt, READ_ONCE(peer->room),
		      READ_ONCE(peer->saddr), to, df, cfg->ttl);
}

/**
 * teredo_peer_send - send a packet to the endpoint of a peer
 * @peer: a peer whose endpoint is known
 * @skb: IPv6 packet, its network header set; consumed
 *
 * RCU, BH disabled. No allocation, lock or timer once the route is known.
 */
void teredo_peer_send(struct teredo_peer *peer, struct sk_buff *skb)
{
	struct teredo_dev *t = peer->t;
	struct sock *sk = rcu_dereference(t->sk);

	if (likely(sk))
		teredo_peer_output(t, rcu_dereference(t->cfg), sk, skb, peer,
				   teredo_path(peer), teredo_now());
	else
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_DOWN);
}

/*
 * A packet of our own: from @sk, or if that is NULL from the service port; to
 * this host only with @self
 */
static int teredo_send_own(struct teredo_dev *t, struct sock *sk, __be32 saddr,
			   struct sk_buff *skb, struct teredo_ep to,
			   bool self, u8 ttl, int link)
{
	const struct teredo_config *cfg = rcu_dereference(t->cfg);
	unsigned int stat;
	struct rtable *rt;
	__be16 df = 0;
	int err;

	if (!sk) {
		sk = rcu_dereference(t->sk);
		saddr = teredo_saddr(t, cfg);
	}
	if (!sk) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_DOWN);
		return -ENETDOWN;
	}
	rt = teredo_route(t, cfg, sk, to, &saddr, link);
	if (IS_ERR(rt)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_NO_ROUTE);
		return PTR_ERR(rt);
	}
	stat = teredo_route_refusal(cfg, sock_net(sk), rt, to.addr, self);
	if (unlikely(stat)) {
		ip_rt_put(rt);
		teredo_tx_drop(t, skb, stat);
		return -EACCES;
	}
	if (cfg->pmtudisc && teredo_exceeds(skb, TEREDO_MIN_MTU))
		df = htons(IP_DF);		/* TUN-03 */
	err = teredo_output(t, cfg, sk, skb, NULL, rt,
			    teredo_headroom(t->dev, rt), saddr, to, df, ttl);
	ip_rt_put(rt);
	return err;
}

/**
 * teredo_send_from - send a packet of our own from a given socket
 * @t: the device
 * @sk: the socket
 * @saddr: outer source address, 0 = the one of the route
 * @skb: UDP payload, network header at the IPv6 packet in it; consumed
 * @to: where to; the caller has asked teredo_ipv4_global()
 * @self: it may be this host (SEC-32, SEC-39)
 *
 * RCU, BH disabled.
 *
 * Return: 0, or a negative errno: the packet did not leave.
 */
int teredo_send_from(struct teredo_dev *t, struct sock *sk, __be32 saddr,
		     struct sk_buff *skb, struct teredo_ep to, bool self)
{
	return teredo_send_own(t, sk, saddr, skb, to, self,
			       rcu_dereference(t->cfg)->ttl, 0);
}

/**
 * teredo_send - send a packet of our own from the service port
 * @t: the device
 * @skb: as for teredo_send_from()
 * @to: as for teredo_send_from()
 * @self: as for teredo_send_from()
 * @hops: IPv4 hops that it may go at most, 0 = the device's TTL
 *
 * RCU, BH disabled.
 *
 * Return: 0, or a negative errno: the packet did not leave.
 */
int teredo_send(struct teredo_dev *t, struct sk_buff *skb, struct teredo_ep to,
		bool self, u8 hops)
{
	return teredo_send_own(t, NULL, 0, skb, to, self,
			       min_not_zero(rcu_dereference(t->cfg)->ttl,
					    hops), 0);
}

/**
 * teredo_send_group - send a packet of our own to a multicast group
 * @t: a client
 * @skb: as for teredo_send_from()
 * @to: the group
 * @link: ifindex of the device that it leaves on
 *
 * From the service port with TTL 1 (C-06). It does not come back: tunnel
 * sockets do not loop multicast (CL-L-03). RCU, BH disabled.
 *
 * Return: 0, or a negative errno: the packet did not leave.
 */
int teredo_send_group(struct teredo_dev *t, struct sk_buff *skb,
		      struct teredo_ep to, int link)
{
	return teredo_send_own(t, NULL, 0, skb, to, false, 1, link);
}

/**
 * teredo_alloc_skb - buffer for a packet of our own
 * @t: the device
 * @len: octets of the UDP payload
 *
 * Room for all outer headers is left; the caller puts the payload and sets
 * the network header to the IPv6 packet in it. Any context.
 *
 * Return: an empty buffer, or NULL with the loss counted.
 */
struct sk_buff *teredo_alloc_skb(struct teredo_dev *t, unsigned int len)
{
	struct sk_buff *skb;

	skb = alloc_skb(LL_MAX_HEADER + TEREDO_HLEN + len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb) {
		teredo_tx_omit(t, TEREDO_A_STATS_TX_NO_MEMORY, NULL);
		return NULL;
	}
	skb_reserve(skb, LL_MAX_HEADER + TEREDO_HLEN);
	skb->dev = t->dev;
	skb->protocol = htons(ETH_P_IPV6);
	skb->priority = TC_PRIO_CONTROL;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	return skb;
}

/* A packet from the stack. Consumes @skb. RCU, BH disabled. */
static void teredo_xmit_rcu(struct teredo_dev *t, struct sk_buff *skb)
{
	struct net_device *dev = t->dev;
	const struct teredo_config *cfg;
	struct teredo_peer *peer;
	u32 now = teredo_now();
	union teredo_path path;
	struct sock *sk;

	cfg = rcu_dereference(t->cfg);
	sk = rcu_dereference(t->sk);
	if (unlikely(!sk)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_DOWN);
		return;
	}
	if (unlikely(skb->protocol != htons(ETH_P_IPV6) ||
		     !pskb_may_pull(skb, sizeof(struct ipv6hdr)) ||
		     ipv6_hdr(skb)->version != 6)) {
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_FOREIGN);
		return;
	}
	if (cfg->mode == TEREDO_MODE_CLIENT) {
		if (!teredo_tx_client(t, rcu_dereference(t->qual), cfg, skb))
			return;
	} else if (!teredo_tx_relay(t, cfg, sk, skb)) {
		return;
	}
	if (unlikely(skb->len > dev->mtu && !skb_is_gso(skb))) {
		/* RL-TX-18; the stack sees to it unless it was bypassed */
		teredo_icmp6_too_big(t, skb, dev->mtu);
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_TOO_BIG);
		return;
	}

	peer = teredo_peer_find(t, &ipv6_hdr(skb)->daddr);
	if (unlikely(!peer)) {
		peer = teredo_tx_new_peer(t, cfg, sk, skb);
		if (!peer)
			return;
	}
	path = teredo_path(peer);
	if (likely(path.state == TEREDO_PEER_TRUSTED &&
		   !(path.flags & TEREDO_PEER_SEARCH) &&
		   teredo_peer_fresh(peer, now)))
		/* CL-TX-05, RL-TX-04 */
		teredo_peer_output(t, cfg, sk, skb, peer, path, now);
	else					/* CL-TX-06, RL-TX-14 */
		teredo_search_xmit(peer, cfg, skb);
}

/**
 * teredo_xmit - ndo_start_xmit
 * @skb: packet from the stack; consumed
 * @dev: the device
 *
 * BH disabled.
 *
 * Return: NETDEV_TX_OK always: there is no queue.
 */
netdev_tx_t teredo_xmit(struct sk_buff *skb, struct net_device *dev)
{
	rcu_read_lock();
	teredo_xmit_rcu(netdev_priv(dev), skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}
