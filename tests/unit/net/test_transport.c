#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "server.h"

#define COUNT(event) (server_count(&s, TRANSPORT_##event))

static void test_echo(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	s.echo = true;
	peer_send_string(&s.peer, "NOOP\r\n");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "NOOP\r\n"));
	/* An idle connection holds no buffer. */
	assert_null(transport_in(s.t)->data);
	assert_null(transport_out(s.t)->data);
	assert_null(transport_tls(s.t));
	peer_send_string(&s.peer, "RSET\r\n");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "NOOP\r\nRSET\r\n"));
	assert_string_equal(s.order, "II");
	server_fini(&s);
}

static void test_greeting_outside_any_callback(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	buf_append_string(transport_out(s.t), "220 hello\r\n");
	server_work(&s);
	RUN_UNTIL(s.loop, peer_got(&s.peer, "220 hello\r\n"));
	assert_string_equal(s.order, "");
	server_fini(&s);
}

static void test_end_after_data(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	peer_send_string(&s.peer, "QUIT\r\n");
	RUN_UNTIL(s.loop, !s.peer.out.len);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(EOF));
	assert_int_equal(s.seen.len, 6);
	assert_string_equal(s.order, "IE");
	/* Told once, and no spinning on a socket that stays readable for ever. */
	assert_true(expect_turns(s.loop, 0.05) < 5);
	assert_string_equal(s.order, "IE");
	/* The client still gets its reply. */
	buf_append_string(transport_out(s.t), "221 bye\r\n");
	server_work(&s);
	RUN_UNTIL(s.loop, peer_got(&s.peer, "221 bye\r\n"));
	server_fini(&s);
}

static void test_end_waits_for_room(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 10, 4096, false);
	s.hold = true;
	peer_send_string(&s.peer, "0123456789abc");
	RUN_UNTIL(s.loop, !s.peer.out.len);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 10);
	assert_true(expect_turns(s.loop, 0.05) < 5);
	assert_string_equal(s.order, "I");
	s.hold = false;
	server_work(&s);
	RUN_UNTIL(s.loop, COUNT(EOF));
	assert_int_equal(s.seen.len, 13);
	assert_memory_equal(buf_head(&s.seen), "0123456789abc", 13);
	assert_string_equal(s.order, "IIE");
	server_fini(&s);
}

static void test_reset(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	peer_reset(&s.peer);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(transport_failure(s.t), "reset by peer");
	assert_false(transport_failed_in_tls(s.t));
	server_work(&s); /* harmless now */
	server_finish(&s);
	transport_set_timeout(s.t, 0.001);
	assert_true(expect_turns(s.loop, 0.05) < 5);
	assert_string_equal(s.order, "F");
	server_fini(&s);
}

static void test_reset_while_input_is_full(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 10, 4096, false);
	s.hold = true;
	peer_send_string(&s.peer, "0123456789abc");
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 10);
	assert_true(expect_turns(s.loop, 0.02) < 5);
	peer_reset(&s.peer);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(s.order, "IF");
	server_fini(&s);
}

static void test_reset_after_the_end(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(EOF));
	assert_true(expect_turns(s.loop, 0.02) < 5);
	peer_reset(&s.peer);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(s.order, "EF");
	server_fini(&s);
}

static void test_reset_seen_by_writing(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	peer_reset(&s.peer);
	/* No loop turn in between: the first thing that fails is the write, and no callback comes
	 * inside. */
	buf_append_string(transport_out(s.t), "250 ok\r\n");
	server_work(&s);
	assert_string_equal(s.order, "");
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(s.order, "F");
	server_fini(&s);
}

/* The kernel answers this write with SIGPIPE, unless told not to. */
static void test_write_after_end_and_reset(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(EOF));
	peer_reset(&s.peer);
	buf_append_string(transport_out(s.t), "250 ok\r\n");
	server_work(&s);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(transport_failure(s.t), "closed by peer");
	server_fini(&s);
}

