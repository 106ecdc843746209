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
#include <string.h>

#include "teredod.h"
#include "teredod_text.h"

#define RS_TIMEOUT_MS	4000	/* C-07 */
#define RS_TRIES	3	/* C-08 */
#define RETRY_MIN	30	/* C-33, seconds */
#define RETRY_MAX	600
#define RECHECK_EVERY	10	/* CL-M-10, refreshes */
#define BOOT_MS		120000	/* until then the host starts (CL-Q-35) */
#define BOOT_DELAY_MS	1000
/* Router advertisements that come and go must not have us start all the time */
#define STANDDOWN_MS	5000

/* For the underlay while no server is known: a default route leads there */
#define ANYWHERE	0xc0000201	/* 192.0.2.1 */

static void try_server(struct teredod *t);

static bool asks_secondary(const struct teredod_qual *q)
{
	return q->phase == QUAL_SECONDARY || q->phase == QUAL_RECHECK;
}

static __be32 asked_address(const struct teredod *t)
{
	const struct server *server = servers_current(t);

	return asks_secondary(&t->qual) ? server->secondary : server->primary;
}

/* A change of the way to any of the servers is worth an attempt (CL-Q-19), also
 * if it came while others were asked
 */
static void watch_ways(struct teredod *t)
{
	struct servers *s = &t->servers;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (!s->list[i].way.known)
			teredod_net_underlay(t, s->list[i].primary,
					     &s->list[i].way);
	if (s->n > 1)
		teredod_net_settle(t);
}

/* Waits for the next attempt */
static void offline(struct teredod *t, enum teredo_nat nat, struct reason why)
{
	struct teredod_qual *q = &t->qual;
	__u32 delay = q->retry * 750 + random_below(q->retry * 500 + 1);

	binding_withdraw(t);
	watch_ways(t);
	q->phase = QUAL_OFFLINE;
	q->retry = q->retry < RETRY_MAX / 2 ? q->retry * 2 : RETRY_MAX;
	timer_arm(&q->timer, delay);
	teredod_kernel_set_state(t, TEREDO_STATE_OFFLINE, nat, why.s);
	teredod_log(t, LOG_NOTICE, "offline: %s; next try in %u s", why.s,
		    (delay + 500) / 1000);
}

/* The server in use is of no use: tries the next one, or waits (CL-Q-27) */
static void server_failed(struct teredod *t, struct reason why)
{
	if (!servers_next(t)) {
		offline(t, TEREDO_NAT_UNKNOWN, why);
		return;
	}
	binding_withdraw(t);
	teredod_log(t, LOG_NOTICE, "%s", why.s);
	try_server(t);
}

/* What a device that cannot work waits for is a change of its link */
static void hopeless(struct teredod *t, const char *why)
{
	binding_withdraw(t);
	timer_disarm(&t->qual.timer);
	t->qual.phase = QUAL_ERROR;
	teredod_kernel_set_state(t, TEREDO_STATE_ERROR, TEREDO_NAT_UNKNOWN,
				 why);
	teredod_log(t, LOG_ERR, "%s", why);
}

/* Teredo is not needed (CL-Q-21) */
static void stand_down(struct teredod *t, struct reason why)
{
	binding_withdraw(t);
	servers_cancel(t);
	timer_disarm(&t->qual.timer);
	t->qual.phase = QUAL_STANDDOWN;
	t->qual.stood_down = now_ms();
	teredod_kernel_set_state(t, TEREDO_STATE_DORMANT, TEREDO_NAT_UNKNOWN,
				 why.s);
	teredod_log(t, LOG_NOTICE, "%s", why.s);
}

static void solicit(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct teredo_ep to = {
		.addr = asked_address(t),
		.port = cpu_to_be16(TEREDO_UDP_PORT),	/* N-02 */
	};
	__u8 rs[RS_MAX_LEN];
	size_t len;

	q->tries++;
	q->asked = now_ms();
	len = rs_build(rs, q->nonce, teredod_key(t));
	q->send_error = teredod_kernel_send(t, to, rs, len);
	timer_arm(&q->timer, RS_TIMEOUT_MS);
}

