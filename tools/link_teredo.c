// SPDX-License-Identifier: GPL-2.0
/*
 * iproute2 plugin for devices of kind "teredo"
 *
 * ip loads link_teredo.so when it meets the kind and finds teredo_link_util in
 * it. There is no header for plugins: the few things that are needed from ip
 * are declared here as every release since 4.20 has them, and all of them are
 * exported by ip. A plugin with one symbol that ip does not export is left out
 * without a word; selftests/plugin.sh guards that.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_teredo.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define REQUEST_SIZE	1024		/* of ip's buffer */

/* From here: ip's */
enum output_type {
	PRINT_FP = 1,
	PRINT_JSON = 2,
	PRINT_ANY = 4,
};

enum color_attr {
	COLOR_INET = 2,
	COLOR_INET6 = 3,
	COLOR_NONE = 6,
};

struct link_util {
	struct link_util	*next;
	const char		*id;
	int			maxattr;
	int	(*parse_opt)(struct link_util *lu, int argc, char **argv,
			     struct nlmsghdr *n);
	void (*print_opt)(struct link_util *lu, FILE *f, struct rtattr *tb[]);
	void	(*print_xstats)(struct link_util *lu, FILE *f,
				struct rtattr *xstats);
	void	(*print_help)(struct link_util *lu, int argc, char **argv,
			      FILE *f);
	int (*parse_ifla_xstats)(struct link_util *lu, int argc, char **argv);
	int	(*print_ifla_xstats)(struct nlmsghdr *n, void *arg);
};

int addattr_l(struct nlmsghdr *n, int maxlen, int type, const void *data,
	      int alen);
void duparg(const char *key, const char *arg) __attribute__((noreturn));
void invarg(const char *msg, const char *arg) __attribute__((noreturn));
void missarg(const char *key) __attribute__((noreturn));
int nodev(const char *dev);
unsigned int ll_name_to_index(const char *name);
const char *ll_index_to_name(unsigned int idx);
int get_u32(__u32 *val, const char *arg, int base);

void open_json_array(enum output_type type, const char *key);
void close_json_array(enum output_type type, const char *delim);
int print_color_string(enum output_type type, enum color_attr color,
		       const char *key, const char *fmt, const char *value);
int print_color_uint(enum output_type type, enum color_attr color,
		     const char *key, const char *fmt, unsigned int value);
int print_color_0xhex(enum output_type type, enum color_attr color,
		      const char *key, const char *fmt,
		      unsigned long long value);
int print_color_bool(enum output_type type, enum color_attr color,
		     const char *key, const char *fmt, bool value);
/* To here: ip's */

struct word;

/* A type of value: from the command line into the request, and back */
struct type {
	int (*parse)(const struct word *w, const char *arg, struct nlmsghdr *n);
	void	(*print)(const struct word *w, const struct rtattr *attr);
};

/**
 * struct word - an attribute
 * @name: on the command line and in text
 * @key: in JSON
 * @attr: IFLA_TEREDO_*
 * @type: of the value
 * @names: of an enumeration, by number, up to NULL
 * @zero: what to type for 0, which is not printed
 * @min: smallest number
 * @max: largest number
 */
struct word {
	const char		*name;
	const char		*key;
	int			attr;
	const struct type	*type;
	const char *const	*names;
	const char		*zero;
	uint32_t		min;
	uint32_t		max;
};

static const char *const mode_names[] = {
	[TEREDO_MODE_CLIENT] = "client",
	[TEREDO_MODE_RELAY] = "relay",
	[TEREDO_MODE_HOST_RELAY] = "host-relay",
	[TEREDO_MODE_SERVER] = "server",
	NULL,
};

static const char *const ecn_names[] = {
	[TEREDO_ECN_ZERO] = "zero",
	[TEREDO_ECN_COPY] = "copy",
	NULL,
};

static const char *const switch_names[] = {
	[TEREDO_SWITCH_AUTO] = "auto",
	[TEREDO_SWITCH_ON] = "on",
	[TEREDO_SWITCH_OFF] = "off",
	NULL,
};

