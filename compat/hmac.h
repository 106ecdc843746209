/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HMAC of the crypto library as it is now, for older kernels; teredo_key.c
 * only
 *
 * They have the hash functions in their library, of SHA-1 what one block does.
 */
#ifndef _TEREDO_COMPAT_HMAC_H
#define _TEREDO_COMPAT_HMAC_H

#include <crypto/sha1.h>
#include <crypto/sha2.h>
#include <linux/kernel.h>
#include <linux/string.h>

#define TEREDO_COMPAT_IPAD	0x36
#define TEREDO_COMPAT_OPAD	0x5c

#ifndef HAVE_HMAC_SHA1				/* 6.17 */
/* States after the block that is made of the key */
struct hmac_sha1_key {
	u32 inner[SHA1_DIGEST_SIZE / 4];
	u32 outer[SHA1_DIGEST_SIZE / 4];
};

/* Finishes a hash: @before octets, whole blocks, are in @state already */
static void teredo_compat_sha1(u32 *state, u64 before, const u8 *data,
			       size_t len, u8 *out)
{
	u8 last[2 * SHA1_BLOCK_SIZE] = {};
	__be64 bits = cpu_to_be64((before + len) * 8);
	u32 work[SHA1_WORKSPACE_WORDS];
	size_t end, i;

	for (; len >= SHA1_BLOCK_SIZE; len -= SHA1_BLOCK_SIZE) {
		sha1_transform(state, data, work);
		data += SHA1_BLOCK_SIZE;
	}
	memcpy(last, data, len);
	last[len] = 0x80;
	end = len + 1 + sizeof(bits) > SHA1_BLOCK_SIZE ? sizeof(last) :
							  SHA1_BLOCK_SIZE;
	memcpy(last + end - sizeof(bits), &bits, sizeof(bits));
	for (i = 0; i < end; i += SHA1_BLOCK_SIZE)
		sha1_transform(state, last + i, work);
	cpu_to_be32_array((__force __be32 *)state, state,
			  SHA1_DIGEST_SIZE / 4);
	memcpy(out, state, SHA1_DIGEST_SIZE);
	memzero_explicit(work, sizeof(work));
	memzero_explicit(last, sizeof(last));
}

static void teredo_compat_sha1_pad(u32 *state, const u8 *key, u8 pad)
{
	u32 work[SHA1_WORKSPACE_WORDS];
	u8 block[SHA1_BLOCK_SIZE];
	int i;

	for (i = 0; i < SHA1_BLOCK_SIZE; i++)
		block[i] = key[i] ^ pad;
	sha1_init(state);
	sha1_transform(state, block, work);
	memzero_explicit(work, sizeof(work));
	memzero_explicit(block, sizeof(block));
}

static void hmac_sha1_preparekey(struct hmac_sha1_key *key, const u8 *raw,
				 size_t len)
{
	u8 block[SHA1_BLOCK_SIZE] = {};

	if (len > sizeof(block)) {
		sha1_init(key->inner);
		teredo_compat_sha1(key->inner, 0, raw, len, block);
	} else {
		memcpy(block, raw, len);
	}
	teredo_compat_sha1_pad(key->inner, block, TEREDO_COMPAT_IPAD);
	teredo_compat_sha1_pad(key->outer, block, TEREDO_COMPAT_OPAD);
	memzero_explicit(block, sizeof(block));
}

static void hmac_sha1(const struct hmac_sha1_key *key, const u8 *data,
		      size_t len, u8 *out)
{
	struct hmac_sha1_key k = *key;

	teredo_compat_sha1(k.inner, SHA1_BLOCK_SIZE, data, len, out);
	teredo_compat_sha1(k.outer, SHA1_BLOCK_SIZE, out, SHA1_DIGEST_SIZE,
			   out);
	memzero_explicit(&k, sizeof(k));
}
#endif

#ifndef HAVE_HMAC_SHA256			/* 6.17 */
struct hmac_sha256_key {
	struct sha256_state inner;
	struct sha256_state outer;
};

static void teredo_compat_sha256_pad(struct sha256_state *state,
				     const u8 *key, u8 pad)
{
	u8 block[SHA256_BLOCK_SIZE];
	int i;

	for (i = 0; i < SHA256_BLOCK_SIZE; i++)
		block[i] = key[i] ^ pad;
	sha256_init(state);
	sha256_update(state, block, sizeof(block));
	memzero_explicit(block, sizeof(block));
}

static void hmac_sha256_preparekey(struct hmac_sha256_key *key, const u8 *raw,
				   size_t len)
{
	u8 block[SHA256_BLOCK_SIZE] = {};

	if (len > sizeof(block))
		sha256(raw, len, block);
	else
		memcpy(block, raw, len);
	teredo_compat_sha256_pad(&key->inner, block, TEREDO_COMPAT_IPAD);
	teredo_compat_sha256_pad(&key->outer, block, TEREDO_COMPAT_OPAD);
	memzero_explicit(block, sizeof(block));
}

static void hmac_sha256(const struct hmac_sha256_key *key, const u8 *data,
			size_t len, u8 *out)
{
	struct hmac_sha256_key k = *key;

	sha256_update(&k.inner, data, len);
	sha256_final(&k.inner, out);
	sha256_update(&k.outer, out, SHA256_DIGEST_SIZE);
	sha256_final(&k.outer, out);
	memzero_explicit(&k, sizeof(k));
}
#endif

#endif /* _TEREDO_COMPAT_HMAC_H */
