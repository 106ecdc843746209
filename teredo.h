/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Teredo: private declarations
 *
 * Locks, outermost first:
 *   RTNL              configuration, sockets, life of a device
 *   teredo_peer.lock  a peer's state, its search and its route
 *   teredo_dev.lock   membership of the wheel and the eviction lists
 * teredo_dev.qual_lock (what qualification learned) and teredo_dev.limit_lock
 * (token buckets, source of bubbles) are leaves. All but RTNL are taken with BH
 * disabled. No packet leaves while one of them is held; a message to the
 * helper is queued under qual_lock.
 *
 * The packet paths take none of them: they run in an RCU read-side section
 * and read the configuration, the qualification, the sockets and the peers by
 * RCU. Whoever unpublishes one of these frees it a grace period later.
 */
#ifndef _TEREDO_H
#define _TEREDO_H

#include <linux/ethtool.h>
#include <linux/jhash.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/ipv6.h>
#include <net/route.h>

#include <uapi/linux/if_teredo.h>

#include "teredo_proto.h"

#define TEREDO_VALIDITY		(30 * HZ)	/* C-11 */
#define TEREDO_IDLE		(300 * HZ)	/* CL-P-03 */
#define TEREDO_LOCAL		(600 * HZ)	/* C-12 */
#define TEREDO_ANSWER		(HZ / 10)	/* X-SN-09 */
#define TEREDO_SPACING		(2 * HZ)	/* C-14 */
#define TEREDO_HOPLIMIT		64		/* C-32 */
#define TEREDO_RETRY		(2 * HZ)	/* C-16, C-17, C-21 */
#define TEREDO_TRIES		4
/* A nonce is good for the search that sent it, and not to be guessed later */
#define TEREDO_NONCE_LIFE	((TEREDO_TRIES + 1) * TEREDO_RETRY)
#define TEREDO_QUEUE_BYTES	8192		/* C-34: a peer's */
#define TEREDO_QUEUE_DEVICE	(32 << 20)	/* a device's, memory */

/* Granularity and size of the wheel: 4096 slots of a tenth of a second */
#define TEREDO_TICK		(HZ / 10)
#define TEREDO_WHEEL_SIZE	4096

/* Jiffies that the machine has slept since boot; see teredo_now() */
extern u64 teredo_slept;

/*
 * Jiffies since boot, those included that the machine slept through: what a
 * NAT has forgotten meanwhile is not valid afterwards (V-06). Not for timers,
 * which stand still in sleep. Any context.
 */
static inline u64 teredo_now(void)
{
	return get_jiffies_64() + READ_ONCE(teredo_slept);
}

/* Counters are numbered by the uapi attributes that carry them */
#define TEREDO_NR_STATS		(TEREDO_A_STATS_MAX + 1)

struct teredo_stats {
	u64 count[TEREDO_NR_STATS];
};

/*
 * struct teredo_config - what `ip link` sets
 * @link: ifindex of the underlay device, 0 = by route
 *
 * Replaced as a whole under RTNL and read by RCU; see if_teredo.h for units.
 */
struct teredo_config {
	struct rcu_head rcu;
	u8	mode;
	u8	tos;
	u8	ttl;
	u8	ecn;
	bool	pmtudisc;
	bool	private_ok;
	bool	accept_unknown;
	bool	local_strict;
	bool	secure;
	u8	nat;
	u8	discovery;
	u8	n_serve;
	__be16	port;
	__be32	prefix;
	__be32	local;
	__be32	server;
	__be32	secondary;
	int	link;
	u32	fwmark;
	u32	max_peers;
	u32	queue;
	u32	peer_rate;
	u32	bubble_rate;
	u32	server_rate;
	u32	rate;
	u32	icmp_limit;
	struct teredo_prefix serve[TEREDO_SERVE_MAX];
};

/*
 * struct teredo_qual - what the helper learned (CL-Q)
 * @addr: Teredo address of this client
 * @mapped: mapped address and port
 * @server: primary server in use
 * @secondary: its secondary address
 * @local: outer source address, fixed at qualification (TUN-18)
 * @link: ifindex of the device towards the server
 * @flags: flags field of @addr, host order
 * @since: when @addr was formed, teredo_now()
 * @expires: when the lifetime ends, teredo_now()
 *
 * Published by RCU while qualified, NULL else.
 */
