// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: keys of a server's clients (RFC 4380 section 5.2.2)
 *
 * A key belongs to a client identifier. It comes in over generic netlink and
 * its secret never goes out again: what is kept of it is the state of the hash
 * function, made once, in process context (CL-S-10, SEC-67). The server looks
 * keys up in softirq by RCU. They outlive down and up, and go with the device
 * or when it ceases to be a server.
 */
#include <crypto/sha1.h>
#include <crypto/sha2.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "teredo.h"
#include "teredo_netlink_gen.h"

#define TEREDO_KEYS_MAX		4096
#define TEREDO_KEY_SLOTS	1024

static_assert(SHA1_DIGEST_SIZE <= TEREDO_MAC_MAX);
static_assert(SHA256_DIGEST_SIZE <= TEREDO_MAC_MAX);
static_assert((int)TEREDO_A_DEV_IFINDEX == (int)TEREDO_A_KEY_IFINDEX);

/**
 * struct teredo_key - what a server shares with a client (CL-S-01)
 * @node: in a slot of teredo_keys; written under RTNL
 * @rcu: frees it a grace period after it left there
 * @algorithm: enum teredo_algorithm
 * @confirm: confirmation octet of the answers (CL-S-07); may change
 * @id_len: octets of @id
 * @sha1: the secret for HMAC-SHA1
 * @sha256: the secret for HMAC-SHA256
 * @id: client identifier
 */
struct teredo_key {
	struct hlist_node	node;
	struct rcu_head		rcu;
	u8			algorithm;
	u8			confirm;
	u8			id_len;
	union {
		struct hmac_sha1_key	sha1;
		struct hmac_sha256_key	sha256;
	};
	u8			id[];
};

/**
 * struct teredo_keys - the keys of a device
 * @seed: who chooses identifiers does not choose the slots (SEC-57)
 * @n: how many keys there are, RTNL
 * @seq: changes with them, never 0; written under RTNL
 * @slots: lists of keys, RTNL and RCU
 *
 * Made with the first key, and kept as long as the device.
 */
struct teredo_keys {
	siphash_key_t		seed;
	u32			n;
	u32			seq;
	struct hlist_head	slots[TEREDO_KEY_SLOTS];
};

/* What the sender may choose is no secret, so it is compared as ever */
static struct teredo_key *teredo_key_lookup(struct teredo_keys *keys,
					    const u8 *id, u8 len)
{
	u32 slot = siphash(id, len, &keys->seed) % TEREDO_KEY_SLOTS;
	struct teredo_key *key;

	hlist_for_each_entry_rcu(key, &keys->slots[slot], node,
				 lockdep_rtnl_is_held())
		if (key->id_len == len && !memcmp(key->id, id, len))
			return key;
	return NULL;
}

/**
 * teredo_key_find - the key of a client
 * @t: the device
 * @id: client identifier, no alignment
 * @len: its octets
 *
 * Context: RCU.
 * Return: the key, NULL if there is none of that identifier.
 */
const struct teredo_key *teredo_key_find(const struct teredo_dev *t,
					 const u8 *id, u8 len)
{
	struct teredo_keys *keys = rcu_dereference(t->keys);

	return keys ? teredo_key_lookup(keys, id, len) : NULL;
}

/**
 * teredo_key_mac_len - octets of an authentication value
 * @key: the key, RCU
 *
 * Return: at most TEREDO_MAC_MAX. Values are not truncated (CL-S-04).
 */
unsigned int teredo_key_mac_len(const struct teredo_key *key)
{
	return key->algorithm == TEREDO_ALGORITHM_HMAC_SHA1 ?
		SHA1_DIGEST_SIZE : SHA256_DIGEST_SIZE;
}

/**
 * teredo_key_confirm - is the key still good?
 * @key: the key, RCU
 *
 * Return: the confirmation octet of an advertisement, 0 if it is (SV-30).
 */
u8 teredo_key_confirm(const struct teredo_key *key)
{
	return READ_ONCE(key->confirm);
}

