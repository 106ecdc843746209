// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test: the helper's solicitations and what it takes for an answer.
 * Bytes come from the golden vectors of the requirements (V1 to V4, V7, V8),
 * not from the code under test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/teredod_ra.h"

#define AUTH	"00010000010203040506070800"
#define ORIGIN	"00002ca13424eab9"
#define RS	"6000000000083afffe800000000000000000ffffffffffff" \
		"ff02000000000000000000000000000285007d3700000000"
#define RA	"6000000000383afffe800000000000008000f227bec91c71" \
		"fe800000000000000000ffffffffffff" \
		"86009d1c000000000000000000000000" \
		"03044040ffffffffffffffff00000000" \
		"200100004136e38e0000000000000000" \
		"0501000000000500"

/* V8, and the same with the second value of V7 */
#define SECURE_RS	"00010414686f7374" \
			"ccaeb133fca073a17af57ea3f3f48d6b26c99cbc" \
			"010203040506070800"
#define SECURE_RA	"00010414686f7374" \
			"4932f7ce437a7124c3473ba91828a7da6f291e0a" \
			"010203040506070800"
#define SECURE_LEN	37

#define AUTH_LEN	13
#define ORIGIN_LEN	8
#define IP6_OFF		(AUTH_LEN + ORIGIN_LEN)
#define ICMP_OFF	(IP6_OFF + 40)
#define PREFIX_OFF	(ICMP_OFF + 16)
#define MTU_OFF		(PREFIX_OFF + 32)
#define FULL_LEN	117

struct packet {
	__u8	data[512];
	size_t	len;
};

static struct ra_expect want = {
	.nonce = { 1, 2, 3, 4, 5, 6, 7, 8 },
};

static unsigned int count, failed;

static void check(int ok, const char *what)
{
	count++;
	failed += !ok;
	printf("%sok %u %s\n", ok ? "" : "not ", count, what);
}

static void add(struct packet *p, const char *hex)
{
	unsigned int octet;

	for (; sscanf(hex, "%2x", &octet) == 1; hex += 2)
		p->data[p->len++] = octet;
}

static struct packet full(void)
{
	struct packet p = { .len = 0 };

	add(&p, AUTH ORIGIN RA);
	return p;
}

/* Makes the checksum right again, independently of the code under test */
static void fix_checksum(struct packet *p, size_t ip6)
{
	size_t len = p->data[ip6 + 4] << 8 | p->data[ip6 + 5];
	__u8 *icmp = p->data + ip6 + 40;
	unsigned long sum = len + 58;
	size_t i;

	icmp[2] = 0;
	icmp[3] = 0;
	for (i = 0; i < 32; i++)
		sum += i & 1 ? p->data[ip6 + 8 + i] :
			       p->data[ip6 + 8 + i] * 256UL;
	for (i = 0; i < len; i++)
		sum += i & 1 ? icmp[i] : icmp[i] * 256UL;
	sum = sum % 0xffff;
	sum = 0xffff - sum;
	icmp[2] = sum >> 8;
	icmp[3] = sum & 0xff;
}

static enum ra_result parse(const struct packet *p, struct ra *ra)
{
	/* A buffer of its own, so that valgrind sees a read behind the end */
	__u8 *data = malloc(p->len ? p->len : 1);
	enum ra_result result;

	memcpy(data, p->data, p->len);
	memset(ra, 0xaa, sizeof(*ra));
	result = ra_parse(ra, data, p->len, &want);
	free(data);
	return result;
}

static void expect(const struct packet *p, enum ra_result result,
		   const char *what)
{
	enum ra_result got;
	struct ra ra;

	got = parse(p, &ra);
	if (got != result)
		printf("# expected \"%s\", got \"%s\"\n",
		       ra_result_text(result), ra_result_text(got));
	check(got == result, what);
}

/* One octet of the full answer is changed, the checksum is kept right */
static void expect_changed(size_t off, __u8 value, enum ra_result result,
			   const char *what)
{
	struct packet p = full();

	p.data[off] = value;
	if (off >= IP6_OFF)
		fix_checksum(&p, IP6_OFF);
	expect(&p, result, what);
}

