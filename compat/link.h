/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network devices and rtnetlink as they are now, for older kernels
 */
#ifndef _TEREDO_COMPAT_LINK_H
#define _TEREDO_COMPAT_LINK_H

#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#ifndef HAVE_ETHTOOL_PUTS			/* 6.8 */
static inline void ethtool_puts(u8 **data, const char *str)
{
	strscpy(*data, str, ETH_GSTRING_LEN);
	*data += ETH_GSTRING_LEN;
}
#endif

#ifndef kzalloc_obj				/* 7.0 */
#define kzalloc_obj(obj, gfp)	kzalloc(sizeof(obj), gfp)
#endif

#ifndef HAVE_LINK_NET_CAPABLE			/* 7.2, and stable series */
static inline bool rtnl_dev_link_net_capable(const struct net_device *dev,
					     const struct net *link_net)
{
	return net_eq(link_net, dev_net(dev)) ||
	       ns_capable(link_net->user_ns, CAP_NET_ADMIN);
}
#endif

#ifndef HAVE_SYSCTL_SZ				/* 6.6 */
/* The old one goes by the empty entry at the end. */
#define register_net_sysctl_sz(net, path, table, size)	\
	register_net_sysctl(net, path, table)
#endif

#ifndef HAVE_DEV_LLTX				/* 6.12 */
/*
 * dev->lltx = true; sets the feature flag it was before, and the MTU to 1,
 * which is set afterwards.
 */
#define lltx	features |= NETIF_F_LLTX, (dev)->mtu
#endif

#ifndef HAVE_NEWLINK_PARAMS			/* 6.15 */
struct rtnl_newlink_params {
	struct net *src_net;
	struct nlattr **tb;
	struct nlattr **data;
};

/* The old core passes link_net, if there is one, as src_net. */
static inline struct net *
rtnl_newlink_link_net(struct rtnl_newlink_params *params)
{
	return params->src_net;
}
#endif

#endif /* _TEREDO_COMPAT_LINK_H */
