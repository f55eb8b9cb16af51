#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "expect.h"
#include "net/address.h"

static const struct {
	const char *text, *ip;
	unsigned port;
	int family; /* 0: refused */
} table[] = {
	{"192.0.2.1:25", "192.0.2.1", 25, AF_INET},
	{"0.0.0.0:0", "0.0.0.0", 0, AF_INET},
	{"127.0.0.1:65535", "127.0.0.1", 65535, AF_INET},
	{"[2001:db8::1]:2525", "2001:db8::1", 2525, AF_INET6},
	{"[::]:25", "::", 25, AF_INET6},
	{"[::ffff:192.0.2.7]:25", "192.0.2.7", 25, AF_INET6},
	{"unix:/run/x.sock", "", 0, AF_UNIX},
	{"unix:relative", "", 0, AF_UNIX},
	{"", "", 0, 0},
	{":25", "", 0, 0},
	{"25", "", 0, 0},
	{"127.0.0.1", "", 0, 0},
	{"127.0.0.1:", "", 0, 0},
	{"127.0.0.1:65536", "", 0, 0},
	{"127.0.0.1:999999999999999999999", "", 0, 0},
	{"127.0.0.1:-1", "", 0, 0},
	{"127.0.0.1: 25", "", 0, 0},
	{"127.0.0.1:25 ", "", 0, 0},
	{"127.0.0.1:0x19", "", 0, 0},
	{"127.1:25", "", 0, 0},
	{"256.0.0.1:25", "", 0, 0},
	{"localhost:25", "", 0, 0},
	{"mx.example.com:smtp", "", 0, 0},
	{"::1:25", "", 0, 0},
	{"[::1]", "", 0, 0},
	{"[::1]25", "", 0, 0},
	{"[::1:25", "", 0, 0},
	{"[]:25", "", 0, 0},
	{"[:25", "", 0, 0},
	{"[127.0.0.1]:25", "", 0, 0},
	{"[2001:db8::1]x:25", "", 0, 0},
	{"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:25", "", 0, 0},
	{"unix:", "", 0, 0},
	{"UNIX:/x", "", 0, 0},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct address address;
		char ip[ADDRESS_IP_SIZE];
		bool ok = address_parse(table[i].text, &address);

		if (ok != (table[i].family != 0))
			fail_msg("%s: %s", table[i].text, ok ? "taken" : "refused");
		if (!ok)
			continue;
		address_ip(&address, ip);
		assert_int_equal(address.storage.ss_family, table[i].family);
		assert_string_equal(ip, table[i].ip);
		assert_int_equal(address_port(&address), table[i].port);
		assert_int_equal(address_is_unix(&address), table[i].family == AF_UNIX);
	}
}

static void test_unix_path_length(void **state)
{
	char text[200];
	struct address address;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "unix:", 5);
	text[5 + 107] = '\0'; /* sun_path holds 107 and the NUL */
	assert_true(address_parse(text, &address));
	assert_string_equal(((struct sockaddr_un *)&address.storage)->sun_path, text + 5);
	text[5 + 107] = 'x';
	text[5 + 108] = '\0';
	assert_false(address_parse(text, &address));
}

static void test_end(void **state)
{
	static const char *const ends[] = {"192.0.2.1:25", "[2001:db8::1]:2525",
					   "[::ffff:192.0.2.7]:1"};
	struct address address, kept;
	struct address_end end;

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		assert_true(address_parse(ends[i], &address));
		address_end(&address, &end);
		address_of_end(&end, &kept);
		assert_memory_equal(&kept, &address, sizeof address);
	}
	/* Of a Unix socket it is kept that it is one. */
	assert_true(address_parse("unix:/run/x.sock", &address));
	address_end(&address, &end);
	address_of_end(&end, &kept);
	assert_true(address_is_unix(&kept));
	assert_int_equal(kept.len, sizeof(sa_family_t));
	assert_string_equal(((struct sockaddr_un *)&kept.storage)->sun_path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unix_path_length),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
