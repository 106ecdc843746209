// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl peers, flush: the peers of a device
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/teredo.h>

#include "teredo_proto.h"
#include "teredoctl.h"

static const char *const state_names[] = {
	[TEREDO_PEER_STATE_INCOMPLETE] = "incomplete",
	[TEREDO_PEER_STATE_TRUSTED] = "trusted",
	[TEREDO_PEER_STATE_STALE] = "stale",
	[TEREDO_PEER_STATE_FAILED] = "failed",
};

struct peers {
	json_t		*list;
	unsigned int	count;
	uint32_t	ifindex;	/* of the peer before */
	char		ifname[IF_NAMESIZE];
};

static const char *state_text(struct nlattr **tb)
{
	return enum_text(state_names, ARRAY_SIZE(state_names),
			 tb[TEREDO_A_PEER_STATE]);
}

/* Seconds ago, exact to the millisecond */
static json_t *ago_json(const struct nlattr *attr)
{
	return attr ? json_real(attr_u64(attr) / 1000.0) : json_null();
}

static json_t *number_json(const struct nlattr *attr)
{
	return json_integer(attr_u64(attr));
}

static json_t *peer_json(struct nlattr **tb, const char *ifname)
{
	json_t *j = json_new();

	json_add(j, "ifname", json_name(ifname));
	json_add(j, "address", json_ipv6(tb[TEREDO_A_PEER_ADDRESS]));
	json_add(j, "endpoint",
		 json_endpoint(tb[TEREDO_A_PEER_ENDPOINT_ADDRESS],
			       tb[TEREDO_A_PEER_ENDPOINT_PORT]));
	json_add(j, "state", json_string(state_text(tb)));
	json_add(j, "trusted", json_boolean(tb[TEREDO_A_PEER_TRUSTED]));
	json_add(j, "queued", json_integer(attr_u32(tb[TEREDO_A_PEER_QUEUED])));
	json_add(j, "rx_packets", number_json(tb[TEREDO_A_PEER_RX_PACKETS]));
	json_add(j, "tx_packets", number_json(tb[TEREDO_A_PEER_TX_PACKETS]));
	json_add(j, "last_rx", ago_json(tb[TEREDO_A_PEER_LAST_RX]));
	json_add(j, "last_tx", ago_json(tb[TEREDO_A_PEER_LAST_TX]));
	json_add(j, "local", json_boolean(tb[TEREDO_A_PEER_LOCAL]));
	return j;
}

static void print_ago(const struct nlattr *attr)
{
	uint64_t ms = attr_u64(attr);

	if (attr)
		printf(" %6" PRIu64 ".%03u", ms / 1000,
		       (unsigned int)(ms % 1000));
	else
		printf(" %10s", "never");
}

static void print_heading(void)
{
	printf("%-15s %-39s %-21s %-10s %6s %10s %10s %10s %10s\n", "DEVICE",
	       "PEER", "ENDPOINT", "STATE", "QUEUED", "RX", "TX", "LAST-RX",
	       "LAST-TX");
}

static void print_peer(struct nlattr **tb, const char *ifname)
{
	const struct nlattr *addr = tb[TEREDO_A_PEER_ENDPOINT_ADDRESS];
	const struct nlattr *port = tb[TEREDO_A_PEER_ENDPOINT_PORT];
	const char *endpoint = "-";

	if (addr && port)
		endpoint = endpoint_text(attr_u32(addr), attr_u16(port));
	printf("%-15s %-39s %-21s %-10s", ifname,
	       ipv6_text(mnl_attr_get_payload(tb[TEREDO_A_PEER_ADDRESS])),
	       endpoint, state_text(tb));
	printf(" %6u %10" PRIu64 " %10" PRIu64,
	       attr_u32(tb[TEREDO_A_PEER_QUEUED]),
	       attr_u64(tb[TEREDO_A_PEER_RX_PACKETS]),
	       attr_u64(tb[TEREDO_A_PEER_TX_PACKETS]));
	print_ago(tb[TEREDO_A_PEER_LAST_RX]);
	print_ago(tb[TEREDO_A_PEER_LAST_TX]);
	puts(tb[TEREDO_A_PEER_LOCAL] ? " local" : "");
}

static int got_peer(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_PEER_MAX + 1];
	struct peers *p = arg;
	uint32_t ifindex;

	genl_parse(nlh, tb, TEREDO_A_PEER_MAX);
	if (!tb[TEREDO_A_PEER_ADDRESS])
		return -EBADMSG;
	ifindex = attr_u32(tb[TEREDO_A_PEER_IFINDEX]);
	if (ifindex != p->ifindex && !if_indextoname(ifindex, p->ifname))
		return 0;	/* the device went away meanwhile */
	p->ifindex = ifindex;
	if (p->list) {
		json_append(p->list, peer_json(tb, p->ifname));
		return 0;
	}
	if (!p->count++)
		print_heading();
	print_peer(tb, p->ifname);
	return 0;
}

