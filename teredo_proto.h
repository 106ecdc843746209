/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Teredo wire format and address arithmetic (RFC 4380, 5991, 6081)
 *
 * Pure functions without state, for the module, the tools, the unit tests and
 * the fuzzers alike. All addresses and ports are in network byte order unless
 * a name says otherwise; nothing here sleeps, locks or allocates.
 */
#ifndef _TEREDO_PROTO_H
#define _TEREDO_PROTO_H

#ifdef __KERNEL__
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifndef __packed
#define __packed __attribute__((packed))
#endif
#ifndef __force
#define __force
#endif
#define cpu_to_be16(x)	((__be16)htons(x))
#define cpu_to_be32(x)	((__be32)htonl(x))
#define be16_to_cpu(x)	ntohs((uint16_t)(x))
#define be32_to_cpu(x)	ntohl((uint32_t)(x))
#endif

#define TEREDO_UDP_PORT		3544		/* C-03 */
#define TEREDO_GROUP		0xe00000fd	/* C-06, host order */
#define TEREDO_PREFIX		0x20010000	/* C-01, host order */
#define TEREDO_MIN_MTU		1280		/* C-24 */
#define TEREDO_MAX_MTU		65467		/* 65507 less the IPv6 header */
#define TEREDO_HLEN		28		/* outer IPv4 and UDP headers */

/* Flags of an address, A-02, host order */
#define TEREDO_FLAG_CONE	0x8000
#define TEREDO_FLAG_RESERVED	0x4000
#define TEREDO_FLAG_UG		0x0300
#define TEREDO_FLAGS_RANDOM	0x3cff		/* RFC 5991 section 3.1 */

/* struct teredo_addr - a Teredo IPv6 address as it is on the wire */
struct teredo_addr {
	__be32	prefix;
	__be32	server;
	__be16	flags;
	__be16	port;		/* mapped port, complemented */
	__be32	client;		/* mapped address, complemented */
} __packed;

/* struct teredo_origin_hdr - origin indication (E-02) */
struct teredo_origin_hdr {
	__be16	type;		/* TEREDO_HDR_ORIGIN */
	__be16	port;		/* complemented */
	__be32	addr;		/* complemented */
} __packed;

/* struct teredo_auth_hdr - authentication (E-03), followed by the client
 * identifier, the authentication value and a struct teredo_auth_tail
 */
struct teredo_auth_hdr {
	__be16	type;		/* TEREDO_HDR_AUTH */
	__u8	id_len;
	__u8	au_len;
} __packed;

struct teredo_auth_tail {
	__u8	nonce[8];
	__u8	confirm;
} __packed;

#define TEREDO_HDR_ORIGIN	0
#define TEREDO_HDR_AUTH		1

/* Trailers, RFC 6081 section 4 */
#define TEREDO_TRAILER_NONCE		0x01
#define TEREDO_TRAILER_ALTERNATE	0x03
#define TEREDO_TRAILER_DISCOVERY	0x04
#define TEREDO_TRAILER_RANDOM_PORT	0x05	/* erratum 2685 */

/**
 * struct teredo_ep - one end of a UDP path
 * @addr: IPv4 address
 * @port: UDP port
 */
struct teredo_ep {
	__be32	addr;
	__be16	port;
};

static inline bool teredo_ep_equal(struct teredo_ep a, struct teredo_ep b)
{
	return a.addr == b.addr && a.port == b.port;
}

static inline const struct teredo_addr *
teredo_addr(const struct in6_addr *a)
{
	return (const struct teredo_addr *)a;
}

/* Mapped address and port that a Teredo address embeds */
static inline struct teredo_ep teredo_mapped(const struct in6_addr *a)
{
	const struct teredo_addr *ta = teredo_addr(a);
	struct teredo_ep ep = {
		.addr = ~ta->client,
		.port = (__force __be16)~ta->port,
	};

	return ep;
}

/* Server that a Teredo address embeds */
static inline __be32 teredo_server(const struct in6_addr *a)
{
	return teredo_addr(a)->server;
}

