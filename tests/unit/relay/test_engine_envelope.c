/* MAIL, RCPT and RSET. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay_dialogue.h"

#define PLAIN "S: 220 mx\nC: EHLO gw\nS: 250 mx\n= READY\n"
#define PIPE  "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 PIPELINING\n= READY\n"
#define HAS(keyword)                                                                               \
	"S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250-PIPELINING\nS: 250 " keyword "\n= READY\n"
#define MUST_TLS .settings = {.tls = RELAY_TLS_REQUIRED}
#define SECURE	 "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n= TLS\n"

static const struct relay_dialogue recipients[] = {
	{"one after the other",
	 .script = PLAIN "begin a@a\n= READY\nrcpt b@b\nC: MAIL FROM:<a@a>\n= INPUT\n? unanswered\n"
			 "S: 250 2.1.0 fine\nC: RCPT TO:<b@b>\n? answered\n= INPUT\n"
			 "S: 250 2.1.5 good\n= RECIPIENT 0 250 2.1.5 good\n= READY\n? accepted 1\n"
			 "rcpt c@c\nC: RCPT TO:<c@c>\nS: 550 5.1.1 no\n= RECIPIENT 1 550 5.1.1 no\n"
			 "rcpt d@d\nC: RCPT TO:<d@d>\nS: 251 elsewhere\n"
			 "= RECIPIENT 2 251 elsewhere\n= READY\n? accepted 2\n"},
	{"pipelined", .script = PIPE
		      "begin <>\nrcpt b@b\nC: MAIL FROM:<>\nC: RCPT TO:<b@b>\nS: 250 ok\n"
		      "S: 250 ok\n= RECIPIENT 0 250 ok\n= READY\n"},
	{"several at once", .script = PIPE
			    "begin a@a\nrcpt b@b\nrcpt c@c\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
			    "C: RCPT TO:<c@c>\nS: 250 ok\nS: 452 4.5.3 many\nS: 250 ok\n"
			    "= RECIPIENT 0 452 4.5.3 many\n= RECIPIENT 1 250 ok\n= READY\n"
			    "? accepted 1\n"},
	{"several, not pipelined",
	 .script = PLAIN "begin a@a\nrcpt b@b\nrcpt c@c\nC: MAIL FROM:<a@a>\nS: 250 ok\n"
			 "C: RCPT TO:<b@b>\nS: 250 ok\n= RECIPIENT 0 250 ok\nC: RCPT TO:<c@c>\n"
			 "S: 250 ok\n= RECIPIENT 1 250 ok\n= READY\n"},
	{"sender refused", .script = PIPE
			   "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
			   "S: 550 5.7.1 no\nS: 503 5.5.1 MAIL first\n= RECIPIENT 0 550 5.7.1 no\n"
			   "rcpt c@c\n= RECIPIENT 1 550 5.7.1 no\n= READY\n? accepted 0\n"},
	/* Whatever the server says of its recipients. */
	{"sender refused, recipient accepted",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
			"S: 450 later\nS: 250 ok\n= RECIPIENT 0 450 later\n? accepted 0\n"},
	{"sender refused, not pipelined",
	 .script = PLAIN "begin a@a\nrcpt b@b\nrcpt c@c\nC: MAIL FROM:<a@a>\nS: 550 no\n"
			 "= RECIPIENT 0 550 no\n= RECIPIENT 1 550 no\n= READY\n"},
	{"mail 354", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				    "S: 354 go\n= FAILED BROKEN MAIL: 354 go\n"},
	{"rcpt 354", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				    "S: 250 ok\nS: 354 go\n= FAILED BROKEN RCPT: 354 go\n"},
	{"rcpt 421", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				    "S: 250 ok\nS: 421 4.3.2 off\n"
				    "= FAILED CLOSING the server closes: 421 4.3.2 off\n"},
	{"mail 421", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				    "S: 421 off\n? unanswered\n"
				    "= FAILED CLOSING the server closes: 421 off\n"},
	{"mail broken", .script =
				PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\n"
				     "C: RCPT TO:<b@b>\nS: ok\n= FAILED BROKEN no reply of SMTP\n"},
	{"gone before any answer",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nlost\n"
			"= FAILED LOST the server has gone before its reply to MAIL\n? unanswered\n"
			"? known\n"},
	{"gone after an answer",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 250 ok\n"
			"lost\n= FAILED LOST the server has gone before its reply to RCPT\n"
			"? answered\n"},
	{"answered, then gone",
	 .script =
		 PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 250 ok\n"
		      "S: 250 ok\nlost\n= RECIPIENT 0 250 ok\n= FAILED LOST the server has gone\n"},
	{"quoted", .script = PIPE "begin \"x>y\"@a\nrcpt b@b\nC: MAIL FROM:<\"x>y\"@a>\n"
				  "C: RCPT TO:<b@b>\n"},
};

