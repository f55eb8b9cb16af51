#include "gate.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MAIL                                                                                       \
	"{\"address\":\"a@b\",\"local\":\"a\",\"domain\":\"b\",\"params\":[],\"index\":1,"         \
	"\"accepted\":0}"
#define ASK(id)	   WIRE_ASK(id, "mail", MAIL, WIRE_CONTEXT)
#define ASK_FD(id) WIRE_ASK(id, "message", "{\"size\":4,\"body\":{\"mode\":\"fd\"}}", WIRE_CONTEXT)
#define TOLD_DISCONNECT                                                                            \
	"{\"type\":\"request\",\"hook\":\"disconnect\",\"session\":\"s\",\"args\":{\"reason\":"    \
	"\"quit\"},\"context\":{}}\n"

/* The service under test: what it was asked, and what it does. */
static struct service {
	struct gatepost_server *server;
	unsigned asked, told;
	struct gatepost_request *later[8]; /* put off */
	size_t later_len;
	bool puts_off, drains;
	char content[16], last_told[256];
} service;

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	struct service *s = arg;
	struct gatepost_error error;
	const char *content;
	size_t len;

	if (gatepost_request_hook(request) == GATEPOST_HOOK_DISCONNECT) {
		s->told++;
		return gatepost_later(); /* is ignored */
	}
	s->asked++;
	if (s->drains)
		gatepost_server_drain(s->server);
	content = gatepost_request_content(request, &len, &error);
	snprintf(s->content, sizeof s->content, "%s", content ? content : "");
	if (!s->puts_off)
		return gatepost_reject("No", 0, NULL);
	s->later[s->later_len++] = request;
	return gatepost_later();
}

static void hear(void *arg, const char *message)
{
	snprintf(((struct service *)arg)->last_told, sizeof service.last_told, "%s", message);
}

static const struct gatepost_policy_options options = {.service = "server",
						       .hooks = 1u << GATEPOST_HOOK_MAIL |
								1u << GATEPOST_HOOK_MESSAGE |
								1u << GATEPOST_HOOK_DISCONNECT,
						       .body = {GATEPOST_BODY_FD},
						       .body_len = 1,
						       .log = hear,
						       .log_arg = &service};

static struct gatepost_server *start(void)
{
	struct gatepost_error error;

	service = (struct service){0};
	service.server = gatepost_server_new(gate_path(), &options, decide, &service, &error);
	if (!service.server)
		fail_msg("%s", error.message);
	return service.server;
}

static void finish(struct gate *gate)
{
	gate_close(gate);
	gatepost_server_free(&service.server);
	assert_int_equal(access(gate_path(), F_OK), -1);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_others_are_answered_while_one_takes_long(void **state)
{
	struct gatepost_server *server = start();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gate gate;

	(void)state;
	gate_ready(&gate, server);
	service.puts_off = true;
	gate_say(&gate, ASK(1) ASK(2));
	GATE_UNTIL(server, &gate, service.asked == 2);
	service.puts_off = false;
	for (int i = 0; i < 100; i++) {
		gate_forget(&gate);
		gate_say(&gate, ASK(3));
		GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":3,\"verdict\":\"reject\""));
	}
	assert_false(gate_got(&gate, "\"id\":1"));
	assert_true(gatepost_server_is_awaited(server, service.later[0]));
	while (gatepost_server_step(server, 0) && is_readable(gatepost_server_fd(server)))
		;
	assert_true(gatepost_server_reply(server, &service.later[1], &verdict));
	assert_null(service.later[1]);
	assert_true(is_readable(gatepost_server_fd(server)));
	verdict = gatepost_reject("a\rb", 0, NULL); /* against the rules */
	assert_true(gatepost_server_reply(server, &service.later[0], &verdict));
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":1,\"verdict\":\"tempfail\""));
	assert_true(gate_got(&gate, "\"id\":2,\"verdict\":\"accept\""));
	assert_true(service.last_told[0]);
	finish(&gate);
}

static void test_progress_and_cancel_of_one_that_takes_long(void **state)
{
	struct gatepost_server *server = start();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gatepost_error error;
	struct gate gate;

	(void)state;
	gate_ready(&gate, server);
	service.puts_off = true;
	gate_say(&gate, ASK(1));
	GATE_UNTIL(server, &gate, service.later_len == 1);
	assert_false(gatepost_server_progress(server, service.later[0], 0, &error));
	assert_true(gatepost_server_progress(server, service.later[0], 5000, &error));
	GATE_UNTIL(server, &gate,
		   gate_got(&gate, "{\"type\":\"progress\",\"id\":1,\"extend_ms\":5000}\n"));
	gate_say(&gate, "{\"type\":\"cancel\",\"ids\":[1],\"why\":\"client_gone\"}\n");
	GATE_UNTIL(server, &gate, !gatepost_server_is_awaited(server, service.later[0]));
	assert_true(gatepost_server_reply(server, &service.later[0], &verdict)); /* still owed */
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":1,\"verdict\":\"accept\""));
	finish(&gate);
}

