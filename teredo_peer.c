// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: the peer table
 *
 * A rhashtable keyed by IPv6 address, read under RCU. One wheel per device
 * drives all deadlines, of retries and of ageing: a peer in use is not moved
 * when packets pass, the wheel finds its deadline out of date and puts it
 * back. Two lists give the order of eviction.
 */
#include <linux/jhash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/netns/generic.h>

#include "teredo.h"

#define TEREDO_EVICT_SCAN	32	/* peers looked at for a victim */
#define TEREDO_WHEEL_BATCH	64	/* peers before a reschedule */
/* The longest wait in ticks; what is due later is put off again */
#define TEREDO_WHEEL_MAX	(TEREDO_WHEEL_SIZE - 2)

/*
 * Of the places of a table those that strangers with one IPv4 address can have:
 * ports and flags would give anyone as many Teredo addresses as he likes, all
 * of which can be proved.
 */
#define TEREDO_SHARE_MIN	64
#define TEREDO_SHARE(max)	max_t(u32, (max) / 4, TEREDO_SHARE_MIN)

static struct kmem_cache *teredo_peer_cache;

/**
 * teredo_bucket_take - take one token
 * @t: the device, whose limit_lock protects the bucket
 * @b: the bucket
 * @rate: tokens a second, 0 = no limit; twice that is the burst
 *
 * Any context but hard interrupts.
 *
 * Return: true if there was one.
 */
bool teredo_bucket_take(struct teredo_dev *t, struct teredo_bucket *b,
			u32 rate)
{
	u64 full = 2ULL * rate * HZ;
	u64 now = teredo_now();
	bool ok;

	if (!rate)
		return true;
	spin_lock_bh(&t->limit_lock);
	if (!b->stamp || now - b->stamp > 2 * HZ)
		b->tokens = full;
	else
		b->tokens = min_t(u64, full, b->tokens +
				  (now - b->stamp) * rate);
	b->stamp = now ?: 1;
	ok = b->tokens >= HZ;
	if (ok)
		b->tokens -= HZ;
	spin_unlock_bh(&t->limit_lock);
	return ok;
}

/* Now, in ticks of the wheel, which stands still while the machine sleeps */
static u32 teredo_tick(void)
{
	return div_u64(get_jiffies_64(), TEREDO_TICK);
}

/* Have the work run at @tick, unless it runs earlier anyway */
static void teredo_wheel_arm(struct teredo_dev *t, u32 tick)
{
	s32 wait;

	lockdep_assert_held(&t->lock);
	if (t->wheel_on && (s32)(tick - t->wheel_armed) >= 0)
		return;
	t->wheel_on = true;
	t->wheel_armed = tick;
	wait = tick - teredo_tick();
	/* a timer far ahead is late by up to an eighth: it comes twice */
	if (wait > 8)
		wait -= wait / 8;
	mod_delayed_work(teredo_wq, &t->wheel_work,
			 wait > 0 ? wait * TEREDO_TICK : 0);
}

static void teredo_wheel_add(struct teredo_dev *t, struct teredo_peer *peer,
			     u32 wait)
{
	u32 now = teredo_tick();
	u32 slot;

	lockdep_assert_held(&t->lock);
	hlist_del_init(&peer->wheel);
	if (!t->wheel_on)
		t->wheel_tick = now;
	peer->due = now + min_t(u32, DIV_ROUND_UP(wait, TEREDO_TICK) + 1,
				TEREDO_WHEEL_MAX);
	slot = peer->due % TEREDO_WHEEL_SIZE;
	hlist_add_head(&peer->wheel, &t->wheel[slot]);
	__set_bit(slot, t->wheel_busy);
	teredo_wheel_arm(t, peer->due);
}

/**
 * teredo_peer_schedule - set the deadline of a peer
 * @peer: the peer
 * @wait: jiffies from now; up to two tenths of a second are added (AMB-39)
 *
 * Replaces a deadline set before. BH disabled; peer->lock may be held.
 */
void teredo_peer_schedule(struct teredo_peer *peer, u32 wait)
{
	struct teredo_dev *t = peer->t;

	spin_lock(&t->lock);
	if (!list_empty(&peer->lru))		/* not removed meanwhile */
		teredo_wheel_add(t, peer, wait);
	spin_unlock(&t->lock);
}

/**
 * teredo_peer_schedule_idle - set the deadline of a peer that is at rest
 * @peer: the peer
 * @wait: as for teredo_peer_schedule()
 *
 * The deadline of a search that has begun meanwhile stays. BH disabled.
 */