static const char *const bool_names[] = {
	"off",
	"on",
	NULL,
};

/* Ends ip with 'argument "ARG" is wrong: NAME must be WHAT' */
__attribute__((noreturn))
static void wrong(const struct word *w, const char *what, const char *arg)
{
	char msg[160];

	snprintf(msg, sizeof(msg), "%s must be %s", w->name, what);
	invarg(msg, arg);
}

static int put(const struct word *w, struct nlmsghdr *n, const void *data,
	       int len)
{
	return addattr_l(n, REQUEST_SIZE, w->attr, data, len);
}

/* "NAME VALUE " in text, a string in JSON */
static void print_text(const struct word *w, enum color_attr color,
		       const char *value)
{
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	print_color_string(PRINT_ANY, color, w->key, "%s", value);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s", " ");
}

/* The same for a number */
static void print_number(const struct word *w, uint32_t value)
{
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	print_color_uint(PRINT_ANY, COLOR_NONE, w->key, "%u ", value);
}

static void print_hex(const struct word *w, uint32_t value)
{
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	print_color_0xhex(PRINT_ANY, COLOR_NONE, w->key, "%#llx ", value);
}

static uint8_t attr_u8(const struct rtattr *attr)
{
	return *(const uint8_t *)RTA_DATA(attr);
}

static uint16_t attr_u16(const struct rtattr *attr)
{
	uint16_t v;

	memcpy(&v, RTA_DATA(attr), sizeof(v));
	return v;
}

static uint32_t attr_u32(const struct rtattr *attr)
{
	uint32_t v;

	memcpy(&v, RTA_DATA(attr), sizeof(v));
	return v;
}

/* One of a few names */
static uint8_t find_name(const struct word *w, const char *arg)
{
	char list[80] = "";
	unsigned int i;

	for (i = 0; w->names[i]; i++)
		if (!strcmp(arg, w->names[i]))
			return i;
	for (i = 0; w->names[i]; i++) {
		strcat(list, i ? w->names[i + 1] ? ", " : " or " : "");
		strcat(list, w->names[i]);
	}
	wrong(w, list, arg);
}

static int parse_name(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint8_t v = find_name(w, arg);

	return put(w, n, &v, sizeof(v));
}

static void print_name(const struct word *w, const struct rtattr *attr)
{
	uint8_t v = attr_u8(attr);
	unsigned int i;

	for (i = 0; w->names[i]; i++) {
		if (i == v) {
			print_text(w, COLOR_NONE, w->names[i]);
			return;
		}
	}
	print_number(w, v);	/* of a newer kernel */
}

static void print_bool(const struct word *w, const struct rtattr *attr)
{
	bool on = attr_u8(attr);

	print_color_bool(PRINT_JSON, COLOR_NONE, w->key, NULL, on);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", bool_names[on]);
}

/* A number in a range */
static uint32_t get_number(const struct word *w, const char *arg)
{
	char range[40];
	uint32_t v;

	if (!get_u32(&v, arg, 0) && v >= w->min && v <= w->max)
		return v;
	snprintf(range, sizeof(range), "%u to %u", w->min, w->max);
	wrong(w, range, arg);
}

static int parse_u32(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint32_t v = get_number(w, arg);

	return put(w, n, &v, sizeof(v));
}

static void print_u32(const struct word *w, const struct rtattr *attr)
{
	print_number(w, attr_u32(attr));
}

static int parse_port(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint16_t v = htons(get_number(w, arg));

	return put(w, n, &v, sizeof(v));
}

static void print_port(const struct word *w, const struct rtattr *attr)
{
	print_number(w, ntohs(attr_u16(attr)));
}

static int parse_mark(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint32_t v;

	if (get_u32(&v, arg, 0))
		wrong(w, "a number of 32 bits", arg);
	return put(w, n, &v, sizeof(v));
}

static void print_mark(const struct word *w, const struct rtattr *attr)
{
	print_hex(w, attr_u32(attr));
}

