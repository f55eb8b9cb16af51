/* BDAT in the engine. Every script is run at every cut: whatever the octets of a chunk look like,
 * and wherever they are cut, none of them is a command and none is lost. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define OPENED                                                                                     \
	"220 mx.test ESMTP\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
#define BYE "221 2.0.0 mx.test closing connection\r\n"

/* What the client says after RCPT, up to QUIT, and what it gets. */
static void expect_chunks(const struct driver_rule *rule, const char *parameters, const char *lines,
			  const char *replies, const char *messages)
{
	char input[4096], output[4096];
	struct driver_script script = {.input = input};

	if (rule)
		script.rules[0] = *rule;
	script.input_len = (size_t)snprintf(
		input, sizeof input,
		"HELO c\r\nMAIL FROM:<a@b>%s\r\nRCPT TO:<r@example.com>\r\n%sQUIT\r\n", parameters,
		lines);
	snprintf(output, sizeof output, OPENED "%s%s", replies, BYE);
	expect(&script, (struct expected){.output = output, .messages = messages});
}

static void takes_chunks(void **state)
{
	(void)state;
	expect_chunks(NULL, "", "BDAT 6 LAST\r\nx: y\r\n", "250 2.0.0 OK id=T\r\n", "x: y\r\n#");
	expect_chunks(NULL, "", "BDAT 4\r\nx: yBDAT 3\r\n\r\nzBDAT 2 LAST\r\n\r\n",
		      "250 2.0.0 4 octets received\r\n250 2.0.0 3 octets received\r\n"
		      "250 2.0.0 OK id=T\r\n",
		      "x: y\r\nz\r\n#");
	expect_chunks(NULL, "", "BDAT 5\r\nx: y\rBDAT 1\r\n\nBDAT 0 LAST\r\n",
		      "250 2.0.0 5 octets received\r\n250 2.0.0 1 octets received\r\n"
		      "250 2.0.0 OK id=T\r\n",
		      "x: y\r\n#");
	expect_chunks(NULL, "", "BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\n",
		      "250 2.0.0 0 octets received\r\n250 2.0.0 0 octets received\r\n"
		      "250 2.0.0 OK id=T\r\n",
		      "#");
	expect_chunks(NULL, "", "bdat  4  last \r\nx: y", "250 2.0.0 OK id=T\r\n", "x: y#");
}

/* Dots, ends of DATA, commands, octets above 127 and NUL's kin: all of it is the message. */
static void keeps_octets(void **state)
{
	(void)state;
	expect_chunks(
		NULL, "", "BDAT 33 LAST\r\n.\r\n..\r\n.\r\nQUIT\r\nBDAT 5\r\n\x01\xff..\r\n.\r\n",
		"250 2.0.0 OK id=T\r\n", ".\r\n..\r\n.\r\nQUIT\r\nBDAT 5\r\n\x01\xff..\r\n.\r\n#");
}

static void stays_in_the_transaction(void **state)
{
	(void)state;
	expect_chunks(NULL, "",
		      "BDAT 2\r\nx:NOOP\r\nRCPT TO:<s@example.com>\r\nMAIL FROM:<c@d>\r\nDATA\r\n"
		      "VRFY x\r\nBDAT 4 LAST\r\n y\r\n",
		      "250 2.0.0 2 octets received\r\n250 2.0.0 OK\r\n"
		      "503 5.5.1 The message has begun with BDAT\r\n"
		      "503 5.5.1 The sender was already given\r\n"
		      "503 5.5.1 The message has begun with BDAT\r\n"
		      "252 2.5.0 Cannot verify; send some mail\r\n250 2.0.0 OK id=T\r\n",
		      "x: y\r\n#");
}

