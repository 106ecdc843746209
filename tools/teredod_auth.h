/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Authentication of solicitations and advertisements (RFC 4380 section 5.2.2,
 * CL-S): pure functions
 */
#ifndef _TEREDOD_AUTH_H
#define _TEREDOD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define AUTH_ID_MAX	255	/* as the header's fields can tell */
#define AUTH_SECRET_MAX	1024	/* as teredoctl key */
#define AUTH_LEN_MAX	32

enum auth_algorithm {
	AUTH_HMAC_SHA1,		/* the default (CL-S-04) */
	AUTH_HMAC_SHA256,
};

/**
 * struct auth_key - what client and server share
 * @id_len: octets of @id; 0: there is no key
 * @id: client identifier
 * @algorithm: enum auth_algorithm
 * @secret_len: octets of @secret
 * @secret: never shown, see auth_forget()
 */
struct auth_key {
	__u8			id_len;
	__u8			id[AUTH_ID_MAX];
	enum auth_algorithm	algorithm;
	size_t			secret_len;
	__u8			secret[AUTH_SECRET_MAX];
};

/* struct auth_part - octets that are covered */
struct auth_part {
	const void	*data;
	size_t		len;
};

/* 0, or -1 if there is no such algorithm */
int auth_algorithm(const char *name, enum auth_algorithm *algorithm);

/* Octets of the authentication value */
size_t auth_len(const struct auth_key *key);

/* Writes auth_len() octets */
void auth_compute(const struct auth_key *key, const struct auth_part *parts,
		  size_t n, __u8 *value);

/* Compares in a time that does not depend on the octets (CL-S-06) */
bool auth_equal(const __u8 *a, const __u8 *b, size_t len);

/* Leaves no copy in memory (CL-S-10) */
void auth_forget(struct auth_key *key);

#endif /* _TEREDOD_AUTH_H */
