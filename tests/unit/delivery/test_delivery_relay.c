/* smtp and lmtp as deliveries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../relay/backend.h"
#include "base/ident.h"
#include "base/log.h"
#include "delivery/delivery.h"
#include "delivery/spool.h"
#include "net/reaper.h"
#include "relay/relay.h"
#include "scratch.h"

#define RECEIVED "Received: by b\r\n"
#define LARGE	 300000

struct sender {
	struct delivery_transaction *transaction;
	struct delivery_job *job;
	struct delivery_result result;
	int codes[4]; /* of the recipients */
	size_t codes_len;
	unsigned calls;
	struct delivery **frees; /* inside on_done */
};

static struct ev_loop *loop;
static ev_timer guard;
static struct backend backend;
static struct relay_settings settings;
static struct delivery *delivery;
static char *dir;
static struct spool place;

static const struct hook_mailbox sender_mailbox = {.address = {"s@example.com", 13}};
static const struct hook_mailbox recipients[] = {{.address = {"ann@example.org", 15}},
						 {.address = {"bob@example.org", 15}}};

static void on_guard(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		ev_invoke_pending(loop);                                                           \
		while (!(condition) && ev_is_active(&guard))                                       \
			ev_run(loop, EVRUN_ONCE);                                                  \
		assert_true(condition);                                                            \
	} while (0)

static int setup(void **state)
{
	(void)state;
	log_setup(LOG_ERROR_LEVEL, false, "test");
	dir = scratch_new();
	place.dir = dir;
	loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&guard, on_guard, 30., 0.);
	ev_timer_start(loop, &guard);
	backend_init(&backend, loop);
	settings = (struct relay_settings){.name = "next",
					   .connections = 2,
					   .reuse = 10,
					   .recipients = 1,
					   .idle = 30,
					   .timeout = 20,
					   .hostname = "mx.example.org"};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	delivery_free(&delivery);
	backend_fini(&backend);
	ev_timer_stop(loop, &guard);
	reaper_run(loop);
	ev_run(loop, 0); /* sockets that linger */
	reaper_run(loop);
	ev_loop_destroy(loop);
	assert_int_equal(scratch_count(dir), 0);
	scratch_remove(dir);
	return 0;
}

static void make(bool lmtp)
{
	const char *address = backend.address;
	struct delivery_settings d = {.name = "next", .relay = &settings, .hostname = "mx1"};
	char error[200] = "";

	backend.lmtp = settings.lmtp = lmtp;
	settings.addresses = &address;
	settings.addresses_len = 1;
	delivery = delivery_new(loop, &d, NULL, error, sizeof error);
	assert_string_equal(error, "");
	assert_non_null(delivery);
}

static void on_result(void *arg, const struct delivery_result *result)
{
	struct sender *s = arg;

	s->result = *result;
	s->codes_len = result->recipients_len;
	for (size_t i = 0; i < result->recipients_len; i++)
		s->codes[i] = result->recipients[i].code;
	s->calls++;
	if (s->frees)
		delivery_free(s->frees);
}

static void ask(struct sender *s, size_t n)
{
	struct hook_context context = {.client = {"192.0.2.1", 4711},
				       .listener = {"192.0.2.25", 25},
				       .mail = &sender_mailbox};

	*s = (struct sender){.calls = 0};
	s->transaction = delivery_begin(delivery, &context);
	for (unsigned i = 0; i < n; i++) {
		delivery_recipient(s->transaction, &recipients[i], on_result, s);
		assert_int_equal(s->calls, i);
		UNTIL(s->calls == i + 1);
	}
	s->calls = 0;
}

static void start(struct sender *s, size_t n, size_t len, bool quarantine)
{
	char id[IDENT_SIZE];
	struct delivery_envelope envelope = {.transaction = id,
					     .sender = &sender_mailbox,
					     .recipients = recipients,
					     .recipients_len = n,
					     .received = RECEIVED,
					     .quarantine = quarantine};
	char line[64];
	struct spool_message *m;

	ident_make(id);
	m = spool_message_new(&place, id);
	for (size_t at = 0; at < len; at += 16) {
		snprintf(line, sizeof line, ".%013zu\r\n", at);
		assert_true(spool_message_append(m, line, 16));
	}
	delivery_start(delivery, &s->transaction, &envelope, &m, on_result, s, &s->job);
	assert_null(m);
	assert_null(s->transaction);
	assert_int_equal(s->calls, 0);
	memset(&envelope, 0, sizeof envelope);
}