struct teredo_qual {
	struct rcu_head	rcu;
	struct in6_addr	addr;
	struct teredo_ep mapped;
	__be32		server;
	__be32		secondary;
	__be32		local;
	int		link;
	u16		flags;
	u64		since;
	u64		expires;
};

/**
 * struct teredo_bucket - token bucket
 * @stamp: of the last refill, teredo_now()
 * @tokens: in 1/HZ of a token
 *
 * Holds twice the rate at most. Zero initialised it starts full.
 */
struct teredo_bucket {
	u64		stamp;
	u64		tokens;
};

/* Replies to relayed bubbles are limited by their target (CL-B-05) */
struct teredo_reply {
	struct teredo_ep ep;
	u8		count;
	u64		last;
	u64		first;
};

#define TEREDO_HASH_SIZE	256

/* Octets of the longest authentication value, that of HMAC-SHA256 */
#define TEREDO_MAC_MAX		32

struct genl_info;
struct teredo_key;
struct teredo_keys;

/*
 * struct teredo_dev - private part of the net_device
 * @dev: the device
 * @net: underlay's network namespace, NULL once that is gone; RTNL. It is not
 *	 counted: the pernet exit closes the sockets and clears this.
 * @cfg: configuration, RTNL and RCU
 * @sk: socket of the service port (server: of the primary address), while up
 * @sk2: server: socket of the secondary address
 * @quota: counts the peers of all devices with this underlay; freed after the
 *	   last of them lost its peers (pernet exit)
 * @keys: a server's keys, RTNL and RCU; set once
 * @port: service port, kept over down and up
 * @qual: qualification, qual_lock and RCU
 * @group_sk: socket of the discovery group, or the one of the service port;
 *	      NULL unless local discovery is on; RTNL
 * @group_link: ifindex of the device that @group_sk has joined the group on,
 *		0 if there is none; written under RTNL, read without
 * @error: why the device could not come up, or NULL; a constant string
 * @siblings: all Teredo devices, RTNL
 */
struct teredo_dev {
	struct net_device	*dev;
	struct net		*net;
	struct teredo_config __rcu *cfg;
	struct sock __rcu	*sk;
	struct sock __rcu	*sk2;
	struct teredo_qual __rcu *qual;
	struct teredo_stats __percpu *stats;
	struct rhashtable	peers;
	struct teredo_net	*quota;
	struct teredo_keys __rcu *keys;
	__be16			port;
	int			group_link;
	struct sock		*group_sk;
	struct delayed_work	group_work;
	const char		*error;
	struct list_head	siblings;

	/* qualification (teredo_qual.c) */
	spinlock_t		qual_lock;
	u32			state;		/* enum teredo_state, clients */
	u32			nat;		/* enum teredo_nat */
	__be32			server;		/* in use, 0 = configured one */
	__be32			secondary;
	struct teredo_ep	mapped;		/* of the last qualification */
	u16			flags;		/* its random bits */
	u32			helper;		/* netlink port, 0 = none */
	struct net		*helper_net;	/* of that port */
	char			reason[128];
	struct delayed_work	qual_work;
	u64			server_rx;	/* teredo_now() (CL-RX-04) */
	struct teredo_bucket	ctrl_rx;
	struct teredo_bucket	ctrl_tx;
	struct teredo_bucket	ctrl_err;

	/* peers (teredo_peer.c) */
	spinlock_t		lock;
	u32			n_peers;
	u32			*shares;	/* TEREDO_HASH_SIZE */
	atomic_t		queued;		/* memory of what waits */
	struct list_head	untrusted;	/* oldest first */
	struct list_head	trusted;	/* the next to be asked first */
	struct hlist_head	*wheel;
	unsigned long		*wheel_busy;
	u32			wheel_tick;	/* next tick to be worked off */
	u32			wheel_armed;	/* tick the work is set to */
	bool			wheel_on;
	struct delayed_work	wheel_work;

