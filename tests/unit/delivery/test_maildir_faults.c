#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "letterbox.h"
#include "scratch.h"

static bool can_mount;

/* What happened on the disk: f fsync of a file, d of a folder, r rename, l link. Upper case: it was
 * made to fail. */
static char steps[256];
static char fail_step;
static int fail_error;
static unsigned fail_nth; /* counts down to the one that fails; 0: each fails */
static bool no_flags;	  /* renameat2() as NFS has it */
static bool others_start; /* another process sweeps just before the link */
static bool time_stands;  /* all names of one transaction are the same */
static off_t synced;	  /* octets in the file at its fsync */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);

int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = __real_clock_gettime(clock, now);

	if (time_stands)
		*now = (struct timespec){.tv_sec = 1700000000};
	return failed;
}

static bool step(char name)
{
	bool fails = name == fail_step && (!fail_nth || --fail_nth == 0);
	size_t n = strlen(steps);

	if (n < sizeof steps - 1)
		steps[n] = (char)(fails ? name - 'a' + 'A' : name);
	if (fails)
		errno = fail_error;
	return fails;
}

int __wrap_fsync(int fd)
{
	struct stat status;

	fstat(fd, &status);
	if (S_ISREG(status.st_mode))
		synced = status.st_size;
	return step(S_ISDIR(status.st_mode) ? 'd' : 'f') ? -1 : __real_fsync(fd);
}

static void let_others_start(void)
{
	char error[200];
	struct maildir *other;

	if (!others_start)
		return;
	other = maildir_new(letterbox.inbox, LETTERBOX_HOST, error, sizeof error);
	assert_non_null(other);
	maildir_free(&other);
}

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	let_others_start();
	return step('l') ? -1 : __real_linkat(from_dir, from, to_dir, to, flags);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (no_flags) {
		errno = EINVAL;
		return -1;
	}
	let_others_start();
	return step('r') ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

static void expect_steps(const char *expected)
{
	assert_string_equal(steps, expected);
	memset(steps, 0, sizeof steps);
}

static int setup(void **state)
{
	int failed = letterbox_setup(state);

	fail_step = 0;
	fail_nth = 0;
	no_flags = others_start = time_stands = false;
	memset(steps, 0, sizeof steps);
	return failed;
}

static void expect_failure(int error)
{
	char ref[128] = "unset";

	assert_int_equal(letterbox_store(LETTERBOX_ID, "some content", 12, ref), error);
	assert_string_equal(ref, "");
}

static void expect_nothing_left(void)
{
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(scratch_count(letterbox.new), 0);
}

static void faults_of_the_disk(void **state)
{
	static const struct {
		bool no_flags;
		char step;
		int error;
		const char *steps;
	} rows[] = {
		{false, 'f', EIO, "F"},	     {false, 'f', ENOSPC, "F"}, {false, 'r', EEXIST, "fR"},
		{false, 'r', EDQUOT, "fR"},  {false, 'r', EXDEV, "fR"}, {false, 'd', EIO, "frD"},
		{false, 'd', ENOSPC, "frD"}, {true, 'l', EEXIST, "fL"}, {true, 'l', EMLINK, "fL"},
		{true, 'd', EIO, "flD"},
	};
	struct stat status;
	char ref[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		no_flags = rows[i].no_flags;
		fail_step = rows[i].step;
		fail_error = rows[i].error;
		expect_failure(rows[i].error);
		expect_steps(rows[i].steps);
		expect_nothing_left();
	}
	/* The order on which the 250 stands, and nothing was written after the first fsync. */
	fail_step = 0;
	for (unsigned old = 0; old < 2; old++) {
		no_flags = old;
		assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
		expect_steps(old ? "fld" : "frd");
		assert_int_equal(stat(scratch_path(letterbox.inbox, ref), &status), 0);
		assert_int_equal(status.st_size, synced);
		assert_int_equal(status.st_nlink, 1);
		assert_int_equal(scratch_count(letterbox.new), old + 1);
		assert_int_equal(scratch_count(letterbox.tmp), 0);
	}
}

/* Where the folder is not there yet: durable before it gets a message. */
static void faults_of_the_disk_in_quarantine(void **state)
{
	static const char steps_to_fail[] = {'f', 'r', 'd'};
	char ref[128], *new;

	(void)state;
	letterbox.quarantine = true;
	fail_step = 'd';
	fail_error = EIO;
	expect_failure(EIO);
	expect_steps("D");
	fail_step = 0;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
	assert_string_equal(steps + strlen(steps) - 3, "frd");
	assert_int_equal(strspn(steps, "d"), strlen(steps) - 3);
	memset(steps, 0, sizeof steps);
	new = strdup(scratch_path(letterbox.inbox, ".Quarantine/new"));
	for (size_t i = 0; i < sizeof steps_to_fail; i++) {
		fail_step = steps_to_fail[i];
		fail_error = ENOSPC;
		expect_failure(ENOSPC);
		memset(steps, 0, sizeof steps);
		assert_int_equal(scratch_count(new), 1);
		assert_int_equal(scratch_count(scratch_path(letterbox.inbox, ".Quarantine/tmp")),
				 0);
	}
	fail_step = 0;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
	expect_steps("frd");
	expect_nothing_left();
	free(new);
}

