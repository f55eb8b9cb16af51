/* Who gets which connection. */
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

static void hold(struct mailer *m)
{
	mailer_begin(m);
	mailer_ask(m, "a@example.org");
	mailer_expect(m, 250, "2.0.0", "ok");
}

static void no_more_than_allowed_and_in_order(void **state)
{
	struct mailer m[5];

	(void)state;
	mailer_settings.connections = 2;
	mailer_open(1, true);
	hold(&m[0]);
	hold(&m[1]);
	for (size_t i = 2; i < 5; i++) {
		mailer_begin(&m[i]);
		mailer_ask_only(&m[i], "b@example.org");
	}
	for (int n = 0; n < 10; n++)
		ev_run(mailer_loop, EVRUN_NOWAIT);
	assert_int_equal(m[2].results + m[3].results + m[4].results, 0);
	relay_transaction_free(&m[3].transaction); /* goes while it waits */
	relay_transaction_free(&m[1].transaction);
	mailer_until(m[2].results == 1);
	assert_int_equal(m[4].results, 0);
	mailer_expect(&m[2], 250, "2.0.0", "ok");
	relay_transaction_free(&m[0].transaction);
	mailer_until(m[4].results == 1);
	assert_int_equal(FIRST.accepted, 2);
	assert_int_equal(m[3].results, 0);
	relay_transaction_free(&m[2].transaction);
	relay_transaction_free(&m[4].transaction);
}

static void waiting_has_an_end(void **state)
{
	struct mailer m[2];

	(void)state;
	mailer_settings.connections = 1;
	mailer_settings.timeout = 0.5;
	mailer_open(1, true);
	hold(&m[0]);
	mailer_begin(&m[1]);
	mailer_ask(&m[1], "a@example.org");
	mailer_expect(&m[1], 451, "4.3.2", "Too many connections to the backend");
	relay_transaction_free(&m[1].transaction);
	relay_transaction_free(&m[0].transaction);
}

static void and_so_has_the_crowd(void **state)
{
	struct mailer m[12];
	unsigned refused = 0;

	(void)state;
	mailer_settings.connections = 1;
	mailer_open(1, true);
	hold(&m[0]);
	for (size_t i = 1; i < 12; i++) {
		mailer_begin(&m[i]);
		mailer_ask_only(&m[i], "a@example.org");
	}
	mailer_until(m[11].results == 1);
	mailer_expect(&m[11], 451, "4.3.2", "Too many connections to the backend");
	for (size_t i = 1; i < 11; i++)
		refused += m[i].results;
	assert_int_equal(refused, 0);
	for (size_t i = 0; i < 12; i++)
		relay_transaction_free(&m[i].transaction);
}

static void round_robin(void **state)
{
	(void)state;
	mailer_settings.order = RELAY_ORDER_ROUND_ROBIN;
	mailer_open(2, true);
	for (int i = 0; i < 10; i++)
		mailer_deliver();
	assert_int_equal(FIRST.messages, 5);
	assert_int_equal(SECOND.messages, 5);
}

static void first_is_first(void **state)
{
	(void)state;
	mailer_open(2, true);
	for (int i = 0; i < 4; i++)
		mailer_deliver();
	assert_int_equal(FIRST.messages, 4);
}

/* Five seconds are the rule, so the test takes them. */
static void one_that_was_down_is_left_alone_and_comes_back(void **state)
{
	(void)state;
	backend_stop(&FIRST);
	mailer_open(2, false);
	mailer_deliver();
	mailer_deliver();
	backend_start(&FIRST);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 0);
	assert_int_equal(SECOND.messages, 3);
	mailer_until(backend_heard(&FIRST, "EHLO") == 1);
	for (int i = 0; i < 5; i++)
		ev_run(mailer_loop, EVRUN_NOWAIT);
	mailer_deliver();
	assert_int_equal(FIRST.messages, 1);
}

static void an_idle_one_is_closed(void **state)
{
	(void)state;
	mailer_settings.idle = 0.1;
	mailer_open(1, true);
	mailer_until(FIRST.open == 0);
	assert_int_equal(backend_heard(&FIRST, "QUIT"), 1);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 2);
}

/* RFC 9422. */
static void a_server_may_limit_its_connections_messages(void **state)
{
	(void)state;
	FIRST.ehlo = "250-x\r\n250 LIMITS MAILMAX=2";
	mailer_settings.connections = 1;
	mailer_open(1, true);
	for (int i = 0; i < 4; i++)
		mailer_deliver();
	assert_true(FIRST.accepted >= 2);
	assert_int_equal(backend_heard(&FIRST, "QUIT"), 2);
}

static void freed_in_the_middle_of_everything(void **state)
{
	struct mailer m[3];

	(void)state;
	mailer_settings.connections = 2;
	mailer_open(2, true);
	hold(&m[0]);
	mailer_begin(&m[1]);
	mailer_ask_only(&m[1], "a@example.org");
	mailer_begin(&m[2]);
	mailer_ask_only(&m[2], "a@example.org");
	for (size_t i = 0; i < 3; i++)
		relay_transaction_free(&m[i].transaction);
	relay_free(&mailer_relay);
	assert_null(mailer_relay);
	mailer_until(FIRST.open + SECOND.open == 0);
	assert_int_equal(backend_heard(&SECOND, "QUIT"), 1); /* its probe was idle */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mailer_set_up, mailer_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_more_than_allowed_and_in_order),
		TEST(waiting_has_an_end),
		TEST(and_so_has_the_crowd),
		TEST(round_robin),
		TEST(first_is_first),
		TEST(one_that_was_down_is_left_alone_and_comes_back),
		TEST(an_idle_one_is_closed),
		TEST(a_server_may_limit_its_connections_messages),
		TEST(freed_in_the_middle_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
