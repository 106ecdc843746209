// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file
 *
 *	server = teredo.example.net	; for every device
 *
 *	[teredo0]			; for this one alone
 *	refresh-interval = 25
 *
 * All of it is checked, the sections of other devices too.
 */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "teredod_options.h"

#define INTERVAL_DEFAULT	30	/* C-09, seconds */
#define INTERVAL_MIN		5
#define INTERVAL_MAX		600

/**
 * struct reader - a file that is being read
 * @file: the file
 * @line: number of the line that was read last
 * @dev: the device that is asked for, empty if none is named
 * @found: the last section
 * @n_found: how often the section changed
 * @seen: keys of the section, a bit each
 * @wanted: options of the device
 * @other: options of the others, not used for anything
 * @bad_line: line of the first error, 0 if there is none
 * @error: what it is
 */
struct reader {
	FILE		*file;
	int		line;
	const char	*dev;
	char		found[IF_NAMESIZE];
	unsigned int	n_found;
	unsigned int	seen;
	struct options	*wanted;
	struct options	other;
	int		bad_line;
	char		error[256];
};

void options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->interval = INTERVAL_DEFAULT;
	o->nat_detect = true;
	o->symmetric = true;
}

/* Only the first one is told. Returns what inih takes for an error. */
__attribute__((format(printf, 2, 3)))
static int wrong(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	if (r->bad_line)
		return 0;
	r->bad_line = r->line;
	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	return 0;
}

static int set_switch(struct reader *r, bool *where, const char *key,
		      const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return wrong(r, "%s is \"on\" or \"off\", not \"%s\"", key,
			     value);
	*where = !strcmp(value, "on");
	return 1;
}

static int set_text(struct reader *r, char *where, size_t size,
		    const char *key, const char *value)
{
	if (!*value)
		return wrong(r, "%s is empty", key);
	if (strlen(value) >= size)
		return wrong(r, "%s is longer than %zu characters", key,
			     size - 1);
	strcpy(where, value);
	return 1;
}

static int set_servers(struct reader *r, struct options *o, const char *key,
		       const char *value)
{
	char *words = strdup(value);
	char *rest = words;
	char *word;
	int ok = 1;

	while (ok && (word = strsep(&rest, " \t,"))) {
		if (!*word)
			continue;
		if (o->n_servers == OPTIONS_SERVERS)
			ok = wrong(r, "more than %u servers",
				   OPTIONS_SERVERS);
		else
			ok = set_text(r, o->servers[o->n_servers++],
				      sizeof(o->servers[0]), key, word);
	}
	free(words);
	if (ok && !o->n_servers)
		return wrong(r, "%s is empty", key);
	return ok;
}

static int set_secondary(struct reader *r, struct options *o, const char *key,
			 const char *value)
{
	if (strpbrk(value, " \t,"))
		return wrong(r, "%s is one name or address", key);
	return set_text(r, o->secondary, sizeof(o->secondary), key, value);
}

static int set_interval(struct reader *r, struct options *o, const char *key,
			const char *value)
{
	unsigned long seconds;
	char *end;

	errno = 0;
	seconds = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno ||
	    seconds < INTERVAL_MIN || seconds > INTERVAL_MAX)
		return wrong(r, "%s is a number of seconds from %u to %u, not \"%s\"",
			     key, INTERVAL_MIN, INTERVAL_MAX, value);
	o->interval = seconds;
	return 1;
}

static int set_determine(struct reader *r, struct options *o, const char *key,
			 const char *value)
{
	return set_switch(r, &o->determine, key, value);
}

static int set_nat_detect(struct reader *r, struct options *o,
			  const char *key, const char *value)
{
	return set_switch(r, &o->nat_detect, key, value);
}

static int set_symmetric(struct reader *r, struct options *o, const char *key,
			 const char *value)
{
	return set_switch(r, &o->symmetric, key, value);
}

static int set_force(struct reader *r, struct options *o, const char *key,
		     const char *value)
{
	return set_switch(r, &o->force, key, value);
}