/* Enters a phase in which the server is asked something, with a nonce of its
 * own (CL-Q-01, CL-Q-08)
 */
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
	const struct server *server = servers_current(t);
	struct teredod_qual *q = &t->qual;
	struct teredod_dev dev;

	teredod_net_underlay(t, server->primary, &q->underlay);
	t->servers.list[t->servers.current].way = q->underlay;
	if (q->underlay.known && !q->underlay.reachable) {
		server_failed(t, reason("no route to the server %s",
					ip4_text(server->primary).s));
		return;
	}
	if (teredod_kernel_get(t, &dev) == 0)
		q->port = dev.port;
	teredod_kernel_set_probe(t, server);
	teredod_log(t, LOG_INFO, "asking the server %s from port %u",
		    ip4_text(server->primary).s, be16_to_cpu(q->port));
	ask(t, QUAL_PRIMARY);
}

/* From INITIAL on, and again when the wait is over (CL-Q-20). What an earlier
 * helper left stays until it is known whether to go on with it.
 */
static void start(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct reason why;

	timer_disarm(&q->timer);
	if (!servers_configured(t)) {
		hopeless(t, "no server is configured");
	} else if (servers_have_names(t) && t->link.elsewhere &&
		   !t->net.lower_req) {
		hopeless(t, "a server's name can be looked up only with option -n: the underlay is in another network namespace");
	} else if (policy_other_ipv6(t, &why)) {
		stand_down(t, why);
	} else {
		if (!q->inherit)
			teredod_kernel_set_state(t, TEREDO_STATE_PROBE,
						 TEREDO_NAT_UNKNOWN, NULL);
		teredod_net_underlay(t, cpu_to_be32(ANYWHERE), &q->underlay);
		q->phase = QUAL_RESOLVE;
		servers_find(t);
	}
}

/* Goes on where an earlier helper ended, if the device still is qualified by
 * what is configured now, or by what may be (CL-M-08)
 */
static bool take_over(struct teredod *t, const char *error)
{
	struct teredod_qual *q = &t->qual;
	const struct teredod_binding *b;
	struct teredod_dev dev;

	if (!q->inherit || teredod_kernel_get(t, &dev) < 0)
		return false;
	b = &dev.binding;
	if (dev.state != TEREDO_STATE_QUALIFIED || !b->mapped.port ||
	    b->prefix != t->link.conf.prefix)
		return false;
	if (error)
		servers_set(t, b->server, b->secondary);
	else if (!servers_resume(t, b->server))
		return false;
	if (!binding_inherit(t, &dev))
		return false;
	teredod_net_underlay(t, b->server, &q->underlay);
	ask(t, QUAL_REFRESH);
	return true;
}

/* The addresses of the servers are known, or why they are not */
void teredod_qual_servers(struct teredod *t, const char *error)
{
	if (t->qual.phase != QUAL_RESOLVE || take_over(t, error))
		return;
	binding_withdraw(t);
	if (error)
		offline(t, TEREDO_NAT_UNKNOWN, reason("no server: %s", error));
	else
		try_server(t);
}

/* Something is new that may make the next attempt end otherwise (CL-Q-19) */
static void restart(struct teredod *t)
{
	servers_cancel(t);
	binding_withdraw(t);
	t->qual.retry = RETRY_MIN;
	start(t);
}

/* Qualified: waits until the mapping is to be refreshed, which is reckoned
 * from the solicitation, since that is what refreshed the NAT (C-10, CL-M-01).
 * Nothing else that comes from the server puts it off (CL-M-03).
 */
static void wait_for_refresh(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	__u32 interval = t->interval.seconds * 1000;
	__u64 due = q->refreshed + interval * 3 / 4 +
		    random_below(interval / 4 + 1);
	__u64 now = now_ms();

	q->phase = QUAL_QUALIFIED;
	q->retry = RETRY_MIN;
	servers_new_round(t);
	timer_arm(&q->timer, due > now ? due - now : 0);
}

/* Uses what was learned, or goes on to do so */
static int adopt(struct teredod *t, enum teredo_nat nat)
{
	struct reason why;
	int err;

	err = binding_adopt(t, nat, &why);
	if (err < 0)
		offline(t, nat, why);
	return err;
}

static bool unmapped(const struct teredod_qual *q)
{
	struct teredo_ep self = { .addr = q->local, .port = q->port };

	return teredo_ep_equal(q->mapped, self);
}

