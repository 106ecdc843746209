// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: rtnetlink - the device's address, route and MTU, and what changes
 * below it
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_teredo.h>

#include "teredod.h"
#include "teredod_rtnl.h"

#define NET_BATCH	64	/* notifications read before others' turn */
#define SETTLE_MS	100
#define MAX_STALE	16

/* CL-O-06: the default route through Teredo is the last resort of all */
#define ROUTE_METRIC	0xffffffff

/* Any address does that no packet is sent to: all destinations then share
 * one neighbour entry, and a link-local gateway needs no route of its own.
 */
static const struct in6_addr gateway = {
	.s6_addr = { 0xfe, 0x80, [15] = 1 },
};

static int open_underlay(struct teredod_net *n)
{
	n->lower = rtnl_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			       RTMGRP_IPV4_ROUTE);
	if (!n->lower)
		return -errno;
	n->lower_req = rtnl_open(0);
	return n->lower_req ? 0 : -errno;
}

/* What is opened between the two belongs to the underlay's network namespace,
 * if that is another one.
 */
int teredod_net_enter(const struct teredod_net *n)
{
	if (n->netns < 0)
		return 0;
	return setns(n->netns, CLONE_NEWNET) < 0 ? -errno : 0;
}

void teredod_net_leave(const struct teredod_net *n)
{
	/* this fails for want of a privilege that entering takes, too */
	if (n->netns >= 0 && setns(n->own_netns, CLONE_NEWNET) < 0)
		abort();
}

/* A netlink socket stays in the namespace it was opened in */
static int open_underlay_in(struct teredod_net *n, const char *netns)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s%s",
		 strchr(netns, '/') ? "" : "/run/netns/", netns);
	n->netns = open(path, O_RDONLY | O_CLOEXEC);
	if (n->netns < 0)
		return -errno;
	n->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (n->own_netns < 0)
		return -errno;
	err = teredod_net_enter(n);
	if (err < 0)
		return err;
	err = open_underlay(n);
	teredod_net_leave(n);
	return err;
}

int teredod_net_open(struct teredod *t)
{
	struct teredod_net *n = &t->net;
	int err;

	n->link = rtnl_open(RTMGRP_LINK);
	if (n->link)
		n->req = rtnl_open(0);
	if (n->req)
		return 0;
	err = -errno;
	teredod_log(t, LOG_ERR, "cannot open rtnetlink: %s", strerror(-err));
	return err;
}

/* Without @netns an underlay that is not in the device's network namespace is
 * out of sight.
 */
int teredod_net_open_underlay(struct teredod *t, const char *netns)
{
	struct teredod_net *n = &t->net;
	int err = 0;

	if (netns)
		err = open_underlay_in(n, netns);
	else if (!t->link.elsewhere)
		err = open_underlay(n);
	if (err < 0)
		teredod_log(t, LOG_ERR, "network namespace %s: %s",
			    netns ? netns : "of the device", strerror(-err));
	return err;
}

void teredod_net_close(struct teredod *t)
{
	struct teredod_net *n = &t->net;

	if (n->lower_req)
		mnl_socket_close(n->lower_req);
	if (n->lower)
		mnl_socket_close(n->lower);
	if (n->req)
		mnl_socket_close(n->req);
	if (n->link)
		mnl_socket_close(n->link);
	if (n->netns >= 0)
		close(n->netns);
	if (n->own_netns >= 0)
		close(n->own_netns);
}