static int parse_tos(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint8_t tos = TEREDO_TOS_INHERIT;
	uint32_t v;

	if (strcmp(arg, "inherit")) {
		if (get_u32(&v, arg, 0) || v > 0xfc || v & 3)
			wrong(w, "inherit or a multiple of 4 up to 0xfc", arg);
		tos = v;
	}
	return put(w, n, &tos, sizeof(tos));
}

static void print_tos(const struct word *w, const struct rtattr *attr)
{
	uint8_t v = attr_u8(attr);

	if (v == TEREDO_TOS_INHERIT)
		print_text(w, COLOR_NONE, "inherit");
	else
		print_hex(w, v);
}

static int parse_ttl(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint8_t v = strcmp(arg, w->zero) ? get_number(w, arg) : 0;

	return put(w, n, &v, sizeof(v));
}

static void print_ttl(const struct word *w, const struct rtattr *attr)
{
	uint8_t v = attr_u8(attr);

	print_color_uint(PRINT_JSON, COLOR_NONE, w->key, NULL, v);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	if (v)
		print_color_uint(PRINT_FP, COLOR_NONE, NULL, "%u ", v);
	else
		print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->zero);
}

static int parse_ipv4(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	struct in_addr v = {};
	char what[40];

	if (strcmp(arg, w->zero) && inet_pton(AF_INET, arg, &v) != 1) {
		snprintf(what, sizeof(what), "an IPv4 address or %s", w->zero);
		wrong(w, what, arg);
	}
	return put(w, n, &v, sizeof(v));
}

static void print_ipv4(const struct word *w, const struct rtattr *attr)
{
	uint32_t v = attr_u32(attr);
	char buf[INET_ADDRSTRLEN];

	if (v)
		print_text(w, COLOR_INET,
			   inet_ntop(AF_INET, &v, buf, sizeof(buf)));
}

/* A/LEN without bits beyond LEN */
static bool get_ipv6_prefix(const char *arg, struct teredo_prefix *p)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(arg, '/');
	unsigned int bit;
	uint32_t len;

	memset(p, 0, sizeof(*p));
	if (!slash || slash - arg >= (ptrdiff_t)sizeof(addr))
		return false;
	memcpy(addr, arg, slash - arg);
	addr[slash - arg] = '\0';
	if (inet_pton(AF_INET6, addr, &p->addr) != 1 ||
	    get_u32(&len, slash + 1, 10) || len > 128)
		return false;
	for (bit = len; bit < 128; bit++)
		if (p->addr.s6_addr[bit / 8] & 0x80 >> bit % 8)
			return false;
	p->len = len;
	return true;
}

static const char *ipv6_prefix(const struct teredo_prefix *p, char *buf,
			       size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &p->addr, addr, sizeof(addr));
	snprintf(buf, size, "%s/%u", addr, p->len);
	return buf;
}

static int parse_prefix(const struct word *w, const char *arg,
			struct nlmsghdr *n)
{
	struct teredo_prefix p;

	if (!get_ipv6_prefix(arg, &p) || p.len != 32)
		wrong(w, "an IPv6 prefix of 32 bits (2001::/32)", arg);
	return put(w, n, &p.addr, 4);
}

static void print_prefix(const struct word *w, const struct rtattr *attr)
{
	struct teredo_prefix p = { .len = 32 };
	char buf[64];

	memcpy(&p.addr, RTA_DATA(attr), 4);
	print_text(w, COLOR_INET6, ipv6_prefix(&p, buf, sizeof(buf)));
}

/* Prefixes with commas between them */
static int parse_serve(const struct word *w, const char *arg,
		       struct nlmsghdr *n)
{
	static const char what[] = "all or IPv6 prefixes with commas between "
				   "them, without bits beyond their length";
	struct teredo_prefix p[TEREDO_SERVE_MAX];
	unsigned int count = 0;
	char *list, *next, *one;

	_Static_assert(TEREDO_SERVE_MAX == 16, "see the message below");

