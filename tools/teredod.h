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
#include "teredod_ra.h"

#define TEREDOD_MAX_SERVERS	16

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
 * struct teredod_underlay - how IPv4 packets to the server leave the host
 * @known: there is a socket in the underlay's network namespace to ask
 * @reachable: there is a route
 * @source: preferred source address
 * @gateway: next hop, 0 if the server is on the link
 * @ifindex: interface
 * @mtu: its MTU, 0 if that is not known
 */
struct teredod_underlay {
	bool	known;
	bool	reachable;
	__be32	source;
	__be32	gateway;
	__u32	ifindex;
	__u32	mtu;
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
 */
struct teredod_kernel {
	struct genl	req;
	struct genl	ctrl;
	uv_poll_t	poll;
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
 * @seq: sequence number of the last request
 */
struct teredod_net {
	struct mnl_socket	*req;
	struct mnl_socket	*link;
	struct mnl_socket	*lower_req;
	struct mnl_socket	*lower;
	uv_poll_t		link_poll;
	uv_poll_t		lower_poll;
	uv_timer_t		settle;
	__u32			seq;
};

/* struct teredod_server - an address to qualify with */
struct teredod_server {
	__be32	primary;
	__be32	secondary;
	bool	derived;	/* the secondary is a guess: primary + 1 */
};

/**
 * enum qual_phase - where qualification is (CL-Q)
 * @QUAL_DOWN: the device cannot send
 * @QUAL_ERROR: no server is configured
 * @QUAL_OFFLINE: waits for the next attempt
 * @QUAL_PRIMARY: the primary address has been asked
 * @QUAL_SECONDARY: the secondary address has been asked
 * @QUAL_QUALIFIED: waits for the next refresh
 * @QUAL_REFRESH: qualified, the primary address has been asked
 * @QUAL_RECHECK: qualified, the secondary address has been asked
 */
enum qual_phase {
	QUAL_DOWN,
	QUAL_ERROR,
	QUAL_OFFLINE,
	QUAL_PRIMARY,
	QUAL_SECONDARY,
	QUAL_QUALIFIED,
	QUAL_REFRESH,
	QUAL_RECHECK,
};

/**
 * struct teredod_qual - state of qualification
 * @phase: where it is
 * @servers: addresses to try
 * @n_servers: how many
 * @server: index of the one in use
 * @failed: how many of them failed one after the other
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
 * @refreshed: when it was asked for, ms of CLOCK_BOOTTIME
 * @refreshes: answers since the secondary address was asked
 * @binding: result in use, or the last one
 * @address: address on the device
 * @address_set: @address and route are set
 * @retry: seconds to the attempt after the next failure
 * @timer: timerfd, expires when the phase has something to do; counts through
 *	suspend (V-06)
 * @poll: waits for @timer
 */
struct teredod_qual {
	enum qual_phase		phase;
	struct teredod_server	servers[TEREDOD_MAX_SERVERS];
	unsigned int		n_servers;
	unsigned int		server;
	unsigned int		failed;
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
	__u64			refreshed;
	unsigned int		refreshes;
	struct teredod_binding	binding;
	struct in6_addr		address;
	bool			address_set;
	unsigned int		retry;
	int			timer;
	uv_poll_t		poll;
};

/**
 * struct teredod - the helper of one device
 * @loop: event loop
 * @ifindex: the device
 * @to_syslog: log there, not to standard error
 * @status: exit status
 * @link: the device
 * @kernel: generic netlink
 * @net: rtnetlink
 * @qual: qualification
 * @signals: SIGTERM and SIGINT
 */
struct teredod {
	uv_loop_t		loop;
	int			ifindex;
	bool			to_syslog;
	int			status;
	struct teredod_link	link;
	struct teredod_kernel	kernel;
	struct teredod_net	net;
	struct teredod_qual	qual;
	uv_signal_t		signals[2];
};

/* teredod.c */
__attribute__((format(printf, 3, 4)))
void teredod_log(const struct teredod *t, int level, const char *fmt, ...);
void teredod_stop(struct teredod *t, int status);

/* teredod_kernel.c */
int teredod_kernel_open(struct teredod *t);	/* logs */
int teredod_kernel_bind(struct teredod *t);	/* logs */
int teredod_kernel_watch(struct teredod *t);
void teredod_kernel_close(struct teredod *t);
int teredod_kernel_get(struct teredod *t, struct teredod_dev *dev);
int teredod_kernel_send(struct teredod *t, __be32 server, const void *payload,
			size_t len);
int teredod_kernel_set_state(struct teredod *t, enum teredo_state state,
			     enum teredo_nat nat, const char *reason);
int teredod_kernel_set_qualified(struct teredod *t,
				 const struct teredod_binding *b,
				 __u32 lifetime);

/* teredod_net.c */
int teredod_net_open(struct teredod *t);	/* logs */
int teredod_net_open_underlay(struct teredod *t, const char *netns); /* logs */
int teredod_net_watch(struct teredod *t);
void teredod_net_close(struct teredod *t);
int teredod_net_link(struct teredod *t, const char *name);
int teredod_net_underlay(struct teredod *t, __be32 server,
			 struct teredod_underlay *u);
int teredod_net_add_address(struct teredod *t, const struct in6_addr *addr,
			    __u32 lifetime, bool deprecated);
int teredod_net_del_address(struct teredod *t, const struct in6_addr *addr);
int teredod_net_del_stale(struct teredod *t, const struct in6_addr *keep);
int teredod_net_add_route(struct teredod *t, __u32 lifetime);
int teredod_net_del_route(struct teredod *t);
int teredod_net_set_mtu(struct teredod *t, __u32 mtu);

/* teredod_qual.c */
int teredod_qual_open(struct teredod *t);
void teredod_qual_close(struct teredod *t);
void teredod_qual_start(struct teredod *t);
void teredod_qual_link_changed(struct teredod *t,
			       const struct teredod_link *link);
void teredod_qual_underlay_changed(struct teredod *t);
void teredod_qual_recv(struct teredod *t, const struct teredod_ctrl *pkt);
void teredod_qual_icmp(struct teredod *t, __u8 type, __u8 code);
void teredod_qual_stop(struct teredod *t);

#endif /* _TEREDOD_H */
