#include "gate.h"

#define PING	 "{\"type\":\"ping\"}\n"
#define PONG_LEN (sizeof "{\"type\":\"pong\"}\n" - 1)
#define SENT_MAX 33554432 /* octets: far beyond what all buffers together take */

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	(void)request;
	(void)arg;
	return gatepost_accept();
}

/* Octets that were sent until nothing more was taken, in whole pings and a part of one. */
static size_t shout(struct gatepost_server *server, int fd)
{
	static const char ping[] = PING;
	const size_t len = sizeof ping - 1;
	size_t sent = 0, stuck = 0;

	while (sent < SENT_MAX && stuck < 100) {
		ssize_t n =
			send(fd, &ping[sent % len], len - sent % len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			stuck = 0;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		gatepost_server_step(server, 0);
		stuck++;
	}
	return sent;
}

/* It is not read from either, so it cannot make us grow; and it loses nothing by it. */
static void test_a_gateway_that_does_not_read(void **state)
{
	const struct gatepost_policy_options options = {.service = "deaf",
							.hooks = 1u << GATEPOST_HOOK_MAIL};
	struct gatepost_error error;
	struct gatepost_server *server =
		gatepost_server_new(gate_path(), &options, decide, NULL, &error);
	size_t pings, octets = 0;
	struct gate gate;

	(void)state;
	assert_non_null(server);
	gate_ready(&gate, server);
	pings = shout(server, gate.fd);
	assert_true(pings < SENT_MAX / 2);
	pings /= sizeof PING - 1;
	assert_true(pings > 1000);
	for (int i = 0; octets < pings * PONG_LEN; i++) {
		assert_true(i < 1000000);
		gate.len = 0;
		gate_pump(server, &gate);
		assert_false(gate.eof);
		octets += gate.len;
	}
	assert_int_equal(octets, pings * PONG_LEN);
	gate_close(&gate);
	gatepost_server_free(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_gateway_that_does_not_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