	if (!strcmp(arg, w->zero))
		return put(w, n, NULL, 0);
	next = list = strdup(arg);
	if (!list) {
		perror("serve");
		return -1;
	}
	while ((one = strsep(&next, ","))) {
		if (count == ARRAY_SIZE(p))
			wrong(w, "16 prefixes or fewer", arg);
		if (!get_ipv6_prefix(one, &p[count++]))
			wrong(w, what, one);
	}
	free(list);
	return put(w, n, p, count * sizeof(*p));
}

static void print_serve(const struct word *w, const struct rtattr *attr)
{
	const struct teredo_prefix *p = RTA_DATA(attr);
	size_t count = RTA_PAYLOAD(attr) / sizeof(*p);
	char buf[64];
	size_t i;

	open_json_array(PRINT_JSON, w->key);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s ", w->name);
	if (!count)
		print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s", w->zero);
	for (i = 0; i < count; i++) {
		if (i)
			print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s",
					   ",");
		print_color_string(PRINT_ANY, COLOR_INET6, NULL, "%s",
				   ipv6_prefix(&p[i], buf, sizeof(buf)));
	}
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s", " ");
	close_json_array(PRINT_JSON, NULL);
}

static int parse_dev(const struct word *w, const char *arg, struct nlmsghdr *n)
{
	uint32_t v = ll_name_to_index(arg);

	if (!v)
		return nodev(arg);
	return put(w, n, &v, sizeof(v));
}

static void print_dev(const struct word *w, const struct rtattr *attr)
{
	uint32_t v = attr_u32(attr);

	if (v)
		print_text(w, COLOR_NONE, ll_index_to_name(v));
}

static const struct type type_name = { parse_name, print_name };
static const struct type type_bool = { parse_name, print_bool };
static const struct type type_u32 = { parse_u32, print_u32 };
static const struct type type_port = { parse_port, print_port };
static const struct type type_mark = { parse_mark, print_mark };
static const struct type type_tos = { parse_tos, print_tos };
static const struct type type_ttl = { parse_ttl, print_ttl };
static const struct type type_ipv4 = { parse_ipv4, print_ipv4 };
static const struct type type_prefix = { parse_prefix, print_prefix };
static const struct type type_serve = { parse_serve, print_serve };
static const struct type type_dev = { parse_dev, print_dev };

#define WORD(_name, _key, _attr, _type, ...)	\
	{                                                                \
		.name = _name, .key = _key, .attr = IFLA_TEREDO_##_attr, \
		.type = &type_##_type, __VA_ARGS__                       \
	}

/* In the order in which they are printed */
static const struct word words[] = {
	WORD("mode", "mode", MODE, name, .names = mode_names),
	WORD("prefix", "prefix", PREFIX, prefix),
	WORD("local", "local", LOCAL, ipv4, .zero = "any"),
	WORD("port", "port", PORT, port, .min = 1, .max = UINT16_MAX),
	WORD("dev", "dev", LINK, dev),
	WORD("server", "server", SERVER, ipv4, .zero = "none"),
	WORD("secondary", "secondary", SECONDARY, ipv4, .zero = "auto"),
	WORD("fwmark", "fwmark", FWMARK, mark),
	WORD("tos", "tos", TOS, tos),
	WORD("ttl", "ttl", TTL, ttl, .zero = "auto", .max = UINT8_MAX),
	WORD("ecn", "ecn", ECN, name, .names = ecn_names),
	WORD("pmtudisc", "pmtudisc", PMTUDISC, bool, .names = bool_names),
	WORD("private", "private", PRIVATE, bool, .names = bool_names),
	WORD("max-peers", "max_peers", MAX_PEERS, u32, .min = 1,
	     .max = TEREDO_MAX_PEERS),
	WORD("queue", "queue", QUEUE, u32, .max = TEREDO_MAX_QUEUE),
	WORD("peer-rate", "peer_rate", PEER_RATE, u32, .max = TEREDO_MAX_RATE),
	WORD("bubble-rate", "bubble_rate", BUBBLE_RATE, u32,
	     .max = TEREDO_MAX_RATE),
	WORD("server-rate", "server_rate", SERVER_RATE, u32,
	     .max = TEREDO_MAX_RATE),
	WORD("serve", "serve", SERVE, serve, .zero = "all"),
	WORD("accept-unknown", "accept_unknown", ACCEPT_UNKNOWN, bool,
	     .names = bool_names),
	WORD("nat", "nat", NAT, name, .names = switch_names),
	WORD("discovery", "discovery", DISCOVERY, name, .names = switch_names),
	WORD("local-strict", "local_strict", LOCAL_STRICT, bool,
	     .names = bool_names),
	WORD("rate", "rate", RATE, u32, .max = TEREDO_MAX_RATE),
	WORD("icmp-limit", "icmp_limit", ICMP_LIMIT, u32, .min = 8,
	     .max = UINT16_MAX),
	WORD("secure", "secure", SECURE, bool, .names = bool_names),
};

