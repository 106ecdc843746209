// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: bubbles
 *
 * What they are made of, to whom one may go, and when (RFC 4380 section 5.2.6,
 * RFC 6081 sections 5.2 and 5.6); and the answers to those of others. What a
 * packet for a peer without a path sets going is in teredo_search.c.
 */
#include <linux/jhash.h>
#include <net/addrconf.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "teredo.h"

#define TEREDO_WINDOW		(300 * HZ)	/* C-15 */
#define TEREDO_NEAR_HOPS	4		/* past NATs of ours */
#define TEREDO_TRAILERS_LEN	16		/* nonce, one alternate */

/**
 * teredo_bubble_token - may an indirect bubble leave now (CL-B-07)?
 * @t: the device
 * @cfg: its configuration
 * @server: where it is to be sent to
 *
 * Any context but hard interrupts.
 */
bool teredo_bubble_token(struct teredo_dev *t, const struct teredo_config *cfg,
			 __be32 server)
{
	struct teredo_bucket *b;

	b = &t->server_buckets[jhash_1word((__force u32)server,
					   t->hash_seed) % TEREDO_HASH_SIZE];
	/* its own share first: one server must not use up all of it */
	return teredo_bucket_take(t, b, cfg->server_rate) &&
	       teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate);
}

/* A bubble (N-11) with room for the trailers behind it */
static struct sk_buff *teredo_bubble_make(struct teredo_dev *t,
					  const struct in6_addr *saddr,
					  const struct in6_addr *daddr,
					  u8 hop_limit)
{
	struct ipv6hdr *ip6;
	struct sk_buff *skb;

	skb = teredo_alloc_skb(t, sizeof(*ip6) + TEREDO_TRAILERS_LEN);
	if (!skb)
		return NULL;
	ip6 = skb_put_zero(skb, sizeof(*ip6));	/* E-11 */
	ip6->version = 6;
	ip6->nexthdr = IPPROTO_NONE;
	ip6->hop_limit = hop_limit;
	ip6->saddr = *saddr;
	ip6->daddr = *daddr;
	return skb;
}

/* A Nonce trailer (T-03), unless it is 0 */
static void teredo_bubble_put_nonce(struct sk_buff *skb, __be32 nonce)
{
	if (!nonce)
		return;
	skb_put_u8(skb, TEREDO_TRAILER_NONCE);
	skb_put_u8(skb, sizeof(nonce));
	skb_put_data(skb, &nonce, sizeof(nonce));
}

/* One of Alternate Addresses (T-04) */
static void teredo_bubble_put_alternate(struct sk_buff *skb,
					const struct teredo_alternate *a)
{
	skb_put_u8(skb, TEREDO_TRAILER_ALTERNATE);
	skb_put_u8(skb, 2 + sizeof(*a));
	skb_put_zero(skb, 2);
	skb_put_data(skb, a, sizeof(*a));
}

/* Send a direct bubble */
static void teredo_bubble_direct(struct teredo_dev *t,
				 const struct in6_addr *saddr,
				 const struct in6_addr *daddr,
				 struct teredo_ep to, __be32 nonce, u8 hops)
{
	struct sk_buff *skb;

	skb = teredo_bubble_make(t, saddr, daddr, TEREDO_HOPLIMIT);
	if (!skb)
		return;
	teredo_bubble_put_nonce(skb, nonce);
	if (!teredo_send(t, skb, to, false, hops))
		teredo_count(t, TEREDO_A_STATS_TX_BUBBLES_DIRECT);
}

/**
 * teredo_bubble_group - send a discovery bubble (N-14, CL-L-03, CL-B-07)
 * @t: a client with local discovery
 * @cfg: its configuration
 * @q: its qualification
 *
 * RCU, BH disabled.
 */
