// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: reaching a peer
 *
 * A packet for a peer without a usable path starts a search: bubbles to a
 * Teredo peer (RFC 4380 section 5.2.6), a connectivity test of a native one
 * (section 5.2.9). Packets wait in the search's queue meanwhile. It ends when
 * the peer is heard (the queue leaves in order), or after the last try (each
 * sender gets an error).
 *
 * A search belongs to peer->lock; nobody keeps a pointer to it without.
 */
#include <linux/icmpv6.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "teredo.h"

#define TEREDO_RETRY_RELAY	(30 * HZ)	/* RL-TX-13 */
#define TEREDO_RETRY_TEST	(2 * HZ)	/* CL-TX-10 */
#define TEREDO_RELEASE_ROUNDS	8
#define TEREDO_HELD_BYTES	(2 * TEREDO_QUEUE_BYTES)	/* of memory */

/* A connectivity test: ICMPv6 echo with a nonce for data (N-15) */
struct teredo_test {
	struct icmp6hdr	icmp6;
	u64		nonce;
} __packed;

static void teredo_test_send(struct teredo_dev *t, const struct teredo_qual *q,
			     const struct in6_addr *daddr, __be16 id, u16 seq,
			     u64 nonce)
{
	struct teredo_ep to = {
		.addr = q->server,		/* SEC-19 */
		.port = htons(TEREDO_UDP_PORT),
	};
	struct teredo_test *test;
	struct ipv6hdr *ip6;
	struct sk_buff *skb;

	skb = teredo_alloc_skb(t, sizeof(*ip6) + sizeof(*test));
	if (!skb)
		return;
	ip6 = skb_put_zero(skb, sizeof(*ip6));
	ip6->version = 6;
	ip6->payload_len = htons(sizeof(*test));
	ip6->nexthdr = IPPROTO_ICMPV6;
	ip6->hop_limit = TEREDO_HOPLIMIT;
	ip6->saddr = q->addr;
	ip6->daddr = *daddr;
	test = skb_put_zero(skb, sizeof(*test));
	test->icmp6.icmp6_type = ICMPV6_ECHO_REQUEST;
	test->icmp6.icmp6_identifier = id;
	test->icmp6.icmp6_sequence = htons(seq);
	test->nonce = nonce;
	test->icmp6.icmp6_cksum =
		csum_ipv6_magic(&ip6->saddr, &ip6->daddr, sizeof(*test),
				IPPROTO_ICMPV6,
				csum_partial(test, sizeof(*test), 0));
	if (!teredo_send(t, skb, to, true, 0))
		teredo_count(t, TEREDO_A_STATS_TX_TESTS);
}

static void teredo_search_fail(struct teredo_peer *peer,
			       const struct teredo_config *cfg, int code);

/* The next try of a native peer's test. Called with peer->lock, drops it. */
static void teredo_test_try(struct teredo_peer *peer,
			    const struct teredo_config *cfg)
	__releases(&peer->lock)
{
	const struct teredo_qual *q = rcu_dereference(peer->t->qual);
	struct teredo_search *s = peer->search;
	struct teredo_dev *t = peer->t;
	u32 nth = ++s->tries;
	u64 nonce = s->nonce;
	__be16 id = s->id;

	teredo_peer_schedule(peer, TEREDO_RETRY);
	spin_unlock(&peer->lock);
	/* CL-B-09 */
	if (!teredo_bucket_take(t, &t->test_bucket, cfg->bubble_rate))
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
	else if (q)
		teredo_test_send(t, q, &peer->addr, id, nth, nonce);
}

/*
 * The next try of a local peer (CL-TX-11): a bubble to where it was seen, and
 * one to all, since it may not know us. Called with peer->lock, drops it.
 */
static void teredo_local_try(struct teredo_peer *peer,
			     const struct teredo_config *cfg, u32 now)
	__releases(&peer->lock)
{
	const struct teredo_qual *q = rcu_dereference(peer->t->qual);
	struct teredo_ep to = peer->local;
	struct teredo_dev *t = peer->t;

	peer->search->tries++;
	peer->search->local = true;
	teredo_bubble_count(peer, now);
	teredo_peer_schedule(peer, TEREDO_RETRY);
	spin_unlock(&peer->lock);
	if (!q)
		return;
	teredo_bubble_local(peer, cfg, q, to);
	teredo_bubble_group(t, cfg, q);
}

