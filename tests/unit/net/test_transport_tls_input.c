#include <string.h>
#include <sys/socket.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "server.h"

#define COUNT(event) (server_count(&s, TRANSPORT_##event))
#define HEADER	     "PROXY TCP4 192.0.2.1 198.51.100.1 4711 465\r\n"

/* The begin of what the session reads is a header in clear, the rest TLS. */
static void start_behind_header(struct server *s)
{
	assert_int_equal(s->seen.len, 0);
	buf_append(&s->seen, buf_head(transport_in(s->t)), strlen(HEADER));
	assert_memory_equal(buf_head(&s->seen), HEADER, strlen(HEADER));
	buf_consume(&s->seen, s->seen.len);
	buf_consume(transport_in(s->t), strlen(HEADER));
	s->hold = false;
	s->inside = true;
	transport_start_tls(s->t, certificate_group, true);
	s->inside = false;
	assert_int_equal(transport_in(s->t)->len, 0);
}

/* The client's first flight, up to `n` octets of it, came together with the header. */
static void behind_header(size_t n)
{
	struct server s;
	size_t in_max = 65536;

	server_init(&s, in_max, 4096, false);
	s.hold = true;
	s.echo = true;
	peer_send_string(&s.peer, HEADER);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == strlen(HEADER));
	peer_start_tls(&s.peer, "mx.example.com");
	assert_true(s.peer.network_out.len > n);
	/* Only so much of the hello; the loop would send all of it. */
	assert_int_equal(send(s.peer.io.fd, buf_head(&s.peer.network_out), n, 0), n);
	buf_consume(&s.peer.network_out, n);
	ev_io_stop(s.loop, &s.peer.io);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == strlen(HEADER) + n);
	start_behind_header(&s);
	assert_int_equal(transport_in(s.t)->max, in_max);
	peer_send_string(&s.peer, "EHLO client.example.com\r\n"); /* starts the peer again */
	RUN_UNTIL(s.loop, peer_got(&s.peer, "EHLO client.example.com\r\n"));
	assert_int_equal(COUNT(SECURE), 1);
	assert_string_equal(tls_sni(transport_tls(s.t)), "mx.example.com");
	server_fini(&s);
}

static void test_hello_behind_a_header(void **state)
{
	static const size_t sizes[] = {0, 1, 4, 5, 6, 100, 200};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		behind_header(sizes[i]);
}

/* More than a network buffer holds, and nothing of it is TLS. */
static void test_flood_behind_a_header(void **state)
{
	struct server s;
	static char flood[65536];

	(void)state;
	server_init(&s, sizeof flood, 4096, false);
	s.hold = true;
	peer_send_string(&s.peer, HEADER);
	peer_send(&s.peer, flood, sizeof flood);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == sizeof flood);
	start_behind_header(&s);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_true(transport_failed_in_tls(s.t));
	assert_int_equal(transport_in(s.t)->len, 0);
	server_fini(&s);
}

/* The same while a reply in clear does not get out: the full buffer waits in silence. */
static void test_flood_that_waits(void **state)
{
	struct server s;
	static char flood[100000], reply[300000];

	(void)state;
	server_init(&s, 65536, sizeof reply, true);
	s.hold = true;
	peer_hear(&s.peer, false);
	peer_send_string(&s.peer, HEADER);
	peer_send(&s.peer, flood, sizeof flood);
	RUN_UNTIL(s.loop, transport_in(s.t)->len == 65536);
	buf_append(transport_out(s.t), reply, sizeof reply);
	start_behind_header(&s);
	assert_true(expect_turns(s.loop, 0.03) < 100);
	assert_int_equal(COUNT(FAILED), 0);
	peer_hear(&s.peer, true);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_true(transport_failed_in_tls(s.t));
	server_fini(&s);
}

/* A record that never becomes complete. */
static void test_end_behind_a_header(void **state)
{
	struct server s;

	(void)state;
	server_init(&s, 65536, 4096, false);
	s.hold = true;
	peer_send_string(&s.peer, HEADER "\x16\x03\x01\x40");
	RUN_UNTIL(s.loop, transport_in(s.t)->len == strlen(HEADER) + 4);
	start_behind_header(&s);
	shutdown(s.peer.io.fd, SHUT_WR);
	RUN_UNTIL(s.loop, COUNT(FAILED));
	assert_string_equal(transport_failure(s.t), "tls: closed by peer during the handshake");
	server_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_behind_a_header),
		cmocka_unit_test(test_flood_behind_a_header),
		cmocka_unit_test(test_flood_that_waits),
		cmocka_unit_test(test_end_behind_a_header),
	};

	return cmocka_run_group_tests(tests, certificate_set_up, certificate_tear_down);
}
