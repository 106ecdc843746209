// SPDX-License-Identifier: GPL-2.0
/*
 * Teredo: the life of a device
 *
 * rtnetlink and netdevice operations, sockets, network namespaces. The module
 * is called teredo, so its main file cannot be (an object of a module may not
 * have the module's name).
 */
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/suspend.h>
#include <net/addrconf.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/netns/generic.h>
#include <net/rtnetlink.h>
#include <net/udp_tunnel.h>

#include "teredo.h"

#define TEREDO_QUOTA	1048576		/* net.teredo.max_peers */
#define TEREDO_QUOTA_USER 16384		/* in a user's own namespace */

LIST_HEAD(teredo_devices);
unsigned int teredo_n_devices;
unsigned int teredo_net_id __read_mostly;
struct workqueue_struct *teredo_wq;
u64 teredo_slept __read_mostly;

/* ---- sockets ---- */

static struct socket *teredo_sock_create(struct teredo_dev *t,
					 const struct teredo_config *cfg,
					 __be32 local, __be16 port)
{
	struct udp_port_cfg port_cfg = {
		.family = AF_INET,
		.local_ip.s_addr = local,
		.local_udp_port = port,
		.bind_ifindex = cfg->link,
		.use_udp_checksums = true,
	};
	struct socket *sock;
	int err;

	err = udp_sock_create4(t->net, &port_cfg, &sock);
	return err ? ERR_PTR(err) : sock;
}

/* A forged ICMP error must not shrink what has DF clear anyway (TUN-12) */
static void teredo_sock_pmtu(struct sock *sk, const struct teredo_config *cfg)
{
	ip_sock_set_mtu_discover(sk, cfg->pmtudisc ? IP_PMTUDISC_WANT :
						     IP_PMTUDISC_OMIT);
}

static struct sock *teredo_sock_open(struct teredo_dev *t,
				     const struct teredo_config *cfg,
				     __be32 local, __be16 port)
{
	struct udp_tunnel_sock_cfg tunnel_cfg = {
		.sk_user_data = t,
		.encap_type = 1,
		.encap_rcv = teredo_encap_rcv,
		.encap_err_lookup = teredo_err_lookup,
		.encap_err_rcv = teredo_err_rcv,
		.gro_receive = teredo_gro_receive,
		.gro_complete = teredo_gro_complete,
	};
	struct socket *sock;

	sock = teredo_sock_create(t, cfg, local, port);
	if (IS_ERR(sock))
		return ERR_CAST(sock);
	teredo_sock_pmtu(sock->sk, cfg);
	setup_udp_tunnel_sock(t->net, sock->sk, &tunnel_cfg);
	return sock->sk;
}

/* Close the sockets; no packet is in the device afterwards. RTNL. */
static void teredo_socks_close(struct teredo_dev *t)
{
	struct sock *sk = rtnl_dereference(t->sk);
	struct sock *sk2 = rtnl_dereference(t->sk2);

	if (!sk && !sk2)
		return;
	RCU_INIT_POINTER(t->sk, NULL);
	RCU_INIT_POINTER(t->sk2, NULL);
	synchronize_net();
	if (sk)
		udp_tunnel_sock_release(sk);
	if (sk2)
		udp_tunnel_sock_release(sk2);
	/* the release does not wait for receivers that found the socket */
	synchronize_net();
}

static int teredo_socks_open(struct teredo_dev *t,
			     const struct teredo_config *cfg)
{
	struct sock *sk, *sk2 = NULL;
	__be16 port = cfg->port;		/* CL-Q-37, RL-OP-02 */

	if (!port)
		port = t->port;			/* C-04 */
	sk = teredo_sock_open(t, cfg, cfg->local, port);
	if (IS_ERR(sk) && !cfg->port && port)
		/* somebody has taken the port that chance had given us */
		sk = teredo_sock_open(t, cfg, cfg->local, 0);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	if (cfg->mode == TEREDO_MODE_SERVER) {	/* SV-01 */
		sk2 = teredo_sock_open(t, cfg, cfg->secondary, port);
		if (IS_ERR(sk2)) {
			rcu_assign_pointer(t->sk, sk);
			teredo_socks_close(t);
			return PTR_ERR(sk2);
		}
	}
	WRITE_ONCE(t->port, inet_sk(sk)->inet_sport);
	rcu_assign_pointer(t->sk2, sk2);
	rcu_assign_pointer(t->sk, sk);
	return 0;
}

