/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For kernels that have no such header (6.6): found after the kernel's own
 */
#include <crypto/algapi.h>
