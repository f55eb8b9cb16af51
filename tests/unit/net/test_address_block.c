#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/address_block.h"

static void test_table(void **state)
{
	static const struct {
		const char *block, *address;
		bool has;
	} table[] = {
		{"10.0.0.0/8", "10.255.1.2:5", true},
		{"10.0.0.0/8", "11.0.0.1:5", false},
		{"192.0.2.1", "192.0.2.1:1", true},
		{"192.0.2.1", "192.0.2.2:1", false},
		{"0.0.0.0/0", "203.0.113.9:1", true},
		{"0.0.0.0/0", "[2001:db8::1]:1", false},
		{"192.0.2.128/25", "192.0.2.129:1", true},
		{"192.0.2.128/25", "192.0.2.127:1", false},
		{"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
		{"2001:db8::/33", "[2001:db8:8000::1]:1", false},
		{"2001:db8::5", "[2001:db8::5]:1", true},
		{"::/0", "[2001:db8::5]:1", true},
		{"10.0.0.0/8", "[::ffff:10.1.1.1]:1", true},
		{"::/0", "unix:/x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct address_block block;
		struct address address;

		assert_true(address_block_parse(table[i].block, &block));
		assert_true(address_parse(table[i].address, &address));
		assert_int_equal(address_blocks_have(&block, 1, &address), table[i].has);
	}
}

static void test_refused(void **state)
{
	static const char *const table[] = {
		"",
		"/",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.1.2.3/8",
		"10.0.0/8",
		"::/129",
		"2001:db8::1/64",
		"x",
		"10.0.0.0/8/8",
		"10.0.0.0/ 8",
		"10.0.0.0/08",
		"localhost",
		"10.0.0.1:25",
		"10.0.0.0/-1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct address_block block;

		assert_false(address_block_parse(table[i], &block));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
