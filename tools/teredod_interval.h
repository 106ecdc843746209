/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long the NAT keeps a mapping (RFC 4380 section 5.2.7)
 */
#ifndef _TEREDOD_INTERVAL_H
#define _TEREDOD_INTERVAL_H

#include <stdbool.h>
#include <uv.h>
#include <linux/types.h>

#include "teredo_proto.h"
#include "teredod_ra.h"
#include "teredod_timer.h"

struct teredod;

/**
 * enum interval_phase - where the procedure is
 * @INTERVAL_OFF: it is not in use, or over
 * @INTERVAL_ASK: the server was asked from the secondary port
 * @INTERVAL_HAIRPIN: finds out whether the NAT lets us send to ourselves
 * @INTERVAL_WAIT: the secondary port is silent
 * @INTERVAL_TEST: it should get a bubble
 */
enum interval_phase {
	INTERVAL_OFF,
	INTERVAL_ASK,
	INTERVAL_HAIRPIN,
	INTERVAL_WAIT,
	INTERVAL_TEST,
};

/**
 * struct interval - interval determination (V-04)
 * @phase: where it is
 * @seconds: interval that is known to be short enough
 * @maximum: interval that is known, or held, to be too long
 * @candidate: what is tried
 * @hairpin: bubbles to our own mapped address arrive
 * @fd: secondary port, -1 if it is closed
 * @poll: waits for @fd, lives as long
 * @nonce: of the solicitation
 * @tries: solicitations or bubbles sent in the phase
 * @mapped: mapping of the secondary port
 * @address: Teredo address that is made of it
 * @last: last interaction on the secondary port, ms of CLOCK_BOOTTIME
 * @timer: expires when the phase has something to do
 */
struct interval {
	enum interval_phase	phase;
	__u32			seconds;
	__u32			maximum;
	__u32			candidate;
	bool			hairpin;
	int			fd;
	uv_poll_t		*poll;
	__u8			nonce[RA_NONCE_LEN];
	unsigned int		tries;
	struct teredo_ep	mapped;
	struct in6_addr		address;
	__u64			last;
	struct timer		timer;
};

/* 0 or a negative errno; interval_close() may come without it */
int interval_open(struct teredod *t);
void interval_close(struct teredod *t);

/* The service port has a new address: begins from the beginning, if the
 * procedure is configured. The interval is that of the configuration again.
 */
void interval_start(struct teredod *t);

/* It has none any more */
void interval_stop(struct teredod *t);

#endif /* _TEREDOD_INTERVAL_H */
