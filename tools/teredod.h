/* SPDX-License-Identifier: GPL-2.0 */
/*
 * teredod - qualification helper of a Teredo client device
 *
 * Functions that can fail return 0 or a negative errno; those that say so
 * have logged the reason.
 */
#ifndef _TEREDOD_H
#define _TEREDOD_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>
#include <uv.h>
#include <linux/teredo.h>
#include <linux/types.h>

#include "genl.h"
#include "teredo_proto.h"
#include "teredod_interval.h"
#include "teredod_options.h"
#include "teredod_policy.h"
#include "teredod_ra.h"
#include "teredod_servers.h"
#include "teredod_timer.h"

/**
 * struct teredod_conf - what the device is configured to (rtnetlink)
 * @prefix: first 32 bits of the service prefix
 * @server: primary address of the server, 0 if none is configured
 * @secondary: its secondary address, 0 if it is to be derived
 * @local: outer source address, 0 if the route decides
 * @port: service port, 0 if it is random
 * @lower: interface of the underlay, 0 if the route decides
 * @mark: firewall mark of outer packets
 * @private_ok: private and documentation addresses count as global (G-14)
 */
struct teredod_conf {
	__be32	prefix;
	__be32	server;
	__be32	secondary;
	__be32	local;
	__be16	port;
	__u32	lower;
	__u32	mark;
	bool	private_ok;
};

/**
 * struct teredod_link - the device as rtnetlink shows it
 * @name: its name
 * @kind_ok: is a Teredo device
 * @mode: enum teredo_mode
 * @up: can send: administratively up, and the carrier is there
 * @elsewhere: the underlay is in another network namespace
 * @mtu: MTU
 * @conf: configuration
 */
struct teredod_link {
	char			name[IF_NAMESIZE];
	bool			kind_ok;
	__u8			mode;
	bool			up;
	bool			elsewhere;
	__u32			mtu;
	struct teredod_conf	conf;
};

/**
 * struct teredod_binding - what qualification learned
 * @prefix: first 32 bits of the service prefix
 * @server: primary address of the server
 * @secondary: its secondary address
 * @mapped: mapped address and port
 * @flags: flags of the address, host order
 * @nat: enum teredo_nat
 *
 * Valid if @mapped.port is not 0.
 */
struct teredod_binding {
	__be32			prefix;
	__be32			server;
	__be32			secondary;
	struct teredo_ep	mapped;
	__u16			flags;
	__u32			nat;
};

/**
 * struct teredod_dev - the device as dev-get shows it
 * @state: enum teredo_state
 * @port: service port, 0 until the device is up
 * @binding: what the kernel holds of an earlier qualification
 * @version: version of the module
 */
struct teredod_dev {
	__u32			state;
	__be16			port;
	struct teredod_binding	binding;
	char			version[32];
};

/* struct teredod_ctrl - a control packet from one of the servers */
struct teredod_ctrl {
	struct teredo_ep	from;
	__be32			local;
	const __u8		*payload;
	size_t			len;
};

/**
 * struct teredod_kernel - generic netlink sockets
 * @req: for requests
 * @ctrl: the socket that is bound to the device, for control packets
 * @poll: waits for @ctrl
 * @told: the state that the kernel was told last, since the device is up
 */
struct teredod_kernel {
	struct genl		req;
	struct genl		ctrl;
	uv_poll_t		poll;
	enum teredo_state	told;
};

/**
 * struct teredod_net - rtnetlink sockets
 * @req: for requests about the device
 * @link: notifications about links in the device's network namespace
 * @lower_req: for requests about the underlay, NULL if that is not known
 * @lower: notifications about the underlay
 * @link_poll: waits for @link
 * @lower_poll: waits for @lower
 * @settle: runs while changes of the underlay may still come in
 * @netns: the underlay's network namespace, -1 if it is the helper's own or
 *	not known
 * @own_netns: the helper's own, -1 if that is not needed
 */
