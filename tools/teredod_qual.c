// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: qualification (RFC 4380 sections 5.2.1 and 5.2.5, RFC 5991)
 *
 * The primary address of a server tells how the NAT maps the service port; if
 * the secondary address is told the same, the mapping does not depend on the
 * far end, and an address can be formed of it. From then on the primary is
 * asked again and again, which keeps the mapping alive.
 *
 * Read from top to bottom this is what happens in this order; each function
 * ends in the next phase.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "teredod.h"
#include "teredod_text.h"

#define RS_TIMEOUT_MS	4000	/* C-07 */
#define RS_TRIES	3	/* C-08 */
#define REFRESH_MS	30000	/* C-09 */
#define LIFETIME	90	/* C-35, seconds */
#define RETRY_MIN	30	/* C-33, seconds */
#define RETRY_MAX	600
#define RECHECK_EVERY	10	/* CL-M-10, refreshes */

static void start(struct teredod *t);
static void try_server(struct teredod *t);

/* Clock that counts on while the host sleeps, as the NAT's does */
static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void arm(struct teredod_qual *q, __u64 ms)
{
	struct itimerspec its = {
		.it_value.tv_sec = ms / 1000,
		.it_value.tv_nsec = ms % 1000 * 1000000,
	};

	if (!ms)
		its.it_value.tv_nsec = 1;
	timerfd_settime(q->timer, 0, &its, NULL);
}

static void disarm(struct teredod_qual *q)
{
	struct itimerspec its = { .it_value.tv_sec = 0 };

	timerfd_settime(q->timer, 0, &its, NULL);
}

static void random_bytes(void *buf, size_t len)
{
	while (getrandom(buf, len, 0) != (ssize_t)len)
		;
}

static __u32 random_below(__u32 n)
{
	__u64 r;

	random_bytes(&r, sizeof(r));
	return r % n;
}

static const struct teredod_server *server(const struct teredod_qual *q)
{
	return &q->servers[q->server];
}

static bool asks_secondary(const struct teredod_qual *q)
{
	return q->phase == QUAL_SECONDARY || q->phase == QUAL_RECHECK;
}

static __be32 asked_address(const struct teredod_qual *q)
{
	return asks_secondary(q) ? server(q)->secondary : server(q)->primary;
}

/* Takes address and route off the device */
static void withdraw(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;

	if (!q->address_set)
		return;
	teredod_net_del_route(t);
	teredod_net_del_address(t, &q->address);
	q->address_set = false;
}

/* Waits for the next attempt */
static void offline(struct teredod *t, enum teredo_nat nat, struct reason why)
{
	struct teredod_qual *q = &t->qual;
	__u32 delay = q->retry * 750 + random_below(q->retry * 500 + 1);

	withdraw(t);
	q->phase = QUAL_OFFLINE;
	q->retry = q->retry < RETRY_MAX / 2 ? q->retry * 2 : RETRY_MAX;
	arm(q, delay);
	teredod_kernel_set_state(t, TEREDO_STATE_OFFLINE, nat, why.s);
	teredod_log(t, LOG_NOTICE, "offline: %s; next try in %u s", why.s,
		    (delay + 500) / 1000);
}

/* The server in use is of no use: tries the next one, or waits (CL-Q-27) */
static void server_failed(struct teredod *t, struct reason why)
{
	struct teredod_qual *q = &t->qual;

	q->server = (q->server + 1) % q->n_servers;
	if (++q->failed >= q->n_servers) {
		q->failed = 0;
		offline(t, TEREDO_NAT_UNKNOWN, why);
		return;
	}
	withdraw(t);
	teredod_log(t, LOG_NOTICE, "%s", why.s);
	try_server(t);
}

/* What a device that is not configured waits for is a change of its link */
static void no_server(struct teredod *t)
{
	static const char why[] = "no server is configured";

	withdraw(t);
	disarm(&t->qual);
	t->qual.phase = QUAL_ERROR;
	teredod_kernel_set_state(t, TEREDO_STATE_ERROR, TEREDO_NAT_UNKNOWN,
				 why);
	teredod_log(t, LOG_ERR, "%s", why);
}

