/* SPDX-License-Identifier: GPL-2.0 */
/*
 * teredoctl: what its verbs share
 */
#ifndef _TEREDOCTL_H
#define _TEREDOCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <netinet/in.h>

#include "genl.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit statuses */
#define CTL_OK		0
#define CTL_FAILED	1
#define CTL_USAGE	2

/**
 * struct verb - a command of teredoctl
 * @name: what is typed
 * @args: what may follow, for --help
 * @help: one line for --help
 * @run: gets what follows the verb, returns an exit status
 */
struct verb {
	const char	*name;
	const char	*args;
	const char	*help;
	int		(*run)(int argc, char **argv);
};

extern bool json_wanted;	/* -j */

int cmd_status(int argc, char **argv);
int cmd_peers(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_decode(int argc, char **argv);
int cmd_encode(int argc, char **argv);

/* Complains on standard error, returns CTL_FAILED or CTL_USAGE */
int failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int bad_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* genl_dump(), with a warning if the list changed meanwhile */
int dump(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg);

/* Text of an address; valid until the fourth call after this one */
const char *ipv4_text(__be32 addr);
const char *ipv6_text(const struct in6_addr *addr);
const char *endpoint_text(__be32 addr, __be16 port);

/* Text for a number of an enumeration; "unknown" beyond its end, which only a
 * newer kernel knows
 */
const char *enum_text(const char *const *names, size_t count,
		      const struct nlattr *attr);

/* JSON of an attribute, null where it is absent */
json_t *json_ipv4(const struct nlattr *attr);
json_t *json_ipv6(const struct nlattr *attr);
json_t *json_text(const struct nlattr *attr);	/* as json_name() */
json_t *json_endpoint(const struct nlattr *addr, const struct nlattr *port);

/* A name that somebody has given: null if it is empty or not UTF-8, which JSON
 * cannot hold
 */
json_t *json_name(const char *name);

/* Builds JSON. A value is taken over; NULL, what jansson makes of a lack of
 * memory, ends the program.
 */
json_t *json_new(void);
json_t *json_list(void);
void json_add(json_t *object, const char *key, json_t *value);
void json_append(json_t *list, json_t *value);

/* Prints and releases a JSON value, returns an exit status */
int json_print(json_t *json);

/* 0 where the attribute is absent */
uint16_t attr_u16(const struct nlattr *attr);
uint32_t attr_u32(const struct nlattr *attr);
uint64_t attr_u64(const struct nlattr *attr);

/* Name and explanation of a counter, NULL if there is none of that number */
const char *stats_name(unsigned int attr);
const char *stats_help(unsigned int attr);

/* A name that can be one of an interface; complains if not */
bool valid_ifname(const char *name);

/* Complains and returns 0 if there is no such device; whether it is a Teredo
 * one is for the kernel to say
 */
uint32_t ifindex_of(const char *dev);

#endif /* _TEREDOCTL_H */