static void qualify(struct teredod *t, enum teredo_nat nat)
{
	t->qual.refreshes = 0;
	if (adopt(t, nat) == 0)
		wait_for_refresh(t);
}

/* The mapping depends on the far end. Peers that send to what the primary was
 * told do not reach us, but bubbles with nonces find the way (RFC 6081 section
 * 3.1, CL-Q-14, X-SN-01); without these there is none (CL-Q-13).
 */
static void symmetric(struct teredod *t, struct teredo_ep second)
{
	struct reason why;

	why = reason("symmetric NAT: mapped to %s for the server's primary address, to %s for its secondary",
		     ep_text(t->qual.mapped).s, ep_text(second).s);
	if (!t->options.symmetric) {
		offline(t, TEREDO_NAT_SYMMETRIC, why);
		return;
	}
	if (t->qual.binding.nat != TEREDO_NAT_SYMMETRIC || !t->qual.address_set)
		teredod_log(t, LOG_NOTICE, "%s", why.s);
	qualify(t, TEREDO_NAT_SYMMETRIC);
}

/* Asks the secondary address, unless nobody wants to know (CL-Q-38) */
static void detect_nat(struct teredod *t, enum qual_phase phase)
{
	if (t->options.nat_detect)
		ask(t, phase);
	else
		qualify(t, TEREDO_NAT_UNKNOWN);
}

static void remapped(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;

	/* CL-M-05, CL-Q-17. The secondary is asked whichever part differs: a
	 * NAT with several addresses may be symmetric in these.
	 */
	teredod_log(t, LOG_NOTICE, "mapping changed from %s to %s",
		    ep_text(q->binding.mapped).s, ep_text(q->mapped).s);
	if (t->options.nat_detect)
		binding_deprecate(t);
	detect_nat(t, QUAL_RECHECK);
}

static void primary_answered(struct teredod *t, const struct ra *ra,
			     __be32 local)
{
	struct teredod_qual *q = &t->qual;

	q->mapped = ra->mapped;
	q->mtu = ra->mtu;
	q->local = local;
	q->refreshed = q->asked;
	if (q->phase == QUAL_PRIMARY)
		detect_nat(t, QUAL_SECONDARY);
	else if (!teredo_ep_equal(q->mapped, q->binding.mapped))
		remapped(t);
	else if (adopt(t, q->binding.nat) < 0)
		return;
	else if (++q->refreshes % RECHECK_EVERY || !t->options.nat_detect)
		wait_for_refresh(t);
	else
		ask(t, QUAL_RECHECK);
}

static void secondary_answered(struct teredod *t, const struct ra *ra)
{
	struct teredod_qual *q = &t->qual;

	if (!teredo_ep_equal(q->mapped, ra->mapped))
		symmetric(t, ra->mapped);
	else if (unmapped(q))
		qualify(t, TEREDO_NAT_NONE);		/* CL-Q-24 */
	else
		qualify(t, TEREDO_NAT_RESTRICTED);	/* CL-Q-12 */
}

static bool is_asking(const struct teredod_qual *q)
{
	switch (q->phase) {
	case QUAL_PRIMARY:
	case QUAL_SECONDARY:
	case QUAL_REFRESH:
	case QUAL_RECHECK:
		return true;
	default:
		return false;
	}
}

static void note_new_key(struct teredod *t, bool new_key)
{
	if (new_key && !t->qual.new_key)
		teredod_log(t, LOG_WARNING, "the server %s asks for a new key",
			    ip4_text(asked_address(t)).s);
	t->qual.new_key = new_key;
}

/* Is it that another of our servers is the primary (CL-Q-39)? */
static bool turn_to_named(struct teredod *t, const struct ra *ra)
{
	struct text asked = ip4_text(servers_current(t)->primary);

	if (t->qual.phase != QUAL_PRIMARY || !ra->server ||
	    !servers_turn_to(t, ra->server))
		return false;
	teredod_log(t, LOG_INFO, "%s says that the primary address is %s",
		    asked.s, ip4_text(ra->server).s);
	try_server(t);
	return true;
}

