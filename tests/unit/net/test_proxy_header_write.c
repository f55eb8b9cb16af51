#include <string.h>

#include "expect.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define MAPPED	  "\0\0\0\0\0\0\0\0\0\0\xff\xff"

struct row {
	const char *client, *server; /* NULL: none */
	const char *octets;	     /* behind the signature */
	size_t len;
};

#define OCTETS(text) text, sizeof text - 1

static const struct row rows[] = {
	{"192.0.2.1:4711", "198.51.100.2:25",
	 OCTETS("\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x67\x00\x19")},
	{"[2001:db8::1]:65535", "[2001:db8::2]:25",
	 OCTETS("\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0"
		"\0"
		"\0\0\0\0\0\0\x02\xff\xff\x00\x19")},
	{"192.0.2.1:1", "[2001:db8::2]:25",
	 OCTETS("\x21\x21\x00\x24" MAPPED
		"\xc0\x00\x02\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
		"\x00\x01\x00\x19")},
	{NULL, NULL, OCTETS("\x20\x00\x00\x00")},
	{"192.0.2.1:1", NULL, OCTETS("\x20\x00\x00\x00")},
	{"unix:/run/x", "192.0.2.1:1", OCTETS("\x20\x00\x00\x00")},
};

static const struct address *parse(const char *text, struct address *address)
{
	if (!text)
		return NULL;
	assert_true(address_parse(text, address));
	return address;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct address client, server;
		char out[PROXY_HEADER_WRITTEN_MAX];
		size_t n = proxy_header_write(out, parse(rows[i].client, &client),
					      parse(rows[i].server, &server));

		assert_int_equal(n, 12 + rows[i].len);
		assert_memory_equal(out, SIGNATURE, 12);
		assert_memory_equal(out + 12, rows[i].octets, rows[i].len);
	}
}

/* Our own parser reads what it was. */
static void test_read_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct address client, server;
		struct proxy_header header;
		const char *reason;
		char out[PROXY_HEADER_WRITTEN_MAX], a[ADDRESS_IP_SIZE], b[ADDRESS_IP_SIZE];
		size_t used, n = proxy_header_write(out, parse(rows[i].client, &client),
						    parse(rows[i].server, &server));

		assert_int_equal(proxy_header_read(out, n, &header, &used, &reason),
				 PROXY_HEADER_GOOD);
		assert_int_equal(used, n);
		assert_int_equal(header.local, rows[i].octets[0] == '\x20');
		if (header.local)
			continue;
		address_ip(&header.client, a);
		address_ip(&client, b);
		assert_string_equal(a, b);
		address_ip(&header.server, a);
		address_ip(&server, b);
		assert_string_equal(a, b);
		assert_int_equal(address_port(&header.client), address_port(&client));
		assert_int_equal(address_port(&header.server), address_port(&server));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
