#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "spooled.h"

static size_t largest_block, blocks;
static size_t write_max; /* 0: as the kernel likes */
static unsigned write_calls;
static bool no_copy_range;

void *__real_mem_resize(void *old, size_t size);
void *__wrap_mem_resize(void *old, size_t size);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __real_copy_file_range(int from, off_t *at, int to, off_t *to_at, size_t len,
			       unsigned flags);
ssize_t __wrap_copy_file_range(int from, off_t *at, int to, off_t *to_at, size_t len,
			       unsigned flags);

void *__wrap_mem_resize(void *old, size_t size)
{
	blocks++;
	if (size > largest_block)
		largest_block = size;
	return __real_mem_resize(old, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	write_calls++;
	if (!write_max)
		return __real_write(fd, data, len);
	if (write_calls % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return __real_write(fd, data, len < write_max ? len : write_max);
}

ssize_t __wrap_copy_file_range(int from, off_t *at, int to, off_t *to_at, size_t len,
			       unsigned flags)
{
	if (no_copy_range) {
		errno = EXDEV;
		return -1;
	}
	return __real_copy_file_range(from, at, to, to_at, len, flags);
}

static int setup(void **state)
{
	write_max = 0;
	no_copy_range = false;
	return spooled_setup(state);
}

static void check_message(const char *data, size_t len, size_t step)
{
	struct spool_message *m = spooled_make(data, len, step);
	size_t got, head;
	uint64_t full;
	const char *octets = spool_message_data(m, &got);

	assert_int_equal(scratch_count(spooled_dir), len > SPOOL_MEMORY ? 1 : 0);
	if (len <= SPOOL_MEMORY)
		assert_non_null(octets);
	if (octets) {
		assert_int_equal(got, len);
		assert_memory_equal(octets, data, len);
	}
	octets = spool_message_headers(m, &head, &full); /* there is no end */
	assert_int_equal(full, len);
	assert_int_equal(head, len < SPOOL_HEADERS ? len : SPOOL_HEADERS);
	assert_memory_equal(octets, data, head);
	spooled_check_copy(m, data, len);
	spooled_check_file(m, data, len);
	spooled_check_copy(m, data, len);
	assert_int_equal(scratch_count(spooled_dir), 1);
	spool_message_free(&m);
	assert_null(m);
	assert_int_equal(scratch_count(spooled_dir), 0);
}

static void content_is_exact(void **state)
{
	static const size_t sizes[] = {
		0,
		1,
		2048,
		SPOOL_MEMORY - 1,
		SPOOL_MEMORY,
		SPOOL_MEMORY + 1,
		SPOOL_HEADERS - 1,
		SPOOL_HEADERS,
		SPOOL_HEADERS + 1,
		SPOOLED_PATTERN,
	};
	static const size_t steps[] = {
		1, 78, 4096, SPOOL_MEMORY - 1, SPOOL_MEMORY, SPOOL_MEMORY + 1, SPOOLED_PATTERN};

	(void)state;
	umask(077); /* the mode of the file does not depend on it */
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
			check_message(spooled_pattern, sizes[i], steps[k]);
}

static void short_and_interrupted_writes(void **state)
{
	(void)state;
	write_max = 1000;
	check_message(spooled_pattern, 2048, 78);
	check_message(spooled_pattern, SPOOLED_PATTERN, 4096);
	write_max = 1;
	check_message(spooled_pattern, 2048, 78);
}

static void copy_without_kernel_help(void **state)
{
	(void)state;
	no_copy_range = true;
	check_message(spooled_pattern, SPOOLED_PATTERN, 4096);
	write_max = 999;
	check_message(spooled_pattern, SPOOLED_PATTERN, 65536);
}

static void copy_to_a_pipe(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 300000, 300000);
	char *copy = malloc(300000);
	size_t got = 0;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 300000);
	assert_true(spool_message_copy(m, ends[1]));
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], copy + got, 300000 - got)) > 0;)
		got += (size_t)n;
	assert_int_equal(got, 300000);
	assert_memory_equal(copy, spooled_pattern, 300000);
	close(ends[0]);
	free(copy);
	spool_message_free(&m);
}

/* A file that lost octets behind our back is an error, not a shorter message. */
static void copy_of_a_cut_file(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 300000, 300000);
	int fd = memfd_create("copy", 0);

	(void)state;
	assert_non_null(spool_message_file(m));
	assert_int_equal(truncate(scratch_path(spooled_dir, spooled_file()), 200000), 0);
	/* 300000 octets without the header's end are more than is kept. */
	assert_false(spool_message_copy(m, fd));
	assert_int_equal(errno, EIO);
	close(fd);
	spool_message_free(&m);
}

