#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "spooled.h"

static bool can_mount;

static void check_broken(struct spool_message *m, int error)
{
	size_t len;

	assert_int_equal(scratch_count(spooled_dir), 0);
	errno = 0;
	assert_false(spool_message_append(m, "x", 1));
	assert_int_equal(errno, error);
	errno = 0;
	assert_null(spool_message_file(m));
	assert_int_equal(errno, error);
	errno = 0;
	assert_false(spool_message_copy(m, STDOUT_FILENO));
	assert_int_equal(errno, error);
	assert_null(spool_message_data(m, &len));
	assert_int_equal(scratch_count(spooled_dir), 0);
	spool_message_free(&m);
}

static void fill_until_broken(int error, size_t step)
{
	struct spool_message *m = spool_message_new(&spooled_spool, SPOOLED_ID);
	size_t i = 0;

	while (i + step <= SPOOLED_PATTERN && spool_message_append(m, spooled_pattern + i, step))
		i += step;
	assert_int_equal(errno, error);
	assert_true(i + step <= SPOOLED_PATTERN);
	check_broken(m, error);
}

static void file_size_limit_breaks_it(void **state)
{
	(void)state;
	scratch_limit_files(200000);
	fill_until_broken(EFBIG, 1000);
	fill_until_broken(EFBIG, 100000);
	scratch_limit_files(10);
	fill_until_broken(EFBIG, 1000);
}

static void full_disk_breaks_it(void **state)
{
	(void)state;
	if (!can_mount)
		skip();
	assert_int_equal(mount("none", spooled_dir, "tmpfs", 0, "size=160k"), 0);
	fill_until_broken(ENOSPC, 1000);
	fill_until_broken(ENOSPC, 100000);
	assert_int_equal(umount(spooled_dir), 0);
}

static void last_piece_breaks_it(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, SPOOL_HEADERS + 1000, 4096);

	(void)state;
	scratch_limit_files(1);
	assert_null(spool_message_file(m));
	check_broken(m, EFBIG);
}

static void failed_file_leaves_memory_usable(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 3000, 100);
	size_t len;

	(void)state;
	scratch_limit_files(10);
	assert_null(spool_message_file(m));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(scratch_count(spooled_dir), 0);
	assert_memory_equal(spool_message_data(m, &len), spooled_pattern, 3000);
	assert_true(spool_message_append(m, spooled_pattern + 3000, 100));
	scratch_limit_files(0);
	spooled_check_file(m, spooled_pattern, 3100);

	assert_true(spool_message_append(m, spooled_pattern + 3100, 100));
	scratch_limit_files(3100);
	assert_null(spool_message_file(m));
	assert_int_equal(scratch_count(spooled_dir), 0);
	scratch_limit_files(0);
	spooled_check_copy(m, spooled_pattern, 3200);
	spooled_check_file(m, spooled_pattern, 3200);
	spool_message_free(&m);
}

static void missing_folder(void **state)
{
	static const struct spool missing = {.dir = "/tmp/gatepost-unit-missing"};
	struct spool_message *m = spool_message_new(&missing, SPOOLED_ID);
	size_t len;

	(void)state;
	assert_true(spool_message_append(m, spooled_pattern, SPOOL_MEMORY));
	assert_null(spool_message_file(m));
	assert_int_equal(errno, ENOENT);
	assert_memory_equal(spool_message_data(m, &len), spooled_pattern, SPOOL_MEMORY);
	assert_false(spool_message_append(m, spooled_pattern, 1));
	check_broken(m, ENOENT);
}

/* Neither a file nor a link that waits under our name is written or removed. */
static void foreign_file_is_left_alone(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 100, 100);
	size_t len;
	char *text;

	(void)state;
	scratch_write(scratch_path(spooled_dir, "target"), "theirs");
	assert_int_equal(symlink("target", scratch_path(spooled_dir, spooled_file())), 0);
	assert_null(spool_message_file(m));
	assert_int_equal(errno, EEXIST);
	assert_false(spool_message_append(m, spooled_pattern, SPOOL_MEMORY));
	spool_message_free(&m);
	assert_int_equal(scratch_count(spooled_dir), 2);
	text = scratch_read(scratch_path(spooled_dir, "target"), &len);
	assert_string_equal(text, "theirs");
	free(text);
}

