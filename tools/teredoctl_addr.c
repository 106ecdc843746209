// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl decode, encode: the parts of a Teredo address
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "teredo_proto.h"
#include "teredoctl.h"

#define MAX_NOTES	8

struct notes {
	const char	*text[MAX_NOTES];
	unsigned int	count;
};

static void note(struct notes *n, bool applies, const char *text)
{
	if (applies && n->count < MAX_NOTES)
		n->text[n->count++] = text;
}

/* What is remarkable about an address */
static void find_notes(struct notes *n, const struct in6_addr *addr)
{
	const struct teredo_addr *ta = teredo_addr(addr);
	struct teredo_ep mapped = teredo_mapped(addr);
	uint16_t flags = ntohs(ta->flags);

	n->count = 0;
	note(n, ta->prefix != htonl(TEREDO_PREFIX),
	     "not in 2001::/32: a Teredo address only if that is the prefix "
	     "of its service");
	note(n, !teredo_ipv4_global(ta->server, false),
	     "the server is not global unicast: nothing is sent to it");
	note(n, !teredo_ipv4_global(mapped.addr, false),
	     "the client is not global unicast: peers refuse the address");
	note(n, !mapped.port, "the port is 0: peers refuse the address");
	note(n, flags & TEREDO_FLAG_CONE,
	     "C is set: an address from before RFC 5991, or not one");
	note(n, flags & TEREDO_FLAG_RESERVED, "z is set: it is reserved");
	note(n, flags & TEREDO_FLAG_UG, "U or G is set: both should be 0");
}

static void prefix_text(const struct teredo_addr *ta, char *buf, size_t size)
{
	struct in6_addr prefix = {};

	memcpy(&prefix, &ta->prefix, sizeof(ta->prefix));
	snprintf(buf, size, "%s/32", ipv6_text(&prefix));
}

static int print_json(const struct in6_addr *addr)
{
	const struct teredo_addr *ta = teredo_addr(addr);
	struct teredo_ep mapped = teredo_mapped(addr);
	uint16_t flags = ntohs(ta->flags);
	json_t *texts = json_list();
	json_t *j = json_new();
	struct notes notes;
	char prefix[64];
	char hex[8];
	unsigned int i;

	prefix_text(ta, prefix, sizeof(prefix));
	snprintf(hex, sizeof(hex), "0x%04x", flags);
	find_notes(&notes, addr);
	for (i = 0; i < notes.count; i++)
		json_append(texts, json_string(notes.text[i]));

	json_add(j, "address", json_string(ipv6_text(addr)));
	json_add(j, "prefix", json_string(prefix));
	json_add(j, "server", json_string(ipv4_text(ta->server)));
	json_add(j, "flags", json_string(hex));
	json_add(j, "cone", json_boolean(flags & TEREDO_FLAG_CONE));
	json_add(j, "port", json_integer(ntohs(mapped.port)));
	json_add(j, "client", json_string(ipv4_text(mapped.addr)));
	json_add(j, "notes", texts);
	return json_print(j);
}

static void print_flags(uint16_t flags)
{
	printf("flags    0x%04x\n", flags);
	printf("  C      %u       cone NAT; always 0 since RFC 5991\n",
	       flags >> 15);
	printf("  z      %u       reserved\n", flags >> 14 & 1);
	printf("  R1     0x%x     random\n", flags >> 10 & 0xf);
	printf("  U      %u       universal/local\n", flags >> 9 & 1);
	printf("  G      %u       individual/group\n", flags >> 8 & 1);
	printf("  R2     0x%02x    random\n", flags & 0xff);
}

static void print_text(const struct in6_addr *addr)
{
	const struct teredo_addr *ta = teredo_addr(addr);
	struct teredo_ep mapped = teredo_mapped(addr);
	struct notes notes;
	char prefix[64];
	unsigned int i;

	prefix_text(ta, prefix, sizeof(prefix));
	printf("address  %s\n", ipv6_text(addr));
	printf("prefix   %s\n", prefix);
	printf("server   %s\n", ipv4_text(ta->server));
	print_flags(ntohs(ta->flags));
	printf("port     %u (0x%04x inverted)\n", ntohs(mapped.port),
	       ntohs(ta->port));
	printf("client   %s (0x%08x inverted)\n", ipv4_text(mapped.addr),
	       ntohl(ta->client));
	find_notes(&notes, addr);
	for (i = 0; i < notes.count; i++)
		printf("note     %s\n", notes.text[i]);
}

