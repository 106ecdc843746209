// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "teredo" for the tools, on top of libmnl
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/teredo.h>

#include "genl.h"

#define RXBUF_SIZE	32768	/* what the kernel fills at most for a dump */

/* A request that waits for its answer */
struct genl_wait {
	genl_cb		cb;
	void		*arg;
	uint32_t	seq;
	int		result;
	bool		done;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct genl *g, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->error, sizeof(g->error), fmt, ap);
	va_end(ap);
	return err;
}

static void parse_attr(const struct nlattr *attr, struct nlattr **tb,
		       size_t max)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= max)
		tb[type] = (struct nlattr *)attr;
}

void genl_parse(const struct nlmsghdr *nlh, struct nlattr **tb, size_t max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		parse_attr(attr, tb, max);
}

void genl_parse_nested(const struct nlattr *nest, struct nlattr **tb,
		       size_t max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	mnl_attr_for_each_nested(attr, nest)
		parse_attr(attr, tb, max);
}

/* Reads one datagram from the kernel, and from nobody else */
static ssize_t receive(struct genl *g, char *buf, size_t size, int flags)
{
	struct sockaddr_nl from = {};
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t len;

	do {
		len = recvmsg(mnl_socket_get_fd(g->nl), &msg, flags);
	} while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid));
	if (len < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC)
		return -ENOSPC;
	return len;
}

static struct nlmsghdr *start_request(struct genl *g, uint16_t family,
				      uint8_t cmd, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(g->txbuf);
	struct genlmsghdr *gnlh;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	gnlh = mnl_nlmsg_put_extra_header(nlh, sizeof(*gnlh));
	gnlh->cmd = cmd;
	gnlh->version = version;
	return nlh;
}

struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd)
{
	return start_request(g, g->family, cmd, TEREDO_FAMILY_VERSION);
}

/* The attributes behind an error (extack) start after the request that the
 * kernel quotes, which is its header alone if the answer is capped.
 */
static const struct nlattr *extack_attr(const struct nlmsghdr *nlh, size_t off,
					uint16_t type)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    nlh->nlmsg_len < NLMSG_HDRLEN + MNL_ALIGN(off))
		return NULL;
	mnl_attr_for_each(attr, nlh, off)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static int kernel_error(struct genl *g, const struct nlmsghdr *nlh, int err,
			size_t extack_off)
{
	const struct nlattr *msg, *miss;

	msg = extack_attr(nlh, extack_off, NLMSGERR_ATTR_MSG);
	if (msg && mnl_attr_validate(msg, MNL_TYPE_NUL_STRING) >= 0)
		return fail(g, err, "%s", mnl_attr_get_str(msg));
	miss = extack_attr(nlh, extack_off, NLMSGERR_ATTR_MISS_TYPE);
	if (miss && mnl_attr_validate(miss, MNL_TYPE_U32) >= 0)
		return fail(g, err, "attribute %u is missing in the request",
			    mnl_attr_get_u32(miss));
	if (err == -EPERM)
		return fail(g, err, "permission denied (needs CAP_NET_ADMIN)");
	return fail(g, err, "%s", strerror(-err));
}

static void finish(struct genl_wait *w, int result)
{
	if (!w->result)
		w->result = result;
	w->done = true;
}

static void handle_error(struct genl *g, struct genl_wait *w,
			 const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t off = sizeof(*e);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
		finish(w, fail(g, -EBADMSG, "short netlink message"));
		return;
	}
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		off += MNL_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	finish(w, e->error ? kernel_error(g, nlh, e->error, off) : 0);
}

static void handle_done(struct genl *g, struct genl_wait *w,
			const struct nlmsghdr *nlh)
{
	int err = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	finish(w, err < 0 ? kernel_error(g, nlh, err, sizeof(err)) : 0);
}

static void handle_reply(struct genl *g, struct genl_wait *w,
			 const struct nlmsghdr *nlh)
{
	int err;

	if (!w->cb || w->result ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return;
	err = w->cb(nlh, w->arg);
	if (err < 0)
		w->result = fail(g, err, "%s", strerror(-err));
}

/* Keeps a notification until genl_recv() is called */
static int keep_event(struct genl *g, const struct nlmsghdr *nlh)
{
	size_t len = MNL_ALIGN(nlh->nlmsg_len);
	char *events;

	events = realloc(g->events, g->events_len + len);
	if (!events)
		return fail(g, -ENOMEM, "out of memory");
	memcpy(events + g->events_len, nlh, nlh->nlmsg_len);
	g->events = events;
	g->events_len += len;
	return 0;
}

static bool is_event(const struct genl *g, const struct nlmsghdr *nlh)
{
	return !nlh->nlmsg_seq && nlh->nlmsg_type == g->family &&
	       mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct genlmsghdr);
}

