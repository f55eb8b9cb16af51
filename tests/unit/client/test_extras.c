/* What goes along with a verdict: it reads at the gateway as the author meant it, or is not sent.
 */
#include "wire.h"

#include "protocol/handshake.h"
#include "protocol/verdict_json.h"

#define X60   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define A5    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
#define DEEP  A5 A5 A5 "1}}}}}}}}}}}}}}}" /* 15 levels, and two around them */
#define ARGS  "{\"size\":1,\"body\":{\"mode\":\"none\"}}"
#define READY WIRE_READY(",\"hooks\":{},\"grants\":[\"bypass\"]")
#define MAILBOX                                                                                    \
	"{\"address\":\"a@b\",\"local\":\"a\",\"domain\":\"b\",\"params\":[],\"index\":1,"         \
	"\"accepted\":0}"

/* A connection with one request open, id 7. */
static struct gatepost_policy *ask(const char *line)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1};
	struct gatepost_policy *policy = wire_new(&options);

	assert_true(wire_feed(policy, WIRE_HELLO) && wire_feed(policy, READY));
	wire_drop_out(policy);
	assert_true(wire_feed(policy, line));
	assert_int_equal(gatepost_policy_open_len(policy), 1);
	wire_expect(policy, "");
	return policy;
}

static struct gatepost_policy *ask_message(void)
{
	return ask(WIRE_ASK(7, "message", ARGS, WIRE_CONTEXT));
}

/* Replies; what the gateway's reader makes of it. */
static struct verdict reply(const struct gatepost_verdict *meant)
{
	struct gatepost_policy *policy = ask_message();
	struct verdict_json_error problem;
	struct verdict_message message;
	struct gatepost_error error;
	const char *data;
	size_t len;

	if (!gatepost_policy_reply(policy, 7, meant, &error))
		fail_msg("%s", error.message);
	len = gatepost_policy_out(policy, &data);
	assert_ptr_equal(memchr(data, '\n', len), data + len - 1); /* one line */
	if (verdict_json_decode(data, len - 1, &message, &problem) != VERDICT_JSON_REPLY)
		fail_msg("%s: %.*s", problem.message, (int)len, data);
	gatepost_policy_free(&policy);
	return message.verdict;
}

/* Says no, tells the author with these words, sends nothing, and leaves the request open. */
static void refuse_at(const char *line, const struct gatepost_verdict *verdict, const char *words)
{
	struct gatepost_policy *policy = ask(line);
	struct gatepost_error error;

	if (gatepost_policy_reply(policy, 7, verdict, &error))
		fail_msg("%s: is sent", words);
	assert_string_equal(error.code, "bad_reply");
	if (!strstr(error.message, words))
		fail_msg("\"%s\" is not in: %s", words, error.message);
	wire_expect(policy, "");
	assert_int_equal(gatepost_policy_open_len(policy), 1);
	gatepost_policy_free(&policy);
}

static void refuse(const struct gatepost_verdict *verdict, const char *words)
{
	refuse_at(WIRE_ASK(7, "message", ARGS, WIRE_CONTEXT), verdict, words);
}

static void test_kinds(void **state)
{
	static const struct {
		enum gatepost_decision decision;
		enum verdict_kind kind;
	} kinds[] = {{GATEPOST_BYPASS, VERDICT_BYPASS},
		     {GATEPOST_QUARANTINE, VERDICT_QUARANTINE},
		     {GATEPOST_DISCARD, VERDICT_DISCARD}};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct gatepost_verdict meant = {.decision = kinds[i].decision};
		struct verdict got = reply(&meant);

		assert_int_equal(got.kind, kinds[i].kind);
		verdict_fini(&got);
	}
	assert_int_equal(gatepost_bypass().decision, GATEPOST_BYPASS);
	assert_int_equal(gatepost_quarantine().decision, GATEPOST_QUARANTINE);
	assert_int_equal(gatepost_discard().decision, GATEPOST_DISCARD);
}

static void test_until(void **state)
{
	struct gatepost_verdict verdict = gatepost_accept();
	struct verdict got;

	(void)state;
	verdict.until = GATEPOST_UNTIL_SESSION;
	got = reply(&verdict);
	assert_int_equal(got.until, VERDICT_UNTIL_SESSION);
	verdict.until = GATEPOST_UNTIL_TRANSACTION;
	got = reply(&verdict);
	assert_int_equal(got.until, VERDICT_UNTIL_TRANSACTION);
	verdict.until = (enum gatepost_until)3;
	refuse(&verdict, "until");
	verdict = gatepost_discard();
	verdict.until = GATEPOST_UNTIL_SESSION;
	refuse(&verdict, "until");
	verdict = gatepost_accept();
	verdict.until = GATEPOST_UNTIL_TRANSACTION;
	refuse_at(WIRE_ASK(7, "connect", "{}", WIRE_CONTEXT), &verdict, "transaction");
}

