// SPDX-License-Identifier: GPL-2.0
/*
 * teredod: refresh interval determination (RFC 4380 section 5.2.7, CL-I)
 *
 * A secondary port with a mapping of its own is left alone for a while, the
 * candidate. If a bubble that the service port sends then still reaches it, the
 * NAT keeps mappings as long as that, and refreshes may be that far apart.
 *
 * The bubble goes to the mapping itself if the NAT takes packets from inside to
 * its outer address (hairpin), which is tried first; else by way of the server
 * (AMB-17). Read from top to bottom, as teredod_qual.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "teredod.h"
#include "teredod_text.h"

#define MAXIMUM		120	/* CL-I-03, seconds */
#define CANDIDATE	60
#define RS_TIMEOUT_MS	4000	/* C-07 */
#define RS_TRIES	3	/* C-08 */
#define BUBBLE_MS	2000	/* CL-I-06 */
#define BUBBLES		4
#define HOP_LIMIT	64	/* C-32 */
#define PAYLOAD_MAX	2048

static void free_poll(uv_handle_t *handle)
{
	free(handle);
}

static void close_port(struct interval *iv)
{
	if (iv->poll)
		uv_close((uv_handle_t *)iv->poll, free_poll);
	if (iv->fd >= 0)
		close(iv->fd);
	iv->poll = NULL;
	iv->fd = -1;
}

/* Nothing is left of the secondary port (CL-I-11) */
static void finish(struct teredod *t, const char *why)
{
	struct interval *iv = &t->interval;

	close_port(iv);
	timer_disarm(&iv->timer);
	iv->phase = INTERVAL_OFF;
	teredod_log(t, LOG_NOTICE, "refresh interval %u s: %s", iv->seconds,
		    why);
}

/* From the same address and by the same way as the service port */
static int bind_port(const struct teredod *t, int fd)
{
	const struct teredod_conf *c = &t->link.conf;
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = c->local,
	};

	if (c->lower && setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &c->lower,
				   sizeof(c->lower)) < 0)
		return -errno;
	if (c->mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &c->mark,
				  sizeof(c->mark)) < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ? -errno : 0;
}

static void readable(uv_poll_t *poll, int status, int events);

static int watch_port(struct teredod *t)
{
	struct interval *iv = &t->interval;
	int err;

	iv->poll = malloc(sizeof(*iv->poll));
	if (!iv->poll)
		return -ENOMEM;
	err = uv_poll_init(&t->loop, iv->poll, iv->fd);
	if (err < 0) {
		free(iv->poll);
		iv->poll = NULL;
		return err;
	}
	iv->poll->data = t;
	return uv_poll_start(iv->poll, UV_READABLE, readable);
}

static int open_port(struct teredod *t)
{
	struct interval *iv = &t->interval;
	int err;

	err = teredod_net_enter(&t->net);
	if (err < 0)
		return err;
	iv->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = iv->fd < 0 ? -errno : 0;
	teredod_net_leave(&t->net);
	if (!err)
		err = bind_port(t, iv->fd);
	return err ? err : watch_port(t);
}

static void solicit(struct teredod *t)
{
	struct interval *iv = &t->interval;
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = t->qual.binding.server,
		.sin_port = cpu_to_be16(TEREDO_UDP_PORT),
	};
	__u8 rs[RS_MAX_LEN];
	size_t len;

	iv->tries++;
	len = rs_build(rs, iv->nonce, teredod_key(t));
	/* a failure is a solicitation that is lost */
	(void)!sendto(iv->fd, rs, len, 0, (struct sockaddr *)&to, sizeof(to));
	timer_arm(&iv->timer, RS_TIMEOUT_MS);
}

/* Gets the secondary port an address (CL-I-01), or renews it (CL-I-10) */
static void ask(struct teredod *t)
{
	struct interval *iv = &t->interval;

	iv->phase = INTERVAL_ASK;
	iv->tries = 0;
	random_bytes(iv->nonce, sizeof(iv->nonce));
	solicit(t);
}

/* CL-I-04 */
static void wait_for_candidate(struct teredod *t)
{
	struct interval *iv = &t->interval;
	__u64 due = iv->last + iv->candidate * 1000;
	__u64 now = now_ms();

	iv->phase = INTERVAL_WAIT;
	timer_arm(&iv->timer, due > now ? due - now : 0);
}

/* CL-I-05 */
static void send_bubble(struct teredod *t)
{
	struct interval *iv = &t->interval;
	struct ipv6hdr bubble = {
		.version = 6,
		.nexthdr = IPPROTO_NONE,
		.hop_limit = HOP_LIMIT,
		.saddr = t->qual.address,
		.daddr = iv->address,
	};
	struct teredo_ep to = {
		.addr = t->qual.binding.server,
		.port = cpu_to_be16(TEREDO_UDP_PORT),
	};

	iv->tries++;
	if (iv->phase == INTERVAL_HAIRPIN || iv->hairpin)
		to = iv->mapped;
	teredod_kernel_send(t, to, &bubble, sizeof(bubble));
	timer_arm(&iv->timer, BUBBLE_MS);
}

static void send_bubbles(struct teredod *t, enum interval_phase phase)
{
	t->interval.phase = phase;
	t->interval.tries = 0;
	send_bubble(t);
}

/* Is the interval close enough to the maximum (CL-I-08, CL-I-09)? */
static void next_candidate(struct teredod *t, __u32 candidate)
{
	struct interval *iv = &t->interval;

	if (4 * iv->seconds >= 3 * iv->maximum) {
		finish(t, "determined");
		return;
	}
	iv->candidate = candidate;
	ask(t);
}

