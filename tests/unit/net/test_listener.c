#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../listening.h"
#include "expect.h"
#include "net/listener.h"
#include "net/reaper.h"

struct accepted {
	struct listener *listener;
	int fds[400];
	unsigned count, turns_max, this_turn;
	struct address peer, local;
	bool free_on_accept;
};

static char error[256];
static char folder[64];

static void on_accept(void *arg, int fd, const struct address *peer, const struct address *local)
{
	struct accepted *a = arg;

	a->fds[a->count++] = fd;
	if (++a->this_turn > a->turns_max)
		a->turns_max = a->this_turn;
	a->peer = *peer;
	a->local = *local;
	if (a->free_on_accept)
		listener_free(&a->listener);
}

static void close_all(struct accepted *a)
{
	while (a->count)
		close(a->fds[--a->count]);
}

static int bind_to(const char *text, bool reuse_port)
{
	struct address address;

	error[0] = '\0';
	assert_true(address_parse(text, &address));
	return listener_bind(&address, reuse_port, error, sizeof error);
}

static void check_accepted(int fd)
{
	int on = 0;
	socklen_t length = sizeof on;

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
	assert_true(on);
}

static void accept_one(const char *text, const char *ip)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {0};
	struct address address, client;
	char got[ADDRESS_IP_SIZE];
	int fd = bind_to(text, false), client_fd;

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	client_fd = listening_dial(&address);
	listening_address(client_fd, &client);
	RUN_UNTIL(loop, a.count == 1);
	check_accepted(a.fds[0]);
	address_ip(&a.peer, got);
	assert_string_equal(got, ip);
	assert_int_equal(address_port(&a.peer), address_port(&client));
	address_ip(&a.local, got);
	assert_string_equal(got, ip);
	assert_int_equal(address_port(&a.local), address_port(&address));
	listener_free(&a.listener);
	assert_null(a.listener);
	listener_free(&a.listener);
	reaper_run(loop);
	close(client_fd);
	close_all(&a);
	ev_loop_destroy(loop);
}

/* Some containers have none. */
static bool have_ip6(void)
{
	struct address address;
	int fd;

	assert_true(address_parse("[::1]:0", &address));
	fd = listener_bind(&address, false, error, sizeof error);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_accept(void **state)
{
	(void)state;
	accept_one("127.0.0.1:0", "127.0.0.1");
	if (have_ip6())
		accept_one("[::1]:0", "::1");
}

static void test_port_in_use(void **state)
{
	struct address address;
	char text[64], expected[192];
	int first, second;

	(void)state;
	first = bind_to("127.0.0.1:0", false);
	listening_address(first, &address);
	snprintf(text, sizeof text, "127.0.0.1:%u", address_port(&address));
	snprintf(expected, sizeof expected,
		 "cannot listen on %s: Address already in use; stop what listens there (ss -ltnp "
		 "names it) or take another address",
		 text);
	second = bind_to(text, false);
	assert_int_equal(second, -1);
	assert_string_equal(error, expected);
	close(first);
	/* With reuse_port there may be several. */
	first = bind_to(text, true);
	second = bind_to(text, true);
	assert_true(first >= 0 && second >= 0);
	close(first);
	close(second);
	assert_int_equal(bind_to("[2001:db8::1]:25", false), -1);
	assert_non_null(strstr(error, "[2001:db8::1]:25"));
}

/* 0.0.0.0 and [::] are two listeners that may have one port. */
static void test_both_families(void **state)
{
	struct address address;
	char text[64];
	int four, six;

	(void)state;
	if (!have_ip6())
		skip();
	four = bind_to("0.0.0.0:0", false);
	listening_address(four, &address);
	snprintf(text, sizeof text, "[::]:%u", address_port(&address));
	six = bind_to(text, false);
	assert_true(six >= 0);
	close(four);
	close(six);
}

static void test_free_inside_accept(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {.free_on_accept = true};
	struct address address;
	int fd = bind_to("127.0.0.1:0", false), clients[3];

	(void)state;
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	for (int i = 0; i < 3; i++)
		clients[i] = listening_dial(&address);
	RUN_UNTIL(loop, a.count == 1);
	expect_turns(loop, 0.01);
	assert_int_equal(a.count, 1);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close_all(&a);
	ev_loop_destroy(loop);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)revents;
	((struct accepted *)w->data)->this_turn = 0;
}