/* The next try of a search, and its deadline. RCU, BH disabled, no lock. */
static void teredo_search_try(struct teredo_peer *peer,
			      const struct teredo_config *cfg)
{
	bool client = cfg->mode == TEREDO_MODE_CLIENT;
	struct teredo_dev *t = peer->t;
	struct teredo_search *s;
	struct in6_addr sender;
	u32 now = teredo_now();
	u32 since;
	bool half, first;

	spin_lock(&peer->lock);
	s = peer->search;
	if (!s)
		goto unlock;
	if (peer->path.flags & TEREDO_PEER_NATIVE) {
		teredo_test_try(peer, cfg);
		return;
	}

	/* an answer that is due is the other half of a pair, counted then */
	half = peer->answer;
	peer->answer = false;
	since = teredo_since(now, READ_ONCE(peer->last_tx));
	if (!half && since < TEREDO_SPACING) {	/* CL-B-02 */
		teredo_peer_schedule(peer, TEREDO_SPACING - since);
		goto unlock;
	}
	if (!half && !s->was_local && teredo_peer_is_local(peer)) {
		teredo_local_try(peer, cfg, now);
		return;
	}
	if (!half && client && !teredo_bubble_event(peer, now)) {
		spin_unlock(&peer->lock);	/* CL-B-03, CL-TX-19 */
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
		teredo_search_fail(peer, cfg, ICMPV6_ADDR_UNREACH);
		return;
	}
	first = !s->tries++;
	sender = s->sender;
	teredo_peer_schedule(peer, TEREDO_RETRY);
	if (!teredo_bubble_token(t, cfg, teredo_server(&peer->addr))) {
		teredo_tx_omit(t, TEREDO_A_STATS_TX_BUBBLE_LIMITED,
			       &peer->addr);
		if (client && !half)
			peer->bubbles--;
		goto unlock;
	}
	if (!half)
		teredo_bubble_count(peer, now);
	spin_unlock(&peer->lock);
	teredo_bubble_pair(peer, cfg, &sender, half, first);
	return;

unlock:
	spin_unlock(&peer->lock);
}

/* The peer's search, made if there is none. Holds peer->lock. */
static struct teredo_search *teredo_search_get(struct teredo_peer *peer,
					       bool *started)
{
	struct teredo_search *s = peer->search;
	union teredo_path path = peer->path;

	*started = false;
	if (s || peer->dead)
		return s;
	s = kzalloc_obj(*s, GFP_ATOMIC | __GFP_NOWARN);
	if (!s)
		return NULL;
	__skb_queue_head_init(&s->queue);
	if (path.flags & TEREDO_PEER_NATIVE) {	/* CL-B-08, -10, -11 */
		s->nonce = get_random_u64();
		s->id = (__force __be16)get_random_u16();
	}
	peer->search = s;
	path.flags |= TEREDO_PEER_SEARCH;
	if (path.state == TEREDO_PEER_FAILED)
		path.state = TEREDO_PEER_NEW;
	WRITE_ONCE(peer->path.word, path.word);
	*started = true;
	return s;
}

/* What waits for peers, in either direction, is bounded for all of a device
 * (C-34, SEC-53).
 */
static bool teredo_queue_charge(struct teredo_dev *t, const struct sk_buff *skb)
{
	if (skb->len > TEREDO_QUEUE_BYTES)
		return false;
	if (atomic_add_return(skb->truesize, &t->queued) <= TEREDO_QUEUE_DEVICE)
		return true;
	atomic_sub(skb->truesize, &t->queued);
	return false;
}

static void teredo_queue_uncharge(struct teredo_dev *t,
				  const struct sk_buff *skb)
{
	atomic_sub(skb->truesize, &t->queued);
}

/**
 * teredo_search_free - end a search
 * @t: the device
 * @s: taken out of its peer
 * @code: of the ICMPv6 unreachable to each sender that waits, or -1 for none
 *
 * BH disabled if @code is not -1.
 */
void teredo_search_free(struct teredo_dev *t, struct teredo_search *s,
			int code)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&s->queue))) {
		teredo_queue_uncharge(t, skb);
		if (code >= 0)
			teredo_icmp6_unreach(t, skb, code);
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_UNREACHABLE);
	}
	if (s->held) {
		teredo_queue_uncharge(t, s->held);
		teredo_drop_inner(t, s->held, TEREDO_A_STATS_RX_UNTRUSTED,
				  s->held_from);
	}
	kfree_sensitive(s);
}

