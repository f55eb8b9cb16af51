/* DATA, BDAT and the results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay_dialogue.h"

#define HELLO(hello, keyword)                                                                      \
	"S: 220 mx\nC: " hello " gw\nS: 250-mx\nS: 250-PIPELINING\nS: 250 " keyword "\n= READY\n"
#define ONE                                                                                        \
	"begin a@a\nrcpt b@b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nS: 250 ok\nS: 250 ok\n"        \
	"= RECIPIENT 0 250 ok\n"
/* The second is refused. */
#define THREE                                                                                      \
	"begin a@a\nrcpt b@b\nrcpt c@c\nrcpt d@d\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n"          \
	"C: RCPT TO:<c@c>\nC: RCPT TO:<d@d>\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok\n"         \
	"= RECIPIENT 0 250 ok\n= RECIPIENT 1 550 no\n= RECIPIENT 2 250 ok\n"
#define SMTP  HELLO("EHLO", "CHUNKING") ONE
#define LMTP  HELLO("LHLO", "CHUNKING") THREE
#define L     .settings = {.lmtp = true}
#define DATA  "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\\r\\n\nend\nC: a\nC: .\n? unknown\n"
#define CHUNK "send 3 chunking\nC: BDAT 3 LAST\n= BODY\nbody abc\nend\nC| abc\n? unknown\n"

static const struct relay_dialogue data[] = {
	{"accepted", .script = SMTP DATA "= INPUT\nS: 250 2.0.0 queued as 1\n"
					 "= RESULT 0 250 2.0.0 queued as 1\n? known\n= READY\n"},
	{"two messages", .script = SMTP DATA "S: 250 ok\n= RESULT 0 250 ok\n= READY\n" ONE DATA
					     "S: 250 again\n= RESULT 0 250 again\n= READY\n"},
	{"refused", .script = SMTP DATA "S: 550-5.7.1 spam\nS: 550 5.7.1 really\n"
					"= RESULT 0 550 5.7.1 spam\n? known\n= READY\n"},
	{"later", .script = SMTP DATA "S: 451 4.3.0 try\n= RESULT 0 451 4.3.0 try\n= READY\n"},
	{"354 again", .script = SMTP DATA "S: 354 go\n= FAILED BROKEN the message: 354 go\n"
					  "? unknown\n"},
	{"junk", .script = SMTP DATA "S: ok\n= FAILED BROKEN no reply of SMTP\n? unknown\n"},
	/* A 421 is for the relay; the client's session goes on. */
	{"421", .script = SMTP DATA "S: 421 4.3.2 off\n= RESULT 0 451 4.3.2 off\n? known\n"
				    "= FAILED CLOSING the message: 421 4.3.2 off\n"},
	{"gone after the dot", .script = SMTP DATA
			       "lost\n= FAILED LOST the server has gone before its reply to the "
			       "message\n? unknown\n"},
	{"gone in the reply",
	 .script =
		 SMTP DATA "R: 250 o\nlost\n= FAILED LOST the server has gone before its reply to "
			   "the message\n? unknown\n"},
	{"replied and gone", .script = SMTP DATA "S: 250 ok\nlost\n= RESULT 0 250 ok\n? known\n"
						 "= FAILED LOST the server has gone\n"},
	{"gone before the dot", .script = SMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\n"
					       "C| a\nlost\n= FAILED LOST the server has gone\n"
					       "? known\n"},
	{"gone before 354", .script = SMTP "send 3\nC: DATA\nlost\n= FAILED LOST the server has "
					   "gone before its reply to DATA\n? known\n"},
	{"no 354", .script = SMTP "send 3\nC: DATA\nS: 554 5.5.1 no\n= RESULT 0 554 5.5.1 no\n"
				  "? known\nC: RSET\nS: 250 ok\n= READY\n" ONE},
	{"250 for 354", .script = SMTP "send 3\nC: DATA\nS: 250 ok\n= FAILED BROKEN DATA: 250 ok\n"
				       "? known\n"},
	{"421 for 354", .script = SMTP "send 3\nC: DATA\nS: 421 off\n= RESULT 0 451 off\n"
				       "= FAILED CLOSING DATA: 421 off\n"},
	{"refused in the midst",
	 .script = SMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\nC| a\nS: 552 5.3.4 large\n"
			"= RESULT 0 552 5.3.4 large\n? known\n= FAILED UNASKED in the midst of the "
			"message: 552 5.3.4 large\n"},
	{"refused in the midst, with many lines",
	 .script = SMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\nC| a\nS: 552-5.3.4 large\n"
			"= RESULT 0 552 5.3.4 large\n= FAILED UNASKED in the midst of the "
			"message: 552 5.3.4 large\n"},
	{"421 in the midst",
	 .script = SMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\nC| a\nS: 421 4.4.2 slow\n"
			"= RESULT 0 451 4.4.2 slow\n? known\n= FAILED CLOSING in the midst of the "
			"message: 421 4.4.2 slow\n"},
	/* Said before the server could know that the message is whole. */
	{"accepted in the midst",
	 .script = SMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\nC| a\nS: 250 ok\n"
			"= FAILED UNASKED before the end of the message: 250 ok\n? known\n"},
	{"no reset in a message",
	 .script =
		 SMTP "send 3\nreset false\nC: DATA\nreset false\nS: 354 go\n= BODY\nreset false\n"
		      "body a\nend\nC: a\nC: .\nreset false\nS: 250 ok\n= RESULT 0 250 ok\n"
		      "reset\n= READY\n"},
	{"too large",
	 .script = HELLO("EHLO", "SIZE 1000") ONE
	 "send 1001\n= RESULT 0 552 5.3.4 Message too large for the next server\nC: RSET\n"
	 "S: 250 ok\n= READY\n"},
	{"just right", .script = HELLO("EHLO", "SIZE 1000") ONE "send 1000\nC: DATA\n"},
	{"too large, then a reset",
	 .script = HELLO("EHLO", "SIZE 1000") ONE
	 "send 1001\n= RESULT 0 552 5.3.4 Message too large for the next server\nreset\nC: RSET\n"
	 "begin c@c\nrcpt d@d\nC: MAIL FROM:<c@c>\nC: RCPT TO:<d@d>\n"},
};

