#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mailer.h"

#define FIRST  mailer_backends[0]
#define SECOND mailer_backends[1]

static void one_message(void **state)
{
	(void)state;
	mailer_open(1, true);
	mailer_deliver();
	assert_true(mailer_message_is(&FIRST, MAILER_PREFIX MAILER_CONTENT));
	assert_int_equal(FIRST.messages, 1);
	assert_int_equal(FIRST.accepted, 1); /* the probe's connection was good for it */
	assert_int_equal(backend_heard(&FIRST, "EHLO mx.example.org"), 1);
	assert_int_equal(backend_heard(&FIRST, "MAIL FROM:<s@example.com>"), 1);
	assert_int_equal(backend_heard(&FIRST, "RCPT TO:<a@example.org>"), 1);
	assert_int_equal(backend_heard(&FIRST, "RSET"), 0);
}

static void a_connection_is_used_again(void **state)
{
	(void)state;
	mailer_open(1, true);
	for (int i = 0; i < 10; i++)
		mailer_deliver();
	assert_int_equal(FIRST.messages, 10);
	assert_int_equal(FIRST.accepted, 1);
}

static void but_not_more_often_than_allowed(void **state)
{
	(void)state;
	mailer_settings.reuse = 3;
	mailer_open(1, true);
	for (int i = 0; i < 7; i++)
		mailer_deliver();
	/* The probe counts as one use. */
	assert_int_equal(FIRST.accepted, 3);
	assert_int_equal(backend_heard(&FIRST, "QUIT"), 2);
}

static void offer_of_two_is_what_both_have(void **state)
{
	struct relay_offer offer;

	(void)state;
	SECOND.ehlo = "250-second\r\n250-8BITMIME\r\n250 SIZE 5000";
	mailer_open(2, false);
	relay_offer(mailer_relay, &offer);
	assert_false(offer.known || offer.eight_bit || offer.smtputf8 || offer.dsn || offer.binary);
	mailer_until((relay_offer(mailer_relay, &offer), offer.known && !offer.dsn));
	assert_true(offer.eight_bit);
	assert_false(offer.smtputf8 || offer.binary || offer.requiretls);
	assert_int_equal(offer.size, 5000);
}

static void refusals_are_the_backends(void **state)
{
	struct mailer m;

	(void)state;
	backend_rule(&FIRST, "RCPT TO:<bad", "550 5.1.1 no such user", 0);
	backend_rule(&FIRST, "RCPT TO:<full", "452 4.2.2 mailbox full", 0);
	backend_rule(&FIRST, "RCPT TO:<bare", "551 elsewhere", 0);
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "bad@example.org");
	mailer_expect(&m, 550, "5.1.1", "no such user");
	mailer_ask(&m, "full@example.org");
	mailer_expect(&m, 452, "4.2.2", "mailbox full");
	mailer_ask(&m, "bare@example.org");
	mailer_expect(&m, 551, "5.0.0", "elsewhere");
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "ok");
	backend_rule(&FIRST, ".", "554 5.7.1 spam", 0);
	mailer_send(&m, "a@example.org");
	mailer_expect(&m, 554, "5.7.1", "spam");
	assert_false(m.result.unknown);
	relay_transaction_free(&m.transaction);
	assert_int_equal(FIRST.accepted, 1);
}

static void a_refused_sender_is_every_recipients_refusal(void **state)
{
	struct mailer m;

	(void)state;
	backend_rule(&FIRST, "MAIL", "550 5.1.8 no such domain", 1);
	backend_rule(&FIRST, "RCPT", "503 5.5.1 MAIL first", 1);
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 550, "5.1.8", "no such domain");
	mailer_ask(&m, "b@example.org");
	mailer_expect(&m, 550, "5.1.8", "no such domain");
	relay_transaction_free(&m.transaction);
	mailer_deliver();
}

static void a_changed_envelope_is_told_anew(void **state)
{
	struct mailer m;

	(void)state;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_ask(&m, "b@example.org");
	mailer_send(&m, "b@example.org c@example.org");
	mailer_expect(&m, 250, "2.0.0", "taken");
	relay_transaction_free(&m.transaction);
	assert_int_equal(backend_heard(&FIRST, "RSET"), 1);
	assert_int_equal(backend_heard(&FIRST, "MAIL"), 2);
	assert_int_equal(backend_heard(&FIRST, "RCPT TO:<a@"), 1);
	assert_int_equal(backend_heard(&FIRST, "RCPT TO:<b@"), 2);
	assert_int_equal(backend_heard(&FIRST, "RCPT TO:<c@"), 1);
}

