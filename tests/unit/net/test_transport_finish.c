#include <string.h>
#include <sys/socket.h>

#include "expect.h"
#include "server.h"

#define COUNT(event) (server_count(&s, TRANSPORT_##event))

/* The client sends on and on, and reads only later: its reply must not be destroyed by a reset. */
static void test_finish_keeps_the_last_reply(void **state)
{
	struct server s;
	static char flood[300000];

	(void)state;
	server_init(&s, 1000, 4096, false);
	s.hold = true;
	peer_hear(&s.peer, false);
	peer_send(&s.peer, flood, sizeof flood);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 1000);
	buf_append_string(transport_out(s.t), "421 too many errors\r\n");
	server_finish(&s);
	assert_int_equal(COUNT(DRAINED), 0);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	transport_free(&s.t);
	RUN_UNTIL(s.loop, !s.peer.out.len);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, s.peer.eof);
	assert_int_equal(s.peer.error, 0);
	assert_true(peer_got(&s.peer, "421 too many errors\r\n"));
	assert_string_equal(s.order, "ID");
	server_fini(&s);
}

static void test_finish_waits_for_a_slow_reader(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 200000, true);
	peer_hear(&s.peer, false);
	s.produce = 200000;
	server_work(&s);
	server_finish(&s);
	expect_turns(s.loop, 0.03);
	assert_int_equal(COUNT(DRAINED), 0);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	RUN_UNTIL(s.loop, s.peer.eof);
	assert_int_equal(s.peer.got.len, 200000);
	server_fini(&s);
}

static void test_finish_of_a_client_that_has_ended(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(EOF));
	server_finish(&s);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	assert_true(expect_turns(s.loop, 0.03) < 5);
	assert_string_equal(s.order, "ED");
	server_fini(&s);
}

static void test_lingering_ends_by_itself(void **state)
{
	struct server s;
	ev_tstamp start;

	(void)state;
	server_init(&s, 4096, 4096, false);
	server_finish(&s);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	RUN_UNTIL(s.loop, s.peer.eof);
	transport_free(&s.t);
	start = ev_time();
	ev_run(s.loop, 0); /* the peer does not close */
	assert_true(ev_time() - start > 1 && ev_time() - start < 20);
	server_fini(&s);
}

static void test_reset_while_finishing(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 200000, true);
	peer_hear(&s.peer, false);
	s.produce = 200000;
	server_work(&s);
	server_finish(&s);
	peer_reset(&s.peer);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(s.order, "F");
	server_fini(&s);
}

static void test_free_with_an_event_due(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	server_finish(&s); /* DRAINED is on its way */
	transport_free(&s.t);
	expect_turns(s.loop, 0.01);
	assert_string_equal(s.order, "");
	server_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finish_keeps_the_last_reply),
		cmocka_unit_test(test_finish_waits_for_a_slow_reader),
		cmocka_unit_test(test_finish_of_a_client_that_has_ended),
		cmocka_unit_test(test_lingering_ends_by_itself),
		cmocka_unit_test(test_reset_while_finishing),
		cmocka_unit_test(test_free_with_an_event_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
