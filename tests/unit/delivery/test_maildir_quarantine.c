/* Messages for the quarantine: the folder .Quarantine of the Maildir, as Maildir++ has it. */
#include <errno.h>
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
#include "letterbox.h"
#include "scratch.h"

#define LEFT "1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0001.mx1.example.org,S=10"

static char *folder;

static int setup(void **state)
{
	letterbox_setup(state);
	letterbox.quarantine = true;
	folder = strdup(scratch_path(letterbox.inbox, ".Quarantine"));
	return 0;
}

static int teardown(void **state)
{
	free(folder);
	return letterbox_teardown(state);
}

static void store(int expected)
{
	char ref[128];

	assert_int_equal(letterbox_store(LETTERBOX_ID, "text", 4, ref), expected);
	assert_int_equal(!expected, strlen(ref) != 0);
}

static void made_when_first_needed(void **state)
{
	static const char *const folders[] = {"", "cur", "new", "tmp"};
	struct stat status;

	(void)state;
	assert_int_equal(access(folder, F_OK), -1);
	letterbox.quarantine = false;
	store(0);
	letterbox_open(LETTERBOX_HOST);
	assert_int_equal(access(folder, F_OK), -1);
	letterbox.quarantine = true;
	store(0);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		assert_int_equal(stat(scratch_path(folder, folders[i]), &status), 0);
		assert_int_equal(status.st_mode, S_IFDIR | 0700);
	}
	assert_int_equal(stat(scratch_path(folder, "maildirfolder"), &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(status.st_size, 0);
	assert_int_equal(scratch_count(folder), 4);
	/* The Maildir itself is none. */
	assert_int_equal(access(scratch_path(letterbox.inbox, "maildirfolder"), F_OK), -1);
}

static void only_there_and_whole(void **state)
{
	static const char end[] = LETTERBOX_RECEIVED "some text";
	char ref[128], *name, *content;
	size_t len;

	(void)state;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "some text", 9, ref), 0);
	assert_int_equal(scratch_count(letterbox.new), 0);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(scratch_count(scratch_path(folder, "tmp")), 0);
	name = scratch_only(scratch_path(folder, "new"));
	assert_memory_equal(ref, ".Quarantine/new/", 16);
	assert_string_equal(ref + 16, name);
	content = scratch_read(scratch_path(letterbox.inbox, ref), &len);
	assert_memory_equal(content, "Return-Path: <sender@example.com>\r\n", 35);
	assert_string_equal(content + len - strlen(end), end);
	free(content);
	free(name);
}

/* The longest name has its place in a result. */
static void whole_name_in_ref(void **state)
{
	char ref[128];

	(void)state;
	letterbox_open("123456789.123456789.123456789.123456789.123456789.example.org");
	assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
	assert_int_equal(access(scratch_path(letterbox.inbox, ref), F_OK), 0);
	assert_in_range(strlen(ref), 100, sizeof ref - 12); /* of a size with 13 digits */
}

static void swept_at_the_start(void **state)
{
	(void)state;
	store(0);
	scratch_write(scratch_path(scratch_path(folder, "tmp"), LEFT), "x");
	scratch_write(scratch_path(scratch_path(folder, "tmp"), "theirs"), "x");
	letterbox_open(LETTERBOX_HOST);
	assert_int_equal(scratch_count(scratch_path(folder, "tmp")), 1);
	assert_int_equal(scratch_count(scratch_path(folder, "new")), 1);
}

static void begun_and_not_finished(void **state)
{
	(void)state;
	assert_int_equal(mkdir(folder, 0700), 0);
	scratch_write(scratch_path(folder, "new"), "");
	store(ENOTDIR);
	assert_int_equal(unlink(scratch_path(folder, "new")), 0);
	store(0);
	assert_int_equal(scratch_count(folder), 4);
}

static void made_again(void **state)
{
	(void)state;
	store(0);
	assert_int_equal(rename(folder, scratch_path(letterbox.inbox, ".Gone")), 0);
	store(0);
	assert_int_equal(scratch_count(scratch_path(folder, "new")), 1);
	assert_int_equal(rmdir(scratch_path(folder, "tmp")), 0);
	assert_int_equal(rmdir(scratch_path(folder, "cur")), 0);
	assert_int_equal(unlink(scratch_path(folder, "maildirfolder")), 0);
	store(0);
	assert_int_equal(scratch_count(folder), 4);
	assert_int_equal(scratch_count(scratch_path(folder, "new")), 2);
}

/* Nothing for the quarantine ever falls into the inbox. */
static void unusable(void **state)
{
	char error[200], expected[200];

	(void)state;
	scratch_write(folder, "");
	store(ENOTDIR);
	assert_int_equal(scratch_count(letterbox.new), 0);
	assert_null(maildir_new(letterbox.inbox, LETTERBOX_HOST, error, sizeof error));
	snprintf(expected, sizeof expected, "%s: Not a directory", folder);
	assert_string_equal(error, expected);
	letterbox.quarantine = false;
	store(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(made_when_first_needed),
		TEST(only_there_and_whole),
		TEST(whole_name_in_ref),
		TEST(swept_at_the_start),
		TEST(made_again),
		TEST(begun_and_not_finished),
		TEST(unusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