static void solicit(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	__u8 rs[RS_LEN];

	q->tries++;
	q->asked = now_ms();
	rs_build(rs, q->nonce);
	q->send_error = teredod_kernel_send(t, asked_address(q), rs,
					    sizeof(rs));
	arm(q, RS_TIMEOUT_MS);
}

/* Enters a phase in which the server is asked something */
static void ask(struct teredod *t, enum qual_phase phase)
{
	struct teredod_qual *q = &t->qual;

	q->phase = phase;
	q->tries = 0;
	q->refused = RA_OK;
	q->icmp_type = 0;
	random_bytes(q->nonce, sizeof(q->nonce));
	solicit(t);
}

static void try_server(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	__be32 primary = server(q)->primary;
	struct teredod_dev dev;

	teredod_net_underlay(t, primary, &q->underlay);
	if (q->underlay.known && !q->underlay.reachable) {
		server_failed(t, reason("no route to the server %s",
					ip4_text(primary).s));
		return;
	}
	if (teredod_kernel_get(t, &dev) == 0)
		q->port = dev.port;
	teredod_kernel_set_state(t, TEREDO_STATE_PROBE, TEREDO_NAT_UNKNOWN,
				 NULL);
	teredod_log(t, LOG_INFO, "asking the server %s from port %u",
		    ip4_text(primary).s, be16_to_cpu(q->port));
	ask(t, QUAL_PRIMARY);
}

/* From INITIAL on. Whether the host has IPv6 by other means, so that Teredo
 * has to stand down (CL-O-01), is to be asked here.
 */
static void start(struct teredod *t)
{
	if (!t->qual.n_servers)
		no_server(t);
	else
		try_server(t);
}

/* Something is new that may make the next attempt end otherwise (CL-Q-19) */
static void restart(struct teredod *t)
{
	withdraw(t);
	t->qual.retry = RETRY_MIN;
	t->qual.failed = 0;
	start(t);
}

/* Qualified: waits until the mapping is to be refreshed, which is reckoned
 * from the solicitation, since that is what refreshed the NAT (C-10)
 */
static void wait_for_refresh(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	__u64 due = q->refreshed + REFRESH_MS * 3 / 4 +
		    random_below(REFRESH_MS / 4 + 1);
	__u64 now = now_ms();

	q->phase = QUAL_QUALIFIED;
	q->failed = 0;
	q->retry = RETRY_MIN;
	arm(q, due > now ? due - now : 0);
}

/* The bits live as long as what they stand beside */
static __u16 choose_flags(const struct teredod_binding *b,
			  const struct teredod_binding *old)
{
	__u16 flags;

	if (old->prefix == b->prefix &&
	    teredo_ep_equal(old->mapped, b->mapped))
		return old->flags;
	random_bytes(&flags, sizeof(flags));
	return flags & TEREDO_FLAGS_RANDOM;
}

/* The MTU option counts, up to what the underlay carries whole (N-10) */
static __u32 choose_mtu(const struct teredod_qual *q)
{
	__u32 max = TEREDO_MIN_MTU;

	if (q->underlay.mtu > TEREDO_MIN_MTU + TEREDO_HLEN)
		max = q->underlay.mtu - TEREDO_HLEN;
	if (max > TEREDO_MAX_MTU)
		max = TEREDO_MAX_MTU;
	if (!q->mtu)
		return TEREDO_MIN_MTU;
	return q->mtu < max ? q->mtu : max;
}

/* Puts the address on the device in place of an older one. The kernel has been
 * told before, since IPv6 does not use a device that is dormant.
 */
static int set_address(struct teredod *t, const struct in6_addr *addr)
{
	struct teredod_qual *q = &t->qual;
	int err;

	err = teredod_net_add_address(t, addr, LIFETIME, false);
	if (err < 0)
		return err;
	if (q->address_set && memcmp(&q->address, addr, sizeof(*addr)))
		teredod_net_del_address(t, &q->address);
	q->address = *addr;
	q->address_set = true;
	return teredod_net_add_route(t, LIFETIME);
}

static void log_qualified(const struct teredod *t)
{
	const struct teredod_qual *q = &t->qual;

	teredod_log(t, LOG_NOTICE, "qualified as %s: %s, mapped to %s, server %s",
		    ip6_text(&q->address).s, nat_text(q->binding.nat),
		    ep_text(q->binding.mapped).s,
		    ip4_text(q->binding.server).s);
}

