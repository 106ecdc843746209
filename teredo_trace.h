/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Teredo: the tracepoint of everything that is dropped
 *
 * No secrets and no nonces (SEC-67): addresses and the name of a counter.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM teredo

#if !defined(_TEREDO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TEREDO_TRACE_H

#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/tracepoint.h>

/*
 * teredo_drop - a packet is dropped, or one of ours not even made
 *
 * dir: rx from the tunnel, tx into it. counter: the cause, by the name that
 * `ethtool -S` gives. endpoint: rx the outer source, tx where it would have
 * gone, all zero if that is not known. saddr, daddr: IPv6, :: if they cannot
 * be read.
 */
TRACE_EVENT(teredo_drop,
	    TP_PROTO(const struct net_device *dev, bool tx,
		     const char *counter, __be32 addr, __be16 port,
		     const struct in6_addr *saddr,
		     const struct in6_addr *daddr),

	    TP_ARGS(dev, tx, counter, addr, port, saddr, daddr),

	    TP_STRUCT__entry(__array(char, dev, IFNAMSIZ)
			     __array(char, counter, ETH_GSTRING_LEN)
			     __field(bool, tx)
			     __field(u16, port)
			     __array(u8, addr, 4)
			     __array(u8, saddr, 16)
			     __array(u8, daddr, 16)
	    ),

	    TP_fast_assign(strscpy(__entry->dev, dev->name, IFNAMSIZ);
			   strscpy(__entry->counter, counter,
				   ETH_GSTRING_LEN);
			   __entry->tx = tx;
			   __entry->port = ntohs(port);
			   memcpy(__entry->addr, &addr, 4);
			   memcpy(__entry->saddr, saddr, 16);
			   memcpy(__entry->daddr, daddr, 16);
	    ),

	    TP_printk("dev=%s dir=%s counter=%s endpoint=%pI4:%u saddr=%pI6c daddr=%pI6c",
		      __entry->dev, __entry->tx ? "tx" : "rx",
		      __entry->counter, __entry->addr, __entry->port,
		      __entry->saddr, __entry->daddr)
);

#endif /* _TEREDO_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE teredo_trace
#include <trace/define_trace.h>
