// SPDX-License-Identifier: GPL-2.0
/*
 * teredod - qualification helper of a Teredo client device
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "teredod.h"

#define EXIT_USAGE	2

void teredod_log(const struct teredod *t, int level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!t->to_syslog)
		fprintf(stderr, "teredod: %s%s%s\n", t->link.name,
			t->link.name[0] ? ": " : "", line);
	else
		syslog(level, "%s%s%s", t->link.name,
		       t->link.name[0] ? ": " : "", line);
}

const struct auth_key *teredod_key(const struct teredod *t)
{
	return t->options.key.id_len ? &t->options.key : NULL;
}

void teredod_stop(struct teredod *t, int status)
{
	t->status = status;
	uv_stop(&t->loop);
}

void teredod_poll_on(uv_poll_t *poll, int status, uv_poll_cb cb)
{
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, cb);
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: teredod [-f] [-c FILE] [-n NETNS] [DEV]\n"
		"\n"
		"Qualifies the Teredo client device DEV and keeps it so. With a file that has\n"
		"one section, DEV may be left out.\n"
		"\n"
		"  -c, --config FILE  what the device itself does not tell\n"
		"  -f, --foreground   log to standard error, not to syslog\n"
		"  -n, --netns NETNS  network namespace of the underlay\n"
		"  -h, --help         this text\n"
		"      --version      version\n");
}

static void signalled(uv_signal_t *handle, int signum)
{
	struct teredod *t = handle->data;

	teredod_log(t, LOG_NOTICE, "stopped by %s", strsignal(signum));
	teredod_stop(t, 0);
}

static int watch_signals(struct teredod *t)
{
	static const int signums[] = { SIGTERM, SIGINT };
	unsigned int i;
	int err;

	/* who reads the log may be gone first */
	signal(SIGPIPE, SIG_IGN);
	/* a child's pid is ours until we have waited for it */
	signal(SIGCHLD, SIG_DFL);

	for (i = 0; i < 2; i++) {
		err = uv_signal_init(&t->loop, &t->signals[i]);
		if (err < 0)
			return err;
		t->signals[i].data = t;
		err = uv_signal_start(&t->signals[i], signalled, signums[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Is this a device for us? */
static int find_device(struct teredod *t, const char *name)
{
	int err;

	err = teredod_net_link(t, name);
	if (err < 0) {
		teredod_log(t, LOG_ERR, "%s: %s", name, strerror(-err));
		return err;
	}
	if (!t->link.kind_ok) {
		teredod_log(t, LOG_ERR, "not a Teredo device");
		return -EINVAL;
	}
	if (t->link.mode != TEREDO_MODE_CLIENT) {
		teredod_log(t, LOG_ERR,
			    "not a Teredo client: other modes need no teredod");
		return -EINVAL;
	}
	return 0;
}

static int open_all(struct teredod *t, const char *name, const char *netns)
{
	int err;

	err = teredod_net_open(t);
	if (!err)
		err = find_device(t, name);
	if (!err)
		err = teredod_net_open_underlay(t, netns);
	if (!err)
		err = teredod_kernel_open(t);
	if (!err)
		err = teredod_kernel_bind(t);
	return err;
}

static int watch_all(struct teredod *t, const char *netns)
{
	int err;

	err = watch_signals(t);
	if (!err)
		err = resolver_open(t, &t->loop, &t->servers.resolver, netns,
				    t->net.netns);
	if (!err)
		err = wakeup_open(t, &t->loop, &t->wakeup, teredod_qual_woken);
	if (!err)
		err = teredod_net_watch(t);
	if (!err)
		err = teredod_kernel_watch(t);
	if (!err)
		err = policy_open(t);
	if (!err)
		err = interval_open(t);
	if (!err)
		err = teredod_qual_open(t);
	if (err)
		teredod_log(t, LOG_ERR, "cannot start: %s", strerror(-err));
	return err;
}

static int run(struct teredod *t, const char *name, const char *netns,
	       bool foreground)
{
	int err;

	t->status = 1;
	err = uv_loop_init(&t->loop);
	if (err < 0) {
		teredod_log(t, LOG_ERR, "cannot start: %s", strerror(-err));
		auth_forget(&t->options.key);
		return t->status;
	}
	if (open_all(t, name, netns) < 0 || watch_all(t, netns) < 0)
		goto close;
	t->to_syslog = !foreground;
	if (t->to_syslog)
		openlog("teredod", LOG_PID, LOG_DAEMON);
	teredod_qual_start(t);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	teredod_qual_stop(t);

close:
	servers_cancel(t);
	uv_walk(&t->loop, close_handle, NULL);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	resolver_close(&t->servers.resolver);
	wakeup_close(&t->wakeup);
	policy_close(t);
	interval_close(t);
	teredod_qual_close(t);
	teredod_kernel_close(t);
	teredod_net_close(t);
	uv_loop_close(&t->loop);
	auth_forget(&t->options.key);
	return t->status;
}

/* A device by @arg, by the file, or by both */
static int configure(struct teredod *t, const char *file, const char *arg,
		     char *dev)
{
	char error[512];

	options_init(&t->options);
	if (arg && (!*arg || strlen(arg) >= IF_NAMESIZE)) {
		teredod_log(t, LOG_ERR, "\"%s\" is not the name of a device",
			    arg);
		return -1;
	}
	strcpy(dev, arg ? arg : "");
	if (!file)
		return 0;
	if (options_read(&t->options, file, dev, error, sizeof(error)) < 0) {
		teredod_log(t, LOG_ERR, "%s", error);
		return -1;
	}
	/* the secret shall not be found in a dump of memory either */
	if (teredod_key(t))
		prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config",	required_argument,	NULL, 'c' },
		{ "foreground",	no_argument,		NULL, 'f' },
		{ "netns",	required_argument,	NULL, 'n' },
		{ "help",	no_argument,		NULL, 'h' },
		{ "version",	no_argument,		NULL, 'V' },
		{ NULL,		0,			NULL, 0 },
	};
	static struct teredod t = {
		.kernel.told = TEREDO_STATE_DORMANT,
		.net = { .netns = -1, .own_netns = -1 },
		.servers.resolver = { .netns = -1, .fds = { -1, -1 } },
		.qual.timer.fd = -1,
		.interval = { .fd = -1, .timer.fd = -1 },
		.wakeup.fd = -1,
	};
	const char *netns = NULL;
	const char *file = NULL;
	char dev[IF_NAMESIZE];
	bool foreground = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:fn:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 'f':
			foreground = true;
			break;
		case 'n':
			netns = optarg;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'V':
			printf("teredod %s\n", TEREDO_VERSION);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1 || (argc == optind && !file)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (configure(&t, file, argv[optind], dev) < 0)
		return EXIT_FAILURE;
	return run(&t, dev, netns, foreground);
}
