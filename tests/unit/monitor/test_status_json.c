#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../protocol/examples.h"
#include "protocol/strict_json.h"
#include "status_stage.h"

static void test_example(void **state)
{
	struct status_stage stage;
	struct json_out out = {0};

	(void)state;
	status_stage_open(&stage);
	status_json(&out, &stage.facts);
	examples_assert_equal(&out, "valid/status.json");
	json_out_fini(&out);
}

static json_t *message(struct status_stage *stage)
{
	char problem[256];
	struct json_out out = {0};
	json_t *read;

	status_json(&out, &stage->facts);
	assert_int_equal(out.data[out.len - 1], '\n');
	read = strict_json_parse(out.data, out.len - 1, problem, sizeof problem);
	assert_non_null(read);
	json_out_fini(&out);
	return read;
}

/* A gateway of which nothing is known yet. */
static void test_empty(void **state)
{
	struct status_stage stage;
	json_t *read;

	(void)state;
	status_stage_open(&stage);
	stage.facts.counters = counters_new();
	stage.facts.ready = true;
	stage.facts.reasons = (struct octets){NULL, 0};
	stage.events = (struct event_hub_status){0};
	read = message(&stage);
	assert_true(json_is_true(json_object_get(read, "ready")));
	assert_int_equal(json_array_size(json_object_get(read, "reasons")), 0);
	assert_int_equal(json_array_size(json_object_get(read, "workers")), 0);
	assert_int_equal(json_array_size(json_object_get(read, "policies")), 0);
	assert_null(json_object_get(json_object_get(read, "master"), "up_ms"));
	json_decref(read);
}

/* A process that is gone leaves its sums and takes the rest along. */
static void test_sums_outlive(void **state)
{
	struct status_stage stage;
	json_t *read, *policy;

	(void)state;
	status_stage_open(&stage);
	counters_slot_clear(counters_slot(stage.counters, 1));
	read = message(&stage);
	assert_int_equal(json_array_size(json_object_get(read, "workers")), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(read, "sums"), "connections")),
		10);
	policy = json_array_get(json_object_get(read, "policies"), 0);
	assert_int_equal(json_integer_value(json_object_get(policy, "outstanding")), 0);
	assert_int_equal(json_integer_value(json_object_get(policy, "late")), 1);
	json_decref(read);
}

/* The largest message that there can be is a line. */
static void test_largest(void **state)
{
	struct status_stage stage;
	struct json_out out = {0};
	char name[COUNTERS_NAME_SIZE];

	(void)state;
	status_stage_open(&stage);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (unsigned row = 0; row < COUNTERS_ROWS - 1; row++) {
		struct counters_slot *slot = counters_slot(stage.counters, 0);

		name[0] = (char)('A' + row / 26);
		name[1] = (char)('a' + row % 26);
		assert_true(counters_policy_row(stage.counters, name) < COUNTERS_ROWS);
		assert_true(counters_delivery_row(stage.counters, name) < COUNTERS_ROWS);
		for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
			struct counters_policy_hook *h = &slot->policies[row].hooks[hook];

			for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
				h->latency.buckets[i] = 1000000000000;
			for (unsigned i = 0; i < VERDICT_MAX; i++)
				h->verdicts[i] = 1000000000000;
			for (unsigned i = 0; i < FAILURE_MAX; i++)
				h->failures[i] = 1000000000000;
		}
	}
	for (unsigned i = 0; i < COUNTERS_SLOTS / 2; i++)
		atomic_store(&counters_slot(stage.counters, i)->state, COUNTERS_RETIRING);
	status_json(&out, &stage.facts);
	assert_true(out.len < 1048576);
	json_out_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_sums_outlive),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
