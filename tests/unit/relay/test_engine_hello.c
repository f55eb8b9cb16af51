/* From the banner to the first RELAY_READY, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay_dialogue.h"

#define LMTP	 .settings = {.lmtp = true}
#define MAY_TLS	 .settings = {.tls = RELAY_TLS_OPPORTUNISTIC}
#define MUST_TLS .settings = {.tls = RELAY_TLS_REQUIRED}
#define LOGIN	 .settings = {.tls = RELAY_TLS_REQUIRED, .user = "relay", .password = "secret"}

#define START_TLS "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"

static const struct relay_dialogue hello[] = {
	{"ehlo", .script = "S: 220-mx\nS: 220 ready\nC: EHLO gw\nS: 250-mx\nS: 250 SIZE 5\n"
			   "= READY\n= READY\n"},
	{"ehlo, one line", .script = "S: 220\nC: EHLO gw\nS: 250 SIZE\n= READY\n"},
	{"lhlo", LMTP, .script = "S: 220 mx\nC: LHLO gw\nS: 250 mx\n= READY\n"},
	{"helo", .script = "S: 220 mx\nC: EHLO gw\nS: 502 what\nC: HELO gw\nS: 250 mx\n= READY\n"},
	{"helo refused", .script = "S: 220 mx\nC: EHLO gw\nS: 502 what\nC: HELO gw\n"
				   "S: 550 5.7.1 no\n= FAILED REFUSED HELO: 550 5.7.1 no\n"},
	{"ehlo later",
	 .script = "S: 220 mx\nC: EHLO gw\nS: 450 wait\n"
		   "= FAILED REFUSED EHLO: 450 wait\n= FAILED REFUSED EHLO: 450 wait\n"},
	{"no helo in lmtp", LMTP,
	 .script = "S: 220 mx\nC: LHLO gw\nS: 500 what\n"
		   "= FAILED REFUSED EHLO: 500 what\n"},
	/* What a refused EHLO lists counts for nothing. */
	{"refused list", MAY_TLS,
	 .script = "S: 220 mx\nC: EHLO gw\nS: 550-no\nS: 550 STARTTLS\n"
		   "C: HELO gw\nS: 250 mx\n= READY\n"},
	{"banner refuses", .script = "S: 554 5.3.2 no\n"
				     "= FAILED REFUSED the banner: 554 5.3.2 no\n"},
	{"banner 421", .script = "S: 421 4.3.2 busy\n"
				 "= FAILED CLOSING the server closes: 421 4.3.2 busy\n"},
	{"ehlo 421", .script = "S: 220 mx\nC: EHLO gw\nS: 421 busy\n"
			       "= FAILED CLOSING the server closes: 421 busy\n"},
	{"banner 354", .script = "S: 354 go\n= FAILED REFUSED the banner: 354 go\n"},
	{"no smtp", .script = "S: SSH-2.0-x\n= FAILED BROKEN no reply of SMTP\n"},
	{"bare newline", .script = "R: 220 mx\\n\n= FAILED BROKEN no reply of SMTP\n"},
	{"gone at once",
	 .script = "= INPUT\nlost\n"
		   "= FAILED LOST the server has gone before its reply to the banner\n"},
	{"gone in a line", .script =
				   "S: 220 mx\nC: EHLO gw\nR: 250 m\nlost\n"
				   "= FAILED LOST the server has gone before its reply to EHLO\n"},
	{"gone when ready", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nlost\n"
				      "= FAILED LOST the server has gone\n"},
	{"421 when ready", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nS: 421 idle\n"
				     "= FAILED CLOSING the server closes: 421 idle\n"},
	{"unasked, of many lines", .script =
					   "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nS: 250-OK\n"
					   "= FAILED UNASKED a reply to nothing: 250 OK\n"},
	{"unasked", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nS: 250 OK\n"
			      "= FAILED UNASKED a reply to nothing: 250 OK\n"},
	{"quit", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nquit\nC: QUIT\n= INPUT\n"
			   "S: 221 bye\n= CLOSED\n= CLOSED\n"},
	{"quit, gone", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nquit\nC: QUIT\nlost\n"
				 "= CLOSED\n"},
	{"quit, 421", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nquit\nC: QUIT\n"
				"S: 421 bye\n= CLOSED\n"},
	{"quit, junk", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nquit\nC: QUIT\n"
				 "S: bye\n= CLOSED\n"},
};