void teredo_peer_schedule_idle(struct teredo_peer *peer, u32 wait)
{
	spin_lock(&peer->lock);
	if (!peer->search)
		teredo_peer_schedule(peer, wait);
	spin_unlock(&peer->lock);
}

static void teredo_peer_free(struct rcu_head *rcu)
{
	struct teredo_peer *peer = container_of(rcu, struct teredo_peer, rcu);

	memzero_explicit(&peer->nonce_sent, sizeof(peer->nonce_sent));
	kmem_cache_free(teredo_peer_cache, peer);	/* SEC-67 */
}

/* How many peers have a mapped IPv4 address with this hash; NULL: native */
static u32 *teredo_peer_share(struct teredo_dev *t, union teredo_path path,
			      const struct in6_addr *addr)
{
	__be32 mapped = teredo_mapped(addr).addr;

	if (path.flags & TEREDO_PEER_NATIVE)
		return NULL;
	return &t->shares[jhash_1word((__force u32)mapped, t->hash_seed) %
			  TEREDO_HASH_SIZE];
}

/* Take a peer out of everything: who marked it dead does so, once. RCU. */
static void teredo_peer_unlink(struct teredo_peer *peer)
{
	struct teredo_dev *t = peer->t;
	struct teredo_search *s;
	struct dst_entry *dst;
	u32 *share;

	spin_lock_bh(&peer->lock);
	s = peer->search;
	peer->search = NULL;
	/* nobody caches another one in a dead peer */
	dst = rcu_replace_pointer(peer->dst, NULL,
				  lockdep_is_held(&peer->lock));
	spin_unlock_bh(&peer->lock);

	spin_lock_bh(&t->lock);
	list_del_init(&peer->lru);
	hlist_del_init(&peer->wheel);
	WRITE_ONCE(t->n_peers, t->n_peers - 1);
	share = teredo_peer_share(t, teredo_path(peer), &peer->addr);
	if (share)
		WRITE_ONCE(*share, *share - 1);
	spin_unlock_bh(&t->lock);

	rhashtable_remove_fast(&t->peers, &peer->node, teredo_peer_params);
	atomic_dec(&t->quota->n_peers);
	dst_release(dst);
	if (s)
		teredo_search_free(t, s, -1);
	teredo_peer_notify(peer);
	call_rcu(&peer->rcu, teredo_peer_free);
}

/**
 * teredo_peer_remove - remove a peer (CL-P-08)
 * @peer: the peer, kept by RCU
 *
 * Drops what waits for it. RCU; BH may be enabled; no lock is held.
 *
 * Return: false if another context is removing it.
 */
bool teredo_peer_remove(struct teredo_peer *peer)
{
	bool dead;

	spin_lock_bh(&peer->lock);
	dead = peer->dead;
	peer->dead = true;
	spin_unlock_bh(&peer->lock);
	if (!dead)
		teredo_peer_unlink(peer);
	return !dead;
}

/*
 * How long may the peer stay, if nothing happens (CL-P-03)? A local one is
 * remembered longer than one that is idle. 0 if its time is over.
 */
static u32 teredo_peer_rest(struct teredo_peer *peer, u32 now)
{
	u32 idle = min(teredo_since(now, READ_ONCE(peer->last_rx)),
		       teredo_since(now, READ_ONCE(peer->last_tx)));
	u32 wait = idle < TEREDO_IDLE ? TEREDO_IDLE - idle : 0;
	u32 seen = teredo_since(now, peer->local_seen);

	lockdep_assert_held(&peer->lock);
	if (!peer->local.port)
		return wait;
	if (seen >= TEREDO_LOCAL) {
		/* before its time comes round again in 32 bits */
		WRITE_ONCE(peer->local.port, 0);
		return wait;
	}
	return max_t(u32, wait, TEREDO_LOCAL - seen);
}

/* The deadline of a peer has come. RCU, BH disabled. */
static void teredo_peer_deadline(struct teredo_peer *peer)
{
	bool gone = false, answer = false;
	struct teredo_search *s;
	u32 now = teredo_now();
	u32 wait;

	spin_lock(&peer->lock);
	s = peer->search;
	if (!s && !peer->dead) {
		answer = peer->answer;
		peer->answer = false;
		wait = teredo_peer_rest(peer, now);
		/* CL-P-03, RL-TX-08 */
		gone = !answer && (peer->path.state == TEREDO_PEER_FAILED ||
				   !wait);
		if (gone)
			peer->dead = true;
		else
			teredo_peer_schedule(peer, wait);
	}
	spin_unlock(&peer->lock);
	if (s)
		teredo_search_timeout(peer);
	else if (gone)
		teredo_peer_unlink(peer);
	else if (answer)
		teredo_answer_timeout(peer);
}

