/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IPv4 addresses of names, asked for in the underlay's network namespace
 */
#ifndef _TEREDOD_RESOLVE_H
#define _TEREDOD_RESOLVE_H

#include <limits.h>
#include <sys/types.h>
#include <uv.h>
#include <linux/types.h>

struct teredod;

#define RESOLVE_NAMES	17
#define RESOLVE_MAX	32	/* addresses, of one name or of all */

/* struct resolved - an address of a name */
struct resolved {
	__u32	name;		/* index of the name */
	__be32	addr;
};

/* struct answer - what a name's process has found, or why it has not */
struct answer {
	__u32		name;
	unsigned int	n;
	__be32		addr[RESOLVE_MAX];
	char		error[128];
};

/* Gets @n addresses; with 0, @error says why */
typedef void (*resolve_cb)(struct teredod *t, const struct resolved *list,
			   unsigned int n, const char *error);

/**
 * struct resolver - asks for one list of names at a time
 * @t: the helper
 * @done: gets the answer
 * @netns: of the underlay, -1 if it is the helper's own
 * @resolv_conf: resolv.conf of that namespace, empty if it has none
 * @n: names that are asked for, 0 if nothing is
 * @waiting: of which so many have no answer yet
 * @child: a process for each, that waits for it
 * @answers: of each
 * @fds: pipe from them
 * @poll: waits for @fds[0]
 * @limit: how long that may take; then what is known counts
 */
struct resolver {
	struct teredod	*t;
	resolve_cb	done;
	int		netns;
	char		resolv_conf[PATH_MAX];
	unsigned int	n;
	unsigned int	waiting;
	pid_t		child[RESOLVE_NAMES];
	struct answer	answers[RESOLVE_NAMES];
	int		fds[2];
	uv_poll_t	poll;
	uv_timer_t	limit;
};

/* 0 or a negative errno. The loop closes what it knows of it; resolver_close()
 * comes after that, and may come without an open if @fds are -1.
 * @netns: name of the network namespace, or NULL; @fd: what it refers to
 */
int resolver_open(struct teredod *t, uv_loop_t *loop, struct resolver *r,
		  const char *netns, int fd);
void resolver_close(struct resolver *r);

/* 0 or a negative errno; @done is called later, unless it is cancelled */
int resolver_start(struct resolver *r, const char *const *names,
		   unsigned int n, resolve_cb done);
void resolver_cancel(struct resolver *r);

#endif /* _TEREDOD_RESOLVE_H */
