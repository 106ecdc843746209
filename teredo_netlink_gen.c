// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/teredo.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: selftests/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "teredo_netlink_gen.h"

#include <uapi/linux/teredo.h>

/* Integer value ranges */
static const struct netlink_range_validation teredo_a_dev_lifetime_range = {
	.min	= 1ULL,
	.max	= 86400ULL,
};

/* TEREDO_CMD_DEV_GET - do */
static const struct nla_policy teredo_dev_get_nl_policy[TEREDO_A_DEV_IFNAME + 1] = {
	[TEREDO_A_DEV_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_DEV_IFNAME] = { .type = NLA_NUL_STRING, .len = 15, },
};

/* TEREDO_CMD_DEV_SET - do */
static const struct nla_policy teredo_dev_set_nl_policy[TEREDO_A_DEV_LIFETIME + 1] = {
	[TEREDO_A_DEV_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_DEV_STATE] = NLA_POLICY_MAX(NLA_U32, 4),
	[TEREDO_A_DEV_REASON] = { .type = NLA_NUL_STRING, .len = 127, },
	[TEREDO_A_DEV_SERVER] = { .type = NLA_BE32, },
	[TEREDO_A_DEV_SECONDARY] = { .type = NLA_BE32, },
	[TEREDO_A_DEV_MAPPED_ADDRESS] = { .type = NLA_BE32, },
	[TEREDO_A_DEV_MAPPED_PORT] = { .type = NLA_BE16, },
	[TEREDO_A_DEV_FLAGS] = { .type = NLA_U16, },
	[TEREDO_A_DEV_NAT] = NLA_POLICY_MAX(NLA_U32, 4),
	[TEREDO_A_DEV_LIFETIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_a_dev_lifetime_range),
};

/* TEREDO_CMD_PEER_GET - do */
static const struct nla_policy teredo_peer_get_do_nl_policy[TEREDO_A_PEER_ADDRESS + 1] = {
	[TEREDO_A_PEER_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_PEER_ADDRESS] = NLA_POLICY_EXACT_LEN(16),
};

