// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: the configuration, as rtnetlink sets and shows it
 */
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>

#include "teredo.h"

#define TEREDO_CLIENT		BIT(TEREDO_MODE_CLIENT)
#define TEREDO_RELAY		BIT(TEREDO_MODE_RELAY)
#define TEREDO_HOST_RELAY	BIT(TEREDO_MODE_HOST_RELAY)
#define TEREDO_SERVER		BIT(TEREDO_MODE_SERVER)
#define TEREDO_RELAYS		(TEREDO_RELAY | TEREDO_HOST_RELAY)
#define TEREDO_PEERING		(TEREDO_CLIENT | TEREDO_RELAYS)
#define TEREDO_ALL		(TEREDO_PEERING | TEREDO_SERVER)
#define TEREDO_NEVER		0

/**
 * struct teredo_word - a word of `ip link`
 * @offset: its field in struct teredo_config
 * @size: size of that field, 0 for the prefixes of IFLA_TEREDO_SERVE
 * @modes: bits of the modes that know it
 * @live: bits of the modes in which it may change while the device is up
 * @unknown: what to say if the mode does not know it
 * @busy: what to say if the device would have to be down
 */
struct teredo_word {
	u16		offset;
	u8		size;
	u8		modes;
	u8		live;
	const char	*unknown;
	const char	*busy;
};

#define TEREDO_WORD(_word, _field, _size, _modes, _live) {		\
	.offset = offsetof(struct teredo_config, _field),		\
	.size = (_size),						\
	.modes = (_modes),						\
	.live = (_live),						\
	.unknown = _word ": this mode does not know it",		\
	.busy = _word ": changes only while the device is down",	\
}

#define TEREDO_VALUE(_word, _field, _modes, _live)			\
	TEREDO_WORD(_word, _field,					\
		    sizeof_field(struct teredo_config, _field),		\
		    _modes, _live)

static const struct teredo_word teredo_words[IFLA_TEREDO_MAX + 1] = {
	[IFLA_TEREDO_MODE] =
		TEREDO_VALUE("mode", mode, TEREDO_ALL, TEREDO_NEVER),
	[IFLA_TEREDO_PREFIX] =
		TEREDO_VALUE("prefix", prefix, TEREDO_ALL, TEREDO_NEVER),
	[IFLA_TEREDO_LOCAL] =
		TEREDO_VALUE("local", local, TEREDO_ALL, TEREDO_NEVER),
	[IFLA_TEREDO_PORT] =
		TEREDO_VALUE("port", port, TEREDO_ALL, TEREDO_NEVER),
	[IFLA_TEREDO_LINK] =
		TEREDO_VALUE("dev", link, TEREDO_ALL, TEREDO_NEVER),
	[IFLA_TEREDO_SERVER] =
		TEREDO_VALUE("server", server, TEREDO_CLIENT, TEREDO_CLIENT),
	[IFLA_TEREDO_SECONDARY] =
		TEREDO_VALUE("secondary", secondary,
			     TEREDO_CLIENT | TEREDO_SERVER, TEREDO_CLIENT),
	[IFLA_TEREDO_FWMARK] =
		TEREDO_VALUE("fwmark", fwmark, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_TOS] =
		TEREDO_VALUE("tos", tos, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_TTL] =
		TEREDO_VALUE("ttl", ttl, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_ECN] =
		TEREDO_VALUE("ecn", ecn, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_PMTUDISC] =
		TEREDO_VALUE("pmtudisc", pmtudisc, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_PRIVATE] =
		TEREDO_VALUE("private", private_ok, TEREDO_ALL, TEREDO_ALL),
	[IFLA_TEREDO_MAX_PEERS] =
		TEREDO_VALUE("max-peers", max_peers,
			     TEREDO_PEERING, TEREDO_PEERING),
	[IFLA_TEREDO_QUEUE] =
		TEREDO_VALUE("queue", queue, TEREDO_PEERING, TEREDO_PEERING),
	[IFLA_TEREDO_PEER_RATE] =
		TEREDO_VALUE("peer-rate", peer_rate,
			     TEREDO_PEERING, TEREDO_PEERING),
	[IFLA_TEREDO_BUBBLE_RATE] =
		TEREDO_VALUE("bubble-rate", bubble_rate,
			     TEREDO_PEERING, TEREDO_PEERING),
	[IFLA_TEREDO_SERVER_RATE] =
		TEREDO_VALUE("server-rate", server_rate,
			     TEREDO_PEERING, TEREDO_PEERING),
	[IFLA_TEREDO_SERVE] =
		TEREDO_WORD("serve", serve, 0, TEREDO_RELAY, TEREDO_RELAY),
	[IFLA_TEREDO_ACCEPT_UNKNOWN] =
		TEREDO_VALUE("accept-unknown", accept_unknown,
			     TEREDO_RELAY, TEREDO_RELAY),
	[IFLA_TEREDO_NAT] =
		TEREDO_VALUE("nat", nat, TEREDO_RELAYS, TEREDO_RELAYS),
	[IFLA_TEREDO_DISCOVERY] =
		TEREDO_VALUE("discovery", discovery,
			     TEREDO_CLIENT, TEREDO_CLIENT),
	[IFLA_TEREDO_LOCAL_STRICT] =
		TEREDO_VALUE("local-strict", local_strict,
			     TEREDO_CLIENT, TEREDO_CLIENT),
	[IFLA_TEREDO_RATE] =
		TEREDO_VALUE("rate", rate, TEREDO_SERVER, TEREDO_SERVER),
	[IFLA_TEREDO_ICMP_LIMIT] =
		TEREDO_VALUE("icmp-limit", icmp_limit,
			     TEREDO_SERVER, TEREDO_SERVER),
	[IFLA_TEREDO_SECURE] =
		TEREDO_VALUE("secure", secure, TEREDO_SERVER, TEREDO_SERVER),
};

