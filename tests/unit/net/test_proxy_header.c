#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "expect.h"
#include "net/proxy_header.h"

#define GOOD PROXY_HEADER_GOOD
#define BAD  PROXY_HEADER_BAD
#define MORE PROXY_HEADER_MORE

#define SIG  "\r\n\r\n\0\r\nQUIT\n"
#define IP4  "\xc0\0\2\1\xc6\x33\x64\7\x9c\x40\0\x19"
#define NET6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
#define IP6  NET6 "\1" NET6 "\2\x9c\x40\0\x19"
#define WHO4 "192.0.2.1:40000 198.51.100.7:25"
#define WHO6 "2001:db8::1:40000 2001:db8::2:25"
#define FF   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

#define NO_HEADER  "not a PROXY header"
#define NO_ADDRESS "not an address of the family named"
#define NO_PORT	   "not a port"
#define NO_FOUR	   "not two addresses and two ports"
#define NO_KIND	   "neither TCP4, TCP6 nor UNKNOWN"
#define NO_CRLF	   "no CRLF in the first 107 octets"
#define NO_END	   "a line end other than CRLF"
#define NO_VERSION "not version 2 with LOCAL or PROXY"
#define NO_STREAM  "neither TCP nor a Unix stream"
#define NO_ROOM	   "no room for the addresses"
#define CUT	   "a TLV is truncated"
#define CUT_IN_SSL "a TLV in the SSL TLV is truncated"
#define LONG	   "a TLV is too long"
#define SUM	   "not one checksum of four octets"

#define LINE(text, result, told)                                                                   \
	{                                                                                          \
		"PROXY " text, sizeof("PROXY " text) - 1, result, told                             \
	}
#define OCTETS(data, result, told)                                                                 \
	{                                                                                          \
		data, sizeof(data) - 1, result, told                                               \
	}
/* A version 2 header over IPv4 with these TLVs; the last octet of its length is 12 + theirs. */
#define TLVS(length, data, result, told) OCTETS(SIG "\x21\x11\0" length IP4 data, result, told)

