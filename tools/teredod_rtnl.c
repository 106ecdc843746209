// SPDX-License-Identifier: GPL-2.0
/*
 * rtnetlink for teredod, on top of libmnl
 *
 * Notifications only say that something may have changed; what counts is
 * what the kernel answers when it is asked afterwards. So lost ones cost
 * nothing but that question.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "teredod_rtnl.h"

#define BATCH		64
#define MAX_DUMPS	5	/* of a list that changes while it is read */

struct mnl_socket *rtnl_open(unsigned int groups)
{
	struct mnl_socket *nl;

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl)
		return NULL;
	if (mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) == 0)
		return nl;
	mnl_socket_close(nl);
	return NULL;
}

struct nlmsghdr *rtnl_request(char *buf, __u16 type, __u16 flags,
			      const void *header, size_t len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	memcpy(mnl_nlmsg_put_extra_header(nlh, len), header, len);
	return nlh;
}

/* Did the list change while it was dumped? libmnl takes that for the end of an
 * answer of which more will come, so it is not told.
 */
static bool interrupted(void *buf, int len)
{
	struct nlmsghdr *nlh;
	bool found = false;

	for (nlh = buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		found |= nlh->nlmsg_flags & NLM_F_DUMP_INTR;
		nlh->nlmsg_flags &= ~NLM_F_DUMP_INTR;
	}
	return found;
}

/* A datagram holds what one request is answered with */
static bool answers(const void *buf, int len, __u32 seq)
{
	const struct nlmsghdr *nlh = buf;

	return mnl_nlmsg_ok(nlh, len) && nlh->nlmsg_seq == seq;
}

int rtnl_do(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	    void *arg)
{
	char buf[RTNL_BUF_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned int portid = mnl_socket_get_portid(nl);
	bool changed = false;
	int ret = MNL_CB_OK;
	static __u32 seq;
	ssize_t len;

	nlh->nlmsg_seq = ++seq;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			return -errno;
		/* left over from a request that was given up */
		if (!answers(buf, len, nlh->nlmsg_seq))
			continue;
		changed |= interrupted(buf, len);
		ret = mnl_cb_run(buf, len, nlh->nlmsg_seq, portid, cb, arg);
	} while (ret > MNL_CB_STOP);
	if (ret < 0)
		return -errno;
	return changed ? -EINTR : 0;
}

int rtnl_dump(struct mnl_socket *nl, __u16 type, const void *header, size_t len,
	      mnl_cb_t cb, void *arg)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	int err = -EINTR;
	unsigned int i;

	for (i = 0; i < MAX_DUMPS && err == -EINTR; i++) {
		nlh = rtnl_request(buf, type, NLM_F_DUMP, header, len);
		err = rtnl_do(nl, nlh, cb, arg);
	}
	return err == -EINTR ? 0 : err;
}

int rtnl_sort(const struct nlattr *attr, void *arg)
{
	const struct nlattr **tb = arg;

	if (mnl_attr_get_type(attr) < RTNL_ATTRS)
		tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

__u32 rtnl_u32(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : 0;
}

void rtnl_drain(struct mnl_socket *nl)
{
	int fd = mnl_socket_get_fd(nl);
	char buf[RTNL_BUF_SIZE];
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			break;
}
