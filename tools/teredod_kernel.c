// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: the kernel's side of the device, over generic netlink
 *
 * Two sockets: if a flood of control packets fills the one that is bound to
 * the device, requests on the other still get their answers.
 */
#include <errno.h>
#include <string.h>

#include "teredod.h"

static __u32 get_u32(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : 0;
}

static __u16 get_u16(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u16(attr) : 0;
}

static __u8 get_u8(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u8(attr) : 0;
}

/* Packets from the servers */
static int got_ctrl(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_CTRL_MAX + 1];
	struct teredod *t = arg;
	struct teredod_ctrl pkt = { .len = 0 };

	genl_parse(nlh, tb, TEREDO_A_CTRL_MAX);
	if (!tb[TEREDO_A_CTRL_IFINDEX] ||
	    mnl_attr_get_u32(tb[TEREDO_A_CTRL_IFINDEX]) != (__u32)t->ifindex)
		return 0;

	switch (genl_cmd(nlh)) {
	case TEREDO_CMD_CTRL_RECV:
		if (!tb[TEREDO_A_CTRL_ADDRESS] || !tb[TEREDO_A_CTRL_PORT] ||
		    !tb[TEREDO_A_CTRL_PAYLOAD])
			return 0;
		pkt.from.addr = mnl_attr_get_u32(tb[TEREDO_A_CTRL_ADDRESS]);
		pkt.from.port = mnl_attr_get_u16(tb[TEREDO_A_CTRL_PORT]);
		pkt.payload = mnl_attr_get_payload(tb[TEREDO_A_CTRL_PAYLOAD]);
		pkt.len = mnl_attr_get_payload_len(tb[TEREDO_A_CTRL_PAYLOAD]);
		pkt.local = get_u32(tb[TEREDO_A_CTRL_LOCAL_ADDRESS]);
		teredod_qual_recv(t, &pkt);
		break;
	case TEREDO_CMD_CTRL_ERR:
		teredod_qual_icmp(t, get_u8(tb[TEREDO_A_CTRL_ICMP_TYPE]),
				  get_u8(tb[TEREDO_A_CTRL_ICMP_CODE]));
		break;
	}
	return 0;
}

static void ctrl_readable(uv_poll_t *poll, int status, int events)
{
	struct teredod *t = poll->data;

	(void)events;
	if (status >= 0 && genl_recv(&t->kernel.ctrl, got_ctrl, t) >= 0)
		return;
	teredod_log(t, LOG_ERR, "control packets: %s",
		    status < 0 ? uv_strerror(status) : t->kernel.ctrl.error);
	teredod_stop(t, 1);
}

int teredod_kernel_open(struct teredod *t)
{
	struct teredod_kernel *k = &t->kernel;
	int err;

	err = genl_open(&k->req);
	if (err < 0) {
		teredod_log(t, LOG_ERR, "%s", k->req.error);
		return err;
	}
	err = genl_open(&k->ctrl);
	/* lost packets are no matter: the solicitation is repeated */
	if (err >= 0)
		err = genl_allow_loss(&k->ctrl);
	if (err < 0)
		teredod_log(t, LOG_ERR, "%s", k->ctrl.error);
	return err;
}

int teredod_kernel_bind(struct teredod *t)
{
	struct genl *g = &t->kernel.ctrl;
	struct nlmsghdr *nlh;
	int err;

	nlh = genl_request(g, TEREDO_CMD_CTRL_BIND);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_IFINDEX, t->ifindex);
	err = genl_do(g, nlh, NULL, NULL);
	if (err == -EBUSY)
		teredod_log(t, LOG_ERR, "another teredod is running on it");
	else if (err < 0)
		teredod_log(t, LOG_ERR, "%s", g->error);
	return err;
}

int teredod_kernel_watch(struct teredod *t)
{
	struct teredod_kernel *k = &t->kernel;
	int err;

	err = uv_poll_init(&t->loop, &k->poll, genl_fd(&k->ctrl));
	if (err < 0)
		return err;
	k->poll.data = t;
	return uv_poll_start(&k->poll, UV_READABLE, ctrl_readable);
}

void teredod_kernel_close(struct teredod *t)
{
	genl_close(&t->kernel.ctrl);
	genl_close(&t->kernel.req);
}