static void is_cleared(void **state)
{
	static const char *const resets[] = {"RSET\r\n", "HELO d\r\n"};
	static const char *const done[] = {"250 2.0.0 OK\r\n", "250 mx.test\r\n"};
	char lines[512], replies[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(lines, sizeof lines,
			 "BDAT 7\r\nsecret.%sBDAT 6 LAST\r\nRSET\r\nMAIL FROM:<a@b>\r\n"
			 "RCPT TO:<r@example.com>\r\nDATA\r\nx: y\r\n.\r\n",
			 resets[i]);
		snprintf(replies, sizeof replies,
			 "250 2.0.0 7 octets received\r\n%s503 5.5.1 Say MAIL first\r\n"
			 "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
			 "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 OK id=T\r\n",
			 done[i]);
		expect_chunks(NULL, "", lines, replies, "x: y\r\n#");
	}
}

/* The octets behind a refused BDAT are no commands. */
static void skips_refused_chunks(void **state)
{
	struct driver_script script = {SCRIPT(
		"BDAT 6\r\nQUIT\r\nHELO c\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<a@b>\r\n"
		"BDAT 6\r\nQUIT\r\nRCPT TO:<r@elsewhere>\r\nBDAT 6 LAST\r\nQUIT\r\nBDAT 0\r\n"
		"RCPT TO:<r@example.com>\r\nBDAT 4 LAST\r\nx: yQUIT\r\n")};

	(void)state;
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP\r\n503 5.5.1 Say MAIL first\r\n"
					  "250 mx.test\r\n503 5.5.1 Say MAIL first\r\n"
					  "250 2.1.0 Sender OK\r\n503 5.5.1 Say RCPT first\r\n"
					  "550 5.7.1 Relay access denied\r\n"
					  "554 5.5.1 No valid recipients\r\n"
					  "554 5.5.1 No valid recipients\r\n"
					  "250 2.1.5 Recipient OK\r\n250 2.0.0 OK id=T\r\n" BYE,
				.messages = "x: y#",
			});
	script.settings = driver_settings();
	script.settings.require_tls = true;
	script.input = "BDAT 6\r\nQUIT\r\nNOOP\r\n";
	script.input_len = strlen(script.input);
	expect(&script, (struct expected){.output = "220 mx.test ESMTP\r\n"
						    "530 5.7.0 Say STARTTLS first\r\n"
						    "250 2.0.0 OK\r\n"});
}

static void obeys_verdicts(void **state)
{
	struct driver_rule rule = {HOOK_DATA, 1, {.kind = VERDICT_REJECT}};

	(void)state;
	expect_chunks(&rule, "", "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n",
		      "554 5.7.1 Refused by policy\r\n503 5.5.1 Say MAIL first\r\n", "");
	rule.verdict = (struct verdict){.kind = VERDICT_TEMPFAIL};
	expect_chunks(&rule, "", "BDAT 6 LAST\r\nQUIT\r\n",
		      "451 4.7.1 Temporarily refused, try again later\r\n", "");
	rule.hook = HOOK_MESSAGE;
	expect_chunks(&rule, "", "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n",
		      "250 2.0.0 6 octets received\r\n"
		      "451 4.7.1 Temporarily refused, try again later\r\n",
		      "");
}

static void closes_by_verdict(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\nBDAT "
		       "9999999\r\nQUIT\r\n"),
		.rules = {{HOOK_DATA, 1, {.kind = VERDICT_DISCONNECT}}}};

	(void)state;
	expect(&script,
	       (struct expected){.output = OPENED
				 "421 4.7.0 Service not available, closing connection\r\n"});
}

/* The verdict on the handshake is the reply to BDAT too, and its octets are no commands. */
static void obeys_the_secure_hook(void **state)
{
	struct driver_script script = {SCRIPT("STARTTLS\r\n"),
				       SECURE("BDAT 6\r\nNOOP\r\nBDAT 6\r\nNOOP\r\nQUIT\r\n"),
				       .rules = {{HOOK_SECURE, 1, {.kind = VERDICT_REJECT}}}};

	(void)state;
	expect(&script,
	       (struct expected){.output = "220 mx.test ESMTP\r\n220 2.0.0 Ready to start TLS\r\n"
					   "554 5.7.1 Refused by policy\r\n"
					   "503 5.5.1 Refused; say QUIT\r\n" BYE});
}

