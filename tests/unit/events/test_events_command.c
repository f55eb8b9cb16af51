/* `gatepost events` as its user sees it: output, standard error and exit code, against the real hub
 * and against a gateway that says what it wants. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "command.h"

static void test_hub(void **state)
{
	struct stage *stage = *state;
	struct command c;
	const char *second;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish(stage, EVENT_MAIL, 1, 0);
	stage_publish(stage, EVENT_RCPT, 2, 0);
	stage_publish(stage, EVENT_POLICY_FAILURE, 3, 0);
	stage_settle(stage);
	command_start(stage, &c, false, ARGUMENTS("--from=oldest", "mail", "policy.*"));
	stage_until(stage, command_has_lines(&c, 2));
	stage_publish(stage, EVENT_POLICY_DECISION, 4, 0);
	stage_until(stage, command_has_lines(&c, 3));
	assert_int_equal(strncmp(c.text, "{\"type\":\"event\",\"seq\":1,\"prev\":0,", 33), 0);
	second = strchr(c.text, '\n') + 1;
	assert_int_equal(strncmp(second, "{\"type\":\"event\",\"seq\":3,\"prev\":1,", 33), 0);
	assert_non_null(strstr(second, "{\"type\":\"event\",\"seq\":4,\"prev\":3,"));
	kill(c.pid, SIGTERM);
	assert_int_equal(command_end(&c), EX_OK);
	assert_int_equal(c.errors_len, 0);
	command_fini(&c);
}

static void test_from_a_place(void **state)
{
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish_many(stage, 5, 0);
	command_start(stage, &c, false, ARGUMENTS("--from=" EPOCH ":3", "--on-lag=close"));
	stage_until(stage, command_has_lines(&c, 2));
	assert_int_equal(strncmp(c.text, "{\"type\":\"event\",\"seq\":4,\"prev\":3,", 33), 0);
	kill(c.pid, SIGTERM);
	assert_int_equal(command_end(&c), EX_OK);
	command_fini(&c);
	command_start(stage, &c, false, ARGUMENTS("--from=ANOTHER:3"));
	stage_until(stage, command_has_lines(&c, 6));
	assert_int_equal(strncmp(c.text, "{\"type\":\"gap\",\"why\":\"epoch\"}\n", 29), 0);
	kill(c.pid, SIGTERM);
	assert_int_equal(command_end(&c), EX_OK);
	command_fini(&c);
}

/* With --raw nothing is left out: the epoch can be had from the second line. */
static void test_raw(void **state)
{
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish_many(stage, 1, 0);
	command_start(stage, &c, true, ARGUMENTS("--from=oldest", "--raw"));
	stage_until(stage, command_has_lines(&c, 4));
	assert_int_equal(strncmp(c.text, "{\"type\":\"hello\"", 15), 0);
	assert_non_null(
		strstr(c.text, "\n{\"type\":\"subscribed\",\"version\":1,\"epoch\":\"" EPOCH));
	assert_non_null(strstr(c.text, "\n{\"type\":\"event\""));
	assert_non_null(strstr(c.text, "\n{\"type\":\"heartbeat\""));
	kill(c.pid, SIGTERM);
	assert_int_equal(command_end(&c), EX_OK);
	command_fini(&c);
}

static void test_signals(void **state)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish(stage, EVENT_MAIL, 1, 0);
	stage_settle(stage);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		command_start(stage, &c, false, ARGUMENTS("--from", "oldest"));
		stage_until(stage, command_has_lines(&c, 1));
		kill(c.pid, numbers[i]);
		assert_int_equal(command_end(&c), EX_OK);
		command_fini(&c);
	}
}

/* `gatepost events | head -1`: ends at once, not with the next event. */
static void test_reader_goes_away(void **state)
{
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 65536);
	stage_publish(stage, EVENT_MAIL, 1, 0);
	stage_settle(stage);
	command_start(stage, &c, false, ARGUMENTS("--from", "oldest"));
	stage_until(stage, command_has_lines(&c, 1));
	close(c.out);
	c.out = -1;
	assert_int_equal(command_end(&c), EX_OK);
	assert_int_equal(c.errors_len, 0);
	command_fini(&c);
}