/* Is a failed peer not to be tried again yet (CL-TX-19, AMB-35)? */
static bool teredo_peer_barred(const struct teredo_peer *peer)
{
	return peer->path.state == TEREDO_PEER_FAILED &&
	       (s32)((u32)teredo_now() - peer->retry) < 0;
}

/*
 * Put a packet into the queue; the oldest goes if it is full (CL-TX-20,
 * RL-TX-10, SEC-53, C-34).
 * Returns false if there is no room even so.
 */
static bool teredo_search_enqueue(struct teredo_dev *t,
				  const struct teredo_config *cfg,
				  struct teredo_search *s,
				  struct sk_buff *new)
{
	struct sk_buff *skb;

	if (!cfg->queue || !teredo_queue_charge(t, new))
		return false;
	while (skb_queue_len(&s->queue) >= cfg->queue ||
	       s->bytes + new->len > TEREDO_QUEUE_BYTES) {
		skb = __skb_dequeue(&s->queue);
		s->bytes -= skb->len;
		teredo_queue_uncharge(t, skb);
		teredo_tx_drop(t, skb, TEREDO_A_STATS_TX_QUEUE_FULL);
	}
	__skb_queue_tail(&s->queue, new);
	s->bytes += new->len;
	return true;
}

/**
 * teredo_search_xmit - a packet for a peer that has no usable path (CL-TX-07)
 * @peer: the peer
 * @cfg: the device's configuration
 * @skb: IPv6 packet; consumed
 *
 * RCU, BH disabled.
 */
void teredo_search_xmit(struct teredo_peer *peer,
			const struct teredo_config *cfg, struct sk_buff *skb)
{
	struct teredo_dev *t = peer->t;
	struct teredo_search *s;
	bool started = false;
	unsigned int stat;

	spin_lock(&peer->lock);
	s = peer->search;
	if (teredo_peer_known(peer, peer->path) &&
	    (!s || (!s->releasing && skb_queue_empty(&s->queue)))) {
		/* the search is for a received packet (CL-RX-18), or over */
		spin_unlock(&peer->lock);
		teredo_peer_send(peer, skb);
		return;
	}
	if (peer->dead || teredo_peer_barred(peer)) {
		spin_unlock(&peer->lock);
		teredo_icmp6_unreach(t, skb, ICMPV6_ADDR_UNREACH);
		stat = TEREDO_A_STATS_TX_UNREACHABLE;
		goto drop;
	}
	s = teredo_search_get(peer, &started);
	if (!s) {
		spin_unlock(&peer->lock);
		stat = TEREDO_A_STATS_TX_NO_MEMORY;
		goto drop;
	}
	if (started)
		s->sender = ipv6_hdr(skb)->saddr;
	if (teredo_search_enqueue(t, cfg, s, skb))
		skb = NULL;
	spin_unlock(&peer->lock);
	if (started)
		teredo_search_try(peer, cfg);
	if (!skb)
		return;
	stat = TEREDO_A_STATS_TX_QUEUE_FULL;
drop:
	teredo_tx_drop(t, skb, stat);
}

/* No answer, or an error for the test: the search is over */
static void teredo_search_fail(struct teredo_peer *peer,
			       const struct teredo_config *cfg, int code)
{
	struct teredo_dev *t = peer->t;
	struct teredo_search *s;
	union teredo_path path;
	u32 wait;

	spin_lock(&peer->lock);
	s = peer->search;
	if (!s || s->releasing) {
		spin_unlock(&peer->lock);
		return;
	}
	peer->search = NULL;
	path = peer->path;
	path.flags &= ~TEREDO_PEER_SEARCH;
	if (teredo_peer_known(peer, path)) {
		/* only the received packet's path was not proved */
		wait = TEREDO_IDLE;
	} else {
		path.state = TEREDO_PEER_FAILED;
		if (path.flags & TEREDO_PEER_NATIVE)
			wait = TEREDO_RETRY_TEST;
		else if (cfg->mode == TEREDO_MODE_CLIENT)
			wait = teredo_bubble_bar(peer);
		else
			wait = TEREDO_RETRY_RELAY;
		peer->retry = (u32)teredo_now() + wait;
		teredo_peer_rank(peer, false);
	}
	WRITE_ONCE(peer->path.word, path.word);
	teredo_peer_schedule(peer, wait);
	spin_unlock(&peer->lock);

	teredo_search_free(t, s, code);
	if (path.state == TEREDO_PEER_FAILED)
		teredo_peer_notify(peer);
}

