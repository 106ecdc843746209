// SPDX-License-Identifier: GPL-2.0
/*
 * Router solicitations and advertisements of a Teredo client
 */
#include <linux/icmpv6.h>

#include "teredod_ra.h"

#define ND_ROUTER_SOLICIT	133
#define ND_ROUTER_ADVERT	134
#define ND_HOPLIMIT		255	/* C-31 */

#define ND_OPT_PREFIX		3
#define ND_OPT_PREFIX_LEN	32
#define ND_OPT_MTU		5
#define ND_OPT_MTU_LEN		8

#define RS_ICMP_LEN		8
#define RA_ICMP_LEN		16

/* Sum of 16 bit words for the checksum of RFC 1071, not yet complemented */
static __u32 sum16(__u32 sum, const __u8 *data, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += data[i] << 8 | data[i + 1];
	if (len & 1)
		sum += data[len - 1] << 8;
	return sum;
}

/* Checksum over an ICMPv6 message and its pseudo header; 0 if the one that is
 * in there is right. At most 64 KiB, so 32 bits do not overflow.
 */
static __u16 icmp6_checksum(const struct ipv6hdr *ip6, const __u8 *icmp,
			    size_t len)
{
	__u32 sum = len + IPPROTO_ICMPV6;

	sum = sum16(sum, (const __u8 *)&ip6->saddr, 32);
	sum = sum16(sum, icmp, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static bool is_linklocal(const struct in6_addr *a)
{
	return a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80;
}

/* The solicitation itself, RS_IP6_LEN octets (N-01) */
static void rs_packet(__u8 *buf)
{
	static const struct in6_addr all_routers = {
		.s6_addr = { 0xff, 2, [15] = 2 },
	};
	__u8 icmp[RS_ICMP_LEN] = { ND_ROUTER_SOLICIT };
	struct ipv6hdr ip6 = {
		.version = 6,
		.payload_len = cpu_to_be16(RS_ICMP_LEN),
		.nexthdr = IPPROTO_ICMPV6,
		.hop_limit = ND_HOPLIMIT,
		.daddr = all_routers,
	};
	__u16 sum;

	teredo_client_linklocal(&ip6.saddr, false);
	sum = icmp6_checksum(&ip6, icmp, sizeof(icmp));
	icmp[2] = sum >> 8;
	icmp[3] = sum & 0xff;
	memcpy(buf, &ip6, sizeof(ip6));
	memcpy(buf + sizeof(ip6), icmp, sizeof(icmp));
}

/* CL-S-02 */
size_t rs_build(__u8 *buf, const __u8 *nonce, const struct auth_key *key)
{
	struct teredo_auth_hdr auth = {
		.type = cpu_to_be16(TEREDO_HDR_AUTH),
	};
	struct teredo_auth_tail tail = { .confirm = 0 };	/* CL-S-07 */
	/* CL-S-05 */
	struct auth_part covered[] = {
		{ &tail, sizeof(tail) },
		{ NULL, RS_IP6_LEN },
	};
	__u8 *p = buf;

	if (key) {
		auth.id_len = key->id_len;
		auth.au_len = auth_len(key);
	}
	memcpy(tail.nonce, nonce, sizeof(tail.nonce));
	memcpy(p, &auth, sizeof(auth));
	p += sizeof(auth);
	if (key)
		memcpy(p, key->id, auth.id_len);
	p += auth.id_len + auth.au_len;
	memcpy(p, &tail, sizeof(tail));
	p += sizeof(tail);
	rs_packet(p);
	covered[1].data = p;
	if (key)
		auth_compute(key, covered, 2,
			     buf + sizeof(auth) + auth.id_len);
	return p + RS_IP6_LEN - buf;
}

/* The whole of what is there at @p counts, except trailers */
static bool authentic(const __u8 *data, const struct teredo_parsed *p,
		      const struct teredo_auth_tail *tail, const __u8 *value,
		      const struct auth_key *key)
{
	/* CL-S-05 */
	struct auth_part covered[] = {
		{ tail, sizeof(*tail) },
		{ NULL, 0 },
		{ data + p->ip6, 0 },
	};
	__u8 right[AUTH_LEN_MAX];
	struct ipv6hdr ip6;

	if (p->origin >= 0) {
		covered[1].data = data + p->origin;
		covered[1].len = sizeof(struct teredo_origin_hdr);
	}
	memcpy(&ip6, data + p->ip6, sizeof(ip6));
	covered[2].len = sizeof(ip6) + be16_to_cpu(ip6.payload_len);
	auth_compute(key, covered, 3, right);
	return auth_equal(right, value, auth_len(key));		/* CL-S-06 */
}

static enum ra_result check_auth(struct ra *ra, const __u8 *data,
				 const struct teredo_parsed *p,
				 const struct ra_expect *want)
{
	const struct auth_key *key = want->key;
	struct teredo_auth_tail tail;
	struct teredo_auth_hdr auth;
	const __u8 *id;

	id = data + p->auth + sizeof(auth);
	memcpy(&auth, data + p->auth, sizeof(auth));
	memcpy(&tail, id + auth.id_len + auth.au_len, sizeof(tail));
	if (memcmp(tail.nonce, want->nonce, sizeof(tail.nonce)))
		return RA_NONCE;	/* CL-S-03 */
	if (!key && (auth.id_len || auth.au_len))
		return RA_IDENTIFIER;
	if (!key)
		return tail.confirm ? RA_CONFIRM : RA_OK;
	if (auth.au_len != auth_len(key))
		return RA_AUTH;		/* no downgrade either */
	if (auth.id_len != key->id_len || memcmp(id, key->id, auth.id_len))
		return RA_IDENTIFIER;
	if (!authentic(data, p, &tail, id + auth.id_len, key))
		return RA_AUTH;
	ra->new_key = tail.confirm;
	return RA_OK;
}

static enum ra_result parse_options(struct ra *ra, const __u8 *opt, size_t len,
				    const struct ra_expect *want)
{
	struct teredo_addr prefix = { .prefix = 0 };
	unsigned int prefixes = 0;
	unsigned int plen = 0;
	__be32 mtu;

	ra->mtu = 0;
	ra->server = 0;
	while (len) {
		size_t opt_len = len < 2 ? 0 : opt[1] * 8;

		if (!opt_len || opt_len > len)
			return RA_INVALID;
		if (opt[0] == ND_OPT_PREFIX && opt_len == ND_OPT_PREFIX_LEN) {
			prefixes++;
			plen = opt[2];
			memcpy(&prefix, opt + 16, sizeof(prefix));
		} else if (opt[0] == ND_OPT_PREFIX) {
			return RA_INVALID;
		} else if (opt[0] == ND_OPT_MTU && opt_len == ND_OPT_MTU_LEN) {
			memcpy(&mtu, opt + 4, sizeof(mtu));
			ra->mtu = be32_to_cpu(mtu);
		}
		opt += opt_len;
		len -= opt_len;
	}
	if (ra->mtu < TEREDO_MIN_MTU)	/* N-10 */
		ra->mtu = 0;
	if (prefixes != 1 || plen != 64)
		return RA_PREFIXES;
	if (prefix.prefix == want->prefix)	/* C-02 */
		ra->server = prefix.server;
	return ra->server == want->server ? RA_OK : RA_PREFIX;
}

static enum ra_result parse_advert(struct ra *ra, const __u8 *data,
				   const struct ra_expect *want)
{
	const __u8 *icmp = data + sizeof(struct ipv6hdr);
	struct in6_addr self;
	struct ipv6hdr ip6;
	size_t len;

	memcpy(&ip6, data, sizeof(ip6));
	len = be16_to_cpu(ip6.payload_len);
	if (ip6.hop_limit != ND_HOPLIMIT || !is_linklocal(&ip6.saddr) ||
	    len < RA_ICMP_LEN || icmp[1] || icmp6_checksum(&ip6, icmp, len))
		return RA_INVALID;
	teredo_client_linklocal(&self, false);
	if (memcmp(&ip6.daddr, &self, sizeof(self)))
		return RA_DESTINATION;
	return parse_options(ra, icmp + RA_ICMP_LEN, len - RA_ICMP_LEN, want);
}

/* CL-Q-28 */
static enum ra_result parse_origin(struct ra *ra, const __u8 *data,
				   bool private_ok)
{
	struct teredo_origin_hdr origin;

	memcpy(&origin, data, sizeof(origin));
	ra->mapped.addr = ~origin.addr;
	ra->mapped.port = (__be16)~origin.port;
	if (!ra->mapped.port ||
	    !teredo_ipv4_global(ra->mapped.addr, private_ok))
		return RA_MAPPED;
	return RA_OK;
}

/* Whether the packet is from who answers us comes first: before the nonce is
 * known to be right nothing is worth a word to the operator.
 */
enum ra_result ra_parse(struct ra *ra, const __u8 *data, size_t len,
			const struct ra_expect *want)
{
	enum ra_result result;
	struct teredo_parsed p;
	struct ipv6hdr ip6;

	if (teredo_parse_headers(&p, data, len, len) != TEREDO_PARSE_OK)
		return RA_MALFORMED;
	memcpy(&ip6, data + p.ip6, sizeof(ip6));
	if (ip6.nexthdr != IPPROTO_ICMPV6 || !ip6.payload_len ||
	    data[p.ip6 + sizeof(ip6)] != ND_ROUTER_ADVERT)
		return RA_OTHER;
	if (p.auth < 0)
		return RA_NO_AUTH;
	ra->new_key = false;
	result = check_auth(ra, data, &p, want);
	if (result != RA_OK)
		return result;
	if (p.origin < 0)
		return RA_NO_ORIGIN;
	result = parse_advert(ra, data + p.ip6, want);
	if (result != RA_OK)
		return result;
	return parse_origin(ra, data + p.origin, want->private_ok);
}

const char *ra_result_text(enum ra_result result)
{
	switch (result) {
	case RA_OK:
		return "is fine";
	case RA_MALFORMED:
		return "is malformed";
	case RA_OTHER:
		return "is no router advertisement";
	case RA_NO_AUTH:
		return "does not repeat the nonce";
	case RA_IDENTIFIER:
		return "is for another client identifier";
	case RA_AUTH:
		return "is not authentic";
	case RA_NONCE:
		return "has another nonce";
	case RA_CONFIRM:
		return "says that authentication failed";
	case RA_INVALID:
		return "is no valid router advertisement";
	case RA_DESTINATION:
		return "is for another link-local address";
	case RA_NO_ORIGIN:
		return "does not tell our mapped address";
	case RA_PREFIXES:
		return "does not carry exactly one 64 bit prefix";
	case RA_PREFIX:
		return "carries another server's prefix";
	case RA_MAPPED:
		return "tells a mapped address that is not global";
	}
	return "is not understood";
}