	/* limits (teredo_bubble.c) */
	spinlock_t		limit_lock;
	struct teredo_bucket	peer_bucket;
	struct teredo_bucket	bubble_bucket;	/* server: all it answers */
	struct teredo_bucket	test_bucket;
	struct teredo_bucket	rx_test_bucket;
	struct teredo_bucket	icmp6_bucket;
	struct teredo_bucket	err_bucket;	/* ICMPv6 made of ICMP */
	struct teredo_bucket	ntf_bucket;
	/* TEREDO_HASH_SIZE: by the server that bubbles go through; in a
	 * server by the network that a request came from
	 */
	struct teredo_bucket	*server_buckets;
	struct teredo_reply	*replies;		/* TEREDO_HASH_SIZE */
	u32			hash_seed;
	/* source of a relay's bubbles, limit_lock */
	struct in6_addr		own_saddr;
	u32			own_genid;
	bool			own_known;
};

/* What a packet needs to know of a peer, in one word that is read at once */
union teredo_path {
	u64	word;
	struct {
		__be32	addr;
		__be16	port;
		u8	state;
		u8	flags;
	};
};

static_assert(sizeof(union teredo_path) == sizeof(u64));
/* for 32 bits a sequence count would have to guard it */
static_assert(sizeof(long) == sizeof(u64));

/* teredo_path.state */
enum {
	TEREDO_PEER_NEW,
	TEREDO_PEER_TRUSTED,
	TEREDO_PEER_FAILED,
};

/* teredo_path.flags */
#define TEREDO_PEER_SEARCH	BIT(0)	/* bubbles or a test are under way */
#define TEREDO_PEER_NATIVE	BIT(1)	/* not in the service prefix */

/**
 * struct teredo_search - what only a peer without a path needs
 * @queue: packets that wait, oldest first
 * @sender: IPv6 source of the packet that started it (N-13, HR-05)
 * @bytes: their length
 * @tries: bubble pairs or tests sent so far
 * @releasing: one context is sending the queue
 * @local: the bubbles of this round go to the link (CL-TX-11)
 * @was_local: such a round was in vain (CL-TX-12)
 * @held: received packet that waits for the test (CL-RX-16)
 * @held_from: outer source of @held
 * @nonce: data of the test (C-18)
 * @id: identifier of the test
 */
struct teredo_search {
	struct sk_buff_head	queue;
	struct in6_addr		sender;
	u32			bytes;
	u8			tries;
	bool			releasing;
	bool			local;
	bool			was_local;
	__be16			id;
	u64			nonce;
	struct sk_buff		*held;
	struct teredo_ep	held_from;
};

/*
 * struct teredo_peer - a Teredo client or native host that we talk to
 * @node: in teredo_dev.peers, keyed by @addr
 * @addr: IPv6 address, all 128 bits
 * @path: endpoint and state; written under @lock
 * @dst: route to the endpoint (teredo_dst_ep()), RCU; written under @lock
 * @rx_packets: accepted from the endpoint, bubbles too
 * @tx_packets: sent to the endpoint, bubbles too
 * @last_rx: last reception
 * @last_tx: last transmission
 * @id: IPv4 identification of the next datagram (TUN-20)
 * @saddr: outer source address that belongs to @dst. A reader may see it, or
 *	   @path, with the former @dst: a packet that could as well have left
 *	   before, or to an endpoint that is reached by other ways now.
 * @room: that headers in front of a packet take if it goes by @dst, octets
 * @t: the device
 * @lock: protects what is said to be
 * @due: tick of the wheel
 * @retry: a failed peer is not tried again before
 * @nonce_sent: of the last indirect bubble to the peer, void once it came
 *		back; 0 = none (X-SN-02)
 * @nonce_at: time of that bubble
 * @nonce_rcvd: of the last indirect bubble from the peer, 0 = none (X-SN-02)
 * @local: address and port learned by local discovery, port 0 = none (V-03)
 * @local_seen: time of the last discovery bubble
 * @window: time of the first of @bubbles (CL-B-03)
 * @bubbles: pairs of bubbles in this window, a client's only
 * @answer: an indirect bubble is due (X-SN-09)
 * @ever_rx: a packet was accepted at least once
 * @ever_tx: a packet was sent at least once
 * @dead: unlinked, nothing may be started any more
 * @search: NULL unless TEREDO_PEER_SEARCH
 * @wheel: in a slot of the wheel, teredo_dev.lock
 * @lru: in teredo_dev.untrusted or .trusted, teredo_dev.lock
 *
 * Times are the low 32 bits of teredo_now().
 *
 * No reference count: a peer is found and used in one RCU read-side section,
 * and freed a grace period after teredo_peer_remove() made it unreachable.
 */
