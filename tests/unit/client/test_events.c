#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/events.h>

#include "examples.h"

#define HELLO                                                                                      \
	"{\"type\":\"hello\",\"protocol\":\"gatepost-events\",\"versions\":[1],\"gateway\":"       \
	"{\"name\":\"a\",\"epoch\":\"b\"},\"head\":0,\"oldest\":0}\n"
#define SUBSCRIBED(epoch, from)                                                                    \
	"{\"type\":\"subscribed\",\"version\":1,\"epoch\":\"" epoch "\",\"from\":" #from           \
	",\"replaying\":0}\n"
#define EVENT(seq, prev)                                                                           \
	"{\"type\":\"event\",\"seq\":" #seq ",\"prev\":" #prev                                     \
	",\"time\":\"t\",\"event\":\"mail\",\"data\":{\"code\":250}}\n"
#define GAP(from, to, lost)                                                                        \
	"{\"type\":\"gap\",\"from\":" #from ",\"to\":" #to ",\"lost\":" #lost ",\"why\":\"lag\"}"  \
	"\n"
#define HEARTBEAT(seq)                                                                             \
	"{\"type\":\"heartbeat\",\"time\":\"t\",\"seq\":" #seq ",\"head\":90,\"lost_total\":0}\n"
#define GAP_EPOCH "{\"type\":\"gap\",\"why\":\"epoch\"}\n"

static struct gatepost_events *make(const char *epoch, uint64_t seq)
{
	const struct gatepost_events_options options = {.epoch = epoch, .seq = seq};
	struct gatepost_error error;
	struct gatepost_events *events = gatepost_events_new(&options, &error);

	assert_non_null(events);
	return events;
}

static bool feed(struct gatepost_events *events, const char *text)
{
	return gatepost_events_feed(events, text, strlen(text));
}

/* Takes all items; shows them as "1 3 lag:4-9 epoch:? 12". */
static void show(struct gatepost_events *events, char *to, size_t size)
{
	const struct gatepost_item *item;
	size_t used = 0;

	*to = '\0';
	while ((item = gatepost_events_next(events))) {
		if (!item->is_gap)
			snprintf(to + used, size - used, " %d", (int)item->seq);
		else if (!item->to)
			snprintf(to + used, size - used, " %s:?", item->why);
		else
			snprintf(to + used, size - used, " %s:%d-%d", item->why, (int)item->from,
				 (int)item->to);
		if (item->is_gap)
			assert_int_equal(item->lost, item->to ? item->to - item->from + 1 : 0);
		used += strlen(to + used);
	}
}

static void assert_items(struct gatepost_events *events, const char *expected)
{
	char shown[512];

	show(events, shown, sizeof shown);
	assert_string_equal(shown, expected);
}

static void assert_position(struct gatepost_events *events, const char *epoch, uint64_t seq)
{
	const char *found;
	uint64_t at;

	assert_true(gatepost_events_position(events, &found, &at));
	assert_string_equal(found, epoch);
	assert_int_equal(at, seq);
}

static void assert_out(struct gatepost_events *events, const char *expected)
{
	const char *data;
	size_t len = gatepost_events_out(events, &data);

	if (len != strlen(expected) || memcmp(data, expected, len) != 0)
		fail_msg("it sends %.*s", (int)len, data);
	gatepost_events_sent(events, len);
}

static void test_subscribe(void **state)
{
	static const char *const wanted[] = {"connect", "message", "policy.*", NULL};
	static const char *const wrong[] = {"rcptt", NULL};
	struct gatepost_events_options options = {.name = "siem", .events = wanted};
	struct gatepost_error error;
	struct gatepost_events *events = gatepost_events_new(&options, &error);

	(void)state;
	assert_out(events, "");
	assert_true(feed(events, HELLO));
	assert_out(events, "{\"type\":\"subscribe\",\"version\":1,\"name\":\"siem\",\"events\":"
			   "[\"connect\",\"message\",\"policy.*\"],\"from\":\"now\"}\n");
	gatepost_events_free(&events);
	options.oldest = options.close_on_lag = true;
	options.events = NULL;
	events = gatepost_events_new(&options, &error);
	assert_true(feed(events, HELLO));
	assert_out(events, "{\"type\":\"subscribe\",\"version\":1,\"name\":\"siem\",\"events\":"
			   "[\"*\"],\"from\":\"oldest\",\"on_lag\":\"close\"}\n");
	assert_true(feed(events, SUBSCRIBED("E1", 3)));
	assert_false(feed(events, "{\"type\":\"error\",\"fatal\":true,\"code\":\"lag\","
				  "\"message\":\"too slow\"}\n"));
	assert_true(gatepost_events_is_refused(events));
	gatepost_events_free(&events);
	options.events = wrong;
	assert_null(gatepost_events_new(&options, &error));
	assert_string_equal(error.code, "unknown_event");
	options.events = NULL;
	options.epoch = "E1";
	options.seq = UINT64_MAX;
	assert_null(gatepost_events_new(&options, &error));
}

