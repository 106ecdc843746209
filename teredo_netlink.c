// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: generic netlink, see Documentation/netlink/specs/teredo.yaml
 */
#include <linux/ethtool.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/rhashtable.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <net/genetlink.h>
#include <net/ip.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "teredo.h"
#include "teredo_netlink_gen.h"

#define TEREDO_CTRL_MAX		2048	/* octets of a control packet */
#define TEREDO_PEER_NTF_RATE	100	/* a second and device */

/* All sets of attributes begin with the device. */
static_assert((int)TEREDO_A_DEV_IFINDEX == (int)TEREDO_A_PEER_IFINDEX);
static_assert((int)TEREDO_A_DEV_IFINDEX == (int)TEREDO_A_CTRL_IFINDEX);

/* Names of the counters by their number; the first two numbers have none. The
 * size follows from the last name: one that is missing does not compile.
 */
const char teredo_stat_names[][ETH_GSTRING_LEN] = {
	[TEREDO_A_STATS_RX_DOWN] = "rx_down",
	[TEREDO_A_STATS_RX_SHORT] = "rx_short",
	[TEREDO_A_STATS_RX_VERSION] = "rx_version",
	[TEREDO_A_STATS_RX_LENGTH] = "rx_length",
	[TEREDO_A_STATS_RX_HEADER] = "rx_header",
	[TEREDO_A_STATS_RX_ORIGIN] = "rx_origin",
	[TEREDO_A_STATS_RX_TRAILER] = "rx_trailer",
	[TEREDO_A_STATS_RX_MARTIAN6] = "rx_martian6",
	[TEREDO_A_STATS_RX_NOT_MINE] = "rx_not_mine",
	[TEREDO_A_STATS_RX_SELF] = "rx_self",
	[TEREDO_A_STATS_RX_LINKLOCAL] = "rx_linklocal",
	[TEREDO_A_STATS_RX_ND] = "rx_nd",
	[TEREDO_A_STATS_RX_TYPE] = "rx_type",
	[TEREDO_A_STATS_RX_BAD_MAPPING] = "rx_bad_mapping",
	[TEREDO_A_STATS_RX_NOT_GLOBAL] = "rx_not_global",
	[TEREDO_A_STATS_RX_UNTRUSTED] = "rx_untrusted",
	[TEREDO_A_STATS_RX_UNKNOWN] = "rx_unknown",
	[TEREDO_A_STATS_RX_NOT_SERVED] = "rx_not_served",
	[TEREDO_A_STATS_RX_RA_SOURCE] = "rx_ra_source",
	[TEREDO_A_STATS_RX_CTRL_FULL] = "rx_ctrl_full",
	[TEREDO_A_STATS_RX_AUTH] = "rx_auth",
	[TEREDO_A_STATS_RX_BAD_SOURCE] = "rx_bad_source",
	[TEREDO_A_STATS_RX_LOOP] = "rx_loop",
	[TEREDO_A_STATS_RX_LOOP6324] = "rx_loop6324",
	[TEREDO_A_STATS_RX_RATE] = "rx_rate",
	[TEREDO_A_STATS_RX_TEST_LIMITED] = "rx_test_limited",
	[TEREDO_A_STATS_RX_DISC_UNICAST] = "rx_disc_unicast",
	[TEREDO_A_STATS_RX_DISC_SOURCE] = "rx_disc_source",
	[TEREDO_A_STATS_RX_DISC_MAPPED] = "rx_disc_mapped",
	[TEREDO_A_STATS_RX_ALT_INVALID] = "rx_alt_invalid",
	[TEREDO_A_STATS_RX_BAD_NONCE] = "rx_bad_nonce",
	[TEREDO_A_STATS_RX_ECN] = "rx_ecn",
	[TEREDO_A_STATS_RX_NO_MEMORY] = "rx_no_memory",
	[TEREDO_A_STATS_TX_DOWN] = "tx_down",
	[TEREDO_A_STATS_TX_UNQUALIFIED] = "tx_unqualified",
	[TEREDO_A_STATS_TX_SCOPE] = "tx_scope",
	[TEREDO_A_STATS_TX_SOURCE] = "tx_source",
	[TEREDO_A_STATS_TX_FORWARDED] = "tx_forwarded",
	[TEREDO_A_STATS_TX_FOREIGN] = "tx_foreign",
	[TEREDO_A_STATS_TX_NOT_GLOBAL] = "tx_not_global",
	[TEREDO_A_STATS_TX_SELF] = "tx_self",
	[TEREDO_A_STATS_TX_BAD_PORT] = "tx_bad_port",
	[TEREDO_A_STATS_TX_LOOP] = "tx_loop",
	[TEREDO_A_STATS_TX_LOOP6324] = "tx_loop6324",
	[TEREDO_A_STATS_TX_BUBBLE_LIMITED] = "tx_bubble_limited",
	[TEREDO_A_STATS_TX_QUEUE_FULL] = "tx_queue_full",
	[TEREDO_A_STATS_TX_UNREACHABLE] = "tx_unreachable",
	[TEREDO_A_STATS_TX_TOO_BIG] = "tx_too_big",
	[TEREDO_A_STATS_TX_NO_ROUTE] = "tx_no_route",
	[TEREDO_A_STATS_TX_NO_MEMORY] = "tx_no_memory",
	[TEREDO_A_STATS_TX_RATE] = "tx_rate",
	[TEREDO_A_STATS_TX_ALT_LIMITED] = "tx_alt_limited",
	[TEREDO_A_STATS_ICMP6_LIMITED] = "icmp6_limited",
	[TEREDO_A_STATS_PEER_EVICTED] = "peer_evicted",
	[TEREDO_A_STATS_PEER_LIMIT] = "peer_limit",
	[TEREDO_A_STATS_RX_BUBBLES] = "rx_bubbles",
	[TEREDO_A_STATS_TX_BUBBLES_DIRECT] = "tx_bubbles_direct",
	[TEREDO_A_STATS_TX_BUBBLES_INDIRECT] = "tx_bubbles_indirect",
	[TEREDO_A_STATS_TX_TESTS] = "tx_tests",
	[TEREDO_A_STATS_TX_ADVERTS] = "tx_adverts",
	[TEREDO_A_STATS_TX_RELAYED] = "tx_relayed",
	[TEREDO_A_STATS_RX_CTRL] = "rx_ctrl",
	[TEREDO_A_STATS_TX_CTRL] = "tx_ctrl",
	[TEREDO_A_STATS_RX_RA_UNSOLICITED] = "rx_ra_unsolicited",
	[TEREDO_A_STATS_RX_RA_NONCE] = "rx_ra_nonce",
	[TEREDO_A_STATS_RX_RA_AUTH] = "rx_ra_auth",
	[TEREDO_A_STATS_RX_RA_INVALID] = "rx_ra_invalid",
	[TEREDO_A_STATS_ECN_ODD] = "ecn_odd",
	[TEREDO_A_STATS_ICMP_PEER] = "icmp_peer",
	[TEREDO_A_STATS_ICMP_IGNORED] = "icmp_ignored",
};