int cmd_decode(int argc, char **argv)
{
	struct in6_addr addr;

	if (argc != 1)
		return bad_usage("decode takes one IPv6 address");
	if (inet_pton(AF_INET6, argv[0], &addr) != 1)
		return bad_usage("\"%s\" is not an IPv6 address", argv[0]);
	if (json_wanted)
		return print_json(&addr);
	print_text(&addr);
	return CTL_OK;
}

/* The parts that encode collects */
struct parts {
	__be32		prefix;
	struct in_addr	server;
	uint16_t	flags;
	struct teredo_ep client;
};

static bool parse_number(const char *arg, unsigned long max,
			 unsigned long *value)
{
	char *end;

	if (*arg < '0' || *arg > '9')	/* no sign, no space */
		return false;
	errno = 0;
	*value = strtoul(arg, &end, 0);
	return !errno && !*end && *value <= max;
}

static int parse_server(struct parts *p, const char *arg)
{
	if (inet_pton(AF_INET, arg, &p->server) == 1)
		return CTL_OK;
	return bad_usage("server \"%s\" is not an IPv4 address", arg);
}

static int parse_client(struct parts *p, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char addr[INET_ADDRSTRLEN];
	unsigned long port;
	size_t len;

	len = colon ? (size_t)(colon - arg) : sizeof(addr);
	if (len >= sizeof(addr))
		goto wrong;
	memcpy(addr, arg, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, &p->client.addr) != 1 ||
	    !parse_number(colon + 1, 65535, &port) || !port)
		goto wrong;
	p->client.port = htons(port);
	return CTL_OK;

wrong:
	return bad_usage("client \"%s\" is not IPV4:PORT", arg);
}

static int parse_flags(struct parts *p, const char *arg)
{
	unsigned long flags;

	if (!parse_number(arg, 0xffff, &flags))
		return bad_usage("flags \"%s\" are not 0 to 0xffff", arg);
	p->flags = flags;
	return CTL_OK;
}

static int parse_prefix(struct parts *p, const char *arg)
{
	static const struct in6_addr zero;
	const char *slash = strchr(arg, '/');
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t len;

	len = slash ? (size_t)(slash - arg) : sizeof(text);
	if (len >= sizeof(text) || strcmp(slash, "/32"))
		goto wrong;
	memcpy(text, arg, len);
	text[len] = '\0';
	if (inet_pton(AF_INET6, text, &addr) != 1 ||
	    memcmp(&addr.s6_addr[4], &zero, 12))
		goto wrong;
	memcpy(&p->prefix, &addr, sizeof(p->prefix));
	return CTL_OK;

wrong:
	return bad_usage("prefix \"%s\" is not an IPv6 prefix of 32 bits", arg);
}

static const struct part {
	const char	*name;
	int		(*parse)(struct parts *p, const char *arg);
	bool		required;
} part_words[] = {
	{ "server", parse_server, true },
	{ "client", parse_client, true },
	{ "flags", parse_flags, false },
	{ "prefix", parse_prefix, false },
};

static int parse_part(struct parts *p, const char *word, const char *value,
		      unsigned int *seen)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(part_words); i++)
		if (!strcmp(word, part_words[i].name))
			break;
	if (i == ARRAY_SIZE(part_words))
		return bad_usage("encode has no word \"%s\"", word);
	if (*seen & 1 << i)
		return bad_usage("encode: %s is given twice", word);
	if (!value)
		return bad_usage("encode: %s needs a value", word);
	*seen |= 1 << i;
	return part_words[i].parse(p, value);
}

int cmd_encode(int argc, char **argv)
{
	struct parts p = { .prefix = htonl(TEREDO_PREFIX) };
	struct in6_addr addr;
	unsigned int seen = 0;
	unsigned int n;
	int i, status;

	for (i = 0; i < argc; i += 2) {
		status = parse_part(&p, argv[i],
				    i + 1 < argc ? argv[i + 1] : NULL, &seen);
		if (status)
			return status;
	}
	for (n = 0; n < ARRAY_SIZE(part_words); n++)
		if (part_words[n].required && !(seen & 1 << n))
			return bad_usage("encode needs %s", part_words[n].name);

	teredo_make_addr(&addr, p.prefix, p.server.s_addr, p.flags, p.client);
	if (json_wanted)
		return print_json(&addr);
	puts(ipv6_text(&addr));
	return CTL_OK;
}