static const struct row {
	const char *data;
	size_t len;
	enum proxy_header_result result;
	const char *told; /* the addresses, or why not */
} table[] = {
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25\r\n", GOOD, WHO4),
	LINE("TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", GOOD,
	     "255.255.255.255:65535 255.255.255.255:65535"),
	LINE("TCP4 0.0.0.0 0.0.0.0 0 0\r\n", GOOD, "0.0.0.0:0 0.0.0.0:0"),
	LINE("TCP6 2001:db8::1 2001:db8::2 40000 25\r\n", GOOD, WHO6),
	LINE("TCP6 2001:DB8:0:0:0:0:0:1 2001:0db8::0002 40000 25\r\n", GOOD, WHO6),
	LINE("TCP6 " FF " " FF " 65535 65535\r\n", GOOD, FF ":65535 " FF ":65535"),
	LINE("TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", GOOD, "192.0.2.1:1 ::1:2"),
	LINE("UNKNOWN\r\n", GOOD, "local"),
	LINE("UNKNOWN \r\n", GOOD, "local"),
	LINE("UNKNOWN " FF " " FF " 65535 65535\r\n", GOOD, "local"),
	LINE("UNKNOWN what\0 ever \xff\r\n", GOOD, "local"),
	LINE("UNKNOWN 012345678901234567890123456789012345678901234567890123456789"
	     "01234567890123456789012345678901\r\n",
	     BAD, NO_CRLF),
	LINE("UNKNOWNS\r\n", BAD, NO_KIND),
	LINE("UNKNOWN\0 \r\n", BAD, "a NUL in the line"),
	LINE("unknown\r\n", BAD, NO_KIND),
	LINE("\r\n", BAD, NO_KIND),
	LINE("TCP\r\n", BAD, NO_KIND),
	LINE("tcp4 192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_KIND),
	LINE("UDP4 192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_KIND),
	LINE(" TCP4 192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_KIND),
	LINE("TCP4\t192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_KIND),
	LINE("TCP4\r\n", BAD, NO_FOUR),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000\r\n", BAD, NO_FOUR),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25 \r\n", BAD, NO_FOUR),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25 1\r\n", BAD, NO_FOUR),
	LINE("TCP4  192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_FOUR),
	LINE("TCP4 192.0.2.1 198.51.100.7  40000\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1\0 198.51.100.7 40000 25\r\n", BAD, "a NUL in the line"),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 65536\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 99999 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 000025\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 025\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 00 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 -1 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 +1 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 0x1 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.1 198.51.100.7 18446744073709551641 25\r\n", BAD, NO_PORT),
	LINE("TCP4 192.0.2.01 198.51.100.7 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.2.256 198.51.100.7 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.513 198.51.100.7 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.2.1. 198.51.100.7 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.2.1 localhost 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 2001:db8::1 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.2.1 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 2001:db8::1::2 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 1:2:3:4:5:6:7 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 12345::1 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 fe80::1%1 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP6 [::1] 2001:db8::2 40000 25\r\n", BAD, NO_ADDRESS),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25\n", BAD, NO_END),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25\r\r\n", BAD, NO_END),
	LINE("UNKNOWN \n\r\n", BAD, NO_END),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25", MORE, ""),
	LINE("TCP4 192.0.2.1 198.51.100.7 40000 25\r", MORE, ""),
	OCTETS("", MORE, ""),
	OCTETS("PROX", MORE, ""),
	OCTETS("PROXY", MORE, ""),
	OCTETS("PROXYTCP4 ", BAD, NO_HEADER),
	OCTETS("PROXY\r\n", BAD, NO_HEADER),
	OCTETS("proxy TCP4 192.0.2.1 198.51.100.7 40000 25\r\n", BAD, NO_HEADER),
	OCTETS("EHLO client.example.net\r\n", BAD, NO_HEADER),
	OCTETS("\x16\3\1", BAD, NO_HEADER), /* TLS */
	OCTETS("\0", BAD, NO_HEADER),
	OCTETS("\r\n\r\nEHLO client\r\n", BAD, NO_HEADER),
	OCTETS("\r\n\r\n\0\r\nQUIT\r\n", BAD, NO_HEADER),

	OCTETS(SIG "\x21\x11\0\x0c" IP4, GOOD, WHO4),
	OCTETS(SIG "\x21\x21\0\x24" IP6, GOOD, WHO6),
	OCTETS(SIG "\x20\x00\0\0", GOOD, "local"),
	OCTETS(SIG "\x20\x11\0\x0c" IP4, GOOD, "local"),
	OCTETS(SIG "\x20\xff\0\3\1\xff\xff", GOOD, "local"), /* skipped, a broken TLV too */
	OCTETS(SIG "\x21\x00\0\0", GOOD, "local"),
	OCTETS(SIG "\x21\x00\0\3\1\xff\xff", GOOD, "local"),
	OCTETS(SIG "\x21\x12\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x22\0\x24" IP6, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x32\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x10\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x01\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x13\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x21\x41\0\x0c" IP4, BAD, NO_STREAM),
	OCTETS(SIG "\x22\x11\0\x0c" IP4, BAD, NO_VERSION),
	OCTETS(SIG "\x2f\x11\0\x0c" IP4, BAD, NO_VERSION),
	OCTETS(SIG "\x11\x11\0\x0c" IP4, BAD, NO_VERSION),
	OCTETS(SIG "\x31\x11\0\x0c" IP4, BAD, NO_VERSION),
	OCTETS(SIG "\x01\x11\0\x0c" IP4, BAD, NO_VERSION),
	OCTETS(SIG "\x21\x11\0\x0b" IP4, BAD, NO_ROOM),
	OCTETS(SIG "\x21\x11\0\0", BAD, NO_ROOM),
	OCTETS(SIG "\x21\x21\0\x0c" IP4, BAD, NO_ROOM),
	OCTETS(SIG "\x21\x31\0\xd7", BAD, NO_ROOM),
	OCTETS(SIG "\x21\x11\x0f\xf1", BAD, "the header is too long"),
	OCTETS(SIG "\x20\x00\xff\xff", BAD, "the header is too long"),
	OCTETS(SIG "\x21\x11\x0f\xf0", MORE, ""),
	OCTETS(SIG "\x21\x11\0\x0c\xc0\0\2\1", MORE, ""),
	OCTETS(SIG, MORE, ""),

	TLVS("\x0f", "\4\0\0", GOOD, WHO4),
	TLVS("\x12", "\4\0\3\0\xff\0", GOOD, WHO4),
	TLVS("\x13", "\x30\0\4mail", GOOD, WHO4),
	TLVS("\x14", "\xea\0\5\1vpce", GOOD, WHO4),
	TLVS("\x10", "\xff\0\1\0", GOOD, WHO4),
	TLVS("\x13", "\x21\0\4TLS\0", GOOD, WHO4), /* only in the SSL TLV */
	TLVS("\x0d", "\4", BAD, CUT),
	TLVS("\x0e", "\4\0", BAD, CUT),
	TLVS("\x0f", "\4\0\1", BAD, CUT),
	TLVS("\x10", "\xee\xff\xff\0", BAD, CUT),
	TLVS("\x10", "\4\0\0\4", BAD, CUT),
	TLVS("\x12", "\1\0\3h2\0", BAD, "a NUL in a TLV"),
	TLVS("\x15", "\2\0\6mx\0org", BAD, "a NUL in a TLV"),
	TLVS("\x12", "\3\0\3\0\0\0", BAD, SUM),
	TLVS("\x14", "\3\0\5\0\0\0\0\0", BAD, SUM),
	TLVS("\x13", "\3\0\4\0\0\0\0", BAD, "the checksum is wrong"),
	TLVS("\x1a", "\3\0\4\0\0\0\0\3\0\4\0\0\0\0", BAD, SUM),
	TLVS("\x13", "\x20\0\4\1\0\0\0", BAD, "the SSL TLV is truncated"),
	TLVS("\x14", "\x20\0\5\0\0\0\0\0", GOOD, WHO4),
	TLVS("\x16", "\x20\0\7\1\0\0\0\0\x21\0", BAD, CUT_IN_SSL),
	TLVS("\x18", "\x20\0\x09\1\0\0\0\0\x21\0\2T", BAD, CUT_IN_SSL),
	TLVS("\x18", "\x20\0\x09\1\0\0\0\0\x21\0\1\0", BAD, "a NUL in a TLV"),
	TLVS("\x18", "\x20\0\x09\1\0\0\0\0\x99\0\1\0", GOOD, WHO4),
};

/* Reads a copy that ends where the octets end, so that a look beyond is a fault. */
static enum proxy_header_result read_copy(const char *data, size_t len, struct proxy_header *header,
					  size_t *used, const char **reason)
{
	char *copy = malloc(len + !len);
	enum proxy_header_result result;

	memcpy(copy, data, len);
	*reason = "";
	result = proxy_header_read(copy, len, header, used, reason);
	free(copy);
	assert_true(result == GOOD ? *used && *used <= len : !*used);
	assert_true((result == BAD) == (**reason != '\0'));
	return result;
}

static void describe(const struct proxy_header *header, char *out, size_t size)
{
	char client[ADDRESS_IP_SIZE], server[ADDRESS_IP_SIZE];

	address_ip(&header->client, client);
	address_ip(&header->server, server);
	snprintf(out, size, "%s:%u %s:%u", client, address_port(&header->client), server,
		 address_port(&header->server));
	if (header->local) {
		assert_int_equal(header->client.len + header->server.len, 0);
		snprintf(out, size, "local");
	}
}

/* Octet by octet: nothing is known until all is, and then it is the same as in one piece. */
static void check_splits(const char *data, size_t len, enum proxy_header_result result,
			 const char *told)
{
	enum proxy_header_result cut = MORE;

	for (size_t n = 0; n <= len; n++) {
		struct proxy_header header;
		const char *reason;
		char who[200];
		size_t used;

		if (cut == MORE)
			cut = read_copy(data, n, &header, &used, &reason);
		else
			assert_int_equal(read_copy(data, n, &header, &used, &reason), cut);
		if (cut == GOOD) {
			describe(&header, who, sizeof who);
			assert_string_equal(who, told);
		} else if (cut == BAD) {
			assert_string_equal(reason, told);
		}
	}
	assert_int_equal(cut, result);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct row *row = &table[i];
		struct proxy_header header;
		const char *reason;
		char who[200] = "", more[300];
		size_t used;
		enum proxy_header_result result =
			read_copy(row->data, row->len, &header, &used, &reason);

		if (result == GOOD)
			describe(&header, who, sizeof who);
		if (result != row->result || strcmp(result == GOOD ? who : reason, row->told))
			fail_msg("row %zu: %d %s%s", i, (int)result, who, reason);
		if (result == GOOD)
			assert_int_equal(used, row->len);
		check_splits(row->data, row->len, row->result, row->told);
		if (result == MORE)
			continue;
		/* What the client says behind it changes nothing. */
		memcpy(more, row->data, row->len);
		memcpy(more + row->len, "\r\nEHLO x\r\n", 10);
		check_splits(more, row->len + 10, row->result, row->told);
	}
}

/* The first octet that cannot be is the last one waited for. */
static void test_answers_at_once(void **state)
{
	static const char *const starts[] = {"E", "PROXZ", "\r\n\r\n\1", "\r\n\r\nE", "\n"};
	struct proxy_header header;
	const char *reason;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		size_t len = strlen(starts[i]);

		assert_int_equal(read_copy(starts[i], len - 1, &header, &used, &reason), MORE);
		assert_int_equal(read_copy(starts[i], len, &header, &used, &reason), BAD);
	}
	assert_int_equal(read_copy(SIG "\x22", 13, &header, &used, &reason), BAD);
	assert_int_equal(read_copy(SIG "\x21\x12", 14, &header, &used, &reason), BAD);
	assert_int_equal(read_copy(SIG "\x21\x11\xff\xff", 16, &header, &used, &reason), BAD);
}

static size_t add_tlv(char *data, size_t len, int type, const char *value, size_t n)
{
	data[len] = (char)type;
	data[len + 1] = (char)(n >> 8);
	data[len + 2] = (char)n;
	memcpy(data + len + 3, value, n);
	len += 3 + n;
	data[14] = (char)((len - 16) >> 8);
	data[15] = (char)(len - 16);
	return len;
}

static void test_longest(void **state)
{
	static const struct {
		int type;
		size_t longest;
	} rows[] = {{1, 255}, {2, 255}, {5, 128}, {0x21, 31}, {0x22, 255}, {0x23, 63}, {4, 4065}};
	char data[PROXY_HEADER_MAX + 1], text[PROXY_HEADER_MAX], ssl[300] = {1};
	struct proxy_header header;
	const char *reason;
	size_t used;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(data, SIG "\x21\x11\0\x0c" IP4, 28);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t extra = 0; extra < 2; extra++) {
			size_t n = rows[i].longest + extra, len;

			if (rows[i].type > 0x20) {
				memcpy(ssl + 5, (char[]){(char)rows[i].type, 0, (char)n}, 3);
				if (n > 255)
					ssl[6] = 1;
				memcpy(ssl + 8, text, n);
				len = add_tlv(data, 28, 0x20, ssl, n + 8);
			} else {
				len = add_tlv(data, 28, rows[i].type, text, n);
			}
			assert_int_equal(read_copy(data, len, &header, &used, &reason),
					 extra ? BAD : GOOD);
		}
	}
	/* The last one made the header itself too long, which its first 16 octets tell. */
	assert_int_equal(read_copy(data, 16, &header, &used, &reason), BAD);
	assert_string_equal(reason, "the header is too long");
}

static void test_unix(void **state)
{
	char data[16 + 216] = SIG "\x21\x31\0\xd8", *client = data + 16, *server = client + 108;
	struct proxy_header header;
	const struct sockaddr_un *name = (const struct sockaddr_un *)&header.server.storage;
	const char *reason;
	size_t used;

	(void)state;
	memcpy(server, "/run/balancer", 13);
	assert_int_equal(read_copy(data, sizeof data, &header, &used, &reason), GOOD);
	assert_true(address_is_unix(&header.client) && address_is_unix(&header.server));
	assert_false(header.local);
	assert_int_equal(header.client.len, offsetof(struct sockaddr_un, sun_path));
	assert_int_equal(header.server.len, offsetof(struct sockaddr_un, sun_path) + 14);
	assert_string_equal(name->sun_path, "/run/balancer");
	memset(client, 'c', 216); /* paths that fill their field have no NUL */
	assert_int_equal(read_copy(data, sizeof data, &header, &used, &reason), GOOD);
	assert_int_equal(header.server.len, sizeof *name);
	assert_int_equal(header.client.len, sizeof *name);
	check_splits(data, sizeof data, GOOD, ":0 :0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_answers_at_once),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
