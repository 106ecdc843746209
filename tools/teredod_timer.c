// SPDX-License-Identifier: GPL-2.0
/*
 * Timers that count on while the host sleeps, and random numbers
 */
#include <errno.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "teredod_timer.h"

#define NEVER	(sizeof(time_t) > 4 ? INT64_MAX / 1000000000 : INT32_MAX)

static __u64 clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

__u64 now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void timer_readable(uv_poll_t *poll, int status, int events)
{
	struct timer *timer = poll->data;
	__u64 expirations;

	(void)status;
	(void)events;
	/* nothing to read: it was set anew meanwhile */
	if (read(timer->fd, &expirations, sizeof(expirations)) > 0)
		timer->expired(timer->t);
}

int timer_open(struct teredod *t, uv_loop_t *loop, struct timer *timer,
	       void (*expired)(struct teredod *t))
{
	int err;

	timer->t = t;
	timer->expired = expired;
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0)
		return -errno;
	err = uv_poll_init(loop, &timer->poll, timer->fd);
	if (err < 0)
		return err;
	timer->poll.data = timer;
	return uv_poll_start(&timer->poll, UV_READABLE, timer_readable);
}

void timer_close(struct timer *timer)
{
	close_fd(&timer->fd);
}

void timer_arm(struct timer *timer, __u64 ms)
{
	struct itimerspec its = {
		.it_value.tv_sec = ms / 1000,
		.it_value.tv_nsec = ms % 1000 * 1000000,
	};

	if (!ms)
		its.it_value.tv_nsec = 1;
	timerfd_settime(timer->fd, 0, &its, NULL);
}

void timer_disarm(struct timer *timer)
{
	struct itimerspec its = { .it_value.tv_sec = 0 };

	timerfd_settime(timer->fd, 0, &its, NULL);
}

static __u64 asleep_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC);
}

/* A timer that never expires, but is cancelled when the wall clock leaps. It
 * does so after a sleep; what tells that from a clock that was set is the time
 * that CLOCK_MONOTONIC has missed.
 */
static void wakeup_arm(struct wakeup *w)
{
	/* as far as a clock of 64 bits goes that the kernel holds in ns */
	struct itimerspec its = { .it_value.tv_sec = (time_t)NEVER };

	timerfd_settime(w->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			&its, NULL);
}

static void wakeup_readable(uv_poll_t *poll, int status, int events)
{
	struct wakeup *w = poll->data;
	__u64 asleep = asleep_ms();
	__u64 expirations;
	__u64 slept;

	(void)status;
	(void)events;
	if (read(w->fd, &expirations, sizeof(expirations)) < 0 &&
	    errno == EAGAIN)
		return;
	wakeup_arm(w);
	/* two clocks that are read one after the other differ by a little */
	if ((__s64)(asleep - w->asleep) < 1000)
		return;
	slept = asleep - w->asleep;
	w->asleep = asleep;
	w->woken(w->t, slept);
}

int wakeup_open(struct teredod *t, uv_loop_t *loop, struct wakeup *w,
		void (*woken)(struct teredod *t, __u64 slept))
{
	int err;

	w->t = t;
	w->woken = woken;
	w->asleep = asleep_ms();
	w->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	wakeup_arm(w);
	err = uv_poll_init(loop, &w->poll, w->fd);
	if (err < 0)
		return err;
	w->poll.data = w;
	return uv_poll_start(&w->poll, UV_READABLE, wakeup_readable);
}

void wakeup_close(struct wakeup *w)
{
	close_fd(&w->fd);
}

void random_bytes(void *buf, size_t len)
{
	while (getrandom(buf, len, 0) != (ssize_t)len)
		;
}

__u32 random_below(__u32 n)
{
	__u64 r;

	random_bytes(&r, sizeof(r));
	return r % n;
}
