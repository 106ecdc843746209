// SPDX-License-Identifier: GPL-2.0
/*
 * gen: writes frames into a TAP device as fast as it can, and prints what one
 * of them took, in nanoseconds, a line a round.
 *
 * A TAP device hands a frame to the stack as a network card does: with room in
 * front, alone in its buffer, its checksum verified.
 *
 * usage: gen [-n COUNT] [-r ROUNDS] [-p PEERS] [-a OFFSET]... [-o OFFSET]
 *            [-f FIRST] [-s] DEVICE <FRAME
 *
 * -p PEERS   as many Teredo clients, in random order (-s: one after the other,
 *            from FIRST on)
 * -a OFFSET  the Teredo address of that client is there
 * -o OFFSET  an IPv4 header whose source, and its UDP source port, are its own
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_ADDRESSES	4

static unsigned char buffer[sizeof(struct virtio_net_hdr) + 65536];
static unsigned char *const frame = buffer + sizeof(struct virtio_net_hdr);
static size_t length;

static int addresses[MAX_ADDRESSES];
static int n_addresses;
static int outer = -1;

static int open_tap(const char *name)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd = open("/dev/net/tun", O_RDWR);

	if (fd < 0)
		err(1, "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		err(1, "%s", name);
	return fd;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void ipv4_checksum(unsigned char *header)
{
	uint32_t sum = 0;
	uint16_t word;
	int i;

	memset(header + 10, 0, 2);
	for (i = 0; i < 20; i += 2) {
		memcpy(&word, header + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	word = ~sum;
	memcpy(header + 10, &word, 2);
}

/* 50.0.0.0 and up; all have one port, which is not what tells clients apart */
static void become(uint32_t peer)
{
	uint32_t address = htonl(0x32000001 + peer);
	uint32_t hidden = ~address;
	int i;

	for (i = 0; i < n_addresses; i++)
		memcpy(frame + addresses[i] + 12, &hidden, 4);
	if (outer >= 0) {
		memcpy(frame + outer + 12, &address, 4);
		ipv4_checksum(frame + outer);
	}
}

int main(int argc, char *argv[])
{
	struct virtio_net_hdr *hdr = (void *)buffer;
	uint32_t count = 1000, rounds = 1, peers = 0, first = 0, peer, i;
	uint32_t state = 1;
	bool sequential = false;
	uint64_t began;
	ssize_t n;
	int option, fd;

	while ((option = getopt(argc, argv, "n:r:p:a:o:f:s")) != -1) {
		switch (option) {
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			rounds = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			peers = strtoul(optarg, NULL, 0);
			break;
		case 'a':
			if (n_addresses == MAX_ADDRESSES)
				errx(2, "too many addresses");
			addresses[n_addresses++] = atoi(optarg);
			break;
		case 'o':
			outer = atoi(optarg);
			break;
		case 'f':
			first = strtoul(optarg, NULL, 0);
			break;
		case 's':
			sequential = true;
			break;
		default:
			errx(2, "see the head of gen.c");
		}
	}
	if (optind != argc - 1)
		errx(2, "which device?");
	fd = open_tap(argv[optind]);
	while ((n = read(0, frame + length, 65536 - length)) > 0)
		length += n;

	hdr->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	while (rounds--) {
		began = now();
		for (i = 0; i < count; i++) {
			if (peers) {
				state = state * 1664525 + 1013904223;
				peer = sequential ? first + i :
				       ((uint64_t)state * peers) >> 32;
				become(peer);
			}
			if (write(fd, buffer, sizeof(*hdr) + length) < 0)
				err(1, "write");
		}
		printf("%.1f\n", (double)(now() - began) / count);
		fflush(stdout);
	}
	return 0;
}
