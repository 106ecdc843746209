/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnl_link_ops.newlink as it is now, for older kernels; teredo_main.c only
 */
#ifndef _TEREDO_COMPAT_NEWLINK_H
#define _TEREDO_COMPAT_NEWLINK_H

#include "link.h"

#ifndef HAVE_NEWLINK_PARAMS			/* 6.15 */
static int teredo_newlink_params(struct net_device *dev,
				 struct rtnl_newlink_params *params,
				 struct netlink_ext_ack *extack);

/* What the operations point to */
static int teredo_newlink(struct net *src_net, struct net_device *dev,
			  struct nlattr *tb[], struct nlattr *data[],
			  struct netlink_ext_ack *extack)
{
	struct rtnl_newlink_params params = {
		.src_net = src_net,
		.tb = tb,
		.data = data,
	};

	return teredo_newlink_params(dev, &params, extack);
}

/* What the source defines; not replaced where no argument follows */
#define teredo_newlink(...)	teredo_newlink_params(__VA_ARGS__)
#endif

#endif /* _TEREDO_COMPAT_NEWLINK_H */
