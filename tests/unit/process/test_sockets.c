/* The listening sockets of one configuration and the next. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/address.h"
#include "process/sockets.h"

#include "config/config.h"

static const struct sockets none;
static char unix_address[64], error[256];

static struct config configure(unsigned workers, const char *const *addresses, size_t n,
			       struct config_listener *listeners)
{
	for (size_t i = 0; i < n; i++)
		listeners[i] = (struct config_listener){.address = (char *)(uintptr_t)addresses[i]};
	return (struct config){.workers = workers, .listeners = listeners, .listeners_len = n};
}

static bool open_sockets(struct sockets *s, const struct sockets *old, unsigned workers,
			 const char *const *addresses, size_t n)
{
	struct config_listener listeners[4];
	struct config config = configure(workers, addresses, n, listeners);

	error[0] = '\0';
	return sockets_open(s, &config, old, error, sizeof error);
}

static void take_over(struct sockets *s, unsigned workers, const char *const *addresses, size_t n)
{
	struct sockets next;

	assert_true(open_sockets(&next, s, workers, addresses, n));
	sockets_replace(s, &next);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void address_of(int fd, char text[64])
{
	struct address address = {.len = sizeof address.storage};
	char ip[ADDRESS_IP_SIZE];

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), 0);
	address_ip(&address, ip);
	snprintf(text, 64, "%s:%u", ip, address_port(&address));
}

static void test_what_stays_is_the_same_socket(void **state)
{
	const char *both[] = {"127.0.0.1:0", unix_address}, *one[] = {"127.0.0.1:0"};
	struct sockets s;
	char address[64], other[64];
	int first, local;

	(void)state;
	assert_true(open_sockets(&s, &none, 2, both, 2));
	assert_int_equal(s.sets[0].n, 2);
	assert_int_equal(s.sets[1].n, 1);
	first = s.sets[0].fds[0];
	local = s.sets[1].fds[0];
	/* The others are at the address that the system chose for the first. */
	address_of(first, address);
	address_of(s.sets[0].fds[1], other);
	assert_string_equal(address, other);

	take_over(&s, 3, both, 2);
	assert_int_equal(s.sets[0].n, 3);
	assert_int_equal(s.sets[0].fds[0], first);
	assert_int_equal(s.sets[1].fds[0], local);
	/* Fewer workers: the sockets stay, for their queues. */
	take_over(&s, 1, both, 2);
	assert_int_equal(s.sets[0].n, 3);

	take_over(&s, 1, one, 1);
	assert_true(is_open(first));
	assert_false(is_open(local));
	assert_int_not_equal(access(unix_address + 5, F_OK), 0);
	sockets_free(&s);
	assert_false(is_open(first));
}

static void test_one_more_worker_than_one(void **state)
{
	const char *one[] = {"127.0.0.1:0"};
	struct sockets s;
	char address[64];
	const char *again[] = {address};
	struct sockets stranger;

	(void)state;
	assert_true(open_sockets(&s, &none, 1, one, 1));
	address_of(s.sets[0].fds[0], address);
	take_over(&s, 2, one, 1);
	assert_int_equal(s.sets[0].n, 2);
	/* Somebody else's sockets at the address are a fault, though the port can be shared. */
	assert_false(open_sockets(&stranger, &none, 2, again, 1));
	assert_non_null(strstr(error, "Address already in use"));
	assert_null(stranger.sets);
	sockets_free(&s);
}

static void test_a_fault_changes_nothing(void **state)
{
	const char *one[] = {"127.0.0.1:0"}, *taken[] = {"127.0.0.1:0", unix_address, NULL};
	struct sockets s, other, next;
	char address[64];
	int fd;

	(void)state;
	assert_true(open_sockets(&other, &none, 1, one, 1));
	address_of(other.sets[0].fds[0], address);
	assert_true(open_sockets(&s, &none, 1, one, 1));
	fd = s.sets[0].fds[0];
	taken[2] = address;
	assert_false(open_sockets(&next, &s, 2, taken, 3));
	assert_non_null(strstr(error, address));
	assert_true(is_open(fd));
	assert_int_equal(s.sets[0].n, 1);
	assert_int_not_equal(access(unix_address + 5, F_OK), 0); /* was made, and is gone again */
	sockets_free(&s);
	sockets_free(&other);
}

static void test_each_is_some_workers(void **state)
{
	const char *both[] = {"127.0.0.1:0", unix_address};

	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		unsigned taken[3] = {0};

		for (unsigned worker = 0; worker < workers; worker++) {
			struct sockets s;

			assert_true(open_sockets(&s, &none, 3, both, 2));
			sockets_keep(&s, worker, workers);
			for (size_t k = 0; k < 3; k++)
				taken[k] += s.sets[0].fds[k] >= 0;
			assert_true(s.sets[1].fds[0] >= 0); /* all share it */
			sockets_unlink(&s);
			sockets_free(&s);
		}
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(taken[k], 1);
	}
}

static void test_equal_addresses_are_told_apart(void **state)
{
	const char *two[] = {"127.0.0.1:0", "127.0.0.1:0"};
	struct sockets s;
	char first[64], second[64], again[64];

	(void)state;
	assert_true(open_sockets(&s, &none, 1, two, 2));
	address_of(s.sets[0].fds[0], first);
	address_of(s.sets[1].fds[0], second);
	assert_string_not_equal(first, second);
	take_over(&s, 1, two, 2);
	address_of(s.sets[1].fds[0], again);
	assert_string_equal(second, again);
	sockets_free(&s);
}

static void test_the_same_address_written_otherwise(void **state)
{
	char address[64], otherwise[64];
	const char *one[] = {"[::1]:0"}, *other[] = {otherwise};
	struct sockets s;
	int fd;

	(void)state;
	if (!open_sockets(&s, &none, 1, one, 1))
		skip(); /* some containers have no IPv6 */
	address_of(s.sets[0].fds[0], address);
	sockets_free(&s);
	snprintf(otherwise, sizeof otherwise, "[::1]:%s", strrchr(address, ':') + 1);
	assert_true(open_sockets(&s, &none, 1, other, 1));
	fd = s.sets[0].fds[0];
	snprintf(otherwise, sizeof otherwise, "[0:0::1]:%s", strrchr(address, ':') + 1);
	take_over(&s, 1, other, 1);
	assert_int_equal(s.sets[0].fds[0], fd);
	sockets_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stays_is_the_same_socket),
		cmocka_unit_test(test_one_more_worker_than_one),
		cmocka_unit_test(test_a_fault_changes_nothing),
		cmocka_unit_test(test_each_is_some_workers),
		cmocka_unit_test(test_equal_addresses_are_told_apart),
		cmocka_unit_test(test_the_same_address_written_otherwise),
	};

	snprintf(unix_address, sizeof unix_address, "unix:/tmp/gatepost-sockets.%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