static const struct relay_dialogue resets[] = {
	{"nothing was said", .script = PIPE "begin a@a\nreset\n= READY\n"},
	{"no transaction", .script = PIPE "reset\n= READY\n"},
	{"plain", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				 "S: 250 ok\nS: 250 ok\n= RECIPIENT 0 250 ok\nreset\nC: RSET\n"
				 "S: 250 ok\n= READY\nbegin c@c\nrcpt d@d\nC: MAIL FROM:<c@c>\n"
				 "C: RCPT TO:<d@d>\n? unanswered\nS: 250 ok\nS: 250 ok\n"
				 "= RECIPIENT 0 250 ok\n"},
	{"envelope anew, pipelined",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 250 ok\n"
			"S: 250 ok\n= RECIPIENT 0 250 ok\nreset\nbegin c@c\nrcpt d@d\nrcpt e@e\n"
			"C: RSET\nC: MAIL FROM:<c@c>\nC: RCPT TO:<d@d>\nC: RCPT TO:<e@e>\n"
			"S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 550 no\n= RECIPIENT 0 250 ok\n"
			"= RECIPIENT 1 550 no\n= READY\n? accepted 1\n"},
	{"with open recipients",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nreset\n"
			"begin c@c\nrcpt d@d\nC: RSET\nC: MAIL FROM:<c@c>\nC: RCPT TO:<d@d>\n"
			"S: 550 no\nS: 250 old\nS: 250 ok\nS: 250 ok\nS: 250 new\n"
			"= RECIPIENT 0 250 new\n? accepted 1\n"},
	{"with open recipients, not pipelined",
	 .script = PLAIN "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nreset\nbegin c@c\nrcpt d@d\n"
			 "S: 250 ok\nC: RSET\nS: 250 ok\nC: MAIL FROM:<c@c>\nS: 250 ok\n"
			 "C: RCPT TO:<d@d>\nS: 250 ok\n= RECIPIENT 0 250 ok\n"},
	{"twice", .script =
			  PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nreset\n"
			       "begin c@c\nreset\nreset\nC: RSET\nS: 250 ok\nS: 250 ok\nS: 250 ok\n"
			       "= READY\n"},
	{"after a refused sender",
	 .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 550 no\n"
			"S: 550 no\n= RECIPIENT 0 550 no\nreset\nC: RSET\nS: 250 ok\n= READY\n"
			"begin c@c\nrcpt d@d\nC: MAIL FROM:<c@c>\nC: RCPT TO:<d@d>\nS: 250 ok\n"
			"S: 250 ok\n= RECIPIENT 0 250 ok\n"},
	{"refused", .script = PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"
				   "S: 250 ok\nS: 250 ok\n= RECIPIENT 0 250 ok\nreset\nC: RSET\n"
				   "S: 500 what\n= FAILED BROKEN RSET: 500 what\n"},
	{"421 in what nobody waits for",
	 .script =
		 PIPE "begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nreset\nC: RSET\n"
		      "S: 250 ok\nS: 421 off\n= FAILED CLOSING the server closes: 421 off\n"},
};

