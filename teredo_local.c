// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: local discovery (RFC 4380 section 5.2.8)
 *
 * Clients on one link tell each other their local address and port, by bubbles
 * to a multicast group, and can meet there without their NAT.
 *
 * Each device has a socket of its own for the group, bound to the group's
 * address and to the device that leads to the server. Bound so it takes no
 * unicast (CL-L-05), leaves port 3544 of the host's own addresses to a server,
 * and several of them get each datagram: with one shared by the clients of a
 * link they would have to be told apart again here. Packets for the group
 * leave from the service port, as all others.
 *
 * The socket is there while the client is qualified and discovery is on, but
 * for a qualification that expires: then it stays, and nothing is taken from
 * it, until the helper or the device itself says more.
 */
#include <linux/igmp.h>
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/udp_tunnel.h>

#include "teredo.h"

#define TEREDO_LOCAL_FIRST	(3 * HZ)	/* CL-L-02 */
#define TEREDO_LOCAL_MIN	(200 * HZ)	/* C-22 */
#define TEREDO_LOCAL_SPREAD	(100 * HZ)

static int teredo_group_membership(struct sock *sk, int link, bool join)
{
	struct ip_mreqn mreq = {
		.imr_multiaddr.s_addr = htonl(TEREDO_GROUP),
		.imr_ifindex = link,
	};
	int err;

	ASSERT_RTNL();
	lock_sock(sk);
	err = join ? ip_mc_join_group(sk, &mreq) :
		     ip_mc_leave_group(sk, &mreq);
	release_sock(sk);
	return err;
}

static struct sock *teredo_group_open(struct teredo_dev *t, int link)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(TEREDO_GROUP),
		.sin_port = htons(TEREDO_UDP_PORT),
	};
	struct udp_tunnel_sock_cfg tunnel_cfg = {
		.sk_user_data = t,
		.encap_type = 1,
		.encap_rcv = teredo_group_rcv,
	};
	struct socket *sock;
	int err;

	err = sock_create_kern(t->net, AF_INET, SOCK_DGRAM, IPPROTO_UDP,
			       &sock);
	if (err)
		return ERR_PTR(err);
	sock->sk->sk_reuse = SK_CAN_REUSE;
	err = sock_bindtoindex(sock->sk, link, true);
	if (!err)
		err = kernel_bind(sock, (struct sockaddr_unsized *)&addr,
				  sizeof(addr));
	if (err) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	setup_udp_tunnel_sock(t->net, sock->sk, &tunnel_cfg);
	return sock->sk;
}

/* Leave the group; the socket could not do so itself under RTNL. */
static void teredo_local_close(struct teredo_dev *t)
{
	struct sock *sk = t->group_sk;

	if (!sk)
		return;
	teredo_group_membership(sk, t->group_link, false);
	t->group_sk = NULL;
	WRITE_ONCE(t->group_link, 0);
	if (sk != rtnl_dereference(t->sk))
		udp_tunnel_sock_release(sk);
}

/*
 * Join the group. If the port is taken by somebody who does not share it there
 * is no discovery; the next refresh of the qualification tries again.
 */
static void teredo_local_open(struct teredo_dev *t, int link)
{
	struct sock *sk = rtnl_dereference(t->sk);

	/* a service port of 3544 hears the group itself */
	if (inet_sk(sk)->inet_sport != htons(TEREDO_UDP_PORT) ||
	    inet_sk(sk)->inet_rcv_saddr)
		sk = teredo_group_open(t, link);
	if (IS_ERR(sk)) {
		net_dbg_ratelimited("%s: no local discovery, error %ld\n",
				    t->dev->name, PTR_ERR(sk));
		return;
	}
	if (teredo_group_membership(sk, link, true)) {
		if (sk != rtnl_dereference(t->sk))
			udp_tunnel_sock_release(sk);
		return;
	}
	t->group_sk = sk;
	WRITE_ONCE(t->group_link, link);
}

