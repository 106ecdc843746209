// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: the qualification of a client
 *
 * What the helper (teredod) learned from the server, for how long it is
 * valid, and the control packets between the two, which have to use the
 * service port.
 */
#include <linux/netdevice.h>
#include <net/genetlink.h>
#include <net/ip.h>
#include <net/udp.h>

#include "teredo.h"

#define TEREDO_CTRL_RX_RATE	100	/* SEC-56 */
#define TEREDO_CTRL_ERR_RATE	5	/* apart: anybody can send errors */
#define TEREDO_CTRL_TX_RATE	10	/* SEC-31 */

/**
 * teredo_servers - the servers in use
 * @t: a client
 * @q: its qualification, or NULL
 * @primary: primary server, 0 if there is none
 * @secondary: its secondary address
 *
 * RCU.
 */
void teredo_servers(const struct teredo_dev *t, const struct teredo_qual *q,
		    __be32 *primary, __be32 *secondary)
{
	const struct teredo_config *cfg;

	if (q) {
		*primary = q->server;
		*secondary = q->secondary;
		return;
	}
	*primary = READ_ONCE(t->server);
	*secondary = READ_ONCE(t->secondary);
	if (!*primary) {
		cfg = rcu_dereference_rtnl(t->cfg);
		*primary = cfg->server;
		*secondary = cfg->secondary;
	}
	if (!*secondary && *primary)		/* C-05 */
		*secondary = htonl(ntohl(*primary) + 1);
}

/* Outer source address and device: of the route to the server (TUN-18) */
static int teredo_qual_local(struct teredo_dev *t, struct teredo_qual *q)
{
	struct teredo_ep to = {
		.addr = q->server,
		.port = htons(TEREDO_UDP_PORT),
	};
	const struct teredo_config *cfg;
	struct rtable *rt;
	struct sock *sk;
	int err = 0;

	rcu_read_lock_bh();
	cfg = rcu_dereference_bh(t->cfg);
	sk = rcu_dereference_bh(t->sk);
	q->local = cfg->local;
	if (!sk) {
		err = -ENETDOWN;
	} else {
		rt = teredo_route(t, cfg, sk, to, &q->local, 0);
		if (IS_ERR(rt)) {
			err = PTR_ERR(rt);
		} else {
			q->link = rt->dst.dev->ifindex;
			ip_rt_put(rt);
		}
	}
	rcu_read_unlock_bh();
	return err;
}

/* What dev-set says, made into a qualification */
static struct teredo_qual *teredo_qual_parse(struct teredo_dev *t,
					     struct nlattr *attrs[],
					     struct netlink_ext_ack *extack)
{
	static const struct {
		u8 attr;
		const char *missing;
	} needed[] = {
		{ TEREDO_A_DEV_SERVER, "qualified: server is missing" },
		{ TEREDO_A_DEV_MAPPED_ADDRESS,
		  "qualified: mapped-address is missing" },
		{ TEREDO_A_DEV_MAPPED_PORT,
		  "qualified: mapped-port is missing" },
		{ TEREDO_A_DEV_FLAGS, "qualified: flags are missing" },
		{ TEREDO_A_DEV_LIFETIME, "qualified: lifetime is missing" },
	};
	const struct teredo_config *cfg = rtnl_dereference(t->cfg);
	struct teredo_qual *q;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		if (attrs[needed[i].attr])
			continue;
		if (extack)
			extack->_msg = needed[i].missing;
		return ERR_PTR(-EINVAL);
	}
	q = kzalloc_obj(*q, GFP_KERNEL);
	if (!q)
		return ERR_PTR(-ENOMEM);

	q->server = nla_get_be32(attrs[TEREDO_A_DEV_SERVER]);
	q->secondary = htonl(ntohl(q->server) + 1);
	if (attrs[TEREDO_A_DEV_SECONDARY])
		q->secondary = nla_get_be32(attrs[TEREDO_A_DEV_SECONDARY]);
	q->mapped.addr = nla_get_be32(attrs[TEREDO_A_DEV_MAPPED_ADDRESS]);
	q->mapped.port = nla_get_be16(attrs[TEREDO_A_DEV_MAPPED_PORT]);
	q->flags = nla_get_u16(attrs[TEREDO_A_DEV_FLAGS]);
	q->since = teredo_now();
	q->expires = teredo_now() +
		     nla_get_u32(attrs[TEREDO_A_DEV_LIFETIME]) * HZ;
	teredo_make_addr(&q->addr, cfg->prefix, q->server, q->flags,
			 q->mapped);

	err = -EINVAL;
	if (!teredo_ipv4_global(q->mapped.addr, cfg->private_ok)) { /* */
		NL_SET_ERR_MSG_ATTR(extack, attrs[TEREDO_A_DEV_MAPPED_ADDRESS],
				    "mapped-address is not global unicast");
		goto err_free;
	}
	if (!q->mapped.port) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[TEREDO_A_DEV_MAPPED_PORT],
				    "mapped-port is 0");
		goto err_free;
	}
	if (q->flags & ~TEREDO_FLAGS_RANDOM) {		/* */
		NL_SET_ERR_MSG_ATTR(extack, attrs[TEREDO_A_DEV_FLAGS],
				    "flags may only have the bits 0x3cff");
		goto err_free;
	}
	err = teredo_qual_local(t, q);
	if (err) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[TEREDO_A_DEV_SERVER],
				    "no route to the server");
		goto err_free;
	}
	return q;