/* ---- up and down ---- */

static bool teredo_exclusive(u8 mode)
{
	return mode == TEREDO_MODE_CLIENT || mode == TEREDO_MODE_HOST_RELAY;
}

/* Another device that wants the same route (HR-09) */
static bool teredo_has_rival(struct teredo_dev *t,
			     const struct teredo_config *cfg)
{
	const struct teredo_config *other;
	struct teredo_dev *o;

	if (!teredo_exclusive(cfg->mode))
		return false;
	list_for_each_entry(o, &teredo_devices, siblings) {
		other = rtnl_dereference(o->cfg);
		if (o != t && netif_running(o->dev) &&
		    net_eq(dev_net(o->dev), dev_net(t->dev)) &&
		    teredo_exclusive(other->mode) &&
		    other->prefix == cfg->prefix)
			return true;
	}
	return false;
}

/* Is this address ours to bind, and the port free? */
static int teredo_bind_check(struct teredo_dev *t,
			     const struct teredo_config *cfg, __be32 local,
			     const char **why)
{
	struct socket *sock;

	if (local && inet_addr_type(t->net, local) != RTN_LOCAL) {
		*why = local == cfg->local ?
			"local: not an address of this host" :
			"secondary: not an address of this host";
		return -EADDRNOTAVAIL;
	}
	if (!cfg->port)
		return 0;
	sock = teredo_sock_create(t, cfg, local, cfg->port);
	if (IS_ERR(sock)) {
		*why = PTR_ERR(sock) == -EADDRINUSE ? "port: in use" :
						      "cannot bind";
		return PTR_ERR(sock);
	}
	sock_release(sock);
	return 0;
}

static const char teredo_no_underlay[] =
	"the underlay's network namespace is gone";

/* What depends on the network, and can be put into words */
static int teredo_up_check(struct teredo_dev *t,
			   const struct teredo_config *cfg, const char **why)
{
	const struct inet6_dev *idev = __in6_dev_get(t->dev);
	int err;

	if (!idev || idev->cnf.disable_ipv6) {
		*why = "IPv6 is disabled on the device (disable_ipv6)";
		return -EAFNOSUPPORT;
	}
	if (!t->net) {
		*why = teredo_no_underlay;
		return -ENETDOWN;
	}
	if (cfg->mode == TEREDO_MODE_SERVER &&
	    (!cfg->local || !cfg->secondary)) {
		*why = cfg->local ? "secondary: a server needs two addresses" :
				    "local: a server needs two addresses";
		return -EDESTADDRREQ;
	}
	if (cfg->link && !__dev_get_by_index(t->net, cfg->link)) {
		*why = "dev: the underlay's device is gone";
		return -ENODEV;
	}
	if (teredo_has_rival(t, cfg)) {
		*why = "another client or host-relay with this prefix is up";
		return -EBUSY;
	}
	err = teredo_bind_check(t, cfg, cfg->local, why);
	if (!err && cfg->mode == TEREDO_MODE_SERVER)
		err = teredo_bind_check(t, cfg, cfg->secondary, why);
	return err;
}

static void teredo_carrier(struct teredo_dev *t)
{
	const struct teredo_config *cfg = rtnl_dereference(t->cfg);
	const struct net_device *link;

	if (!rtnl_dereference(t->sk))
		return;
	if (cfg->link) {
		link = __dev_get_by_index(t->net, cfg->link);
		if (!link || !netif_running(link)) {
			netif_carrier_off(t->dev);
			return;
		}
	}
	netif_carrier_on(t->dev);
}

static int teredo_open(struct net_device *dev)
{
	struct teredo_dev *t = netdev_priv(dev);
	const struct teredo_config *cfg;
	int err;

	cfg = rtnl_dereference(t->cfg);
	if (!t->net)
		return -ENETDOWN;
	if (cfg->mode == TEREDO_MODE_CLIENT)
		netif_dormant_on(dev);
	else
		netif_dormant_off(dev);
	err = teredo_peers_start(t);
	if (err)
		return err;
	err = teredo_socks_open(t, cfg);
	if (err) {
		teredo_peers_stop(t);
		return err;
	}
	teredo_carrier(t);
	return 0;
}

