/* smtp_edit(): the changes of the envelope, all or none. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define UMLAUT	  "\xc3\xa4"
#define EDITS_MAX 4

static const char plain[] = "HELO c\r\nMAIL FROM:<a@b.example> SIZE=9 BODY=8BITMIME\r\n"
			    "RCPT TO:<one@example.com>\r\nRCPT TO:<two@EXAMPLE.com>\r\n"
			    "RCPT TO:<\"t h\"@other.example>\r\nDATA\r\nx\r\n.\r\n";
static const char smtputf8[] = "EHLO c\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\nRCPT "
			       "TO:<one@example.com>\r\nDATA\r\nx\r\n.\r\n";

/* An engine whose next question is at `hook`, and what it needs. */
struct fixture {
	struct smtp_settings settings;
	struct smtp *smtp;
	struct buf in, out;
};

/* Answers with an accept until the hook is asked; says whether it came to that. */
static bool run_to(struct fixture *f, enum hook hook)
{
	struct verdict accept = {.kind = VERDICT_ACCEPT};

	for (;;) {
		switch (smtp_step(f->smtp, &f->in, &f->out)) {
		case SMTP_NEED_VERDICT:
			if (smtp_hook(f->smtp) == hook)
				return true;
			smtp_verdict(f->smtp, &accept);
			break;
		case SMTP_GOT_BODY:
		case SMTP_GOT_REPLY:
			break;
		default:
			return false;
		}
	}
}

static void set_up(struct fixture *f, const char *input, enum hook hook, bool relay)
{
	f->settings = driver_settings();
	f->settings.recipients = 4;
	f->smtp = smtp_new(&f->settings);
	if (relay)
		smtp_allow_relay(f->smtp);
	buf_init(&f->in, SMTP_IN_MAX);
	buf_init(&f->out, SMTP_OUT_MAX);
	buf_append_string(&f->in, input);
	assert_true(run_to(f, hook));
}

static void tear_down(struct fixture *f)
{
	smtp_free(&f->smtp);
	buf_fini(&f->in);
	buf_fini(&f->out);
}

static void add_octets(struct buf *out, const char *before, struct octets octets)
{
	buf_append_string(out, before);
	if (octets.len)
		buf_append(out, octets.data, octets.len);
}

/* "sender NAME=VALUE > recipient recipient" */
static const char *show(const struct fixture *f, struct buf *out)
{
	struct hook_request request = {0};
	const struct hook_mailbox *mail;

	smtp_describe(f->smtp, &request);
	mail = smtp_hook(f->smtp) == HOOK_MAIL ? request.mailbox : request.context.mail;
	buf_init(out, 10000);
	add_octets(out, "", mail->address);
	assert_ptr_equal(mail->domain.data + mail->domain.len,
			 mail->address.data + mail->address.len);
	for (size_t i = 0; i < mail->params_len; i++) {
		add_octets(out, " ", mail->params[i].name);
		if (mail->params[i].value.data)
			add_octets(out, "=", mail->params[i].value);
	}
	buf_append_string(out, " >");
	for (size_t i = 0; i < request.context.recipients_len; i++)
		add_octets(out, " ", request.context.recipients[i].address);
	return driver_text(out);
}

#define NINE " SIZE=9 BODY=8BITMIME > "
#define ONE  "one@example.com"
#define TWO  "two@EXAMPLE.com"
#define TH   "\"t h\"@other.example"
#define ALL  ONE " " TWO " " TH
#define SAME "a@b.example" NINE ALL

struct edits {
	char text[200];
	struct edit list[EDITS_MAX];
	size_t len;
};

static void read_edits(const char *text, struct edits *edits)
{
	static const struct {
		const char *word;
		enum edit_kind kind;
	} words[] = {{"set ", EDIT_SET_SENDER},
		     {"add ", EDIT_ADD_RECIPIENT},
		     {"drop ", EDIT_DROP_RECIPIENT},
		     {"header ", EDIT_ADD_HEADER}};
	char *rest = edits->text, *part;

	edits->len = 0;
	snprintf(edits->text, sizeof edits->text, "%s", text);
	while (*text && (part = strsep(&rest, "|"))) {
		struct edit *edit = &edits->list[edits->len++];
		size_t i = 0;

		assert_true(edits->len <= EDITS_MAX);
		while (strncmp(part, words[i].word, strlen(words[i].word)) != 0)
			assert_true(++i < sizeof words / sizeof *words);
		part += strlen(words[i].word);
		*edit = (struct edit){.kind = words[i].kind, .value = part, .name = part};
		if (edit->kind == EDIT_DROP_RECIPIENT)
			edit->nth = (unsigned)atoi(part);
	}
}