/**
 * teredo_stats_read - sum the counters up
 * @t: the device
 * @sum: TEREDO_NR_STATS numbers
 *
 * Context: any.
 */
void teredo_stats_read(const struct teredo_dev *t, u64 *sum)
{
	const struct teredo_stats *stats;
	int cpu, i;

	memset(sum, 0, TEREDO_NR_STATS * sizeof(*sum));
	for_each_possible_cpu(cpu) {
		stats = per_cpu_ptr(t->stats, cpu);
		for (i = 0; i < TEREDO_NR_STATS; i++)
			sum[i] += READ_ONCE(stats->count[i]);
	}
}

static struct teredo_dev *teredo_nl_own(struct net_device *dev,
					const struct nlattr *attr,
					struct netlink_ext_ack *extack)
{
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "no such device");
		return ERR_PTR(-ENODEV);
	}
	if (!teredo_dev_is(dev)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "not a Teredo device");
		return ERR_PTR(-EOPNOTSUPP);
	}
	return netdev_priv(dev);
}

/**
 * teredo_nl_by_index - the device of an ifindex
 * @net: the network namespace of the request
 * @attr: attribute with the ifindex, is blamed
 * @extack: gets the reason for an error
 *
 * Context: RCU or RTNL, which keep the device.
 * Return: the device, ERR_PTR(-ENODEV), ERR_PTR(-EOPNOTSUPP) for another kind.
 */
struct teredo_dev *teredo_nl_by_index(struct net *net,
				      const struct nlattr *attr,
				      struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, nla_get_u32(attr));
	rcu_read_unlock();
	return teredo_nl_own(dev, attr, extack);
}

/* The device that a request names by ifindex, for as long as the caller is in
 * an RCU read-side section or holds RTNL
 */
static struct teredo_dev *teredo_nl_dev(struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, TEREDO_A_DEV_IFINDEX)) {
		GENL_SET_ERR_MSG(info, "ifindex is missing");
		return ERR_PTR(-EINVAL);
	}
	return teredo_nl_by_index(genl_info_net(info),
				  info->attrs[TEREDO_A_DEV_IFINDEX],
				  info->extack);
}

/**
 * teredo_nl_locked - do what a request asks for, under RTNL
 * @info: the request, names the device by ifindex
 * @fn: does it
 *
 * Return: what @fn returns, or why there is no such device.
 */
