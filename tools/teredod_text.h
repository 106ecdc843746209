/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses and reasons as people read them, small enough to be passed by
 * value: ip4_text(addr).s lives until the end of the statement.
 */
#ifndef _TEREDOD_TEXT_H
#define _TEREDOD_TEXT_H

#include <netinet/in.h>

#include "teredo_proto.h"

struct text {
	char s[INET6_ADDRSTRLEN];
};

struct reason {
	char s[128];	/* as the kernel takes it */
};

struct text ip4_text(__be32 addr);
struct text ip6_text(const struct in6_addr *addr);
struct text ep_text(struct teredo_ep ep);
const char *nat_text(__u32 nat);

__attribute__((format(printf, 1, 2)))
struct reason reason(const char *fmt, ...);

#endif /* _TEREDOD_TEXT_H */