static inline bool teredo_has_prefix(const struct in6_addr *a, __be32 prefix)
{
	return teredo_addr(a)->prefix == prefix;
}

/**
 * teredo_make_addr - form a Teredo address (RFC 4380 section 4, A-01, A-12)
 * @a: result
 * @prefix: first 32 bits of the service prefix
 * @server: primary address of the server
 * @flags: host order, see TEREDO_FLAGS_RANDOM
 * @mapped: mapped address and port
 */
static inline void teredo_make_addr(struct in6_addr *a, __be32 prefix,
				    __be32 server, __u16 flags,
				    struct teredo_ep mapped)
{
	struct teredo_addr ta = {
		.prefix = prefix,
		.server = server,
		.flags = cpu_to_be16(flags),
		.port = (__force __be16)~mapped.port,
		.client = ~mapped.addr,
	};

	memcpy(a, &ta, sizeof(*a));
}

/* Link-local source of a client's solicitation */
static inline void teredo_client_linklocal(struct in6_addr *a, bool cone)
{
	struct teredo_addr ta = {
		.prefix = cpu_to_be32(0xfe800000),
		.flags = cpu_to_be16(cone ? TEREDO_FLAG_CONE : 0),
		.port = (__force __be16)~0,
		.client = (__force __be32)~0,
	};

	memcpy(a, &ta, sizeof(*a));
}

/* Link-local address of a server */
static inline void teredo_server_linklocal(struct in6_addr *a, __be32 primary)
{
	struct teredo_ep ep = {
		.addr = primary,
		.port = cpu_to_be16(TEREDO_UDP_PORT),
	};

	teredo_make_addr(a, cpu_to_be32(0xfe800000), 0, TEREDO_FLAG_CONE, ep);
}

/**
 * teredo_ipv4_global - is this a global unicast IPv4 address (G-01 to G-13)?
 * @addr: the address
 * @private_ok: lift the refusal of private and documentation ranges (G-14)
 *
 * Does not know the host's own addresses and its subnets' broadcast addresses
 * (G-10, G-15): these need the network namespace (G-16).
 */
static inline bool teredo_ipv4_global(__be32 addr, bool private_ok)
{
	__u32 a = be32_to_cpu(addr);

	switch (a >> 24) {
	case 0:
	case 127:
		return false;
	case 10:
		return private_ok;
	case 100:				/* 100.64.0.0/10 */
		return private_ok || (a & 0xffc00000) != 0x64400000;
	case 169:
		return (a & 0xffff0000) != 0xa9fe0000;
	case 172:				/* 172.16.0.0/12 */
		return private_ok || (a & 0xfff00000) != 0xac100000;
	case 192:
		if ((a & 0xffffff00) == 0xc0586300)	/* 192.88.99.0/24 */
			return false;
		return private_ok || ((a & 0xffff0000) != 0xc0a80000 &&
				      (a & 0xffffff00) != 0xc0000000 &&
				      (a & 0xffffff00) != 0xc0000200);
	case 198:		/* 198.18.0.0/15, 198.51.100.0/24 */
		return private_ok || ((a & 0xfffe0000) != 0xc6120000 &&
				      (a & 0xffffff00) != 0xc6336400);
	case 203:		/* 203.0.113.0/24 */
		return private_ok || (a & 0xffffff00) != 0xcb007100;
	}
	return a < 0xe0000000;
}

/* Is this a private IPv4 address (RFC 1918, RFC 6598)? */
static inline bool teredo_ipv4_private(__be32 addr)
{
	__u32 a = be32_to_cpu(addr);

	return (a >> 24) == 10 || (a & 0xfff00000) == 0xac100000 ||
	       (a & 0xffff0000) == 0xc0a80000 ||
	       (a & 0xffc00000) == 0x64400000;
}

/**
 * teredo_addr_valid - is this a valid Teredo address?
 * @a: address, known to have the service prefix
 * @private_ok: as in teredo_ipv4_global()
 *
 * The embedded server is checked where something is sent to it.
 */
