// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4 addresses of names
 *
 * The C library waits for name servers, so it does that in a process of its
 * own: the helper goes on, a process can be ended at any time, and it can be in
 * another network namespace and see another resolv.conf there.
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

/* struct answer - what the child writes, at once */
struct answer {
	unsigned int	n;
	struct resolved	list[RESOLVE_MAX];
	char		error[128];
};

/* What `ip netns exec` does */
static void use_resolv_conf(const char *path)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("", "/", "none", MS_SLAVE | MS_REC, NULL) == 0)
		mount(path, "/etc/resolv.conf", "none", MS_BIND, NULL);
}

static void look_up(const char *name, __u32 index, struct answer *a)
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

		a->list[a->n].name = index;
		a->list[a->n++].addr = sin->sin_addr.s_addr;
	}
	freeaddrinfo(list);
}

__attribute__((noreturn))
static void child(const struct resolver *r, const char *const *names,
		  unsigned int n)
{
	struct answer a = { .n = 0 };
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (r->netns >= 0 && setns(r->netns, CLONE_NEWNET) < 0)
		_exit(1);
	if (r->resolv_conf[0])
		use_resolv_conf(r->resolv_conf);
	/* above all the socket that holds the device */
	if (dup2(r->fds[1], 3) < 0 || close_range(4, ~0U, 0) < 0)
		_exit(1);
	for (i = 0; i < n; i++)
		look_up(names[i], i, &a);
	if (write(3, &a, sizeof(a)) != sizeof(a))
		_exit(1);
	_exit(0);
}

static void end(struct resolver *r)
{
	struct answer a;

	if (!r->child)
		return;
	kill(r->child, SIGKILL);
	waitpid(r->child, NULL, 0);
	r->child = 0;
	uv_timer_stop(&r->limit);
	/* it may have been quicker */
	while (read(r->fds[0], &a, sizeof(a)) > 0)
		;
}

static void answered(uv_poll_t *poll, int status, int events)
{
	struct resolver *r = poll->data;
	struct answer a;

	(void)status;
	(void)events;
	if (read(r->fds[0], &a, sizeof(a)) != sizeof(a))
		return;
	end(r);
	r->done(r->t, a.list, a.n, a.error);
}

static void timed_out(uv_timer_t *limit)
{
	struct resolver *r = limit->data;

	end(r);
	r->done(r->t, NULL, 0, "the name servers do not answer");
}

int resolver_start(struct resolver *r, const char *const *names,
		   unsigned int n, resolve_cb done)
{
	pid_t pid;

	end(r);
	r->done = done;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child(r, names, n);
	r->child = pid;
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
