// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: server mode (RFC 4380 section 5.3)
 *
 * The steps in their order: is this a datagram that a server has to do with,
 * a router solicitation that is answered, a bubble or a test that is forwarded
 * to a Teredo client or to the IPv6 Internet. teredo_server_rcv() at the end
 * strings them together.
 *
 * Nothing is remembered of a client: a packet changes counters and token
 * buckets, whose number is fixed (SV-02). All belongs to the device, so that
 * servers beside each other share nothing (SV-41).
 */
#include <crypto/utils.h>
#include <linux/icmpv6.h>
#include <linux/jhash.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "teredo.h"

/* Part of the device's rate that a source network has in each of its buckets */
#define TEREDO_SERVER_SHARE	16

/* Octets of a solicitation: work that is done before any limit is asked */
#define TEREDO_RS_MAX		256

/* What an authentication value covers in front of IPv6's payload (CL-S-05) */
#define TEREDO_COVERED_HLEN	(sizeof(struct teredo_auth_tail) + \
				 sizeof(struct ipv6hdr))

/* Networks that share their buckets do so for this long */
#define TEREDO_SERVER_EPOCH	(8 * HZ)

/**
 * struct teredo_request - a datagram as a server sees it
 * @cfg: the device's configuration
 * @net: the underlay
 * @primary: socket of the primary address
 * @secondary: socket of the secondary address
 * @to_primary: it came to the primary address
 * @from: outer source
 * @off: offset of the IPv6 packet in the skb
 * @len: octets of IPv6 payload
 * @bubble: neither @icmp6 nor anything else follows the IPv6 header
 * @ip6: the IPv6 header
 * @icmp6: the ICMPv6 header
 *
 * The headers are copies, as an authentication header leaves them unaligned.
 */
struct teredo_request {
	const struct teredo_config *cfg;
	struct net	*net;
	struct sock	*primary;
	struct sock	*secondary;
	bool		to_primary;
	struct teredo_ep from;
	unsigned int	off;
	unsigned int	len;
	bool		bubble;
	struct ipv6hdr	ip6;
	struct icmp6hdr	icmp6;
};

static bool teredo_request_is_rs(const struct teredo_request *rq)
{
	return !rq->bubble &&
	       rq->icmp6.icmp6_type == NDISC_ROUTER_SOLICITATION;
}

/*
 * Bubble or ICMPv6 (SV-05, SEC-13), with no header in front that does not
 * belong there (SEC-05, SEC-06)? Here as in what follows: 0, or the counter of
 * the refusal.
 */
static unsigned int teredo_request_parse(struct teredo_request *rq,
					 const struct sk_buff *skb,
					 const struct teredo_parsed *p)
{
	if (p->origin >= 0)
		return TEREDO_A_STATS_RX_ORIGIN;

	rq->off = sizeof(struct udphdr) + p->ip6;
	if (skb_copy_bits(skb, rq->off, &rq->ip6, sizeof(rq->ip6)))
		return TEREDO_A_STATS_RX_SHORT;
	rq->len = ntohs(rq->ip6.payload_len);
	rq->bubble = teredo_is_bubble(&rq->ip6);
	if (!rq->bubble) {
		if (rq->ip6.nexthdr != IPPROTO_ICMPV6)
			return TEREDO_A_STATS_RX_TYPE;
		if (rq->len < sizeof(rq->icmp6) ||
		    skb_copy_bits(skb, rq->off + sizeof(rq->ip6), &rq->icmp6,
				  sizeof(rq->icmp6)))
			return TEREDO_A_STATS_RX_SHORT;
	}
	if (p->auth >= 0 && !teredo_request_is_rs(rq))
		return TEREDO_A_STATS_RX_HEADER;
	return 0;
}

/*
 * Can the datagram come from where it says (SV-06, SEC-08, SEC-38)? What is
 * answered goes there (SV-27).
 */