/* clang-format off */
static const char help[] =
"Usage: ... teredo [ mode { client | relay | host-relay | server } ]\n"
"		[ prefix PREFIX/32 ] [ local { ADDR | any } ] [ port PORT ]\n"
"		[ dev PHYS_DEV ] [ fwmark MARK ] [ tos { TOS | inherit } ]\n"
"		[ ttl { TTL | auto } ] [ ecn { zero | copy } ]\n"
"		[ pmtudisc { on | off } ] [ private { on | off } ]\n"
"	client:	[ server { ADDR | none } ] [ secondary { ADDR | auto } ]\n"
"		[ discovery { auto | on | off } ] [ local-strict { on | off } ]\n"
"	server:	[ secondary ADDR ] [ rate N ] [ icmp-limit OCTETS ]\n"
"		[ secure { on | off } ]\n"
"	relay:	[ serve { PREFIX[,PREFIX]... | all } ]\n"
"		[ accept-unknown { on | off } ]\n"
"	relay, host-relay:\n"
"		[ nat { auto | on | off } ]\n"
"	all but server:\n"
"		[ max-peers N ] [ queue PACKETS ] [ peer-rate N ]\n"
"		[ bubble-rate N ] [ server-rate N ]\n"
"Where:	ADDR := IPv4 address\n"
"	N := number; of a rate: a second, 0 for no limit\n"
"A client needs teredod(8) to get its address. See ip-link-teredo(8).\n";
/* clang-format on */

static void teredo_print_help(struct link_util *lu, int argc, char **argv,
			      FILE *f)
{
	(void)lu;
	(void)argc;
	(void)argv;
	fputs(help, f);
}

static const struct word *find_word(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(name, words[i].name))
			return &words[i];
	invarg("no such word for a teredo device, see \"ip link help teredo\"",
	       name);
}

static int teredo_parse_opt(struct link_util *lu, int argc, char **argv,
			    struct nlmsghdr *n)
{
	bool seen[IFLA_TEREDO_MAX + 1] = {};

	while (argc > 0) {
		const struct word *w;

		if (!strcmp(*argv, "help")) {
			teredo_print_help(lu, argc, argv, stderr);
			return -1;
		}
		w = find_word(*argv);
		if (argc < 2)
			missarg(w->name);
		if (seen[w->attr])
			duparg(w->name, argv[1]);
		seen[w->attr] = true;
		if (w->type->parse(w, argv[1], n))
			return -1;
		argc -= 2;
		argv += 2;
	}
	return 0;
}

static void teredo_print_opt(struct link_util *lu, FILE *f, struct rtattr *tb[])
{
	unsigned int i;

	(void)lu;
	(void)f;
	if (!tb)
		return;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (tb[words[i].attr])
			words[i].type->print(&words[i], tb[words[i].attr]);
}

/* Not const: ip links it into its list */
__attribute__((visibility("default")))
struct link_util teredo_link_util = {
	.id		= "teredo",
	.maxattr	= IFLA_TEREDO_MAX,
	.parse_opt	= teredo_parse_opt,
	.print_opt	= teredo_print_opt,
	.print_help	= teredo_print_help,
};