static void sweep_of_another_while_writing(void **state)
{
	char ref[128];

	(void)state;
	others_start = true;
	for (unsigned old = 0; old < 2; old++) {
		no_flags = old;
		assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, ref), 0);
		assert_int_equal(access(scratch_path(letterbox.inbox, ref), F_OK), 0);
		assert_int_equal(scratch_count(letterbox.tmp), 0);
	}
}

/* A name that is taken fails; neither what is in new/ nor another's file in tmp/ is touched. */
static void names_that_are_taken(void **state)
{
	char ref[128], *content;
	size_t len;

	(void)state;
	time_stands = true;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "1st", 3, ref), 0);
	assert_int_equal(letterbox_store(LETTERBOX_ID, "2nd", 3, (char[128]){0}), EEXIST);
	no_flags = true;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "2nd", 3, (char[128]){0}), EEXIST);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	content = scratch_read(scratch_path(letterbox.inbox, ref), &len);
	assert_string_equal(content + len - 3, "1st");
	free(content);

	assert_int_equal(rename(scratch_path(letterbox.inbox, ref),
				scratch_path(letterbox.tmp, ref + strlen("new/"))),
			 0);
	assert_int_equal(letterbox_store(LETTERBOX_ID, "2nd", 3, ref), EEXIST);
	assert_int_equal(scratch_count(letterbox.tmp), 1);
	assert_int_equal(scratch_count(letterbox.new), 0);
}

static void folders_that_went_away(void **state)
{
	(void)state;
	assert_int_equal(rmdir(letterbox.new), 0);
	expect_failure(ENOENT);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	scratch_write(letterbox.new, "");
	expect_failure(ENOTDIR);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(unlink(letterbox.new), 0);
	assert_int_equal(mkdir(letterbox.new, 0700), 0); /* made again: found again */
	assert_int_equal(letterbox_store(LETTERBOX_ID, "x", 1, (char[128]){0}), 0);
	assert_int_equal(scratch_count(letterbox.new), 1);

	assert_int_equal(rmdir(letterbox.tmp), 0);
	expect_failure(ENOENT);
	scratch_write(letterbox.tmp, "");
	expect_failure(ENOTDIR);
	assert_int_equal(scratch_count(letterbox.new), 1);
}

static void read_only(const char *folder, bool yes)
{
	if (yes) {
		assert_int_equal(mount(folder, folder, NULL, MS_BIND, NULL), 0);
		assert_int_equal(mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
				 0);
	} else {
		assert_int_equal(umount(folder), 0);
	}
}

static void read_only_folders(void **state)
{
	char error[200];

	(void)state;
	if (!can_mount)
		skip();
	read_only(letterbox.tmp, true);
	expect_failure(EROFS);
	assert_null(maildir_new(letterbox.inbox, "mx1", error, sizeof error));
	assert_non_null(strstr(error, "tmp: Read-only file system"));
	read_only(letterbox.tmp, false);
	read_only(letterbox.new, true);
	expect_failure(EXDEV); /* the mount that makes it so is another's, too */
	read_only(letterbox.new, false);
	expect_nothing_left();
}

static void no_room(void **state)
{
	char content[20000] = {0};

	(void)state;
	for (size_t limit = 1; limit < sizeof content; limit = limit * 2 + 50) {
		scratch_limit_files(limit);
		assert_int_equal(
			letterbox_store(LETTERBOX_ID, content, sizeof content, (char[128]){0}),
			EFBIG);
		scratch_limit_files(0);
		expect_nothing_left();
	}
}

static void full_disk(void **state)
{
	char content[60000] = {0}, ref[128];
	unsigned stored = 0;
	int failed = 0;

	(void)state;
	if (!can_mount)
		skip();
	assert_int_equal(mount("none", letterbox.inbox, "tmpfs", 0, "size=300k"), 0);
	letterbox_open("mx1");
	while (stored < 100 &&
	       !(failed = letterbox_store(LETTERBOX_ID, content, sizeof content, ref)))
		stored++;
	assert_int_equal(failed, ENOSPC);
	assert_in_range(stored, 1, 5);
	assert_int_equal(scratch_count(letterbox.new), stored);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(umount(letterbox.inbox), 0);
}

static void no_descriptors(void **state)
{
	struct rlimit limit, few;
	int next = dup(0);

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int more = 0; more < 3; more++) {
		few = limit;
		few.rlim_cur = (rlim_t)(next + more);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		expect_failure(EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		expect_nothing_left();
	}
	assert_int_equal(dup(0), next); /* none leaked */
	close(next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, letterbox_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(faults_of_the_disk),
		TEST(faults_of_the_disk_in_quarantine),
		TEST(sweep_of_another_while_writing),
		TEST(names_that_are_taken),
		TEST(folders_that_went_away),
		TEST(read_only_folders),
		TEST(no_room),
		TEST(full_disk),
		TEST(no_descriptors),
	};

	can_mount = scratch_allow_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
