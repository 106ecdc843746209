// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl: names of the counters
 *
 * The names are those of the netlink attributes, the explanations those of
 * Documentation/netlink/specs/teredo.yaml.
 */
#include <linux/teredo.h>

#include "teredoctl.h"

static const struct {
	const char *name;
	const char *help;
} stats[] = {
	[TEREDO_A_STATS_RX_DOWN] = {
		"rx_down",
		"datagram while the device is not up or not qualified",
	},
	[TEREDO_A_STATS_RX_SHORT] = {
		"rx_short",
		"too short for the headers it announces",
	},
	[TEREDO_A_STATS_RX_VERSION] = {
		"rx_version",
		"not IPv6 where IPv6 should start",
	},
	[TEREDO_A_STATS_RX_LENGTH] = {
		"rx_length",
		"payload length is larger than what is there",
	},
	[TEREDO_A_STATS_RX_HEADER] = {
		"rx_header",
		"unknown, repeated or misplaced header",
	},
	[TEREDO_A_STATS_RX_ORIGIN] = {
		"rx_origin",
		"origin indication from another than the own server",
	},
	[TEREDO_A_STATS_RX_TRAILER] = {
		"rx_trailer",
		"unknown trailer that asks for a drop",
	},
	[TEREDO_A_STATS_RX_MARTIAN6] = {
		"rx_martian6",
		"impossible IPv6 source or destination",
	},
	[TEREDO_A_STATS_RX_NOT_MINE] = {
		"rx_not_mine",
		"IPv6 destination is not the client's address",
	},
	[TEREDO_A_STATS_RX_SELF] = {
		"rx_self",
		"IPv6 source is the client's own",
	},
	[TEREDO_A_STATS_RX_LINKLOCAL] = {
		"rx_linklocal",
		"link-local source where none is allowed",
	},
	[TEREDO_A_STATS_RX_ND] = {
		"rx_nd",
		"Neighbor Discovery inside the tunnel, a solicitation that "
		"is not valid, or more than 12 extension headers",
	},
	[TEREDO_A_STATS_RX_TYPE] = {
		"rx_type",
		"of a kind that a server does not forward, or a client does "
		"not take with an origin indication",
	},
	[TEREDO_A_STATS_RX_BAD_MAPPING] = {
		"rx_bad_mapping",
		"outer source is not the peer's mapping",
	},
	[TEREDO_A_STATS_RX_NOT_GLOBAL] = {
		"rx_not_global",
		"outer or embedded IPv4 address is not global",
	},
	[TEREDO_A_STATS_RX_UNTRUSTED] = {
		"rx_untrusted",
		"native source that has not passed its connectivity test",
	},
	[TEREDO_A_STATS_RX_UNKNOWN] = {
		"rx_unknown",
		"a client that the relay did not contact first",
	},
	[TEREDO_A_STATS_RX_NOT_SERVED] = {
		"rx_not_served",
		"destination that the relay does not serve",
	},
	[TEREDO_A_STATS_RX_RA_SOURCE] = {
		"rx_ra_source",
		"router advertisement from another than the own server",
	},
	[TEREDO_A_STATS_RX_CTRL_FULL] = {
		"rx_ctrl_full",
		"control packet lost, no helper or its queue is full",
	},
	[TEREDO_A_STATS_RX_AUTH] = {
		"rx_auth",
		"solicitation that a secure server cannot verify",
	},
	[TEREDO_A_STATS_RX_BAD_SOURCE] = {
		"rx_bad_source",
		"source that a server may not forward",
	},
	[TEREDO_A_STATS_RX_LOOP] = {
		"rx_loop",
		"packet that came from here already",
	},
	[TEREDO_A_STATS_RX_LOOP6324] = {
		"rx_loop6324",
		"destination embeds an address of this host",
	},
	[TEREDO_A_STATS_RX_RATE] = {
		"rx_rate",
		"above the rate limit of a server",
	},
	[TEREDO_A_STATS_RX_TEST_LIMITED] = {
		"rx_test_limited",
		"connectivity test not made, limit reached",
	},
	[TEREDO_A_STATS_RX_DISC_UNICAST] = {
		"rx_disc_unicast",
		"discovery bubble on a unicast address",
	},
	[TEREDO_A_STATS_RX_DISC_SOURCE] = {
		"rx_disc_source",
		"discovery bubble with a bad source",
	},
	[TEREDO_A_STATS_RX_DISC_MAPPED] = {
		"rx_disc_mapped",
		"discovery bubble from behind another NAT",
	},
	[TEREDO_A_STATS_RX_ALT_INVALID] = {
		"rx_alt_invalid",
		"malformed alternate addresses",
	},
	[TEREDO_A_STATS_RX_BAD_NONCE] = {
		"rx_bad_nonce",
		"nonce that was not sent to this peer",
	},
	[TEREDO_A_STATS_RX_ECN] = {
		"rx_ecn",
		"congestion mark on a packet that cannot carry it",
	},
	[TEREDO_A_STATS_RX_NO_MEMORY] = {
		"rx_no_memory",
		"no memory for a received packet",
	},
	[TEREDO_A_STATS_TX_DOWN] = {
		"tx_down",
		"packet for a device that cannot send",
	},
	[TEREDO_A_STATS_TX_UNQUALIFIED] = {
		"tx_unqualified",
		"packet from the stack before qualification",
	},
	[TEREDO_A_STATS_TX_SCOPE] = {
		"tx_scope",
		"multicast or link-local destination",
	},
	[TEREDO_A_STATS_TX_SOURCE] = {
		"tx_source",
		"source that may not be sent from here",
	},
	[TEREDO_A_STATS_TX_FORWARDED] = {
		"tx_forwarded",
		"routed packet at a client or host-relay",
	},
	[TEREDO_A_STATS_TX_FOREIGN] = {
		"tx_foreign",
		"destination that the device does not serve",
	},
	[TEREDO_A_STATS_TX_NOT_GLOBAL] = {
		"tx_not_global",
		"embedded IPv4 address is not global",
	},
	[TEREDO_A_STATS_TX_SELF] = {
		"tx_self",
		"destination is this host itself",
	},
	[TEREDO_A_STATS_TX_BAD_PORT] = {
		"tx_bad_port",
		"embedded port is 0",
	},
	[TEREDO_A_STATS_TX_LOOP] = {
		"tx_loop",
		"packet that came out of a Teredo device",
	},
	[TEREDO_A_STATS_TX_LOOP6324] = {
		"tx_loop6324",
		"source embeds an address of this host",
	},
	[TEREDO_A_STATS_TX_BUBBLE_LIMITED] = {
		"tx_bubble_limited",
		"bubble or connectivity test not sent, limit reached",
	},
	[TEREDO_A_STATS_TX_QUEUE_FULL] = {
		"tx_queue_full",
		"waiting queue is full",
	},
	[TEREDO_A_STATS_TX_UNREACHABLE] = {
		"tx_unreachable",
		"peer did not answer",
	},
	[TEREDO_A_STATS_TX_TOO_BIG] = {
		"tx_too_big",
		"larger than the MTU",
	},
	[TEREDO_A_STATS_TX_NO_ROUTE] = {
		"tx_no_route",
		"no route to the endpoint",
	},
	[TEREDO_A_STATS_TX_NO_MEMORY] = {
		"tx_no_memory",
		"no memory for a packet to be sent",
	},
	[TEREDO_A_STATS_TX_RATE] = {
		"tx_rate",
		"above the rate limit of a server",
	},
	[TEREDO_A_STATS_TX_ALT_LIMITED] = {
		"tx_alt_limited",
		"alternate address not used, limit reached",
	},
	[TEREDO_A_STATS_ICMP6_LIMITED] = {
		"icmp6_limited",
		"ICMPv6 error not sent, limit reached",
	},
	[TEREDO_A_STATS_PEER_EVICTED] = {
		"peer_evicted",
		"peer removed to make room",
	},
	[TEREDO_A_STATS_PEER_LIMIT] = {
		"peer_limit",
		"peer not made, limit reached",
	},
	[TEREDO_A_STATS_RX_BUBBLES] = {
		"rx_bubbles",
		"bubbles received",
	},
	[TEREDO_A_STATS_TX_BUBBLES_DIRECT] = {
		"tx_bubbles_direct",
		"bubbles sent to the peer itself",
	},
	[TEREDO_A_STATS_TX_BUBBLES_INDIRECT] = {
		"tx_bubbles_indirect",
		"bubbles sent through the peer's server",
	},
	[TEREDO_A_STATS_TX_TESTS] = {
		"tx_tests",
		"connectivity tests sent",
	},
	[TEREDO_A_STATS_TX_ADVERTS] = {
		"tx_adverts",
		"router advertisements sent by a server",
	},
	[TEREDO_A_STATS_TX_RELAYED] = {
		"tx_relayed",
		"bubbles and tests forwarded by a server",
	},
	[TEREDO_A_STATS_RX_CTRL] = {
		"rx_ctrl",
		"control packets handed to the helper",
	},
	[TEREDO_A_STATS_TX_CTRL] = {
		"tx_ctrl",
		"control packets sent by the helper",
	},
	[TEREDO_A_STATS_RX_RA_UNSOLICITED] = {
		"rx_ra_unsolicited",
		"router advertisement that nobody waits for",
	},
	[TEREDO_A_STATS_RX_RA_NONCE] = {
		"rx_ra_nonce",
		"router advertisement with another nonce",
	},
	[TEREDO_A_STATS_RX_RA_AUTH] = {
		"rx_ra_auth",
		"router advertisement that is not authentic",
	},
	[TEREDO_A_STATS_RX_RA_INVALID] = {
		"rx_ra_invalid",
		"router advertisement that is malformed or useless",
	},
	[TEREDO_A_STATS_ECN_ODD] = {
		"ecn_odd",
		"packet with an ECN field that no tunnel should give it",
	},
	[TEREDO_A_STATS_ICMP_PEER] = {
		"icmp_peer",
		"ICMP errors for what was sent to a peer",
	},
	[TEREDO_A_STATS_ICMP_IGNORED] = {
		"icmp_ignored",
		"ICMP errors that belong to nothing that we sent, or change nothing",
	},
};

_Static_assert(ARRAY_SIZE(stats) == TEREDO_A_STATS_MAX + 1,
	       "a counter without a name");

const char *stats_name(unsigned int attr)
{
	return attr < ARRAY_SIZE(stats) ? stats[attr].name : NULL;
}

const char *stats_help(unsigned int attr)
{
	return attr < ARRAY_SIZE(stats) ? stats[attr].help : NULL;
}
