/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether Teredo has to stand down, because there is other IPv6 (CL-O-01)
 */
#ifndef _TEREDOD_POLICY_H
#define _TEREDOD_POLICY_H

#include <stdbool.h>
#include <uv.h>
#include <libmnl/libmnl.h>

#include "teredod_text.h"

struct teredod;

/**
 * struct policy - watches IPv6 in the device's network namespace
 * @req: for requests; NULL if nothing is watched (option force)
 * @watch: notifications
 * @poll: waits for @watch
 * @settle: runs while more changes may come in
 */
struct policy {
	struct mnl_socket	*req;
	struct mnl_socket	*watch;
	uv_poll_t		poll;
	uv_timer_t		settle;
};

/* 0 or a negative errno. The loop closes what it knows of it; policy_close()
 * comes after that.
 */
int policy_open(struct teredod *t);
void policy_close(struct teredod *t);

/* Is there other IPv6? Then @why says where. */
bool policy_other_ipv6(struct teredod *t, struct reason *why);

#endif /* _TEREDOD_POLICY_H */