static inline bool teredo_addr_valid(const struct in6_addr *a, bool private_ok)
{
	struct teredo_ep ep = teredo_mapped(a);

	return ep.port && teredo_ipv4_global(ep.addr, private_ok);
}

/* A bubble is an IPv6 header and nothing else (N-11) */
static inline bool teredo_is_bubble(const struct ipv6hdr *ip6)
{
	return ip6->nexthdr == IPPROTO_NONE && !ip6->payload_len;
}

/**
 * enum teredo_parse_result - what teredo_parse_headers() found
 * @TEREDO_PARSE_OK: well-formed
 * @TEREDO_PARSE_SHORT: ends before the headers do (SEC-01)
 * @TEREDO_PARSE_VERSION: no IPv6 where it should start (SEC-02)
 * @TEREDO_PARSE_LENGTH: IPv6 payload is longer than the datagram (SEC-03)
 * @TEREDO_PARSE_HEADER: unknown, repeated or misplaced header (SEC-04)
 */
enum teredo_parse_result {
	TEREDO_PARSE_OK,
	TEREDO_PARSE_SHORT,
	TEREDO_PARSE_VERSION,
	TEREDO_PARSE_LENGTH,
	TEREDO_PARSE_HEADER,
};

/**
 * struct teredo_parsed - where the parts of a UDP payload are
 * @auth: offset of the authentication header, -1 if there is none
 * @origin: offset of the origin indication, -1 if there is none
 * @ip6: offset of the IPv6 header
 */
struct teredo_parsed {
	int	auth;
	int	origin;
	int	ip6;
};

/**
 * teredo_parse_headers - find the headers in front of the IPv6 packet
 * @p: result, valid if TEREDO_PARSE_OK is returned
 * @data: start of the UDP payload
 * @avail: octets that may be read at @data
 * @len: octets of the whole UDP payload, at least @avail
 *
 * Implements E-01 to E-05 and COM-01 (RFC 4380 section 5.1.1). @avail may be
 * less than @len; if the headers and 40 octets of IPv6 do not fit into @avail
 * the answer is TEREDO_PARSE_SHORT, so the caller makes enough readable first
 * (TEREDO_MAX_HDRS always is enough).
 */
static inline enum teredo_parse_result
teredo_parse_headers(struct teredo_parsed *p, const __u8 *data,
		     unsigned int avail, unsigned int len)
{
	unsigned int off = 0;

	p->auth = -1;
	p->origin = -1;
	if (avail < 4)
		return TEREDO_PARSE_SHORT;
	if (!data[0] && data[1] == TEREDO_HDR_AUTH) {
		p->auth = 0;
		off = 4 + data[2] + data[3] + 9;
		if (avail < off + 2)
			return TEREDO_PARSE_SHORT;
	}
	if (!data[off] && data[off + 1] == TEREDO_HDR_ORIGIN) {
		p->origin = off;
		off += 8;
		if (avail < off + 2)
			return TEREDO_PARSE_SHORT;
	}
	if (!data[off])
		return TEREDO_PARSE_HEADER;
	if ((data[off] >> 4) != 6)
		return TEREDO_PARSE_VERSION;
	if (avail < off + 40)
		return TEREDO_PARSE_SHORT;
	if (len < off + 40 + (data[off + 4] << 8) + data[off + 5])
		return TEREDO_PARSE_LENGTH;
	p->ip6 = off;
	return TEREDO_PARSE_OK;
}

#define TEREDO_TRAILERS_MAX	32	/* with more a packet is dropped */
/* what so many of the longest take, and the head of one more */
#define TEREDO_TRAILERS_SPAN	(TEREDO_TRAILERS_MAX * (2 + 255) + 2)
#define TEREDO_ALTERNATES_MAX	4	/* C-29 */

/* struct teredo_alternate - an entry of an Alternate Address trailer (T-04) */
struct teredo_alternate {
	__be32	addr;
	__be16	port;
} __packed;

