/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tunnels in one another, for kernels that limit devices in one another alone
 */
#ifndef _TEREDO_COMPAT_TUNNEL_H
#define _TEREDO_COMPAT_TUNNEL_H

#include <linux/netdevice.h>
#include <net/ip_tunnels.h>

#ifndef IP_TUNNEL_RECURSION_LIMIT	/* 7.0, and stable series */
#define IP_TUNNEL_RECURSION_LIMIT	5
#endif

#ifndef HAVE_XMIT_RECURSION		/* in some series the core's own */
static inline void dev_xmit_recursion_inc(void)
{
}

static inline void dev_xmit_recursion_dec(void)
{
}
#endif

#endif /* _TEREDO_COMPAT_TUNNEL_H */