static void test_burst_is_taken_in_pieces(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {0};
	struct address address;
	ev_prepare turn;
	int fd = bind_to("127.0.0.1:0", false), clients[200];

	(void)state;
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	ev_prepare_init(&turn, on_turn);
	turn.data = &a;
	ev_prepare_start(loop, &turn);
	for (int i = 0; i < 200; i++)
		clients[i] = listening_dial(&address);
	RUN_UNTIL(loop, a.count == 200);
	assert_true(a.turns_max <= 64);
	ev_prepare_stop(loop, &turn);
	listener_free(&a.listener);
	for (int i = 0; i < 200; i++)
		close(clients[i]);
	close_all(&a);
	reaper_run(loop);
	ev_loop_destroy(loop);
}

static void test_out_of_descriptors(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {0};
	struct address address;
	struct rlimit old, few;
	int fd = bind_to("127.0.0.1:0", false), client, next;

	(void)state;
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	client = listening_dial(&address);
	next = dup(client); /* the lowest free number: from here on, none */
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(expect_turns(loop, 0.2) < 5); /* no spinning */
	assert_int_equal(a.count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	RUN_UNTIL(loop, a.count == 1);
	listener_free(&a.listener);
	close(client);
	close_all(&a);
	reaper_run(loop);
	ev_loop_destroy(loop);
}

static void test_unix(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct accepted a = {0};
	struct address address;
	struct stat file;
	char text[96], got[ADDRESS_IP_SIZE];
	int fd, client;
	mode_t old = umask(077);

	(void)state;
	snprintf(text, sizeof text, "unix:%s/socket", folder);
	fd = bind_to(text, false);
	umask(old);
	assert_true(fd >= 0);
	assert_int_equal(stat(text + 5, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0660);
	listening_address(fd, &address);
	a.listener = listener_new(loop, fd, on_accept, &a);
	client = listening_dial(&address);
	RUN_UNTIL(loop, a.count == 1);
	address_ip(&a.peer, got);
	assert_string_equal(got, "");
	assert_int_equal(address_port(&a.peer), 0);

	/* In use: not replaced. */
	assert_int_equal(bind_to(text, false), -1);
	assert_non_null(strstr(error, text));
	assert_non_null(strstr(error, "another process is listening there"));

	/* Left by a process that is gone: replaced. */
	listener_free(&a.listener);
	assert_int_equal(stat(text + 5, &file), 0);
	fd = bind_to(text, false);
	assert_true(fd >= 0);
	close(fd);
	close(client);
	close_all(&a);
	reaper_run(loop);
	ev_loop_destroy(loop);
	unlink(text + 5);
}

static void test_unix_obstacles(void **state)
{
	char text[96];
	int fd;

	(void)state;
	snprintf(text, sizeof text, "unix:%s/file", folder);
	fd = open(text + 5, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(bind_to(text, false), -1);
	assert_non_null(strstr(error, "no socket"));
	assert_int_equal(access(text + 5, F_OK), 0); /* not removed */
	unlink(text + 5);
	assert_int_equal(symlink("/nonexistent", text + 5), 0);
	assert_int_equal(bind_to(text, false), -1);
	assert_non_null(strstr(error, "no socket"));
	unlink(text + 5);
	snprintf(text, sizeof text, "unix:%s/none/socket", folder);
	assert_int_equal(bind_to(text, false), -1);
	assert_non_null(strstr(error, "No such file"));
}

/* A socket whose backlog is full answers too. */
static void test_unix_busy(void **state)
{
	struct address address;
	char text[96];
	int busy, clients[3];

	(void)state;
	snprintf(text, sizeof text, "unix:%s/busy", folder);
	assert_true(address_parse(text, &address));
	busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(busy, (struct sockaddr *)&address.storage, address.len), 0);
	assert_int_equal(listen(busy, 0), 0);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(clients[i], (struct sockaddr *)&address.storage, address.len))
			assert_true(i > 0);
	}
	assert_int_equal(bind_to(text, false), -1);
	assert_non_null(strstr(error, "another process is listening there"));
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(busy);
	unlink(text + 5);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/gatepost-listener-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_free_inside_accept),
		cmocka_unit_test(test_burst_is_taken_in_pieces),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_unix_obstacles),
		cmocka_unit_test(test_unix_busy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
