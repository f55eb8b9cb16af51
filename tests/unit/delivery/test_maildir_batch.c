/* Many messages stored together: one fsync of the folder for all, and a fault is its message's. */
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

/* What happened on the disk, as in test_maildir_faults.c: f fsync of a file, d of a folder, r
 * rename. Upper case: it was made to fail, being the one of its kind that fail_nth says. */
static char steps[512];
static char fail_step;
static unsigned fail_nth;

static struct letterbox_post posts[LETTERBOX_POSTS];
static char *quarantine_new;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

static bool step(char name)
{
	bool fails = name == fail_step && fail_nth-- == 0;
	size_t n = strlen(steps);

	assert_true(n < sizeof steps - 1);
	steps[n] = (char)(fails ? name - 'a' + 'A' : name);
	errno = EIO;
	return fails;
}

int __wrap_fsync(int fd)
{
	struct stat status;

	fstat(fd, &status);
	return step(S_ISDIR(status.st_mode) ? 'd' : 'f') ? -1 : __real_fsync(fd);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return step('r') ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

static int setup(void **state)
{
	letterbox_setup(state);
	quarantine_new = strdup(scratch_path(letterbox.inbox, ".Quarantine/new"));
	memset(steps, 0, sizeof steps);
	fail_step = 0;
	return 0;
}

static int teardown(void **state)
{
	free(quarantine_new);
	return letterbox_teardown(state);
}

static void post(size_t i, bool quarantine)
{
	char id[IDENT_SIZE], content[32];
	int len = snprintf(content, sizeof content, "message %zu", i);

	ident_make(id);
	letterbox.quarantine = quarantine;
	letterbox_post(&posts[i], id, content, (size_t)len);
}

/* Each that has no error is in its folder with its content, and nothing else is anywhere. */
static void expect_stored(size_t len, unsigned inbox, unsigned quarantine)
{
	for (size_t i = 0; i < len; i++) {
		const struct maildir_letter *letter = &posts[i].letter;
		char end[48], *content;
		size_t size;

		if (letter->error) {
			assert_string_equal(letter->ref, "");
			continue;
		}
		snprintf(end, sizeof end, "+0000\r\nmessage %zu", i);
		content = scratch_read(scratch_path(letterbox.inbox, letter->ref), &size);
		assert_string_equal(content + size - strlen(end), end);
		free(content);
	}
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(scratch_count(letterbox.new), inbox);
	if (access(quarantine_new, F_OK) != 0)
		return;
	assert_int_equal(scratch_count(quarantine_new), quarantine);
	assert_int_equal(scratch_count(scratch_path(letterbox.inbox, ".Quarantine/tmp")), 0);
}

static void none(void **state)
{
	(void)state;
	maildir_store(letterbox.maildir, NULL, 0);
	assert_string_equal(steps, "");
}

static void one_commit_for_all(void **state)
{
	(void)state;
	memset(steps, 0, sizeof steps);
	for (size_t i = 0; i < 5; i++)
		post(i, false);
	letterbox_collect(posts, 5);
	assert_string_equal(steps, "fffffrrrrrd");
	expect_stored(5, 5, 0);
}

/* The files of one batch are open at once; there are only so many. */
static void many_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 200; i++)
		post(i, false);
	letterbox_collect(posts, 200);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(posts[i].letter.error, 0);
	expect_stored(200, 200, 0);
	for (size_t n = 0, at = 0; n < 4; n++) { /* 64 + 64 + 64 + 8 */
		size_t size = n < 3 ? 64 : 8;

		assert_int_equal(strspn(steps + at, "f"), size);
		assert_int_equal(strspn(steps + at + size, "r"), size);
		assert_int_equal(steps[at + 2 * size], 'd');
		at += 2 * size + 1;
	}
}

static void fault_of_one(void **state)
{
	static const struct {
		char step;
		const char *steps;
	} rows[] = {{'f', "ffFffrrrrd"}, {'r', "fffffrrRrrd"}};

	(void)state;
	for (size_t row = 0; row < 2; row++) {
		memset(steps, 0, sizeof steps);
		fail_step = rows[row].step;
		fail_nth = 2;
		for (size_t i = 0; i < 5; i++)
			post(i, false);
		letterbox_collect(posts, 5);
		assert_string_equal(steps, rows[row].steps);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(posts[i].letter.error, i == 2 ? EIO : 0);
		expect_stored(5, (unsigned)(4 * (row + 1)), 0);
	}
}

/* A file that is in the way of one, and what fails before the files are written. */
static void not_begun(void **state)
{
	(void)state;
	scratch_write(scratch_path(letterbox.inbox, ".Quarantine"), "");
	for (size_t i = 0; i < 4; i++)
		post(i, i == 1);
	posts[3].letter.error = EILSEQ;
	letterbox_collect(posts, 4);
	assert_string_equal(steps, "ffrrd");
	assert_int_equal(posts[0].letter.error, 0);
	assert_int_equal(posts[1].letter.error, ENOTDIR);
	assert_int_equal(posts[2].letter.error, 0);
	assert_int_equal(posts[3].letter.error, EILSEQ);
	expect_stored(4, 2, 0);
}

/* The fsync of a folder speaks for what went there, and for nothing else. */
static void fault_of_a_folder(void **state)
{
	(void)state;
	post(0, true);
	letterbox_collect(posts, 1);
	for (unsigned bad = 0; bad < 2; bad++) {
		memset(steps, 0, sizeof steps);
		fail_step = 'd';
		fail_nth = bad;
		for (size_t i = 0; i < 6; i++)
			post(i, i % 2);
		letterbox_collect(posts, 6);
		assert_string_equal(steps, bad ? "ffffffrrrrrrdD" : "ffffffrrrrrrDd");
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(posts[i].letter.error, i % 2 == bad ? EIO : 0);
		expect_stored(6, bad ? 3 : 0, 4);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(none),	    TEST(one_commit_for_all), TEST(many_are_cut),
		TEST(fault_of_one), TEST(not_begun),	      TEST(fault_of_a_folder),
	};

	ident_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
