/* What a subscriber can ask for: where it begins, what comes when it lags; heartbeats; accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"

#define RING_SIZE 65536
#define ALL	  "[\"*\"]"
#define NOW	  "\"now\""
#define AFTER(n)  "{\"epoch\":\"" EPOCH "\",\"seq\":" #n "}"

static int open_stage(void **state)
{
	return stage_set_up_hub(state, RING_SIZE, 4);
}

/* --- from --- */

static void test_seq_0(void **state)
{
	struct stage *stage = *state;
	struct client c;
	uint64_t head, oldest;

	client_subscribe(stage, &c, ALL, AFTER(0), 1, 0); /* nothing has happened yet */
	stage_publish_many(stage, 10, 10);
	client_read_until(&c, 10);
	client_close(&c);
	client_subscribe(stage, &c, ALL, AFTER(0), 1, 10);
	client_read_until(&c, 10);
	assert_int_equal(c.received, 10);
	client_close(&c);
	stage_publish_many(stage, 990, 200);
	stage_hello(stage, &head, &oldest);
	client_subscribe(stage, &c, ALL, AFTER(0), oldest, 1001 - oldest);
	client_gap(&c, 1, oldest - 1, "expired");
	client_read_until(&c, 1000);
	assert_int_equal(c.received + c.lost, 1000);
	client_close(&c);
}

/* A seq that has not come yet was not learned here: nothing is missing, and nothing is held back
 * until it comes. */
static void test_seq_of_the_future(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_publish_many(stage, 10, 10);
	client_subscribe(stage, &c, ALL, AFTER(11), 11, 0);
	stage_publish_many(stage, 5, 10);
	client_read_until(&c, 15);
	assert_int_equal(c.received, 5);
	client_close(&c);
	client_subscribe(stage, &c, ALL, AFTER(9007199254740991), 16, 0);
	stage_publish(stage, EVENT_MAIL, 3, 0);
	assert_int_equal(client_event(&c, 16), 3);
	client_close(&c);
}

static void test_epochs_that_are_over(void **state)
{
	static const char *const from[] = {"{\"epoch\":\"01ANOTHER\",\"seq\":0}",
					   "{\"epoch\":\"\",\"seq\":3}",
					   "{\"epoch\":\"01testepoch000000000\",\"seq\":3}",
					   "{\"epoch\":\"" EPOCH "0\",\"seq\":9007199254740991}"};
	struct stage *stage = *state;
	struct client c;

	stage_publish_many(stage, 10, 10);
	for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
		client_subscribe(stage, &c, ALL, from[i], 1, 10);
		client_gap(&c, 0, 0, "epoch");
		client_read_until(&c, 10);
		assert_int_equal(c.received, 10);
		client_close(&c);
	}
}

static void test_malformed(void **state)
{
	static const char *const fields[] = {
		"\"from\":null",
		"\"from\":\"NOW\"",
		"\"from\":\"\"",
		"\"from\":5",
		"\"from\":[]",
		"\"from\":{}",
		"\"from\":{\"seq\":5}",
		"\"from\":{\"epoch\":\"" EPOCH "\"}",
		"\"from\":{\"epoch\":7,\"seq\":5}",
		"\"from\":{\"epoch\":\"" EPOCH "\",\"seq\":-1}",
		"\"from\":{\"epoch\":\"" EPOCH "\",\"seq\":5.0}",
		"\"from\":{\"epoch\":\"" EPOCH "\",\"seq\":\"5\"}",
		"\"from\":{\"epoch\":\"" EPOCH "\",\"seq\":null}",
		"\"on_lag\":null",
		"\"on_lag\":\"\"",
		"\"on_lag\":\"wait\"",
		"\"on_lag\":true",
	};
	struct stage *stage = *state;
	char line[256];
	struct client c;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		snprintf(line, sizeof line, "{\"type\":\"subscribe\",\"version\":1,%s}\n",
			 fields[i]);
		client_open(stage, &c);
		json_decref(client_take(&c, "hello"));
		client_send(&c, line);
		client_refused(&c, "bad_message");
		client_close(&c);
	}
}

/* --- lag --- */

static void subscribe_to_close(struct stage *stage, struct client *c, const char *from)
{
	char text[256];

	client_open(stage, c);
	json_decref(client_take(c, "hello"));
	snprintf(text, sizeof text,
		 "{\"type\":\"subscribe\",\"version\":1,\"from\":%s,\"on_lag\":\"close\"}\n", from);
	client_send(c, text);
	json_decref(client_take(c, "subscribed"));
}

/* All that was written comes first, then the reason with the bounds of the loss, then the end. Who
 * goes on from there gets just these bounds again. */