/* TEREDO_CMD_PEER_GET - dump */
static const struct nla_policy teredo_peer_get_dump_nl_policy[TEREDO_A_PEER_IFINDEX + 1] = {
	[TEREDO_A_PEER_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TEREDO_CMD_PEER_DEL - do */
static const struct nla_policy teredo_peer_del_nl_policy[TEREDO_A_PEER_ADDRESS + 1] = {
	[TEREDO_A_PEER_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_PEER_ADDRESS] = NLA_POLICY_EXACT_LEN(16),
};

/* TEREDO_CMD_CTRL_BIND - do */
static const struct nla_policy teredo_ctrl_bind_nl_policy[TEREDO_A_CTRL_IFINDEX + 1] = {
	[TEREDO_A_CTRL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TEREDO_CMD_CTRL_SEND - do */
static const struct nla_policy teredo_ctrl_send_nl_policy[TEREDO_A_CTRL_PORT + 1] = {
	[TEREDO_A_CTRL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_CTRL_ADDRESS] = { .type = NLA_BE32, },
	[TEREDO_A_CTRL_PORT] = { .type = NLA_BE16, },
	[TEREDO_A_CTRL_PAYLOAD] = NLA_POLICY_MAX_LEN(2048),
};

/* TEREDO_CMD_CTRL_REFUSE - do */
static const struct nla_policy teredo_ctrl_refuse_nl_policy[TEREDO_A_CTRL_REFUSAL + 1] = {
	[TEREDO_A_CTRL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_CTRL_REFUSAL] = NLA_POLICY_MAX(NLA_U32, 3),
	[TEREDO_A_CTRL_ADDRESS] = { .type = NLA_BE32, },
	[TEREDO_A_CTRL_PORT] = { .type = NLA_BE16, },
};

/* TEREDO_CMD_KEY_SET - do */
static const struct nla_policy teredo_key_set_nl_policy[TEREDO_A_KEY_CONFIRM + 1] = {
	[TEREDO_A_KEY_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_KEY_IDENTIFIER] = NLA_POLICY_MAX_LEN(255),
	[TEREDO_A_KEY_ALGORITHM] = NLA_POLICY_MAX(NLA_U32, 1),
	[TEREDO_A_KEY_SECRET] = NLA_POLICY_MAX_LEN(1024),
	[TEREDO_A_KEY_CONFIRM] = { .type = NLA_U8, },
};

/* TEREDO_CMD_KEY_DEL - do */
static const struct nla_policy teredo_key_del_nl_policy[TEREDO_A_KEY_IDENTIFIER + 1] = {
	[TEREDO_A_KEY_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TEREDO_A_KEY_IDENTIFIER] = NLA_POLICY_MAX_LEN(255),
};

/* TEREDO_CMD_KEY_GET - dump */
static const struct nla_policy teredo_key_get_nl_policy[TEREDO_A_KEY_IFINDEX + 1] = {
	[TEREDO_A_KEY_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Ops table for teredo */
static const struct genl_split_ops teredo_nl_ops[] = {
	{
		.cmd		= TEREDO_CMD_DEV_GET,
		.doit		= teredo_nl_dev_get_doit,
		.policy		= teredo_dev_get_nl_policy,
		.maxattr	= TEREDO_A_DEV_IFNAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= TEREDO_CMD_DEV_GET,
		.dumpit	= teredo_nl_dev_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TEREDO_CMD_DEV_SET,
		.doit		= teredo_nl_dev_set_doit,
		.policy		= teredo_dev_set_nl_policy,
		.maxattr	= TEREDO_A_DEV_LIFETIME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_PEER_GET,
		.doit		= teredo_nl_peer_get_doit,
		.policy		= teredo_peer_get_do_nl_policy,
		.maxattr	= TEREDO_A_PEER_ADDRESS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_PEER_GET,
		.dumpit		= teredo_nl_peer_get_dumpit,
		.policy		= teredo_peer_get_dump_nl_policy,
		.maxattr	= TEREDO_A_PEER_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TEREDO_CMD_PEER_DEL,
		.doit		= teredo_nl_peer_del_doit,
		.policy		= teredo_peer_del_nl_policy,
		.maxattr	= TEREDO_A_PEER_ADDRESS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_CTRL_BIND,
		.doit		= teredo_nl_ctrl_bind_doit,
		.policy		= teredo_ctrl_bind_nl_policy,
		.maxattr	= TEREDO_A_CTRL_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_CTRL_SEND,
		.doit		= teredo_nl_ctrl_send_doit,
		.policy		= teredo_ctrl_send_nl_policy,
		.maxattr	= TEREDO_A_CTRL_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_CTRL_REFUSE,
		.doit		= teredo_nl_ctrl_refuse_doit,
		.policy		= teredo_ctrl_refuse_nl_policy,
		.maxattr	= TEREDO_A_CTRL_REFUSAL,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_KEY_SET,
		.doit		= teredo_nl_key_set_doit,
		.policy		= teredo_key_set_nl_policy,
		.maxattr	= TEREDO_A_KEY_CONFIRM,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_KEY_DEL,
		.doit		= teredo_nl_key_del_doit,
		.policy		= teredo_key_del_nl_policy,
		.maxattr	= TEREDO_A_KEY_IDENTIFIER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TEREDO_CMD_KEY_GET,
		.dumpit		= teredo_nl_key_get_dumpit,
		.policy		= teredo_key_get_nl_policy,
		.maxattr	= TEREDO_A_KEY_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group teredo_nl_mcgrps[] = {
	[TEREDO_NLGRP_MONITOR] = { "monitor", .flags = GENL_MCAST_CAP_NET_ADMIN, },
};

struct genl_family teredo_nl_family __ro_after_init = {
	.name		= TEREDO_FAMILY_NAME,
	.version	= TEREDO_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= teredo_nl_ops,
	.n_split_ops	= ARRAY_SIZE(teredo_nl_ops),
	.mcgrps		= teredo_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(teredo_nl_mcgrps),
};