err_free:
	kfree(q);
	return ERR_PTR(err);
}

/*
 * Publish a new qualification or none. The peers know us by the address: a new
 * one starts with none (CL-P-06). With @expired only if the lifetime has ended
 * (C-35): not if the helper was quicker. Returns whether the address is another
 * one.
 */
static bool teredo_qual_replace(struct teredo_dev *t, struct teredo_qual *q,
				u32 state, bool expired)
{
	struct teredo_qual *old;
	bool same;

	spin_lock_bh(&t->qual_lock);
	old = rcu_dereference_protected(t->qual,
					lockdep_is_held(&t->qual_lock));
	if (expired && (!old || time_before64(teredo_now(), old->expires))) {
		spin_unlock_bh(&t->qual_lock);
		return false;
	}
	same = old && q && ipv6_addr_equal(&old->addr, &q->addr);
	if (same)
		q->since = old->since;
	if (q) {
		t->mapped = q->mapped;
		t->flags = q->flags;
	}
	rcu_assign_pointer(t->qual, q);
	t->state = state;
	if (expired)
		strscpy(t->reason, "the helper did not renew the mapping",
			sizeof(t->reason));
	if (q)
		netif_dormant_off(t->dev);
	else
		netif_dormant_on(t->dev);
	spin_unlock_bh(&t->qual_lock);

	if (old)
		kfree_rcu(old, rcu);
	if (same || (!old && !q))
		return false;
	/* nobody makes a peer for the old address from here on */
	synchronize_net();
	teredo_peers_shrink(t, 0);
	return true;
}

/**
 * teredo_qual_arm - have the work run when the lifetime ends
 * @t: the device; without a qualification nothing happens
 *
 * A timer far ahead is late by up to an eighth, so it comes before and once
 * more. To be called again after a sleep of the machine. Process context.
 */
void teredo_qual_arm(struct teredo_dev *t)
{
	struct teredo_qual *q;
	long wait;

	spin_lock_bh(&t->qual_lock);
	q = rcu_dereference_protected(t->qual,
				      lockdep_is_held(&t->qual_lock));
	if (q) {
		wait = max_t(s64, 0, q->expires - teredo_now());
		if (wait > HZ)
			wait -= wait / 8;
		mod_delayed_work(teredo_wq, &t->qual_work, wait);
	}
	spin_unlock_bh(&t->qual_lock);
}

/* The lifetime may have ended: no helper renewed it */
static void teredo_qual_work(struct work_struct *work)
{
	struct teredo_dev *t = container_of(to_delayed_work(work),
					    struct teredo_dev, qual_work);

	if (teredo_qual_replace(t, NULL, TEREDO_STATE_DORMANT, true))
		teredo_dev_notify(t);
	else
		teredo_qual_arm(t);
}

/* Addresses that control packets go to (SEC-31, SEC-32), whatever the state */
static int teredo_qual_servers(const struct teredo_config *cfg,
			       struct nlattr *attrs[],
			       struct netlink_ext_ack *extack)
{
	const struct nlattr *server = attrs[TEREDO_A_DEV_SERVER];
	const struct nlattr *secondary = attrs[TEREDO_A_DEV_SECONDARY];

