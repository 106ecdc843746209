/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnetlink for teredod, on top of libmnl
 */
#ifndef _TEREDOD_RTNL_H
#define _TEREDOD_RTNL_H

#include <stddef.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <linux/types.h>

#define RTNL_BUF_SIZE	32768

/* Attributes by their type; of larger types there is none that we use */
#define RTNL_ATTRS	64

/* A socket in the current network namespace; NULL with errno set */
struct mnl_socket *rtnl_open(unsigned int groups);

/* Starts a request in @buf, MNL_SOCKET_BUFFER_SIZE octets */
struct nlmsghdr *rtnl_request(char *buf, __u16 type, __u16 flags,
			      const void *header, size_t len);

/* Sends a request and waits for its answer: 0 or a negative errno */
int rtnl_do(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	    void *arg);

/* The same for a list, some entries of which may come to @cb more than once. It
 * is read again when it changed meanwhile; one that always does is taken as it
 * is.
 */
int rtnl_dump(struct mnl_socket *nl, __u16 type, const void *header, size_t len,
	      mnl_cb_t cb, void *arg);

/* For mnl_attr_parse(): the attributes into RTNL_ATTRS pointers */
int rtnl_sort(const struct nlattr *attr, void *arg);

/* Of an attribute that may be absent: then 0 */
__u32 rtnl_u32(const struct nlattr *attr);

/* Reads and forgets notifications, not so many that others have no turn */
void rtnl_drain(struct mnl_socket *nl);

#endif /* _TEREDOD_RTNL_H */
