/* Sockets that change hands: what is in a queue, several at one address, copies. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "../listening.h"
#include "expect.h"
#include "net/listener.h"
#include "net/reaper.h"

struct accepted {
	struct listener *listener;
	int fds[100];
	unsigned count;
};

static char error[256];

static void on_accept(void *arg, int fd, const struct address *peer, const struct address *local)
{
	struct accepted *a = arg;

	(void)peer, (void)local;
	a->fds[a->count++] = fd;
}

static void close_all(struct accepted *a)
{
	while (a->count)
		close(a->fds[--a->count]);
}

/* Who is in the queue was told that he is connected: he is accepted before the socket is closed. */
static void test_finish_empties_the_queue(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {0};
	struct address address;
	int fd = listening_on("127.0.0.1:0"), clients[100], late;

	(void)state;
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	for (int i = 0; i < 100; i++)
		clients[i] = listening_dial(&address);
	listener_finish(&a.listener);
	assert_null(a.listener);
	assert_int_equal(a.count, 100);
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, (const struct sockaddr *)&address.storage, address.len), -1);
	close(late);
	for (int i = 0; i < 100; i++)
		close(clients[i]);
	close_all(&a);
	listener_finish(&a.listener); /* nothing */
	reaper_run(loop);
	ev_loop_destroy(loop);
}

static void test_copy(void **state)
{
	int fd = listening_on("127.0.0.1:0"), copy, pair[2];

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0); /* as a service manager may have it */
	copy = listener_copy(fd, "fd:smtp", error, sizeof error);
	assert_true(copy >= 0 && copy != fd);
	assert_true(fcntl(copy, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	close(copy);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(listener_copy(pair[0], "fd:smtp", error, sizeof error), -1);
	assert_non_null(strstr(error, "fd:smtp: is no stream socket that listens"));
	close(pair[0]);
	close(pair[1]);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(listener_copy(fd, "fd:smtp", error, sizeof error), -1);
	close(fd);
}

/* Two sockets at the address of a first one that was bound alone share its clients. */
static void test_beside(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a[3] = {0};
	struct address address;
	int fds[3] = {listening_on("127.0.0.1:0")}, clients[60], stranger;

	(void)state;
	listening_address(fds[0], &address);
	for (int i = 1; i < 3; i++)
		fds[i] = listener_bind_beside(fds[0], error, sizeof error);
	for (int i = 0; i < 3; i++) {
		assert_true(fds[i] >= 0);
		a[i].listener = listener_new(loop, fds[i], on_accept, &a[i]);
	}
	for (int i = 0; i < 60; i++)
		clients[i] = listening_dial(&address);
	RUN_UNTIL(loop, a[0].count + a[1].count + a[2].count == 60);
	/* The kernel deals by the client's port: that one gets none of 60 is chance 3 in 10^10. */
	assert_true(a[0].count && a[1].count && a[2].count);
	stranger = listener_bind(&address, false, error, sizeof error);
	assert_int_equal(stranger, -1);
	for (int i = 0; i < 3; i++) {
		listener_free(&a[i].listener);
		close_all(&a[i]);
	}
	for (int i = 0; i < 60; i++)
		close(clients[i]);
	reaper_run(loop);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finish_empties_the_queue),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