int teredo_nl_locked(struct genl_info *info,
		     int (*fn)(struct teredo_dev *t, struct genl_info *info))
{
	struct teredo_dev *t;
	int err;

	rtnl_lock();
	t = teredo_nl_dev(info);
	err = IS_ERR(t) ? PTR_ERR(t) : fn(t, info);
	rtnl_unlock();
	return err;
}

static void teredo_nl_multicast(struct net *net, struct sk_buff *msg, int err)
{
	if (!err) {
		genlmsg_multicast_netns(&teredo_nl_family, net, msg, 0,
					TEREDO_NLGRP_MONITOR, GFP_ATOMIC);
		return;
	}
	nlmsg_free(msg);
	genl_set_err(&teredo_nl_family, net, 0, TEREDO_NLGRP_MONITOR, -ENOBUFS);
}

/* Devices */

static int teredo_nl_put_ip(struct sk_buff *skb, int type, __be32 addr)
{
	return addr ? nla_put_in_addr(skb, type, addr) : 0;
}

static int teredo_nl_put_port(struct sk_buff *skb, int type, __be16 port)
{
	return port ? nla_put_be16(skb, type, port) : 0;
}

static int teredo_nl_put_servers(struct sk_buff *skb,
				 const struct teredo_dev *t,
				 const struct teredo_config *cfg,
				 const struct teredo_qual *q)
{
	__be32 server = 0, secondary = 0;

	if (cfg->mode == TEREDO_MODE_CLIENT) {
		teredo_servers(t, q, &server, &secondary);
	} else if (cfg->mode == TEREDO_MODE_SERVER) {
		server = cfg->local;
		secondary = cfg->secondary;
	}
	return teredo_nl_put_ip(skb, TEREDO_A_DEV_SERVER, server) ||
	       teredo_nl_put_ip(skb, TEREDO_A_DEV_SECONDARY, secondary);
}

static int teredo_nl_put_mapping(struct sk_buff *skb, struct teredo_ep mapped,
				 u16 flags)
{
	if (!mapped.port)
		return 0;
	return nla_put_in_addr(skb, TEREDO_A_DEV_MAPPED_ADDRESS,
			       mapped.addr) ||
	       nla_put_be16(skb, TEREDO_A_DEV_MAPPED_PORT, mapped.port) ||
	       nla_put_u16(skb, TEREDO_A_DEV_FLAGS, flags);
}

static int teredo_nl_put_qual(struct sk_buff *skb, const struct teredo_qual *q)
{
	u64 now = teredo_now();

	if (nla_put_in6_addr(skb, TEREDO_A_DEV_ADDRESS, &q->addr) ||
	    nla_put_u64_64bit(skb, TEREDO_A_DEV_QUALIFIED_FOR,
			      jiffies64_to_msecs(now - q->since),
			      TEREDO_A_DEV_PAD))
		return -EMSGSIZE;
	if (time_after64(q->expires, now) &&
	    nla_put_u32(skb, TEREDO_A_DEV_LIFETIME,
			DIV_ROUND_UP(q->expires - now, HZ)))
		return -EMSGSIZE;
	return 0;
}

/* What qualification learned (V-01); of the mapping the last one, valid or
 * not. A device that could not come up is in error whatever its mode; the
 * state of the others follows from the interface.
 */
static int teredo_nl_put_state(struct sk_buff *skb, struct teredo_dev *t,
			       const struct teredo_config *cfg,
			       const struct teredo_qual **qual)
{
	bool client = cfg->mode == TEREDO_MODE_CLIENT;
	const char *error = READ_ONCE(t->error);
	u64 server_rx = READ_ONCE(t->server_rx);
	char reason[sizeof(t->reason)] = "";
	u32 state, nat, helper;
	struct teredo_ep mapped;
	u16 bits;

	spin_lock_bh(&t->qual_lock);
	*qual = client ? rcu_dereference(t->qual) : NULL;
	state = t->state;
	nat = t->nat;
	helper = t->helper;
	mapped = t->mapped;
	bits = t->flags;
	if (client)
		strscpy(reason, t->reason, sizeof(reason));
	spin_unlock_bh(&t->qual_lock);

	if (error) {
		state = TEREDO_STATE_ERROR;
		strscpy(reason, error, sizeof(reason));
	} else if (!client) {
		state = netif_running(t->dev) ? TEREDO_STATE_UP :
						TEREDO_STATE_DOWN;
	}
	return nla_put_u32(skb, TEREDO_A_DEV_STATE, state) ||
	       (*reason &&
		nla_put_string(skb, TEREDO_A_DEV_REASON, reason)) ||
	       (client && nla_put_u32(skb, TEREDO_A_DEV_NAT, nat)) ||
	       (client && server_rx &&
		nla_put_u64_64bit(skb, TEREDO_A_DEV_SERVER_RX,
				  jiffies64_to_msecs(teredo_now() -
						     server_rx),
				  TEREDO_A_DEV_PAD)) ||
	       (client && teredo_nl_put_mapping(skb, mapped, bits)) ||
	       (client && helper &&
		nla_put_u32(skb, TEREDO_A_DEV_HELPER, helper));
}

