/* A session whose delivery is asked for each recipient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "stage.h"

#define MAIL  "HELO me\r\nMAIL FROM:<a@b.example>\r\n"
#define BEGIN "begin 192.0.2.1 me a@b.example\n"

static void expect(struct buf *b, const char *text)
{
	buf_append(b, "", 1);
	b->len--;
	assert_string_equal(buf_head(b), text);
}

static void expect_part(struct buf *b, const char *text)
{
	buf_append(b, "", 1);
	b->len--;
	if (!strstr(buf_head(b), text))
		fail_msg("not there: %s\nin: %s", text, buf_head(b));
}

static const struct delivery_result taken = {.code = 250, .status = "2.0.0", .text = "Taken as 7"};

static void test_message(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<no@example.com>\r\nRCPT TO:<yes@example.com>\r\n"
			   "RCPT TO:<x@elsewhere>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n");
	stage_until_trace(&s, "no@example.com");
	stage_answer(&s, 550, "5.1.1", "No such user");
	stage_until_trace(&s, "yes@example.com");
	stage_answer(&s, 250, "2.1.5", "Good");
	stage_until_trace(&s, "start");
	stage_deliver(&s, &taken);
	stage_until_ended(&s);
	stage_until_said(&s, "221 ");
	expect(&s.said,
	       "220 mx.test ESMTP\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n"
	       "550 5.1.1 No such user\r\n250 2.1.5 Good\r\n550 5.7.1 Relay access denied\r\n"
	       "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Taken as 7\r\n"
	       "221 2.0.0 mx.test closing connection\r\n");
	expect(&s.trace, BEGIN "recipient no@example.com\nrecipient yes@example.com\n"
			       "start a@b.example yes@example.com\n");
	expect_part(&s.events, "{\"address\":\"no@example.com\",\"code\":550,\"status\":\"5.1.1\","
			       "\"delivery\":\"backend\"}");
	expect_part(&s.events,
		    "{\"address\":\"yes@example.com\",\"code\":250,\"status\":\"2.1.5\"}");
	expect_part(&s.events, "{\"address\":\"x@elsewhere\",\"code\":550,\"status\":\"5.7.1\"}");
	expect_part(&s.events, "{\"delivery\":\"backend\",\"kind\":\"smtp\",\"code\":250");
	stage_fini(&s);
}

/* Whatever ends a transaction without a message, the delivery learns it; the next is a new one. */
static void test_ends(void **state)
{
	static const char *const lines[] = {"RSET\r\n", "HELO me\r\n", "QUIT\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct stage s;

		stage_init(&s);
		stage_begin(&s);
		stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\n");
		stage_until_trace(&s, "recipient");
		stage_answer(&s, 250, "2.1.5", "Good");
		stage_until_said(&s, "Good");
		stage_say(&s, lines[i]);
		stage_until_trace(&s, "end\n");
		expect(&s.trace, BEGIN "recipient x@example.com\nend\n");
		if (lines[i][0] != 'Q') {
			stage_say(&s, "MAIL FROM:<a@b.example>\r\nRCPT TO:<y@example.com>\r\n");
			stage_until_trace(&s, "y@example.com");
			expect(&s.trace, BEGIN "recipient x@example.com\nend\n" BEGIN
					       "recipient y@example.com\n");
		}
		stage_fini(&s);
	}
}

/* Nobody is left to hear the answer. */
static void test_client_gone(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\n");
	stage_until_trace(&s, "recipient");
	stage_close(&s);
	stage_until_ended(&s);
	expect(&s.trace, BEGIN "recipient x@example.com\nend of question\n");
	expect_part(&s.events, "\"reason\":\"client_gone\"");
	stage_fini(&s);
}

/* A client that has sent all of its mail and half-closes is owed its replies; one that has sent
 * nothing behind the recipient could do nothing with the answer. */
static void test_half_close(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n");
	shutdown(s.fd, SHUT_WR);
	stage_until_trace(&s, "recipient");
	ev_run(s.loop, EVRUN_NOWAIT);
	stage_answer(&s, 250, "2.1.5", "Good");
	stage_until_trace(&s, "start");
	stage_deliver(&s, &taken);
	stage_until_said(&s, "250 2.0.0 Taken as 7\r\n221 ");
	stage_fini(&s);

	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\n");
	stage_until_trace(&s, "recipient");
	shutdown(s.fd, SHUT_WR);
	stage_until_ended(&s);
	expect(&s.trace, BEGIN "recipient x@example.com\nend of question\n");
	stage_fini(&s);
}

