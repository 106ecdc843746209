// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl status: what a device has learned
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/teredo.h>

#include "teredo_proto.h"
#include "teredoctl.h"

static const char *const mode_names[] = {
	[TEREDO_MODE_CLIENT] = "client",
	[TEREDO_MODE_RELAY] = "relay",
	[TEREDO_MODE_HOST_RELAY] = "host-relay",
	[TEREDO_MODE_SERVER] = "server",
};

static const char *const state_names[] = {
	[TEREDO_STATE_OFFLINE] = "offline",
	[TEREDO_STATE_DORMANT] = "dormant",
	[TEREDO_STATE_PROBE] = "probe",
	[TEREDO_STATE_QUALIFIED] = "qualified",
	[TEREDO_STATE_ERROR] = "error",
	[TEREDO_STATE_DOWN] = "down",
	[TEREDO_STATE_UP] = "up",
};

static const char *const nat_names[] = {
	[TEREDO_NAT_UNKNOWN] = "unknown",
	[TEREDO_NAT_NONE] = "none",
	[TEREDO_NAT_CONE] = "cone",
	[TEREDO_NAT_RESTRICTED] = "restricted",
	[TEREDO_NAT_SYMMETRIC] = "symmetric",
};

static const char *mode_text(struct nlattr **tb)
{
	return enum_text(mode_names, ARRAY_SIZE(mode_names),
			 tb[TEREDO_A_DEV_MODE]);
}

static const char *state_text(struct nlattr **tb)
{
	return enum_text(state_names, ARRAY_SIZE(state_names),
			 tb[TEREDO_A_DEV_STATE]);
}

static const char *nat_text(struct nlattr **tb)
{
	return enum_text(nat_names, ARRAY_SIZE(nat_names),
			 tb[TEREDO_A_DEV_NAT]);
}

static const char *ifname(struct nlattr **tb)
{
	const struct nlattr *attr = tb[TEREDO_A_DEV_IFNAME];

	return attr ? mnl_attr_get_str(attr) : "?";
}

static bool is_client(struct nlattr **tb)
{
	return tb[TEREDO_A_DEV_MODE] &&
		attr_u32(tb[TEREDO_A_DEV_MODE]) == TEREDO_MODE_CLIENT;
}

static json_t *stats_json(const struct nlattr *nest)
{
	json_t *stats = json_new();
	const struct nlattr *attr;

	if (!nest)
		return stats;
	mnl_attr_for_each_nested(attr, nest) {
		const char *name = stats_name(mnl_attr_get_type(attr));

		if (name)
			json_add(stats, name, json_integer(attr_u64(attr)));
	}
	return stats;
}

static json_t *prefix_json(const struct nlattr *attr)
{
	struct in6_addr prefix = {};
	char buf[64];

	if (!attr)
		return json_null();
	memcpy(&prefix, mnl_attr_get_payload(attr), 4);
	snprintf(buf, sizeof(buf), "%s/32", ipv6_text(&prefix));
	return json_string(buf);
}

static json_t *number_json(const struct nlattr *attr)
{
	return attr ? json_integer(attr_u32(attr)) : json_null();
}

static json_t *seconds_json(const struct nlattr *attr)
{
	return attr ? json_integer(attr_u64(attr) / 1000) : json_null();
}

static json_t *port_json(const struct nlattr *attr)
{
	return attr ? json_integer(ntohs(attr_u16(attr))) : json_null();
}

/* The kernel also keeps the mapping of a qualification that is over */
static json_t *mapped_json(struct nlattr **tb)
{
	if (!tb[TEREDO_A_DEV_ADDRESS])
		return json_endpoint(NULL, NULL);
	return json_endpoint(tb[TEREDO_A_DEV_MAPPED_ADDRESS],
			     tb[TEREDO_A_DEV_MAPPED_PORT]);
}