/**
 * teredo_search_timeout - the deadline of a search: try again, or give up
 *			   (CL-TX-08, CL-TX-17, RL-TX-07)
 * @peer: a peer that has one
 *
 * RCU, BH disabled.
 */
void teredo_search_timeout(struct teredo_peer *peer)
{
	const struct teredo_config *cfg = rcu_dereference(peer->t->cfg);
	bool again = false, known = false;
	struct teredo_search *s;

	spin_lock(&peer->lock);
	s = peer->search;
	if (s) {
		known = !(peer->path.flags & TEREDO_PEER_NATIVE) &&
			teredo_peer_known(peer, peer->path);
		if (s->tries >= TEREDO_TRIES && s->local) {
			/*
			 * CL-TX-12: the bubbles of CL-TX-15 are others. Once:
			 * who announces the peer again does not prolong this.
			 */
			WRITE_ONCE(peer->local.port, 0);
			peer->bubbles = 0;
			s->tries = 0;
			s->local = false;
			s->was_local = true;
		}
		again = s->tries < TEREDO_TRIES;
	}
	spin_unlock(&peer->lock);
	if (known)
		/* the queue has waited long enough, see teredo_peer_waits() */
		teredo_search_open(peer);
	else if (again)
		teredo_search_try(peer, cfg);
	else
		teredo_search_fail(peer, cfg, ICMPV6_ADDR_UNREACH);
}

/*
 * Send what waited, in order, and then open the fast path (CL-TX-09, CL-TX-18,
 * RL-TX-09, CL-P-07). Packets that come meanwhile still go to the end of the
 * queue: the flag falls when it is empty, or after some rounds, for a sender
 * that is always faster.
 */
static void teredo_search_release(struct teredo_peer *peer,
				  struct teredo_ep from)
{
	struct teredo_dev *t = peer->t;
	struct teredo_search *s;
	struct sk_buff_head queue;
	struct sk_buff *held, *skb;
	union teredo_path path;
	bool last;
	int n = 0;

	__skb_queue_head_init(&queue);
	do {
		spin_lock(&peer->lock);
		s = peer->search;
		if (!s) {			/* removed meanwhile */
			spin_unlock(&peer->lock);
			return;
		}
		held = s->held;
		s->held = NULL;
		if (held)
			teredo_queue_uncharge(t, held);
		if (held && !teredo_ep_equal(s->held_from, from)) {
			teredo_drop_inner(t, held,
					  TEREDO_A_STATS_RX_UNTRUSTED,
					  s->held_from);
			held = NULL;
		}
		skb_queue_splice_tail_init(&s->queue, &queue);
		s->bytes = 0;
		last = skb_queue_empty(&queue) || ++n > TEREDO_RELEASE_ROUNDS;
		if (last) {
			peer->search = NULL;
			path = peer->path;
			path.flags &= ~TEREDO_PEER_SEARCH;
			WRITE_ONCE(peer->path.word, path.word);
			kfree_sensitive(s);
			teredo_peer_schedule(peer, TEREDO_IDLE);
		}
		spin_unlock(&peer->lock);

		if (held)
			teredo_netif_receive(t, held);
		while ((skb = __skb_dequeue(&queue))) {
			teredo_queue_uncharge(t, skb);
			teredo_peer_send(peer, skb);
		}
	} while (!last);
}

/*
 * A peer behind our NAT was just found at its private address, by its nonce.
 * It does not know us at ours before it has its own nonce back, and would drop
 * what we send (X-SN-10): the queue waits for its indirect bubble, which is on
 * its way (X-HP-08), or for the deadline of the search.
 */
static bool teredo_peer_waits(const struct teredo_peer *peer,
			      struct teredo_ep from)
{
	const struct teredo_qual *q = rcu_dereference(peer->t->qual);

	lockdep_assert_held(&peer->lock);
	return !(peer->path.flags & TEREDO_PEER_NATIVE) && q &&
	       !peer->nonce_rcvd && teredo_same_nat(q, &peer->addr) &&
	       !teredo_ep_equal(teredo_mapped(&peer->addr), from) &&
	       !teredo_ep_equal(peer->local, from);
}