/* Makes the mapping that was learned the one in use. Also renews it. */
static int adopt(struct teredod *t, enum teredo_nat nat)
{
	struct teredod_qual *q = &t->qual;
	struct teredod_binding b = {
		.prefix = t->link.conf.prefix,
		.server = server(q)->primary,
		.secondary = server(q)->secondary,
		.mapped = q->mapped,
		.nat = nat,
	};
	bool first = !q->address_set;
	struct in6_addr addr;
	struct reason why;
	bool fresh;
	int err;

	b.flags = choose_flags(&b, &q->binding);
	teredo_make_addr(&addr, b.prefix, b.server, b.flags, b.mapped);
	fresh = first || memcmp(&q->address, &addr, sizeof(addr)) ||
		q->binding.nat != nat;
	err = teredod_kernel_set_qualified(t, &b, LIFETIME);
	if (err < 0) {
		why = reason("the kernel refuses: %s", t->kernel.req.error);
		goto failed;
	}
	err = set_address(t, &addr);
	if (!err && first)
		err = teredod_net_set_mtu(t, choose_mtu(q));
	if (err < 0) {
		why = reason("cannot set %s up: %s", ip6_text(&addr).s,
			     strerror(-err));
		goto failed;
	}
	q->binding = b;
	if (fresh)
		log_qualified(t);
	return 0;

failed:
	offline(t, nat, why);
	return err;
}

static enum teredo_nat restricted_or_none(const struct teredod_qual *q)
{
	struct teredo_ep self = { .addr = q->local, .port = q->port };

	return teredo_ep_equal(q->mapped, self) ? TEREDO_NAT_NONE :
						  TEREDO_NAT_RESTRICTED;
}

static void qualify(struct teredod *t, enum teredo_nat nat)
{
	t->qual.refreshes = 0;
	if (adopt(t, nat) == 0)
		wait_for_refresh(t);
}

/* The secondary address is told another mapping: peers would be, too. RFC 6081
 * (X-SN) can qualify even so, with what the primary was told, and will here.
 */
static void symmetric(struct teredod *t, struct teredo_ep second)
{
	offline(t, TEREDO_NAT_SYMMETRIC,
		reason("symmetric NAT: mapped to %s for the server's primary address, to %s for its secondary",
		       ep_text(t->qual.mapped).s, ep_text(second).s));
}

static void primary_answered(struct teredod *t, const struct ra *ra,
			     __be32 local)
{
	struct teredod_qual *q = &t->qual;

	q->mapped = ra->mapped;
	q->mtu = ra->mtu;
	q->local = local;
	q->refreshed = q->asked;
	if (q->phase == QUAL_PRIMARY) {
		ask(t, QUAL_SECONDARY);
	} else if (!teredo_ep_equal(q->mapped, q->binding.mapped)) {
		/* CL-M-05. The secondary is asked whichever part differs: a
		 * NAT with several addresses may be symmetric in these.
		 */
		teredod_log(t, LOG_NOTICE, "mapping changed from %s to %s",
			    ep_text(q->binding.mapped).s,
			    ep_text(q->mapped).s);
		teredod_net_add_address(t, &q->address, LIFETIME, true);
		ask(t, QUAL_RECHECK);
	} else if (adopt(t, q->binding.nat) == 0) {
		if (++q->refreshes % RECHECK_EVERY)
			wait_for_refresh(t);
		else
			ask(t, QUAL_RECHECK);
	}
}

static void secondary_answered(struct teredod *t, const struct ra *ra)
{
	struct teredod_qual *q = &t->qual;

	if (!teredo_ep_equal(q->mapped, ra->mapped))
		symmetric(t, ra->mapped);
	else
		qualify(t, restricted_or_none(q));
}