/* 0x and pairs of digits, as for teredoctl key; what is not is text */
static bool id_from_hex(struct auth_key *k, const char *text)
{
	size_t digits = strlen(text);
	unsigned int octet;
	size_t i;

	if (strncmp(text, "0x", 2) || digits < 4 || digits % 2 ||
	    digits / 2 - 1 > AUTH_ID_MAX ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != digits - 2)
		return false;
	k->id_len = digits / 2 - 1;
	for (i = 0; i < k->id_len; i++) {
		sscanf(text + 2 + 2 * i, "%2x", &octet);
		k->id[i] = octet;
	}
	return true;
}

static int set_identifier(struct reader *r, struct options *o,
			  const char *key, const char *value)
{
	char id[AUTH_ID_MAX + 1];

	if (id_from_hex(&o->key, value))
		return 1;
	if (!set_text(r, id, sizeof(id), key, value))
		return 0;
	o->key.id_len = strlen(id);
	memcpy(o->key.id, id, o->key.id_len);
	return 1;
}

static int set_secret_file(struct reader *r, struct options *o,
			   const char *key, const char *value)
{
	return set_text(r, o->secret_file, sizeof(o->secret_file), key, value);
}

static int set_algorithm(struct reader *r, struct options *o, const char *key,
			 const char *value)
{
	if (auth_algorithm(value, &o->key.algorithm) < 0)
		return wrong(r, "%s is \"hmac-sha1\" or \"hmac-sha256\", not \"%s\"",
			     key, value);
	return 1;
}

#define KEY_SERVER	0
#define KEY_SECONDARY	1

static const struct {
	const char *name;
	int (*set)(struct reader *r, struct options *o, const char *key,
		   const char *value);
} keys[] = {
	[KEY_SERVER] = { "server",	set_servers },
	[KEY_SECONDARY] = { "secondary", set_secondary },
	{ "refresh-interval",		set_interval },
	{ "interval-determination",	set_determine },
	{ "nat-detect",			set_nat_detect },
	{ "symmetric",			set_symmetric },
	{ "force",			set_force },
	{ "identifier",			set_identifier },
	{ "secret-file",		set_secret_file },
	{ "algorithm",			set_algorithm },
};

#define N_KEYS	(sizeof(keys) / sizeof(keys[0]))

static int enter_section(struct reader *r, const char *name)
{
	if (!strcmp(name, r->found))
		return 1;
	if (strlen(name) >= sizeof(r->found))
		return wrong(r, "[%s] is not the name of a device", name);
	strcpy(r->found, name);
	r->n_found++;
	r->seen = 0;
	return 1;
}

/* inih calls this for each key */
static int got_key(void *user, const char *section, const char *name,
		   const char *value)
{
	struct reader *r = user;
	struct options *o = &r->other;
	size_t i;

	if (!enter_section(r, section))
		return 0;
	if (!*section || !strcmp(section, r->dev))
		o = r->wanted;
	for (i = 0; i < N_KEYS; i++)
		if (!strcmp(name, keys[i].name))
			break;
	if (i == N_KEYS)
		return wrong(r, "unknown key \"%s\"", name);
	if (i == KEY_SERVER) {
		/* those of a section take the place of the common ones, and
		 * of what belongs to these
		 */
		if (!(r->seen & 1U << KEY_SERVER))
			o->n_servers = 0;
		if (!(r->seen & (1U << KEY_SERVER | 1U << KEY_SECONDARY)))
			o->secondary[0] = '\0';
	} else if (r->seen & 1U << i) {
		return wrong(r, "%s is given twice", name);
	}
	r->seen |= 1U << i;
	return keys[i].set(r, o, name, value);
}

/* inih's fgets(). It would take the rest of a long line for another line, and
 * an indented one for more of the value before it.
 */
