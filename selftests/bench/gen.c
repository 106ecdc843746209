// SPDX-License-Identifier: GPL-2.0
/*
 * gen: writes frames into a TAP device as fast as it can, and prints what one
 * of them took, in nanoseconds, a line a round.
 *
 * A TAP device hands a frame to the stack as a network card does: with room in
 * front, alone in its buffer, its checksum verified.
 *
 * usage: gen [-n COUNT] [-r ROUNDS] DEVICE <FRAME
 */
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static unsigned char buffer[sizeof(struct virtio_net_hdr) + 65536];
static unsigned char *const frame = buffer + sizeof(struct virtio_net_hdr);
static size_t length;

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

int main(int argc, char *argv[])
{
	struct virtio_net_hdr *hdr = (void *)buffer;
	uint32_t count = 1000, rounds = 1, i;
	uint64_t began;
	ssize_t n;
	int option, fd;

	while ((option = getopt(argc, argv, "n:r:")) != -1) {
		switch (option) {
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			rounds = strtoul(optarg, NULL, 0);
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
			if (write(fd, buffer, sizeof(*hdr) + length) < 0)
				err(1, "write");
		}
		printf("%.1f\n", (double)(now() - began) / count);
		fflush(stdout);
	}
	return 0;
}
