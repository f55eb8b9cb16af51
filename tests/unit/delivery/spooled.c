#include "spooled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

char *spooled_dir;
struct spool spooled_spool;
char spooled_pattern[SPOOLED_PATTERN];

int spooled_setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < SPOOLED_PATTERN; i++)
		spooled_pattern[i] = (char)(unsigned char)(i + i / 256 * 7);
	spooled_dir = scratch_new();
	spooled_spool = (struct spool){.dir = spooled_dir};
	return 0;
}

int spooled_teardown(void **state)
{
	(void)state;
	scratch_limit_files(0);
	scratch_remove(spooled_dir);
	return 0;
}

const char *spooled_file(void)
{
	static char name[64];

	snprintf(name, sizeof name, "%ld-" SPOOLED_ID ".eml", (long)getpid());
	return name;
}

struct spool_message *spooled_make(const char *data, size_t len, size_t step)
{
	struct spool_message *m = spool_message_new(&spooled_spool, SPOOLED_ID);

	for (size_t i = 0; i < len; i += step)
		assert_true(spool_message_append(m, data + i, step < len - i ? step : len - i));
	assert_int_equal(spool_message_size(m), len);
	return m;
}

/* In pieces that fit no boundary. */
static void check_read(const struct spool_message *m, const char *data, size_t len)
{
	char piece[7919];
	uint64_t at = 0;
	ssize_t n;

	while ((n = spool_message_read(m, at, piece, sizeof piece)) > 0) {
		assert_true(at + (uint64_t)n <= len);
		assert_memory_equal(piece, data + at, (size_t)n);
		at += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, len);
	assert_int_equal(spool_message_read(m, len + 1, piece, sizeof piece), 0);
}

void spooled_check_copy(const struct spool_message *m, const char *data, size_t len)
{
	int fd = memfd_create("copy", 0);
	char *copy = malloc(len + 1);

	assert_true(fd >= 0);
	assert_true(spool_message_copy(m, fd));
	assert_int_equal(lseek(fd, 0, SEEK_END), len);
	assert_int_equal(pread(fd, copy, len + 1, 0), len);
	assert_memory_equal(copy, data, len);
	check_read(m, data, len);
	free(copy);
	close(fd);
}

void spooled_check_file(struct spool_message *m, const char *data, size_t len)
{
	const char *name = spool_message_file(m);
	struct stat status;
	size_t got;
	char *content;

	assert_non_null(name);
	content = scratch_read(scratch_path(spooled_dir, name), &got);
	assert_int_equal(got, len);
	assert_memory_equal(content, data, len);
	free(content);
	assert_int_equal(stat(scratch_path(spooled_dir, name), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
}