static const struct netlink_range_validation teredo_peers_range = {
	.min = 1,
	.max = TEREDO_MAX_PEERS,
};

static const struct netlink_range_validation teredo_rate_range = {
	.max = TEREDO_MAX_RATE,
};

static const struct netlink_range_validation teredo_icmp_range = {
	.min = 8,
	.max = 65535,
};

const struct nla_policy teredo_policy[IFLA_TEREDO_MAX + 1] = {
	[IFLA_TEREDO_UNSPEC] = { .strict_start_type = IFLA_TEREDO_MODE },
	[IFLA_TEREDO_MODE] = NLA_POLICY_MAX(NLA_U8, TEREDO_MODE_SERVER),
	[IFLA_TEREDO_PREFIX] = { .type = NLA_BE32 },
	[IFLA_TEREDO_LOCAL] = { .type = NLA_BE32 },
	[IFLA_TEREDO_PORT] = { .type = NLA_BE16 },
	[IFLA_TEREDO_LINK] = { .type = NLA_U32 },
	[IFLA_TEREDO_SERVER] = { .type = NLA_BE32 },
	[IFLA_TEREDO_SECONDARY] = { .type = NLA_BE32 },
	[IFLA_TEREDO_FWMARK] = { .type = NLA_U32 },
	[IFLA_TEREDO_TOS] = { .type = NLA_U8 },
	[IFLA_TEREDO_TTL] = { .type = NLA_U8 },
	[IFLA_TEREDO_ECN] = NLA_POLICY_MAX(NLA_U8, TEREDO_ECN_COPY),
	[IFLA_TEREDO_PMTUDISC] = NLA_POLICY_MAX(NLA_U8, 1),
	[IFLA_TEREDO_PRIVATE] = NLA_POLICY_MAX(NLA_U8, 1),
	[IFLA_TEREDO_MAX_PEERS] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_peers_range),
	[IFLA_TEREDO_QUEUE] = NLA_POLICY_MAX(NLA_U32, TEREDO_MAX_QUEUE),
	[IFLA_TEREDO_PEER_RATE] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_rate_range),
	[IFLA_TEREDO_BUBBLE_RATE] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_rate_range),
	[IFLA_TEREDO_SERVER_RATE] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_rate_range),
	[IFLA_TEREDO_SERVE] = {
		.type = NLA_BINARY,
		.len = TEREDO_SERVE_MAX * sizeof(struct teredo_prefix),
	},
	[IFLA_TEREDO_ACCEPT_UNKNOWN] = NLA_POLICY_MAX(NLA_U8, 1),
	[IFLA_TEREDO_NAT] = NLA_POLICY_MAX(NLA_U8, TEREDO_SWITCH_OFF),
	[IFLA_TEREDO_DISCOVERY] = NLA_POLICY_MAX(NLA_U8, TEREDO_SWITCH_OFF),
	[IFLA_TEREDO_LOCAL_STRICT] = NLA_POLICY_MAX(NLA_U8, 1),
	[IFLA_TEREDO_RATE] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_rate_range),
	[IFLA_TEREDO_ICMP_LIMIT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &teredo_icmp_range),
	[IFLA_TEREDO_SECURE] = NLA_POLICY_MAX(NLA_U8, 1),
};