void teredo_bubble_group(struct teredo_dev *t,
			 const struct teredo_config *cfg,
			 const struct teredo_qual *q)
{
	struct teredo_ep to = {
		.addr = htonl(TEREDO_GROUP),
		.port = htons(TEREDO_UDP_PORT),
	};
	int link = READ_ONCE(t->group_link);
	struct sk_buff *skb;

	if (!link)
		return;
	if (!teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate)) {
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &in6addr_linklocal_allnodes);
		return;
	}
	skb = teredo_bubble_make(t, &q->addr, &in6addr_linklocal_allnodes, 1);
	if (skb)
		teredo_send_group(t, skb, to, link);
}

/*
 * A global address of this host, the one it would use towards @sender or, as
 * choosing among many takes long, another sender before. It is chosen again
 * when the host's addresses have changed.
 */
static bool teredo_own_saddr(struct teredo_dev *t,
			     const struct teredo_config *cfg,
			     const struct in6_addr *sender,
			     struct in6_addr *saddr)
{
	bool plain = teredo_addr6_plain(sender) && !teredo_is_6to4(sender);
	struct net *net = dev_net(t->dev);
	u32 genid = atomic_read(&net->ipv6.dev_addr_genid);
	bool found;

	spin_lock(&t->limit_lock);
	found = plain && t->own_known && t->own_genid == genid;
	if (found)
		*saddr = t->own_saddr;
	spin_unlock(&t->limit_lock);
	if (found)
		return true;
	if (ipv6_dev_get_saddr(net, NULL, sender, 0, saddr) ||
	    teredo_has_prefix(saddr, cfg->prefix))
		return false;
	if (plain) {
		spin_lock(&t->limit_lock);
		t->own_known = true;
		t->own_genid = genid;
		t->own_saddr = *saddr;
		spin_unlock(&t->limit_lock);
	}
	return true;
}

/*
 * IPv6 source of a relay's bubbles (N-13, HR-05): the host-relay's flow has
 * one; a router takes one of its own, link-local only if there is no other.
 */
static void teredo_relay_saddr(struct teredo_dev *t,
			       const struct teredo_config *cfg,
			       const struct in6_addr *sender,
			       struct in6_addr *saddr)
{
	if (cfg->mode == TEREDO_MODE_HOST_RELAY)
		*saddr = *sender;
	else if (!teredo_own_saddr(t, cfg, sender, saddr))
		teredo_client_linklocal(saddr, false);
}

/*
 * Is a direct bubble needed to open a NAT of our own (RL-TX-11, RL-TX-12,
 * HR-07)?
 */
static bool teredo_behind_nat(struct teredo_dev *t,
			      const struct teredo_config *cfg,
			      struct teredo_ep to)
{
	__be32 saddr = cfg->local;
	struct rtable *rt;
	struct sock *sk;

	if (cfg->mode == TEREDO_MODE_CLIENT)	/* CL-TX-21 */
		return true;
	if (cfg->nat != TEREDO_SWITCH_AUTO)
		return cfg->nat == TEREDO_SWITCH_ON;
	if (!saddr) {
		sk = rcu_dereference(t->sk);
		if (!sk)
			return false;
		rt = teredo_route(t, cfg, sk, to, &saddr, 0);
		if (IS_ERR(rt))
			return false;
		ip_rt_put(rt);
	}
	return teredo_ipv4_private(saddr);
}

/**
 * teredo_bubble_event - may a client send another pair of bubbles to the peer
 *			 (CL-B-02, CL-B-03, SEC-51)?
 * @peer: a Teredo peer, locked
 * @now: jiffies, low 32 bits
 *
 * It is one event, counted here (CL-B-04, AMB-03). What was accepted from the
 * peer since the window opened clears the count.
 */