static void test_rs(void)
{
	struct packet want_rs = { .len = 0 };
	__u8 buf[RS_MAX_LEN];
	size_t len;

	add(&want_rs, AUTH RS);
	len = rs_build(buf, want.nonce, NULL);
	check(len == want_rs.len && !memcmp(buf, want_rs.data, len),
	      "solicitation is V2 and V1 (N-01)");
}

static void test_good(void)
{
	struct packet p = full();
	struct ra ra;

	check(p.len == FULL_LEN && parse(&p, &ra) == RA_OK &&
	      ra.mapped.addr == htonl(0xcbdb1546) &&
	      ra.mapped.port == htons(54110) && ra.mtu == 1280,
	      "V2, V3 and V4: 203.219.21.70:54110, MTU 1280");

	add(&p, "0104deadbeef");
	expect(&p, RA_OK, "trailing octets are tolerated");

	p = full();
	fix_checksum(&p, IP6_OFF);
	check(!memcmp(p.data, full().data, p.len),
	      "the test's own checksum agrees with V4");

	p = full();
	p.len -= 8;
	p.data[IP6_OFF + 5] -= 8;
	fix_checksum(&p, IP6_OFF);
	check(p.len == 109 && parse(&p, &ra) == RA_OK && !ra.mtu,
	      "without MTU option (109 octets)");

	expect_changed(ICMP_OFF + 7, 0x08, RA_OK, "router lifetime 8");
	expect_changed(PREFIX_OFF + 3, 0, RA_OK, "autonomous flag clear");
	expect_changed(IP6_OFF + 8 + 15, 0x72, RA_OK,
		       "another link-local source");
}

static void test_mtu(void)
{
	static const struct {
		unsigned int mtu, want;
	} cases[] = {
		{ 0, 0 }, { 1279, 0 }, { 1280, 1280 }, { 1400, 1400 },
		{ 65535, 65535 },
	};
	struct packet p;
	struct ra ra;
	size_t i;
	int ok = 1;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = full();
		p.data[MTU_OFF + 6] = cases[i].mtu >> 8;
		p.data[MTU_OFF + 7] = cases[i].mtu & 0xff;
		fix_checksum(&p, IP6_OFF);
		ok &= parse(&p, &ra) == RA_OK && ra.mtu == cases[i].want;
	}
	check(ok, "MTU options 0, 1279, 1280, 1400, 65535 (N-10)");
}

static void test_truncated(void)
{
	struct packet p = full();
	int ok = 1;
	struct ra ra;

	while (p.len--)
		ok &= parse(&p, &ra) == RA_MALFORMED;
	check(ok, "truncated at every length");
}

/* The IPv6 payload length is cut instead of the datagram */
static void test_short_payload(void)
{
	int len, ok = 1;
	struct ra ra;

	for (len = 0; len < 56; len++) {
		struct packet p = full();

		p.data[IP6_OFF + 5] = len;
		if (len > 4)
			fix_checksum(&p, IP6_OFF);
		ok &= (parse(&p, &ra) == RA_OK) == (len == 48);
	}
	check(ok, "every payload length but that without MTU option");
}

static void test_headers(void)
{
	struct packet p = { .len = 0 };

	add(&p, ORIGIN AUTH RA);
	expect(&p, RA_MALFORMED, "origin before authentication (E-04)");
	p.len = 0;
	add(&p, AUTH ORIGIN ORIGIN RA);
	expect(&p, RA_MALFORMED, "two origins");
	p.len = 0;
	add(&p, AUTH AUTH ORIGIN RA);
	expect(&p, RA_MALFORMED, "two authentications");
	p.len = 0;
	add(&p, ORIGIN RA);
	expect(&p, RA_NO_AUTH, "no authentication (CL-Q-30)");
	p.len = 0;
	add(&p, AUTH RA);
	expect(&p, RA_NO_ORIGIN, "no origin (N-09)");
	p.len = 0;
	add(&p, AUTH ORIGIN RS);
	expect(&p, RA_OTHER, "a solicitation");
	p.len = 0;
	add(&p, "00010402686f73740909" "010203040506070800" ORIGIN RA);
	expect(&p, RA_IDENTIFIER, "a client identifier (CL-S-09)");
	expect_changed(1, 2, RA_MALFORMED, "unknown header");
	expect_changed(4, 9, RA_NONCE, "first octet of the nonce differs");
	expect_changed(11, 9, RA_NONCE, "last octet of the nonce differs");
	expect_changed(12, 1, RA_CONFIRM, "confirmation 1 (CL-S-08)");
	expect_changed(IP6_OFF, 0x40, RA_MALFORMED, "IPv4");
}