static void parse_conf(struct teredod_link *link, const struct nlattr *data)
{
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	struct teredod_conf *c = &link->conf;

	mnl_attr_parse_nested(data, rtnl_sort, tb);
	if (tb[IFLA_TEREDO_MODE])
		link->mode = mnl_attr_get_u8(tb[IFLA_TEREDO_MODE]);
	c->prefix = rtnl_u32(tb[IFLA_TEREDO_PREFIX]);
	c->server = rtnl_u32(tb[IFLA_TEREDO_SERVER]);
	c->secondary = rtnl_u32(tb[IFLA_TEREDO_SECONDARY]);
	c->local = rtnl_u32(tb[IFLA_TEREDO_LOCAL]);
	c->lower = rtnl_u32(tb[IFLA_TEREDO_LINK]);
	c->mark = rtnl_u32(tb[IFLA_TEREDO_FWMARK]);
	if (tb[IFLA_TEREDO_PORT])
		c->port = mnl_attr_get_u16(tb[IFLA_TEREDO_PORT]);
	if (tb[IFLA_TEREDO_PRIVATE])
		c->private_ok = mnl_attr_get_u8(tb[IFLA_TEREDO_PRIVATE]);
}

static bool is_teredo(const struct nlattr *kind)
{
	return !strcmp(mnl_attr_get_str(kind), "teredo");
}

static int got_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *info[RTNL_ATTRS] = { NULL };
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	struct teredod_link *link = arg;

	mnl_attr_parse(nlh, sizeof(*ifi), rtnl_sort, tb);
	if (tb[IFLA_IFNAME])
		snprintf(link->name, sizeof(link->name), "%s",
			 mnl_attr_get_str(tb[IFLA_IFNAME]));
	link->mtu = rtnl_u32(tb[IFLA_MTU]);
	link->up = (ifi->ifi_flags & IFF_UP) &&
		   (ifi->ifi_flags & IFF_LOWER_UP);
	link->elsewhere = tb[IFLA_LINK_NETNSID];
	if (tb[IFLA_LINKINFO])
		mnl_attr_parse_nested(tb[IFLA_LINKINFO], rtnl_sort, info);
	if (info[IFLA_INFO_KIND])
		link->kind_ok = is_teredo(info[IFLA_INFO_KIND]);
	if (link->kind_ok && info[IFLA_INFO_DATA])
		parse_conf(link, info[IFLA_INFO_DATA]);
	return MNL_CB_OK;
}

static int get_link(struct mnl_socket *nl, int ifindex,
		    struct teredod_link *link)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	char buf[MNL_SOCKET_BUFFER_SIZE];

	memset(link, 0, sizeof(*link));
	return rtnl_do(nl, rtnl_request(buf, RTM_GETLINK, 0, &ifi, sizeof(ifi)),
		       got_link, link);
}

/* Looks the device up, by name at the start and by its index then */
int teredod_net_link(struct teredod *t, const char *name)
{
	if (name) {
		t->ifindex = if_nametoindex(name);
		if (!t->ifindex)
			return -errno;
	}
	return get_link(t->net.req, t->ifindex, &t->link);
}

static int got_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	struct teredod_underlay *u = arg;

	mnl_attr_parse(nlh, sizeof(struct rtmsg), rtnl_sort, tb);
	u->source = rtnl_u32(tb[RTA_PREFSRC]);
	u->gateway = rtnl_u32(tb[RTA_GATEWAY]);
	u->ifindex = rtnl_u32(tb[RTA_OIF]);
	u->reachable = u->ifindex;
	return MNL_CB_OK;
}

int teredod_net_underlay(struct teredod *t, __be32 server,
			 struct teredod_underlay *u)
{
	struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	const struct teredod_conf *c = &t->link.conf;
	struct teredod_net *n = &t->net;
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct teredod_link lower;
	struct nlmsghdr *nlh;
	int err;

	memset(u, 0, sizeof(*u));
	if (!n->lower_req)
		return 0;
	u->known = true;
	if (c->local)
		rtm.rtm_src_len = 32;
	nlh = rtnl_request(buf, RTM_GETROUTE, 0, &rtm, sizeof(rtm));
	mnl_attr_put_u32(nlh, RTA_DST, server);
	if (c->local)
		mnl_attr_put_u32(nlh, RTA_SRC, c->local);
	if (c->lower)
		mnl_attr_put_u32(nlh, RTA_OIF, c->lower);
	if (c->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, c->mark);
	err = rtnl_do(n->lower_req, nlh, got_route, u);
	if (err < 0)
		return err;
	if (get_link(n->lower_req, u->ifindex, &lower) == 0)
		u->mtu = lower.mtu;
	return 0;
}