bool teredo_bubble_event(struct teredo_peer *peer, u32 now)
{
	lockdep_assert_held(&peer->lock);
	if (teredo_since(now, READ_ONCE(peer->last_tx)) < TEREDO_SPACING)
		return false;
	if (now - peer->window >= TEREDO_WINDOW ||
	    (s32)(READ_ONCE(peer->last_rx) - peer->window) > 0)
		peer->bubbles = 0;
	if (peer->bubbles == TEREDO_TRIES)
		return false;
	if (!peer->bubbles++)
		peer->window = now;
	return true;
}

/**
 * teredo_bubble_count - a bubble, or a pair, leaves for the peer
 * @peer: the peer, locked
 * @now: jiffies, low 32 bits
 */
void teredo_bubble_count(struct teredo_peer *peer, u32 now)
{
	lockdep_assert_held(&peer->lock);
	WRITE_ONCE(peer->last_tx, now);		/* CL-B-04, CL-P-05 */
	WRITE_ONCE(peer->tx_packets, READ_ONCE(peer->tx_packets) + 1);
	WRITE_ONCE(peer->ever_tx, true);
}

/*
 * The indirect bubble, to the server that the peer's address names (CL-TX-16,
 * CL-B-06), if that may be sent to (CL-TX-14): an entry made by a received
 * packet has not asked. A client's carries a nonce (X-SN-03, X-HP-04), and its
 * local address if the peer may be on the same side of our NAT (X-HP-03). RCU,
 * BH disabled, no lock.
 */
static void teredo_bubble_indirect(struct teredo_peer *peer,
				   const struct teredo_config *cfg,
				   const struct teredo_qual *q,
				   const struct in6_addr *saddr)
{
	struct teredo_ep to = {
		.addr = teredo_server(&peer->addr),
		.port = htons(TEREDO_UDP_PORT),
	};
	const struct sock *sk = rcu_dereference(peer->t->sk);
	struct teredo_alternate own = {};
	struct teredo_dev *t = peer->t;
	struct sk_buff *skb;
	__be32 nonce = 0;

	if (!sk)
		return;
	if (!teredo_ipv4_global(to.addr, cfg->private_ok)) {
		teredo_tx_omit(t, TEREDO_A_STATS_TX_NOT_GLOBAL, &peer->addr);
		return;
	}
	if (q) {
		do
			nonce = (__force __be32)get_random_u32();
		while (!nonce);			/* C-20, X-SN-12 */
		spin_lock(&peer->lock);
		peer->nonce_sent = nonce;
		peer->nonce_at = (u32)teredo_now();
		spin_unlock(&peer->lock);
		if (teredo_same_nat(q, &peer->addr) &&
		    q->local != q->mapped.addr) {
			own.addr = q->local;
			own.port = inet_sk(sk)->inet_sport;
		}
	}
	skb = teredo_bubble_make(t, saddr, &peer->addr, TEREDO_HOPLIMIT);
	if (!skb)
		return;
	teredo_bubble_put_nonce(skb, nonce);
	if (own.port)
		teredo_bubble_put_alternate(skb, &own);
	/* a client's or relay's host may be the peer's server */
	if (!teredo_send(t, skb, to, true, 0))
		teredo_count(t, TEREDO_A_STATS_TX_BUBBLES_INDIRECT);
}

/**
 * teredo_bubble_pair - a pair of bubbles, the direct one first (CL-TX-15,
 *			RL-TX-06)
 * @peer: a Teredo peer
 * @cfg: the device's configuration
 * @sender: of the packet that started the search; relays
 * @half: the direct one has left already
 * @first: nothing of this search has left before
 *
 * The direct one has the nonce that the peer sent, if there is one (X-SN-04,
 * X-SN-05). If there is none the peer is not likely to have opened its NAT for
 * us yet, and some NATs that are reached before that take the bubble for their
 * own: then an entry in their table is in the way of the peer's answer. Ours
 * are open however far the bubble gets, so the first one does not get far.
 *
 * RCU, BH disabled, no lock.
 */
