/* Headers that a real HAProxy wrote: those in the fuzz corpus were recorded from HAProxy 2.6 by
 * record_haproxy.py, which can also record new ones and run this over their folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "net/proxy_header.h"

#define HERE	 "127.0.0.7" /* where the recording client comes from */
#define LOOPBACK "127.0.0.1"

static const char *folder = GATEPOST_SOURCE_DIR "/tests/fuzz/net/proxy_header";

static const struct row {
	const char *name, *client, *server; /* no client: local */
	const char *alpn, *authority, *unique_id;
	bool ssl, verified;
	const char *common_name;
	bool checksum;
} table[] = {
	{"v1-tcp4", HERE, LOOPBACK, "", "", "", false, false, "", false},
	{"v1-tcp6", "::1", "::1", "", "", "", false, false, "", false},
	{"v1-unix", NULL, NULL, "", "", "", false, false, "", false},
	{"v1-check", LOOPBACK, LOOPBACK, "", "", "", false, false, "", false},
	{"v2-tcp4", HERE, LOOPBACK, "", "", "", false, false, "", false},
	{"v2-tcp6", "::1", "::1", "", "", "", false, false, "", false},
	{"v2-unix", NULL, NULL, "", "", "", false, false, "", false},
	{"v2-check", NULL, NULL, "", "", "", false, false, "", false},
	{"v2-options", HERE, LOOPBACK, "", "", "mail-" HERE, false, false, "", true},
	{"v2-tls", HERE, LOOPBACK, "smtp", "mx.example.org", "mail-" HERE, true, false, "", true},
	{"v2-certificate", HERE, LOOPBACK, "smtp", "mx.example.org", "mail-" HERE, true, true,
	 "client.example.net", true},
	{"v2-certificate-unknown", HERE, LOOPBACK, "smtp", "mx.example.org", "mail-" HERE, true,
	 false, "stranger.example.net", true},
};

static size_t load(const char *name, char *data, size_t size)
{
	char path[1000];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/haproxy-%s", folder, name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is missing", path);
	n = fread(data, 1, size, file);
	fclose(file);
	assert_true(n && n < size);
	return n;
}

static void check_address(const struct address *address, const char *expected)
{
	char ip[ADDRESS_IP_SIZE];

	address_ip(address, ip);
	assert_string_equal(ip, expected ? expected : "");
	assert_int_equal(address_port(address) != 0, expected != NULL);
}

static void check_row(const struct row *row, const struct proxy_header *header)
{
	assert_int_equal(header->local, !row->client);
	check_address(&header->client, row->client);
	check_address(&header->server, row->server);
	assert_string_equal(header->alpn, row->alpn);
	assert_string_equal(header->authority, row->authority);
	assert_int_equal(header->unique_id_len, strlen(row->unique_id));
	assert_memory_equal(header->unique_id, row->unique_id, header->unique_id_len);
	assert_int_equal(header->ssl, row->ssl);
	assert_int_equal(header->ssl_verified, row->verified);
	assert_string_equal(header->ssl_common_name, row->common_name);
	assert_string_equal(header->ssl_version, row->ssl ? "TLSv1.3" : "");
	assert_int_equal(!strncmp(header->ssl_cipher, "TLS_", 4), row->ssl);
}

static void test_recorded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char data[PROXY_HEADER_MAX];
		size_t len = load(table[i].name, data, sizeof data - 1), used;
		struct proxy_header header;
		const char *reason = "";

		for (size_t n = 0; n < len; n++)
			assert_int_equal(proxy_header_read(data, n, &header, &used, &reason),
					 PROXY_HEADER_MORE);
		data[len] = 'E'; /* the client's first octet */
		if (proxy_header_read(data, len + 1, &header, &used, &reason) != PROXY_HEADER_GOOD)
			fail_msg("%s: %s", table[i].name, reason);
		assert_int_equal(used, len);
		print_message("%s\n", table[i].name);
		check_row(&table[i], &header);
	}
}

/* With a checksum no bit of the addresses, of the checksum or of what follows can turn. */
static void test_checksum(void **state)
{
	unsigned with_checksum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char data[PROXY_HEADER_MAX];
		size_t len = load(table[i].name, data, sizeof data), used;
		struct proxy_header header;
		const char *reason = "";

		if (!table[i].checksum)
			continue;
		with_checksum++;
		assert_int_equal(data[28], 3); /* HAProxy puts it first */
		for (size_t bit = 16 * 8; bit < len * 8; bit++) {
			if (bit / 8 >= 28 && bit / 8 < 31)
				continue; /* then it would be no checksum */
			data[bit / 8] ^= (char)(1 << bit % 8);
			assert_int_equal(proxy_header_read(data, len, &header, &used, &reason),
					 PROXY_HEADER_BAD);
			assert_int_equal(used, 0);
			data[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
	assert_true(with_checksum >= 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_checksum),
	};

	if (argc > 1)
		folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