static void test_advert(void)
{
	struct packet p = full();

	p.data[ICMP_OFF + 2] ^= 1;
	expect(&p, RA_INVALID, "wrong checksum");
	expect_changed(IP6_OFF + 6, 17, RA_OTHER, "UDP");
	expect_changed(IP6_OFF + 7, 254, RA_INVALID, "hop limit 254");
	expect_changed(IP6_OFF + 8, 0x20, RA_INVALID, "source not link-local");
	expect_changed(ICMP_OFF, 136, RA_OTHER, "another ICMPv6 type");
	expect_changed(ICMP_OFF + 1, 1, RA_INVALID, "code 1");
	expect_changed(IP6_OFF + 24 + 15, 0xfe, RA_DESTINATION,
		       "another destination (CL-Q-25)");
	expect_changed(PREFIX_OFF + 1, 0, RA_INVALID, "option of length 0");
	expect_changed(PREFIX_OFF + 1, 3, RA_INVALID, "short prefix option");
	expect_changed(MTU_OFF + 1, 2, RA_INVALID, "option behind the end");
	expect_changed(PREFIX_OFF, 0xfd, RA_PREFIXES, "no prefix (N-09)");
	expect_changed(PREFIX_OFF + 2, 63, RA_PREFIXES, "prefix length 63");

	p = full();
	add(&p, "03044040ffffffffffffffff00000000"
		"200100004136e38e0000000000000000");
	p.data[IP6_OFF + 5] += 32;
	fix_checksum(&p, IP6_OFF);
	expect(&p, RA_PREFIXES, "two prefixes (N-09)");
}

static void test_prefix(void)
{
	struct packet p = full();

	expect_changed(PREFIX_OFF + 16 + 7, 0x8f, RA_PREFIX,
		       "the secondary's prefix (CL-Q-26)");
	memcpy(p.data + PREFIX_OFF + 16, "\x3f\xfe\x83\x1f", 4);
	fix_checksum(&p, IP6_OFF);
	expect(&p, RA_PREFIX, "historic prefix (C-02)");
	memcpy(p.data + PREFIX_OFF + 16, "\x26\x20\0\0\0\0\0\0", 8);
	fix_checksum(&p, IP6_OFF);
	expect(&p, RA_PREFIX, "ordinary prefix (CL-Q-40)");
}

static void test_mapped(void)
{
	static const char * const bad[] = {
		"000000ff", "0a000001", "7f000001", "a9fe0101", "ac100001",
		"c0a80102", "c0586301", "e0000001", "ffffffff", "64400001",
		"c6336401",
	};
	struct packet p;
	struct ra ra;
	size_t i, j;
	int ok = 1;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		p = full();
		p.len = AUTH_LEN + 4;
		add(&p, bad[i]);
		for (j = AUTH_LEN + 4; j < p.len; j++)
			p.data[j] ^= 0xff;
		p.len = FULL_LEN;
		ok &= parse(&p, &ra) == RA_MAPPED;
	}
	check(ok, "mapped addresses that are not global (CL-Q-32)");

	p = full();
	memcpy(p.data + AUTH_LEN + 2, "\xff\xff", 2);
	expect(&p, RA_MAPPED, "mapped port 0");

	want.private_ok = true;
	p = full();
	memcpy(p.data + AUTH_LEN + 4, "\xf5\xff\xff\xfe", 4);
	expect(&p, RA_OK, "10.0.0.1 where private addresses are allowed");
	memcpy(p.data + AUTH_LEN + 4, "\x80\xff\xff\xfe", 4);
	expect(&p, RA_MAPPED, "127.0.0.1 even so");
	want.private_ok = false;
}

static struct auth_key host_key = {
	.id_len = 4, .id = "host", .algorithm = AUTH_HMAC_SHA1,
	.secret_len = 6, .secret = "secret",
};

static void test_secure_rs(void)
{
	struct packet want_rs = { .len = 0 };
	__u8 buf[RS_MAX_LEN];
	size_t len;

	add(&want_rs, SECURE_RS RS);
	len = rs_build(buf, want.nonce, &host_key);
	check(len == want_rs.len && !memcmp(buf, want_rs.data, len),
	      "secure solicitation is V8 and V1 (CL-S-02, CL-S-04, CL-S-07)");
}

