#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#include "protocol/verdict_json.h"

#define HELLO                                                                                      \
	"{\"type\":\"hello\",\"protocol\":\"gatepost-policy\",\"versions\":[1],\"gateway\":"       \
	"{\"name\":\"a\",\"epoch\":\"b\"},\"hooks\":[],\"context\":[],\"body\":[],\"limits\":{},"  \
	"\"ping_ms\":1}"                                                                           \
	"\n"
#define READY                                                                                      \
	"{\"type\":\"ready\",\"version\":1,\"policy\":\"p\",\"hooks\":{},\"missing\":[],"          \
	"\"window\":1,\"body\":[]}\n"
#define ASK                                                                                        \
	"{\"type\":\"request\",\"id\":7,\"key\":\"k\",\"attempt\":1,\"hook\":\"connect\","         \
	"\"session\":\"s\","                                                                       \
	"\"deadline_ms\":1,\"args\":{},\"context\":{}}\n"
#define LINES_10 "1\n2\n3\n4\n5\n6\n7\n8\n9\n10"
#define X60	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X480	 X60 X60 X60 X60 X60 X60 X60 X60

#define V(d, c, s, t, r)                                                                           \
	{                                                                                          \
		.decision = d, .code = c, .status = s, .text = t, .reason = r                      \
	}

static const struct {
	bool good;
	struct gatepost_verdict verdict;
} rows[] = {
	{true, V(GATEPOST_ACCEPT, 0, NULL, NULL, NULL)},
	{true, V(GATEPOST_ACCEPT, 250, "2.1.5", "bob@example.org OK", "a_b.c-9")},
	{true, V(GATEPOST_TEMPFAIL, 451, "4.7.1", "Greylisted\nTry again", "greylist.new")},
	{true, V(GATEPOST_REJECT, 550, NULL, "say \"\\no\"", NULL)},
	{true, V(GATEPOST_REJECT, 0, "5.999.999", LINES_10, NULL)},
	{true, V(GATEPOST_DISCONNECT, 521, NULL, X480, X60)},
	{true, V(GATEPOST_DISCONNECT, 421, "4.0.0", NULL, NULL)},
	{false, V(GATEPOST_UNDECIDED, 0, NULL, NULL, NULL)},
	{false, V(GATEPOST_LATER, 0, NULL, NULL, NULL)},
	{false, V((enum gatepost_decision)99, 0, NULL, NULL, NULL)},
	{false, V(GATEPOST_ACCEPT, 354, NULL, NULL, NULL)},
	{false, V(GATEPOST_ACCEPT, 550, NULL, NULL, NULL)},
	{false, V(GATEPOST_REJECT, 450, NULL, NULL, NULL)},
	{false, V(GATEPOST_REJECT, -550, NULL, NULL, NULL)},
	{false, V(GATEPOST_TEMPFAIL, 550, NULL, NULL, NULL)},
	{false, V(GATEPOST_DISCONNECT, 250, NULL, NULL, NULL)},
	{false, V(GATEPOST_REJECT, 550, "4.7.1", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, "4.7.1", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, "", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, "5.07.1", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, "5.7.1\n", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, "5.1234.1234", NULL, NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, "", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, "a\n", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, "a\r\n250 OK", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, "a\tb", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, "caf\xc3\xa9", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, X480 "x", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, LINES_10 "\n11", NULL)},
	{false, V(GATEPOST_REJECT, 0, NULL, NULL, "")},
	{false, V(GATEPOST_REJECT, 0, NULL, NULL, "Upper")},
	{false, V(GATEPOST_REJECT, 0, NULL, NULL, X60 "12345")},
};

static bool feed(struct gatepost_policy *policy, const char *text)
{
	return gatepost_policy_feed(policy, text, strlen(text));
}

static void same(const char *got, const char *wanted)
{
	assert_string_equal(got ? got : "", wanted ? wanted : "");
}

/* What the gateway's own reader makes of the reply is what the author meant. */
static void read_back(struct gatepost_policy *policy, const struct gatepost_verdict *meant)
{
	static const enum verdict_kind kinds[] = {[GATEPOST_ACCEPT] = VERDICT_ACCEPT,
						  [GATEPOST_TEMPFAIL] = VERDICT_TEMPFAIL,
						  [GATEPOST_REJECT] = VERDICT_REJECT,
						  [GATEPOST_DISCONNECT] = VERDICT_DISCONNECT};
	struct verdict_json_error error;
	struct verdict_message message;
	const char *data;
	size_t len = gatepost_policy_out(policy, &data);

	assert_true(len && data[len - 1] == '\n');
	if (verdict_json_decode(data, len - 1, &message, &error) != VERDICT_JSON_REPLY)
		fail_msg("%s: %.*s", error.message, (int)len, data);
	assert_int_equal(message.id, 7);
	assert_int_equal(message.verdict.kind, kinds[meant->decision]);
	assert_int_equal(message.verdict.code, meant->code);
	same(message.verdict.status, meant->status);
	same(message.verdict.text, meant->text);
	same(message.verdict.reason, meant->reason);
	verdict_fini(&message.verdict);
}

static void test_table(void **state)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = 1u << GATEPOST_HOOK_CONNECT};
	struct gatepost_error error;
	struct gatepost_policy *policy;
	const char *data;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		policy = gatepost_policy_new(&options, &error);
		assert_true(feed(policy, HELLO) && feed(policy, READY) && feed(policy, ASK));
		gatepost_policy_sent(policy, gatepost_policy_out(policy, &data));
		if (gatepost_verdict_check(&rows[i].verdict, &error) != rows[i].good)
			fail_msg("row %zu: %s", i, error.message);
		assert_int_equal(gatepost_policy_reply(policy, 7, &rows[i].verdict, &error),
				 rows[i].good);
		if (rows[i].good) {
			read_back(policy, &rows[i].verdict);
		} else {
			assert_string_equal(error.code, "bad_reply");
			assert_true(error.message[0]);
			assert_int_equal(gatepost_policy_out(policy, &data), 0);
			assert_int_equal(gatepost_policy_open_len(policy), 1);
		}
		gatepost_policy_free(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