/**
 * teredo_key_mac - authentication value (CL-S-04)
 * @key: the key, RCU
 * @data: what it is to cover (CL-S-05)
 * @len: octets of @data
 * @mac: result, teredo_key_mac_len() octets
 *
 * Context: any; cannot fail.
 */
void teredo_key_mac(const struct teredo_key *key, const u8 *data, size_t len,
		    u8 *mac)
{
	if (key->algorithm == TEREDO_ALGORITHM_HMAC_SHA1)
		hmac_sha1(&key->sha1, data, len, mac);
	else
		hmac_sha256(&key->sha256, data, len, mac);
}

/* ---- changes, under RTNL ---- */

static void teredo_key_free(struct rcu_head *rcu)
{
	kfree_sensitive(container_of(rcu, struct teredo_key, rcu));
}

static void teredo_key_remove(struct teredo_keys *keys, struct teredo_key *key)
{
	hlist_del_rcu(&key->node);
	keys->n--;
	call_rcu(&key->rcu, teredo_key_free);
}

/* For readers that dump: 0 would mean that nothing can have changed */
static void teredo_keys_changed(struct teredo_keys *keys)
{
	WRITE_ONCE(keys->seq, keys->seq + 1 ?: 1);
}

/**
 * teredo_keys_flush - forget all keys
 * @t: the device
 *
 * Context: RTNL.
 */
void teredo_keys_flush(struct teredo_dev *t)
{
	struct teredo_keys *keys = rtnl_dereference(t->keys);
	struct teredo_key *key;
	struct hlist_node *next;
	int i;

	if (!keys)
		return;
	for (i = 0; i < TEREDO_KEY_SLOTS; i++)
		hlist_for_each_entry_safe(key, next, &keys->slots[i], node)
			teredo_key_remove(keys, key);
	teredo_keys_changed(keys);
}

/**
 * teredo_keys_free - release all keys and what held them
 * @t: the device, which nobody reads any more
 */
void teredo_keys_free(struct teredo_dev *t)
{
	struct teredo_keys *keys = rcu_dereference_protected(t->keys, true);
	struct teredo_key *key;
	struct hlist_node *next;
	int i;

	if (!keys)
		return;
	for (i = 0; i < TEREDO_KEY_SLOTS; i++)
		hlist_for_each_entry_safe(key, next, &keys->slots[i], node)
			kfree_sensitive(key);
	kfree_sensitive(keys);
}

static struct teredo_keys *teredo_keys_get(struct teredo_dev *t)
{
	struct teredo_keys *keys = rtnl_dereference(t->keys);

	if (keys)
		return keys;
	keys = kzalloc_obj(*keys, GFP_KERNEL_ACCOUNT);
	if (!keys)
		return NULL;
	get_random_bytes(&keys->seed, sizeof(keys->seed));
	keys->seq = 1;
	rcu_assign_pointer(t->keys, keys);
	return keys;
}

static struct teredo_key *teredo_key_make(const struct nlattr *id,
					  const struct nlattr *secret,
					  u8 algorithm)
{
	struct teredo_key *key;

	key = kzalloc(struct_size(key, id, nla_len(id)), GFP_KERNEL_ACCOUNT);
	if (!key)
		return NULL;
	key->algorithm = algorithm;
	key->id_len = nla_len(id);
	memcpy(key->id, nla_data(id), nla_len(id));
	if (algorithm == TEREDO_ALGORITHM_HMAC_SHA1)
		hmac_sha1_preparekey(&key->sha1, nla_data(secret),
				     nla_len(secret));
	else
		hmac_sha256_preparekey(&key->sha256, nla_data(secret),
				       nla_len(secret));
	return key;
}