void teredo_bubble_pair(struct teredo_peer *peer,
			const struct teredo_config *cfg,
			const struct in6_addr *sender, bool half, bool first)
{
	const struct teredo_qual *q = rcu_dereference(peer->t->qual);
	struct teredo_ep direct = teredo_mapped(&peer->addr);
	__be32 nonce = READ_ONCE(peer->nonce_rcvd);
	struct teredo_dev *t = peer->t;
	struct in6_addr saddr;

	if (cfg->mode != TEREDO_MODE_CLIENT)
		teredo_relay_saddr(t, cfg, sender, &saddr);
	else if (q)				/* N-12 */
		saddr = q->addr;
	else
		return;
	if (!half && teredo_behind_nat(t, cfg, direct))
		teredo_bubble_direct(t, &saddr, &peer->addr, direct, nonce,
				     first && !nonce ? TEREDO_NEAR_HOPS : 0);
	teredo_bubble_indirect(peer, cfg, q, &saddr);
}

/**
 * teredo_bubble_bar - how long until the window of a client's bubbles is over
 *		       (CL-TX-19)?
 * @peer: a Teredo peer, locked, that has not answered
 *
 * Return: jiffies.
 */
u32 teredo_bubble_bar(const struct teredo_peer *peer)
{
	u32 open = (u32)teredo_now() - peer->window;

	lockdep_assert_held(&peer->lock);
	if (peer->bubbles == TEREDO_TRIES)
		return open < TEREDO_WINDOW ? TEREDO_WINDOW - open : 0;
	/* limits have kept some of them back */
	return TEREDO_WINDOW - TEREDO_TRIES * TEREDO_RETRY;
}

static struct teredo_reply *teredo_reply_slot(struct teredo_dev *t,
					      struct teredo_ep ep)
{
	return &t->replies[jhash_2words((__force u32)ep.addr,
					(__force u16)ep.port,
					t->hash_seed) % TEREDO_HASH_SIZE];
}

/* Spacing and cap of the replies to one origin (CL-B-05, SEC-47) */
static bool teredo_reply_token(struct teredo_dev *t, struct teredo_ep origin)
{
	struct teredo_reply *r = teredo_reply_slot(t, origin);
	u64 now = teredo_now();
	bool ok = true;

	spin_lock(&t->limit_lock);
	if (!teredo_ep_equal(r->ep, origin) || now - r->first > TEREDO_WINDOW)
		r->count = 0;
	if (r->count)
		ok = now - r->last >= TEREDO_SPACING &&
		     r->count < TEREDO_TRIES;
	else
		r->first = now;
	if (ok) {
		r->ep = origin;
		r->count++;
		r->last = now;
	}
	spin_unlock(&t->limit_lock);
	return ok;
}

/**
 * teredo_reply_heard - data came from an endpoint: the direct response that
 *			the cap on replies waits for (CL-B-05, AMB-04)
 * @t: the device
 * @from: the endpoint
 *
 * Softirq; called once a second and peer at most.
 */
void teredo_reply_heard(struct teredo_dev *t, struct teredo_ep from)
{
	struct teredo_reply *r = teredo_reply_slot(t, from);

	if (!READ_ONCE(r->count))
		return;
	spin_lock(&t->limit_lock);
	if (teredo_ep_equal(r->ep, from) && r->count) {
		/* the window starts anew, the spacing stays */
		r->count = 1;
		r->first = teredo_now();
	}
	spin_unlock(&t->limit_lock);
}

/**
 * teredo_nonce_proves - does the nonce prove that the peer has our last
 *			 indirect bubble (X-SN-07, SEC-62)?
 * @peer: a Teredo peer
 * @nonce: of a direct bubble
 *
 * It does so once, and for a short while: a stranger whose guesses are not
 * limited must not have the life of a peer for them. Softirq, RCU.
 */