static int teredo_nl_put_stats(struct sk_buff *skb, const struct teredo_dev *t)
{
	u64 sum[TEREDO_NR_STATS];
	struct nlattr *nest;
	int i;

	teredo_stats_read(t, sum);
	nest = nla_nest_start(skb, TEREDO_A_DEV_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = TEREDO_A_STATS_PAD + 1; i <= TEREDO_A_STATS_MAX; i++)
		if (nla_put_u64_64bit(skb, i, sum[i], TEREDO_A_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int teredo_nl_put_device(struct sk_buff *skb, struct teredo_dev *t)
{
	const struct teredo_config *cfg = rcu_dereference(t->cfg);
	__be16 port = READ_ONCE(t->port) ?: cfg->port;
	const struct teredo_qual *q;

	if (nla_put_string(skb, TEREDO_A_DEV_VERSION, TEREDO_VERSION) ||
	    nla_put_u32(skb, TEREDO_A_DEV_MODE, cfg->mode) ||
	    teredo_nl_put_state(skb, t, cfg, &q) ||
	    nla_put_be32(skb, TEREDO_A_DEV_PREFIX, cfg->prefix) ||
	    teredo_nl_put_servers(skb, t, cfg, q) ||
	    teredo_nl_put_ip(skb, TEREDO_A_DEV_LOCAL,
			     q ? q->local : cfg->local) ||
	    teredo_nl_put_port(skb, TEREDO_A_DEV_PORT, port) ||
	    (q && teredo_nl_put_qual(skb, q)) ||
	    nla_put_u32(skb, TEREDO_A_DEV_MTU, READ_ONCE(t->dev->mtu)) ||
	    nla_put_u32(skb, TEREDO_A_DEV_PEERS, READ_ONCE(t->n_peers)) ||
	    teredo_nl_put_stats(skb, t))
		return -EMSGSIZE;
	return 0;
}

/* One message about a device; of one that is gone only what it was called.
 * RCU; takes qual_lock.
 */
static int teredo_nl_fill_dev(struct sk_buff *skb, struct teredo_dev *t, u8 cmd,
			      u32 portid, u32 seq, int flags, bool gone)
{
	const struct net_device *dev = t->dev;
	void *hdr;

	hdr = genlmsg_put(skb, portid, seq, &teredo_nl_family, flags, cmd);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, TEREDO_A_DEV_IFINDEX, dev->ifindex) ||
	    nla_put_string(skb, TEREDO_A_DEV_IFNAME, dev->name))
		goto err_cancel;
	if (!gone && teredo_nl_put_device(skb, t))
		goto err_cancel;
	genlmsg_end(skb, hdr);
	return 0;

err_cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

static struct teredo_dev *teredo_nl_dev_or_name(struct genl_info *info)
{
	const struct nlattr *name = info->attrs[TEREDO_A_DEV_IFNAME];
	struct net_device *dev;

	if (!name)
		return teredo_nl_dev(info);
	if (info->attrs[TEREDO_A_DEV_IFINDEX]) {
		NL_SET_ERR_MSG_ATTR(info->extack, name,
				    "ifname: ifindex is there already");
		return ERR_PTR(-EINVAL);
	}
	dev = dev_get_by_name_rcu(genl_info_net(info), nla_data(name));
	return teredo_nl_own(dev, name, info->extack);
}

int teredo_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct teredo_dev *t;
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	t = teredo_nl_dev_or_name(info);
	if (IS_ERR(t))
		err = PTR_ERR(t);
	else
		err = teredo_nl_fill_dev(msg, t, TEREDO_CMD_DEV_GET,
					 info->snd_portid, info->snd_seq, 0,
					 false);
	rcu_read_unlock();
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* What is not dumped yet begins with this ifindex. */
struct teredo_dev_cursor {
	unsigned long	ifindex;
};

static_assert(sizeof(struct teredo_dev_cursor) <=
	      sizeof_field(struct netlink_callback, ctx));

int teredo_nl_dev_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct teredo_dev_cursor *cursor = (void *)cb->ctx;
	struct net *net = sock_net(skb->sk);
	struct net_device *dev;
	int err = 0;

	rcu_read_lock();
	for_each_netdev_dump(net, dev, cursor->ifindex) {
		if (!teredo_dev_is(dev))
			continue;
		err = teredo_nl_fill_dev(skb, netdev_priv(dev),
					 TEREDO_CMD_DEV_GET,
					 NETLINK_CB(cb->skb).portid,
					 cb->nlh->nlmsg_seq, NLM_F_MULTI,
					 false);
		if (err)
			break;
	}
	rcu_read_unlock();
	return skb->len ?: err;
}

static int teredo_nl_dev_set(struct teredo_dev *t, struct genl_info *info)
{
	return teredo_qual_set(t, info->attrs, info->extack);
}

int teredo_nl_dev_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_dev_set);
}