static void *teredo_field(struct teredo_config *cfg,
			  const struct teredo_word *w)
{
	return (u8 *)cfg + w->offset;
}

static const void *teredo_value(const struct teredo_config *cfg,
				const struct teredo_word *w)
{
	return (const u8 *)cfg + w->offset;
}

static bool teredo_value_equal(const struct teredo_config *a,
			       const struct teredo_config *b,
			       const struct teredo_word *w)
{
	return !memcmp(teredo_value(a, w), teredo_value(b, w), w->size);
}

/* @msg must live for ever: older kernels keep the pointer. */
static int teredo_refuse(struct netlink_ext_ack *extack,
			 const struct nlattr *attr, const char *msg, int err)
{
	if (extack) {
		NL_SET_BAD_ATTR(extack, attr);
		extack->_msg = msg;
	}
	return err;
}

/**
 * teredo_config_defaults - what a mode starts with
 * @cfg: result
 * @mode: enum teredo_mode
 *
 * What the mode does not know is 0.
 */
void teredo_config_defaults(struct teredo_config *cfg, u8 mode)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->mode = mode;
	cfg->prefix = htonl(TEREDO_PREFIX);
	if (mode == TEREDO_MODE_SERVER) {
		cfg->port = htons(TEREDO_UDP_PORT);
		cfg->rate = 10000;
		cfg->icmp_limit = 88;
		return;
	}
	/* CL-P-01 */
	cfg->max_peers = mode == TEREDO_MODE_CLIENT ? 4096 : 65536;
	cfg->queue = 4;					/* C-34 */
	cfg->peer_rate = 1000;
	cfg->bubble_rate = 1000;
	cfg->server_rate = 250;
	cfg->local_strict = mode == TEREDO_MODE_CLIENT;
}

/* What both modes know and somebody has set stays as it is. */
static void teredo_config_convert(struct teredo_config *cfg, u8 mode,
				  const struct teredo_config *old)
{
	u8 modes = BIT(mode) | BIT(old->mode);
	const struct teredo_word *w;
	struct teredo_config was;
	int i;

	teredo_config_defaults(cfg, mode);
	teredo_config_defaults(&was, old->mode);
	for (i = IFLA_TEREDO_MODE + 1; i <= IFLA_TEREDO_MAX; i++) {
		w = &teredo_words[i];
		if ((w->modes & modes) == modes &&
		    !teredo_value_equal(&was, old, w))
			memcpy(teredo_field(cfg, w), teredo_value(old, w),
			       w->size);
	}
	/* A server's own address is no client's server. */
	cfg->secondary = 0;
}

static bool teredo_prefix_valid(const struct teredo_prefix *p)
{
	struct in6_addr masked;

	if (p->len > 128 || p->pad[0] || p->pad[1] || p->pad[2])
		return false;
	ipv6_addr_prefix(&masked, &p->addr, p->len);
	return ipv6_addr_equal(&masked, &p->addr);
}

static int teredo_config_serve(struct teredo_config *cfg,
			       const struct nlattr *attr,
			       struct netlink_ext_ack *extack)
{
	unsigned int len = nla_len(attr);
	int i;

	if (len % sizeof(cfg->serve[0]) || len > sizeof(cfg->serve))
		return teredo_refuse(extack, attr,
				     "serve: not a list of prefixes", -EINVAL);
	memset(cfg->serve, 0, sizeof(cfg->serve));
	memcpy(cfg->serve, nla_data(attr), len);
	cfg->n_serve = len / sizeof(cfg->serve[0]);
	for (i = 0; i < cfg->n_serve; i++)
		if (!teredo_prefix_valid(&cfg->serve[i]))
			return teredo_refuse(extack, attr,
					     "serve: not a prefix", -EINVAL);
	return 0;
}

static int teredo_config_link(const struct teredo_config *cfg,
			      const struct nlattr *attr, struct net *net,
			      struct netlink_ext_ack *extack)
{
	const struct net_device *dev;

