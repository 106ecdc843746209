// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: the servers of a client
 *
 * They are the device's own one, or those of the configuration file, which may
 * be names with several addresses each. Such a name lists primary and secondary
 * addresses together, in no order (RFC 7123 section 3.6): of two consecutive
 * addresses the higher is taken for the secondary of the lower, and if that is
 * wrong the server's prefix tells (CL-Q-39).
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "teredod.h"
#include "teredod_text.h"

static __be32 following(__be32 addr)
{
	return cpu_to_be32(be32_to_cpu(addr) + 1);
}

static bool is_address(const char *name, __be32 *addr)
{
	return inet_pton(AF_INET, name, addr) == 1;
}

bool servers_configured(const struct teredod *t)
{
	return t->options.n_servers || t->link.conf.server;
}

bool servers_have_names(const struct teredod *t)
{
	const struct options *o = &t->options;
	unsigned int i;
	__be32 addr;

	for (i = 0; i < o->n_servers; i++)
		if (!is_address(o->servers[i], &addr))
			return true;
	return o->secondary[0] && !is_address(o->secondary, &addr);
}

const struct server *servers_current(const struct teredod *t)
{
	return t->servers.n ? &t->servers.list[t->servers.current] : NULL;
}

static struct server *find(struct servers *s, __be32 primary)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->list[i].primary == primary)
			return &s->list[i];
	return NULL;
}

static struct server *add(struct servers *s, __be32 primary, __be32 secondary)
{
	struct server *server = find(s, primary);

	if (server || s->n == SERVERS_MAX)
		return server;
	server = &s->list[s->n++];
	*server = (struct server){
		.primary = primary,
		.secondary = secondary ? secondary : following(primary),
		.derived = !secondary,
	};
	return server;
}

static bool in_set(const struct servers *s, __be32 addr)
{
	unsigned int i;

	for (i = 0; i < s->n_set; i++)
		if (s->set[i] == addr)
			return true;
	return false;
}

/* In a run of consecutive addresses every second one is a secondary */
static bool is_secondary(const struct servers *s, __be32 addr)
{
	__u32 before = be32_to_cpu(addr) - 1;
	unsigned int n = 0;

	while (in_set(s, cpu_to_be32(before - n)))
		n++;
	return n & 1;
}

/* Sorts primary from secondary addresses. A @secondary that was named is the
 * one of all, and never a primary.
 */
static void sort_set(struct servers *s, __be32 secondary)
{
	unsigned int i;

	for (i = 0; i < s->n_set; i++) {
		if (secondary && s->set[i] != secondary)
			add(s, s->set[i], secondary);
		else if (!secondary && !is_secondary(s, s->set[i]))
			add(s, s->set[i], 0);
	}
}

static void add_to_set(struct servers *s, __be32 addr)
{
	if (!in_set(s, addr) && s->n_set < SERVERS_MAX)
		s->set[s->n_set++] = addr;
}

static void clear(struct servers *s)
{
	s->n = 0;
	s->n_set = 0;
	s->current = 0;
}

static bool is_fit(struct teredod *t, __be32 addr)
{
	if (teredo_ipv4_global(addr, t->link.conf.private_ok))
		return true;
	teredod_log(t, LOG_WARNING, "no server can be at %s",
		    ip4_text(addr).s);
	return false;
}

/* The secondary comes after the servers */
static void resolved(struct teredod *t, const struct resolved *list,
		     unsigned int n, const char *error)
{
	struct servers *s = &t->servers;
	__be32 secondary = 0;
	unsigned int i;

	clear(s);
	for (i = 0; i < n; i++) {
		if (!is_fit(t, list[i].addr))
			continue;
		if (list[i].name < t->options.n_servers)
			add_to_set(s, list[i].addr);
		else if (!secondary)
			secondary = list[i].addr;
	}
	sort_set(s, secondary);
	if (t->options.secondary[0] && !secondary)
		s->n = 0;
	if (!s->n && !*error)
		error = "no address of a server is fit for one";
	teredod_qual_servers(t, s->n ? NULL : error);
}

void servers_find(struct teredod *t)
{
	const char *names[OPTIONS_SERVERS + 1];
	const struct teredod_conf *c = &t->link.conf;
	const struct options *o = &t->options;
	struct resolved list[RESOLVE_NAMES];
	struct servers *s = &t->servers;
	unsigned int i, n;

	if (!o->n_servers) {
		clear(s);
		add(s, c->server, c->secondary);
		teredod_qual_servers(t, NULL);
		return;
	}
	for (n = 0; n < o->n_servers; n++)
		names[n] = o->servers[n];
	if (o->secondary[0])
		names[n++] = o->secondary;
	if (servers_have_names(t)) {
		if (resolver_start(&s->resolver, names, n, resolved) < 0)
			resolved(t, NULL, 0, "no process to ask with");
		return;
	}
	for (i = 0; i < n; i++) {
		list[i].name = i;
		is_address(names[i], &list[i].addr);
	}
	resolved(t, list, n, "");
}

void servers_cancel(struct teredod *t)
{
	resolver_cancel(&t->servers.resolver);
}

void servers_new_round(struct teredod *t)
{
	unsigned int i;

	for (i = 0; i < t->servers.n; i++)
		t->servers.list[i].tried = false;
}

bool servers_next(struct teredod *t)
{
	struct servers *s = &t->servers;
	unsigned int i;

	s->list[s->current].tried = true;
	for (i = 1; i < s->n; i++) {
		unsigned int next = (s->current + i) % s->n;

		if (!s->list[next].tried) {
			s->current = next;
			return true;
		}
	}
	servers_new_round(t);
	return false;
}

/* What answered in its name is its secondary, as far as one can tell */
bool servers_turn_to(struct teredod *t, __be32 primary)
{
	struct servers *s = &t->servers;
	struct server *asked = &s->list[s->current];
	struct server *named;

	if (!in_set(s, primary))
		return false;
	named = find(s, primary);
	if (!named) {
		named = add(s, primary, asked->primary);
		if (!named)
			return false;
		named->derived = true;
	}
	if (named->tried || named == asked)
		return false;
	asked->tried = true;
	s->current = named - s->list;
	return true;
}

bool servers_resume(struct teredod *t, __be32 primary)
{
	const struct server *server = find(&t->servers, primary);

	if (!server)
		return false;
	t->servers.current = server - t->servers.list;
	return true;
}

void servers_set(struct teredod *t, __be32 primary, __be32 secondary)
{
	clear(&t->servers);
	add(&t->servers, primary, secondary);
}