struct teredo_peer {
	struct rhash_head	node;
	struct in6_addr		addr;
	union teredo_path	path;
	struct dst_entry __rcu	*dst;
	u64			rx_packets;
	u64			tx_packets;
	u32			last_rx;
	u32			last_tx;

	__be32			saddr;
	atomic_t		id;
	struct teredo_dev	*t;
	spinlock_t		lock;		/* see @lock */
	u32			due;
	u32			retry;
	__be32			nonce_sent;
	u32			nonce_at;
	__be32			nonce_rcvd;
	struct teredo_ep	local;
	u32			local_seen;
	u32			window;
	u8			bubbles;
	bool			answer;
	bool			ever_rx;
	bool			ever_tx;
	bool			dead;
	u16			room;
	struct teredo_search	*search;
	struct hlist_node	wheel;
	struct list_head	lru;
	struct rcu_head		rcu;
};

#if !defined(CONFIG_DEBUG_SPINLOCK) && !defined(CONFIG_DEBUG_LOCK_ALLOC)
static_assert(sizeof(struct teredo_peer) <= 192);
static_assert(offsetof(struct teredo_peer, saddr) == 64);
#endif

/* Teredo addresses have the first word in common: it need not be mixed in */
static inline u32 teredo_peer_hash(const void *key, u32 len, u32 seed)
{
	const struct in6_addr *a = key;

	if (likely(a->s6_addr32[0] == htonl(TEREDO_PREFIX)))
		return jhash_3words((__force u32)a->s6_addr32[1],
				    (__force u32)a->s6_addr32[2],
				    (__force u32)a->s6_addr32[3], seed);
	return __ipv6_addr_jhash(a, seed);
}

static inline int teredo_peer_cmp(struct rhashtable_compare_arg *arg,
				  const void *obj)
{
	const struct teredo_peer *peer = obj;

	return !ipv6_addr_equal(&peer->addr, arg->key);
}

/* Functions that the compiler can put in place, unlike the defaults */
static const struct rhashtable_params teredo_peer_params = {
	.key_len = sizeof(struct in6_addr),
	.key_offset = offsetof(struct teredo_peer, addr),
	.head_offset = offsetof(struct teredo_peer, node),
	.hashfn = teredo_peer_hash,
	.obj_cmpfn = teredo_peer_cmp,
	.automatic_shrinking = true,
};

/**
 * teredo_peer_find - look a peer up
 * @t: the device
 * @addr: IPv6 address, all of it
 *
 * RCU.
 *
 * Return: the peer, valid in this RCU section, or NULL.
 */
static inline struct teredo_peer *teredo_peer_find(struct teredo_dev *t,
						   const struct in6_addr *addr)
{
	return rhashtable_lookup(&t->peers, addr, teredo_peer_params);
}

static inline union teredo_path teredo_path(const struct teredo_peer *peer)
{
	union teredo_path p = { .word = READ_ONCE(peer->path.word) };

	return p;
}

static inline struct teredo_ep teredo_path_ep(union teredo_path p)
{
	struct teredo_ep ep = { .addr = p.addr, .port = p.port };

	return ep;
}

/*
 * Where the peer's route leads to: the endpoint, or before there is one that
 * which a Teredo address names. Under its lock.
 */
static inline struct teredo_ep teredo_dst_ep(const struct teredo_peer *peer)
{
	return peer->path.addr ? teredo_path_ep(peer->path) :
				 teredo_mapped(&peer->addr);
}

/* Global unicast as far as the first octets tell, without further questions */
static inline bool teredo_addr6_plain(const struct in6_addr *a)
{
	return (a->s6_addr[0] & 0xe0) == 0x20;
}

/* Global unicast: what is worth being carried to the IPv6 Internet */
static inline bool teredo_addr6_global(const struct in6_addr *a)
{
	int type = ipv6_addr_type(a);

	return type & IPV6_ADDR_UNICAST &&
	       !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL |
			 IPV6_ADDR_SITELOCAL | IPV6_ADDR_MAPPED)) &&
	       (a->s6_addr[0] & 0xfe) != 0xfc;	/* unique local */
}