/* `gatepost events | less`, left with q: the command is waiting for the pipe. */
static void test_reader_stops_and_goes_away(void **state)
{
	struct stage *stage = *state;
	struct command c;
	int waiting = 0;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	stage_start_bus(stage, 1 << 20);
	stage_publish_many(stage, 500, 1000);
	command_start(stage, &c, false, ARGUMENTS("--from", "oldest"));
	stage_until(stage, ioctl(c.out, FIONREAD, &waiting) == 0 && waiting > 60000);
	close(c.out);
	c.out = -1;
	assert_int_equal(command_end(&c), EX_OK);
	assert_int_equal(c.errors_len, 0);
	command_fini(&c);
}

static void test_unknown_event(void **state)
{
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	command_start(stage, &c, false, ARGUMENTS("nonesuch"));
	assert_int_equal(command_end(&c), EX_USAGE);
	command_check_error(&c, "\"nonesuch\"");
	assert_int_equal(c.text_len, 0);
	command_fini(&c);
}

static void test_too_many(void **state)
{
	struct stage *stage = *state;
	struct command c;

	stage_start_hub(stage, 1 << 20, 0, EPOCH);
	command_start(stage, &c, false, ARGUMENTS());
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	command_check_error(&c, "as many subscribers as events.subscribers allows");
	command_fini(&c);
}

static void test_no_gateway(void **state)
{
	struct stage *stage = *state;
	struct command c;

	command_start(stage, &c, false, ARGUMENTS());
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	command_check_error(&c, "start the gateway, or name its events.sock with --socket");
	command_fini(&c);
}

static void test_gateway_ends(void **state)
{
	struct stage *stage = *state;
	struct event event;
	struct command c;

	stage_start_hub(stage, 1 << 20, 4, EPOCH);
	event_init(&event, EVENT_GATEWAY_START, NULL, NULL);
	event_hub_publish(stage->hub, &event);
	command_start(stage, &c, false, ARGUMENTS("--from", "oldest"));
	stage_until(stage, command_has_lines(&c, 1));
	event_hub_free(&stage->hub);
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	command_check_error(&c, "closed the stream");
	command_fini(&c);
}

static void test_usage(void **state)
{
	static const char *const wrong[][2] = {
		{"--from", "yesterday"},
		{"--from", ":5"},
		{"--from", "01X:"},
		{"--from", "01X:-1"},
		{"--from", "01X:5x"},
		{"--from", "0 1:5"},
		{"--from", "01X:1234567890123456"},
		{"--on-lag", "wait"},
	};
	struct stage *stage = *state;
	struct command c;

	command_start(stage, &c, false, ARGUMENTS("--help"));
	assert_int_equal(command_end(&c), EX_OK);
	assert_non_null(strstr(c.text, "--from"));
	command_fini(&c);
	command_start(stage, &c, false, ARGUMENTS("--version"));
	assert_int_equal(command_end(&c), EX_OK);
	assert_string_equal(c.text, "gatepost " GATEPOST_VERSION "\n");
	command_fini(&c);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		command_start(stage, &c, false, ARGUMENTS(wrong[i][0], wrong[i][1]));
		assert_int_equal(command_end(&c), EX_USAGE);
		assert_non_null(strstr(c.errors, wrong[i][1]));
		command_fini(&c);
	}
	command_start(stage, &c, false, ARGUMENTS("m\xe4il"));
	assert_int_equal(command_end(&c), EX_USAGE);
	command_fini(&c);
}

/* --- a gateway that says what it wants --- */

static void play(struct stage *stage, struct command *c, bool terminal, const char *text)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	size_t len = strlen(text);
	ssize_t n;

	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->events_path);
	unlink(name.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(listener, 1), 0);
	command_start(stage, c, terminal, ARGUMENTS());
	fd = accept(listener, NULL, NULL);
	for (size_t sent = 0; sent<len; sent += n> 0 ? (size_t)n : 0) {
		n = send(fd, text + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		command_has_lines(c, 0);
		if (n < 0 && errno == EPIPE)
			break;
	}
	close(fd);
	close(listener);
}

#define HELLO "{\"type\":\"hello\",\"protocol\":\"gatepost-events\"}\n"

