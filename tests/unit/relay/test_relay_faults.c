/* A backend that is away, hangs, or goes in the middle of things. */
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

static void ask_fails(int code, const char *status, const char *text)
{
	struct mailer m;

	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, code, status, text);
	relay_transaction_free(&m.transaction);
}

static void nobody_listens(void **state)
{
	struct relay_offer offer;

	(void)state;
	backend_stop(&FIRST);
	mailer_open(1, false);
	ask_fails(451, "4.4.1", "No backend available");
	relay_offer(mailer_relay, &offer);
	assert_false(offer.known || offer.eight_bit || offer.smtputf8 || offer.dsn);
	backend_start(&FIRST);
	mailer_deliver(); /* it was told to be down, and is tried all the same */
}

/* What a backend may do before it is ready. */
static void not_opened(void **state)
{
	static const struct backend_rule rows[] = {
		{"banner", BACKEND_CLOSE, 0},	    {"banner", BACKEND_RESET, 0},
		{"banner", BACKEND_HANG, 0},	    {"banner", "421 4.3.2 go away", 0},
		{"banner", "554 5.7.1 go away", 0}, {"banner", "hello", 0},
		{"EHLO", BACKEND_CLOSE, 0},	    {"EHLO", BACKEND_HANG, 0},
		{"EHLO", "421 4.3.2 go away", 0},   {"EHLO", "\x01\x02", 0},
	};

	(void)state;
	mailer_settings.timeout = 2;
	mailer_open(1, false);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		backend_rule(&FIRST, rows[i].on, rows[i].reply, 0);
		ask_fails(451, "4.4.1", "No backend available");
		backend_forget_rules(&FIRST);
	}
	mailer_deliver();
	assert_int_equal(FIRST.messages, 1);
}

static void the_next_one_is_taken(void **state)
{
	(void)state;
	backend_stop(&FIRST);
	mailer_open(2, false);
	mailer_deliver();
	assert_int_equal(SECOND.messages, 1);
}

static void a_421_to_mail_leads_to_the_next_one(void **state)
{
	(void)state;
	mailer_settings.reuse = 1;
	backend_rule(&FIRST, "MAIL", "421 4.3.2 going down", 0);
	mailer_open(2, true);
	mailer_deliver();
	assert_int_equal(FIRST.messages, 0);
	assert_int_equal(SECOND.messages, 1);
}

/* Lost after the transaction has begun: what the client is told, and whether it is certain. */
static void lost_on_the_way(void **state)
{
	static const struct {
		const char *on, *reply;
		int asked; /* the code to RCPT */
		const char *status;
		bool unknown;
	} rows[] = {
		{"RCPT", BACKEND_CLOSE, 451, "4.4.2", false},
		{"RCPT", BACKEND_RESET, 451, "4.4.2", false},
		{"RCPT", BACKEND_HANG, 451, "4.4.2", false},
		{"RCPT", "999 what", 451, "4.3.0", false},
		{"DATA", BACKEND_CLOSE, 250, "4.4.2", false},
		{"DATA", BACKEND_RESET, 250, "4.4.2", false},
		{"DATA", BACKEND_HANG, 250, "4.4.2", false},
		{"DATA", "451 4.3.0 no", 250, "4.3.0", false},
		{".", BACKEND_CLOSE, 250, "4.4.2", true},
		{".", BACKEND_RESET, 250, "4.4.2", true},
		{".", "421 4.3.2 going down", 250, NULL, false},
	};

	(void)state;
	mailer_settings.timeout = 2;
	mailer_open(1, true);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mailer m;

		backend_rule(&FIRST, rows[i].on, rows[i].reply, 0);
		mailer_begin(&m);
		mailer_ask(&m, "a@example.org");
		if (m.result.code != rows[i].asked)
			fail_msg("%s %s: %d", rows[i].on, rows[i].reply, m.result.code);
		if (rows[i].asked == 250)
			mailer_send(&m, "a@example.org");
		assert_int_equal(m.result.code, 451);
		if (rows[i].status)
			assert_string_equal(m.result.status, rows[i].status);
		assert_int_equal(m.result.unknown, rows[i].unknown);
		relay_transaction_free(&m.transaction);
		backend_forget_rules(&FIRST);
	}
	mailer_deliver();
}