	if (!cfg->link)
		return 0;
	dev = net ? __dev_get_by_index(net, cfg->link) : NULL;
	if (!dev)
		return teredo_refuse(extack, attr,
				     "dev: no such device in the underlay",
				     -ENODEV);
	if (teredo_dev_is(dev))
		return teredo_refuse(extack, attr,
				     "dev: a Teredo device carries no IPv4",
				     -EINVAL);
	return 0;
}

/* What somebody has just changed so that @type no longer fits */
static const struct nlattr *teredo_culprit(struct nlattr *data[], int type)
{
	return data[type] ?: data[IFLA_TEREDO_PRIVATE] ?:
	       data[IFLA_TEREDO_MODE];
}

/*
 * The two addresses of a server (SV-01): its own (local, secondary), or those a
 * client asks (server, secondary). Each may be missing.
 */
static int teredo_check_pair(const struct teredo_config *cfg, __be32 primary,
			     int type, const char *const msg[3],
			     struct nlattr *data[],
			     struct netlink_ext_ack *extack)
{
	if (primary && !teredo_ipv4_global(primary, cfg->private_ok))
		return teredo_refuse(extack, teredo_culprit(data, type),
				     msg[0], -EINVAL);
	if (!cfg->secondary)
		return 0;
	if (!teredo_ipv4_global(cfg->secondary, cfg->private_ok))
		return teredo_refuse(extack,
				     teredo_culprit(data,
						    IFLA_TEREDO_SECONDARY),
				     msg[1], -EINVAL);
	if (cfg->secondary != primary)
		return 0;
	if (data[IFLA_TEREDO_SECONDARY])
		type = IFLA_TEREDO_SECONDARY;
	return teredo_refuse(extack, teredo_culprit(data, type), msg[2],
			     -EINVAL);
}

static const char *const teredo_server_msg[] = {
	"local: a server needs a global address, see private",
	"secondary: a server needs a global address, see private",
	"secondary: is the same address as local",
};

static const char *const teredo_client_msg[] = {
	"server: not a global address, see private",
	"secondary: not a global address, see private",
	"secondary: is the same address as server",
};

/* Could this be an address of this host, if only in a private network? */
static bool teredo_unicast(__be32 addr)
{
	return ntohl(addr) >> 24 && !ipv4_is_loopback(addr) &&
	       !ipv4_is_multicast(addr) && !ipv4_is_lbcast(addr);
}

/* Refuses what is wrong by itself, whatever the network may look like. */
static int teredo_config_check(const struct teredo_config *cfg,
			       struct nlattr *data[],
			       struct netlink_ext_ack *extack)
{
	u32 prefix = ntohl(cfg->prefix);

	if (!prefix || prefix >> 24 == 0xff || prefix >> 22 == 0xfe80 >> 6)
		return teredo_refuse(extack, data[IFLA_TEREDO_PREFIX],
				     "prefix: not for unicast", -EINVAL);
	if (data[IFLA_TEREDO_PORT] && !cfg->port)
		return teredo_refuse(extack, data[IFLA_TEREDO_PORT],
				     "port: must not be 0", -EINVAL);
	if (cfg->tos != TEREDO_TOS_INHERIT && cfg->tos % 4)
		return teredo_refuse(extack, data[IFLA_TEREDO_TOS],
				     "tos: neither 1 nor a multiple of 4",
				     -EINVAL);
	if (cfg->local && !teredo_unicast(cfg->local))
		return teredo_refuse(extack, data[IFLA_TEREDO_LOCAL],
				     "local: not a unicast address", -EINVAL);
	switch (cfg->mode) {
	case TEREDO_MODE_SERVER:
		return teredo_check_pair(cfg, cfg->local, IFLA_TEREDO_LOCAL,
					 teredo_server_msg, data, extack);
	case TEREDO_MODE_CLIENT:
		return teredo_check_pair(cfg, cfg->server, IFLA_TEREDO_SERVER,
					 teredo_client_msg, data, extack);
	default:
		return 0;
	}
}

static int teredo_config_word(struct teredo_config *cfg, int type,
			      const struct nlattr *attr,
			      const struct teredo_config *old, bool running,
			      struct netlink_ext_ack *extack)
{
	const struct teredo_word *w = &teredo_words[type];
	u8 mode = BIT(cfg->mode);

