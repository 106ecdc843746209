/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reasons of drops as they are now, for older kernels
 */
#ifndef _TEREDO_COMPAT_DROP_H
#define _TEREDO_COMPAT_DROP_H

#ifndef HAVE_DROP_TUNNEL_ECN			/* 6.12 */
#define SKB_DROP_REASON_IP_TUNNEL_ECN	SKB_DROP_REASON_NOT_SPECIFIED
#endif

#endif /* _TEREDO_COMPAT_DROP_H */
