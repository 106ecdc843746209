// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: what is dropped
 *
 * Every loss goes through here. The counter of its cause is all that a caller
 * has to name: the core's drop reason follows from it, and the tracepoint
 * shows it with the addresses, which are only looked for while somebody
 * traces.
 */
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/dropreason.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "teredo.h"

#define CREATE_TRACE_POINTS
#include "teredo_trace.h"

/*
 * The nearest of the core's reasons for each cause. It has none for a packet
 * that goes in a circle: where it would go there is no route, or its address
 * is a wrong one.
 */
static const u16 teredo_reasons[TEREDO_NR_STATS] = {
	[TEREDO_A_STATS_RX_DOWN] = SKB_DROP_REASON_DEV_READY,
	[TEREDO_A_STATS_RX_SHORT] = SKB_DROP_REASON_PKT_TOO_SMALL,
	[TEREDO_A_STATS_RX_VERSION] = SKB_DROP_REASON_UNHANDLED_PROTO,
	[TEREDO_A_STATS_RX_LENGTH] = SKB_DROP_REASON_PKT_TOO_SMALL,
	[TEREDO_A_STATS_RX_HEADER] = SKB_DROP_REASON_IP_INHDR,
	[TEREDO_A_STATS_RX_ORIGIN] = SKB_DROP_REASON_IP_INHDR,
	[TEREDO_A_STATS_RX_TRAILER] = SKB_DROP_REASON_IP_INHDR,
	[TEREDO_A_STATS_RX_MARTIAN6] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_RX_NOT_MINE] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_RX_SELF] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_LINKLOCAL] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_RX_ND] = SKB_DROP_REASON_INVALID_PROTO,
	[TEREDO_A_STATS_RX_TYPE] = SKB_DROP_REASON_UNHANDLED_PROTO,
	[TEREDO_A_STATS_RX_BAD_MAPPING] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_NOT_GLOBAL] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_RX_UNTRUSTED] = SKB_DROP_REASON_NEIGH_FAILED,
	[TEREDO_A_STATS_RX_UNKNOWN] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_LOOP] = SKB_DROP_REASON_IP_INNOROUTES,
	[TEREDO_A_STATS_RX_LOOP6324] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_RX_AUTH] = SKB_DROP_REASON_XFRM_POLICY,
	[TEREDO_A_STATS_RX_RATE] = SKB_DROP_REASON_QDISC_DROP,
	[TEREDO_A_STATS_RX_NOT_SERVED] = SKB_DROP_REASON_IP_INNOROUTES,
	[TEREDO_A_STATS_RX_RA_SOURCE] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_CTRL_FULL] = SKB_DROP_REASON_SOCKET_RCVBUFF,
	[TEREDO_A_STATS_RX_BAD_SOURCE] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_TEST_LIMITED] = SKB_DROP_REASON_NEIGH_CREATEFAIL,
	[TEREDO_A_STATS_RX_DISC_UNICAST] = SKB_DROP_REASON_INVALID_PROTO,
	[TEREDO_A_STATS_RX_DISC_SOURCE] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_DISC_MAPPED] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_ALT_INVALID] = SKB_DROP_REASON_IP_INHDR,
	[TEREDO_A_STATS_RX_BAD_NONCE] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_RX_ECN] = SKB_DROP_REASON_IP_TUNNEL_ECN,
	[TEREDO_A_STATS_RX_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
	[TEREDO_A_STATS_TX_DOWN] = SKB_DROP_REASON_DEV_READY,
	[TEREDO_A_STATS_TX_UNQUALIFIED] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_SCOPE] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_SOURCE] = SKB_DROP_REASON_IP_RPFILTER,
	[TEREDO_A_STATS_TX_FORWARDED] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_FOREIGN] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_NOT_GLOBAL] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_TX_SELF] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_TX_BAD_PORT] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_TX_LOOP] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_LOOP6324] = SKB_DROP_REASON_IP_INADDRERRORS,
	[TEREDO_A_STATS_TX_RATE] = SKB_DROP_REASON_QDISC_DROP,
	[TEREDO_A_STATS_TX_QUEUE_FULL] = SKB_DROP_REASON_NEIGH_QUEUEFULL,
	[TEREDO_A_STATS_TX_UNREACHABLE] = SKB_DROP_REASON_NEIGH_FAILED,
	[TEREDO_A_STATS_TX_TOO_BIG] = SKB_DROP_REASON_PKT_TOO_BIG,
	[TEREDO_A_STATS_TX_NO_ROUTE] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[TEREDO_A_STATS_TX_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
	[TEREDO_A_STATS_PEER_LIMIT] = SKB_DROP_REASON_NEIGH_CREATEFAIL,
};

static enum skb_drop_reason teredo_reason(unsigned int stat)
{
	return teredo_reasons[stat] ?: SKB_DROP_REASON_NOT_SPECIFIED;
}

static void teredo_trace(const struct teredo_dev *t, bool tx,
			 unsigned int stat, struct teredo_ep ep,
			 const struct in6_addr *saddr,
			 const struct in6_addr *daddr)
{
	trace_teredo_drop(t->dev, tx, teredo_stat_names[stat], ep.addr,
			  ep.port, saddr, daddr);
}

