// SPDX-License-Identifier: GPL-2.0
/*
 * teredoctl: show and manage Teredo devices
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "teredoctl.h"

bool json_wanted;

static const struct verb verbs[] = {
	{ "status", "[DEV]", "what a device has learned, and its counters",
	  cmd_status },
	{ "peers", "[DEV]", "the peers of a device", cmd_peers },
	{ "flush", "[DEV]", "forget the peers of a device", cmd_flush },
	{ "key", "set DEV ID [hmac-sha1|hmac-sha256] < FILE",
	  "give a server the secret of a client", cmd_key },
	{ "key", "expire DEV ID", "have the client asked for a new key",
	  cmd_key },
	{ "key", "del DEV ID", "forget the key of a client", cmd_key },
	{ "key", "list DEV", "the keys of a server, not the secrets",
	  cmd_key },
	{ "decode", "ADDR", "the parts of a Teredo address", cmd_decode },
	{ "encode", "server IPV4 client IPV4:PORT [flags N] [prefix P/32]",
	  "the address that these parts make", cmd_encode },
};

static const char help_end[] =
	"\n"
	"Without DEV: all devices of the network namespace.\n"
	"\n"
	"Options:\n"
	"  -j, --json\tJSON instead of text\n"
	"  -h, --help\n"
	"  -V, --version\n";

static void print_help(FILE *f)
{
	unsigned int i;

	fputs("Usage: teredoctl [-j] VERB [ARGUMENT]...\n\nVerbs:\n", f);
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(f, "  %s %s\n\t%s\n", verbs[i].name, verbs[i].args,
			verbs[i].help);
	fputs(help_end, f);
}

/* Of the module that is loaded, without making the kernel load it */
static bool module_version(char *buf, size_t size)
{
	FILE *f = fopen("/sys/module/teredo/version", "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, size, f);
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

static void print_version(void)
{
	char module[64] = "";

	puts("teredoctl " TEREDO_VERSION);
	if (module_version(module, sizeof(module)) &&
	    strcmp(module, TEREDO_VERSION))
		printf("teredo module %s\n", module);
}

static const struct verb *find_verb(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static int run_verb(int argc, char **argv)
{
	const struct verb *verb;

	if (!argc) {
		print_help(stderr);
		return CTL_USAGE;
	}
	verb = find_verb(argv[0]);
	if (!verb)
		return bad_usage("no verb \"%s\", see teredoctl --help",
				 argv[0]);
	return verb->run(argc - 1, argv + 1);
}

/* Output that could not be written is a failure, whatever came before */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return failed("cannot write the output: %m");
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "jhV", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json_wanted = true;
			break;
		case 'h':
			print_help(stdout);
			return finish(CTL_OK);
		case 'V':
			print_version();
			return finish(CTL_OK);
		default:
			return bad_usage("see teredoctl --help");
		}
	}
	return finish(run_verb(argc - optind, argv + optind));
}