static const struct relay_dialogue chunks[] = {
	{"accepted", .script = SMTP CHUNK "S: 250 ok\n= RESULT 0 250 ok\n= READY\n"},
	/* The last octet is not told before the caller says that all is well. */
	{"held back", .script = SMTP "send 3 chunking\nC: BDAT 3 LAST\n= BODY\nbody abc\n= BODY\n"
				     "C| ab\n? known\nend\nC| c\n? unknown\n"},
	{"as it is", .script = SMTP
		     "send 9 chunking\nC: BDAT 9 LAST\n= BODY\nbody .\\r\\n.\\r\\n\\n\\0x\n"
		     "end\nC| .\\r\\n.\\r\\n\\n\\0x\nS: 250 ok\n= RESULT 0 250 ok\n"},
	{"refused", .script = SMTP CHUNK "S: 550 no\n= RESULT 0 550 no\nC: RSET\nS: 250 ok\n"
					 "= READY\n" ONE},
	{"refused at once",
	 .script = SMTP "send 3 chunking\nC: BDAT 3 LAST\n= BODY\nS: 554 no\n= RESULT 0 554 no\n"
			"? known\n= FAILED UNASKED in the midst of the message: 554 no\n"},
	{"accepted at once", .script = SMTP
			     "send 3 chunking\nC: BDAT 3 LAST\n= BODY\nbody abc\nC| ab\nS: 250 ok\n"
			     "= FAILED UNASKED before the end of the message: 250 ok\n? known\n"},
	{"gone", .script = SMTP CHUNK "lost\n= FAILED LOST the server has gone before its reply to "
				      "the message\n? unknown\n"},
	{"not offered", .script = HELLO("EHLO", "DSN") ONE "send 3 chunking\nC: DATA\n"},
	{"not wanted", .script = SMTP "send 3\nC: DATA\n"},
	{"of nothing", .script = SMTP "send 0 chunking\nC: DATA\nS: 354 go\n= BODY\nend\nC: .\n"
				      "S: 250 ok\n= RESULT 0 250 ok\n"},
	{"binary", .script =
			   "S: 220 mx\nC: EHLO gw\nS: 250-mx\nS: 250-CHUNKING\nS: 250 BINARYMIME\n"
			   "= READY\nbegin a@a BODY=BINARYMIME\nrcpt b@b\n"
			   "C: MAIL FROM:<a@a> BODY=BINARYMIME\nS: 250 ok\nC: RCPT TO:<b@b>\n"
			   "S: 250 ok\n= RECIPIENT 0 250 ok\nsend 3\nC: BDAT 3 LAST\n"},
};