static void test_labels(void **state)
{
	static const char *const good[] = {"bulk", "greylist.passed_2-x", X60 "1234", NULL},
				 *const upper[] = {"Bulk", NULL}, *const empty[] = {"", NULL},
				 *const lengthy[] = {X60 "12345", NULL},
				 *const latin[] = {"caf\xe9", NULL},
				 *const quote[] = {"a\",\"b", NULL};
	const char *many[18] = {0};
	struct gatepost_verdict verdict = gatepost_accept();
	struct verdict got;

	(void)state;
	verdict.labels = good;
	got = reply(&verdict);
	assert_string_equal(got.labels, "bulk greylist.passed_2-x " X60 "1234");
	verdict_fini(&got);
	for (size_t i = 0; i < 17; i++)
		many[i] = "many";
	verdict.labels = many;
	refuse(&verdict, "labels");
	verdict.labels = upper;
	refuse(&verdict, "label");
	verdict.labels = empty;
	refuse(&verdict, "label");
	verdict.labels = lengthy;
	refuse(&verdict, "label");
	verdict.labels = latin;
	refuse(&verdict, "a label is not UTF-8");
	verdict.labels = quote;
	refuse(&verdict, "label");
}

static void test_ref(void **state)
{
	struct gatepost_verdict verdict = gatepost_accept();
	struct verdict got;
	char longest[130];

	(void)state;
	verdict.ref = "box/7 \"a\"";
	got = reply(&verdict);
	assert_string_equal(got.ref, "box/7 \"a\"");
	memset(longest, 'r', sizeof longest);
	longest[128] = '\0';
	verdict.ref = longest;
	got = reply(&verdict);
	assert_string_equal(got.ref, longest);
	longest[128] = 'r';
	longest[129] = '\0';
	refuse(&verdict, "ref must be 1 to 128");
	verdict.ref = "";
	refuse(&verdict, "ref must be");
	verdict.ref = " a";
	refuse(&verdict, "ref must be");
	verdict.ref = "a\r\nb";
	refuse(&verdict, "ref must be");
	verdict.ref = "caf\xe9";
	refuse(&verdict, "ref is not UTF-8");
	verdict.ref = "a";
	refuse_at(WIRE_ASK(7, "rcpt", MAILBOX, WIRE_CONTEXT), &verdict,
		  "ref is not allowed at rcpt");
	verdict = gatepost_discard();
	verdict.ref = "a";
	refuse(&verdict, "ref does not fit the verdict discard");
}

static void test_keep(void **state)
{
	struct gatepost_verdict verdict = gatepost_tempfail("Later", 0, NULL);
	struct verdict got;
	char large[4200];

	(void)state;
	verdict.keep_session = " {\n\t\"a\" : [1, 2],\r\n \"b\":\"x y\\n\" } ";
	verdict.keep_transaction = "";
	got = reply(&verdict); /* also with a refusal */
	assert_string_equal(got.keep_session, "{\"a\":[1,2],\"b\":\"x y\\n\"}");
	assert_string_equal(got.keep_transaction, "");
	verdict_fini(&got);
	verdict.keep_session = NULL;
	got = reply(&verdict);
	assert_null(got.keep_session);
	verdict_fini(&got);
	/* 4096 octets, and one more */
	memset(large, 'x', sizeof large);
	memcpy(large, "{\"a\":\"", 6);
	memcpy(large + 4094, "\"}", 3);
	verdict.keep_session = large;
	got = reply(&verdict);
	assert_int_equal(strlen(got.keep_session), 4096);
	verdict_fini(&got);
	memcpy(large + 4094, "x\"}", 4);
	refuse(&verdict, "4096");
}

static void test_keep_that_is_no_object(void **state)
{
	static const char *const wrong[] = {
		"[1]",
		"1",
		"\"x\"",
		"null",
		"{",
		"{}{}",
		"{} x",
		" ",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\xff\"}",
		"{\"a\":1e999}",
		"{\"a\":9007199254740992}",
		DEEP,
	};
	struct gatepost_verdict verdict = gatepost_accept();

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		verdict.keep_session = wrong[i];
		refuse(&verdict, "");
	}
	verdict.keep_session = NULL;
	verdict.keep_transaction = "{}";
	refuse_at(WIRE_ASK(7, "ehlo", "{\"verb\":\"EHLO\",\"name\":\"x\"}", WIRE_CONTEXT), &verdict,
		  "transaction");
}

static void expect_edit(const struct edit *edit, enum edit_kind kind, const char *name,
			const char *value, unsigned nth)
{
	assert_int_equal(edit->kind, kind);
	assert_string_equal(edit->name ? edit->name : "-", name ? name : "-");
	assert_string_equal(edit->value ? edit->value : "-", value ? value : "-");
	assert_int_equal(edit->nth, nth);
}