/**
 * teredo_search_open - a search whose peer is known already is over
 * @peer: a Teredo peer
 *
 * Its endpoint stays whatever it is now (CL-P-07). RCU, BH disabled, no lock.
 */
void teredo_search_open(struct teredo_peer *peer)
{
	union teredo_path path;
	bool release;

	spin_lock(&peer->lock);
	path = peer->path;
	release = peer->search && !peer->search->releasing &&
		  path.state == TEREDO_PEER_TRUSTED;
	if (release)
		peer->search->releasing = true;
	spin_unlock(&peer->lock);
	if (release)
		teredo_search_release(peer, teredo_path_ep(path));
}

/**
 * teredo_peer_heard - a peer has proved its endpoint
 * @peer: the peer
 * @from: outer source of the proof: becomes the endpoint (CL-RX-11,
 *	  X-SN-08, X-HP-07)
 *
 * The caller has made all checks (CL-RX-08 to CL-RX-10, RL-RX-04) and moved
 * last_rx. RCU, BH disabled.
 */
void teredo_peer_heard(struct teredo_peer *peer, struct teredo_ep from)
{
	struct dst_entry *dst = NULL;
	bool release, fresh, moved;
	union teredo_path path;

	spin_lock(&peer->lock);
	if (peer->dead) {
		spin_unlock(&peer->lock);
		return;
	}
	path = peer->path;
	peer->answer = false;			/* X-SN-09 */
	fresh = path.state != TEREDO_PEER_TRUSTED;
	moved = !teredo_ep_equal(teredo_path_ep(path), from);
	if (!teredo_ep_equal(teredo_dst_ep(peer), from))
		dst = rcu_replace_pointer(peer->dst, NULL,
					  lockdep_is_held(&peer->lock));
	path.addr = from.addr;
	path.port = from.port;
	path.state = TEREDO_PEER_TRUSTED;
	WRITE_ONCE(peer->path.word, path.word);
	release = peer->search && !peer->search->releasing &&
		  !(moved && teredo_peer_waits(peer, from));
	if (release)
		peer->search->releasing = true;
	if (fresh)
		teredo_peer_rank(peer, true);
	spin_unlock(&peer->lock);

	dst_release(dst);
	if (release)
		teredo_search_release(peer, from);
	else if (fresh)
		teredo_peer_schedule_idle(peer, TEREDO_IDLE);
	if (fresh)
		teredo_peer_notify(peer);
}

/**
 * teredo_test_reply - is this the answer to a connectivity test (CL-RX-09)?
 * @peer: a native peer
 * @skb: echo reply, its data at the UDP header
 * @hlen: octets in front of the IPv6 header
 * @from: outer source
 *
 * If so the peer is trusted from now on. Softirq, RCU.
 *
 * Return: true if the packet was the answer, and nobody else's.
 */
bool teredo_test_reply(struct teredo_peer *peer, struct sk_buff *skb,
		       unsigned int hlen, struct teredo_ep from)
{
	const struct teredo_test *test;
	const struct ipv6hdr *ip6;
	bool match;

	if (!pskb_may_pull(skb, hlen + sizeof(*ip6) + sizeof(*test)))
		return false;
	ip6 = (void *)(skb->data + hlen);
	test = (void *)(ip6 + 1);
	if (ip6->payload_len != htons(sizeof(*test)) ||
	    test->icmp6.icmp6_code ||
	    csum_ipv6_magic(&ip6->saddr, &ip6->daddr, sizeof(*test),
			    IPPROTO_ICMPV6,
			    csum_partial(test, sizeof(*test), 0)))
		return false;

	spin_lock(&peer->lock);
	match = peer->search && peer->search->tries &&
		peer->path.flags & TEREDO_PEER_NATIVE &&
		peer->search->id == test->icmp6.icmp6_identifier &&
		peer->search->nonce == get_unaligned(&test->nonce); /* N-16 */
	if (match) {
		WRITE_ONCE(peer->last_rx, (u32)teredo_now());
		WRITE_ONCE(peer->rx_packets, READ_ONCE(peer->rx_packets) + 1);
		WRITE_ONCE(peer->ever_rx, true);
	}
	spin_unlock(&peer->lock);
	if (match)
		teredo_peer_heard(peer, from);
	return match;
}