/* The same id on a new connection is another request. */
static void test_a_decision_for_a_connection_that_is_gone(void **state)
{
	struct gatepost_server *server = start();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gatepost_error error;
	struct gate gate;

	(void)state;
	gate_ready(&gate, server);
	service.puts_off = true;
	gate_say(&gate, ASK(1) TOLD_DISCONNECT);
	GATE_UNTIL(server, &gate, service.told == 1);
	gate_close(&gate);
	GATE_UNTIL(server, &gate, !gatepost_server_is_awaited(server, service.later[0]));
	gate_ready(&gate, server);
	gate_say(&gate, ASK(1));
	GATE_UNTIL(server, &gate, service.later_len == 2);
	assert_false(gatepost_server_progress(server, service.later[0], 1, &error));
	assert_string_equal(error.code, "unknown_id");
	assert_false(gatepost_server_reply(server, &service.later[0], &verdict));
	assert_null(service.later[0]);
	assert_true(gatepost_server_is_awaited(server, service.later[1]));
	gatepost_server_free(&service.server);
	gatepost_request_free(&service.later[1]); /* it stays its owner's */
	gate_close(&gate);
}

/* PROTOCOL.md, drain: the path goes, drain and ping are sent, what comes before the pong is
 * answered, then the connection is closed. */
static void test_drain(void **state)
{
	struct gatepost_server *server = start();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gate gate, early;

	(void)state;
	gate_ready(&gate, server);
	gate_dial(&early, gate_path()); /* no handshake: nothing to lose */
	service.puts_off = true;
	gate_say(&gate, ASK(1));
	GATE_UNTIL(server, &gate, service.later_len == 1);
	gatepost_server_drain(server);
	gatepost_server_drain(server);
	assert_int_equal(access(gate_path(), F_OK), -1);
	GATE_UNTIL(server, &gate, gate_got(&gate, "{\"type\":\"drain\"}\n{\"type\":\"ping\"}\n"));
	GATE_UNTIL(server, &early, early.eof);
	service.puts_off = false;
	gate_say(&gate, ASK(2) "{\"type\":\"pong\"}\n");
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":2,\"verdict\":\"reject\""));
	assert_true(gatepost_server_step(server, 0)); /* one is owed */
	assert_false(gate.eof);
	gatepost_server_reply(server, &service.later[0], &verdict);
	GATE_UNTIL(server, &gate, gate.eof);
	assert_true(gate_got(&gate, "\"id\":1,\"verdict\":\"accept\""));
	assert_false(gatepost_server_step(server, -1));
	close(early.fd);
	finish(&gate);
}

static void test_drain_from_within_the_handler(void **state)
{
	struct gatepost_server *server = start();
	struct gate gate;

	(void)state;
	gate_ready(&gate, server);
	service.drains = true;
	gate_say(&gate, ASK(1) ASK(2) "{\"type\":\"pong\"}\n");
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":2,\"verdict\":\"reject\""));
	gate_say(&gate, "{\"type\":\"pong\"}\n");
	GATE_UNTIL(server, &gate, gate.eof);
	assert_false(gatepost_server_step(server, -1));
	finish(&gate);
}

static void test_drain_without_a_connection(void **state)
{
	struct gatepost_server *server = start();
	struct pollfd fd = {.fd = gatepost_server_fd(server), .events = POLLIN};

	(void)state;
	gatepost_server_drain(server);
	assert_int_equal(poll(&fd, 1, 30000), 1);
	assert_false(gatepost_server_step(server, 0));
	gatepost_server_free(&service.server);
}

/* A successor's socket at the same path is not removed. */
static void test_a_successor_keeps_its_socket(void **state)
{
	struct gatepost_server *server = start();
	struct gatepost_error error;
	struct gatepost_server *next;

	(void)state;
	assert_null(gatepost_server_new(gate_path(), &options, decide, &service, &error));
	assert_string_equal(error.code, "system"); /* a live one is not taken */
	assert_int_equal(unlink(gate_path()), 0);
	next = gatepost_server_new(gate_path(), &options, decide, &service, &error);
	assert_non_null(next);
	gatepost_server_free(&server);
	assert_int_equal(access(gate_path(), F_OK), 0);
	gatepost_server_free(&next);
	assert_int_equal(access(gate_path(), F_OK), -1);
}

