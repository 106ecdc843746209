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
 *  -w NUMBER  frames in a window, 16
 *  -g SIZE    the frame is a merged one: TCP over IPv6, SIZE octets a segment
 *  -c OFFSET  of a TCP header: the frames are segments of a stream that the
 *             device may merge on arrival, like a card that has verified their
 *             checksums (with -g they are merged already). -i: where the IPv4
 *             header is, if there is one.
 *  -e NUMBER  of such streams, 1
 *  -l LENGTH  of the frame, if it is followed by another one: what the same
 *             client sends when the first ones of a window have come out. -t,
 *             -i and -m that follow are for that one.
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

#define BURST	40	/* segments of one stream in succession */
#define PATIENCE 2000	/* ms for a frame to come out */
#define FIRST	0x32000001	/* 50.0.0.1, the first client */

static struct frame {
	unsigned char octets[sizeof(struct virtio_net_hdr) + 65536];
	size_t length;		/* without the header of the TAP device */
	int teredo, ipv4;	/* offsets, 0 = none */
	size_t least;
} frames[2];

static unsigned char *data(struct frame *f)
{
	return f->octets + sizeof(struct virtio_net_hdr);
}

/* @flags: IFF_NAPI, or 0 */
static int open_tap(const char *name, short flags)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags,
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
static void readdress(struct frame *f, uint32_t peer)
{
	uint32_t addr = htonl(FIRST + peer), old, sum;
	uint16_t check;

	if (f->teredo) {
		uint32_t mapped = ~addr;

		memcpy(data(f) + f->teredo + 12, &mapped, 4);
	}
	if (f->ipv4) {
		memcpy(&old, data(f) + f->ipv4 + 12, 4);
		memcpy(&check, data(f) + f->ipv4 + 10, 2);
		memcpy(data(f) + f->ipv4 + 12, &addr, 4);
		sum = (uint16_t)~check;		/* RFC 1624 */
		sum += (uint16_t)~old + (uint16_t)(~old >> 16);
		sum += (uint16_t)addr + (addr >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		check = ~sum;
		memcpy(data(f) + f->ipv4 + 10, &check, 2);
	}
}

/* Make the frame the next segment of one of @streams. @tcp: offset */
static void next_segment(struct frame *f, int tcp, uint32_t streams)
{
	static uint16_t id;
	static uint32_t n;
	unsigned char *ip = data(f) + f->ipv4;
	uint32_t burst = n / BURST, sum = 0, seq;
	uint16_t port, word;
	int i;

	port = htons(5000 + burst % streams);
	seq = htonl((burst / streams * BURST + n % BURST) *
		    (f->length - tcp - 20));
	memcpy(data(f) + tcp, &port, 2);
	memcpy(data(f) + tcp + 4, &seq, 4);
	n++;
	if (!f->ipv4)
		return;
	word = htons(id++);
	memcpy(ip + 4, &word, 2);
	memset(ip + 10, 0, 2);
	for (i = 0; i < 20; i += 2) {
		memcpy(&word, ip + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	word = ~((sum & 0xffff) + (sum >> 16));
	memcpy(ip + 10, &word, 2);
}

static void send_frame(int fd, struct frame *f)
{
	if (write(fd, f->octets, sizeof(struct virtio_net_hdr) + f->length) < 0)
		err(1, "write");
}

/* All of it that is there, @limit octets at most */
static void read_frame(struct frame *f, size_t limit)
{
	ssize_t n;

	while (f->length < limit &&
	       (n = read(0, data(f) + f->length, limit - f->length)) > 0)
		f->length += n;
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

/* Wait for this many frames to come out */
static void read_out(int fd, uint32_t want, size_t least)
{
	static unsigned char out[sizeof(struct virtio_net_hdr) + 65536];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (want) {
		if (poll(&pfd, 1, PATIENCE) != 1)
			errx(1, "%u frames did not come out", want);
		n = read(fd, out, sizeof(out));
		if (n < 0)
			err(1, "read");
		if (n - sizeof(struct virtio_net_hdr) >= least)
			want--;
	}
}

int main(int argc, char *argv[])
{
	uint32_t count = 1000, rounds = 1, peers = 0, times = 1;
	struct virtio_net_hdr *hdr = (void *)frames[0].octets;
	struct frame *f = frames, *end = frames + 1;
	uint32_t in_window = 16, streams = 1, window, n, i, j;
	const char *options = "n:r:p:sat:i:o:m:x:w:g:c:e:l:";
	int option, fd, out = -1, tcp = 0;
	const char *out_name = NULL;
	bool in_turn = false, before = false;
	size_t first = sizeof(frames[0].octets) - sizeof(*hdr);
	uint64_t began;

	while ((option = getopt(argc, argv, options)) != -1) {
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
			f->teredo = atoi(optarg);
			break;
		case 'i':
			f->ipv4 = atoi(optarg);
			break;
		case 'o':
			out_name = optarg;
			break;
		case 'm':
			f->least = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			times = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			in_window = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			tcp = atoi(optarg);
			hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			hdr->csum_start = tcp;
			hdr->csum_offset = 16;
			break;
		case 'e':
			streams = strtoul(optarg, NULL, 0);
			break;
		case 'g':
			hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
			hdr->gso_size = strtoul(optarg, NULL, 0);
			hdr->hdr_len = 14 + 40 + 20;
			hdr->csum_start = 14 + 40;
			hdr->csum_offset = 16;
			break;
		case 'l':
			first = strtoul(optarg, NULL, 0);
			f = &frames[1];
			end = &frames[2];
			break;
		default:
			errx(2, "see the head of gen.c");
		}
	}
	if (optind != argc - 1)
		errx(2, "which device?");
	/* what is merged already is not merged again */
	fd = open_tap(argv[optind], tcp && !hdr->gso_size ? IFF_NAPI : 0);
	if (out_name) {
		out = open_tap(out_name, 0);
		await_running(out_name);
	}
	read_frame(&frames[0], first);
	read_frame(&frames[1], sizeof(frames[1].octets) - sizeof(*hdr));
	if (in_turn)
		count = peers;
	window = out < 0 ? count : times < in_window ? in_window / times : 1;

	for (i = 0; before && i < peers; i++) {
		readdress(frames, i);
		send_frame(fd, frames);
	}
	while (rounds--) {
		began = now();
		for (i = 0; i < count; i += n) {
			n = count - i < window ? count - i : window;
			for (f = frames; f < end; f++) {
				for (j = i; j < i + n; j++) {
					if (peers)
						readdress(f, in_turn ? j :
							  by_chance() % peers);
					if (tcp)
						next_segment(f, tcp, streams);
					send_frame(fd, f);
				}
				if (out >= 0)
					read_out(out, n * times, f->least);
			}
		}
		printf("%.1f\n", (double)(now() - began) / count);
		fflush(stdout);
	}
	if (tcp)	/* what the device holds is lost when it is closed */
		usleep(100000);
	return 0;
}