/* Nobody knows what are octets and what are commands. */
static void closes_when_it_is_lost(void **state)
{
	static const char *const lines[] = {
		"BDAT",
		"BDAT ",
		"BDAT x",
		"BDAT -1",
		"BDAT 5 LASST",
		"BDAT 1 2",
		"BDAT LAST",
		"BDAT 5\t",
		"BDAT 5 LAST\xff",
		"BDAT 5\nLAST",
		"BDAT 18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		for (int open = 0; open < 2; open++) {
			char input[512], output[512];
			struct driver_script script = {.input = input};

			script.input_len = (size_t)snprintf(
				input, sizeof input,
				"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\n%s%s\r\n"
				"QUIT\r\n",
				open ? "BDAT 1\r\nx" : "", lines[i]);
			snprintf(output, sizeof output, OPENED "%s501 5.5.4 Bad chunk size\r\n",
				 open ? "250 2.0.0 1 octets received\r\n" : "");
			expect(&script, (struct expected){.output = output});
		}
	}
}

static void limits_the_size(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\nBDAT "
		       "5\r\n12345BDAT "
		       "5 LAST\r\n67890MAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\nBDAT "
		       "5\r\n12345BDAT 6\r\n67890.BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"),
		.settings = driver_settings()};

	(void)state;
	script.settings.message_size = 10;
	expect(&script, (struct expected){
				.output = OPENED "250 2.0.0 5 octets received\r\n"
						 "250 2.0.0 OK id=T\r\n250 2.1.0 Sender OK\r\n"
						 "250 2.1.5 Recipient OK\r\n"
						 "250 2.0.0 5 octets received\r\n"
						 "552 5.3.4 Message too large\r\n"
						 "503 5.5.1 Say MAIL first\r\n" BYE,
				.messages = "1234567890#",
			});
	/* A chunk that never ends is not stored, and fills nothing. */
	script.input = "HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\n"
		       "BDAT 18446744073709551615 LAST\r\nQUIT\r\nQUIT\r\nQUIT\r\n";
	script.input_len = strlen(script.input);
	script.end = DISCONNECT_DATA_TIMEOUT;
	expect(&script, (struct expected){.output = OPENED
					  "421 4.4.2 mx.test Timeout waiting for the message\r\n"});
}

static void refuses_lone_newlines(void **state)
{
	(void)state;
	expect_chunks(NULL, "", "BDAT 5 LAST\r\nx: y\n",
		      "550 5.6.0 Message has a CR or LF that is no CR LF\r\n", "");
	expect_chunks(NULL, "", "BDAT 5 LAST\r\nx: y\r",
		      "550 5.6.0 Message has a CR or LF that is no CR LF\r\n", "");
	expect_chunks(NULL, "", "BDAT 3\r\nx:\rBDAT 3\r\n y\nBDAT 6 LAST\r\nQUIT\r\n",
		      "250 2.0.0 3 octets received\r\n"
		      "550 5.6.0 Message has a CR or LF that is no CR LF\r\n"
		      "503 5.5.1 Say MAIL first\r\n",
		      "");
	expect_chunks(NULL, " BODY=8BITMIME", "BDAT 5 LAST\r\n\n.\r\n\n",
		      "550 5.6.0 Message has a CR or LF that is no CR LF\r\n", "");
}

/* RFC 3030 section 3 */
static void takes_binary(void **state)
{
	(void)state;
	expect_chunks(NULL, " BODY=BINARYMIME", "BDAT 3\r\nx\r\rBDAT 8 LAST\r\n\n\n.\r\n\x01\xff\r",
		      "250 2.0.0 3 octets received\r\n250 2.0.0 OK id=T\r\n",
		      "x\r\r\n\n.\r\n\x01\xff\r#");
	expect_chunks(NULL, " body=binarymime", "DATA\r\nBDAT 1 LAST\r\nx",
		      "503 5.5.1 BINARYMIME needs BDAT\r\n250 2.0.0 OK id=T\r\n", "x#");
}