void teredod_qual_recv(struct teredod *t, const struct teredod_ctrl *pkt)
{
	struct teredod_qual *q = &t->qual;
	struct ra_expect want = {
		.prefix = t->link.conf.prefix,
		.private_ok = t->link.conf.private_ok,
	};
	enum ra_result result;
	struct ra ra;

	switch (q->phase) {
	case QUAL_PRIMARY:
	case QUAL_SECONDARY:
	case QUAL_REFRESH:
	case QUAL_RECHECK:
		break;
	default:
		return;		/* CL-Q-31 */
	}
	if (pkt->from.addr != asked_address(q) ||
	    pkt->from.port != cpu_to_be16(TEREDO_UDP_PORT))
		return;		/* CL-Q-29 */
	want.server = server(q)->primary;
	memcpy(want.nonce, q->nonce, sizeof(want.nonce));
	result = ra_parse(&ra, pkt->payload, pkt->len, &want);
	if (result != RA_OK) {
		if (result > RA_NONCE)
			q->refused = result;
		if (result == RA_MAPPED)
			q->refused_addr = ra.mapped.addr;
		return;		/* CL-Q-15 */
	}
	if (asks_secondary(q))
		secondary_answered(t, &ra);
	else
		primary_answered(t, &ra, pkt->local);
}

/* ICMP errors only make the reason clearer (TUN-13) */
void teredod_qual_icmp(struct teredod *t, __u8 type, __u8 code)
{
	t->qual.icmp_type = type;
	t->qual.icmp_code = code;
}

static struct reason explain_silence(const struct teredod_qual *q)
{
	struct text addr = ip4_text(asked_address(q));
	const char *which = asks_secondary(q) ? "secondary address" : "server";

	if (q->refused == RA_MAPPED)
		return reason("the answer of the %s %s %s (%s)", which, addr.s,
			      ra_result_text(q->refused),
			      ip4_text(q->refused_addr).s);
	if (q->refused != RA_OK)
		return reason("the answer of the %s %s %s", which, addr.s,
			      ra_result_text(q->refused));
	if (q->send_error)
		return reason("cannot send to the %s %s: %s", which, addr.s,
			      strerror(-q->send_error));
	if (q->icmp_type)
		return reason("the %s %s does not answer (ICMP type %u code %u)",
			      which, addr.s, q->icmp_type, q->icmp_code);
	return reason("the %s %s does not answer", which, addr.s);
}

/* All tries of the phase were in vain */
static void give_up(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;

	switch (q->phase) {
	case QUAL_SECONDARY:	/* CL-Q-10, CL-Q-11 */
		if (server(q)->derived)
			qualify(t, TEREDO_NAT_UNKNOWN);
		else
			server_failed(t, explain_silence(q));
		break;
	case QUAL_RECHECK:
		wait_for_refresh(t);
		break;
	default:		/* CL-Q-07, CL-Q-18 */
		server_failed(t, explain_silence(q));
	}
}

static void unanswered(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;

	/* A mapping that is gone is kept for one try of the secondary, not for
	 * all of them (CL-M-05)
	 */
	if (q->phase == QUAL_RECHECK &&
	    !teredo_ep_equal(q->mapped, q->binding.mapped) &&
	    adopt(t, TEREDO_NAT_UNKNOWN) < 0)
		return;
	if (q->tries < RS_TRIES)
		solicit(t);
	else
		give_up(t);
}

static void timer_expired(uv_poll_t *poll, int status, int events)
{
	struct teredod *t = poll->data;
	__u64 expirations;

	(void)status;
	(void)events;
	if (read(t->qual.timer, &expirations, sizeof(expirations)) < 0)
		return;		/* set anew meanwhile */
	switch (t->qual.phase) {
	case QUAL_DOWN:
	case QUAL_ERROR:
		break;
	case QUAL_OFFLINE:
		start(t);
		break;
	case QUAL_QUALIFIED:
		ask(t, QUAL_REFRESH);
		break;
	default:
		unanswered(t);
	}
}

/* Several, once names can be configured (CL-Q-27) */
static void set_servers(struct teredod *t)
{
	const struct teredod_conf *c = &t->link.conf;
	struct teredod_qual *q = &t->qual;

	q->server = 0;
	q->n_servers = 0;
	if (!c->server)
		return;
	q->servers[q->n_servers++] = (struct teredod_server){
		.primary = c->server,
		.secondary = c->secondary ? c->secondary :
			     cpu_to_be32(be32_to_cpu(c->server) + 1),
		.derived = !c->secondary,
	};
}

/* Goes on where an earlier helper ended, if the device still is qualified by
 * what is configured now (CL-M-08)
 */