static const struct relay_dialogue lmtp[] = {
	{"accepted", L,
	 .script = LMTP DATA "S: 250 2.1.5 b\nS: 250 2.1.5 d\n"
			     "= RESULT 0 250 2.1.5 b\n? unknown\n"
			     "= RESULT 2 250 2.1.5 d\n? known\n= READY\n"},
	{"mixed", L,
	 .script = LMTP DATA "S: 452 4.2.2 full\nS: 250 ok\n"
			     "= RESULT 0 452 4.2.2 full\n= RESULT 2 250 ok\n= READY\n"},
	{"chunks", L,
	 .script = LMTP CHUNK "S: 250 b\nS: 250 d\n= RESULT 0 250 b\n"
			      "= RESULT 2 250 d\n= READY\n"},
	{"chunks, mixed", L,
	 .script = LMTP CHUNK "S: 550 b\nS: 250 d\n= RESULT 0 550 b\n"
			      "= RESULT 2 250 d\nC: RSET\nS: 250 ok\n= READY\n"},
	{"no 354", L,
	 .script = LMTP "send 3\nC: DATA\nS: 452 4.3.1 full\n"
			"= RESULT 0 452 4.3.1 full\n= RESULT 2 452 4.3.1 full\nC: RSET\n"
			"S: 250 ok\n= READY\n"},
	{"too large", L,
	 .script = HELLO("LHLO", "SIZE 2") THREE
	 "send 3\n= RESULT 0 552 5.3.4 Message too large for the next server\n"
	 "= RESULT 2 552 5.3.4 Message too large for the next server\nC: RSET\n"},
	{"a reset between results of the engine's own", L,
	 .script = HELLO("LHLO", "SIZE 2") THREE
	 "send 3\n= RESULT 0 552 5.3.4 Message too large for the next server\nreset\nC: RSET\n"
	 "S: 250 ok\n= READY\n" THREE},
	{"in the midst", L,
	 .script = LMTP "send 3\nC: DATA\nS: 354 go\n= BODY\nbody a\nC| a\n"
			"S: 452 full\n= RESULT 0 452 full\n= RESULT 2 452 full\n"
			"= FAILED UNASKED in the midst of the message: 452 full\n"},
	{"gone between", L,
	 .script = LMTP DATA "S: 250 ok\n= RESULT 0 250 ok\nlost\n= FAILED LOST "
			     "the server has gone before its reply to the message\n"
			     "? unknown\n"},
	{"421 between", L,
	 .script = LMTP DATA "S: 250 ok\nS: 421 off\n= RESULT 0 250 ok\n"
			     "= RESULT 2 451 off\n? known\n"
			     "= FAILED CLOSING the message: 421 off\n"},
	/* Nobody has said what became of the other. */
	{"421 first", L,
	 .script = LMTP DATA "S: 421 off\n= RESULT 0 451 off\n? unknown\n"
			     "= FAILED CLOSING the message: 421 off\n"},
};

