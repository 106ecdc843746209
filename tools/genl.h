/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink family "teredo" for the tools, on top of libmnl
 *
 * Functions that can fail return 0 or a negative errno and leave a sentence
 * for people in @error of the socket: the kernel's own (extack) where it gave
 * one.
 *
 *	struct nlmsghdr *nlh = genl_request(g, TEREDO_CMD_DEV_GET);
 *
 *	mnl_attr_put_u32(nlh, TEREDO_A_DEV_IFINDEX, ifindex);
 *	if (genl_do(g, nlh, show_dev, &ctx) < 0)
 *		warnx("%s: %s", ifname, g->error);
 */
#ifndef _TEREDO_GENL_H
#define _TEREDO_GENL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

/**
 * struct genl - a generic netlink socket that knows family "teredo"
 * @nl: socket, bound to the network namespace it was opened in
 * @family: number of the family
 * @seq: sequence number of the last request
 * @interrupted: the list changed while the last dump went on
 * @error: why the last call failed
 * @events: notifications that came in while a request waited for its answer
 * @events_len: octets in @events
 * @txbuf: the request that is being built
 */
struct genl {
	struct mnl_socket	*nl;
	uint16_t		family;
	uint32_t		seq;
	bool			interrupted;
	char			error[256];
	char			*events;
	size_t			events_len;
	char			txbuf[8192];
};

/* One message of the family. A negative return value (an errno) ends a
 * genl_do() or genl_dump() and becomes its result.
 */
typedef int (*genl_cb)(const struct nlmsghdr *nlh, void *arg);

/* Opens a socket in the current network namespace and resolves the family.
 * Whatever it returns, genl_close() may follow.
 */
int genl_open(struct genl *g);
void genl_close(struct genl *g);

/* For event loops: readable when genl_recv() has something to do */
int genl_fd(const struct genl *g);

/* What does not fit into the socket is lost without a word, and genl_recv()
 * does not fail for it. 0 or a negative errno.
 */
int genl_allow_loss(struct genl *g);

/* Starts a request in @g->txbuf. Attributes are added with mnl_attr_put_*(),
 * then genl_do() or genl_dump() sends it. One request at a time.
 */
struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd);

/* Sends a request and waits for the kernel's verdict. @cb gets the reply, if
 * there is one; it may be NULL.
 */
int genl_do(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg);

/* The same for a dump; @cb gets each object. With @g->interrupted some may be
 * missing, or come twice.
 */
int genl_dump(struct genl *g, struct nlmsghdr *nlh, genl_cb cb, void *arg);

/**
 * genl_recv - deliver notifications without waiting
 * @g: socket
 * @cb: gets every notification; genl_cmd() tells which it is
 * @arg: for @cb
 *
 * A notification that arrived during a genl_do() or genl_dump() on the same
 * socket is kept and delivered first. The socket is not readable on its
 * account, so an event loop that makes requests outside of genl_recv() calls
 * genl_recv() once more when genl_pending() says so. @cb may make requests.
 *
 * Return: how many were delivered; -ENOBUFS if the kernel had to drop some
 * (those that are left come with the next call); another negative errno if
 * the socket is broken.
 */
int genl_recv(struct genl *g, genl_cb cb, void *arg);

static inline int genl_pending(const struct genl *g)
{
	return !!g->events;
}

static inline uint8_t genl_cmd(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *gnlh = mnl_nlmsg_get_payload(nlh);

	return gnlh->cmd;
}

/**
 * genl_parse - attributes of a message by their type
 * @nlh: message of the family
 * @tb: result, @max + 1 entries, NULL where an attribute is absent
 * @max: highest type of interest; larger ones (a newer kernel) are left out
 */
void genl_parse(const struct nlmsghdr *nlh, struct nlattr **tb, size_t max);
void genl_parse_nested(const struct nlattr *nest, struct nlattr **tb,
		       size_t max);

/* The version of the tools; the module's is in TEREDO_A_DEV_VERSION */
#ifndef TEREDO_VERSION
#define TEREDO_VERSION "unknown"
#endif

#endif /* _TEREDO_GENL_H */