static const struct relay_dialogue parameters[] = {
	{"left out", .script = PIPE "begin a@a SIZE=5 RET=HDRS ENVID=x AUTH=<> BODY=7BIT\n"
				    "rcpt b@b NOTIFY=NEVER ORCPT=rfc822;b@b\nC: MAIL FROM:<a@a>\n"
				    "C: RCPT TO:<b@b>\n"},
	{"dsn", .script = HAS("DSN") "begin a@a SIZE=5 ret=HDRS ENVID=x\n"
				     "rcpt b@b NOTIFY=NEVER orcpt=rfc822;b@b\n"
				     "C: MAIL FROM:<a@a> RET=HDRS ENVID=x\n"
				     "C: RCPT TO:<b@b> NOTIFY=NEVER ORCPT=rfc822;b@b\n"},
	{"size is never told", .script = HAS("SIZE 1000") "begin a@a SIZE=5\nrcpt b@b\n"
							  "C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"},
	{"8bit", .script = HAS("8BITMIME") "begin a@a BODY=8BITMIME\nrcpt b@b\n"
					   "C: MAIL FROM:<a@a> BODY=8BITMIME\nC: RCPT TO:<b@b>\n"},
	{"7bit", .script = HAS("8BITMIME") "begin a@a BODY=7BIT\nrcpt b@b\n"
					   "C: MAIL FROM:<a@a> BODY=7BIT\nC: RCPT TO:<b@b>\n"},
	{"8bit, lacking", .script = PIPE "begin a@a BODY=8BITMIME\nrcpt b@b\n"
					 "= RECIPIENT 0 554 5.6.3 The next server does not take "
					 "this kind of body\n= READY\nreset\n= READY\n"},
	{"binary", .script =
			   "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250-PIPELINING\nS: 250-CHUNKING\n"
			   "S: 250 BINARYMIME\n= READY\nbegin a@a BODY=BINARYMIME\nrcpt b@b\n"
			   "C: MAIL FROM:<a@a> BODY=BINARYMIME\nC: RCPT TO:<b@b>\n"},
	{"binary, lacking chunks",
	 .script = HAS("BINARYMIME") "begin a@a BODY=BINARYMIME\nrcpt b@b\n= RECIPIENT 0 554 5.6.3 "
				     "The next server does not take this kind of body\n"},
	{"utf8", .script = HAS("SMTPUTF8") "begin \xc3\xa4@a SMTPUTF8\nrcpt \xc3\xb6@b\n"
					   "C: MAIL FROM:<\xc3\xa4@a> SMTPUTF8\n"
					   "C: RCPT TO:<\xc3\xb6@b>\n"},
	{"utf8, lacking", .script =
				  PIPE "begin \xc3\xa4@a SMTPUTF8\nrcpt b@b\nrcpt c@c\n"
				       "= RECIPIENT 0 553 5.6.7 The next server has no SMTPUTF8\n"
				       "= RECIPIENT 1 553 5.6.7 The next server has no SMTPUTF8\n"},
	{"utf8 for the header, lacking",
	 .script = PIPE "begin a@a SMTPUTF8\nrcpt b@b\n"
			"= RECIPIENT 0 553 5.6.7 The next server has no SMTPUTF8\n"},
	{"utf8 recipient without the parameter",
	 .script =
		 HAS("SMTPUTF8") "begin a@a\nrcpt \xc3\xb6@b\n= RECIPIENT 0 553 5.6.7 The next "
				 "server has no SMTPUTF8\n= READY\nrcpt b@b\nC: MAIL FROM:<a@a>\n"
				 "C: RCPT TO:<b@b>\nS: 250 ok\nS: 250 ok\n= RECIPIENT 1 250 ok\n"},
	{"a refusal among others keeps its place",
	 .script = HAS("SMTPUTF8") "begin a@a\nrcpt b@b\nrcpt \xc3\xb6@b\nrcpt c@c\n"
				   "C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nC: RCPT TO:<c@c>\n"
				   "S: 250 ok\nS: 250 ok\nS: 250 ok\n= RECIPIENT 0 250 ok\n"
				   "= RECIPIENT 1 553 5.6.7 The next server has no SMTPUTF8\n"
				   "= RECIPIENT 2 250 ok\n= READY\n? accepted 2\n"},
	{"requiretls", MUST_TLS,
	 .script = SECURE "tls verified\nC: EHLO gw\nS: 250-mx\nS: 250 REQUIRETLS\n= READY\n"
			  "begin a@a REQUIRETLS\nrcpt b@b\nC: MAIL FROM:<a@a> REQUIRETLS\n"},
	{"requiretls, not verified", MUST_TLS,
	 .script = SECURE "tls\nC: EHLO gw\nS: 250-mx\nS: 250 REQUIRETLS\n= READY\n"
			  "begin a@a REQUIRETLS\nrcpt b@b\n"
			  "= RECIPIENT 0 550 5.7.30 The next server has no REQUIRETLS\n"},
	{"requiretls, lacking", MUST_TLS,
	 .script = SECURE "tls verified\nC: EHLO gw\nS: 250 mx\n= READY\nbegin a@a REQUIRETLS\n"
			  "rcpt b@b\n= RECIPIENT 0 550 5.7.30 The next server has no REQUIRETLS\n"},
	{"requiretls, in clear",
	 .script =
		 HAS("REQUIRETLS") "begin a@a REQUIRETLS\nrcpt b@b\n"
				   "= RECIPIENT 0 550 5.7.30 The next server has no REQUIRETLS\n"},
	{"unknown", .script = PIPE "begin a@a\nrcpt b@b NEW=1\n"
				   "= RECIPIENT 0 555 5.5.4 Parameter not known to the relay\n"},
	{"unsafe sender", .script = PIPE "begin a\r@a\nrcpt b@b\n"
					 "= RECIPIENT 0 501 5.1.7 Bad address syntax\n"},
	{"unsafe recipient", .script = PIPE "begin a@a\nrcpt b\x7f@b\n"
					    "= RECIPIENT 0 501 5.1.3 Bad address syntax\n"},
	{"unsafe value", .script = HAS("DSN") "begin a@a ENVID=a\tb\nrcpt b@b\n= RECIPIENT 0 555 "
					      "5.5.4 Parameter not known to the relay\n"},
	{"helo has nothing", .script = "S: 220 mx\nC: EHLO gw\nS: 500 what\nC: HELO gw\n"
				       "S: 250-mx\nS: 250 DSN\n= READY\nbegin a@a RET=FULL\n"
				       "rcpt b@b\nC: MAIL FROM:<a@a>\nS: 250 ok\n"
				       "C: RCPT TO:<b@b>\n"},
};