static const struct relay_dialogue tls[] = {
	{"none wanted", .script = "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 STARTTLS\n= READY\n"},
	{"wanted", MAY_TLS,
	 .script = START_TLS "S: 220 go\n= TLS\n= TLS\ntls\nC: EHLO gw\n"
			     "S: 250 mx\n= READY\n? secure\n"},
	{"not offered", MAY_TLS, .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"the first line lists nothing", MAY_TLS,
	 .script = "S: 220 mx\nC: EHLO gw\nS: 250-STARTTLS\nS: 250 SIZE\n= READY\n"},
	{"refused", MAY_TLS, .script = START_TLS "S: 454 4.7.0 later\n= READY\n"},
	{"421", MAY_TLS,
	 .script = START_TLS "S: 421 4.7.0 later\n"
			     "= FAILED CLOSING the server closes: 421 4.7.0 later\n"},
	{"no sense", MAY_TLS, .script = START_TLS "S: 354 go\n= FAILED TLS STARTTLS: 354 go\n"},
	{"must, not offered", MUST_TLS,
	 .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n"
		   "= FAILED TLS STARTTLS is not offered\n"},
	{"must, helo", MUST_TLS,
	 .script = "S: 220 mx\nC: EHLO gw\nS: 500 what\nC: HELO gw\n"
		   "S: 250 mx\n= FAILED TLS STARTTLS is not offered\n"},
	{"must, refused", MUST_TLS,
	 .script = START_TLS "S: 502 5.5.1 no\n"
			     "= FAILED TLS STARTTLS: 502 5.5.1 no\n"},
	{"gone in the handshake", MAY_TLS,
	 .script = START_TLS "S: 220 go\n= TLS\nlost\n"
			     "= FAILED LOST the server has gone\n"},
	{"ehlo refused under it", MAY_TLS,
	 .script = START_TLS "S: 220 go\n= TLS\ntls\nC: EHLO gw\nS: 502 what\n"
			     "= FAILED REFUSED EHLO: 502 what\n"},
	/* Offered once more: it is not asked for again. */
	{"offered again", MUST_TLS,
	 .script = START_TLS "S: 220 go\n= TLS\ntls\nC: EHLO gw\n"
			     "S: 250-mx\nS: 250 STARTTLS\n= READY\n"},
};

#define SECURE START_TLS "S: 220 go\n= TLS\ntls\nC: EHLO gw\n"

static const struct relay_dialogue login[] = {
	{"plain", LOGIN,
	 .script = SECURE "S: 250-mx\nS: 250 AUTH LOGIN PLAIN\n"
			  "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\n"
			  "S: 235 2.7.0 hello\n= READY\n"},
	{"padding 0", .settings = {.tls = RELAY_TLS_REQUIRED, .user = "ab", .password = "cd"},
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGFiAGNk\nS: 235 ok\n"
			  "= READY\n"},
	{"padding 1", .settings = {.tls = RELAY_TLS_REQUIRED, .user = "ab", .password = "cde"},
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGFiAGNkZQ==\nS: 235 ok\n"
			  "= READY\n"},
	{"padding 2", .settings = {.tls = RELAY_TLS_REQUIRED, .user = "ab", .password = "cdef"},
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGFiAGNkZWY=\nS: 235 ok\n"
			  "= READY\n"},
	{"refused", LOGIN,
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\n"
			  "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 535 5.7.8 no\n"
			  "= FAILED LOGIN AUTH: 535 5.7.8 no\n"},
	{"more wanted", LOGIN,
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\n"
			  "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 334\n"
			  "= FAILED LOGIN AUTH: 334 \n"},
	{"already", LOGIN,
	 .script = SECURE "S: 250-mx\nS: 250 AUTH PLAIN\n"
			  "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 503 already\n"
			  "= FAILED LOGIN AUTH: 503 already\n"},
	{"not offered", LOGIN,
	 .script = SECURE "S: 250-mx\nS: 250 AUTH LOGIN\n"
			  "= FAILED LOGIN AUTH PLAIN is not offered\n"},
	/* Never in clear, whatever the settings say. */
	{"in clear", .settings = {.user = "relay", .password = "secret"},
	 .script = "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 AUTH PLAIN\n"
		   "= FAILED LOGIN no login without TLS\n"},
	{"tls refused", .settings = {.tls = RELAY_TLS_OPPORTUNISTIC, .user = "a", .password = "b"},
	 .script = "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\n"
		   "C: STARTTLS\nS: 454 later\n= FAILED LOGIN no login without TLS\n"},
};

#define FULL                                                                                       \
	"C: XCLIENT NAME=client.example ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP "                     \
	"HELO=he+20lo+3D+2B+FF LOGIN=bob DESTADDR=IPV6:2001:db8::1 DESTPORT=25\n"