/* The device on which discovery is wanted, 0 if it is not (CL-L-04) */
static int teredo_local_wanted(struct teredo_dev *t)
{
	const struct teredo_config *cfg = rtnl_dereference(t->cfg);
	const struct teredo_qual *q;
	int link = 0;

	if (!rtnl_dereference(t->sk) || cfg->mode != TEREDO_MODE_CLIENT ||
	    cfg->discovery == TEREDO_SWITCH_OFF)
		return 0;
	rcu_read_lock();
	q = rcu_dereference(t->qual);
	if (q && (cfg->discovery == TEREDO_SWITCH_ON ||
		  teredo_ipv4_private(q->local)))
		link = q->link;
	rcu_read_unlock();
	return link;
}

/**
 * teredo_local_update - the qualification or the configuration has changed
 * @t: the device
 * @anew: the address is another one: the neighbours are to learn it soon
 *
 * RTNL, may sleep.
 */
void teredo_local_update(struct teredo_dev *t, bool anew)
{
	int link = teredo_local_wanted(t);

	if (link != t->group_link) {
		teredo_local_close(t);
		if (link)
			teredo_local_open(t, link);
		anew = true;
	}
	if (!t->group_link)
		cancel_delayed_work(&t->group_work);
	else if (anew)
		mod_delayed_work(teredo_wq, &t->group_work,
				 reciprocal_scale(get_random_u32(),
						  TEREDO_LOCAL_FIRST));
}

/**
 * teredo_local_down - no discovery any more
 * @t: the device, which goes down or has lost the link
 *
 * The caller waits for RCU before the device is freed. RTNL, may sleep.
 */
void teredo_local_down(struct teredo_dev *t)
{
	teredo_local_close(t);
	cancel_delayed_work_sync(&t->group_work);
}

/* Tell the neighbours (CL-L-02) */
static void teredo_group_work(struct work_struct *work)
{
	struct teredo_dev *t = container_of(to_delayed_work(work),
					    struct teredo_dev, group_work);
	const struct teredo_qual *q;
	bool again;

	rcu_read_lock();
	local_bh_disable();
	q = rcu_dereference(t->qual);
	again = q && READ_ONCE(t->group_link);
	if (again)
		teredo_bubble_group(t, rcu_dereference(t->cfg), q);
	local_bh_enable();
	rcu_read_unlock();
	if (again)
		queue_delayed_work(teredo_wq, &t->group_work,
				   TEREDO_LOCAL_MIN +
				   reciprocal_scale(get_random_u32(),
						    TEREDO_LOCAL_SPREAD));
}

void teredo_local_init(struct teredo_dev *t)
{
	INIT_DELAYED_WORK(&t->group_work, teredo_group_work);
}

/**
 * teredo_peer_is_local - is this a neighbour (CL-TX-11)?
 * @peer: the peer
 *
 * Only as long as discovery is on. Any context; peer->lock may be held.
 */
bool teredo_peer_is_local(const struct teredo_peer *peer)
{
	return READ_ONCE(peer->local.port) &&
	       (u32)teredo_now() - READ_ONCE(peer->local_seen) < TEREDO_LOCAL &&
	       READ_ONCE(peer->t->group_link);
}

/**
 * teredo_local_is_at - is this where a neighbour was seen (CL-RX-13)?
 * @peer: the peer
 * @from: outer source
 *
 * Softirq, RCU.
 */
bool teredo_local_is_at(struct teredo_peer *peer, struct teredo_ep from)
{
	bool match;

	spin_lock(&peer->lock);
	match = teredo_peer_is_local(peer) &&
		teredo_ep_equal(peer->local, from);
	spin_unlock(&peer->lock);
	return match;
}