/* The reverse of teredo_open(); of a device that is down it does nothing */
static void teredo_close(struct teredo_dev *t)
{
	teredo_local_down(t);
	teredo_socks_close(t);
	teredo_qual_down(t);
	teredo_peers_stop(t);
	netif_carrier_off(t->dev);
}

static int teredo_stop(struct net_device *dev)
{
	teredo_close(netdev_priv(dev));
	return 0;
}

/* ---- network device ---- */

static int teredo_init(struct net_device *dev)
{
	struct teredo_dev *t = netdev_priv(dev);
	int err;

	t->stats = alloc_percpu(struct teredo_stats);
	if (!t->stats)
		return -ENOMEM;
	err = teredo_peers_init(t);
	if (err) {
		free_percpu(t->stats);
		t->stats = NULL;
		return err;
	}
	netif_carrier_off(dev);
	WRITE_ONCE(teredo_n_devices, teredo_n_devices + 1);
	list_add_tail_rcu(&t->siblings, &teredo_devices);
	return 0;
}

static void teredo_uninit(struct net_device *dev)
{
	struct teredo_dev *t = netdev_priv(dev);

	/* after this the core waits for RCU before it frees the device */
	list_del_rcu(&t->siblings);
	WRITE_ONCE(teredo_n_devices, teredo_n_devices - 1);
	teredo_peers_uninit(t);
}

/* After the last reference; nobody reads the configuration any more */
static void teredo_destruct(struct net_device *dev)
{
	struct teredo_dev *t = netdev_priv(dev);

	kfree(rcu_dereference_protected(t->cfg, true));
	teredo_keys_free(t);
	free_percpu(t->stats);
}

static const struct net_device_ops teredo_netdev_ops = {
	.ndo_init	= teredo_init,
	.ndo_uninit	= teredo_uninit,
	.ndo_open	= teredo_open,
	.ndo_stop	= teredo_stop,
	.ndo_start_xmit	= teredo_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
};

static void teredo_get_drvinfo(struct net_device *dev,
			       struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "teredo", sizeof(info->driver));
	strscpy(info->version, TEREDO_VERSION, sizeof(info->version));
}

static int teredo_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? TEREDO_A_STATS_MAX - TEREDO_A_STATS_PAD :
				      -EOPNOTSUPP;
}

static void teredo_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	int i;

	if (sset != ETH_SS_STATS)
		return;
	for (i = TEREDO_A_STATS_PAD + 1; i <= TEREDO_A_STATS_MAX; i++)
		ethtool_puts(&data, teredo_stat_names[i]);
}

static void teredo_get_ethtool_stats(struct net_device *dev,
				     struct ethtool_stats *stats, u64 *data)
{
	u64 sum[TEREDO_NR_STATS];

	teredo_stats_read(netdev_priv(dev), sum);
	memcpy(data, sum + TEREDO_A_STATS_PAD + 1,
	       (TEREDO_A_STATS_MAX - TEREDO_A_STATS_PAD) * sizeof(*data));
}

static const struct ethtool_ops teredo_ethtool_ops = {
	.get_drvinfo		= teredo_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_sset_count		= teredo_get_sset_count,
	.get_strings		= teredo_get_strings,
	.get_ethtool_stats	= teredo_get_ethtool_stats,
};

static const struct device_type teredo_type = {
	.name = "teredo",
};

#define TEREDO_FEATURES	(NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | \
			 NETIF_F_RXCSUM | NETIF_F_GSO_SOFTWARE)

static void teredo_setup(struct net_device *dev)
{
	struct teredo_dev *t = netdev_priv(dev);

	t->dev = dev;
	INIT_LIST_HEAD(&t->siblings);
	teredo_qual_init(t);
	teredo_local_init(t);

	dev->netdev_ops = &teredo_netdev_ops;
	dev->ethtool_ops = &teredo_ethtool_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	SET_NETDEV_DEVTYPE(dev, &teredo_type);
	dev->needs_free_netdev = true;

	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->lltx = true;
	dev->features |= TEREDO_FEATURES;
	dev->hw_features |= TEREDO_FEATURES;
	dev->hw_enc_features |= TEREDO_FEATURES;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	/* what a card leaves is enough for this; see teredo_headroom() */
	dev->needed_headroom = ETH_HLEN + TEREDO_HLEN;
	dev->mtu = TEREDO_MIN_MTU;		/* TUN-01 */
	dev->min_mtu = TEREDO_MIN_MTU;
	dev->max_mtu = TEREDO_MAX_MTU;		/* TUN-02 */
	/* with the outer headers it still fits into IPv4's length field */
	netif_set_tso_max_size(dev, GSO_LEGACY_MAX_SIZE - TEREDO_HLEN);
	netdev_lockdep_set_classes(dev);
}