/* How long ago was that? Another CPU may have seen to it after we looked. */
static inline u32 teredo_since(u32 now, u32 then)
{
	u32 since = now - then;

	return since > U32_MAX - HZ ? 0 : since;
}

/* Was the peer heard within its validity (C-11, CL-P-04)? */
static inline bool teredo_peer_fresh(const struct teredo_peer *peer, u32 now)
{
	return teredo_since(now, READ_ONCE(peer->last_rx)) < TEREDO_VALIDITY;
}

/* Is the peer's endpoint good for sending (C-11)? */
static inline bool teredo_peer_known(const struct teredo_peer *peer,
				     union teredo_path path)
{
	return path.state == TEREDO_PEER_TRUSTED &&
	       teredo_peer_fresh(peer, teredo_now());
}

/* Is the peer behind the same NAT as this client (AMB-21, SEC-63)? */
static inline bool teredo_same_nat(const struct teredo_qual *q,
				   const struct in6_addr *addr)
{
	return teredo_mapped(addr).addr == q->mapped.addr;
}

/* Count an event of enum teredo attribute TEREDO_A_STATS_... Any context. */
static inline void teredo_count(const struct teredo_dev *t, unsigned int stat)
{
	this_cpu_inc(t->stats->count[stat]);
}

/* teredo_main.c */
extern struct rtnl_link_ops teredo_link_ops;
extern struct list_head teredo_devices;
extern unsigned int teredo_n_devices;
extern unsigned int teredo_net_id;
extern struct workqueue_struct *teredo_wq;

struct teredo_net {
	atomic_t	n_peers;
	u32		max_peers;
	struct ctl_table_header *sysctl;
};

bool teredo_dev_is(const struct net_device *dev);

/* teredo_config.c */
extern const struct nla_policy teredo_policy[IFLA_TEREDO_MAX + 1];
void teredo_config_defaults(struct teredo_config *cfg, u8 mode);
int teredo_config_parse(struct teredo_config *cfg, struct nlattr *tb[],
			struct nlattr *data[], const struct teredo_config *old,
			bool running, struct net *net,
			struct netlink_ext_ack *extack);
size_t teredo_config_size(void);
int teredo_config_fill(struct sk_buff *skb, const struct teredo_dev *t);

/* teredo_xmit.c */
netdev_tx_t teredo_xmit(struct sk_buff *skb, struct net_device *dev);
struct rtable *teredo_route(const struct teredo_dev *t,
			    const struct teredo_config *cfg, struct sock *sk,
			    struct teredo_ep to, __be32 *saddr, int link);
void teredo_peer_send(struct teredo_peer *peer, struct sk_buff *skb);
int teredo_send(struct teredo_dev *t, struct sk_buff *skb,
		struct teredo_ep to, bool self, u8 hops);
int teredo_send_from(struct teredo_dev *t, struct sock *sk, __be32 saddr,
		     struct sk_buff *skb, struct teredo_ep to, bool self);
int teredo_send_group(struct teredo_dev *t, struct sk_buff *skb,
		      struct teredo_ep to, int link);
struct sk_buff *teredo_alloc_skb(struct teredo_dev *t, unsigned int len);
unsigned int teredo_ipv4_sendable(const struct teredo_config *cfg,
				  struct net *net, __be32 addr);
bool teredo_embeds_own(const struct teredo_dev *t, struct net *net,
		       const struct in6_addr *a);

static inline bool teredo_is_6to4(const struct in6_addr *a)
{
	return a->s6_addr16[0] == htons(0x2002);
}

static inline bool teredo_is_isatap(const struct in6_addr *a)
{
	return (a->s6_addr32[2] & ~htonl(0x02000000)) == htonl(0x00005efe);
}

/*
 * RFC 6324 section 3.3, SEC-35 and SEC-36: is the source of a packet into the
 * tunnel, or the destination of one out of it, a way back to this host?
 * Softirq, RCU.
 */
static inline bool teredo_loops6324(const struct teredo_dev *t,
				    struct net *net, const struct in6_addr *a)
{
	return unlikely(teredo_is_6to4(a) || teredo_is_isatap(a)) &&
	       teredo_embeds_own(t, net, a);
}

/* teredo_recv.c */
int teredo_encap_rcv(struct sock *sk, struct sk_buff *skb);
int teredo_group_rcv(struct sock *sk, struct sk_buff *skb);
int teredo_gro_init(void);
struct sk_buff *teredo_gro_receive(struct sock *sk, struct list_head *head,
				   struct sk_buff *skb);