static const char *edit(struct fixture *f, const char *text, char *problem, size_t size)
{
	struct edits edits;

	read_edits(text, &edits);
	return smtp_edit(f->smtp, edits.list, edits.len, problem, size);
}

struct row {
	enum hook hook;
	const char *edits;   /* "set ADDRESS|add ADDRESS|drop PLACE" */
	const char *problem; /* NULL: none */
	const char *after;
};

static void check(const struct row *row, const char *input, bool relay)
{
	struct fixture f;
	struct buf before, after;
	char problem[200] = "";
	const char *found;

	set_up(&f, input, row->hook, relay);
	show(&f, &before);
	found = edit(&f, row->edits, problem, sizeof problem);
	show(&f, &after);
	if (!found != !row->problem || (found && strcmp(found, row->problem) != 0))
		fail_msg("problem: %s\nexpected: %s", found, row->problem);
	for (const char *at = problem; *at; at++)
		assert_in_range(*at, ' ', '~');
	/* All or none. */
	assert_string_equal(driver_text(&after), found ? driver_text(&before) : row->after);
	buf_fini(&before);
	buf_fini(&after);
	tear_down(&f);
}

static void test_made(void **state)
{
	static const struct row table[] = {
		{HOOK_MESSAGE, "", NULL, SAME},
		{HOOK_MESSAGE, "header X", NULL, SAME},
		/* the parameters of MAIL stay */
		{HOOK_MESSAGE, "set c@d.example", NULL, "c@d.example" NINE ALL},
		{HOOK_MESSAGE, "set ", NULL, NINE ALL},
		{HOOK_MESSAGE, "set \"x y\"@d.example", NULL, "\"x y\"@d.example" NINE ALL},
		{HOOK_MESSAGE, "set c@d.example|set e@f.example", NULL, "e@f.example" NINE ALL},
		{HOOK_DATA, "set c@[192.0.2.1]", NULL, "c@[192.0.2.1]" NINE ALL},
		{HOOK_MESSAGE, "add new@example.com", NULL,
		 "a@b.example" NINE ALL " new@example.com"},
		{HOOK_DATA, "add postmaster", NULL, "a@b.example" NINE ALL " postmaster"},
		/* places are those that were shown */
		{HOOK_MESSAGE, "drop 1", NULL, "a@b.example" NINE TWO " " TH},
		{HOOK_MESSAGE, "drop 3|drop 1", NULL, "a@b.example" NINE TWO},
		{HOOK_DATA, "drop 1|drop 2", NULL, "a@b.example" NINE TH},
		/* who is there already is not added: the local part has case, the domain has not */
		{HOOK_MESSAGE, "add two@example.COM|add \"one\"@example.com", NULL, SAME},
		{HOOK_MESSAGE, "add Two@example.com", NULL,
		 "a@b.example" NINE ALL " Two@example.com"},
		{HOOK_MESSAGE, "add x@example.com|add x@example.com", NULL,
		 "a@b.example" NINE ALL " x@example.com"},
		/* drops come before additions, in whatever order they are written */
		{HOOK_MESSAGE,
		 "add " ONE "|"
		 "drop 1",
		 NULL, "a@b.example" NINE TWO " " TH " " ONE},
		{HOOK_MESSAGE, "drop 1|drop 2|drop 3|add x@example.com", NULL,
		 "a@b.example" NINE "x@example.com"},
		{HOOK_MESSAGE, "drop 1|add x@example.com|add y@example.com", NULL,
		 "a@b.example" NINE TWO " " TH " x@example.com y@example.com"},
		{HOOK_MESSAGE, "set c@d.example|header X|drop 2|add x@example.com", NULL,
		 "c@d.example" NINE ONE " " TH " x@example.com"},
		{HOOK_MAIL, "set c@d.example", NULL, "c@d.example SIZE=9 BODY=8BITMIME >"},
		{HOOK_MAIL, "set ", NULL, " SIZE=9 BODY=8BITMIME >"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check(&table[i], plain, false);
}

#define NOT_ADDRESS "not an address"
#define NO_UTF8	    "a non-ASCII address needs SMTPUTF8, which MAIL did not say"
#define NO_RELAY    "relaying is not allowed for this client"

/* Each with a good edit before or behind it, of which nothing may be seen. */
static void test_refused(void **state)
{
	static const struct row table[] = {
		{HOOK_MESSAGE, "set x@d.example|set c", "set_sender <c>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "set c d@e.example|drop 1",
		 "set_sender <c d@e.example>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "drop 1|set <c@d.example>",
		 "set_sender <<c@d.example>>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "set c@d.example> SIZE=1|drop 1",
		 "set_sender <c@d.example> SIZE=1>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "set postmaster|drop 1", "set_sender <postmaster>: " NOT_ADDRESS,
		 NULL},
		{HOOK_MESSAGE, "set @r.example:c@d.example|drop 1",
		 "set_sender <@r.example:c@d.example>: a source route is no part of an address",
		 NULL},
		{HOOK_MESSAGE, "set c\r\nDATA@d.example|drop 1",
		 "set_sender <c\\u000d\\u000aDATA@d.example>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "set " UMLAUT "@d.example|drop 1",
		 "set_sender <\\u00c3\\u00a4@d.example>: " NO_UTF8, NULL},
		{HOOK_MESSAGE, "set x@d.example|add ", "add_recipient <>: " NOT_ADDRESS, NULL},
		{HOOK_MESSAGE, "set x@d.example|add bob@else.org",
		 "add_recipient <bob@else.org>: " NO_RELAY, NULL},
		{HOOK_DATA, "add x@example.com|add bob@else.org",
		 "add_recipient <bob@else.org>: " NO_RELAY, NULL},
		{HOOK_MESSAGE, "drop 1|add " UMLAUT "@example.com",
		 "add_recipient <\\u00c3\\u00a4@example.com>: " NO_UTF8, NULL},
		{HOOK_MESSAGE, "add x@example.com|add y@example.com",
		 "add_recipient: 5 recipients are more than 4", NULL},
		{HOOK_MESSAGE, "drop 1|drop 0", "drop_recipient 0: there are 3 recipients", NULL},
		{HOOK_MESSAGE, "drop 1|drop 4", "drop_recipient 4: there are 3 recipients", NULL},
		{HOOK_MESSAGE, "add x@example.com|drop 4",
		 "drop_recipient 4: there are 3 recipients", NULL},
		{HOOK_DATA, "drop 2|drop 2", "drop_recipient 2: it is dropped already", NULL},
		{HOOK_MESSAGE, "set |drop 1|drop 2|drop 3",
		 "drop_recipient: no recipient would be left, use discard", NULL},
		{HOOK_MAIL, "set x@d.example|add x@example.com",
		 "add_recipient <x@example.com>: recipients come after the mail hook", NULL},
		{HOOK_MAIL, "set x@d.example|drop 1", "drop_recipient 1: there are 0 recipients",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check(&table[i], plain, false);
}

/* Under the session's own rules: SMTPUTF8 of MAIL, and a client that may name any domain. */
static void test_session_rules(void **state)
{
	static const struct row utf8 = {
		HOOK_MESSAGE, "set " UMLAUT "@d.example|add " UMLAUT "@example.com", NULL,
		UMLAUT "@d.example SMTPUTF8 > " ONE " " UMLAUT "@example.com"};
	static const struct row utf8_at_mail = {HOOK_MAIL, "set " UMLAUT "@" UMLAUT ".example",
						NULL, UMLAUT "@" UMLAUT ".example SMTPUTF8 >"};
	static const struct row not_utf8 = {HOOK_MESSAGE, "drop 1|set \xc3@d.example",
					    "set_sender <\\u00c3@d.example>: not UTF-8", NULL};
	static const struct row relay = {HOOK_MESSAGE, "add bob@else.org", NULL,
					 "a@b.example" NINE ALL " bob@else.org"};

	(void)state;
	check(&utf8, smtputf8, false);
	check(&utf8_at_mail, smtputf8, false);
	check(&not_utf8, smtputf8, false);
	check(&relay, plain, true);
}

/* What is wrong is told even when the address is endless. */
static void test_long_address(void **state)
{
	static char address[100000];
	struct edit long_one = {.kind = EDIT_ADD_RECIPIENT, .value = address};
	struct fixture f;
	char problem[200];

	(void)state;
	memset(address, 'x', sizeof address - 1);
	set_up(&f, plain, HOOK_MESSAGE, false);
	assert_non_null(smtp_edit(f.smtp, &long_one, 1, problem, sizeof problem));
	assert_non_null(strstr(problem, "xxx>: " NOT_ADDRESS));
	tear_down(&f);
}

/* Service after service: each sees what the one before has made. */
static void test_again(void **state)
{
	struct fixture f;
	struct buf after;
	char problem[200];

	(void)state;
	set_up(&f, plain, HOOK_MAIL, false);
	assert_null(edit(&f, "set c@d.example", problem, sizeof problem));
	assert_null(edit(&f, "set c@d.example", problem, sizeof problem));
	smtp_verdict(f.smtp, &(struct verdict){.kind = VERDICT_ACCEPT});
	assert_true(run_to(&f, HOOK_DATA));
	assert_null(edit(&f, "drop 1", problem, sizeof problem));
	assert_null(edit(&f, "drop 1", problem, sizeof problem));
	assert_null(edit(&f, "add x@example.com", problem, sizeof problem));
	assert_non_null(edit(&f, "drop 3", problem, sizeof problem));
	assert_string_equal(problem, "drop_recipient 3: there are 2 recipients");
	smtp_verdict(f.smtp, &(struct verdict){.kind = VERDICT_ACCEPT});
	assert_true(run_to(&f, HOOK_MESSAGE));
	assert_null(edit(&f, "drop 1", problem, sizeof problem));
	assert_string_equal(show(&f, &after), "c@d.example" NINE "x@example.com");
	buf_fini(&after);
	tear_down(&f);
}

/* The reply to MAIL is about what the client has said; the transaction begins with the other. */
static void test_reply_to_mail(void **state)
{
	struct edits edits;
	struct driver_script script = {
		SCRIPT("HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n"
		       "RSET\r\nMAIL FROM:<e@f.example>\r\nRCPT TO:<x@example.com>\r\n"),
	};

	(void)state;
	read_edits("set new@d.example", &edits);
	script.rules[0] =
		(struct driver_rule){HOOK_MAIL, 1, {.edits = edits.list, .edits_len = edits.len}};
	expect(&script,
	       (struct expected){
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\nask ehlo HELO=c\n"
				"HELO 250 \"mx.test\" line=HELO c helo=c\n"
				"ask mail client=c address=a@b.example local=a domain=b.example\n"
				"ask mail client=c address=new@d.example local=new "
				"domain=d.example\n"
				"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b.example> "
				"mailbox=a@b.example begun\n"
				"ask rcpt client=c address=x@example.com local=x "
				"domain=example.com index=1 accepted=0 from=new@d.example\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<x@example.com> "
				"mailbox=x@example.com\n"
				"RSET 250 2.0.0 \"OK\" line=RSET ended\n"
				"ask mail client=c address=e@f.example local=e domain=f.example\n"
				"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<e@f.example> "
				"mailbox=e@f.example begun\n"
				"ask rcpt client=c address=x@example.com local=x "
				"domain=example.com index=1 accepted=0 from=e@f.example\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<x@example.com> "
				"mailbox=x@example.com\n"});
	/* A refusal is the end of it. */
	script.rules[0].verdict.kind = VERDICT_REJECT;
	script.rules[1] = (struct driver_rule){HOOK_MAIL, 2, {.kind = VERDICT_TEMPFAIL}};
	expect(&script,
	       (struct expected){
		       .output =
			       "220 mx.test ESMTP\r\n250 mx.test\r\n550 5.7.1 Refused by policy\r\n"
			       "503 5.5.1 Say MAIL first\r\n250 2.0.0 OK\r\n"
			       "451 4.7.1 Temporarily refused, try again later\r\n"
			       "503 5.5.1 Say MAIL first\r\n"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_session_rules), cmocka_unit_test(test_long_address),
		cmocka_unit_test(test_again),	      cmocka_unit_test(test_reply_to_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