struct teredod_net {
	struct mnl_socket	*req;
	struct mnl_socket	*link;
	struct mnl_socket	*lower_req;
	struct mnl_socket	*lower;
	uv_poll_t		link_poll;
	uv_poll_t		lower_poll;
	uv_timer_t		settle;
	int			netns;
	int			own_netns;
};

/**
 * enum qual_phase - where qualification is (CL-Q)
 * @QUAL_DOWN: the device cannot send
 * @QUAL_ERROR: no server is configured
 * @QUAL_STANDDOWN: waits until the host has no other IPv6
 * @QUAL_OFFLINE: waits for the next attempt
 * @QUAL_RESOLVE: waits for the addresses of servers
 * @QUAL_PRIMARY: the primary address has been asked
 * @QUAL_SECONDARY: the secondary address has been asked
 * @QUAL_QUALIFIED: waits for the next refresh
 * @QUAL_REFRESH: qualified, the primary address has been asked
 * @QUAL_RECHECK: qualified, the secondary address has been asked
 */
enum qual_phase {
	QUAL_DOWN,
	QUAL_ERROR,
	QUAL_STANDDOWN,
	QUAL_OFFLINE,
	QUAL_RESOLVE,
	QUAL_PRIMARY,
	QUAL_SECONDARY,
	QUAL_QUALIFIED,
	QUAL_REFRESH,
	QUAL_RECHECK,
};

/**
 * struct teredod_qual - state of qualification
 * @phase: where it is
 * @inherit: the device may have state, address and route of an earlier helper
 * @underlay: route to the server when it was first asked
 * @port: service port
 * @nonce: nonce of the phase (CL-Q-31)
 * @tries: solicitations sent in the phase
 * @asked: when the last one was sent, ms of CLOCK_BOOTTIME
 * @send_error: why it was not sent, 0 if it was
 * @refused: why the last answer in the phase was not taken, RA_OK if none came
 * @refused_addr: mapped address that it told
 * @icmp_type: ICMP error in the phase, 0 if there was none
 * @icmp_code: its code
 * @mapped: mapping that the primary address told last
 * @local: address that this answer came to
 * @mtu: MTU option of this answer
 * @chosen_mtu: MTU that was last found to be right, 0 at first
 * @new_key: the server asked for a new key
 * @refreshed: when it was asked for, ms of CLOCK_BOOTTIME
 * @refreshes: answers since the secondary address was asked
 * @binding: result in use, or the last one
 * @address: address on the device
 * @address_set: @address and route are set
 * @stood_down: when that began, ms of CLOCK_BOOTTIME
 * @retry: seconds to the attempt after the next failure
 * @timer: expires when the phase has something to do
 */
struct teredod_qual {
	enum qual_phase		phase;
	bool			inherit;
	struct teredod_underlay	underlay;
	__be16			port;
	__u8			nonce[RA_NONCE_LEN];
	unsigned int		tries;
	__u64			asked;
	int			send_error;
	enum ra_result		refused;
	__be32			refused_addr;
	__u8			icmp_type;
	__u8			icmp_code;
	struct teredo_ep	mapped;
	__be32			local;
	__u32			mtu;
	__u32			chosen_mtu;
	bool			new_key;
	__u64			refreshed;
	unsigned int		refreshes;
	struct teredod_binding	binding;
	struct in6_addr		address;
	bool			address_set;
	__u64			stood_down;
	unsigned int		retry;
	struct timer		timer;
};

/**
 * struct teredod - the helper of one device
 * @loop: event loop
 * @ifindex: the device
 * @to_syslog: log there, not to standard error
 * @status: exit status
 * @options: the configuration file
 * @link: the device
 * @kernel: generic netlink
 * @net: rtnetlink
 * @policy: other IPv6
 * @servers: servers to qualify with
 * @qual: qualification
 * @interval: time between refreshes
 * @wakeup: tells when the host was asleep
 * @signals: SIGTERM and SIGINT
 */
struct teredod {
	uv_loop_t		loop;
	int			ifindex;
	bool			to_syslog;
	int			status;
	struct options		options;
	struct teredod_link	link;
	struct teredod_kernel	kernel;
	struct teredod_net	net;
	struct policy		policy;
	struct servers		servers;
	struct teredod_qual	qual;
	struct interval		interval;
	struct wakeup		wakeup;
	uv_signal_t		signals[2];
};

