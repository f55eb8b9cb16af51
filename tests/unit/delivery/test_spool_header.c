/* A new header in the place of the one that was received. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "spooled.h"

#define OLD   "A: 1\r\nB: 2\r\n\r\n"
#define NEW   "X: a new one, and longer\r\nB: 2\r\n\r\n"
#define SHORT "\r\n"

/* `header`, then spooled_pattern up to `body` octets; free with free(). */
static char *join(const char *header, size_t header_len, size_t body, size_t *len)
{
	char *data = malloc(header_len + body + 1);

	memcpy(data, header, header_len);
	memcpy(data + header_len, spooled_pattern, body);
	*len = header_len + body;
	return data;
}

static struct spool_message *make(const char *header, size_t body)
{
	size_t len;
	char *data = join(header, strlen(header), body, &len);
	struct spool_message *m = spooled_make(data, len, 4096);

	free(data);
	return m;
}

static void check_open(struct spool_message *m, const char *data, size_t len)
{
	int fd = spool_message_open(m);
	char *got = malloc(len + 1);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, data, len);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	free(got);
}

/* Everything that tells of the message tells of this one. With `file`, of its file too. */
static void check_len(struct spool_message *m, const char *header, size_t header_len, size_t body,
		      bool file)
{
	size_t len, got;
	char *data = join(header, header_len, body, &len);
	uint64_t full;
	const char *octets = spool_message_headers(m, &got, &full);

	assert_int_equal(full, header_len);
	assert_int_equal(got, header_len);
	assert_memory_equal(octets, header, got);
	assert_int_equal(spool_message_size(m), len);
	octets = spool_message_data(m, &got);
	if (octets) {
		assert_int_equal(got, len);
		assert_memory_equal(octets, data, len);
	}
	spooled_check_copy(m, data, len);
	if (file) {
		spooled_check_file(m, data, len);
		check_open(m, data, len);
		spooled_check_copy(m, data, len);
	}
	free(data);
}

static void check(struct spool_message *m, const char *header, size_t body, bool file)
{
	check_len(m, header, strlen(header), body, file);
}

static void set(struct spool_message *m, const char *header)
{
	assert_true(spool_message_set_header(m, header, strlen(header)));
}

static const size_t bodies[] = {0,
				1,
				2000,
				SPOOL_MEMORY - 14,
				65000,
				SPOOL_MEMORY,
				SPOOL_MEMORY + 1,
				SPOOL_HEADERS,
				300000,
				SPOOLED_PATTERN};
#define BODIES (sizeof bodies / sizeof bodies[0])

/* In memory or not; with files asked for at every moment, at some, at none. */
static void every_size_every_moment(void **state)
{
	(void)state;
	for (size_t i = 0; i < BODIES; i++) {
		for (unsigned asked = 0; asked < 16; asked++) {
			struct spool_message *m = make(OLD, bodies[i]);

			check(m, OLD, bodies[i], asked & 1);
			set(m, NEW);
			check(m, NEW, bodies[i], asked & 2);
			set(m, SHORT);
			check(m, SHORT, bodies[i], asked & 4);
			set(m, OLD NEW);
			check(m, OLD NEW, bodies[i], asked & 8);
			assert_in_range(scratch_count(spooled_dir), 0, 1);
			spool_message_free(&m);
			assert_int_equal(scratch_count(spooled_dir), 0);
		}
	}
}

static void small_stays_in_memory(void **state)
{
	struct spool_message *m = make(OLD, 2000);
	size_t len;

	(void)state;
	set(m, NEW);
	assert_non_null(spool_message_data(m, &len));
	assert_int_equal(scratch_count(spooled_dir), 0);
	assert_non_null(spool_message_file(m));
	set(m, OLD);
	assert_non_null(spool_message_data(m, &len));
	spool_message_free(&m);
}

static void header_of_no_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < BODIES; i++) {
		struct spool_message *m = make(OLD, bodies[i]);

		assert_true(spool_message_set_header(m, "", 0));
		check(m, "", bodies[i], false);
		check(m, "", bodies[i], true);
		set(m, NEW);
		check(m, NEW, bodies[i], true);
		spool_message_free(&m);
	}
}

/* A message without an empty line is all header. */
static void message_without_an_empty_line(void **state)
{
	struct spool_message *m = spooled_make("A: 1\r\nB: 2", 10, 1);

	(void)state;
	set(m, "A: 1\r\n");
	check(m, "A: 1\r\n", 0, true);
	spool_message_free(&m);
	m = spooled_make(spooled_pattern, SPOOL_HEADERS, 4096);
	set(m, NEW);
	check(m, NEW, 0, true);
	spool_message_free(&m);
}

/* The header that is set may be the one that was told. */
static void header_from_the_message_itself(void **state)
{
	struct spool_message *m = make(OLD, 2000);
	uint64_t full;
	size_t len;
	const char *header = spool_message_headers(m, &len, &full);

	(void)state;
	assert_true(spool_message_set_header(m, header + 6, len - 6));
	check(m, "B: 2\r\n\r\n", 2000, true);
	spool_message_free(&m);
}