static void test_lines_pass_as_they_are(void **state)
{
	static const char event[] = "{ \"seq\":1,\"prev\":0, \"type\":\"event\",\"time\":\"t\","
				    "\"event\":\"new.kind\",\"x_more\":[1,{}],\"data\":{}}\n";
	static const char gap[] = "{\"why\":\"epoch\",\"type\":\"gap\"}\n";
	struct command c;
	char *text = calloc(1, TEXT_MAX), *wanted = calloc(1, TEXT_MAX), *large = calloc(1, 900001);

	memset(large, 'x', 900000);
	snprintf(wanted, TEXT_MAX,
		 "%s%s{\"type\":\"event\",\"seq\":2,\"prev\":1,\"time\":\"t\",\"event\":\"mail\","
		 "\"data\":{\"a\":\"%s\"}}\n",
		 event, gap, large);
	snprintf(text, TEXT_MAX, "%s{\"type\":\"heartbeat\"}\n\n%s", HELLO, wanted);
	play(*state, &c, false, text);
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	assert_int_equal(c.text_len, strlen(wanted));
	assert_memory_equal(c.text, wanted, c.text_len);
	command_fini(&c);
	free(text);
	free(wanted);
	free(large);
}

static void test_not_a_gateway(void **state)
{
	struct command c;

	play(*state, &c, false, "220 mx.example.org ESMTP\r\n");
	assert_int_equal(command_end(&c), EX_PROTOCOL);
	command_check_error(&c, "does not speak the event protocol");
	assert_int_equal(c.text_len, 0);
	command_fini(&c);
}

/* What came before the fault is printed. */
static void test_fault_after_an_event(void **state)
{
	static const char gap[] = "{\"type\":\"gap\",\"why\":\"epoch\"}\n";
	char text[256];
	struct command c;

	snprintf(text, sizeof text, "%s%s[]\n", HELLO, gap);
	play(*state, &c, false, text);
	assert_int_equal(command_end(&c), EX_PROTOCOL);
	assert_string_equal(c.text, gap);
	command_fini(&c);
}

static const char for_terminal[] =
	HELLO "{\"type\":\"event\",\"seq\":1,\"prev\":0,\"time\":\"2026-11-24T11:03:15.482113Z\","
	      "\"event\":\"rcpt\",\"session\":\"01JD9Z8K3X7F4Y5N0000\",\"data\":{\"address\":"
	      "\"\\u001b[2Jbob@example.com\",\"code\":250}}\n"
	      "{\"type\":\"gap\",\"from\":2,\"to\":5,\"lost\":4,\"why\":\"lag\"}\n";

static void test_terminal(void **state)
{
	struct command c;

	unsetenv("NO_COLOR");
	play(*state, &c, true, for_terminal);
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	assert_string_equal(c.text,
			    "\033[2m2026-11-24T11:03:15.482113Z\033[0m "
			    "\033[36mrcpt\033[0m             \033[2m01JD9Z8K3X7F4Y5N0000\033[0m "
			    "address=\\u001b[2Jbob@example.com code=250\r\n"
			    "\033[2m-\033[0m                           "
			    "\033[1;33mgap\033[0m              \033[2m-\033[0m                    "
			    "from=2 to=5 lost=4 why=lag\r\n");
	command_fini(&c);
}

static void test_terminal_without_colour(void **state)
{
	struct command c;

	setenv("NO_COLOR", "1", 1);
	play(*state, &c, true, for_terminal);
	unsetenv("NO_COLOR");
	assert_int_equal(command_end(&c), EX_UNAVAILABLE);
	assert_null(strchr(c.text, '\033'));
	assert_non_null(strstr(c.text, "2026-11-24T11:03:15.482113Z rcpt             "
				       "01JD9Z8K3X7F4Y5N0000 address=\\u001b[2Jbob@"));
	command_fini(&c);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set_up, stage_tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_hub),
		STAGED(test_from_a_place),
		STAGED(test_raw),
		STAGED(test_signals),
		STAGED(test_reader_goes_away),
		STAGED(test_reader_stops_and_goes_away),
		STAGED(test_unknown_event),
		STAGED(test_too_many),
		STAGED(test_no_gateway),
		STAGED(test_gateway_ends),
		STAGED(test_usage),
		STAGED(test_lines_pass_as_they_are),
		STAGED(test_not_a_gateway),
		STAGED(test_fault_after_an_event),
		STAGED(test_terminal),
		STAGED(test_terminal_without_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