static enum teredo_refusal refusal(enum ra_result why)
{
	switch (why) {
	case RA_NO_AUTH:
	case RA_NONCE:
		return TEREDO_REFUSAL_RA_NONCE;		/* SEC-23 */
	case RA_IDENTIFIER:
	case RA_AUTH:
	case RA_CONFIRM:
		return TEREDO_REFUSAL_RA_AUTH;		/* SEC-24 */
	case RA_DESTINATION:
		return TEREDO_REFUSAL_RA_UNSOLICITED;	/* SEC-22 */
	default:
		return TEREDO_REFUSAL_RA_INVALID;	/* SEC-25 */
	}
}

static void refuse(struct teredod *t, enum ra_result why, const struct ra *ra,
		   struct teredo_ep from)
{
	struct teredod_qual *q = &t->qual;

	if (why == RA_PREFIX && turn_to_named(t, ra))
		return;
	teredod_kernel_refuse(t, refusal(why), from);
	if (why > RA_NONCE)
		q->refused = why;
	if (why == RA_MAPPED)
		q->refused_addr = ra->mapped.addr;
}

/* What is refused changes nothing, the timer goes on (CL-Q-15). Refreshes are
 * checked as the first answers are (CL-M-04).
 */
void teredod_qual_recv(struct teredod *t, const struct teredod_ctrl *pkt)
{
	struct teredod_qual *q = &t->qual;
	struct ra_expect want = {
		.prefix = t->link.conf.prefix,
		.key = teredod_key(t),
		.private_ok = t->link.conf.private_ok,
	};
	enum ra_result result;
	struct ra ra;

	if (!is_asking(q) ||				/* CL-Q-31 */
	    pkt->from.addr != asked_address(t) ||	/* CL-Q-29 */
	    pkt->from.port != cpu_to_be16(TEREDO_UDP_PORT)) {
		teredod_kernel_refuse(t, TEREDO_REFUSAL_RA_UNSOLICITED,
				      pkt->from);
		return;
	}
	want.server = servers_current(t)->primary;
	memcpy(want.nonce, q->nonce, sizeof(want.nonce));
	result = ra_parse(&ra, pkt->payload, pkt->len, &want);
	if (result != RA_OK) {
		refuse(t, result, &ra, pkt->from);
		return;
	}
	note_new_key(t, ra.new_key);
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

static struct reason explain_silence(const struct teredod *t)
{
	const struct teredod_qual *q = &t->qual;
	struct text addr = ip4_text(asked_address(t));
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
		if (servers_current(t)->derived)
			qualify(t, TEREDO_NAT_UNKNOWN);
		else
			server_failed(t, explain_silence(t));
		break;
	case QUAL_RECHECK:
		wait_for_refresh(t);
		break;
	default:		/* CL-Q-07, CL-Q-18 */
		server_failed(t, explain_silence(t));
	}
}

/* Is the same for all phases (CL-Q-06, CL-Q-09, CL-M-06) */
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

static void timer_expired(struct teredod *t)
{
	switch (t->qual.phase) {
	case QUAL_OFFLINE:
		start(t);
		break;
	case QUAL_QUALIFIED:
		ask(t, QUAL_REFRESH);	/* CL-M-02, CL-Q-16 */
		break;
	case QUAL_STANDDOWN:
		teredod_qual_policy_changed(t);
		break;
	default:
		if (is_asking(&t->qual))
			unanswered(t);
	}
}