static void finds_loops(void **state)
{
	char lines[2048];
	size_t n;

	(void)state;
	/* cut in the middle of a field's name */
	n = (size_t)snprintf(lines, sizeof lines, "BDAT 3\r\nRecBDAT %d\r\neived: x\r\n",
			     10 + 50 * 13);
	for (int i = 0; i < 50; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n, "Received: x\r\n");
	snprintf(lines + n, sizeof lines - n, "BDAT 6 LAST\r\nQUIT\r\n");
	expect_chunks(NULL, "", lines,
		      "250 2.0.0 3 octets received\r\n"
		      "554 5.4.6 Too many hops, this is a mail loop\r\n"
		      "503 5.5.1 Say MAIL first\r\n",
		      "");
}

static void cannot_be_stored(void **state)
{
	struct driver_script script = {SCRIPT("HELO c\r\nMAIL FROM:<a@b>\r\nRCPT "
					      "TO:<r@example.com>\r\nBDAT 9\r\nx: y\r\n12\r"
					      "BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"),
				       .body_room = 5};

	(void)state;
	expect(&script, (struct expected){.output = OPENED "452 4.3.1 No room\r\n"
							   "503 5.5.1 Say MAIL first\r\n" BYE});
}

/* What is reported: the command in each case; DATA for the first, the message for the last. */
static void is_reported(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO c\r\nBDAT 1\r\nxMAIL FROM:<a@b>\r\nRCPT TO:<r@example.com>\r\nBDAT "
		       "1\r\nxBDAT 1\r\n:BDAT 1 LAST\r\nyMAIL FROM:<a@b>\r\nRCPT "
		       "TO:<r@example.com>\r\nBDAT 2 LAST\r\n\n\n")};

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace =
			       "ask connect\nGREETING 220 \"mx.test ESMTP\"\nask ehlo HELO=c\n"
			       "HELO 250 \"mx.test\" line=HELO c helo=c\n"
			       "BDAT 503 5.5.1 \"Say MAIL first\" line=BDAT 1\n"
			       "ask mail client=c address=a@b local=a domain=b\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b "
			       "begun\n"
			       "ask rcpt client=c address=r@example.com local=r domain=example.com "
			       "index=1 accepted=0 from=a@b\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<r@example.com> "
			       "mailbox=r@example.com\n"
			       "ask data client=c from=a@b to=r@example.com\n"
			       "DATA 250 2.0.0 \"1 octets received\" line=BDAT 1 recipients=1\n"
			       "BDAT 250 2.0.0 \"1 octets received\" line=BDAT 1\n"
			       "ask message client=c from=a@b to=r@example.com size=3\ndeliver\n"
			       "MESSAGE 250 2.0.0 \"OK id=T\" line=BDAT 1 LAST ended\n"
			       "ask mail client=c address=a@b local=a domain=b\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b "
			       "begun\n"
			       "ask rcpt client=c address=r@example.com local=r domain=example.com "
			       "index=1 accepted=0 from=a@b\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<r@example.com> "
			       "mailbox=r@example.com\n"
			       "ask data client=c from=a@b to=r@example.com\n"
			       "MESSAGE 550 5.6.0 \"Message has a CR or LF that is no CR LF\" "
			       "line=BDAT 2 LAST violation=bare_newline ended\n"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_chunks),
		cmocka_unit_test(keeps_octets),
		cmocka_unit_test(stays_in_the_transaction),
		cmocka_unit_test(is_cleared),
		cmocka_unit_test(skips_refused_chunks),
		cmocka_unit_test(obeys_verdicts),
		cmocka_unit_test(closes_by_verdict),
		cmocka_unit_test(obeys_the_secure_hook),
		cmocka_unit_test(closes_when_it_is_lost),
		cmocka_unit_test(limits_the_size),
		cmocka_unit_test(refuses_lone_newlines),
		cmocka_unit_test(takes_binary),
		cmocka_unit_test(finds_loops),
		cmocka_unit_test(cannot_be_stored),
		cmocka_unit_test(is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
