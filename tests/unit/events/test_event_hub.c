/* The hub on real sockets: the chain of seq and prev, filters, replay, gaps, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"

#define RING_SIZE 65536
#define ALL	  "[\"*\"]"
#define NOW	  "\"now\""
#define OLDEST	  "\"oldest\""

static int open_stage(void **state)
{
	return stage_set_up_hub(state, RING_SIZE, 4);
}

static void test_chain(void **state)
{
	struct stage *stage = *state;
	struct client c;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	client_idle(&c);
	for (int i = 0; i < 100; i++)
		stage_publish(stage, EVENT_RCPT, 1000 + i, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(client_event(&c, (uint64_t)i + 1), 1000 + i);
	client_idle(&c);
	client_close(&c);
}

static void test_hello_shows_the_ring(void **state)
{
	struct stage *stage = *state;
	uint64_t head, oldest;

	stage_hello(stage, &head, &oldest);
	assert_int_equal(head, 0);
	assert_int_equal(oldest, 1);
	stage_publish_many(stage, 1000, 200);
	stage_hello(stage, &head, &oldest);
	assert_int_equal(head, 1000);
	assert_true(oldest > 700 && oldest < 1000);
}

/* What a worker has sent meanwhile is taken at once, however long the turns are that subscribers
 * cost: one turn to write it, one to read it, and one for what the kernel had no room for. */
static void test_much_in_a_turn(void **state)
{
	struct stage *stage = *state;
	struct event_hub_status status;

	stage_publish(stage, EVENT_MAIL, 0, 0);
	stage_settle(stage);
	for (int i = 0; i < 140; i++)
		stage_publish(stage, EVENT_MAIL, i, 1000);
	for (int turn = 0; turn < 3; turn++)
		stage_turn(stage);
	event_hub_tell(stage->hub, &status);
	assert_int_equal(status.head, 141);
}

/* In one turn of the loop, workers send more than the ring holds: who reads loses nothing. */
static void test_many_workers_at_once(void **state)
{
	static const char begin[] = "5 \"time\":\"t\",\"x\":\"";
	enum { WORKERS = 12, EVENTS = 15 };
	struct stage *stage = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char line[1026];
	int fds[WORKERS];
	struct client c;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	memset(line, 'x', sizeof line - 2);
	memcpy(line, begin, sizeof begin - 1);
	memcpy(line + sizeof line - 3, "\"\n", 3);
	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->hub_path);
	for (int i = 0; i < WORKERS; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&name, sizeof name), 0);
		stage_turn(stage); /* for the hub to take it */
	}
	for (int i = 0; i < WORKERS * EVENTS; i++)
		assert_int_equal(write(fds[i / EVENTS], line, sizeof line - 1), sizeof line - 1);
	client_read_until(&c, WORKERS * EVENTS);
	assert_int_equal(c.lost, 0);
	for (int i = 0; i < WORKERS; i++)
		close(fds[i]);
	client_close(&c);
}

static void test_event_of_the_hub(void **state)
{
	struct stage *stage = *state;
	struct event event;
	struct client c;
	json_t *message;

	event_init(&event, EVENT_GATEWAY_START, NULL, NULL);
	event_hub_publish(stage->hub, &event);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 1);
	message = client_take(&c, "event");
	assert_string_equal(json_string_value(json_object_get(message, "event")), "gateway.start");
	assert_int_equal(json_integer_value(json_object_get(message, "seq")), 1);
	json_decref(message);
	client_close(&c);
}

static void test_filter(void **state)
{
	static const enum event_kind kinds[] = {EVENT_CONNECT, EVENT_MAIL, EVENT_POLICY_DECISION,
						EVENT_RCPT, EVENT_POLICY_FAILURE};
	struct stage *stage = *state;
	struct client c;

	client_subscribe(stage, &c, "[\"policy.*\",\"mail\"]", NOW, 1, 0);
	for (int i = 0; i < 50; i++)
		stage_publish(stage, kinds[i % 5], i, 10);
	/* prev is checked: it is the last seq sent to this subscriber */
	for (int i = 0; i < 50; i++)
		if (i % 5 == 1 || i % 5 == 2 || i % 5 == 4)
			assert_int_equal(client_event(&c, (uint64_t)i + 1), i);
	client_idle(&c);
	client_close(&c);
}

