/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Router solicitations and advertisements of a Teredo client (RFC 4380
 * sections 5.1.1 and 5.2.1): pure functions over the UDP payload
 */
#ifndef _TEREDOD_RA_H
#define _TEREDOD_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "teredo_proto.h"
#include "teredod_auth.h"

#define RA_NONCE_LEN	8
#define RS_IP6_LEN	48
#define RS_MAX_LEN	(4 + AUTH_ID_MAX + AUTH_LEN_MAX + RA_NONCE_LEN + 1 + \
			 RS_IP6_LEN)

/**
 * struct ra_expect - what an advertisement has to agree with
 * @prefix: first 32 bits of the service prefix
 * @server: primary address of the server, whichever address was asked
 * @nonce: nonce of the outstanding solicitation
 * @key: what it is authenticated by, NULL for the nonce alone
 * @private_ok: take private and documentation addresses for mapped ones
 */
struct ra_expect {
	__be32	prefix;
	__be32	server;
	__u8	nonce[RA_NONCE_LEN];
	const struct auth_key	*key;
	bool	private_ok;
};

/**
 * struct ra - what an advertisement says
 * @mapped: address and port that the server saw
 * @server: primary address that the prefix names
 * @mtu: MTU option, 0 if there is none of at least 1280
 * @new_key: authentic, but the server asks for a new key (CL-S-08)
 */
struct ra {
	struct teredo_ep	mapped;
	__be32			server;
	__u32			mtu;
	bool			new_key;
};

/**
 * enum ra_result - whether an advertisement can be used
 * @RA_OK: it can
 * @RA_MALFORMED: not Teredo, or its headers are in the wrong order (E-04)
 * @RA_OTHER: something else than a router advertisement
 * @RA_NO_AUTH: no authentication header (CL-Q-30)
 * @RA_NONCE: answers another solicitation (CL-Q-30, CL-Q-31)
 * @RA_IDENTIFIER: the client identifier is not ours (CL-S-09)
 * @RA_AUTH: the authentication value is wrong or missing (CL-S-06, CL-S-09)
 * @RA_CONFIRM: the server did not accept the authentication (CL-S-08)
 * @RA_INVALID: breaks a rule of Neighbor Discovery (N-08)
 * @RA_DESTINATION: not for the source of the solicitation (CL-Q-25)
 * @RA_NO_ORIGIN: no origin indication (N-09)
 * @RA_PREFIXES: none or several prefixes, or not 64 bits (N-09, N-05)
 * @RA_PREFIX: prefix of another service or another server (CL-Q-26)
 * @RA_MAPPED: mapped address is not global, or port 0 (CL-Q-32)
 *
 * Results up to RA_NONCE can be caused by anybody who knows our mapping; those
 * after it come from someone who has seen the solicitation.
 */
enum ra_result {
	RA_OK,
	RA_MALFORMED,
	RA_OTHER,
	RA_NO_AUTH,
	RA_NONCE,
	RA_IDENTIFIER,
	RA_AUTH,
	RA_CONFIRM,
	RA_INVALID,
	RA_DESTINATION,
	RA_NO_ORIGIN,
	RA_PREFIXES,
	RA_PREFIX,
	RA_MAPPED,
};

/* Writes authentication, by the nonce alone if @key is NULL, and the
 * solicitation: at most RS_MAX_LEN octets. Returns how many.
 */
size_t rs_build(__u8 *buf, const __u8 *nonce, const struct auth_key *key);

/* @ra is valid if RA_OK is returned, @ra->mapped also with RA_MAPPED and
 * @ra->server with RA_PREFIX: 0 if that is another service's prefix
 */
enum ra_result ra_parse(struct ra *ra, const __u8 *data, size_t len,
			const struct ra_expect *want);

/* For "the server's answer ..." */
const char *ra_result_text(enum ra_result result);

#endif /* _TEREDOD_RA_H */