static void a_recipient_refused_then_is_the_messages_refusal(void **state)
{
	struct mailer m;

	(void)state;
	backend_rule(&FIRST, "RCPT TO:<c@", "550 5.1.1 no such user", 0);
	mailer_settings.connections = 1;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_send(&m, "a@example.org c@example.org");
	mailer_expect(&m, 550, "5.1.1", "no such user");
	relay_transaction_free(&m.transaction);
	assert_int_equal(FIRST.messages, 0);
	mailer_deliver(); /* on the same connection, after RSET */
	assert_int_equal(FIRST.accepted, 1);
}

static void lmtp_answers_for_each(void **state)
{
	struct mailer m;

	(void)state;
	FIRST.lmtp = true;
	mailer_settings.lmtp = true;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_ask(&m, "b@example.org");
	backend_rule(&FIRST, ".", "250 2.0.0 stored", 1);
	backend_rule(&FIRST, ".", "452 4.2.2 full", 1);
	mailer_send(&m, "a@example.org b@example.org");
	mailer_expect(&m, 451, "4.3.0", "Not delivered to all recipients");
	assert_int_equal(m.each_len, 2);
	assert_int_equal(m.each[0].code, 250);
	assert_int_equal(m.each[1].code, 452);
	relay_transaction_free(&m.transaction);
	assert_int_equal(backend_heard(&FIRST, "LHLO"), 1);
	mailer_deliver();
}

/* 3 MB with a dot at the begin of each line, to one who does not read for a while. */
static void large(void **state, const char *ehlo)
{
	size_t lines = 100000, line = strlen(".123456789 123456789 12345678\r\n");
	char *content = malloc(lines * line + 1);
	struct mailer m;

	(void)state;
	for (size_t i = 0; i < lines; i++)
		memcpy(content + i * line, ".123456789 123456789 12345678\r\n", line + 1);
	FIRST.ehlo = ehlo;
	FIRST.deaf = true;
	mailer_open(1, true);
	mailer_begin(&m);
	m.content = content;
	m.size = lines * line;
	mailer_ask(&m, "a@example.org");
	mailer_send_only(&m, "a@example.org");
	for (int i = 0; i < 20; i++)
		ev_run(mailer_loop, EVRUN_NOWAIT);
	assert_int_equal(m.results, 1);
	backend_hear(&FIRST);
	mailer_until(m.results == 2);
	mailer_expect(&m, 250, "2.0.0", "taken");
	assert_int_equal(FIRST.message.len, strlen(MAILER_PREFIX) + m.size);
	assert_memory_equal(buf_head(&FIRST.message) + strlen(MAILER_PREFIX), content, m.size);
	relay_transaction_free(&m.transaction);
	free(content);
}

static void large_by_data(void **state)
{
	large(state, NULL);
	assert_int_equal(backend_heard(&FIRST, "DATA"), 1);
}

static void large_by_bdat(void **state)
{
	large(state, "250-x\r\n250-PIPELINING\r\n250 CHUNKING");
	assert_int_equal(backend_heard(&FIRST, "BDAT"), 1);
	assert_int_equal(backend_heard(&FIRST, "DATA"), 0);
}

static void content_that_cannot_be_read(void **state)
{
	struct mailer m;

	(void)state;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	m.read_until = 0;
	mailer_send(&m, "a@example.org");
	mailer_expect(&m, 451, "4.3.0", "Delivery failed, try again later");
	relay_transaction_free(&m.transaction);
	mailer_until(FIRST.open == 0);
	assert_int_equal(FIRST.messages, 0);
	mailer_deliver();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mailer_set_up, mailer_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_message),
		TEST(a_connection_is_used_again),
		TEST(but_not_more_often_than_allowed),
		TEST(offer_of_two_is_what_both_have),
		TEST(refusals_are_the_backends),
		TEST(a_refused_sender_is_every_recipients_refusal),
		TEST(a_changed_envelope_is_told_anew),
		TEST(a_recipient_refused_then_is_the_messages_refusal),
		TEST(lmtp_answers_for_each),
		TEST(large_by_data),
		TEST(large_by_bdat),
		TEST(content_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
