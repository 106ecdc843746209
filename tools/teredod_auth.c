// SPDX-License-Identifier: GPL-2.0
/*
 * Authentication of solicitations and advertisements
 */
#include <string.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>

#include "teredod_auth.h"

int auth_algorithm(const char *name, enum auth_algorithm *algorithm)
{
	if (!strcmp(name, "hmac-sha1"))
		*algorithm = AUTH_HMAC_SHA1;
	else if (!strcmp(name, "hmac-sha256"))
		*algorithm = AUTH_HMAC_SHA256;
	else
		return -1;
	return 0;
}

size_t auth_len(const struct auth_key *key)
{
	return key->algorithm == AUTH_HMAC_SHA256 ? SHA256_DIGEST_SIZE :
						    SHA1_DIGEST_SIZE;
}

static void compute_sha1(const struct auth_key *key,
			 const struct auth_part *parts, size_t n, __u8 *value)
{
	struct hmac_sha1_ctx ctx;
	size_t i;

	hmac_sha1_set_key(&ctx, key->secret_len, key->secret);
	for (i = 0; i < n; i++)
		hmac_sha1_update(&ctx, parts[i].len, parts[i].data);
	hmac_sha1_digest(&ctx, SHA1_DIGEST_SIZE, value);
	explicit_bzero(&ctx, sizeof(ctx));
}

static void compute_sha256(const struct auth_key *key,
			   const struct auth_part *parts, size_t n,
			   __u8 *value)
{
	struct hmac_sha256_ctx ctx;
	size_t i;

	hmac_sha256_set_key(&ctx, key->secret_len, key->secret);
	for (i = 0; i < n; i++)
		hmac_sha256_update(&ctx, parts[i].len, parts[i].data);
	hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, value);
	explicit_bzero(&ctx, sizeof(ctx));
}

void auth_compute(const struct auth_key *key, const struct auth_part *parts,
		  size_t n, __u8 *value)
{
	if (key->algorithm == AUTH_HMAC_SHA256)
		compute_sha256(key, parts, n, value);
	else
		compute_sha1(key, parts, n, value);
}

bool auth_equal(const __u8 *a, const __u8 *b, size_t len)
{
	return memeql_sec(a, b, len);
}

void auth_forget(struct auth_key *key)
{
	explicit_bzero(key, sizeof(*key));
}
