/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The servers of a client: which there are, and whose turn it is (CL-Q-27,
 * CL-Q-39)
 */
#ifndef _TEREDOD_SERVERS_H
#define _TEREDOD_SERVERS_H

#include <stdbool.h>
#include <linux/types.h>

#include "teredod_resolve.h"

#define SERVERS_MAX	RESOLVE_MAX

/**
 * struct teredod_underlay - how IPv4 packets to the server leave the host
 * @known: there is a socket in the underlay's network namespace to ask
 * @reachable: there is a route
 * @source: preferred source address
 * @gateway: next hop, 0 if the server is on the link
 * @ifindex: interface
 * @mtu: its MTU, 0 if that is not known
 */
struct teredod_underlay {
	bool	known;
	bool	reachable;
	__be32	source;
	__be32	gateway;
	__u32	ifindex;
	__u32	mtu;
};

/**
 * struct server - an address to qualify with
 * @primary: where it is asked first
 * @secondary: its secondary address
 * @derived: the secondary is a guess, nobody named it (C-05)
 * @tried: has had its turn in this round
 * @way: route to it when it was tried, or else when the wait for the next
 *	attempt began
 */
struct server {
	__be32			primary;
	__be32			secondary;
	bool			derived;
	bool			tried;
	struct teredod_underlay	way;
};

/**
 * struct servers - all of them
 * @list: in the order of their turns
 * @n: how many
 * @current: index of the one in use
 * @set: all addresses that are configured, primary or secondary
 * @n_set: how many
 * @resolver: finds the addresses of names
 */
struct servers {
	struct server	list[SERVERS_MAX];
	unsigned int	n;
	unsigned int	current;
	__be32		set[SERVERS_MAX];
	unsigned int	n_set;
	struct resolver	resolver;
};

/* Is any configured? */
bool servers_configured(const struct teredod *t);

/* Does it take a name server to know their addresses? */
bool servers_have_names(const struct teredod *t);

/**
 * servers_find - look for the addresses of what is configured, all anew
 * @t: the helper
 *
 * Calls teredod_qual_servers(), at once if there are no names.
 */
void servers_find(struct teredod *t);
void servers_cancel(struct teredod *t);

/* The one in use; NULL while none is known */
const struct server *servers_current(const struct teredod *t);

/* Turns to the next one. False if all had their turn: a new round begins. */
bool servers_next(struct teredod *t);

/* Turns to the primary that a server named, if that had no turn yet */
bool servers_turn_to(struct teredod *t, __be32 primary);

/* Turns to the one that the device is qualified with, if it is configured */
bool servers_resume(struct teredod *t, __be32 primary);

/* The one in use is fine: whoever fails next, all the others have a turn */
void servers_new_round(struct teredod *t);

/* The only one: for want of an answer about those that are configured */
void servers_set(struct teredod *t, __be32 primary, __be32 secondary);

#endif /* _TEREDOD_SERVERS_H */
