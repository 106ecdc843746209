// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4 addresses of names
 *
 * The C library waits for name servers, so it does that in a process for each
 * name: the helper goes on, no name waits for another, a process can be ended
 * at any time, and it can be in another network namespace and see another
 * resolv.conf there.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "teredod_resolve.h"

#define LIMIT_MS	30000

_Static_assert(sizeof(struct answer) <= PIPE_BUF, "comes in one piece");

/* What `ip netns exec` does */
static void use_resolv_conf(const char *path)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("", "/", "none", MS_SLAVE | MS_REC, NULL) == 0)
		mount(path, "/etc/resolv.conf", "none", MS_BIND, NULL);
}

static void look_up(const char *name, struct answer *a)
{
	const struct addrinfo hints = {
		.ai_family = AF_INET,
		.ai_socktype = SOCK_DGRAM,
	};
	const struct addrinfo *ai;
	struct addrinfo *list;
	int err;

	err = getaddrinfo(name, NULL, &hints, &list);
	if (err) {
		snprintf(a->error, sizeof(a->error), "%.80s: %s", name,
			 gai_strerror(err));
		return;
	}
	for (ai = list; ai && a->n < RESOLVE_MAX; ai = ai->ai_next) {
		const struct sockaddr_in *sin = (void *)ai->ai_addr;

		a->addr[a->n++] = sin->sin_addr.s_addr;
	}
	freeaddrinfo(list);
}

/* The process of one name */
__attribute__((noreturn))
static void child(const struct resolver *r, const char *name, __u32 index)
{
	struct answer a = { .name = index };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (r->netns >= 0 && setns(r->netns, CLONE_NEWNET) < 0)
		snprintf(a.error, sizeof(a.error), "network namespace: %s",
			 strerror(errno));
	else if (r->resolv_conf[0])
		use_resolv_conf(r->resolv_conf);
	/* above all the socket that holds the device */
	if (dup2(r->fds[1], 3) < 0 || close_range(4, ~0U, 0) < 0)
		_exit(1);
	if (!a.error[0])
		look_up(name, &a);
	if (write(3, &a, sizeof(a)) != sizeof(a))
		_exit(1);
	_exit(0);
}

static void end(struct resolver *r)
{
	struct answer a;
	unsigned int i;

	if (!r->n)	/* or not open yet */
		return;
	for (i = 0; i < r->n; i++) {
		kill(r->child[i], SIGKILL);
		waitpid(r->child[i], NULL, 0);
	}
	r->n = 0;
	uv_timer_stop(&r->limit);
	/* it may have been quicker */
	while (read(r->fds[0], &a, sizeof(a)) > 0)
		;
}

/* What a name may have at most, so that none is left without */
static unsigned int share(const struct resolver *r)
{
	unsigned int most = RESOLVE_MAX;
	unsigned int i, n;

	for (;; most--) {
		for (n = 0, i = 0; i < r->n; i++)
			n += r->answers[i].n < most ? r->answers[i].n : most;
		if (n <= RESOLVE_MAX)
			return most;
	}
}

/* In the order of the names, whatever came first */
static void finish(struct resolver *r)
{
	struct resolved list[RESOLVE_MAX];
	unsigned int most = share(r);
	const char *error = "";
	unsigned int n = 0;
	unsigned int i, j;

	for (i = 0; i < r->n; i++) {
		const struct answer *a = &r->answers[i];

		if (!*error)
			error = a->error;
		for (j = 0; j < a->n && j < most; j++) {
			list[n].name = i;
			list[n++].addr = a->addr[j];
		}
	}
	end(r);
	r->done(r->t, list, n, error);
}

static void answered(uv_poll_t *poll, int status, int events)
{
	struct resolver *r = poll->data;
	struct answer a;

	(void)status;
	(void)events;
	if (read(r->fds[0], &a, sizeof(a)) != sizeof(a) || a.name >= r->n)
		return;
	r->answers[a.name] = a;
	if (!--r->waiting)
		finish(r);
}

/* Those that are known do */
static void timed_out(uv_timer_t *limit)
{
	finish(limit->data);
}

int resolver_start(struct resolver *r, const char *const *names,
		   unsigned int n, resolve_cb done)
{
	pid_t pid;
	int err;

	end(r);
	r->done = done;
	for (; r->n < n; r->n++) {
		pid = fork();
		if (pid < 0) {
			err = -errno;
			end(r);
			return err;
		}
		if (!pid)
			child(r, names[r->n], r->n);
		r->child[r->n] = pid;
		r->answers[r->n].n = 0;
		snprintf(r->answers[r->n].error, sizeof(r->answers[0].error),
			 "the name servers do not answer");
	}
	r->waiting = n;
	return uv_timer_start(&r->limit, timed_out, LIMIT_MS, 0);
}

void resolver_cancel(struct resolver *r)
{
	end(r);
}

int resolver_open(struct teredod *t, uv_loop_t *loop, struct resolver *r,
		  const char *netns, int fd)
{
	int err;

	r->t = t;
	r->netns = fd;
	if (netns && !strchr(netns, '/'))
		snprintf(r->resolv_conf, sizeof(r->resolv_conf),
			 "/etc/netns/%s/resolv.conf", netns);
	if (access(r->resolv_conf, R_OK) < 0)
		r->resolv_conf[0] = '\0';
	if (pipe2(r->fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	err = uv_timer_init(loop, &r->limit);
	if (err < 0)
		return err;
	r->limit.data = r;
	err = uv_poll_init(loop, &r->poll, r->fds[0]);
	if (err < 0)
		return err;
	r->poll.data = r;
	return uv_poll_start(&r->poll, UV_READABLE, answered);
}

void resolver_close(struct resolver *r)
{
	int i;

	for (i = 0; i < 2; i++)
		if (r->fds[i] >= 0)
			close(r->fds[i]);
}