static void teredo_nl_notify_dev(struct teredo_dev *t, bool gone)
{
	struct sk_buff *msg;
	struct net *net;
	int err;

	rcu_read_lock();
	net = dev_net(t->dev);
	if (!genl_has_listeners(&teredo_nl_family, net, TEREDO_NLGRP_MONITOR))
		goto out;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	err = msg ? teredo_nl_fill_dev(msg, t, TEREDO_CMD_DEV_NTF, 0, 0, 0,
				       gone) : -ENOMEM;
	teredo_nl_multicast(net, msg, err);
out:
	rcu_read_unlock();
}

/**
 * teredo_dev_notify - tell the monitors what a device is now
 * @t: the device
 *
 * Context: any but hard interrupts. The caller does not hold qual_lock.
 */
void teredo_dev_notify(struct teredo_dev *t)
{
	teredo_nl_notify_dev(t, false);
}

/**
 * teredo_dev_notify_gone - tell the monitors that a device goes away
 * @t: the device, still in the network namespace that it leaves
 *
 * They get no more than what it was called.
 *
 * Context: any but hard interrupts.
 */
void teredo_dev_notify_gone(struct teredo_dev *t)
{
	teredo_nl_notify_dev(t, true);
}

/* Peers */

static size_t teredo_nl_peer_size(void)
{
	return nla_total_size(sizeof(u32)) +		/* IFINDEX */
	       nla_total_size(sizeof(struct in6_addr)) + /* ADDRESS */
	       nla_total_size(sizeof(__be32)) +		/* ENDPOINT_ADDRESS */
	       nla_total_size(sizeof(__be16)) +		/* ENDPOINT_PORT */
	       nla_total_size(sizeof(u32)) +		/* STATE */
	       nla_total_size(0) +			/* TRUSTED */
	       nla_total_size(0) +			/* LOCAL */
	       nla_total_size(sizeof(u32)) +		/* QUEUED */
	       4 * nla_total_size_64bit(sizeof(u64));	/* RX_ to LAST_TX */
}

static u32 teredo_nl_peer_state(const struct teredo_peer *peer,
				union teredo_path path)
{
	switch (path.state) {
	case TEREDO_PEER_TRUSTED:
		return teredo_peer_known(peer, path) ?
			TEREDO_PEER_STATE_TRUSTED : TEREDO_PEER_STATE_STALE;
	case TEREDO_PEER_FAILED:
		return TEREDO_PEER_STATE_FAILED;
	default:
		return TEREDO_PEER_STATE_INCOMPLETE;
	}
}

static int teredo_nl_put_ago(struct sk_buff *skb, int type, bool ever, u32 when)
{
	u32 ago = (u32)teredo_now() - when;

	if (!ever)
		return 0;
	return nla_put_u64_64bit(skb, type, jiffies64_to_msecs(ago),
				 TEREDO_A_PEER_PAD);
}

/* V-02 */
static int teredo_nl_put_peer(struct sk_buff *skb,
			      const struct teredo_peer *peer, u32 queued)
{
	union teredo_path path = teredo_path(peer);

	if (path.addr &&
	    (nla_put_in_addr(skb, TEREDO_A_PEER_ENDPOINT_ADDRESS, path.addr) ||
	     nla_put_be16(skb, TEREDO_A_PEER_ENDPOINT_PORT, path.port)))
		return -EMSGSIZE;
	if (path.state == TEREDO_PEER_TRUSTED &&
	    nla_put_flag(skb, TEREDO_A_PEER_TRUSTED))
		return -EMSGSIZE;
	if (teredo_peer_is_local(peer) &&
	    nla_put_flag(skb, TEREDO_A_PEER_LOCAL))
		return -EMSGSIZE;
	if (nla_put_u32(skb, TEREDO_A_PEER_STATE,
			teredo_nl_peer_state(peer, path)) ||
	    nla_put_u32(skb, TEREDO_A_PEER_QUEUED, queued) ||
	    nla_put_u64_64bit(skb, TEREDO_A_PEER_RX_PACKETS,
			      READ_ONCE(peer->rx_packets),
			      TEREDO_A_PEER_PAD) ||
	    nla_put_u64_64bit(skb, TEREDO_A_PEER_TX_PACKETS,
			      READ_ONCE(peer->tx_packets),
			      TEREDO_A_PEER_PAD) ||
	    teredo_nl_put_ago(skb, TEREDO_A_PEER_LAST_RX,
			      READ_ONCE(peer->ever_rx),
			      READ_ONCE(peer->last_rx)) ||
	    teredo_nl_put_ago(skb, TEREDO_A_PEER_LAST_TX,
			      READ_ONCE(peer->ever_tx),
			      READ_ONCE(peer->last_tx)))
		return -EMSGSIZE;
	return 0;
}