/* teredo_trailers.found */
#define TEREDO_FOUND_NONCE	0x01	/* @nonce */
#define TEREDO_FOUND_ALTERNATE	0x02	/* @alternates, well-formed */
#define TEREDO_FOUND_BAD	0x04	/* malformed alternates, X-HP-05 */

/**
 * struct teredo_trailers - what follows an IPv6 packet, as far as it is known
 * @found: which of the fields below are valid, TEREDO_FOUND_...
 * @n_alternates: entries of @alternates
 * @nonce: of the Nonce trailer
 * @alternates: of the Alternate Address trailer
 */
struct teredo_trailers {
	__u8	found;
	__u8	n_alternates;
	__be32	nonce;
	struct teredo_alternate alternates[TEREDO_ALTERNATES_MAX];
};

/* Entries of an Alternate Address trailer, 0 if it is malformed (T-04) */
static inline unsigned int teredo_alternates(const __u8 *value,
					     unsigned int len)
{
	const struct teredo_alternate *a = (const void *)(value + 2);
	unsigned int i, n;

	if (len < 2 || (len - 2) % sizeof(*a))
		return 0;
	n = (len - 2) / sizeof(*a);
	if (n > TEREDO_ALTERNATES_MAX)
		return 0;
	for (i = 0; i < n; i++)
		/* whether it is a loopback or broadcast address is not ours
		 * to say: it is well-formed, and not sent to
		 */
		if (!a[i].port || be32_to_cpu(a[i].addr) < 0x01000000 ||
		    be32_to_cpu(a[i].addr) >= 0xe0000000)
			return 0;
	return n;
}

/**
 * teredo_parse_trailers - walk the trailers of an IPv6 packet (RFC 6081
 *			   section 4)
 * @tr: result
 * @data: what follows the packet
 * @len: octets of that
 *
 * In the order of the packet, up to the first malformed one (T-02, T-07); of
 * two of a kind the first counts (X-TR-05). Unknown types are skipped (T-01),
 * and so are those that no extension of ours uses (X-TR-03, T-06). More than
 * TEREDO_TRAILERS_MAX of them are nobody's.
 *
 * Return: false if a trailer demands that the packet be dropped (T-01, SEC-07).
 */
static inline bool teredo_parse_trailers(struct teredo_trailers *tr,
					 const __u8 *data, unsigned int len)
{
	unsigned int n, value;
	__u8 type;

	tr->found = 0;
	for (n = 0; n < TEREDO_TRAILERS_MAX && len >= 2; n++) {
		type = data[0];
		value = data[1];
		if (len < 2 + value)
			return true;
		if ((type & 0xc0) == 0x40)
			return false;
		data += 2;
		switch (type) {
		case TEREDO_TRAILER_NONCE:
			if (value != sizeof(tr->nonce))
				return true;
			if (tr->found & TEREDO_FOUND_NONCE)
				break;
			memcpy(&tr->nonce, data, sizeof(tr->nonce));
			tr->found |= TEREDO_FOUND_NONCE;
			break;
		case TEREDO_TRAILER_ALTERNATE:
			if (tr->found & TEREDO_FOUND_ALTERNATE)
				break;
			tr->n_alternates = teredo_alternates(data, value);
			if (!tr->n_alternates) {
				tr->found |= TEREDO_FOUND_BAD;
				return true;
			}
			memcpy(tr->alternates, data + 2, value - 2);
			tr->found |= TEREDO_FOUND_ALTERNATE;
			break;
		case TEREDO_TRAILER_DISCOVERY:		/* T-05 */
			if (value != 4)
				return true;
			break;
		case TEREDO_TRAILER_RANDOM_PORT:
			if (value != 2)
				return true;
			break;
		}
		data += value;
		len -= 2 + value;
	}
	return len < 2;
}

/* Authentication with the longest fields, origin, IPv6 header (C-25) */
#define TEREDO_MAX_HDRS		(4 + 255 + 255 + 9 + 8 + 40)

#endif /* _TEREDO_PROTO_H */