	if (server &&
	    !teredo_ipv4_global(nla_get_be32(server), cfg->private_ok)) {
		NL_SET_ERR_MSG_ATTR(extack, server,
				    "server is not global unicast");
		return -EINVAL;
	}
	if (secondary && nla_get_be32(secondary) &&
	    !teredo_ipv4_global(nla_get_be32(secondary), cfg->private_ok)) {
		NL_SET_ERR_MSG_ATTR(extack, secondary,
				    "secondary is not global unicast");
		return -EINVAL;
	}
	return 0;
}

/**
 * teredo_qual_set - dev-set: what the helper learned (CL-M-07)
 * @t: the device
 * @attrs: TEREDO_A_DEV_..., validated by the policy
 * @extack: names the attribute at fault
 *
 * RTNL.
 *
 * Return: 0 or a negative errno; then nothing has changed.
 */
int teredo_qual_set(struct teredo_dev *t, struct nlattr *attrs[],
		    struct netlink_ext_ack *extack)
{
	const struct teredo_config *cfg = rtnl_dereference(t->cfg);
	struct teredo_qual *q = NULL;
	bool anew;
	u32 state;
	int err;

	if (cfg->mode != TEREDO_MODE_CLIENT) {
		NL_SET_ERR_MSG(extack, "only a client can be qualified");
		return -EOPNOTSUPP;
	}
	if (!attrs[TEREDO_A_DEV_STATE]) {
		NL_SET_ERR_MSG(extack, "state is missing");
		return -EINVAL;
	}
	if (!rtnl_dereference(t->sk)) {
		NL_SET_ERR_MSG(extack, "device is down");
		return -ENETDOWN;
	}
	err = teredo_qual_servers(cfg, attrs, extack);
	if (err)
		return err;
	state = nla_get_u32(attrs[TEREDO_A_DEV_STATE]);
	if (state == TEREDO_STATE_QUALIFIED) {
		q = teredo_qual_parse(t, attrs, extack);
		if (IS_ERR(q))
			return PTR_ERR(q);
	}

	spin_lock_bh(&t->qual_lock);
	if (attrs[TEREDO_A_DEV_REASON])
		nla_strscpy(t->reason, attrs[TEREDO_A_DEV_REASON],
			    sizeof(t->reason));
	else
		t->reason[0] = '\0';
	if (attrs[TEREDO_A_DEV_NAT])
		t->nat = nla_get_u32(attrs[TEREDO_A_DEV_NAT]);
	if (attrs[TEREDO_A_DEV_SERVER]) {
		WRITE_ONCE(t->server,
			   nla_get_be32(attrs[TEREDO_A_DEV_SERVER]));
		WRITE_ONCE(t->secondary, attrs[TEREDO_A_DEV_SECONDARY] ?
			   nla_get_be32(attrs[TEREDO_A_DEV_SECONDARY]) : 0);
	}
	spin_unlock_bh(&t->qual_lock);

	/* the work after the state: a work that ran before finds it valid */
	anew = teredo_qual_replace(t, q, state, false);
	if (q)
		teredo_qual_arm(t);
	else
		cancel_delayed_work(&t->qual_work);
	teredo_local_update(t, anew);
	teredo_dev_notify(t);
	return 0;
}

/**
 * teredo_qual_down - the device goes down: nothing of it stays valid
 * @t: the device
 *
 * RTNL, may sleep.
 */
void teredo_qual_down(struct teredo_dev *t)
{
	cancel_delayed_work_sync(&t->qual_work);
	spin_lock_bh(&t->qual_lock);
	t->nat = TEREDO_NAT_UNKNOWN;
	t->reason[0] = '\0';
	WRITE_ONCE(t->server, 0);
	WRITE_ONCE(t->secondary, 0);
	spin_unlock_bh(&t->qual_lock);
	teredo_qual_replace(t, NULL, TEREDO_STATE_DORMANT, false);
}

/**
 * teredo_qual_forget - another prefix: the random bits are not used again
 * @t: the device, down
 *
 * Until then the helper finds them beside their mapping. RTNL.
 */
void teredo_qual_forget(struct teredo_dev *t)
{
	spin_lock_bh(&t->qual_lock);
	t->mapped.port = 0;
	spin_unlock_bh(&t->qual_lock);
}

void teredo_qual_init(struct teredo_dev *t)
{
	spin_lock_init(&t->qual_lock);
	t->state = TEREDO_STATE_DORMANT;
	INIT_DELAYED_WORK(&t->qual_work, teredo_qual_work);
}