/* Few events are wanted of many: the walk goes on over several turns of the loop. */
static void test_filter_over_a_long_ring(void **state)
{
	struct stage stage;
	struct client c;

	(void)state;
	stage_open(&stage);
	stage_start_hub(&stage, 8 << 20, 4, EPOCH);
	stage_start_bus(&stage, 1 << 20);
	stage_publish(&stage, EVENT_MAIL, 1, 0);
	stage_publish_many(&stage, 20000, 10);
	stage_publish(&stage, EVENT_MAIL, 2, 0);
	stage_settle(&stage);
	client_subscribe(&stage, &c, "[\"mail\"]", OLDEST, 1, 20002);
	assert_int_equal(client_event(&c, 1), 1);
	assert_int_equal(client_event(&c, 20002), 2);
	client_idle(&c);
	client_close(&c);
	stage_close(&stage);
}

static void test_replay_joins_live(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_publish_many(stage, 100, 10);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 100);
	stage_publish_many(stage, 50, 10);
	client_read_until(&c, 150);
	assert_int_equal(c.received, 150);
	client_idle(&c);
	client_close(&c);
}

static void test_from_seq(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_publish_many(stage, 100, 10);
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"" EPOCH "\",\"seq\":60}", 61, 40);
	client_read_until(&c, 100);
	assert_int_equal(c.received, 40);
	client_idle(&c);
	client_close(&c);
	/* the last one, and one that is yet to come: nothing to replay, nothing lost */
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"" EPOCH "\",\"seq\":100}", 101, 0);
	client_idle(&c);
	client_close(&c);
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"" EPOCH "\",\"seq\":5000}", 101, 0);
	client_idle(&c);
	client_close(&c);
}

static void test_expired(void **state)
{
	struct stage *stage = *state;
	struct client c;
	uint64_t head, oldest;
	char from[80];

	stage_publish_many(stage, 1000, 200);
	stage_hello(stage, &head, &oldest);
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"" EPOCH "\",\"seq\":7}", oldest,
			 1001 - oldest);
	client_gap(&c, 8, oldest - 1, "expired");
	client_read_until(&c, 1000);
	assert_int_equal(7 + c.received + c.lost, 1000);
	client_close(&c);
	/* the last that is not expired */
	snprintf(from, sizeof from, "{\"epoch\":\"" EPOCH "\",\"seq\":%u}", (unsigned)oldest - 1);
	client_subscribe(stage, &c, ALL, from, oldest, 1001 - oldest);
	client_event(&c, oldest);
	client_close(&c);
	/* and one that just is */
	snprintf(from, sizeof from, "{\"epoch\":\"" EPOCH "\",\"seq\":%u}", (unsigned)oldest - 2);
	client_subscribe(stage, &c, ALL, from, oldest, 1001 - oldest);
	client_gap(&c, oldest - 1, oldest - 1, "expired");
	client_event(&c, oldest);
	client_close(&c);
}

static void test_other_epoch(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_publish_many(stage, 20, 10);
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"01ANOTHER\",\"seq\":7}", 1, 20);
	client_gap(&c, 0, 0, "epoch");
	client_read_until(&c, 20);
	assert_int_equal(c.received, 20);
	client_close(&c);
}