static void handle(struct genl *g, struct genl_wait *w,
		   const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR && nlh->nlmsg_seq == w->seq)
		g->interrupted = true;
	if (is_event(g, nlh)) {
		if (keep_event(g, nlh) < 0)
			finish(w, -ENOMEM);
	} else if (nlh->nlmsg_seq != w->seq) {
		return;		/* left over from a request that was given up */
	} else if (nlh->nlmsg_type == NLMSG_ERROR) {
		handle_error(g, w, nlh);
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		handle_done(g, w, nlh);
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
		handle_reply(g, w, nlh);
	}
}

static int transact(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg)
{
	struct genl_wait w = { .cb = cb, .arg = arg };
	char buf[RXBUF_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *rx;
	ssize_t len;
	int left;

	if (!++g->seq)		/* 0 is for notifications */
		g->seq = 1;
	w.seq = g->seq;
	nlh->nlmsg_seq = g->seq;
	if (mnl_socket_sendto(g->nl, nlh, nlh->nlmsg_len) < 0)
		return fail(g, -errno, "netlink: %s", strerror(errno));

	while (!w.done) {
		len = receive(g, buf, sizeof(buf), 0);
		if (len < 0)		/* ENOBUFS: the answer is lost */
			return fail(g, len, "netlink: %s", strerror(-len));
		left = len;
		for (rx = (void *)buf; mnl_nlmsg_ok(rx, left);
		     rx = mnl_nlmsg_next(rx, &left))
			handle(g, &w, rx);
	}
	return w.result;
}

int genl_do(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return transact(g, nlh, cb, arg);
}

int genl_dump(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg)
{
	nlh->nlmsg_flags |= NLM_F_DUMP;
	g->interrupted = false;
	return transact(g, nlh, cb, arg);
}

/* Calls @cb for every notification in a buffer */
static int deliver(struct genl *g, const void *buf, int len, genl_cb cb,
		   void *arg)
{
	const struct nlmsghdr *nlh;
	int n = 0;

	for (nlh = buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		if (!is_event(g, nlh))
			continue;
		cb(nlh, arg);
		n++;
	}
	return n;
}

/* The same for those that were kept, and for those that are kept meanwhile
 * because @cb makes requests
 */
static int deliver_kept(struct genl *g, genl_cb cb, void *arg)
{
	int n = 0;

	while (g->events) {
		char *events = g->events;
		int len = g->events_len;

		g->events = NULL;
		g->events_len = 0;
		n += deliver(g, events, len, cb, arg);
		free(events);
	}
	return n;
}

int genl_recv(struct genl *g, genl_cb cb, void *arg)
{
	char buf[RXBUF_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t len;
	int n;

	n = deliver_kept(g, cb, arg);
	for (;;) {
		len = receive(g, buf, sizeof(buf), MSG_DONTWAIT);
		if (len == -EAGAIN)
			return n;
		if (len == -ENOBUFS)
			return fail(g, len, "notifications were lost");
		if (len < 0)
			return fail(g, len, "netlink: %s", strerror(-len));
		n += deliver(g, buf, len, cb, arg);
		n += deliver_kept(g, cb, arg);
	}
}

static int got_family(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct genl *g = arg;

	genl_parse(nlh, tb, CTRL_ATTR_MAX);
	if (!tb[CTRL_ATTR_FAMILY_ID])
		return -EBADMSG;
	g->family = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return 0;
}

/* Asking for the family by name makes the kernel load the module, if it can */
static int resolve_family(struct genl *g)
{
	struct nlmsghdr *nlh;
	int err;

	nlh = start_request(g, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, TEREDO_FAMILY_NAME);
	err = genl_do(g, nlh, got_family, g);
	if (err == -ENOENT)
		fail(g, err,
		     "the teredo module is not loaded (modprobe teredo)");
	return err;
}

int genl_open(struct genl *g)
{
	int on = 1;

	*g = (struct genl){ .seq = 0 };
	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!g->nl || mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail(g, -errno, "cannot open a netlink socket: %s",
			    strerror(errno));
	mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->nl, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return resolve_family(g);
}

int genl_allow_loss(struct genl *g)
{
	int on = 1;

	if (mnl_socket_setsockopt(g->nl, NETLINK_NO_ENOBUFS, &on,
				  sizeof(on)) >= 0)
		return 0;
	return fail(g, -errno, "NETLINK_NO_ENOBUFS: %s", strerror(errno));
}

void genl_close(struct genl *g)
{
	free(g->events);
	g->events = NULL;
	g->events_len = 0;
	if (g->nl)
		mnl_socket_close(g->nl);
	g->nl = NULL;
}

int genl_fd(const struct genl *g)
{
	return mnl_socket_get_fd(g->nl);
}