/* One message about a peer; of one that was removed only what it was called.
 * RCU; takes the peer's lock. @cb is NULL unless for a dump.
 */
static int teredo_nl_fill_peer(struct sk_buff *skb, struct teredo_peer *peer,
			       u8 cmd, u32 portid, u32 seq,
			       struct netlink_callback *cb)
{
	u32 queued;
	void *hdr;
	bool dead;

	spin_lock_bh(&peer->lock);
	queued = peer->search ? skb_queue_len(&peer->search->queue) : 0;
	dead = peer->dead;
	spin_unlock_bh(&peer->lock);

	hdr = genlmsg_put(skb, portid, seq, &teredo_nl_family,
			  cb ? NLM_F_MULTI : 0, cmd);
	if (!hdr)
		return -EMSGSIZE;
	if (cb)
		genl_dump_check_consistent(cb, hdr);
	if (nla_put_u32(skb, TEREDO_A_PEER_IFINDEX, peer->t->dev->ifindex) ||
	    nla_put_in6_addr(skb, TEREDO_A_PEER_ADDRESS, &peer->addr))
		goto err_cancel;
	if (!dead && teredo_nl_put_peer(skb, peer, queued))
		goto err_cancel;
	genlmsg_end(skb, hdr);
	return 0;

err_cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

static struct teredo_peer *teredo_nl_peer(struct teredo_dev *t,
					  struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[TEREDO_A_PEER_ADDRESS];
	struct in6_addr addr = nla_get_in6_addr(attr);
	struct teredo_peer *peer;

	peer = teredo_peer_find(t, &addr);
	if (!peer) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no such peer");
		return ERR_PTR(-ENOENT);
	}
	return peer;
}

int teredo_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct teredo_peer *peer;
	struct teredo_dev *t;
	struct sk_buff *msg;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, TEREDO_A_PEER_ADDRESS)) {
		GENL_SET_ERR_MSG(info, "address is missing");
		return -EINVAL;
	}
	msg = genlmsg_new(teredo_nl_peer_size(), GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	t = teredo_nl_dev(info);
	peer = IS_ERR(t) ? ERR_CAST(t) : teredo_nl_peer(t, info);
	if (IS_ERR(peer))
		err = PTR_ERR(peer);
	else
		err = teredo_nl_fill_peer(msg, peer, TEREDO_CMD_PEER_GET,
					  info->snd_portid, info->snd_seq,
					  NULL);
	rcu_read_unlock();
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/**
 * struct teredo_peer_cursor - where a dump of peers goes on
 * @ifindex: the first device that is not dumped to its end
 * @slot: bucket of its table
 * @skip: peers in that bucket that are dumped
 * @table: which table; another one has another order
 * @seq: grows when that happened, for NLM_F_DUMP_INTR
 *
 * No iterator lives from one message to the next: the reader may take its
 * time, and the device need not wait for it to go away.
 */
struct teredo_peer_cursor {
	unsigned long	ifindex;
	u32		slot;
	u32		skip;
	u32		table;
	u32		seq;
};

static_assert(sizeof(struct teredo_peer_cursor) <=
	      sizeof_field(struct netlink_callback, ctx));

static int teredo_nl_dump_peers(struct sk_buff *skb,
				struct netlink_callback *cb,
				struct teredo_dev *t,
				struct teredo_peer_cursor *cursor)
{
	struct rhashtable_iter iter;
	struct teredo_peer *peer;
	int err = 0;

	rhashtable_walk_enter(&t->peers, &iter);
	rhashtable_walk_start(&iter);
	if (iter.walker.tbl->hash_rnd == cursor->table) {
		iter.slot = cursor->slot;
		iter.skip = cursor->skip;
	} else if (cursor->slot || cursor->skip) {
		cursor->seq++;
	}
	do {
		cursor->slot = iter.slot;
		cursor->skip = iter.skip;
		cursor->table = iter.walker.tbl->hash_rnd;
		cb->seq = cursor->seq;
		peer = rhashtable_walk_next(&iter);
		if (IS_ERR(peer))
			cursor->seq++;	/* resized, goes on in the new table */
		else if (peer)
			err = teredo_nl_fill_peer(skb, peer,
						  TEREDO_CMD_PEER_GET,
						  NETLINK_CB(cb->skb).portid,
						  cb->nlh->nlmsg_seq, cb);
	} while (peer && !err);
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return err;
}

int teredo_nl_peer_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *attr =
		genl_info_dump(cb)->attrs[TEREDO_A_PEER_IFINDEX];
	struct teredo_peer_cursor *cursor = (void *)cb->ctx;
	struct net *net = sock_net(skb->sk);
	struct net_device *dev;
	struct teredo_dev *t;
	int err = 0;

	rcu_read_lock();
	if (!cursor->seq) {
		cursor->seq = 1;
		if (attr) {
			t = teredo_nl_by_index(net, attr, cb->extack);
			if (IS_ERR(t)) {
				err = PTR_ERR(t);
				goto out;
			}
			cursor->ifindex = t->dev->ifindex;
		}
	}
	for_each_netdev_dump(net, dev, cursor->ifindex) {
		if (attr && dev->ifindex != nla_get_u32(attr))
			break;
		if (!teredo_dev_is(dev))
			continue;
		err = teredo_nl_dump_peers(skb, cb, netdev_priv(dev), cursor);
		if (err)
			break;
		cursor->slot = 0;
		cursor->skip = 0;
	}
out:
	rcu_read_unlock();
	return skb->len ?: err;
}