#define RUN(table) relay_dialogue_run(table, sizeof(table) / sizeof *(table))

static void test_recipients(void **state)
{
	(void)state;
	RUN(recipients);
}

static void test_resets(void **state)
{
	(void)state;
	RUN(resets);
}

static void test_parameters(void **state)
{
	(void)state;
	RUN(parameters);
}

/* More commands than `out` holds: they wait for room, none is lost or cut. */
static void test_out_full(void **state)
{
	static const struct relay_engine_settings settings = {.hostname = "gw"};
	const struct hook_mailbox mailbox = {.address = {"a@a", 3}};
	struct relay_engine *e = relay_engine_new(&settings);
	struct buf in, out;
	size_t octets = 0;
	enum { RECIPIENTS = 10000 };

	(void)state;
	buf_init(&in, RELAY_IN_MAX);
	buf_init(&out, RELAY_OUT_MAX);
	buf_append_string(&in, "220 mx\r\n");
	relay_engine_step(e, &in, &out);
	buf_append_string(&in, "250-mx\r\n250 PIPELINING\r\n");
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_READY);
	buf_consume(&out, out.len);
	relay_engine_begin(e, &mailbox);
	for (unsigned i = 0; i < RECIPIENTS; i++)
		relay_engine_recipient(e, &mailbox);
	do {
		assert_int_equal(relay_engine_step(e, &in, &out), RELAY_NEED_INPUT);
		assert_false(out.overflow);
		octets += out.len;
		buf_consume(&out, out.len);
	} while (octets < strlen("MAIL FROM:<a@a>\r\n") + RECIPIENTS * strlen("RCPT TO:<a@a>\r\n"));
	buf_append_string(&in, "250 ok\r\n");
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		buf_append_string(&in, "250 ok\r\n");
		assert_int_equal(relay_engine_step(e, &in, &out), RELAY_GOT_RECIPIENT);
		assert_int_equal(relay_engine_result(e)->index, i);
	}
	assert_int_equal(relay_engine_step(e, &in, &out), RELAY_READY);
	assert_int_equal(out.len, 0);
	relay_engine_free(&e);
	buf_fini(&in);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_out_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
