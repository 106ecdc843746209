/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the helper is told by its configuration file
 */
#ifndef _TEREDOD_OPTIONS_H
#define _TEREDOD_OPTIONS_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <linux/types.h>

#include "teredod_auth.h"

#define OPTIONS_SERVERS		16
#define OPTIONS_NAME_MAX	253	/* of a host, RFC 1035 */

/**
 * struct options - keys of the file, or their defaults
 * @servers: names or addresses, instead of the device's own
 * @n_servers: how many; 0: the device's own
 * @secondary: name or address of the secondary, empty if not given
 * @interval: seconds between refreshes (C-09)
 * @determine: find a longer interval (CL-I)
 * @nat_detect: ask the secondary address (CL-Q-38)
 * @symmetric: qualify behind a symmetric NAT (CL-Q-14)
 * @force: do not stand down for other IPv6 (CL-O-01)
 * @secret_file: where the secret is, empty if none is given
 * @key: for secure qualification; without it @key.id_len is 0
 */
struct options {
	char		servers[OPTIONS_SERVERS][OPTIONS_NAME_MAX + 1];
	unsigned int	n_servers;
	char		secondary[OPTIONS_NAME_MAX + 1];
	__u32		interval;
	bool		determine;
	bool		nat_detect;
	bool		symmetric;
	bool		force;
	char		secret_file[PATH_MAX];
	struct auth_key	key;
};

void options_init(struct options *o);

/**
 * options_read - what a file says about a device
 * @o: defaults, and the result
 * @path: the file
 * @dev: IF_NAMESIZE octets with the device's name; an empty one becomes that of
 *	the file's only section
 * @error: where the reason goes, with the number of the line
 * @size: of @error
 *
 * Return: 0, or -1 with @error set.
 */
int options_read(struct options *o, const char *path, char *dev, char *error,
		 size_t size);

#endif /* _TEREDOD_OPTIONS_H */