static json_t *dev_json(struct nlattr **tb)
{
	json_t *j = json_new();

	json_add(j, "ifname", json_name(ifname(tb)));
	json_add(j, "mode", json_string(mode_text(tb)));
	json_add(j, "state", json_string(state_text(tb)));
	json_add(j, "server", json_ipv4(tb[TEREDO_A_DEV_SERVER]));
	json_add(j, "secondary", json_ipv4(tb[TEREDO_A_DEV_SECONDARY]));
	json_add(j, "local", json_ipv4(tb[TEREDO_A_DEV_LOCAL]));
	json_add(j, "port", port_json(tb[TEREDO_A_DEV_PORT]));
	json_add(j, "address", json_ipv6(tb[TEREDO_A_DEV_ADDRESS]));
	json_add(j, "mapped", mapped_json(tb));
	json_add(j, "nat", json_string(nat_text(tb)));
	json_add(j, "mtu", number_json(tb[TEREDO_A_DEV_MTU]));
	json_add(j, "peers", number_json(tb[TEREDO_A_DEV_PEERS]));
	json_add(j, "qualified_for",
		 seconds_json(tb[TEREDO_A_DEV_QUALIFIED_FOR]));
	json_add(j, "server_rx", seconds_json(tb[TEREDO_A_DEV_SERVER_RX]));
	json_add(j, "stats", stats_json(tb[TEREDO_A_DEV_STATS]));
	json_add(j, "error", json_text(tb[TEREDO_A_DEV_REASON]));
	json_add(j, "prefix", prefix_json(tb[TEREDO_A_DEV_PREFIX]));
	json_add(j, "lifetime", number_json(tb[TEREDO_A_DEV_LIFETIME]));
	json_add(j, "helper", json_boolean(tb[TEREDO_A_DEV_HELPER]));
	json_add(j, "version", json_text(tb[TEREDO_A_DEV_VERSION]));
	return j;
}

/* A line that says why there is no connectivity, and what to do */
static void print_reason(struct nlattr **tb)
{
	uint32_t state = attr_u32(tb[TEREDO_A_DEV_STATE]);
	bool client = is_client(tb);

	if (tb[TEREDO_A_DEV_REASON] &&
	    *mnl_attr_get_str(tb[TEREDO_A_DEV_REASON]))
		printf("  reason: %s\n",
		       mnl_attr_get_str(tb[TEREDO_A_DEV_REASON]));
	if (client && state != TEREDO_STATE_QUALIFIED &&
	    !tb[TEREDO_A_DEV_HELPER])
		printf("  helper: none, start it with: teredod %s\n",
		       ifname(tb));
	else if (client && !tb[TEREDO_A_DEV_HELPER])
		puts("  helper: none; the address ends with its lifetime");
	else if (client)
		puts("  helper: running");
	if (state == TEREDO_STATE_DOWN)
		printf("  down: start it with: ip link set %s up\n",
		       ifname(tb));
}

static void print_span(uint64_t seconds)
{
	uint64_t minutes = seconds / 60;

	if (minutes >= 24 * 60)
		printf("%" PRIu64 " d ", minutes / (24 * 60));
	if (minutes >= 60)
		printf("%" PRIu64 " h ", minutes / 60 % 24);
	if (minutes)
		printf("%" PRIu64 " min ", minutes % 60);
	printf("%" PRIu64 " s", seconds % 60);
}

static void print_qualified(struct nlattr **tb)
{
	const struct nlattr *address = tb[TEREDO_A_DEV_ADDRESS];
	const struct nlattr *mapped = tb[TEREDO_A_DEV_MAPPED_ADDRESS];
	const struct nlattr *port = tb[TEREDO_A_DEV_MAPPED_PORT];

	if (address)
		printf("  address: %s\n",
		       ipv6_text(mnl_attr_get_payload(address)));
	if (address)
		printf("  mapped: %s (nat %s)\n",
		       endpoint_text(attr_u32(mapped), attr_u16(port)),
		       nat_text(tb));
	if (tb[TEREDO_A_DEV_QUALIFIED_FOR]) {
		printf("  qualified for: ");
		print_span(attr_u64(tb[TEREDO_A_DEV_QUALIFIED_FOR]) / 1000);
		putchar('\n');
	}
	if (tb[TEREDO_A_DEV_SERVER_RX]) {
		printf("  server heard: ");
		print_span(attr_u64(tb[TEREDO_A_DEV_SERVER_RX]) / 1000);
		printf(" ago\n");
	}
	if (tb[TEREDO_A_DEV_LIFETIME])
		printf("  lifetime: %u s unless the helper refreshes it\n",
		       attr_u32(tb[TEREDO_A_DEV_LIFETIME]));
}

