// SPDX-License-Identifier: GPL-2.0
/*
 * gen: writes frames into a TAP device as fast as it can, and prints what one
 * of them took, in nanoseconds, a line a round.
 *
 * A TAP device hands a frame to the stack as a network card does: with room in
 * front and alone in its buffer. Its checksum is not verified yet.
 *
 * usage: gen [OPTION...] DEVICE <FRAME
 *  -n COUNT   frames of a round, 1000
 *  -r ROUNDS  1
 *  -p PEERS   each frame is for, or from, one of so many clients, by chance
 *  -s         all of them in turn, once a round, instead of COUNT
 *  -a         all of them in turn once before, not counted: a TAP device that
 *             is opened lets all routes be looked up again
 *  -t OFFSET  where the frame has the client's IPv6 address
 *  -i OFFSET  where it has an IPv4 header with the client's address
 *  -o DEVICE  read what comes out of this TAP device, too: never more than a
 *             window of frames is under way. What is lost ends it.
 *  -m SIZE    of frames that count there, at least: the tunnel's own are small
 *  -x NUMBER  that come out for one that goes in
 *  -g SIZE    the frame is a merged one: TCP over IPv6, SIZE octets a segment
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW	16
#define PATIENCE 2000	/* ms for a frame to come out */
#define FIRST	0x32000001	/* 50.0.0.1, the first client */

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

static uint32_t by_chance(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 32;
}

/*
 * Make the frame that of another client. The UDP checksum stays right by
 * itself: what the outer header adds the inverted address takes away.
 */
static void readdress(uint32_t peer, int teredo, int ipv4)
{
	uint32_t addr = htonl(FIRST + peer), old, sum;
	uint16_t check;

	if (teredo) {
		uint32_t mapped = ~addr;

		memcpy(frame + teredo + 12, &mapped, 4);
	}
	if (ipv4) {
		memcpy(&old, frame + ipv4 + 12, 4);
		memcpy(&check, frame + ipv4 + 10, 2);
		memcpy(frame + ipv4 + 12, &addr, 4);
		sum = (uint16_t)~check;		/* RFC 1624 */
		sum += (uint16_t)~old + (uint16_t)(~old >> 16);
		sum += (uint16_t)addr + (addr >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		check = ~sum;
		memcpy(frame + ipv4 + 10, &check, 2);
	}
}

/* An attached device is running a little later */
static void await_running(const char *name)
{
	struct ifreq ifr = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), i;

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	for (i = 0; i < 1000; i++) {
		if (ioctl(fd, SIOCGIFFLAGS, &ifr))
			err(1, "%s", name);
		if (ifr.ifr_flags & IFF_RUNNING) {
			close(fd);
			return;
		}
		usleep(1000);
	}
	errx(1, "%s: not running", name);
}

/* Wait for frames to come out, until @want have */
static void read_out(int fd, uint32_t *done, uint32_t want, size_t least)
{
	static unsigned char out[sizeof(struct virtio_net_hdr) + 65536];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (*done < want) {
		if (poll(&pfd, 1, PATIENCE) != 1)
			errx(1, "%u frames did not come out", want - *done);
		n = read(fd, out, sizeof(out));
		if (n < 0)
			err(1, "read");
		if (n - sizeof(struct virtio_net_hdr) >= least)
			(*done)++;
	}
}

int main(int argc, char *argv[])
{
	uint32_t count = 1000, rounds = 1, peers = 0, times = 1, done, i;
	struct virtio_net_hdr *hdr = (void *)buffer;
	int option, fd, teredo = 0, ipv4 = 0, out = -1;
	const char *out_name = NULL;
	bool in_turn = false, before = false;
	size_t least = 0;
	uint64_t began;
	ssize_t n;

	while ((option = getopt(argc, argv, "n:r:p:sat:i:o:m:x:g:")) != -1) {
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
		case 's':
			in_turn = true;
			break;
		case 'a':
			before = true;
			break;
		case 't':
			teredo = atoi(optarg);
			break;
		case 'i':
			ipv4 = atoi(optarg);
			break;
		case 'o':
			out_name = optarg;
			break;
		case 'm':
			least = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			times = strtoul(optarg, NULL, 0);
			break;
		case 'g':
			hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
			hdr->gso_size = strtoul(optarg, NULL, 0);
			hdr->hdr_len = 14 + 40 + 20;
			hdr->csum_start = 14 + 40;
			hdr->csum_offset = 16;
			break;
		default:
			errx(2, "see the head of gen.c");
		}
	}
	if (optind != argc - 1)
		errx(2, "which device?");
	fd = open_tap(argv[optind]);
	if (out_name) {
		out = open_tap(out_name);
		await_running(out_name);
	}
	while ((n = read(0, frame + length, 65536 - length)) > 0)
		length += n;
	if (in_turn)
		count = peers;

	if (hdr->gso_size)
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	for (i = 0; before && i < peers; i++) {
		readdress(i, teredo, ipv4);
		if (write(fd, buffer, sizeof(*hdr) + length) < 0)
			err(1, "write");
	}
	while (rounds--) {
		began = now();
		for (done = i = 0; i < count; i++) {
			if (peers)
				readdress(in_turn ? i : by_chance() % peers,
					  teredo, ipv4);
			if (write(fd, buffer, sizeof(*hdr) + length) < 0)
				err(1, "write");
			if (out >= 0 && (i + 1) * times - done >= WINDOW)
				read_out(out, &done, (i + 1) * times, least);
		}
		if (out >= 0)
			read_out(out, &done, count * times, least);
		printf("%.1f\n", (double)(now() - began) / count);
		fflush(stdout);
	}
	return 0;
}