	if (!(w->modes & mode))
		return teredo_refuse(extack, attr, w->unknown, -EINVAL);
	if (type == IFLA_TEREDO_SERVE)
		return teredo_config_serve(cfg, attr, extack);
	nla_memcpy(teredo_field(cfg, w), attr, w->size);
	if (running && !(w->live & mode) && !teredo_value_equal(cfg, old, w))
		return teredo_refuse(extack, attr, w->busy, -EBUSY);
	return 0;
}

static int teredo_config_outer(struct nlattr *tb[],
			       struct netlink_ext_ack *extack)
{
	if (tb[IFLA_ADDRESS])
		return teredo_refuse(extack, tb[IFLA_ADDRESS],
				     "address: the link layer has none",
				     -EOPNOTSUPP);
	if (tb[IFLA_LINK])
		return teredo_refuse(extack, tb[IFLA_LINK],
				     "link: the underlay is chosen by dev",
				     -EOPNOTSUPP);
	return 0;
}

/**
 * teredo_config_parse - form a configuration from what the user asks for
 * @cfg: result, a copy of its own; undefined if an error is returned
 * @tb: attributes of the link
 * @data: attributes of the kind, held to teredo_policy, or NULL
 * @old: configuration so far, or NULL for a new device
 * @running: the device is up
 * @net: network namespace of the underlay, or NULL if that is gone
 * @extack: told which attribute is wrong and why
 *
 * What does not change is never refused for being unchangeable, so that what
 * was shown can be given back. Another mode keeps what both modes know. Does
 * not look whether addresses are this host's: that is checked on the way up.
 *
 * Context: RTNL.
 * Return: 0, -EINVAL, -EOPNOTSUPP, -ENODEV or, for what can change only
 * while the device is down, -EBUSY.
 */
int teredo_config_parse(struct teredo_config *cfg, struct nlattr *tb[],
			struct nlattr *data[], const struct teredo_config *old,
			bool running, struct net *net,
			struct netlink_ext_ack *extack)
{
	u8 mode = old ? old->mode : TEREDO_MODE_CLIENT;
	int err, i;

	if (!old) {
		err = teredo_config_outer(tb, extack);
		if (err)
			return err;
	}
	if (data && data[IFLA_TEREDO_MODE])
		mode = nla_get_u8(data[IFLA_TEREDO_MODE]);
	if (!old)
		teredo_config_defaults(cfg, mode);
	else if (mode == old->mode)
		*cfg = *old;
	else
		teredo_config_convert(cfg, mode, old);
	if (!data)
		return 0;

	for (i = IFLA_TEREDO_MODE; i <= IFLA_TEREDO_MAX; i++) {
		if (!data[i])
			continue;
		err = teredo_config_word(cfg, i, data[i], old, running,
					 extack);
		if (err)
			return err;
	}
	if (data[IFLA_TEREDO_LINK]) {
		err = teredo_config_link(cfg, data[IFLA_TEREDO_LINK], net,
					 extack);
		if (err)
			return err;
	}
	return teredo_config_check(cfg, data, extack);
}

/**
 * teredo_config_size - room for the configuration of any device
 *
 * Return: octets that teredo_config_fill() needs at most.
 */
size_t teredo_config_size(void)
{
	size_t size = nla_total_size(TEREDO_SERVE_MAX *
				     sizeof(struct teredo_prefix));
	int i;

	for (i = IFLA_TEREDO_MODE; i <= IFLA_TEREDO_MAX; i++)
		size += nla_total_size(teredo_words[i].size);
	return size;
}

/**
 * teredo_config_fill - show the configuration
 * @skb: message
 * @t: the device
 *
 * All that the mode knows. A port that was not asked for is not shown.
 *
 * Return: 0 or -EMSGSIZE.
 */
int teredo_config_fill(struct sk_buff *skb, const struct teredo_dev *t)
{
	const struct teredo_config *cfg;
	const struct teredo_word *w;
	unsigned int size;
	int err = 0, i;

	rcu_read_lock();
	cfg = rcu_dereference(t->cfg);
	for (i = IFLA_TEREDO_MODE; i <= IFLA_TEREDO_MAX && !err; i++) {
		w = &teredo_words[i];
		if (!(w->modes & BIT(cfg->mode)) ||
		    (i == IFLA_TEREDO_PORT && !cfg->port))
			continue;
		size = w->size;
		if (i == IFLA_TEREDO_SERVE)
			size = cfg->n_serve * sizeof(cfg->serve[0]);
		err = nla_put(skb, i, size, teredo_value(cfg, w));
	}
	rcu_read_unlock();
	return err;
}