static void test_too_many(void **state)
{
	struct stage *stage = *state;
	struct client c[4], refused, late;

	for (int i = 0; i < 4; i++)
		client_subscribe(stage, &c[i], ALL, NOW, 1, 0);
	client_open(stage, &refused);
	client_refused(&refused, "too_many");
	client_close(&refused);
	/* a place is free again when one leaves */
	client_close(&c[1]);
	stage_turn(stage);
	client_subscribe(stage, &late, ALL, NOW, 1, 0);
	stage_publish(stage, EVENT_RCPT, 5, 0);
	assert_int_equal(client_event(&late, 1), 5);
	assert_int_equal(client_event(&c[0], 1), 5);
	assert_int_equal(client_event(&c[2], 1), 5);
	assert_int_equal(client_event(&c[3], 1), 5);
	client_close(&c[0]);
	client_close(&c[2]);
	client_close(&c[3]);
	client_close(&late);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *line, *code;
	} table[] = {
		{"garbage\n", "bad_json"},
		{"\xff\xfe\n", "bad_json"},
		{"[]\n", "bad_json"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad_json"},
		{"{\"type\":\"reply\",\"version\":1}\n", "bad_message"},
		{"{\"type\":\"subscribe\"}\n", "bad_message"},
		{"{\"type\":\"subscribe\",\"version\":2}\n", "version"},
		{"{\"type\":\"subscribe\",\"version\":1,\"events\":[\"nonesuch\"]}\n",
		 "unknown_event"},
		{"{\"type\":\"subscribe\",\"version\":1,\"events\":\"mail\"}\n", "bad_message"},
		{"{\"type\":\"subscribe\",\"version\":1,\"from\":\"yesterday\"}\n", "bad_message"},
		{"{\"type\":\"subscribe\",\"version\":1,\"must\":[\"x\"]}\n", "bad_message"},
	};
	struct stage *stage = *state;
	struct client c;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		client_open(stage, &c);
		json_decref(client_take(&c, "hello"));
		client_send(&c, table[i].line);
		client_refused(&c, table[i].code);
		client_close(&c);
	}
}

static void test_line_too_long(void **state)
{
	struct stage *stage = *state;
	char *line = malloc(2 << 20);
	struct client c;

	memset(line, 'x', 2 << 20);
	line[(2 << 20) - 1] = '\0';
	client_open(stage, &c);
	json_decref(client_take(&c, "hello"));
	client_send(&c, line);
	client_refused(&c, "line_too_long");
	client_close(&c);
	free(line);
}

static void test_nothing_may_follow(void **state)
{
	struct stage *stage = *state;
	struct client c;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	client_send(&c, "{\"type\":\"subscribe\",\"version\":1}\n");
	client_refused(&c, "bad_message");
	client_close(&c);
}

static void test_silent_client_is_closed(void **state)
{
	struct stage *stage = *state;
	struct client c, quiet;
	double begin = ev_time();

	client_subscribe(stage, &quiet, ALL, NOW, 1, 0);
	client_open(stage, &c);
	json_decref(client_take(&c, "hello"));
	client_send(&c, "{\"type\":"); /* a started line is no line */
	assert_null(client_take(&c, NULL));
	assert_true(ev_time() - begin > 4.5);
	client_close(&c);
	/* a subscriber may be silent for ever */
	stage_publish(stage, EVENT_MAIL, 8, 0);
	assert_int_equal(client_event(&quiet, 1), 8);
	client_close(&quiet);
}

/* A hub that ends gives what it has: also what a worker wrote whose connection it has not accepted
 * yet. */
static void test_end(void **state)
{
	struct stage stage;
	struct client c;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	static const char text[] = "5 \"time\":\"t\",\"event\":\"mail\",\"data\":{}\nlost 3\n";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	stage_open(&stage);
	stage_start_hub(&stage, RING_SIZE, 4, EPOCH);
	client_subscribe(&stage, &c, ALL, NOW, 1, 0);
	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage.hub_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd);
	event_hub_free(&stage.hub);
	client_event(&c, 1);
	client_gap(&c, 2, 4, "gateway");
	assert_null(client_take(&c, NULL));
	client_close(&c);
	stage_close(&stage);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, stage_tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_chain),
		STAGED(test_hello_shows_the_ring),
		STAGED(test_much_in_a_turn),
		STAGED(test_many_workers_at_once),
		STAGED(test_event_of_the_hub),
		STAGED(test_filter),
		cmocka_unit_test(test_filter_over_a_long_ring),
		STAGED(test_replay_joins_live),
		STAGED(test_from_seq),
		STAGED(test_expired),
		STAGED(test_other_epoch),
		STAGED(test_too_many),
		STAGED(test_refusals),
		STAGED(test_line_too_long),
		STAGED(test_nothing_may_follow),
		STAGED(test_silent_client_is_closed),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