#define RUN(table) relay_dialogue_run(table, sizeof(table) / sizeof *(table))

static void test_data(void **state)
{
	(void)state;
	RUN(data);
}

static void test_chunks(void **state)
{
	(void)state;
	RUN(chunks);
}

static void test_lmtp(void **state)
{
	(void)state;
	RUN(lmtp);
}

/* What is given, and all that is said of it: dots, and only CRLF. Each row is also given octet by
 * octet. */
static void test_dots(void **state)
{
	static const struct {
		const char *given, *said;
	} rows[] = {
		{"", ".\\r\\n"},
		{"a", "a\\r\\n.\\r\\n"},
		{"a\\r\\n", "a\\r\\n.\\r\\n"},
		{"\\r\\n", "\\r\\n.\\r\\n"},
		{".", "..\\r\\n.\\r\\n"},
		{".\\r\\n", "..\\r\\n.\\r\\n"},
		{"..\\r\\n.a\\r\\nb.\\r\\n", "...\\r\\n..a\\r\\nb.\\r\\n.\\r\\n"},
		{"a\\r\\n\\r\\n.\\r\\n", "a\\r\\n\\r\\n..\\r\\n.\\r\\n"},
		{"\\0\xff\\r\\n", "\\0\xff\\r\\n.\\r\\n"},
		/* smuggling */
		{"a\\n.\\nb", "a\\r\\n..\\r\\nb\\r\\n.\\r\\n"},
		{"a\\n.\\r\\nb", "a\\r\\n..\\r\\nb\\r\\n.\\r\\n"},
		{"a\\r.\\rb", "a\\r\\n..\\r\\nb\\r\\n.\\r\\n"},
		{"a\\r.\\r\\nb", "a\\r\\n..\\r\\nb\\r\\n.\\r\\n"},
		{"a\\r\\n.\\r", "a\\r\\n..\\r\\n.\\r\\n"},
		{"a\\r\\r\\n", "a\\r\\n\\r\\n.\\r\\n"},
		{"a\\r", "a\\r\\n.\\r\\n"},
		{"\\n\\r", "\\r\\n\\r\\n.\\r\\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char script[2048];
		struct relay_dialogue dialogue = {"dots", .script = script};

		snprintf(script, sizeof script,
			 SMTP "send 9\nC: DATA\nS: 354 go\n= BODY\nbody %s\nend\nC| %s\n= INPUT\n"
			      "S: 250 ok\n= RESULT 0 250 ok\n= READY\n",
			 rows[i].given, rows[i].said);
		relay_dialogue_run(&dialogue, 1);
	}
}

struct pair {
	struct relay_engine *e;
	struct buf in, out;
};

static enum relay_step say(struct pair *p, const char *text)
{
	buf_append_string(&p->in, text);
	return relay_engine_step(p->e, &p->in, &p->out);
}

/* An engine that waits for the body. */
static void open_body(struct pair *p, const struct relay_engine_settings *settings,
		      const char *keyword, uint64_t size)
{
	const struct hook_mailbox mailbox = {.address = {"a@a", 3}};

	buf_init(&p->in, RELAY_IN_MAX);
	buf_init(&p->out, RELAY_OUT_MAX);
	p->e = relay_engine_new(settings);
	say(p, "220 mx\r\n");
	buf_append_string(&p->in, "250-mx\r\n250 ");
	buf_append_string(&p->in, keyword);
	assert_int_equal(say(p, "\r\n"), RELAY_READY);
	relay_engine_begin(p->e, &mailbox);
	relay_engine_recipient(p->e, &mailbox);
	assert_int_equal(say(p, ""), RELAY_NEED_INPUT);
	assert_int_equal(say(p, "250 ok\r\n"), RELAY_NEED_INPUT);
	assert_int_equal(say(p, "250 ok\r\n"), RELAY_GOT_RECIPIENT);
	relay_engine_send(p->e, size, true);
	if (say(p, "") == RELAY_NEED_INPUT)
		assert_int_equal(say(p, "354 go\r\n"), RELAY_NEED_BODY);
	buf_consume(&p->out, p->out.len);
}

static void close_pair(struct pair *p)
{
	relay_engine_free(&p->e);
	buf_fini(&p->in);
	buf_fini(&p->out);
}

/* Gives all while `out` is emptied only when nothing is taken any more, and compares. */
static void give_all(struct pair *p, const char *given, size_t len, const char *want,
		     size_t want_len)
{
	size_t at = 0, seen = 0;
	bool ended = false;

	while (seen < want_len) {
		size_t n = at < len ? relay_engine_body(p->e, &p->out, given + at, len - at) : 0;

		at += n;
		if (n)
			continue;
		if (at == len && !ended) {
			relay_engine_body_end(p->e);
			ended = true;
		}
		if (ended)
			assert_int_equal(say(p, ""), RELAY_NEED_INPUT);
		assert_true(p->out.len && !p->out.overflow && seen + p->out.len <= want_len);
		assert_memory_equal(buf_head(&p->out), want + seen, p->out.len);
		seen += p->out.len;
		if (seen == want_len)
			assert_true(relay_engine_outcome_unknown(p->e));
		buf_consume(&p->out, p->out.len);
	}
	assert_int_equal(at, len);
}

static void test_backpressure(void **state)
{
	static const struct relay_engine_settings settings = {.hostname = "gw"};
	enum { LINES = 100000, LEN = LINES * 3 };
	char *given = malloc(LEN), *want = malloc(LINES * 4 + 3);
	struct pair p;

	(void)state;
	for (size_t i = 0; i < LINES; i++) {
		memcpy(given + i * 3, ".\r\n", 3);
		memcpy(want + i * 4, "..\r\n", 4);
	}
	memcpy(want + LINES * 4, ".\r\n", 3);
	open_body(&p, &settings, "DSN", LEN);
	give_all(&p, given, LEN, want, LINES * 4 + 3);
	assert_int_equal(say(&p, "250 ok\r\n"), RELAY_GOT_RESULT);
	close_pair(&p);
	open_body(&p, &settings, "CHUNKING", LEN);
	give_all(&p, given, LEN, given, LEN);
	assert_int_equal(say(&p, "250 ok\r\n"), RELAY_GOT_RESULT);
	close_pair(&p);
	free(given);
	free(want);
}

/* A success that comes while the end has not left is none. */
static void test_success_too_early(void **state)
{
	static const struct relay_engine_settings settings = {.hostname = "gw"};
	struct pair p;

	(void)state;
	open_body(&p, &settings, "DSN", 3);
	relay_engine_body(p.e, &p.out, "abc", 3);
	relay_engine_body_end(p.e);
	assert_int_equal(say(&p, "250 o"), RELAY_NEED_INPUT);
	assert_false(relay_engine_outcome_unknown(p.e));
	assert_int_equal(say(&p, "k\r\n"), RELAY_FAILED);
	assert_false(relay_engine_outcome_unknown(p.e));
	close_pair(&p);
	open_body(&p, &settings, "DSN", 3);
	relay_engine_body(p.e, &p.out, "abc", 3);
	relay_engine_body_end(p.e);
	assert_int_equal(say(&p, ""), RELAY_NEED_INPUT);
	assert_true(relay_engine_outcome_unknown(p.e));
	assert_int_equal(say(&p, "250 ok\r\n"), RELAY_FAILED);
	assert_int_equal(relay_engine_failure(p.e), RELAY_FAILURE_UNASKED);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),	     cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_lmtp),	     cmocka_unit_test(test_dots),
		cmocka_unit_test(test_backpressure), cmocka_unit_test(test_success_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