bool teredo_nonce_proves(struct teredo_peer *peer, __be32 nonce)
{
	bool match;

	spin_lock(&peer->lock);
	match = nonce && peer->nonce_sent == nonce &&
		(u32)teredo_now() - peer->nonce_at < TEREDO_NONCE_LIFE;
	if (match)
		peer->nonce_sent = 0;
	spin_unlock(&peer->lock);
	return match;
}

/**
 * teredo_bubble_local - send a bubble to where a local peer was seen
 * @peer: the peer
 * @cfg: the device's configuration
 * @q: its qualification
 * @to: its local address and port: not to be global (CL-L-10)
 *
 * RCU, BH disabled, no lock.
 */
void teredo_bubble_local(struct teredo_peer *peer,
			 const struct teredo_config *cfg,
			 const struct teredo_qual *q, struct teredo_ep to)
{
	struct teredo_dev *t = peer->t;

	if (teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate))
		teredo_bubble_direct(t, &q->addr, &peer->addr, to, 0, 0);
	else
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
}

/**
 * teredo_local_reply - answer a discovery bubble (CL-L-10)
 * @peer: its source
 * @cfg: the device's configuration
 * @q: its qualification
 * @to: its outer source
 *
 * Softirq, RCU.
 */
void teredo_local_reply(struct teredo_peer *peer,
			const struct teredo_config *cfg,
			const struct teredo_qual *q, struct teredo_ep to)
{
	u32 now = teredo_now();
	bool ok;

	spin_lock(&peer->lock);
	ok = !peer->dead && teredo_bubble_event(peer, now);
	if (ok)
		teredo_bubble_count(peer, now);
	spin_unlock(&peer->lock);
	if (ok)
		teredo_bubble_local(peer, cfg, q, to);
	else
		teredo_tx_omit(peer->t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
}

/* May a bubble go to this address that a trailer names (SEC-61)? */
static bool teredo_alternate_sendable(struct teredo_dev *t,
				      const struct teredo_config *cfg,
				      const struct teredo_qual *q,
				      struct net *net,
				      const struct teredo_peer *peer,
				      const struct teredo_alternate *a)
{
	return teredo_same_nat(q, &peer->addr) &&
	       inet_addr_type(net, a->addr) == RTN_UNICAST &&
	       teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate);
}

/*
 * A bubble to each address that the peer says it has (X-HP-06); with the reply
 * they are one event (X-HP-09). The list is used at once and not kept
 * (X-HP-02): a new one comes with each bubble that calls for one. Returns how
 * many have left.
 */
static unsigned int teredo_alternates_send(struct teredo_peer *peer,
					   const struct teredo_config *cfg,
					   const struct teredo_qual *q,
					   const struct teredo_trailers *tr)
{
	const struct sock *sk = rcu_dereference(peer->t->sk);
	struct teredo_dev *t = peer->t;
	unsigned int i, n = 0;
	struct teredo_ep to;

	if (!(tr->found & TEREDO_FOUND_ALTERNATE) || !sk)
		return 0;
	for (i = 0; i < tr->n_alternates; i++) {
		to.addr = tr->alternates[i].addr;
		to.port = tr->alternates[i].port;
		if (!teredo_alternate_sendable(t, cfg, q, sock_net(sk), peer,
					       &tr->alternates[i])) {
			teredo_tx_omit(t, TEREDO_A_STATS_TX_ALT_LIMITED,
				       &peer->addr);
			continue;
		}
		teredo_bubble_direct(t, &q->addr, &peer->addr, to,
				     READ_ONCE(peer->nonce_rcvd), 0);
		n++;
	}
	return n;
}

static void teredo_answer_send(struct teredo_peer *peer,
			       const struct teredo_config *cfg,
			       const struct teredo_qual *q)
{
	struct teredo_dev *t = peer->t;

	if (teredo_bubble_token(t, cfg, teredo_server(&peer->addr)))
		teredo_bubble_indirect(peer, cfg, q, &q->addr);
	else
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
}

