/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink as it is now, for older kernels
 */
#ifndef _TEREDO_COMPAT_GENL_H
#define _TEREDO_COMPAT_GENL_H

#include <linux/netdevice.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

#ifndef NLA_POLICY_MAX_LEN			/* 6.13 */
#define NLA_POLICY_MAX_LEN(_len)	NLA_POLICY_MAX(NLA_BINARY, _len)
#endif

#ifndef HAVE_NLA_CONST_RANGE			/* 6.6 */
#undef NLA_POLICY_FULL_RANGE
#define NLA_POLICY_FULL_RANGE(tp, _range) {		\
	.type = NLA_ENSURE_UINT_OR_BINARY_TYPE(tp),	\
	.validation_type = NLA_VALIDATE_RANGE_PTR,	\
	.range = (struct netlink_range_validation *)(_range),	\
}
#endif

/* No more than ->attrs of the result is in all kernels. */
#ifndef HAVE_GENL_INFO_DUMP			/* 6.6 */
#define genl_info_dump(cb)		genl_dumpit_info(cb)
#endif

#ifndef for_each_netdev_dump			/* 6.6 */
/* RCU. Finds the device with the lowest ifindex from @ifindex on. */
static inline struct net_device *
teredo_compat_netdev_from(struct net *net, unsigned long *ifindex)
{
	struct net_device *dev, *found = NULL;

	for_each_netdev_rcu(net, dev)
		if (dev->ifindex >= *ifindex &&
		    (!found || dev->ifindex < found->ifindex))
			found = dev;
	if (found)
		*ifindex = found->ifindex;
	return found;
}

#define for_each_netdev_dump(net, d, ifindex)				\
	for (; (d = teredo_compat_netdev_from(net, &(ifindex))); (ifindex)++)
#endif

#endif /* _TEREDO_COMPAT_GENL_H */
