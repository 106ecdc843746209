// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: errors, both ways
 *
 * ICMPv6 errors to the senders of packets that cannot be carried, and ICMP
 * errors for our datagrams.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/udp.h>

#include "teredo.h"

#define TEREDO_ICMP6_RATE	10		/* C-30, SEC-54 */

/*
 * Does the packet earn an error (TUN-15)? The core asks too, but too late for
 * the limit, which is for those that do.
 */
static bool teredo_icmp6_due(const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	const u8 *type;
	u8 buf;

	if (ipv6_addr_is_multicast(&ip6->daddr))
		return false;
	if (ip6->nexthdr != IPPROTO_ICMPV6)
		return true;
	type = skb_header_pointer(skb, skb_network_offset(skb) + sizeof(*ip6),
				  sizeof(buf), &buf);
	return type && *type & ICMPV6_INFOMSG_MASK && *type != NDISC_REDIRECT;
}

static void teredo_icmp6_send(struct teredo_dev *t, struct teredo_bucket *b,
			      struct sk_buff *skb, u8 type, u8 code, u32 info)
{
	if (!teredo_icmp6_due(skb))
		return;
	if (teredo_bucket_take(t, b, TEREDO_ICMP6_RATE))	/* SEC-54 */
		icmpv6_ndo_send(skb, type, code, info);
	else
		teredo_tx_omit(t, TEREDO_A_STATS_ICMP6_LIMITED,
			       &ipv6_hdr(skb)->saddr);
}

/**
 * teredo_icmp6_unreach - destination unreachable to the sender of a packet
 * @t: the device
 * @skb: IPv6 packet from the stack; stays the caller's
 * @code: ICMPv6 code
 *
 * The core keeps TUN-15 and TUN-16, and chooses the source (TUN-17). BH
 * disabled.
 */
void teredo_icmp6_unreach(struct teredo_dev *t, struct sk_buff *skb, u8 code)
{
	teredo_icmp6_send(t, &t->icmp6_bucket, skb, ICMPV6_DEST_UNREACH, code,
			  0);
}

/**
 * teredo_icmp6_too_big - packet too big to the sender of a packet (RL-TX-18)
 * @t: the device
 * @skb: IPv6 packet from the stack; stays the caller's
 * @mtu: what would have passed
 *
 * BH disabled.
 */
void teredo_icmp6_too_big(struct teredo_dev *t, struct sk_buff *skb, u32 mtu)
{
	teredo_icmp6_send(t, &t->icmp6_bucket, skb, ICMPV6_PKT_TOOBIG, 0, mtu);
}

/**
 * teredo_err_lookup - is this ICMP error for a datagram of ours?
 * @sk: our socket
 * @skb: the error; its network and transport headers are the quoted ones
 *
 * The core looks the socket up by the quoted ports in either order, and finds
 * ours by the destination too, where it is the same as that. Softirq, RCU.
 *
 * Return: 0 if so, -ENOENT if another socket sent it.
 */
int teredo_err_lookup(struct sock *sk, struct sk_buff *skb)
{
	return udp_hdr(skb)->source == inet_sk(sk)->inet_sport ? 0 : -ENOENT;
}

static bool teredo_is_server(const struct teredo_dev *t, __be32 addr)
{
	__be32 primary, secondary;

	if (rcu_dereference(t->cfg)->mode != TEREDO_MODE_CLIENT)
		return false;
	teredo_servers(t, rcu_dereference(t->qual), &primary, &secondary);
	return addr == primary || addr == secondary;
}

/* Kinds of errors that say: it did not arrive (TUN-11) */
static bool teredo_err_unreachable(u8 type, u8 code)
{
	if (type == ICMP_TIME_EXCEEDED)
		return true;
	return type == ICMP_DEST_UNREACH && code <= NR_ICMP_UNREACH &&
	       code != ICMP_FRAG_NEEDED && code != ICMP_PREC_VIOLATION;
}

/* Would this device have let a packet from that source in? */
static bool teredo_err_sender(const struct teredo_dev *t,
			      const struct teredo_config *cfg,
			      const struct in6_addr *saddr)
{
	const struct teredo_qual *q;

	switch (cfg->mode) {
	case TEREDO_MODE_CLIENT:
		q = rcu_dereference(t->qual);
		return q && ipv6_addr_equal(saddr, &q->addr);
	case TEREDO_MODE_HOST_RELAY:
		return ipv6_chk_addr(dev_net(t->dev), saddr, NULL, 0);
	case TEREDO_MODE_RELAY:
		return ipv6_addr_type(saddr) & IPV6_ADDR_UNICAST &&
		       !__ipv6_addr_needs_scope_id(ipv6_addr_type(saddr)) &&
		       !teredo_has_prefix(saddr, cfg->prefix);
	}
	return false;
}