/* Only the session's own time runs while the delivery is waited for. */
static void test_time(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	s.host.session_time = 0.1;
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\n");
	stage_until_ended(&s);
	stage_until_said(&s, "421 4.4.2 mx.test Connection open too long\r\n");
	expect(&s.trace, BEGIN "recipient x@example.com\nend of question\n");
	stage_fini(&s);
}

static void test_closed(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\n");
	stage_until_trace(&s, "recipient");
	session_close_all(&s.host);
	assert_true(s.ended);
	expect(&s.trace, BEGIN "recipient x@example.com\nend of question\n");
	stage_fini(&s);
}

/* What it can take now, not what it could when the client came. */
static void test_offer(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	s.offer.recipients = 1;
	stage_begin(&s);
	stage_say(&s, "EHLO me\r\n");
	stage_until_said(&s, "LIMITS");
	s.offer = (struct delivery_offer){.dsn = true, .size = 500};
	stage_say(&s, "EHLO me\r\nMAIL FROM:<> BODY=8BITMIME\r\n");
	stage_until_said(&s, "555 ");
	expect(&s.said, "220 mx.test ESMTP\r\n250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
			"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"
			"250 LIMITS RCPTMAX=1 MAILMAX=10\r\n"
			"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 500\r\n"
			"250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 LIMITS RCPTMAX=10 MAILMAX=10\r\n"
			"555 5.5.4 Unknown parameter\r\n");
	stage_fini(&s);
}

/* A delivery that does not ask is asked nothing. */
static void test_not_asked(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	s.asks = false;
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\nDATA\r\nhi\r\n.\r\n");
	stage_until_trace(&s, "start");
	stage_deliver(&s, &taken);
	stage_until_said(&s, "250 2.0.0 Taken as 7\r\n");
	expect(&s.trace, "start a@b.example x@example.com\n");
	stage_fini(&s);
}

static const struct delivery_result each[] = {
	{.code = 250, .status = "2.0.0", .text = "For x"},
	{.code = 552, .status = "5.2.2", .text = "Not for y"},
};
static const struct delivery_result mixed = {
	.code = 451,
	.status = "4.3.0",
	.text = "Not for all",
	.unknown = true,
	.recipients = each,
	.recipients_len = 2,
};

static void play_mixed(struct stage *s, const char *hello, const char *replies)
{
	stage_begin(s);
	stage_say(s, hello);
	stage_say(s, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n"
		     "RCPT TO:<y@example.com>\r\nDATA\r\nhi\r\n.\r\n");
	stage_until_trace(s, "start");
	stage_deliver(s, &mixed);
	stage_until_said(s, replies);
	expect_part(&s->events, "\"kind\":\"smtp\",\"address\":\"x@example.com\",\"code\":250");
	expect_part(&s->events, "\"kind\":\"smtp\",\"address\":\"y@example.com\",\"code\":552");
	assert_int_equal(atomic_load(&s->host.slot->messages), 1);
	stage_fini(s);
}

/* LMTP tells each recipient its own; SMTP has one reply, and it is not a 250. */
static void test_results(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	s.asks = false;
	s.listener.smtp.lmtp = true;
	play_mixed(&s, "LHLO me\r\n",
		   "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 For x\r\n552 5.2.2 Not for "
		   "y\r\n");
	stage_init(&s);
	s.asks = false;
	play_mixed(&s, "HELO me\r\n",
		   "354 End data with <CR><LF>.<CR><LF>\r\n451 4.3.0 Not for all\r\n");
}

/* The delivery has begun: it ends, whoever is still there. */
static void test_gone_in_delivery(void **state)
{
	static const struct delivery_result lost = {.code = 451,
						    .status = "4.4.2",
						    .text = "Connection to backend lost",
						    .unknown = true};
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_begin(&s);
	stage_say(&s, MAIL "RCPT TO:<x@example.com>\r\nDATA\r\nhi\r\n.\r\n");
	stage_until_trace(&s, "recipient");
	stage_answer(&s, 250, "2.1.5", "Good");
	stage_until_trace(&s, "start");
	stage_close(&s);
	ev_run(s.loop, EVRUN_NOWAIT);
	stage_deliver(&s, &lost);
	stage_until_ended(&s);
	expect_part(&s.events, "\"code\":451,\"status\":\"4.4.2\",\"text\":\"Connection to backend "
			       "lost\",\"unknown\":true");
	stage_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),	    cmocka_unit_test(test_ends),
		cmocka_unit_test(test_client_gone), cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_time),	    cmocka_unit_test(test_closed),
		cmocka_unit_test(test_offer),	    cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_results),	    cmocka_unit_test(test_gone_in_delivery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