/* teredod.c */
__attribute__((format(printf, 3, 4)))
void teredod_log(const struct teredod *t, int level, const char *fmt, ...);
void teredod_stop(struct teredod *t, int status);

/* First in the callback of a socket for notifications. libuv stops to poll one
 * that has lost some (@status is an error); what is there can still be read.
 */
void teredod_poll_on(uv_poll_t *poll, int status, uv_poll_cb cb);

const struct auth_key *teredod_key(const struct teredod *t); /* or NULL */

/* teredod_kernel.c */
int teredod_kernel_open(struct teredod *t);	/* logs */
int teredod_kernel_bind(struct teredod *t);	/* logs */
int teredod_kernel_watch(struct teredod *t);
void teredod_kernel_close(struct teredod *t);
int teredod_kernel_get(struct teredod *t, struct teredod_dev *dev);
bool teredod_kernel_forgot(struct teredod *t);
int teredod_kernel_send(struct teredod *t, struct teredo_ep to,
			const void *payload, size_t len);
int teredod_kernel_refuse(struct teredod *t, enum teredo_refusal why,
			  struct teredo_ep from);
int teredod_kernel_set_state(struct teredod *t, enum teredo_state state,
			     enum teredo_nat nat, const char *reason);
int teredod_kernel_set_probe(struct teredod *t, const struct server *server);
int teredod_kernel_set_qualified(struct teredod *t,
				 const struct teredod_binding *b,
				 __u32 lifetime, const char *reason);
int teredod_kernel_forget_peers(struct teredod *t);

/* teredod_net.c */
int teredod_net_open(struct teredod *t);	/* logs */
int teredod_net_open_underlay(struct teredod *t, const char *netns); /* logs */
int teredod_net_enter(const struct teredod_net *n);
void teredod_net_leave(const struct teredod_net *n);
int teredod_net_watch(struct teredod *t);
void teredod_net_close(struct teredod *t);
int teredod_net_link(struct teredod *t, const char *name);
int teredod_net_underlay(struct teredod *t, __be32 server,
			 struct teredod_underlay *u);
/* Has teredod_qual_underlay_changed() called soon */
void teredod_net_settle(struct teredod *t);
int teredod_net_add_address(struct teredod *t, const struct in6_addr *addr,
			    __u32 lifetime, bool deprecated);
int teredod_net_del_address(struct teredod *t, const struct in6_addr *addr);
int teredod_net_del_stale(struct teredod *t, const struct in6_addr *keep);
int teredod_net_add_route(struct teredod *t, __u32 lifetime);
int teredod_net_del_route(struct teredod *t);
int teredod_net_set_mtu(struct teredod *t, __u32 mtu);

/* teredod_binding.c */
/* Makes the mapping that was learned the one in use, or renews it */
int binding_adopt(struct teredod *t, enum teredo_nat nat, struct reason *why);
/* Goes on with the one that the device has */
bool binding_inherit(struct teredod *t, const struct teredod_dev *dev);
/* No new connections by the address */
void binding_deprecate(struct teredod *t);
/* Takes address and route off the device, those of an earlier helper too */
void binding_withdraw(struct teredod *t);

/* teredod_qual.c */
int teredod_qual_open(struct teredod *t);
void teredod_qual_close(struct teredod *t);
void teredod_qual_start(struct teredod *t);
void teredod_qual_link_changed(struct teredod *t,
			       const struct teredod_link *link);
void teredod_qual_underlay_changed(struct teredod *t);
void teredod_qual_policy_changed(struct teredod *t);
void teredod_qual_servers(struct teredod *t, const char *error);
void teredod_qual_woken(struct teredod *t, __u64 slept);
void teredod_qual_recv(struct teredod *t, const struct teredod_ctrl *pkt);
void teredod_qual_icmp(struct teredod *t, __u8 type, __u8 code);
void teredod_qual_stop(struct teredod *t);

#endif /* _TEREDOD_H */
