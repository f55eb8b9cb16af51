/* gatepost_policy_serve() in a process of its own; this one is the gateway. */
#include "gate.h"

#include <signal.h>
#include <sys/wait.h>

#define ASK(id)                                                                                    \
	WIRE_ASK(id, "mail",                                                                       \
		 "{\"address\":\"a@b\",\"local\":\"a\",\"domain\":\"b\",\"params\":[]}",           \
		 WIRE_CONTEXT)

static pid_t child;

/* A test that has failed leaves nobody behind. */
static int stop(void **state)
{
	(void)state;
	if (child > 0)
		kill(child, SIGKILL);
	return 0;
}

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	(void)arg;
	return gatepost_request_id(request) == 1 ? gatepost_later() : gatepost_accept();
}

static int serve(void)
{
	const struct gatepost_policy_options options = {.service = "serve",
							.hooks = 1u << GATEPOST_HOOK_MAIL};
	struct gatepost_error error;
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	if (!gatepost_policy_serve(gate_path(), &options, decide, NULL, &error))
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &after);
	return sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM) ? 0 : 2;
}

/* Waits until somebody does. False when there was a socket at which nobody did: another service
 * would take it for a dead one. */
static bool child_listens(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int error = ENOENT;

	snprintf(name.sun_path, sizeof name.sun_path, "%s", gate_path());
	while (error == ENOENT) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		error = connect(fd, (struct sockaddr *)&name, sizeof name) ? errno : 0;
		close(fd);
	}
	return !error;
}

static void test_the_path_is_there_when_somebody_listens(void **state)
{
	(void)state;
	gate_path(); /* of this process, also in the child */
	for (int i = 0; i < 20; i++) {
		child = fork();
		if (child == 0)
			_exit(serve());
		assert_true(child > 0);
		assert_true(child_listens());
		assert_int_equal(kill(child, SIGTERM), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		child = 0;
	}
}

static void test_serve_until_sigterm(void **state)
{
	const char *path = gate_path(); /* of this process, also in the child */
	struct gate gate;
	int status = -1;

	(void)state;
	child = fork();
	if (child == 0)
		_exit(serve());
	assert_true(child > 0);
	assert_true(child_listens());
	gate_ready(&gate, NULL);
	gate_say(&gate, ASK(1) ASK(2));
	GATE_UNTIL(NULL, &gate, gate_got(&gate, "\"id\":2,\"verdict\":\"accept\""));
	/* Nobody is there to decide later: undecided, which is a fault. */
	assert_true(gate_got(&gate, "\"id\":1,\"verdict\":\"tempfail\""));
	kill(child, SIGTERM);
	GATE_UNTIL(NULL, &gate, gate_got(&gate, "{\"type\":\"drain\"}\n{\"type\":\"ping\"}\n"));
	assert_int_equal(access(path, F_OK), -1);
	gate_say(&gate, ASK(3) "{\"type\":\"pong\"}\n");
	GATE_UNTIL(NULL, &gate, gate.eof);
	assert_true(gate_got(&gate, "\"id\":3,\"verdict\":\"accept\""));
	assert_int_equal(waitpid(child, &status, 0), child);
	child = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	gate_close(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_the_path_is_there_when_somebody_listens, stop),
		cmocka_unit_test_teardown(test_serve_until_sigterm, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
