// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl: messages, text and JSON of single values
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "teredoctl.h"

static void complain(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("teredoctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CTL_FAILED;
}

int bad_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CTL_USAGE;
}

int dump(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg)
{
	int err = genl_dump(g, nlh, cb, arg);

	if (!err && g->interrupted)
		failed("the list changed meanwhile, it may be incomplete");
	return err;
}

#define TEXT_SIZE	64

static char *text_buffer(void)
{
	static char buffers[4][TEXT_SIZE];
	static unsigned int next;

	return buffers[next++ % ARRAY_SIZE(buffers)];
}

const char *ipv4_text(__be32 addr)
{
	return inet_ntop(AF_INET, &addr, text_buffer(), TEXT_SIZE);
}

const char *ipv6_text(const struct in6_addr *addr)
{
	return inet_ntop(AF_INET6, addr, text_buffer(), TEXT_SIZE);
}

const char *endpoint_text(__be32 addr, __be16 port)
{
	char *buf = text_buffer();
	size_t len;

	inet_ntop(AF_INET, &addr, buf, TEXT_SIZE);
	len = strlen(buf);
	snprintf(buf + len, TEXT_SIZE - len, ":%u", ntohs(port));
	return buf;
}

uint16_t attr_u16(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u16(attr) : 0;
}

uint32_t attr_u32(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : 0;
}

uint64_t attr_u64(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u64(attr) : 0;
}

const char *enum_text(const char *const *names, size_t count,
		      const struct nlattr *attr)
{
	uint32_t v = attr_u32(attr);

	return attr && v < count ? names[v] : "unknown";
}

json_t *json_ipv4(const struct nlattr *attr)
{
	uint32_t addr = attr_u32(attr);

	return addr ? json_string(ipv4_text(addr)) : json_null();
}

json_t *json_ipv6(const struct nlattr *attr)
{
	if (!attr)
		return json_null();
	return json_string(ipv6_text(mnl_attr_get_payload(attr)));
}

/* jansson gives NULL when there is no memory */
static json_t *have(json_t *json)
{
	if (!json)
		exit(failed("out of memory"));
	return json;
}

json_t *json_new(void)
{
	return have(json_object());
}

json_t *json_list(void)
{
	return have(json_array());
}

void json_add(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, have(value)))
		have(NULL);
}

void json_append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, have(value)))
		have(NULL);
}

json_t *json_name(const char *name)
{
	json_t *text = *name ? json_string(name) : NULL;

	return text ? text : json_null();
}

json_t *json_text(const struct nlattr *attr)
{
	return json_name(attr ? mnl_attr_get_str(attr) : "");
}

json_t *json_endpoint(const struct nlattr *addr, const struct nlattr *port)
{
	json_t *j;

	if (!addr || !port)
		return json_null();
	j = json_new();
	json_add(j, "address", json_ipv4(addr));
	json_add(j, "port", json_integer(ntohs(attr_u16(port))));
	return j;
}

int json_print(json_t *json)
{
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
	int err;

	err = json_dumpf(json, stdout, flags);
	json_decref(json);
	putchar('\n');
	return err ? CTL_FAILED : CTL_OK;
}

bool valid_ifname(const char *name)
{
	if (*name && strlen(name) < IFNAMSIZ && !strchr(name, '/'))
		return true;
	bad_usage("\"%s\" is not the name of a device", name);
	return false;
}

uint32_t ifindex_of(const char *dev)
{
	uint32_t ifindex = if_nametoindex(dev);

	if (!ifindex)
		failed("no device \"%s\" in this network namespace", dev);
	return ifindex;
}