void teredod_qual_start(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct teredod_dev dev;

	q->retry = RETRY_MIN;
	q->inherit = true;
	memset(&dev, 0, sizeof(dev));
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
	} else if (dev.state != TEREDO_STATE_QUALIFIED && now_ms() < BOOT_MS) {
		q->phase = QUAL_OFFLINE;
		timer_arm(&q->timer, random_below(BOOT_DELAY_MS));
	} else {
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

static void went_down(struct teredod *t)
{
	teredod_log(t, LOG_NOTICE, "the device is down");
	binding_withdraw(t);
	servers_cancel(t);
	timer_disarm(&t->qual.timer);
	t->qual.phase = QUAL_DOWN;
	t->kernel.told = TEREDO_STATE_DORMANT;
}

/* It may have been down and be up again, which only the kernel knows */
void teredod_qual_link_changed(struct teredod *t,
			       const struct teredod_link *link)
{
	bool changed = !conf_equal(&t->link.conf, &link->conf);
	struct teredod_qual *q = &t->qual;

	t->link = *link;
	if (link->mode != TEREDO_MODE_CLIENT) {
		teredod_log(t, LOG_ERR, "no longer a Teredo client");
		teredod_stop(t, 1);
		return;
	}
	if (q->phase != QUAL_DOWN && (!link->up || teredod_kernel_forgot(t)))
		went_down(t);
	if (link->up && (changed || q->phase == QUAL_DOWN)) {
		if (changed && q->phase != QUAL_DOWN)
			teredod_log(t, LOG_NOTICE, "configuration changed");
		restart(t);
	}
}

/* Is the way to an address another than @u, which it is from now on? */
static bool way_changed(struct teredod *t, __be32 to,
			struct teredod_underlay *u)
{
	struct teredod_underlay old = *u;

	teredod_net_underlay(t, to, u);
	if (u->reachable == old.reachable && u->source == old.source &&
	    u->gateway == old.gateway && u->ifindex == old.ifindex)
		return false;
	if (u->reachable)
		teredod_log(t, LOG_NOTICE,
			    "the way to the server changed: now from %s",
			    ip4_text(u->source ?: t->link.conf.local).s);
	return true;
}

/* The way to any of the servers */
static bool some_way_changed(struct teredod *t)
{
	struct servers *s = &t->servers;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (way_changed(t, s->list[i].primary, &s->list[i].way))
			return true;
	return false;
}

void teredod_qual_underlay_changed(struct teredod *t)
{
	const struct server *server = servers_current(t);
	struct teredod_qual *q = &t->qual;
	bool changed;

	if (q->phase == QUAL_DOWN || q->phase == QUAL_ERROR ||
	    q->phase == QUAL_STANDDOWN)
		return;
	if (!server || q->phase == QUAL_RESOLVE)
		changed = way_changed(t, cpu_to_be32(ANYWHERE), &q->underlay);
	else if (q->phase == QUAL_OFFLINE)
		changed = some_way_changed(t);
	else
		changed = way_changed(t, server->primary, &q->underlay);
	if (changed)
		restart(t);
}

/* Other IPv6 may have come or gone (CL-Q-21, CL-Q-22) */
void teredod_qual_policy_changed(struct teredod *t)
{
	struct teredod_qual *q = &t->qual;
	struct reason why;
	__u64 stood;

	if (q->phase == QUAL_DOWN || q->phase == QUAL_ERROR)
		return;
	if (policy_other_ipv6(t, &why)) {
		if (q->phase != QUAL_STANDDOWN)
			stand_down(t, why);
	} else if (q->phase == QUAL_STANDDOWN) {
		stood = now_ms() - q->stood_down;
		if (stood < STANDDOWN_MS) {
			timer_arm(&q->timer, STANDDOWN_MS - stood);
			return;
		}
		teredod_log(t, LOG_NOTICE, "the other IPv6 is gone");
		restart(t);
	}
}

/* Mappings may be gone, the NAT's and those of peers. Their clock stood still
 * in the kernel, so who is forgotten here is looked for anew (CL-M-09, V-06).
 */
void teredod_qual_woken(struct teredod *t, __u64 slept)
{
	struct teredod_qual *q = &t->qual;

	teredod_log(t, LOG_INFO, "the host slept for %llu s", slept / 1000);
	if (q->phase == QUAL_OFFLINE) {
		restart(t);
	} else if (q->phase == QUAL_QUALIFIED || q->phase == QUAL_REFRESH ||
		   q->phase == QUAL_RECHECK) {
		if (slept >= t->interval.seconds * 1000)
			teredod_kernel_forget_peers(t);
		ask(t, QUAL_REFRESH);
	}
}

/* CL-M-11 */
void teredod_qual_stop(struct teredod *t)
{
	binding_withdraw(t);
	teredod_kernel_set_state(t, TEREDO_STATE_OFFLINE, TEREDO_NAT_UNKNOWN,
				 "teredod was stopped");
}

int teredod_qual_open(struct teredod *t)
{
	return timer_open(t, &t->loop, &t->qual.timer, timer_expired);
}

void teredod_qual_close(struct teredod *t)
{
	timer_close(&t->qual.timer);
}