static void is_too_big(struct spool_message *m, const char *header, size_t len)
{
	errno = 0;
	assert_false(spool_message_set_header(m, header, len));
	assert_int_equal(errno, EFBIG);
}

static void headers_of_the_greatest_length(void **state)
{
	static const size_t sizes[] = {10, 300000};
	static char header[SPOOL_HEADERS + 1];

	(void)state;
	memset(header, 'h', sizeof header);
	for (size_t i = 0; i < 2; i++) {
		struct spool_message *m = make(OLD, sizes[i]);

		is_too_big(m, header, SPOOL_HEADERS + 1);
		check(m, OLD, sizes[i], false);
		assert_true(spool_message_set_header(m, header, SPOOL_HEADERS));
		check_len(m, header, SPOOL_HEADERS, sizes[i], i);
		check_len(m, header, SPOOL_HEADERS, sizes[i], true);
		set(m, NEW);
		check(m, NEW, sizes[i], true);
		spool_message_free(&m);
	}
}

static void longer_than_is_kept(void **state)
{
	struct spool_message *m = spooled_make(spooled_pattern, SPOOL_HEADERS + 1, 4096);

	(void)state;
	is_too_big(m, NEW, strlen(NEW));
	spooled_check_file(m, spooled_pattern, SPOOL_HEADERS + 1);
	spool_message_free(&m);
}

/* A service that was given the first file reads it to its end. */
static void given_out_file_does_not_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < BODIES; i++) {
		struct spool_message *m = make(OLD, bodies[i]);
		char *name = strdup(spool_message_file(m)), *got, *data;
		int fd = spool_message_open(m);
		size_t len, got_len;

		set(m, NEW);
		data = join(OLD, strlen(OLD), bodies[i], &len);
		/* By its name until the next is made, and then for who has it open. */
		got = scratch_read(scratch_path(spooled_dir, name), &got_len);
		assert_int_equal(got_len, len);
		assert_memory_equal(got, data, len);
		assert_string_not_equal(spool_message_file(m), name);
		assert_int_equal(pread(fd, got, len + 1, 0), len);
		assert_memory_equal(got, data, len);
		assert_int_equal(scratch_count(spooled_dir), 1);
		check(m, NEW, bodies[i], true);
		close(fd);
		free(got);
		free(data);
		free(name);
		spool_message_free(&m);
	}
}

/* Without room for the new file there is still the message, from the old one. */
static void new_file_that_fails(void **state)
{
	static const size_t sizes[] = {2000, 300000};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct spool_message *m = make(OLD, sizes[i]);

		assert_non_null(spool_message_file(m));
		set(m, NEW);
		scratch_limit_files(sizes[i]);
		assert_null(spool_message_file(m));
		assert_int_equal(errno, EFBIG);
		assert_int_equal(spool_message_open(m), -1);
		assert_int_equal(scratch_count(spooled_dir), 1);
		scratch_limit_files(0);
		check(m, NEW, sizes[i], false);
		check(m, NEW, sizes[i], true);
		spool_message_free(&m);
	}
}

static void broken_message_gets_no_header(void **state)
{
	struct spool_message *m = make(OLD, SPOOL_HEADERS + 1000);

	(void)state;
	scratch_limit_files(1);
	assert_false(spool_message_set_header(m, NEW, strlen(NEW))); /* the last piece */
	assert_int_equal(errno, EFBIG);
	scratch_limit_files(0);
	errno = 0;
	assert_false(spool_message_set_header(m, NEW, strlen(NEW)));
	assert_int_equal(errno, EFBIG);
	assert_null(spool_message_file(m));
	assert_int_equal(spool_message_open(m), -1);
	assert_int_equal(scratch_count(spooled_dir), 0);
	spool_message_free(&m);
}

static void descriptors_have_their_own_offset(void **state)
{
	struct spool_message *m = make(OLD, 300000);
	int first = spool_message_open(m), second = spool_message_open(m);
	char c;

	(void)state;
	assert_int_equal(lseek(first, 100, SEEK_SET), 100);
	assert_int_equal(read(second, &c, 1), 1);
	assert_int_equal(c, 'A');
	check(m, OLD, 300000, true);
	assert_int_equal(lseek(first, 0, SEEK_CUR), 100);
	assert_int_equal(write(first, "x", 1), -1);
	close(first);
	close(second);
	spool_message_free(&m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spooled_setup, spooled_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_size_every_moment),
		TEST(small_stays_in_memory),
		TEST(header_of_no_octets),
		TEST(message_without_an_empty_line),
		TEST(header_from_the_message_itself),
		TEST(headers_of_the_greatest_length),
		TEST(longer_than_is_kept),
		TEST(given_out_file_does_not_change),
		TEST(new_file_that_fails),
		TEST(broken_message_gets_no_header),
		TEST(descriptors_have_their_own_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
