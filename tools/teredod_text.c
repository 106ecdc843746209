// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses and reasons as people read them
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <linux/teredo.h>

#include "teredod_text.h"

struct text ip4_text(__be32 addr)
{
	struct text text;

	inet_ntop(AF_INET, &addr, text.s, sizeof(text.s));
	return text;
}

struct text ip6_text(const struct in6_addr *addr)
{
	struct text text;

	inet_ntop(AF_INET6, addr, text.s, sizeof(text.s));
	return text;
}

struct text ep_text(struct teredo_ep ep)
{
	struct text text = ip4_text(ep.addr);
	size_t len = strlen(text.s);

	snprintf(text.s + len, sizeof(text.s) - len, ":%u",
		 be16_to_cpu(ep.port));
	return text;
}

const char *nat_text(__u32 nat)
{
	switch (nat) {
	case TEREDO_NAT_NONE:
		return "no NAT";
	case TEREDO_NAT_CONE:
		return "cone NAT";
	case TEREDO_NAT_RESTRICTED:
		return "restricted NAT";
	case TEREDO_NAT_SYMMETRIC:
		return "symmetric NAT";
	}
	return "NAT of unknown type";
}

struct reason reason(const char *fmt, ...)
{
	struct reason r;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.s, sizeof(r.s), fmt, ap);
	va_end(ap);
	return r;
}
