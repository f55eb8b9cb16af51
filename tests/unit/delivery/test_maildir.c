#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ident.h"
#include "delivery/spool.h"
#include "letterbox.h"
#include "scratch.h"

static void folders_are_made(void **state)
{
	static const char *const folders[] = {
		"a", "a/b", "a/b/inbox", "a/b/inbox/tmp", "a/b/inbox/new", "a/b/inbox/cur"};
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		assert_int_equal(stat(scratch_path(letterbox.dir, folders[i]), &status), 0);
		assert_true(S_ISDIR(status.st_mode));
		assert_int_equal(status.st_mode & 07777, 0700);
	}
	letterbox_open(LETTERBOX_HOST); /* and what exists is no obstacle */
}

static void unusable_folders_are_named(void **state)
{
	char error[200], expected[200];

	(void)state;
	assert_int_equal(rmdir(letterbox.new), 0);
	scratch_write(letterbox.new, "");
	assert_null(maildir_new(letterbox.inbox, "mx1", error, sizeof error));
	snprintf(expected, sizeof expected, "%s: Not a directory", letterbox.new);
	assert_string_equal(error, expected);

	assert_null(
		maildir_new(scratch_path(letterbox.new, "deep/inbox"), "mx1", error, sizeof error));
	assert_non_null(strstr(error, "deep/inbox: Not a directory"));
}

static void stored_octets(void **state)
{
	static const char head[] = "Return-Path: <sender@example.com>\r\n"
				   "Delivered-To: ann@example.org\r\n"
				   "Delivered-To: bob@example.org\r\n" LETTERBOX_RECEIVED;
	char content[256 * 400], ref[128], end[32], *got;
	size_t len, sizes[] = {0, 256, sizeof content};

	(void)state;
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = (char)(unsigned char)(i + i / 256);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(letterbox_store(LETTERBOX_ID, content, sizes[i], ref), 0);
		got = scratch_read(scratch_path(letterbox.inbox, ref), &len);
		assert_int_equal(len, strlen(head) + sizes[i]);
		assert_memory_equal(got, head, strlen(head));
		assert_memory_equal(got + strlen(head), content, sizes[i]);
		free(got);
		snprintf(end, sizeof end, ",S=%zu", len);
		assert_string_equal(strchr(ref, ','), end);
		assert_int_equal(scratch_count(letterbox.tmp), 0);
		assert_int_equal(scratch_count(letterbox.new), i + 1);
	}
}

static void name_follows_the_rules(void **state)
{
	char ref[128], *name;
	long long seconds;
	long microseconds, pid;
	struct stat status;

	(void)state;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
	name = scratch_only(letterbox.new);
	assert_memory_equal(ref, "new/", 4);
	assert_string_equal(ref + 4, name);
	assert_int_equal(sscanf(name, "%lld.M%6ldP%ldQ" LETTERBOX_ID ".mx1.example.org,S=",
				&seconds, &microseconds, &pid),
			 3);
	assert_non_null(strstr(name, "Q" LETTERBOX_ID ".mx1.example.org,S="));
	assert_true(seconds <= time(NULL) && seconds > time(NULL) - 60);
	assert_int_equal(pid, getpid());
	assert_int_equal(stat(scratch_path(letterbox.new, name), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_nlink, 1);
	free(name);
}

static void host_in_the_name(void **state)
{
	static const struct {
		const char *host, *in_name;
	} rows[] = {
		{"a/b:c", ".a\\057b\\072c,S="},
		{"a b\r\nc,S=9", ".a\\040b\\015\\012c\\054S\\0759,S="},
		{"..", "...,S="},
		{"", ".,S="},
		{"123456789.123456789.123456789.123456789.123456789.example.org",
		 ".123456789.123456789.123456789.123456789.12345678,S="},
		{"123456789.123456789.123456789.123456789.1234567/",
		 ".123456789.123456789.123456789.123456789.1234567,S="},
	};
	char ref[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		letterbox_open(rows[i].host);
		assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
		assert_non_null(strstr(ref, rows[i].in_name));
		assert_int_equal(access(scratch_path(letterbox.inbox, ref), F_OK), 0);
	}
}

static void thousand_names(void **state)
{
	char ref[128], id[IDENT_SIZE];

	(void)state;
	ident_seed();
	for (int i = 0; i < 1000; i++) {
		ident_make(id);
		assert_int_equal(letterbox_store(id, "x", 1, ref), 0);
	}
	assert_int_equal(scratch_count(letterbox.new), 1000);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
}

static bool builds(const char *reverse_path, const char *recipient, const char *received)
{
	struct hook_mailbox from = {.address = {reverse_path, strlen(reverse_path)}};
	struct hook_mailbox to = {.address = {recipient, strlen(recipient)}};
	struct delivery_envelope envelope = {.transaction = LETTERBOX_ID,
					     .sender = &from,
					     .recipients = &to,
					     .recipients_len = 1,
					     .received = received};
	struct spool_message *message = spool_message_new(&(struct spool){.dir = "/"}, "x");
	struct maildir_letter letter;
	bool ok;

	maildir_letter_init(&letter, letterbox.maildir, &envelope, message);
	ok = !letter.error;
	maildir_letter_fini(&letter);
	spool_message_free(&message);
	return ok;
}

static void no_header_injection(void **state)
{
	static const char *const bad[] = {"a@b\r\nX: y", "a@b\n",   "a@b\r",
					  "\tq@b",	 "a\x7f@b", "a\x01@b"};
	static const char *const bad_received[] = {
		"",
		"Received: a",
		"Received: a\n",
		"Received: a\r",
		"Received: a\r\nX: y\r\n",
		"Received: a\r\n\r\n",
		"Received: a\rb\r\n",
		"Received: a\n b\r\n",
		"Received: a\r\n ",
	};

	(void)state;
	assert_true(builds("", "a@b", LETTERBOX_RECEIVED));
	assert_true(builds("j\xc3\xb6rg@b", "\"q p\"@b", "Received: a\r\n b\r\n\tc\r\n"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(builds(bad[i], "a@b", LETTERBOX_RECEIVED));
		assert_false(builds("a@b", bad[i], LETTERBOX_RECEIVED));
	}
	for (size_t i = 0; i < sizeof bad_received / sizeof bad_received[0]; i++)
		assert_false(builds("a@b", "a@b", bad_received[i]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, letterbox_setup, letterbox_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folders_are_made),	   TEST(unusable_folders_are_named),
		TEST(stored_octets),	   TEST(name_follows_the_rules),
		TEST(host_in_the_name),	   TEST(thousand_names),
		TEST(no_header_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