int teredo_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff);
bool teredo_decap(struct teredo_dev *t, struct sk_buff *skb,
		  unsigned int hlen);
void teredo_netif_receive(struct teredo_dev *t, struct sk_buff *skb);
void teredo_deliver(struct teredo_dev *t, struct sk_buff *skb,
		    unsigned int hlen);

/* teredo_peer.c */
int teredo_peer_cache_init(void);
void teredo_peer_cache_exit(void);
int teredo_peers_init(struct teredo_dev *t);
void teredo_peers_uninit(struct teredo_dev *t);
int teredo_peers_start(struct teredo_dev *t);
void teredo_peers_stop(struct teredo_dev *t);
struct teredo_peer *teredo_peer_make(struct teredo_dev *t,
				     const struct teredo_config *cfg,
				     const struct in6_addr *addr, bool by_rx);
bool teredo_peer_remove(struct teredo_peer *peer);
void teredo_peers_shrink(struct teredo_dev *t, u32 max);
void teredo_peers_reroute(struct teredo_dev *t);
void teredo_peers_revoke(struct teredo_dev *t, const struct teredo_config *cfg);
void teredo_peer_schedule(struct teredo_peer *peer, u32 wait);
void teredo_peer_schedule_idle(struct teredo_peer *peer, u32 wait);
void teredo_peer_rank(struct teredo_peer *peer, bool trusted);
bool teredo_bucket_take(struct teredo_dev *t, struct teredo_bucket *b,
			u32 rate);

/* teredo_search.c */
void teredo_search_xmit(struct teredo_peer *peer,
			const struct teredo_config *cfg, struct sk_buff *skb);
void teredo_search_timeout(struct teredo_peer *peer);
void teredo_search_free(struct teredo_dev *t, struct teredo_search *s,
			int code);
void teredo_peer_heard(struct teredo_peer *peer, struct teredo_ep from);
void teredo_search_open(struct teredo_peer *peer);
bool teredo_test_reply(struct teredo_peer *peer, struct sk_buff *skb,
		       unsigned int hlen, struct teredo_ep from);
bool teredo_test_error(const struct teredo_qual *q, struct teredo_peer *peer,
		       struct sk_buff *skb, unsigned int hlen);
void teredo_test_held(struct teredo_dev *t, const struct teredo_config *cfg,
		      struct teredo_peer *peer, struct sk_buff *skb,
		      struct teredo_ep from);

/* teredo_bubble.c */
bool teredo_bubble_token(struct teredo_dev *t, const struct teredo_config *cfg,
			 __be32 server);
bool teredo_bubble_event(struct teredo_peer *peer, u32 now);
void teredo_bubble_count(struct teredo_peer *peer, u32 now);
u32 teredo_bubble_bar(const struct teredo_peer *peer);
void teredo_bubble_pair(struct teredo_peer *peer,
			const struct teredo_config *cfg,
			const struct in6_addr *sender, bool half, bool first);
void teredo_bubble_local(struct teredo_peer *peer,
			 const struct teredo_config *cfg,
			 const struct teredo_qual *q, struct teredo_ep to);
void teredo_bubble_group(struct teredo_dev *t,
			 const struct teredo_config *cfg,
			 const struct teredo_qual *q);
bool teredo_nonce_proves(struct teredo_peer *peer, __be32 nonce);
void teredo_local_reply(struct teredo_peer *peer,
			const struct teredo_config *cfg,
			const struct teredo_qual *q, struct teredo_ep to);
void teredo_bubble_reply(struct teredo_dev *t, const struct teredo_config *cfg,
			 const struct teredo_qual *q,
			 const struct in6_addr *to, struct teredo_ep origin,
			 const struct teredo_trailers *tr);
void teredo_reply_heard(struct teredo_dev *t, struct teredo_ep from);
void teredo_answer_timeout(struct teredo_peer *peer);

/* teredo_qual.c */
void teredo_servers(const struct teredo_dev *t, const struct teredo_qual *q,
		    __be32 *primary, __be32 *secondary);
void teredo_qual_init(struct teredo_dev *t);
int teredo_qual_set(struct teredo_dev *t, struct nlattr *attrs[],
		    struct netlink_ext_ack *extack);