static void expect_message(const char *head, size_t len)
{
	char *at = buf_head(&backend.message);
	char line[64];

	assert_int_equal(backend.message.len, strlen(head) + len);
	assert_memory_equal(at, head, strlen(head));
	for (size_t i = 0; i < len; i += 16) {
		snprintf(line, sizeof line, ".%013zu\r\n", i);
		assert_memory_equal(at + strlen(head) + i, line, 16);
	}
}

static void names_and_offer(void **state)
{
	struct delivery_offer offer;

	(void)state;
	make(true);
	assert_string_equal(delivery_kind(delivery), "lmtp");
	assert_string_equal(delivery_name(delivery), "next");
	assert_true(delivery_asks(delivery));
	delivery_offer(delivery, &offer);
	assert_false(offer.eight_bit || offer.smtputf8 || offer.dsn || offer.binary ||
		     offer.requiretls);
	assert_true(offer.chunking);
	assert_int_equal(offer.recipients, 1);
	UNTIL((delivery_offer(delivery, &offer), offer.eight_bit));
	assert_true(offer.smtputf8 && offer.dsn);
	assert_false(offer.binary);
	assert_int_equal(offer.size, 100000000);
}

static void stored_by_the_backend(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 2);
	assert_int_equal(s.result.code, 250);
	assert_string_equal(s.result.ref, "");
	start(&s, 2, LARGE, false);
	UNTIL(s.calls);
	assert_int_equal(s.result.code, 250);
	assert_string_equal(s.result.text, "taken");
	assert_string_equal(s.result.ref, backend.address);
	assert_null(s.result.recipients);
	expect_message(RECEIVED, LARGE / 16 * 16);
	assert_int_equal(scratch_count(dir), 0);
}

static void quarantine_is_a_field(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	start(&s, 1, 160, true);
	UNTIL(s.calls);
	assert_int_equal(s.result.code, 250);
	expect_message(RECEIVED "X-Gatepost-Quarantine: yes\r\n", 160);
}

static void lmtp_has_a_result_for_each(void **state)
{
	struct sender s;

	(void)state;
	make(true);
	ask(&s, 2);
	backend_rule(&backend, ".", "250 2.0.0 stored", 1);
	backend_rule(&backend, ".", "552 5.2.2 full", 1);
	start(&s, 2, 160, false);
	UNTIL(s.calls);
	assert_int_equal(s.result.code, 451);
	assert_int_equal(s.codes_len, 2);
	assert_int_equal(s.codes[0], 250);
	assert_int_equal(s.codes[1], 552);
}

static void lost_before_its_answer(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	backend_rule(&backend, ".", BACKEND_CLOSE, 0);
	start(&s, 1, LARGE, false);
	UNTIL(s.calls);
	assert_int_equal(s.result.code, 451);
	assert_string_equal(s.result.status, "4.4.2");
	assert_true(s.result.unknown);
	assert_string_equal(s.result.ref, "");
}

static void ended(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	delivery_end(&s.transaction);
	assert_null(s.transaction);
	delivery_end(&s.transaction);
	UNTIL(backend_heard(&backend, "RSET"));
	assert_int_equal(s.calls, 0);
}

static void abandoned_runs_on(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	start(&s, 1, LARGE, false);
	delivery_abandon(s.job);
	UNTIL(backend.messages);
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(s.calls, 0);
	assert_int_equal(scratch_count(dir), 0);
}

static void abandoned_and_freed(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	backend_rule(&backend, "DATA", BACKEND_HANG, 0);
	start(&s, 1, LARGE, false);
	UNTIL(backend_heard(&backend, "DATA"));
	delivery_abandon(s.job);
	delivery_free(&delivery);
	assert_int_equal(scratch_count(dir), 0);
	UNTIL(backend.open == 0);
	assert_int_equal(s.calls, 0);
}

static void freed_inside_on_done(void **state)
{
	struct sender s;

	(void)state;
	make(false);
	ask(&s, 1);
	s.frees = &delivery;
	start(&s, 1, 160, false);
	UNTIL(s.calls);
	assert_null(delivery);
	assert_int_equal(s.result.code, 250);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_and_offer),	      TEST(stored_by_the_backend),
		TEST(quarantine_is_a_field),  TEST(lmtp_has_a_result_for_each),
		TEST(lost_before_its_answer), TEST(ended),
		TEST(abandoned_runs_on),      TEST(abandoned_and_freed),
		TEST(freed_inside_on_done),
	};

	ident_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