/**
 * teredo_dev_is - is this one of our devices?
 * @dev: any network device
 */
bool teredo_dev_is(const struct net_device *dev)
{
	return dev->netdev_ops == &teredo_netdev_ops;
}

/* ---- rtnetlink ---- */

static int teredo_newlink(struct net_device *dev,
			  struct rtnl_newlink_params *params,
			  struct netlink_ext_ack *extack)
{
	struct teredo_dev *t = netdev_priv(dev);
	struct teredo_config *cfg;
	int err;

	if (!ipv6_mod_enabled()) {
		NL_SET_ERR_MSG(extack, "IPv6 is disabled on this host");
		return -EAFNOSUPPORT;
	}
	cfg = kzalloc_obj(*cfg, GFP_KERNEL);
	if (!cfg)
		return -ENOMEM;
	t->net = rtnl_newlink_link_net(params);
	t->quota = net_generic(t->net, teredo_net_id);
	err = teredo_config_parse(cfg, params->tb, params->data, NULL, false,
				  t->net, extack);
	if (err) {
		kfree(cfg);
		return err;
	}
	rcu_assign_pointer(t->cfg, cfg);
	err = register_netdevice(dev);
	if (err) {
		/* it may have been on the list, and is freed at once */
		synchronize_net();
		free_percpu(t->stats);
		kfree(cfg);
		return err;
	}
	/* not before: a registration that fails calls it or not */
	dev->priv_destructor = teredo_destruct;
	return 0;
}

static int teredo_changelink(struct net_device *dev, struct nlattr *tb[],
			     struct nlattr *data[],
			     struct netlink_ext_ack *extack)
{
	struct teredo_dev *t = netdev_priv(dev);
	struct teredo_config *cfg, *old;
	bool reroute, revoked;
	struct sock *sk;
	int err;

	/* all of it is about packets that leave there */
	if (t->net && !rtnl_dev_link_net_capable(dev, t->net)) {
		NL_SET_ERR_MSG(extack,
			       "no permission in the underlay's namespace");
		return -EPERM;
	}
	cfg = kzalloc_obj(*cfg, GFP_KERNEL);
	if (!cfg)
		return -ENOMEM;
	old = rtnl_dereference(t->cfg);
	err = teredo_config_parse(cfg, tb, data, old, netif_running(dev),
				  t->net, extack);
	if (err) {
		kfree(cfg);
		return err;
	}
	if (cfg->mode != old->mode || cfg->port != old->port)
		WRITE_ONCE(t->port, 0);
	if (cfg->mode != old->mode || cfg->prefix != old->prefix)
		teredo_qual_forget(t);
	reroute = cfg->fwmark != old->fwmark;
	revoked = old->private_ok && !cfg->private_ok;
	rcu_assign_pointer(t->cfg, cfg);
	kfree_rcu(old, rcu);
	if (reroute || revoked)
		synchronize_net();	/* the last look-up by the old one */
	teredo_peers_shrink(t, cfg->max_peers);
	if (revoked)
		teredo_peers_revoke(t, cfg);
	if (cfg->mode != TEREDO_MODE_SERVER)
		teredo_keys_flush(t);
	sk = rtnl_dereference(t->sk);
	if (sk)
		teredo_sock_pmtu(sk, cfg);
	sk = rtnl_dereference(t->sk2);
	if (sk)
		teredo_sock_pmtu(sk, cfg);
	if (reroute)
		teredo_peers_reroute(t);
	teredo_local_update(t, false);
	teredo_dev_notify(t);
	return 0;
}

static void teredo_dellink(struct net_device *dev, struct list_head *head)
{
	unregister_netdevice_queue(dev, head);
}

static size_t teredo_get_size(const struct net_device *dev)
{
	return teredo_config_size();
}