static void test_edits(void **state)
{
	struct gatepost_edit edits[] = {
		gatepost_add_header("X-A", "one\r\n\ttwo \"quoted\" caf\xc3\xa9"),
		gatepost_add_header("X-B", "last"),
		gatepost_replace_header("Subject", 2, "new"),
		gatepost_delete_header("X-C", 0),
		gatepost_delete_header("X-C", 3),
		gatepost_set_sender(""),
		gatepost_add_recipient("a@example.org"),
		gatepost_drop_recipient(0),
	};
	struct gatepost_verdict verdict = gatepost_accept();
	struct verdict got;

	(void)state;
	edits[1].bottom = true;
	verdict.edits = edits;
	verdict.edits_len = 8;
	got = reply(&verdict);
	assert_int_equal(got.edits_len, 8);
	expect_edit(&got.edits[0], EDIT_ADD_HEADER, "X-A", "one\r\n\ttwo \"quoted\" caf\xc3\xa9",
		    got.edits[0].nth);
	assert_false(got.edits[0].bottom);
	assert_true(got.edits[1].bottom);
	expect_edit(&got.edits[2], EDIT_REPLACE_HEADER, "Subject", "new", 2);
	expect_edit(&got.edits[3], EDIT_DELETE_HEADER, "X-C", NULL, 0);
	expect_edit(&got.edits[4], EDIT_DELETE_HEADER, "X-C", NULL, 3);
	assert_string_equal(got.edits[5].value, "");
	assert_string_equal(got.edits[6].value, "a@example.org");
	assert_int_equal(got.edits[7].nth, 1); /* from 1 on the wire */
	verdict_fini(&got);
}

static void test_edits_that_are_refused(void **state)
{
	static const struct {
		struct gatepost_edit edit;
		const char *words;
	} rows[] = {
		{{.kind = GATEPOST_ADD_HEADER, .name = "X"}, "value"},
		{{.kind = GATEPOST_ADD_HEADER, .value = "x"}, "name"},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X Y", .value = "x"}, "name"},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X:", .value = "x"}, "name"},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X", .value = "a\r\nb: c"}, ""},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X", .value = "a\nb"}, ""},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X", .value = "a\r\n\r\nb"}, ""},
		{{.kind = GATEPOST_ADD_HEADER, .name = "X", .value = "caf\xe9"}, "UTF-8"},
		{{.kind = GATEPOST_REPLACE_HEADER, .name = "X", .value = "x"}, "nth"},
		{{.kind = GATEPOST_SET_SENDER}, "address"},
		{{.kind = GATEPOST_SET_SENDER, .value = "a@b>\r\nRCPT TO:<c@d"}, ""},
		{{.kind = GATEPOST_ADD_RECIPIENT, .value = ""}, ""},
		{{.kind = GATEPOST_DROP_RECIPIENT}, "index"},
		{{.kind = (enum gatepost_edit_kind)6, .name = "X", .value = "x"}, "kind"},
	};
	struct gatepost_edit many[101];
	struct gatepost_verdict verdict = gatepost_accept();

	(void)state;
	verdict.edits_len = 1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		verdict.edits = &rows[i].edit;
		refuse(&verdict, rows[i].words);
	}
	for (size_t i = 0; i < 101; i++)
		many[i] = gatepost_delete_header("X", 1);
	verdict.edits = many;
	verdict.edits_len = 101;
	refuse(&verdict, "100");
	verdict.edits = NULL;
	refuse(&verdict, "edits");
	verdict = gatepost_reject("No", 0, NULL);
	verdict.edits = many;
	verdict.edits_len = 1;
	refuse(&verdict, "edits");
}

/* The hook decides, and not only the verdict. */
static void test_what_a_hook_allows(void **state)
{
	struct gatepost_verdict verdict = gatepost_discard();
	struct gatepost_edit edit = gatepost_add_recipient("a@example.org");

	(void)state;
	refuse_at(WIRE_ASK(7, "connect", "{}", WIRE_CONTEXT), &verdict, "connect");
	verdict = gatepost_quarantine();
	refuse_at(WIRE_ASK(7, "auth", "{\"mechanism\":\"PLAIN\",\"user\":\"u\",\"password\":\"p\"}",
			   WIRE_CONTEXT),
		  &verdict, "auth");
	verdict = gatepost_bypass();
	refuse_at(WIRE_ASK(7, "auth", "{\"mechanism\":\"PLAIN\",\"user\":\"u\",\"password\":\"p\"}",
			   WIRE_CONTEXT),
		  &verdict, "auth");
	verdict = gatepost_accept();
	verdict.edits = &edit;
	verdict.edits_len = 1;
	refuse_at(WIRE_ASK(7, "rcpt", MAILBOX, WIRE_CONTEXT), &verdict, "rcpt");
	refuse_at(WIRE_ASK(7, "mail", MAILBOX, WIRE_CONTEXT), &verdict, "mail");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_ref),
		cmocka_unit_test(test_keep_that_is_no_object),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edits_that_are_refused),
		cmocka_unit_test(test_what_a_hook_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