static unsigned int teredo_request_origin(const struct teredo_request *rq)
{
	int type;

	if (!rq->from.port ||
	    !teredo_ipv4_global(rq->from.addr, rq->cfg->private_ok))
		return TEREDO_A_STATS_RX_NOT_GLOBAL;
	switch (inet_addr_type(rq->net, rq->from.addr)) {
	case RTN_LOCAL:
		if (rq->from.port == htons(TEREDO_UDP_PORT))
			return TEREDO_A_STATS_RX_LOOP;
		break;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
		return TEREDO_A_STATS_RX_NOT_GLOBAL;
	}

	type = ipv6_addr_type(&rq->ip6.saddr);
	if (!(type & IPV6_ADDR_UNICAST) || type & IPV6_ADDR_LOOPBACK)
		return TEREDO_A_STATS_RX_MARTIAN6;
	return 0;
}

/* Is the IPv6 source the Teredo address of the sender (SV-09, SEC-28)? */
static bool teredo_request_from_client(const struct teredo_request *rq)
{
	return teredo_has_prefix(&rq->ip6.saddr, rq->cfg->prefix) &&
	       teredo_ep_equal(teredo_mapped(&rq->ip6.saddr), rq->from);
}

/*
 * Within the limits (SV-39)? A source network is held to its share first, so
 * that it cannot use up what the device has for all. It has two buckets: a
 * flood starves no network but those that have both in common with it.
 */
static bool teredo_server_admit(struct teredo_dev *t,
				const struct teredo_request *rq)
{
	u32 share = DIV_ROUND_UP(rq->cfg->rate, TEREDO_SERVER_SHARE);
	struct teredo_bucket *buckets = t->server_buckets;
	u32 epoch = jiffies / TEREDO_SERVER_EPOCH;
	u32 hash;

	hash = jhash_2words(ntohl(rq->from.addr) >> 8, epoch, t->hash_seed);
	if (!teredo_bucket_take(t, &buckets[hash % TEREDO_HASH_SIZE], share) &&
	    !teredo_bucket_take(t, &buckets[(hash >> 16) % TEREDO_HASH_SIZE],
				share))
		return false;
	return teredo_bucket_take(t, &t->bubble_bucket, rq->cfg->rate);
}

/* Checksum and options of a router solicitation, RFC 4861 section 6.1.1 */
static bool teredo_rs_intact(const struct teredo_request *rq,
			     const struct sk_buff *skb)
{
	unsigned int off = rq->off + sizeof(rq->ip6);
	unsigned int end = off + rq->len;
	__wsum csum;

	csum = skb_checksum(skb, off, rq->len, 0);
	if (csum_ipv6_magic(&rq->ip6.saddr, &rq->ip6.daddr, rq->len,
			    IPPROTO_ICMPV6, csum))
		return false;

	off += sizeof(struct rs_msg);
	while (off < end) {
		struct nd_opt_hdr opt;

		if (end - off < sizeof(opt) ||
		    skb_copy_bits(skb, off, &opt, sizeof(opt)) ||
		    !opt.nd_opt_len || opt.nd_opt_len * 8 > end - off)
			return false;
		off += opt.nd_opt_len * 8;
	}
	return true;
}

/* A router solicitation for this server (SV-07, SV-09, SV-12, N-03)? */
static unsigned int teredo_rs_check(const struct teredo_request *rq,
				    const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = &rq->ip6;
	bool client = teredo_request_from_client(rq);
	struct in6_addr self;

	if (!client && !(ipv6_addr_type(&ip6->saddr) & IPV6_ADDR_LINKLOCAL))
		return TEREDO_A_STATS_RX_BAD_SOURCE;
	teredo_server_linklocal(&self, rq->cfg->local);
	if (!ipv6_addr_is_ll_all_routers(&ip6->daddr) &&
	    !(client && ipv6_addr_equal(&ip6->daddr, &self)))
		return TEREDO_A_STATS_RX_ND;
	if (ip6->hop_limit != 255 || rq->icmp6.icmp6_code ||
	    rq->len > TEREDO_RS_MAX || !teredo_rs_intact(rq, skb))
		return TEREDO_A_STATS_RX_ND;
	return 0;
}

