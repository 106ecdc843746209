// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: the result of qualification on the device - told to the kernel, and
 * as address, route and MTU
 */
#include <string.h>

#include "teredod.h"
#include "teredod_text.h"

/* C-35, seconds */
static __u32 lifetime(const struct teredod *t)
{
	return 2 * t->interval.seconds + 30;
}

/* The bits live as long as what they stand beside */
static __u16 choose_flags(const struct teredod_binding *b,
			  const struct teredod_binding *old)
{
	__u16 flags;

	if (old->prefix == b->prefix &&
	    teredo_ep_equal(old->mapped, b->mapped))
		return old->flags;
	random_bytes(&flags, sizeof(flags));
	return flags & TEREDO_FLAGS_RANDOM;
}

/* The MTU option counts, up to what the underlay carries whole (N-10,
 * CL-Q-34)
 */
static __u32 choose_mtu(const struct teredod_qual *q)
{
	__u32 max = TEREDO_MIN_MTU;

	if (q->underlay.mtu > TEREDO_MIN_MTU + TEREDO_HLEN)
		max = q->underlay.mtu - TEREDO_HLEN;
	if (max > TEREDO_MAX_MTU)
		max = TEREDO_MAX_MTU;
	if (!q->mtu)
		return TEREDO_MIN_MTU;
	return q->mtu < max ? q->mtu : max;
}

/* Puts the address on the device in place of an older one. The kernel has been
 * told before, since IPv6 does not use a device that is dormant.
 */
static int set_address(struct teredod *t, const struct in6_addr *addr)
{
	struct teredod_qual *q = &t->qual;
	int err;

	err = teredod_net_add_address(t, addr, lifetime(t), false);
	if (err < 0)
		return err;
	if (q->address_set && memcmp(&q->address, addr, sizeof(*addr)))
		teredod_net_del_address(t, &q->address);
	q->address = *addr;
	q->address_set = true;
	return teredod_net_add_route(t, lifetime(t));
}

static void log_qualified(const struct teredod *t)
{
	const struct teredod_qual *q = &t->qual;

	teredod_log(t, LOG_NOTICE, "qualified as %s: %s, mapped to %s, server %s",
		    ip6_text(&q->address).s, nat_text(q->binding.nat),
		    ep_text(q->binding.mapped).s,
		    ip4_text(q->binding.server).s);
}

/* What is wrong though the device is qualified (CL-S-08) */
static const char *complaint(const struct teredod *t)
{
	return t->qual.new_key ? "the server asks for a new key" : NULL;
}

int binding_adopt(struct teredod *t, enum teredo_nat nat, struct reason *why)
{
	struct teredod_qual *q = &t->qual;
	struct teredod_binding b = {
		.prefix = t->link.conf.prefix,
		.server = servers_current(t)->primary,
		.secondary = servers_current(t)->secondary,
		.mapped = q->mapped,
		.nat = nat,
	};
	bool first = !q->address_set;
	__u32 mtu = choose_mtu(q);
	struct in6_addr addr;
	bool renumbered;
	bool fresh;
	int err;

	b.flags = choose_flags(&b, &q->binding);
	teredo_make_addr(&addr, b.prefix, b.server, b.flags, b.mapped);
	renumbered = first || memcmp(&q->address, &addr, sizeof(addr));
	fresh = renumbered || q->binding.nat != nat;
	err = teredod_kernel_set_qualified(t, &b, lifetime(t), complaint(t));
	if (err < 0) {
		*why = reason("the kernel refuses: %s", t->kernel.req.error);
		return err;
	}
	err = set_address(t, &addr);
	/* one that the operator sets stays until there is another choice */
	if (!err && (first || (q->chosen_mtu && mtu != q->chosen_mtu)))
		err = teredod_net_set_mtu(t, mtu);
	q->chosen_mtu = mtu;
	if (err < 0) {
		*why = reason("cannot set %s up: %s", ip6_text(&addr).s,
			      strerror(-err));
		return err;
	}
	q->binding = b;
	if (fresh)
		log_qualified(t);
	if (renumbered)
		interval_start(t);
	return 0;
}

void binding_deprecate(struct teredod *t)
{
	teredod_net_add_address(t, &t->qual.address, lifetime(t), true);
}

bool binding_inherit(struct teredod *t, const struct teredod_dev *dev)
{
	const struct teredod_binding *b = &dev->binding;
	struct teredod_qual *q = &t->qual;
	struct in6_addr addr;

	teredo_make_addr(&addr, b->prefix, b->server, b->flags, b->mapped);
	if (set_address(t, &addr) < 0)
		return false;
	q->mapped = b->mapped;
	q->inherit = false;
	teredod_net_del_stale(t, &q->address);
	log_qualified(t);
	interval_start(t);
	return true;
}

void binding_withdraw(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;

	interval_stop(t);
	if (q->address_set || q->inherit)
		teredod_net_del_route(t);
	if (q->address_set)
		teredod_net_del_address(t, &q->address);
	if (q->inherit)
		teredod_net_del_stale(t, NULL);
	q->address_set = false;
	q->inherit = false;
}