static void test_window_is_told_now_and_later(void **state)
{
	struct gatepost_server *server = start();
	struct gate gate, second;

	(void)state;
	gate_ready(&gate, server);
	gatepost_server_window(server, 0);
	GATE_UNTIL(server, &gate, gate_got(&gate, "{\"type\":\"window\",\"n\":0}\n"));
	gate_dial(&second, gate_path());
	gate_say(&second, WIRE_HELLO);
	GATE_UNTIL(server, &second, gate_got(&second, "\"register\""));
	gate_say(&second, WIRE_READY(",\"hooks\":{}"));
	GATE_UNTIL(server, &second, gate_got(&second, "{\"type\":\"window\",\"n\":0}\n"));
	close(second.fd);
	finish(&gate);
}

static void test_a_gateway_that_says_nothing_is_dropped(void **state)
{
	struct gatepost_server *server = start();
	struct gate gate, ready;

	(void)state;
	gate_ready(&ready, server);
	gate_dial(&gate, gate_path());
	GATE_UNTIL(server, &gate, gate.eof);
	assert_non_null(strstr(service.last_told, "handshake"));
	gate_say(&ready, ASK(1));
	GATE_UNTIL(server, &ready, gate_got(&ready, "\"id\":1"));
	close(gate.fd);
	finish(&ready);
}

static int file_of(const char *text)
{
	char path[] = "/tmp/gatepost-client-fd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

static void test_content_by_descriptor(void **state)
{
	struct gatepost_server *server = start();
	int fds[] = {file_of("one."), file_of("two.")};
	struct gate gate;

	(void)state;
	gate_ready(&gate, server);
	gate_say(&gate, ASK(1));
	gate_say_fds(&gate, ASK_FD(2), fds, 1);
	gate_say(&gate, ASK(3));
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":3"));
	gate_say_fds(&gate, ASK_FD(4), fds + 1, 1);
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"id\":4"));
	assert_string_equal(service.content, "two.");
	close(fds[0]);
	close(fds[1]);
	finish(&gate);
}

/* No room for a descriptor: those behind it would go with the wrong messages. */
static void test_a_descriptor_that_is_lost_ends_the_connection(void **state)
{
	struct gatepost_server *server = start();
	struct rlimit before, tight;
	int fds[16];
	struct gate gate;

	(void)state;
	for (size_t i = 0; i < 16; i++)
		fds[i] = file_of("lost");
	gate_ready(&gate, server);
	gate_say_fds(&gate, ASK_FD(1), fds, 16);
	getrlimit(RLIMIT_NOFILE, &before);
	tight = before;
	tight.rlim_cur = (rlim_t)fds[15] + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	GATE_UNTIL(server, &gate, gate.eof);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_non_null(strstr(service.last_told, "descriptor"));
	assert_int_equal(service.asked, 0);
	for (size_t i = 0; i < 16; i++)
		close(fds[i]);
	finish(&gate);
}

/* No room for a connection: it waits in the queue, and the server does not spin. */
static void test_no_descriptor_left_for_a_connection(void **state)
{
	struct gatepost_server *server = start();
	struct rlimit before, tight;
	struct gate gate;
	unsigned turns = 0;

	(void)state;
	gate_dial(&gate, gate_path());
	getrlimit(RLIMIT_NOFILE, &before);
	tight = before;
	tight.rlim_cur = (rlim_t)gate.fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	gatepost_server_step(server, 0);
	while (turns < 1000 && is_readable(gatepost_server_fd(server))) {
		gatepost_server_step(server, 0);
		turns++;
	}
	setrlimit(RLIMIT_NOFILE, &before);
	assert_true(turns < 5);
	gate_say(&gate, WIRE_HELLO);
	GATE_UNTIL(server, &gate, gate_got(&gate, "\"register\""));
	finish(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_are_answered_while_one_takes_long),
		cmocka_unit_test(test_progress_and_cancel_of_one_that_takes_long),
		cmocka_unit_test(test_a_decision_for_a_connection_that_is_gone),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_from_within_the_handler),
		cmocka_unit_test(test_drain_without_a_connection),
		cmocka_unit_test(test_a_successor_keeps_its_socket),
		cmocka_unit_test(test_window_is_told_now_and_later),
		cmocka_unit_test(test_a_gateway_that_says_nothing_is_dropped),
		cmocka_unit_test(test_content_by_descriptor),
		cmocka_unit_test(test_a_descriptor_that_is_lost_ends_the_connection),
		cmocka_unit_test(test_no_descriptor_left_for_a_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