static int teredo_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	return teredo_config_fill(skb, netdev_priv(dev));
}

static struct net *teredo_get_link_net(const struct net_device *dev)
{
	const struct teredo_dev *t = netdev_priv(dev);

	return READ_ONCE(t->net) ?: dev_net(dev);
}

struct rtnl_link_ops teredo_link_ops __read_mostly = {
	.kind		= "teredo",
	.maxtype	= IFLA_TEREDO_MAX,
	.policy		= teredo_policy,
	.priv_size	= sizeof(struct teredo_dev),
	.setup		= teredo_setup,
	.newlink	= teredo_newlink,
	.changelink	= teredo_changelink,
	.dellink	= teredo_dellink,
	.get_size	= teredo_get_size,
	.fill_info	= teredo_fill_info,
	.get_link_net	= teredo_get_link_net,
};

/* ---- events ---- */

/* The words for an error at up: ndo_open cannot say them */
static int teredo_pre_up(struct teredo_dev *t, struct netlink_ext_ack *extack)
{
	const char *why = NULL;
	int err;

	err = teredo_up_check(t, rtnl_dereference(t->cfg), &why);
	WRITE_ONCE(t->error, why);
	if (!err)
		return 0;
	if (extack && why)
		extack->_msg = why;
	teredo_dev_notify(t);
	return err;
}

/*
 * The tunnel carries no link-local traffic: no address of that kind, no MLD,
 * no solicitations (CL-Q-33). After addrconf's own notifier; also in a new
 * namespace.
 */
static void teredo_quiet(struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		idev->cnf.addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
}

/* The underlay's device went up, down or away */
static void teredo_link_event(const struct net_device *link, bool gone)
{
	struct teredo_dev *t;

	list_for_each_entry(t, &teredo_devices, siblings) {
		if (!t->net || !net_eq(t->net, dev_net(link)))
			continue;
		if (rtnl_dereference(t->cfg)->link == link->ifindex)
			teredo_carrier(t);
		if (gone && t->group_link == link->ifindex)
			teredo_local_down(t);
	}
}