static void test_full_input_then_pump(void **state)
{
	struct server s;
	char data[10000];

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i % 251);
	server_init(&s, 1000, 4096, false);
	s.hold = true;
	peer_send(&s.peer, data, sizeof data);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 1000);
	assert_true(expect_turns(s.loop, 0.05) < 10);
	s.hold = false;
	s.take = 300;
	while (s.seen.len < sizeof data) {
		size_t before = s.seen.len;

		server_work(&s);
		RUN_UNTIL(s.loop, s.seen.len > before || s.seen.len == sizeof data);
	}
	assert_memory_equal(buf_head(&s.seen), data, sizeof data);
	server_fini(&s);
}

static void test_fast_peer(void **state)
{
	struct server s;
	size_t total = 4000000;
	char *space;
	size_t room;

	(void)state;
	server_init(&s, 262144, 4096, false);
	space = buf_space(&s.peer.out, total, &room);
	memset(space, 'm', total);
	buf_added(&s.peer.out, total);
	peer_send(&s.peer, "", 0);
	RUN_UNTIL(s.loop, s.seen.len == total);
	/* Pieces grow with what is there: far from a thousand of 4096. */
	assert_true(COUNT(INPUT) < 500);
	server_fini(&s);
}

static void test_slow_reader(void **state)
{
	struct server s;
	size_t total = 1000000, held;

	(void)state;
	server_init(&s, 4096, 65536, true);
	peer_hear(&s.peer, false);
	s.produce = total;
	server_work(&s);
	assert_true(expect_turns(s.loop, 0.05) < 200);
	held = transport_out(s.t)->len;
	assert_true(held > 32768 && held <= 65536);
	assert_true(s.produce > 0);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop,
		  s.peer.got.len == total); /* only by TRANSPORT_INPUT: there is room again */
	for (size_t i = 0; i < total; i++)
		assert_int_equal((unsigned char)buf_head(&s.peer.got)[i], (total - i) % 251);
	assert_null(transport_out(s.t)->data);
	server_fini(&s);
}

static void test_timeout(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	transport_set_timeout(s.t, 0.01);
	RUN_UNTIL(s.loop, COUNT(TIMEOUT));
	expect_turns(s.loop, 0.05);
	assert_int_equal(COUNT(TIMEOUT), 1);
	transport_set_timeout(s.t, 0.01);
	transport_set_timeout(s.t, 0);
	expect_turns(s.loop, 0.05);
	assert_int_equal(COUNT(TIMEOUT), 1);
	transport_set_timeout(s.t, 0.01);
	transport_set_timeout(s.t, 100);
	expect_turns(s.loop, 0.05);
	assert_int_equal(COUNT(TIMEOUT), 1);
	transport_set_timeout(s.t, 0.01);
	RUN_UNTIL(s.loop, COUNT(TIMEOUT) == 2);
	server_fini(&s);
}

static void test_free_inside_the_callback(void **state)
{
	struct server s;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		server_init(&s, 4096, 4096, false);
		s.free_on_event = true;
		if (kind == 0)
			peer_send_string(&s.peer, "EHLO x\r\n");
		else if (kind == 1)
			shutdown(s.peer.io.fd, SHUT_WR);
		else if (kind == 2)
			peer_reset(&s.peer);
		else
			transport_set_timeout(s.t, 0.001);
		RUN_UNTIL(s.loop, !s.t);
		assert_int_equal(strlen(s.order), 1);
		expect_turns(s.loop, 0.01);
		assert_int_equal(strlen(s.order), 1);
		server_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_greeting_outside_any_callback),
		cmocka_unit_test(test_end_after_data),
		cmocka_unit_test(test_end_waits_for_room),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_while_input_is_full),
		cmocka_unit_test(test_reset_after_the_end),
		cmocka_unit_test(test_reset_seen_by_writing),
		cmocka_unit_test(test_write_after_end_and_reset),
		cmocka_unit_test(test_full_input_then_pump),
		cmocka_unit_test(test_fast_peer),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_free_inside_the_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