static void test_close_on_lag(void **state)
{
	struct stage *stage = *state;
	char from[96], bounds[96];
	struct client c;
	json_t *message;
	uint64_t last, head, oldest;

	subscribe_to_close(stage, &c, NOW);
	stage_publish_many(stage, 20000, 100);
	for (;;) {
		message = client_take(&c, NULL);
		if (strcmp(json_string_value(json_object_get(message, "type")), "event") != 0)
			break;
		c.seq++;
		assert_int_equal(json_integer_value(json_object_get(message, "seq")), c.seq);
		json_decref(message);
	}
	last = c.seq;
	assert_true(last > 100 && last < 20000);
	assert_string_equal(json_string_value(json_object_get(message, "type")), "error");
	assert_string_equal(json_string_value(json_object_get(message, "code")), "lag");
	assert_true(json_is_true(json_object_get(message, "fatal")));
	stage_hello(stage, &head, &oldest);
	snprintf(bounds, sizeof bounds, "the events %u to %u are not held any more",
		 (unsigned)last + 1, (unsigned)oldest - 1);
	assert_string_equal(json_string_value(json_object_get(message, "message")), bounds);
	json_decref(message);
	assert_null(client_take(&c, NULL));
	client_close(&c);

	snprintf(from, sizeof from, "{\"epoch\":\"" EPOCH "\",\"seq\":%u}", (unsigned)last);
	client_subscribe(stage, &c, ALL, from, oldest, head + 1 - oldest);
	client_gap(&c, last + 1, oldest - 1, "expired");
	client_read_until(&c, 20000);
	assert_int_equal(last + c.received + c.lost, 20000);
	client_close(&c);
}

/* What was lost before or elsewhere is no lag. */
static void test_other_gaps_do_not_close(void **state)
{
	struct stage *stage = *state;
	struct client c;
	uint64_t head, oldest;

	stage_publish_many(stage, 1000, 200);
	stage_hello(stage, &head, &oldest);
	subscribe_to_close(stage, &c, AFTER(3));
	c.seq = oldest - 1;
	client_gap(&c, 4, oldest - 1, "expired");
	stage_publish(stage, EVENT_MAIL, 1, 200000); /* more than the bus takes: a loss */
	stage_publish(stage, EVENT_MAIL, 2, 0);
	client_read_until(&c, 1000);
	client_gap(&c, 1001, 1001, "gateway");
	assert_int_equal(client_event(&c, 1002), 2);
	client_close(&c);
}

/* --- heartbeats --- */

/* They come without events and with them, under a filter too; to nobody before its subscription. */
static void test_heartbeats(void **state)
{
	struct stage *stage = *state;
	struct client all, none, greeted;
	json_t *message;

	client_subscribe(stage, &all, ALL, NOW, 1, 0);
	client_subscribe(stage, &none, "[\"violation\"]", NOW, 1, 0);
	stage_publish_many(stage, 10, 10);
	client_read_until(&all, 10);
	json_decref(client_take(&all, "heartbeat"));
	client_open(stage, &greeted);
	json_decref(client_take(&greeted, "hello"));
	message = client_take(&none, "heartbeat");
	assert_int_equal(json_integer_value(json_object_get(message, "seq")), 10);
	assert_int_equal(json_integer_value(json_object_get(message, "head")), 10);
	assert_int_equal(json_integer_value(json_object_get(message, "lost_total")), 0);
	json_decref(message);
	client_idle(&greeted);
	stage_publish(stage, EVENT_VIOLATION, 7, 0);
	assert_int_equal(client_event(&none, 11), 7); /* and its prev is still 0 */
	json_decref(client_take(&none, "heartbeat"));
	assert_int_equal(client_event(&all, 11), 7);
	client_close(&all);
	client_close(&none);
	client_close(&greeted);
}

/* One that is behind is told how far, and what it has lost in all. */
static void test_heartbeat_of_a_slow_one(void **state)
{
	struct stage *stage = *state;
	struct client c;
	json_t *message;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	for (int i = 0; i < 3; i++) {
		stage_publish_many(stage, 10000, 100);
		for (uint64_t gaps = c.gaps; c.gaps == gaps;)
			client_read_one(&c);
	}
	client_read_until(&c, 30000);
	message = client_take(&c, "heartbeat"); /* its numbers are checked there */
	assert_int_equal(json_integer_value(json_object_get(message, "head")), 30000);
	assert_true(c.lost > 0);
	assert_int_equal(c.received + c.lost, 30000);
	json_decref(message);
	client_close(&c);
}

/* --- accounts --- */

static void test_accounts(void **state)
{
	struct stage *stage = *state;
	struct client c;

	event_hub_allow(stage->hub, getuid() + 1);
	event_hub_allow(stage->hub, getuid() + 2);
	for (int i = 0; i < 6; i++) { /* they take no place from the others */
		client_open(stage, &c);
		client_refused(&c, "not_allowed");
		client_close(&c);
	}
	event_hub_allow(stage->hub, getuid());
	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	client_close(&c);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, stage_tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_seq_0),
		STAGED(test_seq_of_the_future),
		STAGED(test_epochs_that_are_over),
		STAGED(test_malformed),
		STAGED(test_close_on_lag),
		STAGED(test_other_gaps_do_not_close),
		STAGED(test_heartbeats),
		STAGED(test_heartbeat_of_a_slow_one),
		STAGED(test_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