/**
 * teredo_answer_timeout - an indirect bubble is due (X-SN-09)
 * @peer: the peer, not searched for
 *
 * Unless it was heard directly meanwhile. RCU, BH disabled.
 */
void teredo_answer_timeout(struct teredo_peer *peer)
{
	const struct teredo_config *cfg = rcu_dereference(peer->t->cfg);
	const struct teredo_qual *q = rcu_dereference(peer->t->qual);

	if (q && !teredo_peer_known(peer, teredo_path(peer)))
		teredo_answer_send(peer, cfg, q);
}

/*
 * The peer has our direct bubble; it may not be able to take it, and needs an
 * indirect one, too (X-SN-09). Both are one event for CL-B-02 and CL-B-03. Most
 * peers are heard directly a moment later and do not need it, so it waits for
 * that moment; not so for one behind our NAT, where both ends need the other's
 * nonce (SEQ-11). A search has sent one of its own, or is about to.
 */
static void teredo_answer(struct teredo_peer *peer,
			  const struct teredo_config *cfg,
			  const struct teredo_qual *q, bool at_once)
{
	bool limited = false;
	u32 now = teredo_now();

	spin_lock(&peer->lock);
	if (peer->search || peer->dead || peer->answer) {
		at_once = false;
	} else if (!teredo_bubble_event(peer, now)) {
		at_once = false;
		limited = true;
	} else {
		teredo_bubble_count(peer, now);
		if (!at_once) {
			peer->answer = true;
			teredo_peer_schedule(peer, TEREDO_ANSWER);
		}
	}
	spin_unlock(&peer->lock);
	if (limited)
		teredo_tx_omit(peer->t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
	if (at_once)
		teredo_answer_send(peer, cfg, q);
}

/**
 * teredo_bubble_reply - answer a bubble that the own server relayed (CL-RX-05)
 * @t: the device
 * @cfg: its configuration
 * @q: its qualification
 * @to: source of the bubble: a client, a relay, perhaps link-local
 * @origin: where the bubble came from, according to the server
 * @tr: its trailers
 *
 * A client has an entry from here on (CL-B-01), with the nonce of its bubble
 * or none (X-SN-06); whoever is trusted is answered at the endpoint known
 * (X-HP-08). The caller has checked @origin (SEC-32, SEC-47). Softirq, RCU.
 */
void teredo_bubble_reply(struct teredo_dev *t, const struct teredo_config *cfg,
			 const struct teredo_qual *q,
			 const struct in6_addr *to, struct teredo_ep origin,
			 const struct teredo_trailers *tr)
{
	struct teredo_peer *peer = NULL;
	union teredo_path path = {};
	bool known = false;
	__be32 nonce = 0;

	if (teredo_has_prefix(to, cfg->prefix)) {
		peer = teredo_peer_find(t, to);
		if (!peer)
			peer = teredo_peer_make(t, cfg, to, true);
		if (!peer)
			teredo_tx_omit(t, TEREDO_A_STATS_PEER_LIMIT, to);
	}
	if (peer) {
		if (tr->found & TEREDO_FOUND_NONCE)
			nonce = tr->nonce;
		spin_lock(&peer->lock);
		WRITE_ONCE(peer->nonce_rcvd, nonce);
		path = peer->path;
		spin_unlock(&peer->lock);
		known = teredo_peer_known(peer, path);
		if (known)
			origin = teredo_path_ep(path);
	}
	if (!teredo_reply_token(t, origin) ||
	    !teredo_bucket_take(t, &t->bubble_bucket, cfg->bubble_rate)) {
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED, to);
		return;
	}
	teredo_bubble_direct(t, &q->addr, to, origin, nonce, 0);
	if (known && path.flags & TEREDO_PEER_SEARCH)
		teredo_search_open(peer);
	else if (peer && !known)
		teredo_answer(peer, cfg, q,
			      teredo_alternates_send(peer, cfg, q, tr));
}
