#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "server.h"

#define COUNT(event) (server_count(&s, TRANSPORT_##event))

static void start_secure(struct server *s, size_t in_max, size_t out_max, bool small)
{
	server_init(s, in_max, out_max, small);
	s->inside = true;
	transport_start_tls(s->t, certificate_group, false);
	s->inside = false;
	peer_start_tls(&s->peer, "mx.example.com");
	RUN_UNTIL(s->loop, server_count(s, TRANSPORT_SECURE) && s->peer.secure);
}

static void fill(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_append(b, &(char){(char)(i % 251)}, 1);
}

static void expect_filled(const struct buf *b, size_t n)
{
	assert_int_equal(b->len, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal((unsigned char)buf_head(b)[i], i % 251);
}

static void test_starttls(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	s.context = certificate_group;
	s.echo = true;
	peer_send_string(&s.peer, "STARTTLS\r\n");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "220 go\r\n"));
	assert_null(transport_tls(s.t));
	peer_send_string(&s.peer, "EHLO x\r\n"); /* leaves with the client's Finished */
	assert_int_equal(s.peer.out.len, 8);
	peer_start_tls(&s.peer, "mx.example.com");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "220 go\r\nEHLO x\r\n"));
	assert_string_equal(s.order, "ISI");
	assert_string_equal(tls_version(transport_tls(s.t)), "TLSv1.3");
	assert_string_equal(tls_sni(transport_tls(s.t)), "mx.example.com");
	assert_null(transport_in(s.t)->data);
	assert_null(transport_out(s.t)->data);
	server_fini(&s);
}

static void test_implicit(void **state)
{
	struct server s;

	(void)state;
	start_secure(&s, 4096, 4096, false);
	s.echo = true;
	peer_send_string(&s.peer, "NOOP\r\n");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "NOOP\r\n"));
	server_fini(&s);
}

/* The reply in clear does not fit the kernel at once; the handshake waits for it. */
static void test_reply_in_clear_goes_first(void **state)
{
	struct server s;
	size_t total = 300000;

	(void)state;
	server_init(&s, 4096, total, true);
	peer_hear(&s.peer, false);
	fill(transport_out(s.t), total);
	transport_start_tls(s.t, certificate_group, false);
	assert_true(transport_out(s.t)->len > 0);
	assert_true(expect_turns(s.loop, 0.03) < 100);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, s.peer.got.len == total);
	expect_filled(&s.peer.got, total);
	peer_start_tls(&s.peer, NULL);
	RUN_UNTIL(s.loop, COUNT(SECURE));
	server_fini(&s);
}

/* The client speaks before it has the whole reply: that counts as its handshake, and is not
 * forgotten. */
static void test_client_that_speaks_too_early(void **state)
{
	struct server s;
	size_t total = 300000;

	(void)state;
	server_init(&s, 4096, total, true);
	peer_hear(&s.peer, false);
	fill(transport_out(s.t), total);
	transport_start_tls(s.t, certificate_group, false);
	peer_send_string(&s.peer, "EHLO client.example.com\r\n");
	RUN_UNTIL(s.loop, !s.peer.out.len);
	expect_turns(s.loop, 0.02);
	assert_string_equal(s.order, "");
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_true(transport_failed_in_tls(s.t));
	server_fini(&s);
}

static void test_command_in_clear_fails_the_handshake(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	s.context = certificate_group;
	peer_send_string(&s.peer, "STARTTLS\r\n");
	RUN_UNTIL(s.loop, peer_got(&s.peer, "220 go\r\n"));
	peer_send_string(&s.peer, "EHLO client.example.com\r\n");
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_true(transport_failed_in_tls(s.t));
	assert_memory_equal(transport_failure(s.t), "tls: ", 5);
	assert_true(strlen(transport_failure(s.t)) > 5);
	assert_string_equal(s.order, "IF");
	assert_int_equal(s.seen.len, 0);
	server_fini(&s);
}

static void test_end_during_the_handshake(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	transport_start_tls(s.t, certificate_group, false);
	peer_send(&s.peer, "\x16\x03\x01", 3);
	RUN_UNTIL(s.loop, !s.peer.out.len);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(transport_failure(s.t), "tls: closed by peer during the handshake");
	assert_true(transport_failed_in_tls(s.t));
	server_fini(&s);
}

static void test_timeout_during_the_handshake(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	transport_start_tls(s.t, certificate_group, false);
	peer_send(&s.peer, "\x16\x03\x01", 3);
	transport_set_timeout(s.t, 0.02);
	RUN_UNTIL(s.loop, COUNT(TIMEOUT));
	buf_append_string(transport_out(s.t), "421 in clear into a handshake");
	server_finish(&s);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	transport_free(&s.t);
	RUN_UNTIL(s.loop, s.peer.eof);
	assert_int_equal(s.peer.got.len, 0);
	server_fini(&s);
}

/* One record holds more than `in`: what is left is in OpenSSL, the socket stays silent. */
static void test_pending_plaintext(void **state)
{
	struct server s;
	struct buf data;

	(void)state;
	start_secure(&s, 1000, 4096, false);
	buf_init(&data, 16000);
	fill(&data, 16000);
	s.hold = true;
	peer_send(&s.peer, buf_head(&data), 16000);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 1000 && !s.peer.network_out.len);
	assert_true(expect_turns(s.loop, 0.03) < 10);
	s.hold = false;
	s.take = 700;
	server_work(&s); /* from here on, by TRANSPORT_INPUT alone */
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 0);
	/* The session went on at each event; the last octets of a piece wait for its next one. */
	expect_filled(&s.seen, 16000);
	buf_fini(&data);
	server_fini(&s);
}