static struct packet secure(void)
{
	struct packet p = { .len = 0 };

	add(&p, SECURE_RA ORIGIN RA);
	return p;
}

/* Whatever octet is changed; those that are not covered break something else */
static void test_flipped(void)
{
	int covered = 1, others = 1;
	struct packet p;
	struct ra ra;
	size_t i;

	for (i = 0; i < secure().len; i++) {
		enum ra_result result;

		p = secure();
		p.data[i] ^= 1;
		result = parse(&p, &ra);
		if (i >= 4 + 4 + 20 + 8)
			covered &= result == RA_AUTH ||
				   result == RA_MALFORMED ||
				   result == RA_OTHER;
		else
			others &= result != RA_OK;
	}
	check(covered, "each octet is covered but those in front (CL-S-05, CL-S-06)");
	check(others, "each of those in front is compared (CL-S-03, CL-S-09)");
}

static void test_secure(void)
{
	struct packet p;
	struct ra ra;

	want.key = &host_key;
	test_secure_rs();
	p = secure();
	check(parse(&p, &ra) == RA_OK && !ra.new_key &&
	      ra.mapped.addr == htonl(0xcbdb1546),
	      "the server's value is V7 (CL-S-05)");
	add(&p, "0104deadbeef");
	expect(&p, RA_OK, "trailers are not covered (CL-S-05)");
	test_flipped();

	p = full();
	expect(&p, RA_AUTH, "the nonce alone is no authentication (CL-S-09)");
	p.len = 0;
	add(&p, "00010014" "4932f7ce437a7124c3473ba91828a7da6f291e0a"
		"010203040506070800" ORIGIN RA);
	expect(&p, RA_IDENTIFIER, "no identifier (CL-S-09)");
	p.len = 0;
	add(&p, "00010400686f7374" "010203040506070800" ORIGIN RA);
	expect(&p, RA_AUTH, "no value (CL-S-09)");
	p = secure();
	p.data[4 + 4 + 20 + 7] ^= 1;
	expect(&p, RA_NONCE, "another nonce (CL-S-03)");
	host_key.secret[0] ^= 1;
	p = secure();
	expect(&p, RA_AUTH, "another secret (CL-S-06)");
	host_key.secret[0] ^= 1;
	host_key.algorithm = AUTH_HMAC_SHA256;
	expect(&p, RA_AUTH, "another algorithm (CL-S-04)");
	host_key.algorithm = AUTH_HMAC_SHA1;

	/* from HMAC over 01 .. 08, 01, V3 and V4 */
	p.len = 0;
	add(&p, "00010414686f7374" "02abfe254ff520ec2b8c7c300cb9125552847439"
		"010203040506070801" ORIGIN RA);
	check(parse(&p, &ra) == RA_OK && ra.new_key,
	      "authentic, but a new key is due (CL-S-08)");
	p = secure();
	p.data[SECURE_LEN - 1] = 1;
	expect(&p, RA_AUTH, "the confirmation is covered (CL-S-05)");
	want.key = NULL;
	p = secure();
	expect(&p, RA_IDENTIFIER, "an identifier, but we have none (CL-S-09)");
}

static void test_sha256(void)
{
	struct packet p = { .len = 0 };
	struct ra ra;

	host_key.algorithm = AUTH_HMAC_SHA256;
	want.key = &host_key;
	add(&p, "00010420686f7374" "dfeb2907f3685d532be7969d0995af68"
		"cde98a613acf915a6b9a77dd1ba12c13"
		"010203040506070800" ORIGIN RA);
	check(parse(&p, &ra) == RA_OK, "HMAC-SHA256 (CL-S-04)");
	p.data[4 + 4 + 31] ^= 1;
	expect(&p, RA_AUTH, "its last octet counts");
	want.key = NULL;
}

int main(void)
{
	want.prefix = htonl(TEREDO_PREFIX);
	want.server = htonl(0x4136e38e);

	printf("TAP version 13\n");
	test_rs();
	test_good();
	test_mtu();
	test_truncated();
	test_short_payload();
	test_headers();
	test_advert();
	test_prefix();
	test_mapped();
	test_secure();
	test_sha256();
	printf("1..%u\n", count);
	return !!failed;
}