static struct nlmsghdr *address_request(struct teredod *t, char *buf,
					__u16 type, __u16 flags,
					const struct in6_addr *addr)
{
	struct ifaddrmsg ifa = {
		.ifa_family = AF_INET6,
		.ifa_prefixlen = 128,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = t->ifindex,
	};
	struct nlmsghdr *nlh;

	nlh = rtnl_request(buf, type, flags, &ifa, sizeof(ifa));
	mnl_attr_put(nlh, IFA_LOCAL, sizeof(*addr), addr);
	return nlh;
}

/* With a lifetime, so that nothing is left of a helper that was killed. Adding
 * an address that is there sets its lifetime anew.
 */
int teredod_net_add_address(struct teredod *t, const struct in6_addr *addr,
			    __u32 lifetime, bool deprecated)
{
	struct ifa_cacheinfo ci = {
		.ifa_prefered = deprecated ? 0 : lifetime,
		.ifa_valid = lifetime,
	};
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;

	nlh = address_request(t, buf, RTM_NEWADDR,
			      NLM_F_CREATE | NLM_F_REPLACE, addr);
	mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(ci), &ci);
	return rtnl_do(t->net.req, nlh, NULL, NULL);
}

int teredod_net_del_address(struct teredod *t, const struct in6_addr *addr)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int err;

	err = rtnl_do(t->net.req,
		      address_request(t, buf, RTM_DELADDR, 0, addr),
		       NULL, NULL);
	return err == -EADDRNOTAVAIL ? 0 : err;
}

struct stale {
	const struct teredod	*t;
	const struct in6_addr	*keep;
	struct in6_addr		addr[MAX_STALE];
	unsigned int		n;
};

static int got_address(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTNL_ATTRS] = { NULL };
	const struct in6_addr *addr;
	struct stale *s = arg;

	mnl_attr_parse(nlh, sizeof(*ifa), rtnl_sort, tb);
	if ((int)ifa->ifa_index != s->t->ifindex ||
	    ifa->ifa_prefixlen != 128 || !tb[IFA_ADDRESS] ||
	    mnl_attr_get_payload_len(tb[IFA_ADDRESS]) != sizeof(*addr))
		return MNL_CB_OK;
	addr = mnl_attr_get_payload(tb[IFA_ADDRESS]);
	if (teredo_has_prefix(addr, s->t->link.conf.prefix) &&
	    (!s->keep || memcmp(addr, s->keep, sizeof(*addr))) &&
	    s->n < MAX_STALE)
		s->addr[s->n++] = *addr;
	return MNL_CB_OK;
}

/* Removes what an earlier helper may have left on the device */
int teredod_net_del_stale(struct teredod *t, const struct in6_addr *keep)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6 };
	struct stale s = { .t = t, .keep = keep };
	int err;

	err = rtnl_dump(t->net.req, RTM_GETADDR, &ifa, sizeof(ifa), got_address,
			&s);
	while (s.n && !err)
		err = teredod_net_del_address(t, &s.addr[--s.n]);
	return err;
}

static struct nlmsghdr *route_request(struct teredod *t, char *buf, __u16 type,
				      __u16 flags)
{
	struct rtmsg rtm = {
		.rtm_family = AF_INET6,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_RA,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct nlmsghdr *nlh;

	nlh = rtnl_request(buf, type, flags, &rtm, sizeof(rtm));
	mnl_attr_put(nlh, RTA_GATEWAY, sizeof(gateway), &gateway);
	mnl_attr_put_u32(nlh, RTA_OIF, t->ifindex);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, ROUTE_METRIC);
	return nlh;
}