static char *next_line(char *buf, int size, void *stream)
{
	struct reader *r = stream;
	size_t blanks;

	if (!fgets(buf, size, r->file))
		return NULL;
	r->line++;
	if (!strchr(buf, '\n') && !feof(r->file))
		wrong(r, "the line is longer than %d characters", size - 2);
	blanks = strspn(buf, " \t");
	memmove(buf, buf + blanks, strlen(buf + blanks) + 1);
	return buf;
}

static int read_once(struct reader *r)
{
	int line;

	rewind(r->file);
	r->line = 0;
	r->found[0] = '\0';
	r->n_found = 0;
	r->seen = 0;
	line = ini_parse_stream(next_line, r, got_key, r);
	/* what is not a key does not come to us */
	if (line > 0 && (!r->bad_line || line < r->bad_line)) {
		r->bad_line = line;
		snprintf(r->error, sizeof(r->error),
			 "neither [DEVICE] nor KEY = VALUE");
	}
	return r->bad_line ? -1 : 0;
}

/* Without a name it is clear which device is meant if the file has one */
static int choose_device(struct reader *r, char *dev)
{
	struct options *wanted = r->wanted;

	if (*dev)
		return 0;
	r->wanted = &r->other;
	if (read_once(r) < 0)
		return -1;
	r->wanted = wanted;
	if (r->n_found != 1) {
		snprintf(r->error, sizeof(r->error), "%s, so say which device",
			 r->n_found ? "several sections" : "no section");
		return -1;
	}
	strcpy(dev, r->found);
	return 0;
}

/* Nobody but root may have read it (CL-S-10). The newline that editors put at
 * the end does not belong to it.
 */
static int read_secret(struct options *o, char *error, size_t size)
{
	__u8 buf[AUTH_SECRET_MAX + 2];
	struct auth_key *k = &o->key;
	struct stat st;
	ssize_t len;
	int fd;

	fd = open(o->secret_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(error, size, "%s: %s", o->secret_file,
			 strerror(errno));
		goto close;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid || st.st_mode & 077) {
		snprintf(error, size,
			 "%s: has to be a file of root that nobody else may read or write",
			 o->secret_file);
		goto close;
	}
	len = read(fd, buf, sizeof(buf));
	if (len < 0) {
		snprintf(error, size, "%s: %s", o->secret_file,
			 strerror(errno));
		goto close;
	}
	if (len && buf[len - 1] == '\n')
		len--;
	if (!len || len > AUTH_SECRET_MAX) {
		snprintf(error, size, "%s: a secret has 1 to %u octets",
			 o->secret_file, AUTH_SECRET_MAX);
		goto clear;
	}
	memcpy(k->secret, buf, len);
	k->secret_len = len;
	explicit_bzero(buf, sizeof(buf));
	close(fd);
	return 0;

clear:
	explicit_bzero(buf, sizeof(buf));
close:
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What no line is wrong for by itself */
static int check_whole(struct options *o, const char *path, char *error,
		       size_t size)
{
	const char *what = NULL;

	if (o->secondary[0] && o->n_servers != 1)
		what = "secondary belongs to one server";
	else if (o->determine && o->interval != INTERVAL_DEFAULT)
		what = "either refresh-interval or interval-determination";
	else if (!o->key.id_len != !o->secret_file[0])
		what = "identifier and secret-file belong together";
	else if (!o->key.id_len && o->key.algorithm)
		what = "algorithm needs identifier and secret-file";
	if (what) {
		snprintf(error, size, "%s: %s", path, what);
		return -1;
	}
	return o->key.id_len ? read_secret(o, error, size) : 0;
}

int options_read(struct options *o, const char *path, char *dev, char *error,
		 size_t size)
{
	struct reader r = { .dev = dev, .wanted = o };
	int err;

	r.file = fopen(path, "re");
	if (!r.file) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	err = choose_device(&r, dev);
	if (!err)
		err = read_once(&r);
	if (err < 0 && r.bad_line)
		snprintf(error, size, "%s:%d: %s", path, r.bad_line, r.error);
	else if (err < 0)
		snprintf(error, size, "%s: %s", path, r.error);
	fclose(r.file);
	return err < 0 ? err : check_whole(o, path, error, size);
}
