// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl key: the keys of a server's clients
 *
 * Secrets come from standard input, so that they are in no list of processes
 * and no history of a shell; nothing here prints one.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/teredo.h>

#include "teredoctl.h"

#define ID_MAX		255
#define SECRET_MAX	1024

static const char *const algorithm_names[] = {
	[TEREDO_ALGORITHM_HMAC_SHA1] = "hmac-sha1",
	[TEREDO_ALGORITHM_HMAC_SHA256] = "hmac-sha256",
};

/* A client identifier: octets, which mostly are text */
struct ident {
	uint8_t		octets[ID_MAX];
	size_t		len;
};

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? at - digits : -1;
}

/* 0x and pairs of digits; what is not is text */
static bool ident_from_hex(struct ident *id, const char *text)
{
	size_t digits = strlen(text);
	size_t i;

	if (strncmp(text, "0x", 2) || digits < 4 || digits % 2 ||
	    digits / 2 - 1 > ID_MAX)
		return false;
	for (i = 2; i < digits; i++)
		if (hex_digit(text[i]) < 0)
			return false;
	id->len = digits / 2 - 1;
	for (i = 0; i < id->len; i++)
		id->octets[i] = hex_digit(text[2 * i + 2]) << 4 |
				hex_digit(text[2 * i + 3]);
	return true;
}

static bool parse_ident(struct ident *id, const char *text)
{
	if (ident_from_hex(id, text))
		return true;
	id->len = strlen(text);
	if (!id->len || id->len > ID_MAX) {
		bad_usage("an identifier has 1 to 255 octets");
		return false;
	}
	memcpy(id->octets, text, id->len);
	return true;
}

/* As it can be typed: text, or hex if it is none or could be taken for hex */
static void print_ident_to(char *buf, const struct ident *id)
{
	struct ident other;
	size_t i;

	for (i = 0; i < id->len && isgraph(id->octets[i]); i++)
		buf[i] = id->octets[i];
	buf[i] = '\0';
	if (i == id->len && !ident_from_hex(&other, buf))
		return;
	buf += sprintf(buf, "0x");
	for (i = 0; i < id->len; i++)
		buf += sprintf(buf, "%02x", id->octets[i]);
}

static bool parse_algorithm(uint32_t *algorithm, const char *text)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(algorithm_names); i++) {
		if (strcmp(text, algorithm_names[i]))
			continue;
		*algorithm = i;
		return true;
	}
	bad_usage("\"%s\" is neither hmac-sha1 nor hmac-sha256", text);
	return false;
}

/* All of standard input but one newline at its end */
static int read_secret(char *secret, size_t *len)
{
	size_t got;

	if (isatty(STDIN_FILENO))
		return bad_usage("the secret comes from standard input, which is a terminal here");
	setvbuf(stdin, NULL, _IONBF, 0);	/* no other copy */
	got = fread(secret, 1, SECRET_MAX + 2, stdin);
	if (ferror(stdin))
		return failed("cannot read the secret: %m");
	if (got && secret[got - 1] == '\n')
		got--;
	if (!got)
		return failed("the secret on standard input is empty");
	if (got > SECRET_MAX)
		return failed("the secret on standard input has more than %d octets",
			      SECRET_MAX);
	*len = got;
	return CTL_OK;
}

static int start(struct genl *g, const char *dev, struct nlmsghdr **nlh,
		 uint8_t cmd, const struct ident *id)
{
	uint32_t ifindex;

	if (!valid_ifname(dev))
		return CTL_USAGE;
	ifindex = ifindex_of(dev);
	if (!ifindex)
		return CTL_FAILED;
	if (genl_open(g))
		return failed("%s", g->error);
	*nlh = genl_request(g, cmd);
	mnl_attr_put_u32(*nlh, TEREDO_A_KEY_IFINDEX, ifindex);
	if (id)
		mnl_attr_put(*nlh, TEREDO_A_KEY_IDENTIFIER, id->len,
			     id->octets);
	return CTL_OK;
}

static int end(struct genl *g, const char *dev, struct nlmsghdr *nlh)
{
	int status = CTL_OK;

	if (genl_do(g, nlh, NULL, NULL))
		status = failed("%s: %s", dev, g->error);
	explicit_bzero(g->txbuf, sizeof(g->txbuf));
	return status;
}

static int send_key(struct genl *g, const char *dev, const struct ident *id,
		    uint32_t algorithm, const char *secret, size_t len)
{
	struct nlmsghdr *nlh;
	int status;

	status = start(g, dev, &nlh, TEREDO_CMD_KEY_SET, id);
	if (status)
		return status;
	mnl_attr_put_u32(nlh, TEREDO_A_KEY_ALGORITHM, algorithm);
	mnl_attr_put(nlh, TEREDO_A_KEY_SECRET, len, secret);
	return end(g, dev, nlh);
}