static void teredo_wheel_work(struct work_struct *work)
{
	struct teredo_dev *t = container_of(to_delayed_work(work),
					    struct teredo_dev, wheel_work);
	unsigned int slot, n = 0;
	struct teredo_peer *peer;
	u32 now = teredo_tick();
	struct hlist_head due;

	spin_lock_bh(&t->lock);
	while ((s32)(now - t->wheel_tick) >= 0) {
		slot = t->wheel_tick % TEREDO_WHEEL_SIZE;
		__clear_bit(slot, t->wheel_busy);
		/* one that is put back here is due next time round */
		hlist_move_list(&t->wheel[slot], &due);
		while (!hlist_empty(&due)) {
			peer = hlist_entry(due.first, struct teredo_peer,
					   wheel);
			hlist_del_init(&peer->wheel);
			/* keeps the peer, whoever removes it now */
			rcu_read_lock();
			spin_unlock(&t->lock);
			teredo_peer_deadline(peer);
			rcu_read_unlock();
			if (++n % TEREDO_WHEEL_BATCH == 0) {
				local_bh_enable();
				cond_resched();
				local_bh_disable();
			}
			spin_lock(&t->lock);
		}
		t->wheel_tick++;
	}

	t->wheel_on = false;
	slot = t->wheel_tick % TEREDO_WHEEL_SIZE;
	n = find_next_bit(t->wheel_busy, TEREDO_WHEEL_SIZE, slot);
	if (n == TEREDO_WHEEL_SIZE)
		n = find_first_bit(t->wheel_busy, TEREDO_WHEEL_SIZE);
	if (n < TEREDO_WHEEL_SIZE)
		teredo_wheel_arm(t, t->wheel_tick +
				 (n - slot) % TEREDO_WHEEL_SIZE);
	spin_unlock_bh(&t->lock);
}

static bool teredo_peer_idle(const struct teredo_peer *peer)
{
	u32 now = teredo_now();

	return !teredo_peer_fresh(peer, now) &&
	       teredo_since(now, READ_ONCE(peer->last_tx)) >= TEREDO_VALIDITY;
}

/*
 * The least useful peer (CL-P-02): untrusted with nothing waiting, untrusted,
 * trusted but idle. Never a trusted one in use.
 */
static struct teredo_peer *teredo_peer_victim(struct teredo_dev *t)
{
	struct teredo_peer *peer, *next, *victim;
	int n = 0;

	lockdep_assert_held(&t->lock);
	victim = list_first_entry_or_null(&t->untrusted, struct teredo_peer,
					  lru);
	list_for_each_entry(peer, &t->untrusted, lru) {
		if (!(teredo_path(peer).flags & TEREDO_PEER_SEARCH))
			return peer;
		if (++n == TEREDO_EVICT_SCAN)
			break;
	}
	if (victim)
		return victim;
	list_for_each_entry_safe(peer, next, &t->trusted, lru) {
		/* whom we never sent anything is not in use, either */
		if (teredo_peer_idle(peer) || !READ_ONCE(peer->ever_tx))
			return peer;
		list_move_tail(&peer->lru, &t->trusted);
		if (++n >= TEREDO_EVICT_SCAN)
			break;
	}
	return NULL;
}

/*
 * Make room for one more. A victim that another context was quicker with does
 * not count. RCU. Return: false if nobody can be spared.
 */
static bool teredo_peer_evict(struct teredo_dev *t)
{
	struct teredo_peer *victim;
	int n;

	for (n = 0; n < TEREDO_EVICT_SCAN; n++) {
		spin_lock_bh(&t->lock);
		victim = teredo_peer_victim(t);
		spin_unlock_bh(&t->lock);
		if (!victim)
			return false;
		if (teredo_peer_remove(victim)) {
			teredo_count(t, TEREDO_A_STATS_PEER_EVICTED);
			return true;
		}
	}
	return false;
}

/* Room in the device's table and in the quota of the underlay's netns */
static bool teredo_peer_room(struct teredo_dev *t, u32 max_peers)
{
	struct teredo_net *tn = t->quota;
	int n = 0;

	/* the limit may just have become much lower: teredo_peers_shrink() */
	while (READ_ONCE(t->n_peers) >= max_peers)
		if (++n > TEREDO_EVICT_SCAN || !teredo_peer_evict(t))
			return false;
	if (atomic_inc_return(&tn->n_peers) <= READ_ONCE(tn->max_peers))
		return true;
	/* one of ours for it: its place in the quota is free then */
	if (teredo_peer_evict(t) &&
	    atomic_read(&tn->n_peers) <= READ_ONCE(tn->max_peers))
		return true;
	atomic_dec(&tn->n_peers);
	return false;
}