/*
 * Who solicits: the key of the client that the authentication names and proves
 * (SV-08, CL-S-06), NULL if it does not.
 *
 * An unknown identifier costs no hash (SEC-55), so it takes less time than a
 * wrong value. Nobody can measure that: both came through the same limit
 * before, both get the same silence (SEC-26).
 */
static const struct teredo_key *
teredo_rs_key(const struct teredo_dev *t, const struct teredo_request *rq,
	      const struct sk_buff *skb, const struct teredo_parsed *p)
{
	const unsigned int len = TEREDO_COVERED_HLEN + rq->len;
	u8 covered[TEREDO_COVERED_HLEN + TEREDO_RS_MAX];
	const struct teredo_auth_hdr *auth;
	const struct teredo_key *key;
	u8 mac[TEREDO_MAC_MAX];
	const u8 *id, *value;
	unsigned int off;
	bool right;

	if (p->auth < 0)
		return NULL;
	auth = (const void *)(skb->data + sizeof(struct udphdr) + p->auth);
	id = (const u8 *)(auth + 1);
	value = id + auth->id_len;
	key = teredo_key_find(t, id, auth->id_len);
	if (!key || auth->au_len != teredo_key_mac_len(key))
		return NULL;
	/* the nonce to the end of the IPv6 packet, without trailers */
	off = value + auth->au_len - skb->data;
	if (skb_copy_bits(skb, off, covered, len))
		return NULL;
	teredo_key_mac(key, covered, len, mac);
	right = !crypto_memneq(mac, value, auth->au_len);
	memzero_explicit(mac, sizeof(mac));
	return right ? key : NULL;
}

/* The advertisement, N-04 to N-07; what is not set goes out as 0 (E-11) */
struct teredo_ra {
	struct ipv6hdr		ip6;
	struct ra_msg		msg;

	struct nd_opt_hdr	prefix_opt;
	u8			prefix_len;
	u8			prefix_flags;
	__be32			valid;
	__be32			preferred;
	__be32			prefix_reserved;
	struct in6_addr		prefix;

	struct nd_opt_hdr	mtu_opt;
	__be16			mtu_reserved;
	__be32			mtu;
};

static_assert(sizeof(struct teredo_ra) == 96);

#define TEREDO_PREFIX_AUTO	0x40	/* autonomous, not on-link */

static void teredo_ra_fill(struct teredo_ra *ra, const struct teredo_dev *t,
			   const struct teredo_request *rq)
{
	const unsigned int len = sizeof(*ra) - sizeof(ra->ip6);
	const struct teredo_config *cfg = rq->cfg;

	memset(ra, 0, sizeof(*ra));
	ip6_flow_hdr(&ra->ip6, 0, 0);
	ra->ip6.payload_len = htons(len);
	ra->ip6.nexthdr = IPPROTO_ICMPV6;
	ra->ip6.hop_limit = 255;
	teredo_server_linklocal(&ra->ip6.saddr, cfg->local);	/* SV-23 */
	ra->ip6.daddr = rq->ip6.saddr;

	ra->msg.icmph.icmp6_type = NDISC_ROUTER_ADVERTISEMENT;
	ra->prefix_opt.nd_opt_type = ND_OPT_PREFIX_INFO;
	ra->prefix_opt.nd_opt_len = 4;
	ra->prefix_len = 64;
	ra->prefix_flags = TEREDO_PREFIX_AUTO;
	ra->valid = htonl(U32_MAX);
	ra->preferred = htonl(U32_MAX);
	/* of the primary address, whichever was asked (SV-22) */
	ra->prefix.s6_addr32[0] = cfg->prefix;
	ra->prefix.s6_addr32[1] = cfg->local;
	ra->mtu_opt.nd_opt_type = ND_OPT_MTU;		/* SV-32 */
	ra->mtu_opt.nd_opt_len = 1;
	ra->mtu = htonl(READ_ONCE(t->dev->mtu));

	ra->msg.icmph.icmp6_cksum =
		csum_ipv6_magic(&ra->ip6.saddr, &ra->ip6.daddr, len,
				IPPROTO_ICMPV6,
				csum_partial(&ra->msg, len, 0));
}

