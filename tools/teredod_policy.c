// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: standing down (RFC 4380 section 5.5)
 *
 * Teredo is the last resort. A host that has a default route for IPv6 besides,
 * and a global address to use it with, does not need it: be it native, 6to4 or
 * a configured tunnel (CL-O-01, CL-O-02). Global IPv4 is no such reason
 * (CL-O-03).
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/ipv6_route.h>

#include "teredod.h"
#include "teredod_rtnl.h"

#define SETTLE_MS	100

/* struct other - what there is besides the device */
struct other {
	const struct teredod	*t;
	int			route;	/* interface, -1 if it has several */
	struct in6_addr		address;
	bool			has_route;
	bool			has_address;
};

/* All of IPv6, or all of it that is in use */
static bool is_default(const struct rtmsg *rtm, const struct nlattr *dst)
{
	if (!rtm->rtm_dst_len)
		return true;
	return rtm->rtm_dst_len == 3 && dst &&
	       *(const __u8 *)mnl_attr_get_payload(dst) == 0x20;
}

static int got_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	struct other *other = arg;
	int oif;

	if (rtm->rtm_family != AF_INET6 || rtm->rtm_type != RTN_UNICAST ||
	    rtm->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN | RTM_F_CLONED))
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rtm), rtnl_sort, tb);
	oif = tb[RTA_OIF] ? (int)rtnl_u32(tb[RTA_OIF]) : -1;
	if (oif == other->t->ifindex || !is_default(rtm, tb[RTA_DST]))
		return MNL_CB_OK;
	other->has_route = true;
	other->route = oif;
	return MNL_CB_OK;
}

/* In 2000::/3: neither a unique local one nor one that is about to go */
static int got_address(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	const struct in6_addr *addr;
	struct other *other = arg;
	__u32 flags;

	if (ifa->ifa_family != AF_INET6 ||
	    (int)ifa->ifa_index == other->t->ifindex)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), rtnl_sort, tb);
	flags = tb[IFA_FLAGS] ? rtnl_u32(tb[IFA_FLAGS]) : ifa->ifa_flags;
	if (flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED) ||
	    (flags & IFA_F_TENTATIVE && !(flags & IFA_F_OPTIMISTIC)))
		return MNL_CB_OK;
	/* the own end of a tunnel has its far end in IFA_ADDRESS */
	if (!tb[IFA_LOCAL])
		tb[IFA_LOCAL] = tb[IFA_ADDRESS];
	if (!tb[IFA_LOCAL] ||
	    mnl_attr_get_payload_len(tb[IFA_LOCAL]) != sizeof(*addr))
		return MNL_CB_OK;
	addr = mnl_attr_get_payload(tb[IFA_LOCAL]);
	if ((addr->s6_addr[0] & 0xe0) != 0x20 ||
	    teredo_has_prefix(addr, other->t->link.conf.prefix))
		return MNL_CB_OK;
	other->has_address = true;
	other->address = *addr;
	return MNL_CB_OK;
}

bool policy_other_ipv6(struct teredod *t, struct reason *why)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6 };
	struct rtmsg rtm = { .rtm_family = AF_INET6 };
	struct mnl_socket *nl = t->policy.req;
	struct other other = { .t = t };
	char name[IF_NAMESIZE] = "";

	if (!nl)
		return false;
	rtnl_dump(nl, RTM_GETROUTE, &rtm, sizeof(rtm), got_route, &other);
	if (!other.has_route)
		return false;
	rtnl_dump(nl, RTM_GETADDR, &ifa, sizeof(ifa), got_address, &other);
	if (!other.has_address)
		return false;
	if (other.route > 0)
		if_indextoname(other.route, name);
	*why = reason("not needed: other IPv6 by %s, with the address %s",
		      name[0] ? name : "several interfaces",
		      ip6_text(&other.address).s);
	return true;
}

static void settled(uv_timer_t *timer)
{
	teredod_qual_policy_changed(timer->data);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct teredod *t = poll->data;

	(void)events;
	teredod_poll_on(poll, status, readable);
	rtnl_drain(t->policy.watch);
	if (!uv_is_active((uv_handle_t *)&t->policy.settle))
		uv_timer_start(&t->policy.settle, settled, SETTLE_MS, 0);
}

int policy_open(struct teredod *t)
{
	struct policy *p = &t->policy;
	int err;

	if (t->options.force)
		return 0;
	p->watch = rtnl_open(RTMGRP_LINK | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV6_ROUTE);
	if (p->watch)
		p->req = rtnl_open(0);
	if (!p->req)
		return -errno;
	err = uv_timer_init(&t->loop, &p->settle);
	if (err < 0)
		return err;
	p->settle.data = t;
	err = uv_poll_init(&t->loop, &p->poll, mnl_socket_get_fd(p->watch));
	if (err < 0)
		return err;
	p->poll.data = t;
	return uv_poll_start(&p->poll, UV_READABLE, readable);
}

void policy_close(struct teredod *t)
{
	if (t->policy.req)
		mnl_socket_close(t->policy.req);
	if (t->policy.watch)
		mnl_socket_close(t->policy.watch);
}