/**
 * teredo_peer_make - make an untrusted entry (CL-B-01, C-13)
 * @t: the device
 * @cfg: its configuration
 * @addr: address of the peer; the caller has checked it
 * @by_rx: a received packet is the cause: its rate is limited (CL-P-09), and
 *	   how many come from one IPv4 address
 *
 * RCU, BH disabled.
 *
 * Return: the peer (perhaps another context's), or NULL if a limit is
 * reached.
 */
struct teredo_peer *teredo_peer_make(struct teredo_dev *t,
				     const struct teredo_config *cfg,
				     const struct in6_addr *addr, bool by_rx)
{
	struct teredo_peer *peer, *old;
	union teredo_path path = {};
	u32 now = teredo_now();
	u32 *share;

	if (!teredo_has_prefix(addr, cfg->prefix))
		path.flags = TEREDO_PEER_NATIVE;
	share = teredo_peer_share(t, path, addr);
	if (by_rx && share &&
	    READ_ONCE(*share) >= TEREDO_SHARE(cfg->max_peers))
		return NULL;
	if (by_rx && !teredo_bucket_take(t, &t->peer_bucket, cfg->peer_rate))
		return NULL;
	if (!teredo_peer_room(t, cfg->max_peers))
		return NULL;
	peer = kmem_cache_zalloc(teredo_peer_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!peer)
		goto err_room;

	peer->addr = *addr;
	peer->t = t;
	peer->path = path;
	peer->last_rx = now - TEREDO_VALIDITY;
	peer->last_tx = now - TEREDO_VALIDITY;
	atomic_set(&peer->id, get_random_u16());
	spin_lock_init(&peer->lock);
	INIT_HLIST_NODE(&peer->wheel);
	INIT_LIST_HEAD(&peer->lru);

	/* visible in table and list at once, or in none */
	spin_lock_bh(&t->lock);
	old = rhashtable_lookup_get_insert_fast(&t->peers, &peer->node,
						teredo_peer_params);
	if (!old) {
		list_add_tail(&peer->lru, &t->untrusted);
		WRITE_ONCE(t->n_peers, t->n_peers + 1);
		if (share)
			WRITE_ONCE(*share, *share + 1);
		teredo_wheel_add(t, peer, TEREDO_IDLE);
	}
	spin_unlock_bh(&t->lock);
	if (!old)
		return peer;

	kmem_cache_free(teredo_peer_cache, peer);
	peer = IS_ERR(old) ? NULL : old;
err_room:
	atomic_dec(&t->quota->n_peers);
	return peer;
}

/**
 * teredo_peer_rank - set how hard a peer is to evict
 * @peer: the peer
 * @trusted: it has proved its endpoint
 *
 * BH disabled; peer->lock may be held.
 */
void teredo_peer_rank(struct teredo_peer *peer, bool trusted)
{
	struct teredo_dev *t = peer->t;

	spin_lock(&t->lock);
	if (!list_empty(&peer->lru))
		list_move_tail(&peer->lru,
			       trusted ? &t->trusted : &t->untrusted);
	spin_unlock(&t->lock);
}

/**
 * teredo_peers_shrink - remove the peers that are too many
 * @t: the device
 * @max: how many may stay
 *
 * The least useful go first, but go they do. Those that traffic makes in the
 * meantime are not waited for. Process context.
 */
void teredo_peers_shrink(struct teredo_dev *t, u32 max)
{
	struct teredo_peer *peer;
	u32 n;

	for (n = READ_ONCE(t->n_peers); n > max; n--) {
		rcu_read_lock();
		spin_lock_bh(&t->lock);
		peer = teredo_peer_victim(t);
		if (!peer)
			peer = list_first_entry_or_null(&t->trusted,
							struct teredo_peer,
							lru);
		spin_unlock_bh(&t->lock);
		if (peer)
			teredo_peer_remove(peer);
		rcu_read_unlock();
		cond_resched();
	}
}

/**
 * teredo_peers_reroute - forget the peers' routes
 * @t: the device
 *
 * For a change of configuration that the routes depend on. Process context.
 */