static const struct relay_dialogue client[] = {
	{"before the banner",
	 .script = "client\nS: 220 mx\nC: EHLO gw\nS: 250-mx\n"
		   "S: 250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\n" FULL
		   "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 XCLIENT ADDR\n= READY\n"},
	{"its own name", /* and that of another, which is not fit to be said */
	 .script = "client named\nS: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 XCLIENT ADDR\n"
		   "C: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: EHLO laptop.example\n"
		   "S: 250-mx\nS: 250 XCLIENT ADDR\n= READY\nclient\n"
		   "C: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"some attributes", .script = "client\nS: 220 mx\nC: EHLO gw\nS: 250-mx\n"
				      "S: 250 XCLIENT PORT ADDR NEW\n"
				      "C: XCLIENT ADDR=192.0.2.1 PORT=4711\n"
				      "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"unavailable",
	 .script = "client bare\nS: 220 mx\nC: EHLO gw\nS: 250-mx\n"
		   "S: 250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\n"
		   "C: XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::2 PORT=[UNAVAILABLE] "
		   "PROTO=SMTP HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] "
		   "DESTPORT=[UNAVAILABLE]\n"
		   "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"not offered", .script = "client\nS: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"not offered, later", .script = "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\nclient\n"
					 "= READY\n"},
	{"another later",
	 .script = "client\nS: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 XCLIENT ADDR\n"
		   "C: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: EHLO gw\n"
		   "S: 250-mx\nS: 250 XCLIENT ADDR\n= READY\nclient bare\n"
		   "C: XCLIENT ADDR=IPV6:2001:db8::2\nS: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"},
	{"refused", .script = "client\nS: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 XCLIENT ADDR\n"
			      "C: XCLIENT ADDR=192.0.2.1\nS: 550 5.7.0 no\n"
			      "= FAILED REFUSED XCLIENT: 550 5.7.0 no\n"},
	{"lmtp", LMTP,
	 .script = "client\nS: 220 mx\nC: LHLO gw\nS: 250-mx\nS: 250 XCLIENT ADDR\n"
		   "C: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: LHLO gw\nS: 250 mx\n"
		   "= READY\n"},
	{"with a login", LOGIN,
	 .script = "client\n" SECURE "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 XCLIENT ADDR\n"
		   "C: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: EHLO gw\n"
		   "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 XCLIENT ADDR\n"
		   "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 235 ok\n= READY\n"
		   /* and one for whom the login still holds */
		   "client bare\nC: XCLIENT ADDR=IPV6:2001:db8::2\nS: 220 mx\nC: EHLO gw\n"
		   "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 XCLIENT ADDR\n"
		   "C: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 503 already\n= READY\n"
		   "client\nC: XCLIENT ADDR=192.0.2.1\nS: 220 mx\nC: EHLO gw\nS: 250 mx\n"
		   "= READY\n"},
};

#define RUN(table) relay_dialogue_run(table, sizeof(table) / sizeof *(table))

static void test_hello(void **state)
{
	(void)state;
	RUN(hello);
}

static void test_tls(void **state)
{
	(void)state;
	RUN(tls);
}

/* What comes in one piece with the reply to STARTTLS was said in clear. */
static void test_tls_injection(void **state)
{
	const struct relay_engine_settings settings = {.hostname = "gw",
						       .tls = RELAY_TLS_OPPORTUNISTIC};
	struct relay_engine *e = relay_engine_new(&settings);
	struct buf in, out;

	(void)state;
	buf_init(&in, RELAY_IN_MAX);
	buf_init(&out, RELAY_OUT_MAX);
	buf_append_string(&in, "220 mx\r\n");
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_NEED_INPUT);
	buf_append_string(&in, "250-mx\r\n250 STARTTLS\r\n");
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_NEED_INPUT);
	buf_append_string(&in, "220 go\r\n250 AUTH PLAIN\r\n");
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_FAILED);
	assert_int_equal(relay_engine_failure(e), RELAY_FAILURE_BROKEN);
	assert_false(relay_engine_is_secure(e));
	relay_engine_free(&e);
	buf_fini(&in);
	buf_fini(&out);
}

/* Nothing is written in answer to octets that came before the question. */
static void test_unasked(void **state)
{
	const struct relay_engine_settings settings = {.hostname = "gw"};
	struct relay_engine *e = relay_engine_new(&settings);
	struct buf in, out;

	(void)state;
	buf_init(&in, RELAY_IN_MAX);
	buf_init(&out, RELAY_OUT_MAX);
	buf_append_string(&in, "220 mx\r\n250 mx\r\n");
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_FAILED);
	assert_int_equal(relay_engine_failure(e), RELAY_FAILURE_UNASKED);
	assert_int_equal(out.len, 0);
	relay_engine_free(&e);
	relay_engine_free(&e);
	buf_fini(&in);
	buf_fini(&out);
}

static void test_login(void **state)
{
	(void)state;
	RUN(login);
}

static void test_client(void **state)
{
	(void)state;
	RUN(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),	      cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_injection), cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_login),	      cmocka_unit_test(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
