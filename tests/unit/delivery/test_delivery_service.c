/* A policy has taken the message, or has not: the delivery says which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/delivery.h"
#include "delivery/spool.h"

#define ID "01TRANSACTION0000000"

struct told {
	struct delivery_result result;
	unsigned calls;
};

static struct ev_loop *loop;
static struct delivery *delivery;
static const struct spool place = {.dir = "/nonexistent"};

static int setup(void **state)
{
	struct delivery_settings settings = {.name = "app", .service = true, .hostname = "mx"};
	char error[200] = "";

	(void)state;
	loop = ev_loop_new(EVFLAG_AUTO);
	delivery = delivery_new(loop, &settings, NULL, error, sizeof error);
	return delivery ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	delivery_free(&delivery);
	ev_loop_destroy(loop);
	return 0;
}

static void on_done(void *arg, const struct delivery_result *result)
{
	struct told *told = arg;

	told->result = *result;
	told->calls++;
}

static struct delivery_job *start(struct told *told, const char *ref)
{
	const struct hook_mailbox sender = {.address = {"", 0}};
	const struct delivery_envelope envelope = {
		.transaction = ID, .sender = &sender, .received = "", .ref = ref};
	struct delivery_transaction *none = NULL;
	struct spool_message *message = spool_message_new(&place, ID);
	struct delivery_job *job;

	assert_true(spool_message_append(message, "Hi\r\n", 4));
	delivery_start(delivery, &none, &envelope, &message, on_done, told, &job);
	assert_null(message);
	assert_int_equal(told->calls, 0);
	return job;
}

static void run(struct told *told)
{
	ev_invoke_pending(loop);
	assert_int_equal(told->calls, 1);
}

static void test_what_was_taken_is_delivered(void **state)
{
	char ref[129];
	struct told told = {0};

	(void)state;
	assert_string_equal(delivery_kind(delivery), "service");
	assert_false(delivery_asks(delivery));
	memset(ref, 'r', 128);
	ref[128] = '\0';
	start(&told, ref);
	run(&told);
	assert_int_equal(told.result.code, 250);
	assert_string_equal(told.result.status, "2.0.0");
	assert_string_equal(told.result.text, "OK id=" ID);
	assert_string_equal(told.result.ref, ref);
}

static void test_nobody_has_it(void **state)
{
	static const char *const refs[] = {NULL, ""};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct told told = {0};

		start(&told, refs[i]);
		run(&told);
		assert_int_equal(told.result.code, 451);
		assert_string_equal(told.result.status, "4.3.0");
		assert_string_equal(told.result.text, "Delivery failed, try again later");
		assert_string_equal(told.result.ref, "");
	}
}

static void test_abandoned(void **state)
{
	struct told told = {0};

	(void)state;
	delivery_abandon(start(&told, "a"));
	ev_invoke_pending(loop);
	assert_int_equal(told.calls, 0);
	/* While one runs, the delivery goes away after it. */
	start(&told, "a");
	delivery_free(&delivery);
	run(&told);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_taken_is_delivered),
		TEST(test_nobody_has_it),
		TEST(test_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