static void a_dead_connection_is_replaced_once(void **state)
{
	struct mailer m;

	(void)state;
	mailer_open(1, true);
	mailer_deliver();
	/* It dies with the first command, as one does whose other end was switched off. */
	backend_rule(&FIRST, "MAIL", BACKEND_RESET, 1);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 2);
	backend_rule(&FIRST, "MAIL", BACKEND_RESET, 0);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 451, "4.4.2", "Connection to backend lost");
	relay_transaction_free(&m.transaction);
	assert_int_equal(FIRST.accepted, 3);
}

static void one_that_ends_while_idle_is_no_news(void **state)
{
	(void)state;
	mailer_open(1, true);
	mailer_deliver();
	backend_hang_up(&FIRST);
	mailer_until(FIRST.open == 0);
	mailer_deliver();
	assert_int_equal(FIRST.messages, 2);
}

/* The backend has lost patience between RCPT and the message: another connection hears all. */
static void lost_while_the_client_thinks(void **state)
{
	struct mailer m;

	(void)state;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_ask(&m, "b@example.org");
	backend_hang_up(&FIRST);
	for (int i = 0; i < 5; i++)
		ev_run(mailer_loop, EVRUN_NOWAIT);
	mailer_send(&m, "a@example.org b@example.org");
	mailer_expect(&m, 250, "2.0.0", "taken");
	relay_transaction_free(&m.transaction);
	assert_int_equal(FIRST.messages, 1);
	assert_int_equal(backend_heard(&FIRST, "RCPT"), 4);
}

/* At every moment that a backend's silence makes last. */
static void the_client_goes_at_every_moment(void **state)
{
	static const char *const moments[] = {"banner", "EHLO", "MAIL", "RCPT", "DATA", "."};

	(void)state;
	mailer_settings.reuse = 1; /* so that each has a banner */
	mailer_open(1, true);
	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
		struct mailer m;
		unsigned results = 0;

		backend_rule(&FIRST, moments[i], BACKEND_HANG, 0);
		mailer_begin(&m);
		if (i < 4) {
			unsigned before = FIRST.accepted;

			mailer_ask_only(&m, "a@example.org");
			mailer_until(i == 0 ? FIRST.accepted > before
					    : backend_heard(&FIRST, moments[i]) > (i == 1));
		} else {
			mailer_ask(&m, "a@example.org");
			mailer_send_only(&m, "a@example.org");
			mailer_until(i == 4 ? backend_heard(&FIRST, "DATA") == 1
					    : FIRST.messages == 1);
			results = 1;
		}
		relay_transaction_free(&m.transaction);
		assert_null(m.transaction);
		for (int n = 0; n < 5; n++)
			ev_run(mailer_loop, EVRUN_NOWAIT);
		assert_int_equal(m.results, results);
		backend_forget_rules(&FIRST);
		backend_hang_up(&FIRST);
	}
}

static void the_client_goes_inside_the_result(void **state)
{
	struct mailer m;

	(void)state;
	mailer_open(1, true);
	mailer_begin(&m);
	m.frees = true;
	mailer_ask(&m, "a@example.org");
	assert_null(m.transaction);
	mailer_until(backend_heard(&FIRST, "RSET") == 1);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	m.frees = true;
	mailer_send(&m, "a@example.org");
	assert_null(m.transaction);
	mailer_deliver();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mailer_set_up, mailer_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_listens),
		TEST(not_opened),
		TEST(the_next_one_is_taken),
		TEST(a_421_to_mail_leads_to_the_next_one),
		TEST(lost_on_the_way),
		TEST(a_dead_connection_is_replaced_once),
		TEST(one_that_ends_while_idle_is_no_news),
		TEST(lost_while_the_client_thinks),
		TEST(the_client_goes_at_every_moment),
		TEST(the_client_goes_inside_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
