#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ident.h"
#include "delivery/delivery.h"
#include "delivery/io_pool.h"
#include "delivery/spool.h"
#include "scratch.h"

#define RECEIVED "Received: by b\r\n"

/* One client of the delivery. */
struct sender {
	char id[IDENT_SIZE];
	struct delivery_job *job;
	struct delivery_result result;
	unsigned calls;
	bool abandons_itself, quarantine;
	struct delivery **frees;
	struct sender *next;
};

static struct ev_loop *loop;
static ev_timer guard;
static struct io_pool *pool;
static char *dir, *inbox, *spool;
static struct spool place;
static struct delivery *maildir, *discard;
static struct delivery_transaction *no_transaction; /* these kinds do not ask */
static unsigned done;
static bool starting;

static void on_guard(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w, (void)revents;
	ev_break(l, EVBREAK_ALL);
}

static struct delivery *make(const char *path)
{
	struct delivery_settings settings = {
		.name = "inbox", .maildir = path, .discard = !path, .hostname = "mx1.example.org"};
	char error[200] = "";
	struct delivery *d = delivery_new(loop, &settings, path ? pool : NULL, error, sizeof error);

	assert_string_equal(error, "");
	assert_non_null(d);
	return d;
}

static int setup(void **state)
{
	(void)state;
	dir = scratch_new();
	inbox = strdup(scratch_path(dir, "inbox"));
	spool = strdup(scratch_path(dir, "spool"));
	assert_int_equal(mkdir(spool, 0700), 0);
	place.dir = spool;
	loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&guard, on_guard, 30., 0.);
	ev_timer_start(loop, &guard);
	pool = io_pool_new(loop, 4);
	maildir = make(inbox);
	discard = make(NULL);
	done = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_limit_files(0);
	delivery_free(&maildir);
	delivery_free(&discard);
	io_pool_free(&pool);
	ev_timer_stop(loop, &guard);
	ev_loop_destroy(loop);
	scratch_remove(dir);
	free(inbox);
	free(spool);
	return 0;
}

static void start(struct delivery *d, struct sender *s, size_t len, const char *reverse_path);

static void on_done(void *arg, const struct delivery_result *result)
{
	struct sender *s = arg;

	assert_false(starting);
	s->result = *result;
	s->calls++;
	done++;
	if (s->abandons_itself)
		delivery_abandon(s->job);
	if (s->next)
		start(discard, s->next, 10, "");
	if (s->frees)
		delivery_free(s->frees);
}

/* The content is `len` times the id's last character. */
static void start(struct delivery *d, struct sender *s, size_t len, const char *reverse_path)
{
	static const struct hook_mailbox recipient = {.address = {"ann@example.org", 15}};
	struct hook_mailbox sender = {.address = {reverse_path, strlen(reverse_path)}};
	struct delivery_envelope envelope = {.transaction = s->id,
					     .sender = &sender,
					     .recipients = &recipient,
					     .recipients_len = 1,
					     .received = RECEIVED,
					     .quarantine = s->quarantine};
	char *content = malloc(len + 1);
	struct spool_message *m;

	ident_make(s->id);
	m = spool_message_new(&place, s->id);
	memset(content, s->id[IDENT_SIZE - 2], len);
	assert_true(spool_message_append(m, content, len));
	free(content);
	/* Where there is a file, its going away means something. */
	assert_true(len <= SPOOL_MEMORY || scratch_count(spool) > 0);
	starting = true;
	delivery_start(d, &no_transaction, &envelope, &m, on_done, s, &s->job);
	starting = false;
	assert_null(m);
	assert_true(s->job && !s->calls);
	memset(&envelope, 0, sizeof envelope);
}

static void loop_until(unsigned count)
{
	ev_invoke_pending(loop); /* what was fed outside the loop would wait for another event */
	while (done < count && ev_is_active(&guard))
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(done, count);
}

static void expect(const struct sender *s, int code, const char *status, const char *text)
{
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->result.code, code);
	assert_string_equal(s->result.status, status);
	assert_string_equal(s->result.text, text);
}