static int key_set(int argc, char **argv)
{
	uint32_t algorithm = TEREDO_ALGORITHM_HMAC_SHA1;
	char secret[SECRET_MAX + 2];
	struct genl g = {};
	struct ident id;
	size_t len = 0;
	int status;

	if (argc < 2 || argc > 3)
		return bad_usage("key set DEV ID [ALG] < FILE");
	if (!parse_ident(&id, argv[1]) ||
	    (argc > 2 && !parse_algorithm(&algorithm, argv[2])))
		return CTL_USAGE;
	status = read_secret(secret, &len);
	if (!status) {
		status = send_key(&g, argv[0], &id, algorithm, secret, len);
		genl_close(&g);
	}
	explicit_bzero(secret, sizeof(secret));
	return status;
}

static int key_expire(int argc, char **argv)
{
	struct nlmsghdr *nlh;
	struct genl g = {};
	struct ident id;
	int status;

	if (argc != 2)
		return bad_usage("key expire DEV ID");
	if (!parse_ident(&id, argv[1]))
		return CTL_USAGE;
	status = start(&g, argv[0], &nlh, TEREDO_CMD_KEY_SET, &id);
	if (!status) {
		mnl_attr_put_u8(nlh, TEREDO_A_KEY_CONFIRM, 1);
		status = end(&g, argv[0], nlh);
	}
	genl_close(&g);
	return status;
}

static int key_del(int argc, char **argv)
{
	struct nlmsghdr *nlh;
	struct genl g = {};
	struct ident id;
	int status;

	if (argc != 2)
		return bad_usage("key del DEV ID");
	if (!parse_ident(&id, argv[1]))
		return CTL_USAGE;
	status = start(&g, argv[0], &nlh, TEREDO_CMD_KEY_DEL, &id);
	if (!status)
		status = end(&g, argv[0], nlh);
	genl_close(&g);
	return status;
}

struct key {
	char		ident[2 + 2 * ID_MAX + 1];
	const char	*algorithm;
	uint8_t		confirm;
};

struct keys {
	struct key	*list;
	size_t		count;
};

static int got_key(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_KEY_MAX + 1];
	const struct nlattr *attr;
	struct keys *ks = arg;
	struct ident id;
	struct key *k;

	genl_parse(nlh, tb, TEREDO_A_KEY_MAX);
	attr = tb[TEREDO_A_KEY_IDENTIFIER];
	if (!attr || mnl_attr_get_payload_len(attr) > ID_MAX)
		return -EBADMSG;
	k = realloc(ks->list, (ks->count + 1) * sizeof(*k));
	if (!k)
		return -ENOMEM;
	ks->list = k;
	k += ks->count++;
	id.len = mnl_attr_get_payload_len(attr);
	memcpy(id.octets, mnl_attr_get_payload(attr), id.len);
	print_ident_to(k->ident, &id);
	k->algorithm = enum_text(algorithm_names, ARRAY_SIZE(algorithm_names),
				 tb[TEREDO_A_KEY_ALGORITHM]);
	attr = tb[TEREDO_A_KEY_CONFIRM];
	k->confirm = attr ? mnl_attr_get_u8(attr) : 0;
	return 0;
}

/* The kernel's order tells nothing */
static int compare(const void *a, const void *b)
{
	const struct key *ka = a;
	const struct key *kb = b;

	return strcmp(ka->ident, kb->ident);
}

static int show_json(const char *dev, const struct keys *ks)
{
	json_t *list = json_list();
	json_t *j;
	size_t i;

	for (i = 0; i < ks->count; i++) {
		j = json_new();
		json_add(j, "ifname", json_name(dev));
		json_add(j, "identifier", json_string(ks->list[i].ident));
		json_add(j, "algorithm", json_string(ks->list[i].algorithm));
		json_add(j, "confirm", json_integer(ks->list[i].confirm));
		json_append(list, j);
	}
	return json_print(list);
}

static int show(const struct keys *ks)
{
	const struct key *k = ks->list;
	size_t i;

	if (!ks->count) {
		puts("no keys");
		return CTL_OK;
	}
	printf("%-11s %-8s %s\n", "ALGORITHM", "KEY", "IDENTIFIER");
	for (i = 0; i < ks->count; i++, k++)
		printf("%-11s %-8s %s\n", k->algorithm,
		       k->confirm ? "expires" : "valid", k->ident);
	return CTL_OK;
}

static int key_list(int argc, char **argv)
{
	struct nlmsghdr *nlh;
	struct keys ks = {};
	struct genl g = {};
	int status;

	if (argc != 1)
		return bad_usage("key list DEV");
	status = start(&g, argv[0], &nlh, TEREDO_CMD_KEY_GET, NULL);
	if (!status && dump(&g, nlh, got_key, &ks))
		status = failed("%s: %s", argv[0], g.error);
	genl_close(&g);
	if (!status) {
		if (ks.count)
			qsort(ks.list, ks.count, sizeof(*ks.list), compare);
		status = json_wanted ? show_json(argv[0], &ks) : show(&ks);
	}
	free(ks.list);
	return status;
}

int cmd_key(int argc, char **argv)
{
	static const struct {
		const char	*name;
		int		(*run)(int argc, char **argv);
	} verbs[] = {
		{ "set", key_set },
		{ "expire", key_expire },
		{ "del", key_del },
		{ "list", key_list },
	};
	size_t i;

	for (i = 0; argc && i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[0], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	return bad_usage("key set, key expire, key del or key list");
}