static void touch(const char *name)
{
	scratch_write(scratch_path(spooled_dir, name), "x");
}

static void sweep(void **state)
{
	static const char *const stay[] = {
		"letter.eml",
		"01JD9Z8K3X7F4Y5N0001.eml",
		"-01JD9Z8K3X7F4Y5N0001.eml",
		"x-01JD9Z8K3X7F4Y5N0001.eml",
		"12-01JD9Z8K3X7F4Y5N000.eml",
		"12-01JD9Z8K3X7F4Y5N00001.eml",
		"12-01JD9Z8K3X7F4Y5N0001.txt",
		"12-01JD9Z8K3X7F4Y5N0001.eml.bak",
		"12-01jd9z8k3x7f4y5n0001.eml",
		"12-01JD9Z8K3X7F4Y5N0001",
		"12-01JD9Z8K3X7F4Y5N0001-.eml",
		"12-01JD9Z8K3X7F4Y5N0001-x.eml",
		"12-01JD9Z8K3X7F4Y5N0001-1-2.eml",
	};
	unsigned n = sizeof stay / sizeof stay[0];

	(void)state;
	for (unsigned i = 0; i < n; i++)
		touch(stay[i]);
	assert_int_equal(mkdir(scratch_path(spooled_dir, "12-01JD9Z8K3X7F4Y5N0009.eml"), 0700), 0);
	touch("12-01JD9Z8K3X7F4Y5N0001.eml");
	touch("12-01JD9Z8K3X7F4Y5N0001.1.eml");
	touch("12-01JD9Z8K3X7F4Y5N0001-1.eml");
	touch("12-01JD9Z8K3X7F4Y5N0001.10-12.eml");
	touch("123-01JD9Z8K3X7F4Y5N0002.eml");
	touch("1-01JD9Z8K3X7F4Y5N0002.eml");
	assert_int_equal(spool_sweep(spooled_dir, 12), 4);
	assert_int_equal(scratch_count(spooled_dir), n + 3);
	assert_int_equal(spool_sweep(spooled_dir, 0), 2);
	assert_int_equal(scratch_count(spooled_dir), n + 1);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(access(scratch_path(spooled_dir, stay[i]), F_OK), 0);
	assert_int_equal(spool_sweep(spooled_dir, 0), 0);
	assert_int_equal(spool_sweep("/tmp/gatepost-unit-missing", 0), -1);
	assert_int_equal(errno, ENOENT);
}

/* What the sweep looks for is what a message is called, with and without a new header. */
static void sweep_knows_our_names(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 3000, 3000);
	char link_name[64];

	(void)state;
	assert_string_equal(spool_message_file(m), spooled_file());
	assert_int_equal(spool_sweep(spooled_dir, getpid() + 1), 0);
	assert_int_equal(spool_sweep(spooled_dir, getpid()), 1);
	assert_true(spool_message_set_header(m, "A: 1\r\n\r\n", 8));
	assert_non_null(spool_message_file(m));
	snprintf(link_name, sizeof link_name, "%.*s-3.eml", (int)strlen(spool_message_file(m)) - 4,
		 spool_message_file(m));
	assert_int_equal(link(scratch_path(spooled_dir, spool_message_file(m)),
			      scratch_path(spooled_dir, link_name)),
			 0);
	assert_int_equal(spool_sweep(spooled_dir, getpid()), 2);
	assert_int_equal(scratch_count(spooled_dir), 0);
	spool_message_free(&m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spooled_setup, spooled_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(file_size_limit_breaks_it),
		TEST(full_disk_breaks_it),
		TEST(last_piece_breaks_it),
		TEST(failed_file_leaves_memory_usable),
		TEST(missing_folder),
		TEST(foreign_file_is_left_alone),
		TEST(sweep),
		TEST(sweep_knows_our_names),
	};

	can_mount = scratch_allow_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