static void expect_ok(const struct sender *s)
{
	char text[64];

	snprintf(text, sizeof text, "OK id=%.20s", s->id);
	expect(s, 250, "2.0.0", text);
}

static void expect_content(const struct sender *s, size_t len)
{
	static const char head[] = "Return-Path: <s@example.com>\r\n"
				   "Delivered-To: ann@example.org\r\n" RECEIVED;
	size_t got;
	char *content = scratch_read(scratch_path(inbox, s->result.ref), &got);

	assert_int_equal(got, strlen(head) + len);
	assert_memory_equal(content, head, strlen(head));
	for (size_t i = 0; i < len; i++)
		if (content[strlen(head) + i] != s->id[IDENT_SIZE - 2])
			fail_msg("octet %zu is another's", i);
	free(content);
}

static unsigned stored(void)
{
	assert_int_equal(scratch_count(scratch_path(inbox, "tmp")), 0);
	return scratch_count(scratch_path(inbox, "new"));
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(delivery_kind(maildir), "maildir");
	assert_string_equal(delivery_kind(discard), "discard");
	assert_string_equal(delivery_name(maildir), "inbox");
	assert_false(delivery_asks(maildir) || delivery_asks(discard));
}

static void bad_maildir_is_refused(void **state)
{
	struct delivery_settings settings = {
		.name = "x", .hostname = "mx1", .maildir = scratch_path(dir, "file/inbox")};
	char error[200];

	(void)state;
	scratch_write(scratch_path(dir, "file"), "");
	assert_null(delivery_new(loop, &settings, pool, error, sizeof error));
	assert_non_null(strstr(error, "file/inbox: Not a directory"));
}

static void one_message(void **state)
{
	struct sender s = {0};

	(void)state;
	start(maildir, &s, 1000, "s@example.com");
	loop_until(1);
	expect_ok(&s);
	expect_content(&s, 1000);
	assert_int_equal(stored(), 1);
}

static void sixty_four_at_once(void **state)
{
	struct sender senders[64] = {0};

	(void)state;
	for (size_t i = 0; i < 64; i++)
		start(maildir, &senders[i], i * 3000, "s@example.com");
	loop_until(64);
	for (size_t i = 0; i < 64; i++) {
		expect_ok(&senders[i]);
		expect_content(&senders[i], i * 3000);
	}
	assert_int_equal(stored(), 64);
	assert_int_equal(scratch_count(spool), 0);
}

/* The folder is made by whichever comes first, and none of the others minds. */
static void sixty_four_for_the_quarantine(void **state)
{
	struct sender senders[65] = {0};

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		senders[i].quarantine = true;
		start(maildir, &senders[i], i * 3000, "s@example.com");
	}
	start(maildir, &senders[64], 10, "s@example.com");
	loop_until(65);
	for (size_t i = 0; i < 64; i++) {
		expect_ok(&senders[i]);
		assert_memory_equal(senders[i].result.ref, ".Quarantine/new/", 16);
		expect_content(&senders[i], i * 3000);
	}
	assert_memory_equal(senders[64].result.ref, "new/", 4);
	assert_int_equal(stored(), 1);
	assert_int_equal(scratch_count(scratch_path(inbox, ".Quarantine/new")), 64);
	assert_int_equal(scratch_count(scratch_path(inbox, ".Quarantine/tmp")), 0);
	assert_int_equal(scratch_count(spool), 0);
}

static void no_room_is_452(void **state)
{
	struct sender senders[2] = {0};

	(void)state;
	scratch_limit_files(40000);
	start(maildir, &senders[0], 60000, "s@example.com");
	loop_until(1);
	expect(&senders[0], 452, "4.3.1", "Insufficient system storage");
	assert_string_equal(senders[0].result.ref, "");
	assert_int_equal(stored(), 0);
	start(maildir, &senders[1], 10, "s@example.com");
	loop_until(2);
	expect_ok(&senders[1]);
}