static int teredo_nl_peer_del(struct teredo_dev *t, struct genl_info *info)
{
	struct teredo_peer *peer;
	int err = 0;

	if (!info->attrs[TEREDO_A_PEER_ADDRESS]) {
		teredo_peers_shrink(t, 0);
		return 0;
	}
	rcu_read_lock();
	peer = teredo_nl_peer(t, info);
	if (IS_ERR(peer))
		err = PTR_ERR(peer);
	else
		teredo_peer_remove(peer);
	rcu_read_unlock();
	return err;
}

int teredo_nl_peer_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_peer_del);
}

/**
 * teredo_peer_notify - tell the monitors about a peer
 * @peer: the peer; if it is dead they are told that it was removed
 *
 * At most TEREDO_PEER_NTF_RATE a second, the rest is not told.
 *
 * Context: RCU, any but hard interrupts. The caller holds no lock of the peer.
 */
void teredo_peer_notify(struct teredo_peer *peer)
{
	struct teredo_dev *t = peer->t;
	struct net *net = dev_net(t->dev);
	struct sk_buff *msg;
	int err;

	if (!genl_has_listeners(&teredo_nl_family, net, TEREDO_NLGRP_MONITOR) ||
	    !teredo_bucket_take(t, &t->ntf_bucket, TEREDO_PEER_NTF_RATE))
		return;
	msg = genlmsg_new(teredo_nl_peer_size(), GFP_ATOMIC);
	err = msg ? teredo_nl_fill_peer(msg, peer, TEREDO_CMD_PEER_NTF, 0, 0,
					NULL) : -ENOMEM;
	teredo_nl_multicast(net, msg, err);
}

/* Control packets */

static int teredo_nl_ctrl_bind(struct teredo_dev *t, struct genl_info *info)
{
	return teredo_ctrl_bind(t, info->snd_portid, genl_info_net(info),
				info->extack);
}

int teredo_nl_ctrl_bind_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_ctrl_bind);
}

static int teredo_nl_ctrl_send(struct teredo_dev *t, struct genl_info *info)
{
	return teredo_ctrl_send(t, info->attrs, info->extack);
}

int teredo_nl_ctrl_send_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_ctrl_send);
}

static int teredo_nl_ctrl_refuse(struct teredo_dev *t, struct genl_info *info)
{
	return teredo_ctrl_refuse(t, info->attrs, info->extack);
}

int teredo_nl_ctrl_refuse_doit(struct sk_buff *skb, struct genl_info *info)
{
	return teredo_nl_locked(info, teredo_nl_ctrl_refuse);
}

static size_t teredo_nl_ctrl_size(unsigned int len)
{
	return nla_total_size(sizeof(u32)) +		/* IFINDEX */
	       nla_total_size(sizeof(__be32)) +		/* ADDRESS */
	       nla_total_size(sizeof(__be16)) +		/* PORT */
	       nla_total_size(sizeof(__be32)) +		/* LOCAL_ADDRESS */
	       nla_total_size(sizeof(u8)) +		/* TTL */
	       nla_total_size_64bit(sizeof(u64)) +	/* TIME */
	       nla_total_size(len);			/* PAYLOAD */
}