/*
 * Does the quoted datagram look like one for the endpoint of a peer, that was
 * sent to it lately? @ip6 is the inner header.
 */
static bool teredo_err_match(struct teredo_dev *t,
			     const struct teredo_config *cfg,
			     const struct ipv6hdr *ip6, struct teredo_ep to)
{
	const struct teredo_peer *peer;

	if (ip6->version != 6 || !teredo_err_sender(t, cfg, &ip6->saddr))
		return false;
	peer = teredo_peer_find(t, &ip6->daddr);
	return peer && READ_ONCE(peer->ever_tx) &&
	       teredo_since(teredo_now(), READ_ONCE(peer->last_tx)) <
			TEREDO_VALIDITY &&
	       teredo_ep_equal(teredo_path_ep(teredo_path(peer)), to);
}

/* Tell the inner sender. @off is the offset of the quoted IPv6 packet. */
static void teredo_err_tell(struct teredo_dev *t, struct sk_buff *error,
			    unsigned int off)
{
	struct sk_buff *skb = skb_clone(error, GFP_ATOMIC);
	unsigned int len;

	if (!skb)
		return;
	if (pskb_may_pull(skb, off + sizeof(struct ipv6hdr))) {
		__skb_pull(skb, off);
		skb_reset_network_header(skb);
		/* not the extensions of the error (RFC 4884) */
		len = sizeof(struct ipv6hdr) +
		      ntohs(ipv6_hdr(skb)->payload_len);
		if (len < skb->len)
			__pskb_trim(skb, len);
		skb->protocol = htons(ETH_P_IPV6);
		skb->dev = t->dev;
		skb_scrub_packet(skb, true);
		memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
		teredo_icmp6_send(t, &t->err_bucket, skb, ICMPV6_DEST_UNREACH,
				  ICMPV6_ADDR_UNREACH, 0);
	}
	consume_skb(skb);
}

/**
 * teredo_err_rcv - an ICMP error for a datagram of ours
 * @sk: our socket
 * @skb: the error, its data at the quoted IPv4 header
 * @err: errno that it means
 * @port: UDP port it was sent to
 * @info: next hop's MTU, if any
 * @payload: quoted UDP payload
 *
 * The IPv4 stack has found the socket by the quoted source, and nothing else
 * of the quotation is proved: the socket is not connected. So a forger who is
 * not on the path has to know our address and port, the address and endpoint
 * of a peer that we are sending to, and the sender's address. Then he can do
 * what an ICMPv6 error sent to that sender can: address unreachable (code 3)
 * is a hint that ends no established connection. At most ten of them a second
 * leave, out of a bucket of their own: a client of a relay can use these up,
 * or have them sent to somebody whose packet it only claims to quote. He cannot
 * do more, as no error changes a peer, a mapping or the qualification, and none
 * ends or shortens a search (TUN-13): NATs reject direct bubbles as a matter of
 * course, and a search that failed by a forgery would bar the peer for minutes.
 *
 * Fragmentation needed (TUN-12): the IPv4 stack has recorded the path MTU in
 * a route exception before it came here. Without pmtudisc our datagrams have
 * DF clear and are not sized by it. With pmtudisc the next packet that is too
 * large is answered by teredo_peer_send(), with 1280 or more whatever the
 * error said: a forger can bring a path down to the MTU that Teredo has
 * without pmtudisc.
 *
 * The helper is told of errors for control packets. Softirq, RCU.
 */
void teredo_err_rcv(struct sock *sk, struct sk_buff *skb, int err,
		    __be16 port, u32 info, u8 *payload)
{
	struct teredo_dev *t = rcu_dereference_sk_user_data(sk);
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	u8 type = icmp_hdr(skb)->type, code = icmp_hdr(skb)->code;
	struct teredo_ep to = { .addr = iph->daddr, .port = port };
	unsigned int off = iph->ihl * 4 + sizeof(struct udphdr);
	const struct teredo_config *cfg;
	const struct ipv6hdr *ip6;
	struct ipv6hdr buf;

	if (!t || iph->frag_off & htons(IP_OFFSET))
		return;
	if (port == htons(TEREDO_UDP_PORT) &&
	    teredo_is_server(t, iph->daddr)) {
		teredo_ctrl_err(t, iph->daddr, type, code);
		return;
	}
	cfg = rcu_dereference(t->cfg);
	ip6 = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!ip6 || !teredo_err_match(t, cfg, ip6, to)) {
		teredo_count(t, TEREDO_A_STATS_ICMP_IGNORED);
		return;
	}
	teredo_count(t, TEREDO_A_STATS_ICMP_PEER);
	/* nobody waits for an answer to a bubble */
	if (teredo_err_unreachable(type, code) && !teredo_is_bubble(ip6))
		teredo_err_tell(t, skb, off);
}
