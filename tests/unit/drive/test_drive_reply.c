#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "drive/drive_reply.h"

#define REPLY	 "{\"type\":\"reply\",\"id\":7,\"verdict\":\"accept\"}\n"
#define PROGRESS "{\"type\":\"progress\",\"id\":7,\"extend_ms\":3600000}\n"

/* The wire, and the service's end of it. */
static int connect_to(struct drive_wire *wire, double timeout)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	drive_wire_init(wire, "test", "-", timeout);
	wire->fd = fds[0];
	wire->reg.window = 4;
	return fds[1];
}

static void say(int service, const char *text)
{
	assert_int_equal(write(service, text, strlen(text)), strlen(text));
}

static void end(struct drive_wire *wire, int service)
{
	close(service);
	drive_wire_fini(wire);
}

/* Nothing here waits for a clock: the progress has been read, the reply has not, and the time for
 * it is over but for the progress. */
static void test_progress_moves_the_limit(void **state)
{
	struct verdict_message reply;
	struct drive_wire wire;
	int service = connect_to(&wire, 0);

	(void)state;
	jsonl_feed(&wire.in, PROGRESS, strlen(PROGRESS));
	say(service, REPLY);
	assert_int_equal(drive_reply_wait(&wire, &reply), DRIVE_GO_ON);
	assert_int_equal(reply.id, 7);
	assert_int_equal(drive_reply_wait(&wire, &reply), EX_PROTOCOL);
	end(&wire, service);
}

static void test_progress_moves_it_only_so_far(void **state)
{
	struct verdict_message reply;
	struct drive_wire wire;
	int service = connect_to(&wire, -DRIVE_EXTEND_MAX);

	(void)state;
	jsonl_feed(&wire.in, PROGRESS PROGRESS, 2 * strlen(PROGRESS));
	say(service, REPLY);
	assert_int_equal(drive_reply_wait(&wire, &reply), EX_PROTOCOL);
	end(&wire, service);
}

static void test_the_window_is_the_last_one_said(void **state)
{
	struct verdict_message reply;
	struct drive_wire wire;
	int service = connect_to(&wire, 60);

	(void)state;
	say(service, "{\"type\":\"window\",\"n\":0}\n" REPLY "{\"type\":\"window\",\"n\":1000}\n");
	assert_int_equal(drive_reply_wait(&wire, &reply), DRIVE_GO_ON);
	assert_int_equal(wire.reg.window, 0);
	assert_int_equal(drive_reply_resume(&wire), DRIVE_GO_ON);
	assert_int_equal(wire.reg.window, PROTOCOL_WINDOW_MAX);
	/* It does not wait for what is not needed. */
	assert_int_equal(drive_reply_resume(&wire), DRIVE_GO_ON);
	end(&wire, service);
}

static void test_a_pause_without_an_end(void **state)
{
	struct drive_wire wire;
	int service = connect_to(&wire, 60);

	(void)state;
	wire.reg.window = 0;
	say(service, REPLY);
	assert_int_equal(drive_reply_resume(&wire), EX_PROTOCOL);
	wire.timeout = 0;
	assert_int_equal(drive_reply_resume(&wire), EX_UNAVAILABLE);
	end(&wire, service);
}

static void test_mistakes_are_named(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"progress\",\"id\":7,\"extend_ms\":0}\n",
		"{\"type\":\"window\",\"n\":-1}\n",
		"{\"type\":\"reply\",\"id\":7,\"verdict\":\"reject\",\"edits\":[{}]}\n",
		"nonsense\n",
	};
	struct verdict_message reply;
	struct drive_wire wire;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int service = connect_to(&wire, 60);

		say(service, lines[i]);
		assert_int_equal(drive_reply_wait(&wire, &reply), EX_PROTOCOL);
		end(&wire, service);
	}
}

static void test_the_hook_must_allow_the_verdict(void **state)
{
	const struct verdict_message discard = {.id = 1, .verdict = {.kind = VERDICT_DISCARD}},
				     bypass = {.id = 1, .verdict = {.kind = VERDICT_BYPASS}};
	struct drive_wire wire;
	int service = connect_to(&wire, 60);

	(void)state;
	assert_int_equal(drive_reply_fits(&wire, &discard, HOOK_CONNECT), EX_PROTOCOL);
	assert_int_equal(drive_reply_fits(&wire, &discard, HOOK_MESSAGE), DRIVE_GO_ON);
	assert_int_equal(drive_reply_fits(&wire, &bypass, HOOK_AUTH), EX_PROTOCOL);
	assert_int_equal(drive_reply_fits(&wire, &bypass, HOOK_CONNECT), DRIVE_GO_ON);
	end(&wire, service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_moves_the_limit),
		cmocka_unit_test(test_progress_moves_it_only_so_far),
		cmocka_unit_test(test_the_window_is_the_last_one_said),
		cmocka_unit_test(test_a_pause_without_an_end),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_the_hook_must_allow_the_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