static void append_after_the_file_was_asked_for(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, 1000, 100);

	(void)state;
	spooled_check_file(m, spooled_pattern, 1000);
	assert_true(spool_message_append(m, spooled_pattern + 1000, 500));
	spooled_check_copy(m, spooled_pattern, 1500);
	spooled_check_file(m, spooled_pattern, 1500);
	assert_true(spool_message_append(m, spooled_pattern + 1500, 200000));
	spooled_check_copy(m, spooled_pattern, 201500);
	spooled_check_file(m, spooled_pattern, 201500);
	spool_message_free(&m);
}

static void memory_is_bounded(void **state)
{
	static const char header[] = "Subject: large\r\n\r\n";
	struct spool_message *m = spool_message_new(&spooled_spool, SPOOLED_ID);

	(void)state;
	largest_block = blocks = 0;
	for (int i = 0; i < 2048; i += 64)
		spool_message_append(m, spooled_pattern, 64);
	assert_true(largest_block <= 4096);
	assert_true(blocks <= 4); /* no call for each piece */
	spool_message_free(&m);

	m = spool_message_new(&spooled_spool, SPOOLED_ID);
	largest_block = write_calls = 0;
	assert_true(spool_message_append(m, header, strlen(header)));
	for (int i = 0; i < 50 * 1024; i++)
		assert_true(spool_message_append(m, spooled_pattern, 1024));
	assert_true(largest_block <= SPOOL_MEMORY);
	assert_true(write_calls <= 50 * 16 + 2);
	assert_int_equal(spool_message_size(m), 50 * 1024 * 1024 + strlen(header));
	spool_message_free(&m);

	m = spool_message_new(&spooled_spool, SPOOLED_ID);
	largest_block = 0;
	for (int i = 0; i < 300; i++)
		assert_true(spool_message_append(m, spooled_pattern, 3000));
	assert_true(largest_block <= SPOOL_HEADERS);
	spool_message_free(&m);
}

static void check_headers(struct spool_message *m, const char *data, size_t expect)
{
	size_t len;
	uint64_t full;
	const char *head = spool_message_headers(m, &len, &full);

	assert_int_equal(full, expect);
	assert_int_equal(len, expect < SPOOL_HEADERS ? expect : SPOOL_HEADERS);
	assert_memory_equal(head, data, len);
	spool_message_free(&m);
}

static void header_ends(void **state)
{
	static const struct {
		const char *content;
		size_t len;
	} rows[] = {
		{"", 0},
		{"\r\n", 2},
		{"\r\nbody\r\n\r\n", 2},
		{"\r\n\r\nbody", 2},
		{"A: b\r\n\r\n", 8},
		{"A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore", 14},
		{"A: b", 4},
		{"A: b\r\n", 6},
		{"A: b\r\n\r", 7},
		{"A: b\r\n\rC: d\r\n\r\nx", 15},
		{"A: b\r\r\n\r\nx", 9},
		{"A\r\n\r\r\n\r\nx", 8},
		{"A\r\n\n\r\n\r\nx", 8},
		{"A: b\n\nx", 7},
		{"\n\r\nx\r\n\r\ny", 8},
		{"\r\r\nx", 4},
		{"\n\nx", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *content = rows[i].content;
		size_t size = strlen(content);

		check_headers(spooled_make(content, size, 1), content, rows[i].len);
		for (size_t cut = 0; cut <= size; cut++) {
			struct spool_message *m = spooled_make(content, cut, size + 1);

			assert_true(spool_message_append(m, content + cut, size - cut));
			check_headers(m, content, rows[i].len);
		}
	}
}

static void large_headers(void **state)
{
	static const size_t ends[] = {
		SPOOL_MEMORY - 1, SPOOL_MEMORY,	     SPOOL_MEMORY + 1,	SPOOL_HEADERS - 1,
		SPOOL_HEADERS,	  SPOOL_HEADERS + 1, SPOOL_HEADERS + 3, 300000,
	};
	static const size_t steps[] = {1, 4095, 70000, SPOOLED_PATTERN};
	char *content = malloc(SPOOLED_PATTERN);

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		memcpy(content, spooled_pattern, SPOOLED_PATTERN);
		memcpy(content + ends[i] - 4, "\r\n\r\n", 4);
		for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
			struct spool_message *m = spooled_make(content, SPOOLED_PATTERN, steps[k]);

			spooled_check_copy(m, content, SPOOLED_PATTERN);
			check_headers(m, content, ends[i]);
		}
	}
	free(content);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, spooled_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(content_is_exact),
		TEST(short_and_interrupted_writes),
		TEST(copy_without_kernel_help),
		TEST(copy_to_a_pipe),
		TEST(copy_of_a_cut_file),
		TEST(append_after_the_file_was_asked_for),
		TEST(memory_is_bounded),
		TEST(header_ends),
		TEST(large_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