static bool take_over(struct teredod *t, const struct teredod_dev *dev)
{
	const struct teredod_binding *b = &dev->binding;
	struct teredod_qual *q = &t->qual;
	struct in6_addr addr;
	unsigned int i;

	if (dev->state != TEREDO_STATE_QUALIFIED || !b->mapped.port ||
	    b->prefix != t->link.conf.prefix)
		return false;
	for (i = 0; i < q->n_servers; i++)
		if (q->servers[i].primary == b->server)
			break;
	if (i == q->n_servers)
		return false;
	q->server = i;
	q->mapped = b->mapped;
	teredo_make_addr(&addr, b->prefix, b->server, b->flags, b->mapped);
	return set_address(t, &addr) == 0;
}

void teredod_qual_start(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct teredod_dev dev;

	q->retry = RETRY_MIN;
	set_servers(t);
	if (teredod_kernel_get(t, &dev) == 0) {
		q->port = dev.port;
		q->binding = dev.binding;
		if (dev.version[0] && strcmp(dev.version, TEREDO_VERSION))
			teredod_log(t, LOG_WARNING,
				    "this is teredod %s, but the module is version %s",
				    TEREDO_VERSION, dev.version);
	}
	if (!t->link.up) {
		teredod_log(t, LOG_INFO, "waiting for the device to be up");
		q->phase = QUAL_DOWN;
	} else if (take_over(t, &dev)) {
		teredod_net_underlay(t, server(q)->primary, &q->underlay);
		teredod_net_del_stale(t, &q->address);
		log_qualified(t);
		ask(t, QUAL_REFRESH);
	} else {
		withdraw(t);
		teredod_net_del_route(t);
		teredod_net_del_stale(t, NULL);
		start(t);
	}
}

static bool conf_equal(const struct teredod_conf *a,
		       const struct teredod_conf *b)
{
	return a->prefix == b->prefix && a->server == b->server &&
	       a->secondary == b->secondary && a->local == b->local &&
	       a->port == b->port && a->lower == b->lower &&
	       a->mark == b->mark && a->private_ok == b->private_ok;
}

void teredod_qual_link_changed(struct teredod *t,
			       const struct teredod_link *link)
{
	bool changed = !conf_equal(&t->link.conf, &link->conf);
	struct teredod_qual *q = &t->qual;

	t->link = *link;
	if (changed)
		set_servers(t);
	if (!link->up && q->phase != QUAL_DOWN) {
		teredod_log(t, LOG_NOTICE, "the device is down");
		withdraw(t);
		disarm(q);
		q->phase = QUAL_DOWN;
	} else if (link->up && (changed || q->phase == QUAL_DOWN)) {
		if (changed && q->phase != QUAL_DOWN)
			teredod_log(t, LOG_NOTICE, "configuration changed");
		restart(t);
	}
}

void teredod_qual_underlay_changed(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct teredod_underlay u;
	bool changed;

	if (q->phase == QUAL_DOWN || q->phase == QUAL_ERROR)
		return;
	teredod_net_underlay(t, server(q)->primary, &u);
	changed = u.reachable != q->underlay.reachable ||
		  u.source != q->underlay.source ||
		  u.gateway != q->underlay.gateway ||
		  u.ifindex != q->underlay.ifindex;
	q->underlay = u;
	if (!changed)
		return;
	if (u.reachable)
		teredod_log(t, LOG_NOTICE,
			    "the way to the server changed: now from %s",
			    ip4_text(u.source).s);
	restart(t);
}

/* CL-M-11 */
void teredod_qual_stop(struct teredod *t)
{
	withdraw(t);
	teredod_kernel_set_state(t, TEREDO_STATE_OFFLINE, TEREDO_NAT_UNKNOWN,
				 "teredod was stopped");
}

int teredod_qual_open(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	int err;

	q->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (q->timer < 0)
		return -errno;
	err = uv_poll_init(&t->loop, &q->poll, q->timer);
	if (err < 0)
		return err;
	q->poll.data = t;
	return uv_poll_start(&q->poll, UV_READABLE, timer_expired);
}

void teredod_qual_close(struct teredod *t)
{
	if (t->qual.timer >= 0)
		close(t->qual.timer);
}