/**
 * teredo_ctrl_bind - make a netlink socket the device's helper
 * @t: the device
 * @portid: of the socket
 * @net: its network namespace
 * @extack: says why not
 *
 * RTNL.
 *
 * Return: 0 or a negative errno.
 */
int teredo_ctrl_bind(struct teredo_dev *t, u32 portid, struct net *net,
		     struct netlink_ext_ack *extack)
{
	int err = 0;

	if (rtnl_dereference(t->cfg)->mode != TEREDO_MODE_CLIENT) {
		NL_SET_ERR_MSG(extack, "only a client has a helper");
		return -EOPNOTSUPP;
	}
	spin_lock_bh(&t->qual_lock);
	if (t->helper && (t->helper != portid || t->helper_net != net)) {
		NL_SET_ERR_MSG(extack, "the device has a helper already");
		err = -EBUSY;
	} else {
		t->helper = portid;
		t->helper_net = net;
	}
	spin_unlock_bh(&t->qual_lock);
	if (!err)
		teredo_dev_notify(t);
	return err;
}

/**
 * teredo_ctrl_unbind - the helper is gone, or the device has left its netns
 * @t: the device
 *
 * State, mapping and peers stay. Any context but hard interrupts.
 */
void teredo_ctrl_unbind(struct teredo_dev *t)
{
	spin_lock_bh(&t->qual_lock);
	t->helper = 0;
	t->helper_net = NULL;
	spin_unlock_bh(&t->qual_lock);
}

/**
 * teredo_ctrl_release - a netlink socket was closed
 * @portid: of the socket
 * @net: its network namespace
 *
 * May sleep.
 */
void teredo_ctrl_release(u32 portid, struct net *net)
{
	struct teredo_dev *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &teredo_devices, siblings) {
		spin_lock_bh(&t->qual_lock);
		if (t->helper == portid && t->helper_net == net) {
			t->helper = 0;
			t->helper_net = NULL;
		}
		spin_unlock_bh(&t->qual_lock);
	}
	rcu_read_unlock();
}

/**
 * teredo_ctrl_recv - a control packet for the helper
 * @t: the device
 * @skb: datagram, its data at the UDP header; consumed
 *
 * Softirq, RCU. Never waits, never queues beyond the helper's socket. The lock
 * keeps the helper bound meanwhile, and so its network namespace.
 */
void teredo_ctrl_recv(struct teredo_dev *t, struct sk_buff *skb)
{
	int err = -ECONNREFUSED;

	if (teredo_bucket_take(t, &t->ctrl_rx, TEREDO_CTRL_RX_RATE)) {
		spin_lock(&t->qual_lock);
		if (t->helper)
			err = teredo_ctrl_notify(t, t->helper, t->helper_net,
						 skb);
		spin_unlock(&t->qual_lock);
	}
	if (err) {
		teredo_drop(t, skb, TEREDO_A_STATS_RX_CTRL_FULL);
		return;
	}
	teredo_count(t, TEREDO_A_STATS_RX_CTRL);
	consume_skb(skb);
}

/**
 * teredo_ctrl_err - an ICMP error for a control packet
 * @t: the device
 * @server: where the packet was sent to
 * @type: ICMP type
 * @code: ICMP code
 *
 * The helper may give up sooner, but no state follows from it (TUN-13).
 * Softirq, RCU.
 */
void teredo_ctrl_err(struct teredo_dev *t, __be32 server, u8 type, u8 code)
{
	if (!teredo_bucket_take(t, &t->ctrl_err, TEREDO_CTRL_ERR_RATE))
		return;
	spin_lock(&t->qual_lock);
	if (t->helper)
		teredo_ctrl_err_notify(t, t->helper, t->helper_net, server,
				       type, code);
	spin_unlock(&t->qual_lock);
}

/* May a control packet go there (SEC-31)? What finds out how long the NAT keeps
 * a mapping sends a bubble to that of a port of the helper's own (CL-I-05): to
 * the mapped address, which the helper only says is ours, goes nothing else.
 */
static bool teredo_ctrl_allowed(struct teredo_dev *t, struct teredo_ep to,
				const struct sk_buff *skb)
{
	const struct teredo_qual *q = rcu_dereference_bh(t->qual);
	__be32 primary, secondary;

	if (q && to.addr == q->mapped.addr && to.port)
		return skb->len == sizeof(struct ipv6hdr) &&
		       teredo_is_bubble(ipv6_hdr(skb));
	teredo_servers(t, q, &primary, &secondary);
	return to.port == htons(TEREDO_UDP_PORT) && to.addr &&
	       (to.addr == primary || to.addr == secondary);
}