/* Change no more than the confirmation of a key */
static int teredo_key_reconfirm(struct teredo_key *key, struct genl_info *info)
{
	const struct nlattr *algorithm = info->attrs[TEREDO_A_KEY_ALGORITHM];
	const struct nlattr *confirm = info->attrs[TEREDO_A_KEY_CONFIRM];

	if (!confirm) {
		NL_SET_ERR_ATTR_MISS(info->extack, NULL, TEREDO_A_KEY_SECRET);
		GENL_SET_ERR_MSG(info, "secret is missing");
		return -EINVAL;
	}
	if (!key) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    info->attrs[TEREDO_A_KEY_IDENTIFIER],
				    "no such identifier, a new one needs a secret");
		return -ENOENT;
	}
	if (algorithm) {
		NL_SET_ERR_MSG_ATTR(info->extack, algorithm,
				    "algorithm: needs the secret too");
		return -EINVAL;
	}
	WRITE_ONCE(key->confirm, nla_get_u8(confirm));
	return 0;
}

/* A key for a new identifier, or another key for a known one */
static int teredo_key_put(struct teredo_keys *keys, struct teredo_key *old,
			  struct genl_info *info)
{
	const struct nlattr *algorithm = info->attrs[TEREDO_A_KEY_ALGORITHM];
	const struct nlattr *confirm = info->attrs[TEREDO_A_KEY_CONFIRM];
	const struct nlattr *secret = info->attrs[TEREDO_A_KEY_SECRET];
	const struct nlattr *id = info->attrs[TEREDO_A_KEY_IDENTIFIER];
	struct teredo_key *key;
	u32 slot;

	if (!nla_len(secret)) {
		NL_SET_ERR_MSG_ATTR(info->extack, secret,
				    "secret: must not be empty");
		return -EINVAL;
	}
	if (!old && keys->n >= TEREDO_KEYS_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, id,
				    "identifier: the device has 4096 already");
		return -ENOSPC;
	}
	key = teredo_key_make(id, secret,
			      algorithm ? nla_get_u32(algorithm) :
					  TEREDO_ALGORITHM_HMAC_SHA1);
	if (!key)
		return -ENOMEM;
	if (confirm)
		key->confirm = nla_get_u8(confirm);
	if (old) {
		hlist_replace_rcu(&old->node, &key->node);
		call_rcu(&old->rcu, teredo_key_free);
	} else {
		slot = siphash(key->id, key->id_len, &keys->seed) %
			TEREDO_KEY_SLOTS;
		hlist_add_head_rcu(&key->node, &keys->slots[slot]);
		keys->n++;
	}
	return 0;
}

/* ---- generic netlink ---- */

/* Only a server has keys */
static int teredo_key_mode(const struct teredo_config *cfg,
			   const struct nlattr *ifindex,
			   struct netlink_ext_ack *extack)
{
	if (cfg->mode == TEREDO_MODE_SERVER)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, ifindex, "keys are for servers");
	return -EOPNOTSUPP;
}

/* Is this about a key that a device may have? */
static int teredo_key_check(const struct teredo_dev *t, struct genl_info *info)
{
	const struct nlattr *id = info->attrs[TEREDO_A_KEY_IDENTIFIER];

	if (GENL_REQ_ATTR_CHECK(info, TEREDO_A_KEY_IDENTIFIER)) {
		GENL_SET_ERR_MSG(info, "identifier is missing");
		return -EINVAL;
	}
	if (!nla_len(id)) {
		NL_SET_ERR_MSG_ATTR(info->extack, id,
				    "identifier: must not be empty");
		return -EINVAL;
	}
	return teredo_key_mode(rtnl_dereference(t->cfg),
			       info->attrs[TEREDO_A_KEY_IFINDEX],
			       info->extack);
}

static int teredo_nl_key_set(struct teredo_dev *t, struct genl_info *info)
{
	const struct nlattr *id = info->attrs[TEREDO_A_KEY_IDENTIFIER];
	struct teredo_keys *keys;
	struct teredo_key *old;
	int err;

	err = teredo_key_check(t, info);
	if (err)
		return err;
	keys = teredo_keys_get(t);
	if (!keys)
		return -ENOMEM;
	old = teredo_key_lookup(keys, nla_data(id), nla_len(id));
	if (info->attrs[TEREDO_A_KEY_SECRET])
		err = teredo_key_put(keys, old, info);
	else
		err = teredo_key_reconfirm(old, info);
	if (!err)
		teredo_keys_changed(keys);
	return err;
}