/* Indicates where a datagram came from (E-02, E-06, SV-17, SV-21) */
static struct teredo_origin_hdr teredo_origin(struct teredo_ep from)
{
	struct teredo_origin_hdr origin = {
		.type = htons(TEREDO_HDR_ORIGIN),
		.port = (__force __be16)~from.port,
		.addr = ~from.addr,
	};

	return origin;
}

/*
 * Authentication of the answer: the nonce of the solicitation (SV-28,
 * CL-S-03). With a key also the identifier, room for the value and whether the
 * key is still good (SV-30, CL-S-02); without one what else came is of no
 * account (SV-31).
 */
static void teredo_put_auth(struct sk_buff *answer,
			    const struct teredo_auth_hdr *asked,
			    const struct teredo_key *key)
{
	const u8 *id = (const u8 *)(asked + 1);
	struct teredo_auth_hdr hdr = { .type = htons(TEREDO_HDR_AUTH) };
	struct teredo_auth_tail tail = {};

	memcpy(tail.nonce, id + asked->id_len + asked->au_len,
	       sizeof(tail.nonce));
	if (key) {
		hdr.id_len = asked->id_len;
		hdr.au_len = teredo_key_mac_len(key);
		tail.confirm = teredo_key_confirm(key);
	}
	skb_put_data(answer, &hdr, sizeof(hdr));
	skb_put_data(answer, id, hdr.id_len);
	skb_put_zero(answer, hdr.au_len);
	skb_put_data(answer, &tail, sizeof(tail));
}

/* Fill the authentication value in, when all that it covers is there */
static void teredo_sign(struct sk_buff *answer, const struct teredo_key *key)
{
	const struct teredo_auth_hdr *hdr = (const void *)answer->data;
	u8 *value = answer->data + sizeof(*hdr) + hdr->id_len;
	u8 *covered = value + hdr->au_len;

	teredo_key_mac(key, covered, skb_tail_pointer(answer) - covered, value);
}

/*
 * Answer a router solicitation (section 5.3.2). A client that sets the cone
 * flag asks whether its NAT lets through what comes from an address that it
 * did not send to, so the answer leaves from the other address. Servers must
 * not ignore the flag, else clients would take any NAT for a cone (SV-25,
 * SV-26; RFC 5991 section 3.2). It goes to where the question came from
 * (SV-24), routed by the address that it leaves from (SV-35), with no more
 * authentication than was asked for (SV-29).
 */
static void teredo_server_advertise(struct teredo_dev *t,
				    const struct sk_buff *skb,
				    const struct teredo_parsed *p,
				    const struct teredo_request *rq,
				    const struct teredo_key *key)
{
	const struct teredo_auth_hdr *asked =
		(const void *)(skb->data + sizeof(struct udphdr) + p->auth);
	bool cone = teredo_addr(&rq->ip6.saddr)->flags &
		    htons(TEREDO_FLAG_CONE);
	struct teredo_origin_hdr origin = teredo_origin(rq->from);
	const struct teredo_config *cfg = rq->cfg;
	struct sk_buff *answer;
	struct teredo_ra ra;
	unsigned int hlen;
	int err;

	hlen = sizeof(origin);
	if (p->auth >= 0)
		hlen += sizeof(struct teredo_auth_hdr) +
			sizeof(struct teredo_auth_tail);
	if (key)
		hlen += asked->id_len + teredo_key_mac_len(key);
	answer = teredo_alloc_skb(t, hlen + sizeof(ra));
	if (!answer)
		return;
	skb_set_network_header(answer, hlen);
	if (p->auth >= 0)
		teredo_put_auth(answer, asked, key);
	skb_put_data(answer, &origin, sizeof(origin));
	teredo_ra_fill(&ra, t, rq);
	skb_put_data(answer, &ra, sizeof(ra));
	if (key)
		teredo_sign(answer, key);

	if (rq->to_primary != cone)
		err = teredo_send_from(t, rq->primary, cfg->local, answer,
				       rq->from, true);
	else
		err = teredo_send_from(t, rq->secondary, cfg->secondary,
				       answer, rq->from, true);
	if (!err)
		teredo_count(t, TEREDO_A_STATS_TX_ADVERTS);
}

