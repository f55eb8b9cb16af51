/* control.sock as its clients see it. */
#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../listening.h"
#include "../loop_turn.h"
#include "events/event_hub.h"
#include "monitor/control.h"
#include "monitor/monitor.h"
#include "net/reaper.h"
#include "protocol/jsonl.h"

static const struct handshake_gateway gateway = {
	.name = "mx.test", .epoch = "01TESTEPOCH000000000", .software = "gatepost/test"};

struct stage {
	struct ev_loop *loop;
	char dir[40], path[3][80];
	struct monitor monitor;
	struct control *control;
};

struct client {
	int fd;
	struct jsonl in;
	bool ended;
};

static int open_stage(void **state)
{
	struct stage *s = calloc(1, sizeof *s);
	static const char *const names[] = {"hub", "events", "control"};
	int fds[3];

	s->loop = ev_loop_new(0);
	snprintf(s->dir, sizeof s->dir, "/tmp/gatepost-control-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	for (int i = 0; i < 3; i++) {
		snprintf(s->path[i], sizeof s->path[i], "%s/%s", s->dir, names[i]);
		fds[i] = listening_on_path(s->path[i]);
	}
	s->monitor.counters = counters_new();
	s->monitor.events = event_hub_new(s->loop, fds[0], fds[1], 65536, 4, &gateway);
	monitor_start(&s->monitor, s->loop);
	s->control = control_new(s->loop, fds[2], &s->monitor, &gateway);
	*state = s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	control_free(&s->control);
	assert_null(s->control);
	control_free(&s->control);
	monitor_stop(&s->monitor);
	event_hub_free(&s->monitor.events);
	reaper_run(s->loop);
	ev_loop_destroy(s->loop);
	for (int i = 0; i < 3; i++)
		unlink(s->path[i]);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

static void client_open(struct stage *s, struct client *c)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	*c = (struct client){0};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", s->path[2]);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&name, sizeof name), 0);
	jsonl_init(&c->in, JSONL_LINE_MAX);
}

static void client_close(struct client *c)
{
	close(c->fd);
	jsonl_fini(&c->in);
}

/* Until all of it is with the kernel, or the gateway has closed. */
static void client_send(struct stage *s, struct client *c, const char *data, size_t len)
{
	double limit = ev_time() + 20;

	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(ev_time() < limit);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return;
		}
		loop_turn(s->loop, 0.001);
	}
}

/* The next line; NULL at the end. */
static const char *client_take(struct stage *s, struct client *c)
{
	double limit = ev_time() + 20;
	char piece[65536], *line;
	size_t len;

	while (!jsonl_next(&c->in, &line, &len)) {
		ssize_t n;

		assert_true(ev_time() < limit);
		if (c->ended)
			return NULL;
		loop_turn(s->loop, 0.001);
		n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
		if (n > 0)
			assert_true(jsonl_feed(&c->in, piece, (size_t)n));
		else if (n == 0 || errno != EAGAIN)
			c->ended = true;
	}
	return line;
}

static void ask(struct stage *s, struct client *c)
{
	static const char question[] = "{\"type\":\"status\"}\n";

	client_send(s, c, question, sizeof question - 1);
}

static void expect_status(struct stage *s, struct client *c)
{
	static const char begin[] = "{\"type\":\"status\",\"gateway\":{\"name\":\"mx.test\",";
	const char *line = client_take(s, c);

	assert_non_null(line);
	assert_memory_equal(line, begin, sizeof begin - 1);
}

/* An error with this code, then the end. */
static void expect_error(struct stage *s, struct client *c, const char *code)
{
	const char *line = client_take(s, c);
	char expected[80];

	snprintf(expected, sizeof expected, "{\"type\":\"error\",\"fatal\":true,\"code\":\"%s\",",
		 code);
	assert_non_null(line);
	assert_memory_equal(line, expected, strlen(expected));
	assert_null(client_take(s, c));
}

static void test_ask(void **state)
{
	struct stage *s = *state;
	struct client c;

	client_open(s, &c);
	ask(s, &c);
	expect_status(s, &c);
	ask(s, &c);
	ask(s, &c); /* and before the answer is there */
	expect_status(s, &c);
	expect_status(s, &c);
	client_close(&c);
}

static void test_garbage(void **state)
{
	static const struct {
		const char *line, *code;
	} cases[] = {{"x\n", "bad_json"},
		     {"[]\n", "bad_json"},
		     {"{}\n", "bad_message"},
		     {"{\"type\":7}\n", "bad_message"},
		     {"{\"type\":\"stop\"}\n", "bad_message"},
		     {"{\"type\":\"status\",\"must\":[\"x\"]}\n", "bad_message"},
		     {"{\"type\":\"status\",\"type\":\"status\"}\n", "bad_json"}};
	struct stage *s = *state;
	struct client c;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		client_open(s, &c);
		client_send(s, &c, cases[i].line, strlen(cases[i].line));
		expect_error(s, &c, cases[i].code);
		client_close(&c);
	}
}

static void test_long_line(void **state)
{
	size_t len = JSONL_LINE_MAX + 2;
	struct stage *s = *state;
	char *line = malloc(len);
	struct client c;

	memset(line, 'x', len);
	client_open(s, &c);
	client_send(s, &c, line, len);
	expect_error(s, &c, "line_too_long");
	client_close(&c);
	free(line);
}

/* Who only asks is closed once as much waits as may; the others do not notice. */
static void test_does_not_read(void **state)
{
	static const char question[] = "{\"type\":\"status\"}\n";
	struct stage *s = *state;
	struct client deaf, other;
	double limit = ev_time() + 60;
	const char *line;

	client_open(s, &deaf);
	client_open(s, &other);
	while (send(deaf.fd, question, sizeof question - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
	       errno == EAGAIN) {
		assert_true(ev_time() < limit);
		loop_turn(s->loop, 0.001);
	}
	ask(s, &other);
	expect_status(s, &other);
	/* What the kernel took are whole answers and, in the end, a piece of one. */
	for (line = client_take(s, &deaf); line; line = client_take(s, &deaf))
		assert_memory_equal(line, "{\"type\":\"status\"", 16);
	client_close(&deaf);
	client_close(&other);
}

static void test_too_many(void **state)
{
	struct stage *s = *state;
	struct client clients[CONTROL_CLIENTS_MAX], more;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		client_open(s, &clients[i]);
		ask(s, &clients[i]);
		expect_status(s, &clients[i]);
	}
	client_open(s, &more);
	expect_error(s, &more, "too_many");
	client_close(&more);
	client_close(&clients[0]);
	/* The place of one that has gone is free again, as soon as the hub has seen it go. */
	for (double limit = ev_time() + 20;; client_close(&more)) {
		const char *line;

		assert_true(ev_time() < limit);
		client_open(s, &more);
		ask(s, &more);
		line = client_take(s, &more);
		if (line && strncmp(line, "{\"type\":\"status\"", 16) == 0)
			break;
	}
	client_close(&more);
	for (size_t i = 1; i < CONTROL_CLIENTS_MAX; i++)
		client_close(&clients[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, open_stage, close_stage)
	const struct CMUnitTest tests[] = {TEST(ask), TEST(garbage), TEST(long_line),
					   TEST(does_not_read), TEST(too_many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
