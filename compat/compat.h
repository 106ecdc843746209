/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the sources expect of the newest kernel, for older ones
 *
 * Included before each source. A macro that takes arguments hides a function
 * where it is defined or called, and leaves alone where its address is taken:
 * so the sources show the newest prototypes, and the old ones are met by the
 * functions here.
 */
#ifndef _TEREDO_COMPAT_H
#define _TEREDO_COMPAT_H

#include "drop.h"
#include "genl.h"
#include "link.h"
#include "tunnel.h"
#include "udp.h"

#endif /* _TEREDO_COMPAT_H */