/* Adding a route that is there gives EEXIST, and sets its lifetime anew */
int teredod_net_add_route(struct teredod *t, __u32 lifetime)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	int err;

	nlh = route_request(t, buf, RTM_NEWROUTE, NLM_F_CREATE);
	mnl_attr_put_u32(nlh, RTA_EXPIRES, lifetime);
	err = rtnl_do(t->net.req, nlh, NULL, NULL);
	return err == -EEXIST ? 0 : err;
}

int teredod_net_del_route(struct teredod *t)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int err;

	err = rtnl_do(t->net.req,
		      route_request(t, buf, RTM_DELROUTE, 0), NULL, NULL);
	return err == -ESRCH ? 0 : err;
}

int teredod_net_set_mtu(struct teredod *t, __u32 mtu)
{
	struct ifinfomsg ifi = { .ifi_index = t->ifindex };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;

	nlh = rtnl_request(buf, RTM_SETLINK, 0, &ifi, sizeof(ifi));
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return rtnl_do(t->net.req, nlh, NULL, NULL);
}

/* Is a notification in the buffer about the link? Negative if it is gone. */
static int about_link(const struct teredod *t, const char *buf, int len)
{
	const struct nlmsghdr *nlh;
	int found = 0;

	for (nlh = (const void *)buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
		    ifi->ifi_family != AF_UNSPEC ||
		    ifi->ifi_index != t->ifindex)
			continue;
		if (nlh->nlmsg_type == RTM_DELLINK)
			return -ENODEV;
		found |= nlh->nlmsg_type == RTM_NEWLINK;
	}
	return found;
}

static void gone(struct teredod *t)
{
	teredod_log(t, LOG_ERR,
		    "the device is gone from this network namespace");
	teredod_stop(t, 1);
}

static void link_readable(uv_poll_t *poll, int status, int events)
{
	char buf[RTNL_BUF_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct teredod *t = poll->data;
	struct teredod_link link;
	bool changed = status < 0;
	unsigned int i;
	ssize_t len;
	int ret;

	(void)events;
	teredod_poll_on(poll, status, link_readable);
	for (i = 0; i < NET_BATCH; i++) {
		len = recv(mnl_socket_get_fd(t->net.link), buf, sizeof(buf),
			   MSG_DONTWAIT);
		if (len < 0 && errno != ENOBUFS)
			break;
		ret = len < 0 ? 1 : about_link(t, buf, len);
		if (ret < 0) {
			gone(t);
			return;
		}
		changed |= ret;
	}
	if (!changed)
		return;
	if (get_link(t->net.req, t->ifindex, &link) < 0)
		gone(t);
	else
		teredod_qual_link_changed(t, &link);
}

static void settled(uv_timer_t *timer)
{
	teredod_qual_underlay_changed(timer->data);
}

/* A new lease is several changes in a row: waits for the others */
void teredod_net_settle(struct teredod *t)
{
	if (!uv_is_active((uv_handle_t *)&t->net.settle))
		uv_timer_start(&t->net.settle, settled, SETTLE_MS, 0);
}

static void lower_readable(uv_poll_t *poll, int status, int events)
{
	struct teredod *t = poll->data;

	(void)events;
	teredod_poll_on(poll, status, lower_readable);
	rtnl_drain(t->net.lower);
	teredod_net_settle(t);
}

static int watch(struct teredod *t, uv_poll_t *poll, struct mnl_socket *nl,
		 uv_poll_cb cb)
{
	int err;

	err = uv_poll_init(&t->loop, poll, mnl_socket_get_fd(nl));
	if (err < 0)
		return err;
	poll->data = t;
	return uv_poll_start(poll, UV_READABLE, cb);
}

int teredod_net_watch(struct teredod *t)
{
	struct teredod_net *n = &t->net;
	int err;

	err = watch(t, &n->link_poll, n->link, link_readable);
	if (err < 0)
		return err;
	uv_timer_init(&t->loop, &n->settle);
	n->settle.data = t;
	if (!n->lower)
		return 0;
	return watch(t, &n->lower_poll, n->lower, lower_readable);
}
