// SPDX-License-Identifier: GPL-2.0
/*
 * rtnetlink for teredod, on top of libmnl
 *
 * Notifications only say that something may have changed; what counts is
 * what the kernel answers when it is asked afterwards. So lost ones cost
 * nothing but that question.
 */
#include <errno.h>
#include <string.h>

#include "teredod_rtnl.h"

#define BATCH	64

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

int rtnl_do(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	    void *arg)
{
	char buf[RTNL_BUF_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned int portid = mnl_socket_get_portid(nl);
	static __u32 seq;
	ssize_t len;
	int ret;

	nlh->nlmsg_seq = ++seq;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			return -errno;
		ret = mnl_cb_run(buf, len, nlh->nlmsg_seq, portid, cb, arg);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
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
