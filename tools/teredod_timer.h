/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timers that count on while the host sleeps, as those of NATs do (V-06), and
 * random numbers
 */
#ifndef _TEREDOD_TIMER_H
#define _TEREDOD_TIMER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <linux/types.h>

struct teredod;

/**
 * struct timer - a timer of the helper
 * @expired: called once each time it was armed
 * @t: the helper
 * @fd: timerfd, -1 if the timer is not open
 * @poll: waits for @fd
 */
struct timer {
	void		(*expired)(struct teredod *t);
	struct teredod	*t;
	int		fd;
	uv_poll_t	poll;
};

/* 0 or a negative errno. The loop closes what it knows of it; timer_close()
 * comes after that, and may come without an open.
 */
int timer_open(struct teredod *t, uv_loop_t *loop, struct timer *timer,
	       void (*expired)(struct teredod *t));
void timer_close(struct timer *timer);

/* In milliseconds from now */
void timer_arm(struct timer *timer, __u64 ms);
void timer_disarm(struct timer *timer);

/* Milliseconds of CLOCK_BOOTTIME */
__u64 now_ms(void);

/**
 * struct wakeup - tells when the host was asleep
 * @woken: called with the milliseconds that it slept
 * @t: the helper
 * @fd: timerfd, -1 if it is not open
 * @asleep: milliseconds since boot that the host has slept
 * @poll: waits for @fd
 */
struct wakeup {
	void		(*woken)(struct teredod *t, __u64 slept);
	struct teredod	*t;
	int		fd;
	__u64		asleep;
	uv_poll_t	poll;
};

/* As for timers */
int wakeup_open(struct teredod *t, uv_loop_t *loop, struct wakeup *w,
		void (*woken)(struct teredod *t, __u64 slept));
void wakeup_close(struct wakeup *w);

/* From the kernel's generator (SEC-29) */
void random_bytes(void *buf, size_t len);
__u32 random_below(__u32 n);

#endif /* _TEREDOD_TIMER_H */