void teredo_qual_arm(struct teredo_dev *t);
void teredo_qual_down(struct teredo_dev *t);
void teredo_qual_forget(struct teredo_dev *t);
int teredo_ctrl_bind(struct teredo_dev *t, u32 portid, struct net *net,
		     struct netlink_ext_ack *extack);
void teredo_ctrl_unbind(struct teredo_dev *t);
void teredo_ctrl_release(u32 portid, struct net *net);
int teredo_ctrl_send(struct teredo_dev *t, struct nlattr *attrs[],
		     struct netlink_ext_ack *extack);
int teredo_ctrl_refuse(struct teredo_dev *t, struct nlattr *attrs[],
		       struct netlink_ext_ack *extack);
void teredo_ctrl_recv(struct teredo_dev *t, struct sk_buff *skb);
void teredo_ctrl_err(struct teredo_dev *t, __be32 server, u8 type, u8 code);

/* teredo_local.c */
void teredo_local_init(struct teredo_dev *t);
void teredo_local_update(struct teredo_dev *t, bool anew);
void teredo_local_down(struct teredo_dev *t);
bool teredo_peer_is_local(const struct teredo_peer *peer);
bool teredo_local_is_at(struct teredo_peer *peer, struct teredo_ep from);
void teredo_local_rcv(struct teredo_dev *t, const struct teredo_config *cfg,
		      const struct teredo_qual *q, struct sk_buff *skb,
		      unsigned int hlen);

/* teredo_server.c */
void teredo_server_rcv(struct teredo_dev *t, struct sock *sk,
		       struct sk_buff *skb, const struct teredo_parsed *p);

/* teredo_key.c */
const struct teredo_key *teredo_key_find(const struct teredo_dev *t,
					 const u8 *id, u8 len);
unsigned int teredo_key_mac_len(const struct teredo_key *key);
u8 teredo_key_confirm(const struct teredo_key *key);
void teredo_key_mac(const struct teredo_key *key, const u8 *data, size_t len,
		    u8 *mac);
void teredo_keys_flush(struct teredo_dev *t);
void teredo_keys_free(struct teredo_dev *t);

/* teredo_icmp.c */
void teredo_icmp6_unreach(struct teredo_dev *t, struct sk_buff *skb, u8 code);
void teredo_icmp6_too_big(struct teredo_dev *t, struct sk_buff *skb, u32 mtu);
int teredo_err_lookup(struct sock *sk, struct sk_buff *skb);
void teredo_err_rcv(struct sock *sk, struct sk_buff *skb, int err,
		    __be16 port, u32 info, u8 *payload);

/* teredo_drop.c */
void teredo_drop(struct teredo_dev *t, struct sk_buff *skb, unsigned int stat);
void teredo_drop_inner(struct teredo_dev *t, struct sk_buff *skb,
		       unsigned int stat, struct teredo_ep from);
void teredo_tx_drop(struct teredo_dev *t, struct sk_buff *skb,
		    unsigned int stat);
void teredo_tx_omit(struct teredo_dev *t, unsigned int stat,
		    const struct in6_addr *daddr);
void teredo_rx_refused(struct teredo_dev *t, unsigned int stat,
		       struct teredo_ep from);

/* teredo_netlink.c */
int teredo_netlink_init(void);
void teredo_netlink_exit(void);
struct teredo_dev *teredo_nl_by_index(struct net *net,
				      const struct nlattr *attr,
				      struct netlink_ext_ack *extack);
int teredo_nl_locked(struct genl_info *info,
		     int (*fn)(struct teredo_dev *t, struct genl_info *info));
void teredo_dev_notify(struct teredo_dev *t);
void teredo_dev_notify_gone(struct teredo_dev *t);
void teredo_peer_notify(struct teredo_peer *peer);
int teredo_ctrl_notify(struct teredo_dev *t, u32 portid, struct net *net,
		       const struct sk_buff *skb);
int teredo_ctrl_err_notify(struct teredo_dev *t, u32 portid, struct net *net,
			   __be32 server, u8 type, u8 code);
void teredo_stats_read(const struct teredo_dev *t, u64 *sum);
extern const char teredo_stat_names[TEREDO_NR_STATS][ETH_GSTRING_LEN];

#endif /* _TEREDO_H */