/* Is this an address of the link that the packet came in on (CL-L-07)? */
static bool teredo_on_link(const struct sk_buff *skb, __be32 addr)
{
	const struct in_device *in_dev = __in_dev_get_rcu(skb->dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return false;
	in_dev_for_each_ifa_rcu(ifa, in_dev) {
		if (inet_ifa_match(addr, ifa))
			return inet_addr_type(dev_net(skb->dev), addr) ==
			       RTN_UNICAST;
	}
	return false;
}

/*
 * The peer was seen at @from (CL-L-09). Trust and endpoint stay as they are; a
 * peer that is in use somewhere else keeps its place, whoever says that it is
 * here (CL-L-12). Returns false then.
 */
static bool teredo_local_learn(struct teredo_peer *peer, struct teredo_ep from)
{
	union teredo_path path;
	bool ok;

	spin_lock(&peer->lock);
	path = peer->path;
	ok = !peer->dead && (!teredo_peer_known(peer, path) ||
			     teredo_ep_equal(teredo_path_ep(path), from));
	if (ok) {
		WRITE_ONCE(peer->local_seen, (u32)teredo_now());
		peer->local.addr = from.addr;
		WRITE_ONCE(peer->local.port, from.port);
	}
	spin_unlock(&peer->lock);
	return ok;
}

/* An entry for a neighbour that is new (CL-L-09) */
static struct teredo_peer *teredo_local_new(struct teredo_dev *t,
					    const struct teredo_config *cfg,
					    const struct in6_addr *addr)
{
	struct teredo_peer *peer = teredo_peer_make(t, cfg, addr, true);

	if (peer) {
		WRITE_ONCE(peer->last_rx, (u32)teredo_now());
		WRITE_ONCE(peer->ever_rx, true);
	}
	return peer;
}

/* Why a discovery bubble is not taken: 0 or a counter */
static unsigned int teredo_local_check(const struct teredo_dev *t,
				       const struct teredo_config *cfg,
				       const struct teredo_qual *q,
				       const struct sk_buff *skb,
				       const struct in6_addr *saddr,
				       struct teredo_ep from)
{
	if (ip_hdr(skb)->daddr != htonl(TEREDO_GROUP))
		return TEREDO_A_STATS_RX_DISC_UNICAST;	/* CL-L-05, SEC-58 */
	/*
	 * A service port of 3544 also hears what others of this host have
	 * joined, and where, discovery on or off (CL-L-04)
	 */
	if (skb->dev->ifindex != READ_ONCE(t->group_link))
		return TEREDO_A_STATS_RX_DISC_SOURCE;
	if (!teredo_has_prefix(saddr, cfg->prefix) ||
	    !teredo_addr_valid(saddr, cfg->private_ok) ||	/* CL-L-06 */
	    !from.port || !teredo_on_link(skb, from.addr))	/* CL-L-07 */
		return TEREDO_A_STATS_RX_DISC_SOURCE;		/* SEC-59 */
	if (teredo_ep_equal(teredo_mapped(saddr), q->mapped))
		return TEREDO_A_STATS_RX_SELF;			/* CL-L-13 */
	if (cfg->local_strict && teredo_mapped(saddr).addr != q->mapped.addr)
		return TEREDO_A_STATS_RX_DISC_MAPPED;	/* CL-L-08, SEC-60 */
	return 0;
}

/**
 * teredo_local_rcv - a discovery bubble (CL-RX-12)
 * @t: the device
 * @cfg: its configuration
 * @q: its qualification
 * @skb: the datagram, its data at the UDP header; consumed
 * @hlen: octets in front of the IPv6 header
 *
 * Softirq, RCU.
 */
void teredo_local_rcv(struct teredo_dev *t, const struct teredo_config *cfg,
		      const struct teredo_qual *q, struct sk_buff *skb,
		      unsigned int hlen)
{
	const struct ipv6hdr *ip6 = (void *)(skb->data + hlen);
	struct teredo_ep from = {
		.addr = ip_hdr(skb)->saddr,
		.port = udp_hdr(skb)->source,
	};
	struct teredo_peer *peer;
	unsigned int stat;

	stat = teredo_local_check(t, cfg, q, skb, &ip6->saddr, from);
	if (stat)
		goto drop;
	stat = TEREDO_A_STATS_PEER_LIMIT;
	peer = teredo_peer_find(t, &ip6->saddr);
	if (!peer)
		peer = teredo_local_new(t, cfg, &ip6->saddr);
	if (!peer)
		goto drop;

	teredo_count(t, TEREDO_A_STATS_RX_BUBBLES);
	consume_skb(skb);
	if (!teredo_local_learn(peer, from))
		return;
	teredo_local_reply(peer, cfg, q, from);
	teredo_peer_notify(peer);
	return;

drop:
	teredo_drop(t, skb, stat);
}