/**
 * teredo_test_error - an ICMPv6 error of an unproven native source
 * @q: qualification of the client
 * @peer: the source's entry, or NULL
 * @skb: the error, its data at the UDP header
 * @hlen: octets in front of the IPv6 header
 *
 * An error for our own test, from the tested host itself, ends the test
 * (CL-RX-19). Softirq, RCU.
 *
 * Return: true if the packet that the error quotes was sent by us: then the
 * error is delivered without more ado (CL-RX-17).
 */
bool teredo_test_error(const struct teredo_qual *q, struct teredo_peer *peer,
		       struct sk_buff *skb, unsigned int hlen)
{
	unsigned int off = hlen + sizeof(struct ipv6hdr);
	const struct icmp6hdr *error;
	const struct teredo_test *test;
	const struct ipv6hdr *ip6;
	struct icmp6hdr ebuf;
	struct teredo_test tbuf;
	struct ipv6hdr ibuf;
	bool match;
	int code;

	error = skb_header_pointer(skb, off, sizeof(ebuf), &ebuf);
	ip6 = skb_header_pointer(skb, off + sizeof(ebuf), sizeof(ibuf), &ibuf);
	if (!error || !ip6 || ip6->version != 6 ||
	    !ipv6_addr_equal(&ip6->saddr, &q->addr))
		return false;
	if (!peer || ip6->nexthdr != IPPROTO_ICMPV6 ||
	    !ipv6_addr_equal(&ip6->daddr, &peer->addr))
		return true;
	test = skb_header_pointer(skb, off + sizeof(ebuf) + sizeof(ibuf),
				  sizeof(tbuf), &tbuf);
	if (!test)
		return true;

	spin_lock(&peer->lock);
	match = peer->search && peer->path.flags & TEREDO_PEER_NATIVE &&
		peer->search->id == test->icmp6.icmp6_identifier &&
		peer->search->nonce == get_unaligned(&test->nonce);
	spin_unlock(&peer->lock);
	if (match) {
		code = error->icmp6_type == ICMPV6_DEST_UNREACH ?
			error->icmp6_code : ICMPV6_ADDR_UNREACH;
		teredo_search_fail(peer, rcu_dereference(peer->t->cfg), code);
	}
	return true;
}

/**
 * teredo_test_held - hold a packet until its native source is tested
 * @t: the device
 * @cfg: its configuration
 * @peer: entry of the source, or NULL if there is none yet
 * @skb: IPv6 packet as teredo_decap() made it; consumed
 * @from: outer source; the proof has to come from there too (CL-RX-16)
 *
 * Softirq, RCU.
 */
void teredo_test_held(struct teredo_dev *t, const struct teredo_config *cfg,
		      struct teredo_peer *peer, struct sk_buff *skb,
		      struct teredo_ep from)
{
	unsigned int stat = TEREDO_A_STATS_RX_TEST_LIMITED;
	struct teredo_search *s;
	bool started = false;

	/* a bucket of its own: not to be used to ping others (SEC-46) */
	if ((!peer || !(teredo_path(peer).flags & TEREDO_PEER_SEARCH)) &&
	    !teredo_bucket_take(t, &t->rx_test_bucket,
				DIV_ROUND_UP(cfg->bubble_rate, 10)))
		goto drop;
	/* a stranger's small fragments must not use up what is for all */
	if (skb->truesize > TEREDO_HELD_BYTES || !teredo_queue_charge(t, skb))
		goto drop;
	if (!peer)
		peer = teredo_peer_make(t, cfg, &ipv6_hdr(skb)->saddr, true);
	stat = TEREDO_A_STATS_PEER_LIMIT;
	if (!peer)
		goto uncharge;

	stat = TEREDO_A_STATS_RX_UNTRUSTED;
	spin_lock(&peer->lock);
	if (teredo_peer_barred(peer))
		goto unlock;
	s = teredo_search_get(peer, &started);
	if (!s || s->held || s->releasing)
		goto unlock;
	s->held = skb;
	s->held_from = from;
	spin_unlock(&peer->lock);
	if (started)
		teredo_search_try(peer, cfg);
	return;

unlock:
	spin_unlock(&peer->lock);
uncharge:
	teredo_queue_uncharge(t, skb);
drop:
	teredo_drop_inner(t, skb, stat, from);
}
