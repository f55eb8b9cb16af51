#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "events/event_stream.h"
#include "protocol/event.h"

static void test_read(void **state)
{
	static const struct {
		const char *line;
		bool good;
		uint64_t lost;
		unsigned kind;
		const char *body;
	} table[] = {
		{"0 x", true, 0, 0, "x"},
		{"12 \"time\":\"lost 3\"", true, 0, 12, "\"time\":\"lost 3\""},
		{"3  two spaces", true, 0, 3, " two spaces"},
		{"lost 1", true, 1, 0, NULL},
		{"lost 999999999999999", true, 999999999999999, 0, NULL},
		{"lost 0", false, 0, 0, NULL},
		{"lost 1000000000000000", false, 0, 0, NULL},
		{"lost 18446744073709551617", false, 0, 0, NULL},
		{"lost -1", false, 0, 0, NULL},
		{"lost 1 ", false, 0, 0, NULL},
		{"lost", false, 0, 0, NULL},
		{"lost ", false, 0, 0, NULL},
		{"", false, 0, 0, NULL},
		{"3", false, 0, 0, NULL},
		{"3 ", false, 0, 0, NULL},
		{" 3 x", false, 0, 0, NULL},
		{"+3 x", false, 0, 0, NULL},
		{"-1 x", false, 0, 0, NULL},
		{"99 x", false, 0, 0, NULL},
		{"4294967296 x", false, 0, 0, NULL},
		{"x 3", false, 0, 0, NULL},
	};
	struct event_stream_record record;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		bool good = event_stream_read(table[i].line, strlen(table[i].line), &record);

		if (good != table[i].good)
			fail_msg("\"%s\"", table[i].line);
		if (!good)
			continue;
		assert_int_equal(record.lost, table[i].lost);
		assert_int_equal(record.kind, table[i].kind);
		if (!table[i].body)
			continue;
		assert_int_equal(record.len, strlen(table[i].body));
		assert_memory_equal(record.body, table[i].body, record.len);
	}
}

static void test_kinds(void **state)
{
	struct event_stream_record record;
	char line[32];

	(void)state;
	for (unsigned kind = 0; kind < EVENT_MAX; kind++) {
		int len = snprintf(line, sizeof line, "%u body", kind);

		assert_true(event_stream_read(line, (size_t)len, &record));
		assert_int_equal(record.kind, kind);
	}
	snprintf(line, sizeof line, "%u body", (unsigned)EVENT_MAX);
	assert_false(event_stream_read(line, strlen(line), &record));
}

static void test_body_size(void **state)
{
	size_t len = EVENT_STREAM_BODY_MAX + 3;
	char *line = malloc(len + 1);
	struct event_stream_record record;

	(void)state;
	memset(line, 'x', len);
	memcpy(line, "3 ", 2);
	line[len] = '\0';
	assert_false(event_stream_read(line, len, &record));
	line[--len] = '\0';
	assert_true(event_stream_read(line, len, &record));
	assert_int_equal(record.len, EVENT_STREAM_BODY_MAX);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_body_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