static int get_peers(struct genl *g, const char *dev, uint32_t ifindex,
		     struct peers *p)
{
	struct nlmsghdr *nlh;

	if (genl_open(g))
		return failed("%s", g->error);
	nlh = genl_request(g, TEREDO_CMD_PEER_GET);
	if (dev)
		mnl_attr_put_u32(nlh, TEREDO_A_PEER_IFINDEX, ifindex);
	if (!dump(g, nlh, got_peer, p))
		return CTL_OK;
	return dev ? failed("%s: %s", dev, g->error) : failed("%s", g->error);
}

int cmd_peers(int argc, char **argv)
{
	const char *dev = argc ? argv[0] : NULL;
	struct peers p = {};
	uint32_t ifindex = 0;
	struct genl g;
	int status;

	if (argc > 1)
		return bad_usage("peers takes one device at most");
	if (dev && !valid_ifname(dev))
		return CTL_USAGE;
	if (dev) {
		ifindex = ifindex_of(dev);
		if (!ifindex)
			return CTL_FAILED;
	}
	if (json_wanted)
		p.list = json_list();

	status = get_peers(&g, dev, ifindex, &p);
	genl_close(&g);
	if (status) {
		json_decref(p.list);
		return status;
	}
	if (json_wanted)
		return json_print(p.list);
	if (!p.count)
		puts("no peers");
	return CTL_OK;
}

/* A device to be flushed */
struct target {
	uint32_t	ifindex;
	uint32_t	peers;
	char		ifname[IF_NAMESIZE];
};

struct targets {
	struct target	*list;
	size_t		count;
};

static int got_target(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_DEV_MAX + 1];
	struct targets *ts = arg;
	struct target *list;
	struct target *t;

	genl_parse(nlh, tb, TEREDO_A_DEV_MAX);
	if (!tb[TEREDO_A_DEV_IFINDEX] || !tb[TEREDO_A_DEV_IFNAME])
		return -EBADMSG;
	if (attr_u32(tb[TEREDO_A_DEV_MODE]) == TEREDO_MODE_SERVER)
		return 0;	/* has no peers */
	list = realloc(ts->list, (ts->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	ts->list = list;
	t = &list[ts->count++];
	t->ifindex = attr_u32(tb[TEREDO_A_DEV_IFINDEX]);
	t->peers = attr_u32(tb[TEREDO_A_DEV_PEERS]);
	snprintf(t->ifname, sizeof(t->ifname), "%s",
		 mnl_attr_get_str(tb[TEREDO_A_DEV_IFNAME]));
	return 0;
}

static int find_targets(struct genl *g, const char *dev, struct targets *ts)
{
	struct nlmsghdr *nlh = genl_request(g, TEREDO_CMD_DEV_GET);

	if (!dev) {
		if (dump(g, nlh, got_target, ts))
			return failed("%s", g->error);
		return CTL_OK;
	}
	mnl_attr_put_strz(nlh, TEREDO_A_DEV_IFNAME, dev);
	if (genl_do(g, nlh, got_target, ts))
		return failed("%s: %s", dev, g->error);
	if (!ts->count)
		return failed("%s is a server and has no peers", dev);
	return CTL_OK;
}

static int flush_one(struct genl *g, const struct target *t, json_t *done)
{
	struct nlmsghdr *nlh = genl_request(g, TEREDO_CMD_PEER_DEL);
	json_t *j;

	mnl_attr_put_u32(nlh, TEREDO_A_PEER_IFINDEX, t->ifindex);
	if (genl_do(g, nlh, NULL, NULL))
		return failed("%s: %s", t->ifname, g->error);
	if (!done) {
		printf("%s: %u peer%s forgotten\n", t->ifname, t->peers,
		       t->peers == 1 ? "" : "s");
		return CTL_OK;
	}
	j = json_new();
	json_add(j, "ifname", json_name(t->ifname));
	json_add(j, "peers", json_integer(t->peers));
	json_append(done, j);
	return CTL_OK;
}

static int flush_all(struct genl *g, const char *dev, json_t *done)
{
	struct targets ts = {};
	int status;
	size_t i;

	status = find_targets(g, dev, &ts);
	for (i = 0; i < ts.count && !status; i++)
		status = flush_one(g, &ts.list[i], done);
	free(ts.list);
	return status;
}

int cmd_flush(int argc, char **argv)
{
	const char *dev = argc ? argv[0] : NULL;
	json_t *done = NULL;
	struct genl g;
	int status;

	if (argc > 1)
		return bad_usage("flush takes one device at most");
	if (dev && !valid_ifname(dev))
		return CTL_USAGE;
	if (json_wanted)
		done = json_list();

	if (genl_open(&g))
		status = failed("%s", g.error);
	else
		status = flush_all(&g, dev, done);
	genl_close(&g);
	if (status) {
		json_decref(done);
		return status;
	}
	return json_wanted ? json_print(done) : CTL_OK;
}
