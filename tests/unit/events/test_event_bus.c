/* The worker's side: a hub that is away, slow or restarted; losses are counted and told where they
 * happened. */
#include <fcntl.h>
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
#include "protocol/event_redact.h"

#define RING_SIZE 65536
#define ALL	  "[\"*\"]"
#define OLDEST	  "\"oldest\""

static void test_hub_comes_later(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_start_bus(stage, 65536);
	assert_true(event_bus_is_empty(stage->bus));
	for (int i = 0; i < 10; i++)
		stage_publish(stage, EVENT_RCPT, i, 10);
	for (int i = 0; i < 5; i++)
		stage_turn(stage);
	assert_false(event_bus_is_empty(stage->bus));
	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_settle(stage);
	assert_true(event_bus_is_empty(stage->bus));
	client_subscribe(stage, &c, ALL, OLDEST, 1, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(client_event(&c, (uint64_t)i + 1), i);
	assert_int_equal(stage_lost(stage), 0);
	client_close(&c);
}

static void test_redacted(void **state)
{
	struct stage *stage = *state;
	struct event event;
	struct client c;
	json_t *message;

	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_start_bus(stage, 65536);
	event_bus_redact(stage->bus, 1u << EVENT_REDACT_MAIL);
	event_init(&event, EVENT_MAIL, NULL, NULL);
	event_add_text(&event, "address", "alice@example.org");
	event_bus_publish(stage->bus, &event);
	stage->published++;
	stage_settle(stage);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 1);
	message = client_take(&c, "event");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(message, "data"), "address")),
		"*@example.org");
	json_decref(message);
	client_close(&c);
}

static void test_overflow_while_away(void **state)
{
	struct stage *stage = *state;
	struct client c;
	uint64_t lost, kept;

	stage_start_bus(stage, 2000);
	for (int i = 0; i < 100; i++)
		stage_publish(stage, EVENT_RCPT, i, 10);
	lost = stage_lost(stage);
	kept = 100 - lost;
	assert_true(kept > 5 && kept < 25);
	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_settle(stage); /* without another event: the loss is told by itself */
	client_subscribe(stage, &c, ALL, OLDEST, 1, kept);
	for (uint64_t i = 0; i < kept; i++)
		assert_int_equal(client_event(&c, i + 1), i);
	client_gap(&c, kept + 1, 100, "gateway");
	stage_publish(stage, EVENT_RCPT, 100, 10);
	assert_int_equal(client_event(&c, 101), 100);
	assert_int_equal(stage_lost(stage), lost);
	client_close(&c);
}

/* What does not fit is lost at its place, though something smaller after it fits. */
static void test_loss_keeps_its_place(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_start_bus(stage, 2000);
	stage_publish(stage, EVENT_RCPT, 1, 10);
	stage_publish(stage, EVENT_RCPT, 2, 5000);
	stage_publish(stage, EVENT_RCPT, 3, 5000);
	stage_publish(stage, EVENT_RCPT, 4, 10);
	stage_publish(stage, EVENT_RCPT, 5, 10);
	stage_publish(stage, EVENT_RCPT, 6, 5000);
	assert_int_equal(stage_lost(stage), 3);
	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_settle(stage);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 3);
	assert_int_equal(client_event(&c, 1), 1);
	client_gap(&c, 2, 3, "gateway");
	assert_int_equal(client_event(&c, 4), 4);
	assert_int_equal(client_event(&c, 5), 5);
	client_gap(&c, 6, 6, "gateway");
	client_close(&c);
}

static void test_event_too_large(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 1 << 20);
	stage_publish(stage, EVENT_RCPT, 1, 10);
	stage_publish(stage, EVENT_RCPT, 2, 200000);
	stage_publish(stage, EVENT_RCPT, 3, 10);
	stage_settle(stage);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 2);
	assert_int_equal(client_event(&c, 1), 1);
	client_gap(&c, 2, 2, "gateway");
	assert_int_equal(client_event(&c, 3), 3);
	client_close(&c);
}

/* --- a hub of our own that does not read --- */

static int listen_as_hub(const struct stage *stage)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->hub_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

struct tally {
	uint64_t events, lost, records_of_loss;
};

static void count_line(const char *line, struct tally *tally)
{
	const char *n;

	if (strncmp(line, "lost ", 5) == 0) {
		tally->lost += strtoull(line + 5, NULL, 10);
		tally->records_of_loss++;
		return;
	}
	/* the event's own number is its place in the order of all that were published */
	n = strstr(line, "\"n\":");
	assert_non_null(n);
	assert_int_equal(strtoull(n + 4, NULL, 10), tally->events + tally->lost);
	tally->events++;
}

static void read_as_hub(struct stage *stage, int fd, uint64_t total, struct tally *tally)
{
	double limit = ev_time() + 20;
	struct jsonl in;
	char piece[4096], *line;
	size_t len;

	jsonl_init(&in, JSONL_LINE_MAX);
	while (tally->events + tally->lost < total) {
		ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

		assert_true(ev_time() < limit);
		if (n > 0)
			assert_true(jsonl_feed(&in, piece, (size_t)n));
		while (jsonl_next(&in, &line, &len))
			count_line(line, tally);
		stage_turn(stage);
	}
	assert_int_equal(in.len, 0);
	jsonl_fini(&in);
}