/**
 * teredo_ctrl_send - send a control packet from the service port
 * @t: the device
 * @attrs: TEREDO_A_CTRL_..., validated by the policy
 * @extack: names the attribute at fault
 *
 * RTNL.
 *
 * Return: 0 or a negative errno.
 */
int teredo_ctrl_send(struct teredo_dev *t, struct nlattr *attrs[],
		     struct netlink_ext_ack *extack)
{
	struct nlattr *payload = attrs[TEREDO_A_CTRL_PAYLOAD];
	struct teredo_parsed p;
	struct teredo_ep to;
	struct sk_buff *skb;
	int err, len;

	if (!attrs[TEREDO_A_CTRL_ADDRESS] || !attrs[TEREDO_A_CTRL_PORT] ||
	    !payload) {
		NL_SET_ERR_MSG(extack, "address, port or payload is missing");
		return -EINVAL;
	}
	to.addr = nla_get_be32(attrs[TEREDO_A_CTRL_ADDRESS]);
	to.port = nla_get_be16(attrs[TEREDO_A_CTRL_PORT]);
	len = nla_len(payload);
	if (teredo_parse_headers(&p, nla_data(payload), len, len) !=
	    TEREDO_PARSE_OK) {
		NL_SET_ERR_MSG_ATTR(extack, payload,
				    "payload is not a Teredo packet");
		return -EINVAL;
	}
	if (!rtnl_dereference(t->sk)) {
		NL_SET_ERR_MSG(extack, "device is down");
		return -ENETDOWN;
	}
	if (!teredo_bucket_take(t, &t->ctrl_tx, TEREDO_CTRL_TX_RATE)) {
		NL_SET_ERR_MSG(extack, "too many control packets");
		return -EAGAIN;
	}
	skb = teredo_alloc_skb(t, len);
	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, nla_data(payload), len);
	skb_set_network_header(skb, p.ip6);

	rcu_read_lock();
	local_bh_disable();
	if (teredo_ctrl_allowed(t, to, skb)) {
		err = teredo_send(t, skb, to, true, 0);
		if (!err)
			teredo_count(t, TEREDO_A_STATS_TX_CTRL);
		else
			NL_SET_ERR_MSG(extack, "the packet could not be sent");
	} else {
		kfree_skb(skb);
		NL_SET_ERR_MSG_ATTR(extack, attrs[TEREDO_A_CTRL_ADDRESS],
				    "neither a server nor a bubble to the own mapping");
		err = -EINVAL;
	}
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

/**
 * teredo_ctrl_refuse - the helper refused a control packet
 * @t: the device
 * @attrs: TEREDO_A_CTRL_..., validated by the policy
 * @extack: names the attribute at fault
 *
 * The kernel has no state to judge advertisements by: the helper does
 * (SEC-22 to SEC-25), and they are counted here with all other drops. RTNL.
 *
 * Return: 0 or a negative errno.
 */
int teredo_ctrl_refuse(struct teredo_dev *t, struct nlattr *attrs[],
		       struct netlink_ext_ack *extack)
{
	static const u8 stats[] = {
		[TEREDO_REFUSAL_RA_UNSOLICITED] =
			TEREDO_A_STATS_RX_RA_UNSOLICITED,
		[TEREDO_REFUSAL_RA_NONCE] = TEREDO_A_STATS_RX_RA_NONCE,
		[TEREDO_REFUSAL_RA_AUTH] = TEREDO_A_STATS_RX_RA_AUTH,
		[TEREDO_REFUSAL_RA_INVALID] = TEREDO_A_STATS_RX_RA_INVALID,
	};
	struct teredo_ep from = {};

	if (!attrs[TEREDO_A_CTRL_REFUSAL]) {
		NL_SET_ERR_MSG(extack, "refusal is missing");
		return -EINVAL;
	}
	if (attrs[TEREDO_A_CTRL_ADDRESS])
		from.addr = nla_get_be32(attrs[TEREDO_A_CTRL_ADDRESS]);
	if (attrs[TEREDO_A_CTRL_PORT])
		from.port = nla_get_be16(attrs[TEREDO_A_CTRL_PORT]);
	teredo_rx_refused(t, stats[nla_get_u32(attrs[TEREDO_A_CTRL_REFUSAL])],
			  from);
	return 0;
}