void teredo_peers_reroute(struct teredo_dev *t)
{
	struct rhashtable_iter iter;
	struct teredo_peer *peer;
	struct dst_entry *dst;

	rhashtable_walk_enter(&t->peers, &iter);
	rhashtable_walk_start(&iter);
	while ((peer = rhashtable_walk_next(&iter))) {
		if (IS_ERR(peer))	/* resized: some come twice */
			continue;
		spin_lock_bh(&peer->lock);
		dst = rcu_replace_pointer(peer->dst, NULL,
					  lockdep_is_held(&peer->lock));
		spin_unlock_bh(&peer->lock);
		dst_release(dst);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}

/* Would this peer be made without `private` (G-14)? */
static bool teredo_peer_global(const struct teredo_peer *peer,
			       const struct teredo_config *cfg)
{
	union teredo_path path = teredo_path(peer);

	if (teredo_has_prefix(&peer->addr, cfg->prefix))
		return teredo_addr_valid(&peer->addr, false) &&
		       teredo_ipv4_global(teredo_server(&peer->addr), false);
	return !path.addr || teredo_ipv4_global(path.addr, false);
}

/**
 * teredo_peers_revoke - remove the peers that only `private` allowed
 * @t: the device
 * @cfg: its configuration, by which no more of them are made
 *
 * Process context.
 */
void teredo_peers_revoke(struct teredo_dev *t, const struct teredo_config *cfg)
{
	struct rhashtable_iter iter;
	struct teredo_peer *peer;

	rhashtable_walk_enter(&t->peers, &iter);
	rhashtable_walk_start(&iter);
	while ((peer = rhashtable_walk_next(&iter)))
		/* resized: some come twice */
		if (!IS_ERR(peer) && !teredo_peer_global(peer, cfg))
			teredo_peer_remove(peer);
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}

/**
 * teredo_peers_start - what peers need while the device is up
 * @t: the device
 *
 * RTNL, may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int teredo_peers_start(struct teredo_dev *t)
{
	t->wheel = kvcalloc(TEREDO_WHEEL_SIZE, sizeof(*t->wheel),
			    GFP_KERNEL_ACCOUNT);
	t->wheel_busy = bitmap_zalloc(TEREDO_WHEEL_SIZE, GFP_KERNEL);
	t->server_buckets = kvcalloc(TEREDO_HASH_SIZE,
				     sizeof(*t->server_buckets),
				     GFP_KERNEL_ACCOUNT);
	t->replies = kvcalloc(TEREDO_HASH_SIZE, sizeof(*t->replies),
			      GFP_KERNEL_ACCOUNT);
	t->shares = kvcalloc(TEREDO_HASH_SIZE, sizeof(*t->shares),
			     GFP_KERNEL_ACCOUNT);
	if (!t->wheel || !t->wheel_busy || !t->server_buckets || !t->replies ||
	    !t->shares) {
		teredo_peers_stop(t);
		return -ENOMEM;
	}
	t->wheel_on = false;
	t->own_known = false;
	return 0;
}

/**
 * teredo_peers_stop - the reverse of teredo_peers_start()
 * @t: the device; no packet is in it any more
 *
 * RTNL, may sleep.
 */
void teredo_peers_stop(struct teredo_dev *t)
{
	while (READ_ONCE(t->n_peers))
		teredo_peers_shrink(t, 0);
	cancel_delayed_work_sync(&t->wheel_work);
	kvfree(t->wheel);
	bitmap_free(t->wheel_busy);
	kvfree(t->server_buckets);
	kvfree(t->replies);
	kvfree(t->shares);
	t->wheel = NULL;
	t->wheel_busy = NULL;
	t->server_buckets = NULL;
	t->replies = NULL;
	t->shares = NULL;
}

/**
 * teredo_peers_init - the empty table of a new device
 * @t: the device
 *
 * Return: 0 or a negative errno.
 */
int teredo_peers_init(struct teredo_dev *t)
{
	spin_lock_init(&t->lock);
	spin_lock_init(&t->limit_lock);
	INIT_LIST_HEAD(&t->untrusted);
	INIT_LIST_HEAD(&t->trusted);
	INIT_DELAYED_WORK(&t->wheel_work, teredo_wheel_work);
	get_random_bytes(&t->hash_seed, sizeof(t->hash_seed));	/* SEC-57 */
	return rhashtable_init(&t->peers, &teredo_peer_params);
}

/**
 * teredo_peers_uninit - the reverse of teredo_peers_init()
 * @t: the device, stopped
 */
void teredo_peers_uninit(struct teredo_dev *t)
{
	rhashtable_destroy(&t->peers);
}

int teredo_peer_cache_init(void)
{
	teredo_peer_cache = KMEM_CACHE(teredo_peer,
				       SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT);
	return teredo_peer_cache ? 0 : -ENOMEM;
}

/* Waits for the peers that RCU still keeps */
void teredo_peer_cache_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(teredo_peer_cache);
}