int teredo_nl_key_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *secret = info->attrs[TEREDO_A_KEY_SECRET];
	int err;

	err = teredo_nl_locked(info, teredo_nl_key_set);
	/* an error would quote it, and the request's memory is free then */
	if (secret)
		memzero_explicit(nla_data(secret), nla_len(secret));
	return err;
}

static int teredo_nl_key_del(struct teredo_dev *t, struct genl_info *info)
{
	const struct nlattr *id = info->attrs[TEREDO_A_KEY_IDENTIFIER];
	struct teredo_keys *keys;
	struct teredo_key *key;
	int err;

	err = teredo_key_check(t, info);
	if (err)
		return err;
	keys = rtnl_dereference(t->keys);
	key = keys ? teredo_key_lookup(keys, nla_data(id), nla_len(id)) : NULL;
	if (!key) {
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no such identifier");
		return -ENOENT;
	}
	teredo_key_remove(keys, key);
	teredo_keys_changed(keys);
	return 0;
}

int teredo_nl_key_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_key_del);
}

static int teredo_nl_fill_key(struct sk_buff *skb, const struct teredo_dev *t,
			      const struct teredo_key *key,
			      struct netlink_callback *cb)
{
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &teredo_nl_family, NLM_F_MULTI, TEREDO_CMD_KEY_GET);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (nla_put_u32(skb, TEREDO_A_KEY_IFINDEX, t->dev->ifindex) ||
	    nla_put(skb, TEREDO_A_KEY_IDENTIFIER, key->id_len, key->id) ||
	    nla_put_u32(skb, TEREDO_A_KEY_ALGORITHM, key->algorithm) ||
	    nla_put_u8(skb, TEREDO_A_KEY_CONFIRM, teredo_key_confirm(key))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* Where a dump goes on: the first key that is not dumped */
struct teredo_key_cursor {
	u32	slot;
	u32	skip;
};

static_assert(sizeof(struct teredo_key_cursor) <=
	      sizeof_field(struct netlink_callback, ctx));

/* Keys that come or go meanwhile move the cursor; the reader is told */
static int teredo_nl_dump_keys(struct sk_buff *skb, struct netlink_callback *cb,
			       const struct teredo_dev *t)
{
	struct teredo_key_cursor *cursor = (void *)cb->ctx;
	struct teredo_keys *keys = rcu_dereference(t->keys);
	const struct teredo_key *key;
	u32 i;

	if (!keys)
		return 0;
	cb->seq = READ_ONCE(keys->seq);
	for (; cursor->slot < TEREDO_KEY_SLOTS; cursor->slot++) {
		i = 0;
		hlist_for_each_entry_rcu(key, &keys->slots[cursor->slot],
					 node) {
			if (i++ < cursor->skip)
				continue;
			if (teredo_nl_fill_key(skb, t, key, cb))
				return -EMSGSIZE;
			cursor->skip++;
		}
		cursor->skip = 0;
	}
	return 0;
}

int teredo_nl_key_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *ifindex =
		genl_info_dump(cb)->attrs[TEREDO_A_KEY_IFINDEX];
	const struct teredo_dev *t;
	int err;

	if (!ifindex) {
		NL_SET_ERR_ATTR_MISS(cb->extack, NULL, TEREDO_A_KEY_IFINDEX);
		NL_SET_ERR_MSG(cb->extack, "ifindex is missing");
		return -EINVAL;
	}
	rcu_read_lock();
	t = teredo_nl_by_index(sock_net(skb->sk), ifindex, cb->extack);
	if (IS_ERR(t))
		err = PTR_ERR(t);
	else
		err = teredo_key_mode(rcu_dereference(t->cfg), ifindex,
				      cb->extack);
	if (!err)
		err = teredo_nl_dump_keys(skb, cb, t);
	rcu_read_unlock();
	return skb->len ?: err;
}