static int teredo_netdev_event(struct notifier_block *nb, unsigned long event,
			       void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct teredo_dev *t = netdev_priv(dev);

	if (!teredo_dev_is(dev)) {
		if (event == NETDEV_UP || event == NETDEV_DOWN ||
		    event == NETDEV_UNREGISTER)
			teredo_link_event(dev, event == NETDEV_UNREGISTER);
		return NOTIFY_DONE;
	}
	switch (event) {
	case NETDEV_REGISTER:
		teredo_quiet(dev);
		teredo_dev_notify(t);
		break;
	case NETDEV_PRE_UP:
		return notifier_from_errno(teredo_pre_up(t,
					netdev_notifier_info_to_extack(ptr)));
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGEMTU:
		teredo_dev_notify(t);
		break;
	case NETDEV_UNREGISTER:
		/* also when the device leaves for another namespace */
		teredo_ctrl_unbind(t);
		teredo_dev_notify_gone(t);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block teredo_netdev_notifier = {
	.notifier_call = teredo_netdev_event,
};

/* ---- network namespaces ---- */

static const struct ctl_table teredo_sysctls[] = {
	{
		.procname	= "max_peers",
		.maxlen		= sizeof(u32),
		.mode		= 0644,
		.proc_handler	= proc_douintvec,
	},
	{ }		/* for kernels that look for the end */
};

static int __net_init teredo_net_init(struct net *net)
{
	struct teredo_net *tn = net_generic(net, teredo_net_id);
	struct ctl_table *table;

	/* anybody can have namespaces, and their peers are the host's memory */
	tn->max_peers = net->user_ns == &init_user_ns ? TEREDO_QUOTA :
							TEREDO_QUOTA_USER;
	table = kmemdup(teredo_sysctls, sizeof(teredo_sysctls), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	table[0].data = &tn->max_peers;
	/* the namespace's owner must not lift the host's limit */
	if (!net_eq(net, &init_net) && net->user_ns != &init_user_ns)
		table[0].mode = 0444;
	tn->sysctl = register_net_sysctl_sz(net, "net/teredo", table, 1);
	if (!tn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

/* The underlay goes: the device stays where it is, without a socket */
static void __net_exit teredo_net_pre_exit(struct net *net)
{
	struct teredo_dev *t;

	/* nothing new can come to use a namespace that goes */
	if (!READ_ONCE(teredo_n_devices))
		return;
	rtnl_lock();
	list_for_each_entry(t, &teredo_devices, siblings) {
		if (t->net != net)
			continue;
		teredo_close(t);
		WRITE_ONCE(t->net, NULL);
		t->quota = NULL;
		WRITE_ONCE(t->error, teredo_no_underlay);
		teredo_dev_notify(t);
	}
	rtnl_unlock();
}

static void __net_exit teredo_net_exit(struct net *net)
{
	struct teredo_net *tn = net_generic(net, teredo_net_id);
	const struct ctl_table *table = tn->sysctl->ctl_table_arg;

	unregister_net_sysctl_table(tn->sysctl);
	kfree(table);
}

static struct pernet_operations teredo_net_ops = {
	.init		= teredo_net_init,
	.pre_exit	= teredo_net_pre_exit,
	.exit		= teredo_net_exit,
	.id		= &teredo_net_id,
	.size		= sizeof(struct teredo_net),
};

/* ---- sleep ---- */

/* Boot time is counted in sleep, too (V-06) */
static void teredo_count_sleep(void)
{
	ktime_t slept = ktime_sub(ktime_get_boottime(), ktime_get());

	WRITE_ONCE(teredo_slept, nsecs_to_jiffies64(ktime_to_ns(slept)));
}

/* The machine is awake again */
static int teredo_pm_event(struct notifier_block *nb, unsigned long event,
			   void *ptr)
{
	struct teredo_dev *t;

	if (event != PM_POST_SUSPEND && event != PM_POST_HIBERNATION &&
	    event != PM_POST_RESTORE)
		return NOTIFY_DONE;
	teredo_count_sleep();
	rtnl_lock();
	list_for_each_entry(t, &teredo_devices, siblings)
		teredo_qual_arm(t);
	rtnl_unlock();
	return NOTIFY_DONE;
}

static struct notifier_block teredo_pm_notifier = {
	.notifier_call = teredo_pm_event,
};

/* ---- module ---- */

static int __init teredo_module_init(void)
{
	int err;

	err = teredo_gro_init();
	if (err)
		return err;
	err = -ENOMEM;
	teredo_wq = alloc_workqueue("teredo", WQ_UNBOUND, 0);
	if (!teredo_wq)
		return err;
	err = teredo_peer_cache_init();
	if (err)
		goto err_wq;
	err = register_pernet_subsys(&teredo_net_ops);
	if (err)
		goto err_cache;
	err = register_netdevice_notifier(&teredo_netdev_notifier);
	if (err)
		goto err_pernet;
	err = register_pm_notifier(&teredo_pm_notifier);
	if (err)
		goto err_notifier;
	teredo_count_sleep();
	/* before and after all devices, whose events it tells */
	err = teredo_netlink_init();
	if (err)
		goto err_pm;
	err = rtnl_link_register(&teredo_link_ops);
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	teredo_netlink_exit();
err_pm:
	unregister_pm_notifier(&teredo_pm_notifier);
err_notifier:
	unregister_netdevice_notifier(&teredo_netdev_notifier);
err_pernet:
	unregister_pernet_subsys(&teredo_net_ops);
err_cache:
	teredo_peer_cache_exit();
err_wq:
	destroy_workqueue(teredo_wq);
	return err;
}

static void __exit teredo_module_exit(void)
{
	rtnl_link_unregister(&teredo_link_ops);
	teredo_netlink_exit();
	unregister_pm_notifier(&teredo_pm_notifier);
	unregister_netdevice_notifier(&teredo_netdev_notifier);
	unregister_pernet_subsys(&teredo_net_ops);
	teredo_peer_cache_exit();
	destroy_workqueue(teredo_wq);
}

module_init(teredo_module_init);
module_exit(teredo_module_exit);
MODULE_DESCRIPTION("Teredo: IPv6 in UDP over IPv4 through NATs (RFC 4380)");
MODULE_AUTHOR("The teredo project");
MODULE_LICENSE("GPL");
MODULE_VERSION(TEREDO_VERSION);
MODULE_ALIAS_RTNL_LINK("teredo");
MODULE_ALIAS_GENL_FAMILY("teredo");
