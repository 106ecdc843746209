/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * rtnetlink attributes of kind "teredo" (IFLA_LINKINFO, IFLA_INFO_DATA)
 *
 * Addresses and ports are in network byte order, rates are per second.
 */
#ifndef _UAPI_LINUX_IF_TEREDO_H
#define _UAPI_LINUX_IF_TEREDO_H

#include <linux/types.h>
#include <linux/in6.h>
#include <linux/teredo.h>	/* enum teredo_mode */

#define TEREDO_SERVE_MAX	16	/* prefixes in IFLA_TEREDO_SERVE */
#define TEREDO_MAX_PEERS	4194304
#define TEREDO_MAX_QUEUE	256
#define TEREDO_MAX_RATE		100000000

enum {
	IFLA_TEREDO_UNSPEC,
	IFLA_TEREDO_MODE,		/* u8, enum teredo_mode */
	IFLA_TEREDO_PREFIX,		/* be32, its first 32 bits */
	IFLA_TEREDO_LOCAL,		/* be32, 0 = by route */
	IFLA_TEREDO_PORT,		/* be16, absent: by mode */
	IFLA_TEREDO_LINK,		/* u32, ifindex of dev */
	IFLA_TEREDO_SERVER,		/* be32, 0 = none */
	IFLA_TEREDO_SECONDARY,		/* be32, 0 = server + 1 */
	IFLA_TEREDO_FWMARK,		/* u32 */
	IFLA_TEREDO_TOS,		/* u8, 1 = inherit */
	IFLA_TEREDO_TTL,		/* u8, 0 = default */
	IFLA_TEREDO_ECN,		/* u8, enum teredo_ecn */
	IFLA_TEREDO_PMTUDISC,		/* u8, 0 or 1 */
	IFLA_TEREDO_PRIVATE,		/* u8, 0 or 1 */
	IFLA_TEREDO_MAX_PEERS,		/* u32, TEREDO_MAX_PEERS */
	IFLA_TEREDO_QUEUE,		/* u32, packets */
	IFLA_TEREDO_PEER_RATE,		/* u32, 0 = no limit */
	IFLA_TEREDO_BUBBLE_RATE,	/* u32, 0 = no limit */
	IFLA_TEREDO_SERVER_RATE,	/* u32, 0 = no limit */
	IFLA_TEREDO_SERVE,		/* struct teredo_prefix[] */
	IFLA_TEREDO_ACCEPT_UNKNOWN,	/* u8, 0 or 1 */
	IFLA_TEREDO_NAT,		/* u8, enum teredo_switch */
	IFLA_TEREDO_DISCOVERY,		/* u8, enum teredo_switch */
	IFLA_TEREDO_LOCAL_STRICT,	/* u8, 0 or 1 */
	IFLA_TEREDO_RATE,		/* u32, 0 = no limit */
	IFLA_TEREDO_ICMP_LIMIT,		/* u32, octets, 8 to 65535 */
	IFLA_TEREDO_SECURE,		/* u8, 0 or 1 */
	__IFLA_TEREDO_MAX
};

#define IFLA_TEREDO_MAX (__IFLA_TEREDO_MAX - 1)

#define TEREDO_TOS_INHERIT	1

enum teredo_ecn {
	TEREDO_ECN_ZERO,		/* RFC 9601 section 6.1.3 */
	TEREDO_ECN_COPY,		/* RFC 6040 section 4.1, normal mode */
};

enum teredo_switch {
	TEREDO_SWITCH_AUTO,
	TEREDO_SWITCH_ON,
	TEREDO_SWITCH_OFF,
};

struct teredo_prefix {
	struct in6_addr	addr;		/* bits beyond len are 0 */
	__u8		len;		/* 0 to 128 */
	__u8		pad[3];		/* 0 */
};

#endif /* _UAPI_LINUX_IF_TEREDO_H */