static int got_dev(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[TEREDO_A_DEV_MAX + 1];
	struct teredod_dev *dev = arg;
	struct teredod_binding *b = &dev->binding;

	genl_parse(nlh, tb, TEREDO_A_DEV_MAX);
	dev->state = get_u32(tb[TEREDO_A_DEV_STATE]);
	dev->port = get_u16(tb[TEREDO_A_DEV_PORT]);
	b->prefix = get_u32(tb[TEREDO_A_DEV_PREFIX]);
	b->server = get_u32(tb[TEREDO_A_DEV_SERVER]);
	b->secondary = get_u32(tb[TEREDO_A_DEV_SECONDARY]);
	b->mapped.addr = get_u32(tb[TEREDO_A_DEV_MAPPED_ADDRESS]);
	b->mapped.port = get_u16(tb[TEREDO_A_DEV_MAPPED_PORT]);
	b->flags = get_u16(tb[TEREDO_A_DEV_FLAGS]);
	b->nat = get_u32(tb[TEREDO_A_DEV_NAT]);
	if (tb[TEREDO_A_DEV_VERSION])
		snprintf(dev->version, sizeof(dev->version), "%s",
			 mnl_attr_get_str(tb[TEREDO_A_DEV_VERSION]));
	return 0;
}

int teredod_kernel_get(struct teredod *t, struct teredod_dev *dev)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	memset(dev, 0, sizeof(*dev));
	nlh = genl_request(g, TEREDO_CMD_DEV_GET);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_IFINDEX, t->ifindex);
	return genl_do(g, nlh, got_dev, dev);
}

/* A device that goes down forgets what it was told, even if it is up again
 * before anybody looks. So it does when the lifetime of that is over.
 */
bool teredod_kernel_forgot(struct teredod *t)
{
	struct teredod_dev dev;

	return t->kernel.told != TEREDO_STATE_DORMANT &&
	       teredod_kernel_get(t, &dev) == 0 &&
	       dev.state == TEREDO_STATE_DORMANT;
}

int teredod_kernel_send(struct teredod *t, struct teredo_ep to,
			const void *payload, size_t len)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_CTRL_SEND);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_IFINDEX, t->ifindex);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_ADDRESS, to.addr);
	mnl_attr_put_u16(nlh, TEREDO_A_CTRL_PORT, to.port);
	mnl_attr_put(nlh, TEREDO_A_CTRL_PAYLOAD, len, payload);
	return genl_do(g, nlh, NULL, NULL);
}

/* Counts an advertisement that was not taken */
int teredod_kernel_refuse(struct teredod *t, enum teredo_refusal why,
			  struct teredo_ep from)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_CTRL_REFUSE);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_IFINDEX, t->ifindex);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_REFUSAL, why);
	mnl_attr_put_u32(nlh, TEREDO_A_CTRL_ADDRESS, from.addr);
	mnl_attr_put_u16(nlh, TEREDO_A_CTRL_PORT, from.port);
	return genl_do(g, nlh, NULL, NULL);
}

static int tell(struct teredod *t, struct nlmsghdr *nlh,
		enum teredo_state state)
{
	int err = genl_do(&t->kernel.req, nlh, NULL, NULL);

	if (!err)
		t->kernel.told = state;
	return err;
}

int teredod_kernel_set_state(struct teredod *t, enum teredo_state state,
			     enum teredo_nat nat, const char *reason)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_DEV_SET);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_IFINDEX, t->ifindex);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_STATE, state);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_NAT, nat);
	if (reason)
		mnl_attr_put_strz(nlh, TEREDO_A_DEV_REASON, reason);
	return tell(t, nlh, state);
}

/* Control packets go to this server from now on, and may come from it */
int teredod_kernel_set_probe(struct teredod *t, const struct server *server)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_DEV_SET);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_IFINDEX, t->ifindex);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_STATE, TEREDO_STATE_PROBE);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_SERVER, server->primary);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_SECONDARY, server->secondary);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_NAT, TEREDO_NAT_UNKNOWN);
	return tell(t, nlh, TEREDO_STATE_PROBE);
}

/* With a reason if something is wrong all the same */
int teredod_kernel_set_qualified(struct teredod *t,
				 const struct teredod_binding *b,
				 __u32 lifetime, const char *reason)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_DEV_SET);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_IFINDEX, t->ifindex);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_STATE, TEREDO_STATE_QUALIFIED);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_SERVER, b->server);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_SECONDARY, b->secondary);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_MAPPED_ADDRESS, b->mapped.addr);
	mnl_attr_put_u16(nlh, TEREDO_A_DEV_MAPPED_PORT, b->mapped.port);
	mnl_attr_put_u16(nlh, TEREDO_A_DEV_FLAGS, b->flags);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_NAT, b->nat);
	mnl_attr_put_u32(nlh, TEREDO_A_DEV_LIFETIME, lifetime);
	if (reason)
		mnl_attr_put_strz(nlh, TEREDO_A_DEV_REASON, reason);
	return tell(t, nlh, TEREDO_STATE_QUALIFIED);
}

int teredod_kernel_forget_peers(struct teredod *t)
{
	struct genl *g = &t->kernel.req;
	struct nlmsghdr *nlh;

	nlh = genl_request(g, TEREDO_CMD_PEER_DEL);
	mnl_attr_put_u32(nlh, TEREDO_A_PEER_IFINDEX, t->ifindex);
	return genl_do(g, nlh, NULL, NULL);
}