static void test_hub_does_not_read(void **state)
{
	struct stage *stage = *state;
	struct tally tally = {0};
	int listener = listen_as_hub(stage), fd = -1;

	stage_start_bus(stage, 100000);
	stage_until(stage, (fd = accept(listener, NULL, NULL)) >= 0);
	for (int i = 0; i < 5000; i++) {
		stage_publish(stage, EVENT_RCPT, i, 100);
		if (i % 100 == 0)
			stage_turn(stage);
	}
	assert_true(stage_lost(stage) > 1000);
	/* the loss is told without another event, when there is room */
	read_as_hub(stage, fd, 5000, &tally);
	assert_int_equal(tally.lost, stage_lost(stage));
	assert_true(tally.records_of_loss >= 1);
	stage_until(stage, event_bus_is_empty(stage->bus));
	stage_publish(stage, EVENT_RCPT, 5000, 100);
	read_as_hub(stage, fd, 5001, &tally);
	assert_int_equal(tally.lost, stage_lost(stage));
	close(fd);
	close(listener);
}

/* Whatever the room that is left: an event goes out only with what was lost before it. */
static void test_no_room_to_tell_of_a_loss(void **state)
{
	struct stage *stage = *state;
	int listener = listen_as_hub(stage), fd = -1;

	for (size_t max = 150; max < 350; max++) {
		struct tally tally = {0};

		stage_start_bus(stage, max);
		stage_publish(stage, EVENT_RCPT, 0, 10);
		stage_publish(stage, EVENT_RCPT, 1, 5000);
		stage_publish(stage, EVENT_RCPT, 2, 10);
		stage_until(stage, (fd = accept(listener, NULL, NULL)) >= 0);
		read_as_hub(stage, fd, 3, &tally);
		assert_int_equal(tally.lost, stage_lost(stage));
		event_bus_free(&stage->bus);
		close(fd);
	}
	close(listener);
}

/* The end of a worker that has lost events: that is the last thing it says, and its buffer, which
 * may be full, is emptied for that. */
static void test_free_tells_of_losses(void **state)
{
	struct stage *stage = *state;
	int listener = listen_as_hub(stage), fd = -1;

	for (size_t max = 100; max < 250; max++) {
		struct tally tally = {0};
		uint64_t lost;

		stage_start_bus(stage, max);
		stage_until(stage, (fd = accept(listener, NULL, NULL)) >= 0);
		stage_turn(stage);
		for (int i = 0; i < 3; i++)
			stage_publish(stage, EVENT_RCPT, i, 10);
		lost = stage_lost(stage);
		assert_true(lost > 0);
		event_bus_free(&stage->bus);
		read_as_hub(stage, fd, 3, &tally);
		assert_int_equal(tally.lost, lost);
		close(fd);
	}
	close(listener);
}

static void test_hub_restarts(void **state)
{
	struct stage *stage = *state;
	struct client c;

	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish_many(stage, 20, 10);
	event_hub_free(&stage->hub);
	for (int i = 0; i < 5; i++)
		stage_turn(stage);
	stage->published = 0;
	for (int i = 0; i < 30; i++)
		stage_publish(stage, EVENT_RCPT, 100 + i, 10);
	stage_start_hub(stage, RING_SIZE, 4, "01SECONDEPOCH0000000");
	stage_settle(stage);
	client_subscribe(stage, &c, ALL, "{\"epoch\":\"" EPOCH "\",\"seq\":20}", 1, 30);
	client_gap(&c, 0, 0, "epoch");
	for (int i = 0; i < 30; i++)
		assert_int_equal(client_event(&c, (uint64_t)i + 1), 100 + i);
	assert_int_equal(stage_lost(stage), 0);
	client_close(&c);
}

/* A worker that speaks nonsense is cut off; the others and the subscribers are not. */
static void test_bad_worker(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct client c;
	char octet;

	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_start_bus(stage, 65536);
	client_subscribe(stage, &c, ALL, OLDEST, 1, 0);
	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->hub_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(write(fd, "5 x\n77 y\n5 z\n", 13), 13);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	stage_until(stage, read(fd, &octet, 1) == 0);
	close(fd);
	stage->published = 1; /* the first line was good */
	stage_publish(stage, EVENT_MAIL, 7, 0);
	stage_settle(stage);
	client_close(&c);
}

/* What was published is written before the bus goes, without another turn of the loop. */
static void test_free_flushes(void **state)
{
	struct stage *stage = *state;

	stage_start_hub(stage, RING_SIZE, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish_many(stage, 1, 0);
	for (int i = 0; i < 50; i++)
		stage_publish(stage, EVENT_MAIL, i, 10);
	event_bus_free(&stage->bus);
	assert_null(stage->bus);
	stage_settle(stage);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set_up, stage_tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_hub_comes_later),	   STAGED(test_redacted),
		STAGED(test_overflow_while_away),  STAGED(test_loss_keeps_its_place),
		STAGED(test_event_too_large),	   STAGED(test_hub_does_not_read),
		STAGED(test_hub_restarts),	   STAGED(test_bad_worker),
		STAGED(test_free_flushes),	   STAGED(test_no_room_to_tell_of_a_loss),
		STAGED(test_free_tells_of_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