static int teredo_nl_put_ctrl(struct sk_buff *msg, const struct teredo_dev *t,
			      const struct sk_buff *skb, unsigned int len)
{
	const struct udphdr *uh = (const struct udphdr *)skb->data;
	const struct iphdr *iph = ip_hdr(skb);
	struct nlattr *payload;

	if (nla_put_u32(msg, TEREDO_A_CTRL_IFINDEX, t->dev->ifindex) ||
	    nla_put_in_addr(msg, TEREDO_A_CTRL_ADDRESS, iph->saddr) ||
	    nla_put_be16(msg, TEREDO_A_CTRL_PORT, uh->source) ||
	    nla_put_in_addr(msg, TEREDO_A_CTRL_LOCAL_ADDRESS, iph->daddr) ||
	    nla_put_u8(msg, TEREDO_A_CTRL_TTL, iph->ttl) ||
	    nla_put_u64_64bit(msg, TEREDO_A_CTRL_TIME, ktime_get_boottime_ns(),
			      TEREDO_A_CTRL_PAD))
		return -EMSGSIZE;
	payload = nla_reserve(msg, TEREDO_A_CTRL_PAYLOAD, len);
	if (!payload)
		return -EMSGSIZE;
	return skb_copy_bits(skb, sizeof(*uh), nla_data(payload), len);
}

/**
 * teredo_ctrl_notify - hand a control packet to the helper
 * @t: the device
 * @portid: netlink port of the helper
 * @net: network namespace of that port
 * @skb: the packet, data at the UDP header, which is linear; not consumed
 *
 * Context: any but hard interrupts.
 * Return: 0, -EAGAIN if the helper's queue is full, -ECONNREFUSED if it is
 * gone, -EMSGSIZE for a packet that no server sends, -ENOMEM.
 */
int teredo_ctrl_notify(struct teredo_dev *t, u32 portid, struct net *net,
		       const struct sk_buff *skb)
{
	unsigned int len = skb->len - sizeof(struct udphdr);
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (len > TEREDO_CTRL_MAX)
		return -EMSGSIZE;
	msg = genlmsg_new(teredo_nl_ctrl_size(len), GFP_ATOMIC);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put(msg, 0, 0, &teredo_nl_family, 0,
			  TEREDO_CMD_CTRL_RECV);
	err = hdr ? teredo_nl_put_ctrl(msg, t, skb, len) : -EMSGSIZE;
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_unicast(net, msg, portid);
}

/**
 * teredo_ctrl_err_notify - tell the helper of an ICMP error
 * @t: the device
 * @portid: netlink port of the helper
 * @net: network namespace of that port
 * @server: where the control packet was sent to, port 3544
 * @type: ICMP type
 * @code: ICMP code
 *
 * Context: any but hard interrupts.
 * Return: 0 or an error as teredo_ctrl_notify().
 */
int teredo_ctrl_err_notify(struct teredo_dev *t, u32 portid, struct net *net,
			   __be32 server, u8 type, u8 code)
{
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(teredo_nl_ctrl_size(0), GFP_ATOMIC);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put(msg, 0, 0, &teredo_nl_family, 0,
			  TEREDO_CMD_CTRL_ERR);
	if (!hdr ||
	    nla_put_u32(msg, TEREDO_A_CTRL_IFINDEX, t->dev->ifindex) ||
	    nla_put_in_addr(msg, TEREDO_A_CTRL_ADDRESS, server) ||
	    nla_put_be16(msg, TEREDO_A_CTRL_PORT, htons(TEREDO_UDP_PORT)) ||
	    nla_put_u8(msg, TEREDO_A_CTRL_ICMP_TYPE, type) ||
	    nla_put_u8(msg, TEREDO_A_CTRL_ICMP_CODE, code) ||
	    nla_put_u64_64bit(msg, TEREDO_A_CTRL_TIME, ktime_get_boottime_ns(),
			      TEREDO_A_CTRL_PAD)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_unicast(net, msg, portid);
}

static int teredo_nl_released(struct notifier_block *nb, unsigned long event,
			      void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC)
		teredo_ctrl_release(notify->portid, notify->net);
	return NOTIFY_DONE;
}

static struct notifier_block teredo_nl_notifier = {
	.notifier_call = teredo_nl_released,
};

/**
 * teredo_netlink_init - register the family
 *
 * The notifier is there before the first helper can be.
 *
 * Return: 0 or an error.
 */
int teredo_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&teredo_nl_notifier);
	if (err)
		return err;
	err = genl_register_family(&teredo_nl_family);
	if (err)
		goto err_notifier;
	return 0;

err_notifier:
	netlink_unregister_notifier(&teredo_nl_notifier);
	return err;
}

/**
 * teredo_netlink_exit - unregister the family
 */
void teredo_netlink_exit(void)
{
	genl_unregister_family(&teredo_nl_family);
	netlink_unregister_notifier(&teredo_nl_notifier);
}