static void succeeded(struct teredod *t)
{
	struct interval *iv = &t->interval;
	__u32 between;

	teredod_log(t, LOG_INFO, "mappings live for %u s", iv->candidate);
	iv->seconds = iv->candidate;			/* CL-I-07 */
	between = (iv->seconds + iv->maximum) / 2;
	next_candidate(t, 2 * iv->seconds < between ? 2 * iv->seconds :
						      between);
}

static void failed(struct teredod *t)
{
	struct interval *iv = &t->interval;

	teredod_log(t, LOG_INFO, "mappings do not live for %u s",
		    iv->candidate);
	iv->maximum = iv->candidate;			/* CL-I-08 */
	next_candidate(t, (iv->seconds + iv->maximum) / 2);
}

static void got_advert(struct teredod *t, const struct ra *ra)
{
	struct interval *iv = &t->interval;
	bool first = !iv->mapped.port;
	__u16 flags;

	iv->last = now_ms();
	if (!teredo_ep_equal(iv->mapped, ra->mapped)) {
		random_bytes(&flags, sizeof(flags));
		iv->mapped = ra->mapped;
		teredo_make_addr(&iv->address, t->qual.binding.prefix,
				 t->qual.binding.server,
				 flags & TEREDO_FLAGS_RANDOM, iv->mapped);
		teredod_log(t, LOG_INFO,
			    "the secondary port is mapped to %s, its address %s",
			    ep_text(iv->mapped).s, ip6_text(&iv->address).s);
	}
	if (first)
		send_bubbles(t, INTERVAL_HAIRPIN);
	else
		wait_for_candidate(t);
}

static void got_bubble(struct teredod *t, bool direct)
{
	struct interval *iv = &t->interval;

	if (iv->phase == INTERVAL_TEST && direct == iv->hairpin) {
		succeeded(t);
	} else if (iv->phase == INTERVAL_HAIRPIN && direct) {
		iv->hairpin = true;
		iv->last = now_ms();
		wait_for_candidate(t);
	}
}

static void received(struct teredod *t, struct teredo_ep from,
		     const __u8 *data, size_t len)
{
	const struct teredod_binding *b = &t->qual.binding;
	struct interval *iv = &t->interval;
	struct ra_expect want = {
		.prefix = b->prefix,
		.server = b->server,
		.key = teredod_key(t),
		.private_ok = t->link.conf.private_ok,
	};
	bool from_server = from.addr == b->server &&
			   from.port == cpu_to_be16(TEREDO_UDP_PORT);
	struct teredo_parsed p;
	struct ipv6hdr ip6;
	struct ra ra;

	memcpy(want.nonce, iv->nonce, sizeof(want.nonce));
	if (iv->phase == INTERVAL_ASK) {
		if (from_server && ra_parse(&ra, data, len, &want) == RA_OK)
			got_advert(t, &ra);
		return;
	}
	if (teredo_parse_headers(&p, data, len, len) != TEREDO_PARSE_OK)
		return;
	memcpy(&ip6, data + p.ip6, sizeof(ip6));
	if (teredo_is_bubble(&ip6) &&
	    !memcmp(&ip6.saddr, &t->qual.address, sizeof(ip6.saddr)) &&
	    !memcmp(&ip6.daddr, &iv->address, sizeof(ip6.daddr)))
		got_bubble(t, !from_server);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct teredod *t = poll->data;
	struct sockaddr_in sin;
	socklen_t size = sizeof(sin);
	__u8 data[PAYLOAD_MAX];
	struct teredo_ep from;
	ssize_t len;

	(void)status;
	(void)events;
	len = recvfrom(t->interval.fd, data, sizeof(data), 0,
		       (struct sockaddr *)&sin, &size);
	if (len < 0)
		return;
	from.addr = sin.sin_addr.s_addr;
	from.port = sin.sin_port;
	received(t, from, data, len);
}

static void timer_expired(struct teredod *t)
{
	struct interval *iv = &t->interval;

	switch (iv->phase) {
	case INTERVAL_OFF:
		break;
	case INTERVAL_ASK:
		if (iv->tries < RS_TRIES)
			solicit(t);
		else
			finish(t, "the secondary port is not answered");
		break;
	case INTERVAL_WAIT:
		send_bubbles(t, INTERVAL_TEST);
		break;
	case INTERVAL_HAIRPIN:
		if (iv->tries < BUBBLES)
			send_bubble(t);
		else
			wait_for_candidate(t);
		break;
	case INTERVAL_TEST:
		if (iv->tries < BUBBLES)
			send_bubble(t);
		else
			failed(t);
		break;
	}
}

void interval_start(struct teredod *t)
{
	struct interval *iv = &t->interval;
	int err;

	interval_stop(t);
	if (!t->options.determine)
		return;
	iv->maximum = MAXIMUM;				/* CL-I-03 */
	iv->candidate = CANDIDATE;
	iv->hairpin = false;
	iv->mapped.port = 0;
	if (t->link.elsewhere && !t->net.lower_req) {
		finish(t, "the underlay's network namespace is not known");
		return;
	}
	err = open_port(t);
	if (err < 0)
		finish(t, strerror(-err));		/* CL-I-02 */
	else
		ask(t);
}

void interval_stop(struct teredod *t)
{
	struct interval *iv = &t->interval;

	close_port(iv);
	timer_disarm(&iv->timer);
	iv->phase = INTERVAL_OFF;
	iv->seconds = t->options.interval;		/* CL-I-12 */
}

int interval_open(struct teredod *t)
{
	t->interval.seconds = t->options.interval;
	return timer_open(t, &t->loop, &t->interval.timer, timer_expired);
}

void interval_close(struct teredod *t)
{
	timer_close(&t->interval.timer);
}