static void test_full_input_then_end(void **state)
{
	struct server s;
	struct buf data;

	(void)state;
	start_secure(&s, 1000, 4096, false);
	buf_init(&data, 100000);
	fill(&data, 100000);
	s.hold = true;
	peer_send(&s.peer, buf_head(&data), 100000);
	peer_close_tls(&s.peer);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 1000);
	assert_true(expect_turns(s.loop, 0.03) < 20);
	assert_int_equal(COUNT(EOF), 0);
	s.hold = false;
	server_work(&s);
	RUN_UNTIL(s.loop, COUNT(EOF));
	expect_filled(&s.seen, 100000);
	assert_int_equal(COUNT(EOF), 1);
	buf_fini(&data);
	server_fini(&s);
}

static void test_end(void **state)
{
	struct server s;

	(void)state;
	for (int with_notify = 0; with_notify < 2; with_notify++) {
		start_secure(&s, 4096, 4096, false);
		peer_send_string(&s.peer, "QUIT\r\n");
		if (with_notify)
			peer_close_tls(&s.peer);
		RUN_UNTIL(s.loop, !s.peer.network_out.len);
		shutdown(s.peer.io.fd, SHUT_WR);
		RUN_UNTIL(s.loop, COUNT(EOF));
		assert_true(expect_turns(s.loop, 0.03) < 5);
		assert_true(s.seen.len == 6);
		assert_string_equal(s.order, "SIE");
		buf_append_string(transport_out(s.t), "221 bye\r\n");
		server_finish(&s);
		RUN_UNTIL(s.loop, COUNT(DRAINED) && s.peer.eof);
		assert_true(peer_got(&s.peer, "221 bye\r\n"));
		assert_true(s.peer.notified);
		server_fini(&s);
	}
}

static void test_reset(void **state)
{
	struct server s;

	(void)state;
	start_secure(&s, 4096, 4096, false);
	peer_reset(&s.peer);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_false(transport_failed_in_tls(s.t));
	assert_string_equal(transport_failure(s.t), "reset by peer");
	server_fini(&s);
}

static void test_slow_reader(void **state)
{
	struct server s;
	size_t total = 1000000;

	(void)state;
	start_secure(&s, 4096, 65536, true);
	peer_hear(&s.peer, false);
	s.produce = total;
	server_work(&s);
	assert_true(expect_turns(s.loop, 0.05) < 200);
	assert_true(s.produce > 0);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, s.peer.got.len == total);
	for (size_t i = 0; i < total; i++)
		assert_int_equal((unsigned char)buf_head(&s.peer.got)[i], (total - i) % 251);
	server_fini(&s);
}

/* Into a kernel that takes all at once. */
static void test_reply_larger_than_the_network_buffer(void **state)
{
	struct server s;

	(void)state;
	start_secure(&s, 4096, 200000, false);
	s.produce = 200000;
	server_work(&s);
	RUN_UNTIL(s.loop, s.peer.got.len == 200000);
	assert_null(transport_out(s.t)->data);
	server_fini(&s);
}

static void test_much_input(void **state)
{
	struct server s;
	struct buf data;

	(void)state;
	start_secure(&s, 65536, 4096, false);
	buf_init(&data, 2000000);
	fill(&data, 2000000);
	peer_send(&s.peer, buf_head(&data), 2000000);
	RUN_UNTIL(s.loop, s.seen.len == 2000000);
	expect_filled(&s.seen, 2000000);
	buf_fini(&data);
	server_fini(&s);
}

static void test_forged_record(void **state)
{
	struct server s;

	(void)state;
	start_secure(&s, 4096, 4096, false);
	peer_send_string(&s.peer, "NOOP\r\n");
	buf_head(&s.peer.network_out)[12] ^= 1;
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_true(transport_failed_in_tls(s.t));
	assert_string_equal(s.order, "SF");
	RUN_UNTIL(s.loop, s.peer.error); /* the alert */
	server_fini(&s);
}

static void test_finish_keeps_the_last_reply(void **state)
{
	struct server s;
	static char flood[300000];

	(void)state;
	start_secure(&s, 1000, 4096, false);
	s.hold = true;
	peer_hear(&s.peer, false);
	peer_send(&s.peer, flood, sizeof flood);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 1000);
	buf_append_string(transport_out(s.t), "421 too many errors\r\n");
	server_finish(&s);
	RUN_UNTIL(s.loop, COUNT(DRAINED));
	transport_free(&s.t);
	RUN_UNTIL(s.loop, !s.peer.network_out.len);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, s.peer.eof);
	assert_int_equal(s.peer.error, 0);
	assert_true(peer_got(&s.peer, "421 too many errors\r\n"));
	assert_true(s.peer.notified);
	server_fini(&s);
}

static void test_free_when_secure(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 4096, 4096, false);
	transport_start_tls(s.t, certificate_group, false);
	s.free_on_event = true;
	peer_start_tls(&s.peer, NULL);
	RUN_UNTIL(s.loop, !s.t);
	assert_string_equal(s.order, "S");
	server_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_implicit),
		cmocka_unit_test(test_reply_in_clear_goes_first),
		cmocka_unit_test(test_client_that_speaks_too_early),
		cmocka_unit_test(test_command_in_clear_fails_the_handshake),
		cmocka_unit_test(test_end_during_the_handshake),
		cmocka_unit_test(test_timeout_during_the_handshake),
		cmocka_unit_test(test_pending_plaintext),
		cmocka_unit_test(test_full_input_then_end),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_reply_larger_than_the_network_buffer),
		cmocka_unit_test(test_much_input),
		cmocka_unit_test(test_forged_record),
		cmocka_unit_test(test_finish_keeps_the_last_reply),
		cmocka_unit_test(test_free_when_secure),
	};

	return cmocka_run_group_tests(tests, certificate_set_up, certificate_tear_down);
}