static void any_other_fault_is_451(void **state)
{
	struct sender senders[2] = {0};

	(void)state;
	assert_int_equal(rename(scratch_path(inbox, "new"), scratch_path(inbox, "gone")), 0);
	start(maildir, &senders[0], 70000, "s@example.com");
	loop_until(1);
	expect(&senders[0], 451, "4.3.0", "Delivery failed, try again later");
	assert_string_equal(senders[0].result.ref, "");
	assert_int_equal(rename(scratch_path(inbox, "gone"), scratch_path(inbox, "new")), 0);
	start(maildir, &senders[1], 70000, "s@example.com\r\nBcc: all");
	loop_until(2);
	expect(&senders[1], 451, "4.3.0", "Delivery failed, try again later");
	assert_int_equal(stored(), 0);
	assert_int_equal(scratch_count(spool), 0);
}

static void abandoned_is_stored_silently(void **state)
{
	struct sender senders[2] = {0};

	(void)state;
	start(maildir, &senders[0], 70000, "s@example.com");
	delivery_abandon(senders[0].job);
	start(maildir, &senders[1], 10, "s@example.com");
	loop_until(1);
	expect_ok(&senders[1]);
	io_pool_free(&pool);
	assert_int_equal(senders[0].calls, 0);
	assert_int_equal(stored(), 2);
	assert_int_equal(scratch_count(spool), 0);
}

static void delivery_freed_before_its_abandoned_jobs(void **state)
{
	struct sender senders[20] = {0};

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		start(maildir, &senders[i], 70000, "s@example.com");
		delivery_abandon(senders[i].job);
	}
	delivery_free(&maildir);
	assert_null(maildir);
	io_pool_free(&pool);
	assert_int_equal(done, 0);
	assert_int_equal(stored(), 20);
	assert_int_equal(scratch_count(spool), 0);
}

static void freed_and_abandoned_from_inside_on_done(void **state)
{
	struct sender s = {.abandons_itself = true, .frees = &maildir};
	struct sender t = {.abandons_itself = true, .frees = &discard};

	(void)state;
	start(maildir, &s, 10, "s@example.com");
	start(discard, &t, 10, "");
	loop_until(2);
	assert_true(!maildir && !discard);
	expect_ok(&s);
	expect_ok(&t);
	assert_int_equal(stored(), 1);
}

static void discard_answers_from_the_loop(void **state)
{
	struct sender senders[3] = {0};

	(void)state;
	senders[0].next = &senders[2]; /* started from inside on_done */
	senders[1].quarantine = true;  /* which it has none of */
	start(discard, &senders[0], 10, "");
	start(discard, &senders[1], 70000, "");
	assert_int_equal(done, 0);
	assert_int_equal(scratch_count(spool), 0);
	ev_run(loop, EVRUN_NOWAIT);
	loop_until(3);
	for (size_t i = 0; i < 3; i++) {
		expect_ok(&senders[i]);
		assert_string_equal(senders[i].result.ref, "");
	}
	assert_int_equal(stored(), 0);
}

static void discard_abandoned(void **state)
{
	struct sender senders[2] = {0};

	(void)state;
	start(discard, &senders[0], 10, "");
	start(discard, &senders[1], 10, "");
	delivery_abandon(senders[0].job);
	loop_until(1);
	assert_int_equal(senders[0].calls, 0);
	expect_ok(&senders[1]);
	memset(&senders[0], 0, sizeof senders[0]);
	start(discard, &senders[0], 10, "");
	delivery_abandon(senders[0].job);
	delivery_free(&discard);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(senders[0].calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(names),
		TEST(bad_maildir_is_refused),
		TEST(one_message),
		TEST(sixty_four_at_once),
		TEST(sixty_four_for_the_quarantine),
		TEST(no_room_is_452),
		TEST(any_other_fault_is_451),
		TEST(abandoned_is_stored_silently),
		TEST(delivery_freed_before_its_abandoned_jobs),
		TEST(freed_and_abandoned_from_inside_on_done),
		TEST(discard_answers_from_the_loop),
		TEST(discard_abandoned),
	};

	ident_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