static void teredo_server_solicited(struct teredo_dev *t, struct sk_buff *skb,
				    const struct teredo_parsed *p,
				    const struct teredo_request *rq)
{
	const struct teredo_key *key = NULL;
	unsigned int stat;

	stat = teredo_rs_check(rq, skb);
	if (stat)
		goto drop;
	stat = TEREDO_A_STATS_RX_RATE;
	if (!teredo_server_admit(t, rq))
		goto drop;
	stat = TEREDO_A_STATS_RX_AUTH;
	if (rq->cfg->secure) {
		key = teredo_rs_key(t, rq, skb, p);
		if (!key)
			goto drop;
	}
	teredo_server_advertise(t, skb, p, rq, key);
	consume_skb(skb);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/* A kind of packet that a server forwards (SV-19, SV-20)? */
static unsigned int teredo_forward_type(const struct teredo_request *rq)
{
	if (rq->bubble)
		return 0;
	switch (rq->icmp6.icmp6_type) {
	case ICMPV6_ECHO_REQUEST:
	case ICMPV6_ECHO_REPLY:
		break;
	case NDISC_ROUTER_SOLICITATION:		/* COM-05, SEC-12 */
	case NDISC_ROUTER_ADVERTISEMENT:
	case NDISC_NEIGHBOUR_SOLICITATION:
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
	case NDISC_REDIRECT:
		return TEREDO_A_STATS_RX_ND;
	default:
		return TEREDO_A_STATS_RX_TYPE;
	}
	if (rq->len > rq->cfg->icmp_limit)
		return TEREDO_A_STATS_RX_TYPE;
	return 0;
}

/*
 * From this source to this destination (SV-09 to SV-13, SEC-28)? Who is not
 * known to be where its address says may reach our own clients only, never a
 * native host (SV-40).
 */
static unsigned int teredo_forward_addrs(const struct teredo_request *rq)
{
	const struct in6_addr *saddr = &rq->ip6.saddr;
	const struct in6_addr *daddr = &rq->ip6.daddr;
	bool teredo = teredo_has_prefix(daddr, rq->cfg->prefix);

	if (!teredo && !teredo_addr6_global(daddr))
		return TEREDO_A_STATS_RX_MARTIAN6;
	if (ipv6_addr_type(saddr) & IPV6_ADDR_LINKLOCAL && !rq->bubble)
		return TEREDO_A_STATS_RX_LINKLOCAL;
	if (teredo_request_from_client(rq))
		return 0;
	if (teredo && teredo_server(daddr) == rq->cfg->local &&
	    !teredo_has_prefix(saddr, rq->cfg->prefix))
		return 0;
	return TEREDO_A_STATS_RX_BAD_SOURCE;
}

/*
 * To a Teredo client: the packet and its trailers in another datagram, from the
 * primary address (SV-15 to SV-18)
 */
static void teredo_forward_client(struct teredo_dev *t, struct sk_buff *skb,
				  const struct teredo_request *rq)
{
	struct teredo_ep to = teredo_mapped(&rq->ip6.daddr);
	struct teredo_origin_hdr origin = teredo_origin(rq->from);
	const struct teredo_config *cfg = rq->cfg;
	unsigned int stat;

	stat = TEREDO_A_STATS_TX_BAD_PORT;
	if (!to.port)
		goto drop;
	stat = TEREDO_A_STATS_TX_NOT_GLOBAL;
	if (!teredo_ipv4_global(to.addr, cfg->private_ok))
		goto drop;
	/* bubbles and tests with trailers, not data (SV-20) */
	stat = TEREDO_A_STATS_TX_TOO_BIG;
	if (skb->len - rq->off > TEREDO_MIN_MTU || skb_is_gso(skb))
		goto drop;
	stat = TEREDO_A_STATS_TX_RATE;
	if (!teredo_server_admit(t, rq))
		goto drop;
	stat = TEREDO_A_STATS_RX_NO_MEMORY;
	/* nobody else's; the headers it came with have left room */
	if (skb_cow_head(skb, 0))
		goto drop;

	skb_pull_rcsum(skb, rq->off);
	skb_reset_network_header(skb);
	/* only our own clients believe our origin indication */
	if (teredo_server(&rq->ip6.daddr) == cfg->local)
		memcpy(skb_push(skb, sizeof(origin)), &origin, sizeof(origin));
	skb->dev = t->dev;
	skb->protocol = htons(ETH_P_IPV6);
	skb->priority = TC_PRIO_CONTROL;
	skb_clear_tstamp(skb);
	if (!teredo_send_from(t, rq->primary, cfg->local, skb, to, false))
		teredo_count(t, TEREDO_A_STATS_TX_RELAYED);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/* To a native host: the packet without its trailers, to be routed (SV-14) */
static void teredo_forward_native(struct teredo_dev *t, struct sk_buff *skb,
				  const struct teredo_request *rq)
{
	unsigned int stat;

	/* bubbles never get to the IPv6 stack (COM-04) */
	stat = TEREDO_A_STATS_RX_TYPE;
	if (rq->bubble)
		goto drop;
	stat = TEREDO_A_STATS_RX_LOOP6324;
	if (teredo_loops6324(t, rq->net, &rq->ip6.daddr))
		goto drop;
	stat = TEREDO_A_STATS_TX_RATE;
	if (!teredo_server_admit(t, rq))
		goto drop;
	stat = TEREDO_A_STATS_RX_NO_MEMORY;
	if (pskb_trim_rcsum(skb, rq->off + sizeof(rq->ip6) + rq->len))
		goto drop;

	teredo_count(t, TEREDO_A_STATS_TX_RELAYED);
	teredo_deliver(t, skb, rq->off);
	return;

drop:
	teredo_drop(t, skb, stat);
}

/**
 * teredo_server_rcv - a datagram for a server
 * @t: the device
 * @sk: socket that it came to
 * @skb: data is the UDP header, network header the outer IPv4 header; the
 *	 headers that @p tells of are linear; consumed
 * @p: its headers
 *
 * The checks of RFC 4380 section 5.3.1 in their order, the first of them by
 * the caller (SV-04). A relay on the same host is another device (SV-36).
 * Softirq, RCU.
 */
void teredo_server_rcv(struct teredo_dev *t, struct sock *sk,
		       struct sk_buff *skb, const struct teredo_parsed *p)
{
	struct teredo_request rq = {
		.cfg = rcu_dereference(t->cfg),
		.net = sock_net(sk),
		.primary = rcu_dereference(t->sk),
		.secondary = rcu_dereference(t->sk2),
		.from.addr = ip_hdr(skb)->saddr,
		.from.port = ((struct udphdr *)skb->data)->source,
	};
	unsigned int stat;

	stat = TEREDO_A_STATS_RX_DOWN;
	if (!rq.primary || !rq.secondary)
		goto drop;
	rq.to_primary = sk == rq.primary;
	stat = teredo_request_parse(&rq, skb, p);
	if (stat)
		goto drop;
	stat = teredo_request_origin(&rq);
	if (stat)
		goto drop;
	if (teredo_request_is_rs(&rq)) {
		teredo_server_solicited(t, skb, p, &rq);
		return;
	}

	stat = TEREDO_A_STATS_RX_TYPE;
	if (!rq.to_primary)	/* SV-34 */
		goto drop;
	stat = teredo_forward_type(&rq);
	if (stat)
		goto drop;
	stat = teredo_forward_addrs(&rq);
	if (stat)
		goto drop;
	if (rq.bubble)
		teredo_count(t, TEREDO_A_STATS_RX_BUBBLES);
	if (teredo_has_prefix(&rq.ip6.daddr, rq.cfg->prefix))
		teredo_forward_client(t, skb, &rq);
	else
		teredo_forward_native(t, skb, &rq);
	return;

drop:
	teredo_drop(t, skb, stat);
}