/* What the Python package's Cursor yields for the same messages. */
static void test_gaps(void **state)
{
	static const struct {
		const char *epoch;
		unsigned seq;
		const char *text, *items;
		const char *after_epoch;
		unsigned after;
	} rows[] = {
		{NULL, 0, SUBSCRIBED("E1", 1) EVENT(1, 0) EVENT(3, 1) GAP(4, 9, 6) EVENT(12, 9),
		 " 1 3 lag:4-9 12", "E1", 12},
		{NULL, 0, SUBSCRIBED("E1", 1) EVENT(1, 0) EVENT(5, 4), " 1 unexplained:2-4 5", "E1",
		 5},
		{NULL, 0, SUBSCRIBED("E1", 7) EVENT(7, 3), " unexplained:? 7", "E1", 7},
		{"E1", 2, SUBSCRIBED("E1", 3) EVENT(3, 2), " 3", "E1", 3},
		{NULL, 0, SUBSCRIBED("E1", 3) HEARTBEAT(2), "", "E1", 2},
		{NULL, 0, SUBSCRIBED("E1", 3) HEARTBEAT(8), "", "E1", 8},
		{NULL, 0, SUBSCRIBED("E1", 3) EVENT(3, 2) HEARTBEAT(3) HEARTBEAT(8) EVENT(9, 3),
		 " 3 9", "E1", 9},
		{NULL, 0, SUBSCRIBED("E1", 3) EVENT(3, 2) HEARTBEAT(8), " 3", "E1", 8},
		{"E1", 2, SUBSCRIBED("E1", 6) HEARTBEAT(8), " unexplained:3-5", "E1", 8},
		{"E0", 2, SUBSCRIBED("E1", 6) GAP_EPOCH HEARTBEAT(8), " epoch:?", "E1", 8},
		{"E0", 2, SUBSCRIBED("E1", 6) HEARTBEAT(8), " unexplained:?", "E1", 8},
		{"E1", 2, SUBSCRIBED("E1", 6), "", "E1", 2},
		{"E1", 2, SUBSCRIBED("E1", 6) EVENT(6, 5), " unexplained:3-5 6", "E1", 6},
		{"E1", 2, SUBSCRIBED("E1", 6) GAP(3, 5, 3) EVENT(6, 5), " lag:3-5 6", "E1", 6},
		{"E1", 2, SUBSCRIBED("E1", 6) GAP(4, 5, 2) EVENT(6, 5),
		 " lag:4-5 unexplained:3-5 6", "E1", 6},
		{"E1", 2, SUBSCRIBED("E2", 1) GAP_EPOCH, " epoch:?", "E2", 0},
		{"E1", 2, SUBSCRIBED("E2", 1) GAP_EPOCH EVENT(1, 0), " epoch:? 1", "E2", 1},
		{"E1", 2, SUBSCRIBED("E2", 1) EVENT(1, 0), " unexplained:? 1", "E2", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct gatepost_events *events = make(rows[i].epoch, rows[i].seq);

		assert_true(feed(events, HELLO));
		assert_true(feed(events, rows[i].text));
		assert_items(events, rows[i].items);
		assert_position(events, rows[i].after_epoch, rows[i].after);
		gatepost_events_free(&events);
	}
}

static void test_reconnect(void **state)
{
	struct gatepost_events *events = make(NULL, 0);
	const struct gatepost_item *item;
	const char *data;

	(void)state;
	assert_true(feed(events, HELLO SUBSCRIBED("E1", 1) EVENT(1, 0) EVENT(2, 1)));
	gatepost_events_sent(events, gatepost_events_out(events, &data));
	item = gatepost_events_next(events);
	assert_int_equal(item->seq, 1);
	assert_position(events, "E1", 1); /* not 2: that was not taken */
	assert_true(gatepost_events_feed_end(events));
	gatepost_events_open(events);
	assert_null(gatepost_events_next(events));
	assert_true(feed(events, HELLO));
	assert_out(events, "{\"type\":\"subscribe\",\"version\":1,\"events\":[\"*\"],\"from\":"
			   "{\"epoch\":\"E1\",\"seq\":1}}\n");
	assert_true(feed(events, SUBSCRIBED("E1", 2) EVENT(2, 1)));
	assert_items(events, " 2");
	gatepost_events_free(&events);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text, *code;
		bool refused;
	} rows[] = {
		{EVENT(1, 0), "bad_message", false},
		{SUBSCRIBED("E1", 1), "bad_message", false},
		{HELLO EVENT(1, 0), "bad_message", false},
		{HELLO SUBSCRIBED("E1", 1) SUBSCRIBED("E1", 1), "bad_message", false},
		{HELLO SUBSCRIBED("E1", 0), "bad_message", false},
		{"{\n", "bad_json", false},
		{"{\"type\":\"error\",\"fatal\":true,\"code\":\"too_many\",\"message\":\"m\"}\n",
		 "too_many", false},
		{HELLO "{\"type\":\"error\",\"fatal\":true,\"code\":\"unknown_event\",\"message\":"
		       "\"m\"}\n",
		 "unknown_event", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct gatepost_events *events = make(NULL, 0);

		assert_false(feed(events, rows[i].text));
		assert_string_equal(gatepost_events_error(events)->code, rows[i].code);
		assert_int_equal(gatepost_events_is_refused(events), rows[i].refused);
		gatepost_events_open(events);
		assert_true(feed(events, HELLO "{\"type\":\"news\"}\n" SUBSCRIBED("E1", 1)));
		assert_true(feed(events, "{"));
		assert_false(gatepost_events_feed_end(events));
		gatepost_events_free(&events);
	}
}

static void read_valid(const char *name, const char *line, size_t len)
{
	struct gatepost_events *events = make(NULL, 0);
	const struct gatepost_item *item;

	assert_true(feed(events, HELLO SUBSCRIBED("E1", 1)));
	if (!gatepost_events_feed(events, line, len) || !feed(events, "\n"))
		fail_msg("%s: %s", name, gatepost_events_error(events)->message);
	do
		item = gatepost_events_next(events);
	while (item && !item->message);
	assert_non_null(item);
	if (!item->is_gap)
		assert_non_null(gatepost_events_data(events));
	gatepost_events_free(&events);
}

static void refuse_invalid(const char *name, const char *line, size_t len)
{
	struct gatepost_events *events = make(NULL, 0);

	assert_true(feed(events, HELLO SUBSCRIBED("E1", 1)));
	if (gatepost_events_feed(events, line, len) && feed(events, "\n"))
		fail_msg("%s is taken", name);
	assert_null(gatepost_events_next(events));
	gatepost_events_free(&events);
}

static void test_examples(void **state)
{
	(void)state;
	assert_true(examples_each("valid", "event-", read_valid) >= 20);
	assert_int_equal(examples_each("valid", "gap-", read_valid), 3);
	assert_true(examples_each("invalid", "event-", refuse_invalid) >= 4);
	assert_int_equal(examples_each("invalid", "gap-", refuse_invalid), 3);
	assert_int_equal(examples_each("invalid", "heartbeat-", refuse_invalid), 6);
	assert_true(examples_each("invalid", "line-", refuse_invalid) >= 20);
}

static void test_fields(void **state)
{
	struct gatepost_events *events = make(NULL, 0);
	const struct gatepost_item *item;
	const char *exact;
	double number = 0;
	size_t len;

	(void)state;
	assert_true(feed(events, HELLO SUBSCRIBED("E1", 1)));
	assert_true(feed(events,
			 "{\"type\":\"event\",\"seq\":1,\"prev\":0,\"time\":\"t\",\"event\":"
			 "\"mail\",\"session\":\"s\",\"data\":{\"address\":\"\xef\xbf\xbd\","
			 "\"address_b64\":\"/w==\",\"ms\":0.5}}\n"));
	item = gatepost_events_next(events);
	assert_string_equal(item->name, "mail");
	assert_string_equal(item->session, "s");
	assert_null(item->transaction);
	assert_string_equal(gatepost_events_text(events, "address"), "\xef\xbf\xbd");
	exact = gatepost_events_octets(events, "address", &len);
	assert_int_equal(len, 1);
	assert_memory_equal(exact, "\xff", 2);
	assert_true(gatepost_events_number(events, "ms", &number));
	assert_true(number > 0.4 && number < 0.6);
	assert_false(gatepost_events_number(events, "address", &number));
	assert_string_equal(gatepost_events_data(events),
			    "{\"address\":\"\\uFFFD\",\"address_b64\":\"/w==\",\"ms\":0.5}");
	assert_null(gatepost_events_next(events));
	assert_null(gatepost_events_text(events, "address"));
	assert_null(gatepost_events_data(events));
	gatepost_events_free(&events);
}

static void test_every_split(void **state)
{
	static const char text[] = HELLO SUBSCRIBED("E1", 1) EVENT(1, 0) EVENT(5, 4) GAP(6, 9, 4)
		GAP_EPOCH EVENT(12, 9);
	char shown[512], *p;

	(void)state;
	for (size_t split = 0; split < sizeof text; split++) {
		struct gatepost_events *events = make(NULL, 0);

		p = shown;
		*p = '\0';
		if (split) {
			assert_true(gatepost_events_feed(events, text, split));
			show(events, p, 256);
			p += strlen(p);
			assert_true(feed(events, text + split));
			show(events, p, 256);
		}
		for (size_t i = 0; !split && text[i]; i++, p += strlen(p)) {
			assert_true(gatepost_events_feed(events, text + i, 1));
			show(events, p, 64);
		}
		assert_string_equal(shown, " 1 unexplained:2-4 5 lag:6-9 epoch:? 12");
		gatepost_events_free(&events);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subscribe),   cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_reconnect),   cmocka_unit_test(test_faults),
		cmocka_unit_test(test_examples),    cmocka_unit_test(test_fields),
		cmocka_unit_test(test_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