static void print_underlay(struct nlattr **tb)
{
	uint32_t server = attr_u32(tb[TEREDO_A_DEV_SERVER]);
	uint32_t secondary = attr_u32(tb[TEREDO_A_DEV_SECONDARY]);
	uint32_t local = attr_u32(tb[TEREDO_A_DEV_LOCAL]);

	if (server)
		printf("  server: %s\n", ipv4_text(server));
	if (secondary)
		printf("  secondary: %s\n", ipv4_text(secondary));
	printf("  local: %s", local ? ipv4_text(local) : "by route");
	if (tb[TEREDO_A_DEV_PORT])
		printf(", port %u\n", ntohs(attr_u16(tb[TEREDO_A_DEV_PORT])));
	else
		printf(", no port yet\n");
}

static void print_stats(const struct nlattr *nest)
{
	const struct nlattr *attr;

	if (!nest)
		return;
	mnl_attr_for_each_nested(attr, nest) {
		unsigned int type = mnl_attr_get_type(attr);

		if (stats_name(type) && attr_u64(attr))
			printf("  %s: %" PRIu64 " (%s)\n", stats_name(type),
			       attr_u64(attr), stats_help(type));
	}
}

static void print_dev(struct nlattr **tb)
{
	printf("%s: %s, %s\n", ifname(tb), mode_text(tb), state_text(tb));
	print_reason(tb);
	print_qualified(tb);
	print_underlay(tb);
	if (tb[TEREDO_A_DEV_MTU])
		printf("  mtu: %u\n", attr_u32(tb[TEREDO_A_DEV_MTU]));
	if (tb[TEREDO_A_DEV_PEERS])
		printf("  peers: %u\n", attr_u32(tb[TEREDO_A_DEV_PEERS]));
	print_stats(tb[TEREDO_A_DEV_STATS]);
}

struct status {
	json_t		*list;
	unsigned int	count;
	char		other_version[64];
};

static void check_version(struct status *s, const struct nlattr *attr)
{
	const char *version = attr ? mnl_attr_get_str(attr) : "unknown";

	if (strcmp(version, TEREDO_VERSION))
		snprintf(s->other_version, sizeof(s->other_version), "%s",
			 version);
}

static int got_dev(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_DEV_MAX + 1];
	struct status *s = arg;

	genl_parse(nlh, tb, TEREDO_A_DEV_MAX);
	check_version(s, tb[TEREDO_A_DEV_VERSION]);
	if (s->list) {
		json_append(s->list, dev_json(tb));
	} else {
		if (s->count)
			putchar('\n');
		print_dev(tb);
	}
	s->count++;
	return 0;
}

static int get_devs(struct genl *g, const char *dev, struct status *s)
{
	struct nlmsghdr *nlh;
	int err;

	err = genl_open(g);
	if (err)
		return failed("%s", g->error);
	nlh = genl_request(g, TEREDO_CMD_DEV_GET);
	if (dev) {
		mnl_attr_put_strz(nlh, TEREDO_A_DEV_IFNAME, dev);
		err = genl_do(g, nlh, got_dev, s);
	} else {
		err = dump(g, nlh, got_dev, s);
	}
	if (err && dev)
		return failed("%s: %s", dev, g->error);
	return err ? failed("%s", g->error) : CTL_OK;
}

int cmd_status(int argc, char **argv)
{
	const char *dev = argc ? argv[0] : NULL;
	struct status s = {};
	struct genl g;
	int status;

	if (argc > 1)
		return bad_usage("status takes one device at most");
	if (dev && !valid_ifname(dev))
		return CTL_USAGE;
	if (json_wanted)
		s.list = json_list();

	status = get_devs(&g, dev, &s);
	genl_close(&g);
	if (*s.other_version)
		fprintf(stderr, "teredoctl %s talks to teredo module %s\n",
			TEREDO_VERSION, s.other_version);
	if (status) {
		json_decref(s.list);
		return status;
	}
	if (json_wanted)
		return json_print(s.list);
	if (!s.count)
		puts("no Teredo device in this network namespace");
	return CTL_OK;
}
