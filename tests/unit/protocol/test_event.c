#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/event.h"

#define BIT(name) (UINT32_C(1) << EVENT_##name)
#define ALL	  ((UINT32_C(1) << EVENT_MAX) - 1)
#define POLICY                                                                                     \
	(BIT(POLICY_DECISION) | BIT(POLICY_FAILURE) | BIT(POLICY_SHADOW) | BIT(POLICY_BAD_REPLY) | \
	 BIT(POLICY_BREAKER) | BIT(POLICY_SERVICE))
#define GATEWAY                                                                                    \
	(BIT(GATEWAY_START) | BIT(GATEWAY_READY) | BIT(GATEWAY_UNREADY) | BIT(GATEWAY_RELOAD) |    \
	 BIT(GATEWAY_DRAIN))

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern;
		uint32_t mask; /* 0: names nothing */
	} rows[] = {
		{"*", ALL},
		{"connect", BIT(CONNECT)},
		{"policy.service", BIT(POLICY_SERVICE)},
		{"policy.*", POLICY},
		{"gateway.*", GATEWAY},
		{"policy", 0},
		{"policy.", 0},
		{"policy*", 0},
		{"policy.s*", 0},
		{"message.*", 0},
		{".*", 0},
		{"**", 0},
		{"*.*", 0},
		{"", 0},
		{"Connect", 0},
		{"connect ", 0},
		{"policy.*.*", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t mask = 0;

		if (event_match(rows[i].pattern, &mask) != (rows[i].mask != 0) ||
		    mask != rows[i].mask)
			fail_msg("pattern \"%s\" gives %x", rows[i].pattern, mask);
	}
}

static void test_patterns_add_up(void **state)
{
	uint32_t mask = BIT(RCPT);

	(void)state;
	assert_true(event_match("gateway.*", &mask));
	assert_false(event_match("nothing", &mask));
	assert_int_equal(mask, GATEWAY | BIT(RCPT));
}

static void test_every_word_matches_itself_only(void **state)
{
	(void)state;
	for (unsigned i = 0; i < EVENT_MAX; i++) {
		uint32_t mask = 0;

		assert_true(event_match(event_word((enum event_kind)i), &mask));
		assert_int_equal(mask, UINT32_C(1) << i);
	}
}

static void test_fields(void **state)
{
	struct event e;

	(void)state;
	event_init(&e, EVENT_RCPT, "s", NULL);
	event_add_text(&e, "by", NULL);
	event_add_text(&e, "by", "");
	event_add_octets(&e, "address", (struct octets){NULL, 0});
	assert_int_equal(e.fields_len, 0);
	event_add_octets(&e, "address", (struct octets){"", 0});
	event_add_integer(&e, "code", -1);
	event_add_boolean(&e, "flag", true);
	event_add_real(&e, "ms", 0.5);
	event_add_text(&e, "by", "x");
	assert_int_equal(e.fields_len, 5);
	assert_int_equal(e.fields[0].type, EVENT_OCTETS);
	assert_int_equal(e.fields[1].value.integer, -1);
	assert_string_equal(e.fields[4].value.text, "x");
	assert_null(e.transaction);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_patterns_add_up),
		cmocka_unit_test(test_every_word_matches_itself_only),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
