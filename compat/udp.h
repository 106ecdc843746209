/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UDP tunnels as they are now, for older kernels
 */
#ifndef _TEREDO_COMPAT_UDP_H
#define _TEREDO_COMPAT_UDP_H

#include <linux/icmp.h>
#include <linux/random.h>
#include <net/udp_tunnel.h>

/*
 * 7.2 takes a struct sock where there was a struct socket; stable series have
 * followed, so the type tells and not the version.
 */
#define TEREDO_TUNNEL_TAKES_SK						\
	__builtin_types_compatible_p(typeof(&udp_tunnel_sock_release),	\
				     void (*)(struct sock *))
#define TEREDO_TUNNEL_SOCK(sk)						\
	__builtin_choose_expr(TEREDO_TUNNEL_TAKES_SK, sk, (sk)->sk_socket)
#define setup_udp_tunnel_sock(net, sk, cfg)				\
	setup_udp_tunnel_sock(net, TEREDO_TUNNEL_SOCK(sk), cfg)
#define udp_tunnel_sock_release(sk)					\
	udp_tunnel_sock_release(TEREDO_TUNNEL_SOCK(sk))

#ifndef HAVE_ENCAP_ERR_INFO			/* 6.2 */
/* Defined in teredo_icmp.c, which the macro below renames */
void teredo_err_rcv_info(struct sock *sk, struct sk_buff *skb, int err,
			 __be16 port, u32 info, u8 *payload);

/* What the tunnel's configuration points to */
static inline void teredo_err_rcv(struct sock *sk, struct sk_buff *skb,
				  unsigned int udp_offset)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct udphdr *uh;

	uh = (struct udphdr *)(skb->data + iph->ihl * 4);
	teredo_err_rcv_info(sk, skb, 0, uh->dest, 0, (u8 *)(uh + 1));
}

#define teredo_err_rcv(...)	teredo_err_rcv_info(__VA_ARGS__)
#endif

#ifndef HAVE_SOCKADDR_UNSIZED			/* 6.19 */
#define sockaddr_unsized	sockaddr
#endif

#ifndef HAVE_RANDOM_U16				/* 6.1 */
#define get_random_u16()	((u16)get_random_u32())
#endif

#endif /* _TEREDO_COMPAT_UDP_H */
