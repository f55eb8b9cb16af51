/* What a session adds to the shared numbers; and that those of "now" come back to nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stage.h"

#define MAIL "HELO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n"

static const struct delivery_result taken = {.code = 250, .status = "2.0.0", .text = "Taken as 7"};

/* All sessions are in this state; COUNTERS_SESSION_MAX: there is none. */
static void expect_now(const struct stage *s, enum counters_session state)
{
	const struct counters_slot *slot = s->host.slot;

	for (unsigned i = 0; i < COUNTERS_SESSION_MAX; i++)
		assert_int_equal(counter_get(&slot->sessions[i]), i == state);
	assert_int_equal(counter_get(&slot->open), state != COUNTERS_SESSION_MAX);
}

static void expect_replies(const struct stage *s, enum smtp_verb verb, uint64_t class2,
			   uint64_t class3, uint64_t class4, uint64_t class5)
{
	const uint64_t wanted[COUNTERS_CLASSES] = {class2, class3, class4, class5};

	for (unsigned i = 0; i < COUNTERS_CLASSES; i++)
		assert_int_equal(counter_get(&s->host.slot->replies[verb][i]), wanted[i]);
}

static void test_message(void **state)
{
	static const char lines[] = MAIL "RCPT TO:<x@elsewhere>\r\nDATA\r\n";
	struct stage s;
	struct counters_slot *slot;

	(void)state;
	stage_init(&s);
	slot = s.host.slot;
	stage_begin(&s);
	stage_until_said(&s, "220 ");
	expect_now(&s, COUNTERS_SESSION_COMMAND);
	stage_say(&s, lines);
	stage_until_trace(&s, "x@example.com");
	expect_now(&s, COUNTERS_SESSION_DELIVERY);
	stage_answer(&s, 250, "2.1.5", "Good");
	stage_until_said(&s, "354 ");
	expect_now(&s, COUNTERS_SESSION_MESSAGE);
	stage_say(&s, "hi\r\n.\r\n");
	stage_until_trace(&s, "start");
	expect_now(&s, COUNTERS_SESSION_DELIVERY);
	assert_int_equal(counter_get(&slot->messages), 0);
	stage_deliver(&s, &taken);
	stage_until_said(&s, "Taken as 7");
	expect_now(&s, COUNTERS_SESSION_COMMAND);
	assert_int_equal(counter_get(&slot->messages), 1);
	assert_int_equal(counter_get(&slot->message_octets), 4);
	stage_say(&s, "QUIT\r\n");
	stage_until_ended(&s);
	stage_until_said(&s, "221 ");
	expect_now(&s, COUNTERS_SESSION_MAX);
	assert_int_equal(counter_get(&slot->connections), 1);
	expect_replies(&s, SMTP_GREETING, 1, 0, 0, 0);
	expect_replies(&s, SMTP_MAIL, 1, 0, 0, 0);
	expect_replies(&s, SMTP_RCPT, 1, 0, 0, 1);
	expect_replies(&s, SMTP_DATA, 0, 1, 0, 0);
	expect_replies(&s, SMTP_MESSAGE, 1, 0, 0, 0);
	expect_replies(&s, SMTP_QUIT, 1, 0, 0, 0);
	expect_replies(&s, SMTP_EHLO, 0, 0, 0, 0);
	assert_int_equal(counter_get(&slot->octets_in),
			 strlen(lines) + strlen("hi\r\n.\r\nQUIT\r\n"));
	assert_int_equal(counter_get(&slot->octets_out), s.said.len);
	stage_fini(&s);
}

/* Until the message of a session is being delivered. */
static void begin_delivery(struct stage *s)
{
	stage_init(s);
	stage_begin(s);
	stage_say(s, MAIL "DATA\r\nhi\r\n.\r\n");
	stage_until_trace(s, "x@example.com");
	stage_answer(s, 250, "2.1.5", "Good");
	stage_until_trace(s, "start");
}

static void test_refused(void **state)
{
	static const struct delivery_result refused = {
		.code = 451, .status = "4.3.0", .text = "Not now"};
	struct stage s;

	(void)state;
	begin_delivery(&s);
	stage_deliver(&s, &refused);
	stage_until_said(&s, "451 ");
	expect_replies(&s, SMTP_MESSAGE, 0, 0, 1, 0);
	assert_int_equal(counter_get(&s.host.slot->messages), 0);
	assert_int_equal(counter_get(&s.host.slot->message_octets), 0);
	stage_fini(&s);
	expect_now(&s, COUNTERS_SESSION_MAX);
}

/* Wherever the client leaves, the session's place is given back. */
static void test_gone(void **state)
{
	static const struct {
		const char *lines, *said, *trace;
	} table[] = {
		{"", "220 ", NULL},
		{"HELO me\r\n", "250 ", NULL},
		{MAIL, NULL, "x@example.com"},
		{"QUIT\r\n", "221 ", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct stage s;

		stage_init(&s);
		stage_begin(&s);
		stage_say(&s, table[i].lines);
		if (table[i].said)
			stage_until_said(&s, table[i].said);
		else
			stage_until_trace(&s, table[i].trace);
		stage_close(&s);
		stage_until_ended(&s);
		expect_now(&s, COUNTERS_SESSION_MAX);
		stage_fini(&s);
	}
}

/* Its message is being delivered: the session is there until that has an end. */
static void test_gone_in_delivery(void **state)
{
	struct stage s;

	(void)state;
	begin_delivery(&s);
	stage_close(&s);
	for (int i = 0; i < 5; i++)
		ev_run(s.loop, EVRUN_NOWAIT);
	expect_now(&s, COUNTERS_SESSION_DELIVERY);
	stage_deliver(&s, &taken);
	stage_until_ended(&s);
	expect_now(&s, COUNTERS_SESSION_MAX);
	assert_int_equal(counter_get(&s.host.slot->messages), 1);
	stage_fini(&s);
}

static void test_banner_wait(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	s.host.banner_wait = 100;
	stage_begin(&s);
	expect_now(&s, COUNTERS_SESSION_OPENING);
	stage_say(&s, "EHLO early\r\n");
	stage_until_ended(&s);
	expect_now(&s, COUNTERS_SESSION_MAX);
	stage_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_gone),	    cmocka_unit_test(test_gone_in_delivery),
		cmocka_unit_test(test_banner_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
