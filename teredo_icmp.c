// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: errors, both ways
 *
 * ICMPv6 errors to the senders of packets that cannot be carried, and ICMP
 * errors for our datagrams.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "teredo.h"

#define TEREDO_ICMP6_RATE	10		/* C-30 */

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
	return type && *type & ICMPV6_INFOMSG_MASK;
}

static void teredo_icmp6_send(struct teredo_dev *t, struct sk_buff *skb,
			      u8 type, u8 code, u32 info)
{
	if (!teredo_icmp6_due(skb))
		return;
	if (teredo_bucket_take(t, &t->icmp6_bucket, TEREDO_ICMP6_RATE))
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
 * The core keeps TUN-15 and TUN-16. BH disabled.
 */
void teredo_icmp6_unreach(struct teredo_dev *t, struct sk_buff *skb, u8 code)
{
	teredo_icmp6_send(t, skb, ICMPV6_DEST_UNREACH, code, 0);
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
	teredo_icmp6_send(t, skb, ICMPV6_PKT_TOOBIG, 0, mtu);
}

/**
 * teredo_err_lookup - is this ICMP error for a datagram of ours?
 * @sk: our socket
 * @skb: the error; its network and transport headers are the quoted ones
 *
 * Softirq, RCU.
 *
 * Return: 0, since the socket was found by our port.
 */
int teredo_err_lookup(struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

static bool teredo_is_server(const struct teredo_dev *t, __be32 addr)
{
	__be32 primary, secondary;

	if (rcu_dereference(t->cfg)->mode != TEREDO_MODE_CLIENT)
		return false;
	teredo_servers(t, rcu_dereference(t->qual), &primary, &secondary);
	return addr == primary || addr == secondary;
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
 * Nothing of it is believed (TUN-13): the helper is told of errors for
 * control packets. Softirq, RCU.
 */
void teredo_err_rcv(struct sock *sk, struct sk_buff *skb, int err,
		    __be16 port, u32 info, u8 *payload)
{
	struct teredo_dev *t = rcu_dereference_sk_user_data(sk);
	const struct iphdr *iph = (const struct iphdr *)skb->data;

	if (t && port == htons(TEREDO_UDP_PORT) &&
	    teredo_is_server(t, iph->daddr))
		teredo_ctrl_err(t, iph->daddr, icmp_hdr(skb)->type,
				icmp_hdr(skb)->code);
}