/* The same, with the addresses of an IPv6 header at this offset if it is one */
static void teredo_trace_skb(const struct teredo_dev *t, bool tx,
			     unsigned int stat, struct teredo_ep ep,
			     const struct sk_buff *skb, int off)
{
	const struct in6_addr *saddr = &in6addr_any, *daddr = &in6addr_any;
	const struct ipv6hdr *ip6 = NULL;
	struct ipv6hdr buf;

	if (off >= 0)
		ip6 = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (ip6 && ip6->version == 6) {
		saddr = &ip6->saddr;
		daddr = &ip6->daddr;
	}
	teredo_trace(t, tx, stat, ep, saddr, daddr);
}

/* A datagram, its data at the UDP header, with whatever may be in it */
static void teredo_trace_datagram(const struct teredo_dev *t,
				  unsigned int stat, const struct sk_buff *skb)
{
	const unsigned int hlen = sizeof(struct udphdr);
	struct teredo_parsed p;
	struct teredo_ep from;
	unsigned int avail;
	int off = -1;

	from.addr = ip_hdr(skb)->saddr;
	from.port = udp_hdr(skb)->source;
	avail = skb_headlen(skb);
	/* what a wrong length announces does not hide the addresses */
	if (avail > hlen &&
	    teredo_parse_headers(&p, skb->data + hlen, avail - hlen,
				 U32_MAX) == TEREDO_PARSE_OK)
		off = hlen + p.ip6;
	teredo_trace_skb(t, false, stat, from, skb, off);
}

/* An IPv6 packet on its way into the tunnel. RCU. */
static void teredo_trace_packet(struct teredo_dev *t, unsigned int stat,
				const struct sk_buff *skb)
{
	int off = skb->protocol == htons(ETH_P_IPV6) ?
		skb_network_offset(skb) : -1;
	const struct teredo_peer *peer = NULL;
	struct teredo_ep to = {};
	const struct in6_addr *daddr;
	struct in6_addr buf;

	if (off >= 0) {
		daddr = skb_header_pointer(skb, off +
					   offsetof(struct ipv6hdr, daddr),
					   sizeof(buf), &buf);
		if (daddr)
			peer = teredo_peer_find(t, daddr);
	}
	if (peer)
		to = teredo_path_ep(teredo_path(peer));
	teredo_trace_skb(t, true, stat, to, skb, off);
}

static void teredo_rx_drop_end(struct teredo_dev *t, struct sk_buff *skb,
			       unsigned int stat)
{
	teredo_count(t, stat);
	dev_core_stats_rx_dropped_inc(t->dev);
	kfree_skb_reason(skb, teredo_reason(stat));
}

/**
 * teredo_drop - drop a received packet
 * @t: the device
 * @skb: the datagram, its data at the UDP header; consumed
 * @stat: counter of the cause, TEREDO_A_STATS_...
 *
 * RCU, any context but hard interrupts.
 */
void teredo_drop(struct teredo_dev *t, struct sk_buff *skb, unsigned int stat)
{
	if (trace_teredo_drop_enabled())
		teredo_trace_datagram(t, stat, skb);
	teredo_rx_drop_end(t, skb, stat);
}

/**
 * teredo_drop_inner - drop a received packet that is out of its datagram
 * @t: the device
 * @skb: IPv6 packet, its data at that header; consumed
 * @stat: counter of the cause, TEREDO_A_STATS_...
 * @from: outer source of the datagram
 *
 * RCU, any context but hard interrupts.
 */
void teredo_drop_inner(struct teredo_dev *t, struct sk_buff *skb,
		       unsigned int stat, struct teredo_ep from)
{
	if (trace_teredo_drop_enabled())
		teredo_trace_skb(t, false, stat, from, skb, 0);
	teredo_rx_drop_end(t, skb, stat);
}

/**
 * teredo_tx_drop - drop a packet on its way into the tunnel
 * @t: the device
 * @skb: its network header is the IPv6 header; consumed
 * @stat: counter of the cause, TEREDO_A_STATS_...
 *
 * RCU, any context but hard interrupts.
 */
void teredo_tx_drop(struct teredo_dev *t, struct sk_buff *skb,
		    unsigned int stat)
{
	if (trace_teredo_drop_enabled())
		teredo_trace_packet(t, stat, skb);
	teredo_count(t, stat);
	dev_core_stats_tx_dropped_inc(t->dev);
	kfree_skb_reason(skb, teredo_reason(stat));
}

/**
 * teredo_tx_omit - a packet of our own that is not sent, or not even made
 * @t: the device
 * @stat: counter of the cause, TEREDO_A_STATS_...
 * @daddr: IPv6 address that it was for, or NULL
 *
 * Any context.
 */
void teredo_tx_omit(struct teredo_dev *t, unsigned int stat,
		    const struct in6_addr *daddr)
{
	struct teredo_ep none = {};

	if (trace_teredo_drop_enabled())
		teredo_trace(t, true, stat, none, &in6addr_any,
			     daddr ?: &in6addr_any);
	teredo_count(t, stat);
}

/**
 * teredo_rx_refused - a packet that the helper has dropped
 * @t: the device
 * @stat: counter of the cause, TEREDO_A_STATS_...
 * @from: outer source of the datagram, zero if that is not known
 *
 * Any context.
 */
void teredo_rx_refused(struct teredo_dev *t, unsigned int stat,
		       struct teredo_ep from)
{
	if (trace_teredo_drop_enabled())
		teredo_trace(t, false, stat, from, &in6addr_any,
			     &in6addr_any);
	teredo_count(t, stat);
	dev_core_stats_rx_dropped_inc(t->dev);
}
