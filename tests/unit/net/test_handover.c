#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/handover.h"

static char text[HANDOVER_TEXT_MAX + 1];
static int fd;
static bool gone;

static void test_texts_and_descriptors(void **state)
{
	int ends[2], pair[2];
	char octet;

	(void)state;
	assert_true(handover_open(ends));
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_false(handover_receive(ends[1], text, &fd, &gone));
	assert_false(gone);
	assert_true(handover_send(ends[0], "retire", -1));
	assert_true(handover_send(ends[0], "log", pair[1]));
	close(pair[1]); /* a copy is on its way */
	assert_true(handover_receive(ends[1], text, &fd, &gone));
	assert_string_equal(text, "retire");
	assert_int_equal(fd, -1);
	assert_true(handover_receive(ends[1], text, &fd, &gone));
	assert_string_equal(text, "log");
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pair[0], &octet, 1), 1);
	close(fd);
	assert_int_equal(read(pair[0], &octet, 1), 0);
	close(pair[0]);
	close(ends[0]);
	assert_false(handover_receive(ends[1], text, &fd, &gone));
	assert_true(gone);
	close(ends[1]);
}

static void test_bounds(void **state)
{
	char longer[HANDOVER_TEXT_MAX + 100];
	int ends[2], sent = 0;

	(void)state;
	assert_true(handover_open(ends));
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_true(handover_send(ends[0], longer, -1));
	assert_true(handover_receive(ends[1], text, &fd, &gone));
	assert_int_equal(strlen(text), HANDOVER_TEXT_MAX);
	/* A child that does not read: the master is not held up. */
	while (handover_send(ends[0], longer, -1))
		assert_true(++sent < 100000);
	close(ends[1]);
	assert_false(handover_send(ends[0], "x", -1)); /* and no SIGPIPE */
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_and_descriptors),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
