#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ident.h"
#include "letterbox.h"
#include "scratch.h"

static void make_old(const char *path, long hours)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - hours * 3600}};

	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void sweep(void **state)
{
	static const struct {
		const char *name;
		long hours;
		bool locked;
		bool stays;
	} rows[] = {
		/* of this host: the lock tells, and age at last */
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0001.mx1.example.org,S=10", 0, false, false},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0002.mx1.example.org,S=10", 0, true, true},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0003.mx1.example.org,S=10", 35, true, true},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0004.mx1.example.org,S=10", 37, true, false},
		/* of others who share the folder: only age */
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0005.mx2.example.org,S=10", 0, false, true},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0006.mx1.example.orgs,S=1", 0, false, true},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0007.mx2.example.org,S=10", 35, false, true},
		{"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0008.mx2.example.org,S=10", 37, false,
		 false},
		/* not our naming: never */
		{"1700000000.M1P1.mx1.example.org", 100, false, true},
		{"1700000000.M1P1Q1.mx1.example.org,S=1", 100, false, true},
		{"1700000000.1_1.mx1.example.org", 100, false, true},
		{"1700000000.M1P1Q01JD9Z8K3X7F4Y5N00010.mx1.example.org,S=1", 100, false, true},
		{"1700000000.M1P1Q01jd9z8k3x7f4y5n0001.mx1.example.org,S=1", 100, false, true},
		{"1700000000.M1P1Q01JD9Z8K3X7F4Y5N0001", 100, false, true},
		{"M1P1Q01JD9Z8K3X7F4Y5N0001.mx1.example.org,S=1", 100, false, true},
		{"notes", 100, false, true},
		{".hidden", 100, false, true},
	};
	const size_t n = sizeof rows / sizeof rows[0];
	int fds[sizeof rows / sizeof rows[0]];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		scratch_write(scratch_path(letterbox.tmp, rows[i].name), "x");
		make_old(scratch_path(letterbox.tmp, rows[i].name), rows[i].hours);
		scratch_write(scratch_path(letterbox.new, rows[i].name), "x");
		fds[i] = open(scratch_path(letterbox.tmp, rows[i].name), O_WRONLY);
		if (rows[i].locked)
			assert_int_equal(flock(fds[i], LOCK_EX | LOCK_NB), 0);
	}
	letterbox_open(LETTERBOX_HOST);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(access(scratch_path(letterbox.tmp, rows[i].name), F_OK) == 0,
				 rows[i].stays);
		close(fds[i]);
	}
	assert_int_equal(scratch_count(letterbox.new), n); /* messages are nobody's leftovers */
}

/* What else may carry such a name must neither block the start nor be removed. */
static void sweep_of_no_files(void **state)
{
	static const char name[] =
		"1700000000.M000001P1Q01JD9Z8K3X7F4Y5N000%c.mx1.example.org,S=10";
	char fifo[128], folder[128], link[128];

	(void)state;
	snprintf(fifo, sizeof fifo, name, '1');
	snprintf(folder, sizeof folder, name, '2');
	snprintf(link, sizeof link, name, '3');
	assert_int_equal(mkfifo(scratch_path(letterbox.tmp, fifo), 0600), 0);
	assert_int_equal(mkdir(scratch_path(letterbox.tmp, folder), 0700), 0);
	assert_int_equal(symlink("../new", scratch_path(letterbox.tmp, link)), 0);
	letterbox_open(LETTERBOX_HOST);
	assert_int_equal(scratch_count(letterbox.tmp), 3);
}

static void store_without_end(int out)
{
	char content[3000], ref[128], id[IDENT_SIZE];

	memset(content, 'x', sizeof content);
	ident_seed();
	for (;;) {
		ident_make(id);
		if (letterbox_store(id, content, sizeof content, ref) == 0 &&
		    write(out, ref, sizeof ref) < 0)
			break;
	}
	_exit(1);
}

/* Up to `max` answers of the child, each for a message that is there whole. */
static unsigned expect_answered(int fd, unsigned max)
{
	char ref[128];
	unsigned n = 0;

	while (n < max && read(fd, ref, sizeof ref) == sizeof ref) {
		struct stat status;

		n++;
		assert_int_equal(stat(scratch_path(letterbox.inbox, ref), &status), 0);
		assert_int_equal(status.st_size, strtol(strstr(ref, ",S=") + 3, NULL, 10));
	}
	return n;
}

/* kill -9 at any point: what was answered for is there, complete, once; a new start clears the
 * rest. */
static void killed_while_storing(void **state)
{
	unsigned answered = 0, kept;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		int ends[2];
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			store_without_end(ends[1]);
		close(ends[1]);
		answered += expect_answered(ends[0], 1 + round % 3);
		usleep(round * 77);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		answered += expect_answered(ends[0], UINT_MAX);
		close(ends[0]);
	}
	kept = scratch_count(letterbox.new);
	assert_true(answered >= 20);
	/* Each kill may fall between the link and the answer. */
	assert_in_range(kept, answered, answered + 20);
	letterbox_open(LETTERBOX_HOST);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
	assert_int_equal(scratch_count(letterbox.new), kept);
}

static unsigned sweeps_before_lock;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

/* A worker begins, and sweeps, between a writer's open() and flock(). */
int __wrap_flock(int fd, int operation)
{
	struct maildir *other;
	char error[256];

	if (sweeps_before_lock && !(operation & LOCK_NB)) {
		sweeps_before_lock--;
		other = maildir_new(letterbox.inbox, LETTERBOX_HOST, error, sizeof error);
		assert_non_null(other);
		maildir_free(&other);
	}
	return __real_flock(fd, operation);
}

static void writer_that_is_swept_before_it_has_the_lock(void **state)
{
	char ref[128];

	(void)state;
	letterbox_open(LETTERBOX_HOST);
	sweeps_before_lock = 3;
	assert_int_equal(letterbox_store(LETTERBOX_ID, "hi\r\n", 4, ref), 0);
	assert_int_equal(sweeps_before_lock, 0);
	assert_int_equal(scratch_count(letterbox.new), 1);
	assert_int_equal(scratch_count(letterbox.tmp), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, letterbox_setup, letterbox_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sweep),
		TEST(sweep_of_no_files),
		TEST(writer_that_is_swept_before_it_has_the_lock),
		TEST(killed_while_storing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
