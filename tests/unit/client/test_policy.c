#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#include "examples.h"

#define ALL ((1u << GATEPOST_HOOK_MAX) - 1)

static const struct gatepost_policy_options options = {
	.service = "test", .hooks = ALL, .body = {GATEPOST_BODY_PATH}, .body_len = 1, .window = 4};

static bool feed(struct gatepost_policy *policy, const char *text)
{
	return gatepost_policy_feed(policy, text, strlen(text));
}

static bool feed_example(struct gatepost_policy *policy, const char *name)
{
	size_t len;
	char *line = examples_read(name, &len);
	bool ok;

	line[len] = '\n'; /* in place of its NUL */
	ok = gatepost_policy_feed(policy, line, len + 1);
	free(line);
	return ok;
}

static struct gatepost_policy *make(void)
{
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);

	if (!policy)
		fail_msg("%s", error.message);
	return policy;
}

static void drop_out(struct gatepost_policy *policy)
{
	const char *data;
	gatepost_policy_sent(policy, gatepost_policy_out(policy, &data));
}

static struct gatepost_policy *make_ready(void)
{
	struct gatepost_policy *policy = make();

	assert_true(feed_example(policy, "valid/hello-policy.json"));
	assert_false(gatepost_policy_is_ready(policy));
	drop_out(policy);
	assert_true(feed_example(policy, "valid/ready-scanner.json"));
	assert_true(gatepost_policy_is_ready(policy));
	return policy;
}

static void assert_out(struct gatepost_policy *policy, const char *expected)
{
	const char *data;
	size_t len = gatepost_policy_out(policy, &data);

	if (len != strlen(expected) || memcmp(data, expected, len) != 0)
		fail_msg("it sends %.*s", (int)len, data);
	drop_out(policy);
}

static void assert_over(struct gatepost_policy *policy, const char *code)
{
	assert_string_equal(gatepost_policy_error(policy)->code, code);
	assert_true(gatepost_policy_error(policy)->message[0]);
	assert_false(feed(policy, "\n"));
	gatepost_policy_free(&policy);
}

static void test_registration(void **state)
{
	static const char *const need[] = {"client", "mail", NULL}, *const want[] = {"tls", NULL};
	struct gatepost_policy_options o = options;
	struct gatepost_error error;
	struct gatepost_policy *policy = make();

	(void)state;
	assert_out(policy, "");
	gatepost_policy_free(&policy);
	o = (struct gatepost_policy_options){.service = "greylist",
					     .software = "greylist/2.4",
					     .hooks = 1u << GATEPOST_HOOK_RCPT,
					     .need = need,
					     .want = want,
					     .body = {GATEPOST_BODY_NONE},
					     .body_len = 1};
	policy = gatepost_policy_new(&o, &error);
	assert_true(feed_example(policy, "valid/hello-policy.json"));
	assert_out(policy,
		   "{\"type\":\"register\",\"version\":1,\"service\":\"greylist\","
		   "\"software\":\"greylist/2.4\",\"hooks\":{\"rcpt\":{\"need\":[\"client\","
		   "\"mail\"],\"want\":[\"tls\"]}},\"body\":[\"none\"],\"window\":64}\n");
	gatepost_policy_free(&policy);
}

static void test_bad_options(void **state)
{
	static const char *const need[] = {"shoe.size", NULL};
	struct gatepost_policy_options bad[6];
	const char *codes[] = {"usage",	       "bad_message",
			       "unknown_hook", "body_no_fallback",
			       "body_unknown", "need_unavailable"};
	struct gatepost_error error;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		bad[i] = options;
	bad[0].service = "";
	bad[1].hooks = 0;
	bad[2].hooks = 1u << GATEPOST_HOOK_MAX;
	bad[3].body[0] = GATEPOST_BODY_INLINE;
	bad[4].body[0] = GATEPOST_BODY_MAX;
	bad[5].need = need;
	for (size_t i = 0; i < 6; i++) {
		assert_null(gatepost_policy_new(&bad[i], &error));
		assert_string_equal(error.code, codes[i]);
	}
}

static void test_handshake_faults(void **state)
{
	static const struct {
		const char *first, *second, *code;
	} faults[] = {
		{"valid/hello-events.json", NULL, "bad_message"},
		{"valid/ready-scanner.json", NULL, "bad_message"},
		{"valid/request-rcpt.json", NULL, "bad_message"},
		{"valid/error-fatal.json", NULL, "need_unavailable"},
		{"valid/hello-policy.json", "valid/hello-policy.json", "bad_message"},
		{"valid/hello-policy.json", "valid/request-rcpt.json", "bad_message"},
		{"invalid/hello-no-gateway.json", NULL, "bad_message"},
		{"invalid/hello-ping-0.json", NULL, "bad_message"},
		{"invalid/hello-no-ping.json", NULL, "bad_message"},
		{"invalid/hello-protocol-unknown.json", NULL, "bad_message"},
		{"invalid/hello-versions-number.json", NULL, "bad_message"},
		{"invalid/hello-ping-0.json", NULL, "bad_message"},
		{"invalid/hello-no-ping.json", NULL, "bad_message"},
		{"valid/hello-policy.json", "invalid/ready-body-string.json", "bad_message"},
		{"valid/hello-policy.json", "invalid/ready-missing-null.json", "bad_message"},
		{"valid/hello-policy.json", "invalid/ready-no-policy.json", "bad_message"},
		{"valid/hello-policy.json", "invalid/ready-window-0.json", "bad_message"},
	};
	struct gatepost_policy *policy;

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		policy = make();
		if (faults[i].second)
			assert_true(feed_example(policy, faults[i].first));
		assert_false(feed_example(policy,
					  faults[i].second ? faults[i].second : faults[i].first));
		assert_over(policy, faults[i].code);
	}
	policy = make();
	assert_false(feed(
		policy, "{\"type\":\"hello\",\"protocol\":\"gatepost-policy\","
			"\"versions\":[2],\"gateway\":{\"name\":\"a\",\"epoch\":\"b\"},"
			"\"hooks\":[],\"context\":[],\"body\":[],\"limits\":{},\"ping_ms\":1}\n"));
	assert_over(policy, "version");
}

static void refuse_line(const char *name, const char *line, size_t len)
{
	struct gatepost_policy *policy = make_ready();
	bool ok = gatepost_policy_feed(policy, line, len) && gatepost_policy_feed(policy, "\n", 1);

	if (ok || gatepost_policy_next(policy))
		fail_msg("%s is not refused", name);
	gatepost_policy_free(&policy);
}

/* Lines that cannot be followed end the connection; so do known messages of a wrong shape. */
static void test_invalid_messages(void **state)
{
	(void)state;
	assert_true(examples_each("invalid", "line-", refuse_line) > 20);
	assert_int_equal(examples_each("invalid", "cancel-", refuse_line), 2);
	assert_int_equal(examples_each("invalid", "error-", refuse_line), 2);
	assert_int_equal(examples_each("invalid", "ping-", refuse_line), 1);
	assert_int_equal(examples_each("invalid", "pong-", refuse_line), 1);
}

static void answer_invalid(const char *name, const char *line, size_t len)
{
	struct gatepost_policy *policy = make_ready();
	struct gatepost_request *request;
	const char *data;
	size_t out;

	gatepost_policy_feed(policy, line, len);
	gatepost_policy_feed(policy, "\n", 1);
	request = gatepost_policy_next(policy);
	if (request)
		fail_msg("%s is taken for a request", name);
	out = gatepost_policy_out(policy, &data);
	if (strstr(line, "\"id\":") &&
	    (!memmem(data, out, "tempfail", 8) || memmem(data, out, "accept", 6)))
		fail_msg("%s is not answered with tempfail", name);
	gatepost_policy_free(&policy);
}

/* A request that cannot be understood is answered, and never accepted. */
static void test_invalid_requests(void **state)
{
	(void)state;
	assert_true(examples_each("invalid", "request-", answer_invalid) >= 20);
}

static void test_replies(void **state)
{
	struct gatepost_policy *policy = make_ready();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gatepost_request *first, *second;
	struct gatepost_error error;

	(void)state;
	assert_true(feed_example(policy, "valid/request-rcpt.json"));
	assert_true(feed_example(policy, "valid/request-message-path.json"));
	first = gatepost_policy_next(policy);
	second = gatepost_policy_next(policy);
	assert_null(gatepost_policy_next(policy));
	assert_int_equal(gatepost_policy_open_len(policy), 2);
	assert_int_equal(gatepost_request_id(first), 6);
	assert_int_equal(gatepost_request_id(second), 9);
	/* in any order; a broken verdict leaves the request open */
	verdict = gatepost_reject("a\rb", 0, NULL);
	assert_false(gatepost_policy_reply(policy, 9, &verdict, &error));
	assert_string_equal(error.code, "bad_reply");
	assert_out(policy, "");
	verdict = gatepost_accept();
	assert_true(gatepost_policy_reply(policy, 9, &verdict, &error));
	assert_out(policy, "{\"type\":\"reply\",\"id\":9,\"verdict\":\"accept\"}\n");
	assert_false(gatepost_policy_reply(policy, 9, &verdict, &error));
	assert_string_equal(error.code, "unknown_id");
	assert_false(gatepost_policy_is_cancelled(policy, 6));
	assert_true(feed_example(policy, "valid/cancel.json"));
	assert_true(gatepost_policy_is_cancelled(policy, 6));
	verdict = gatepost_fault();
	assert_true(gatepost_policy_reply(policy, 6, &verdict, &error));
	assert_out(policy, "{\"type\":\"reply\",\"id\":6,\"verdict\":\"tempfail\",\"code\":451,"
			   "\"status\":\"4.3.0\",\"text\":\"Temporary policy failure, try again "
			   "later\"}\n");
	assert_int_equal(gatepost_policy_open_len(policy), 0);
	gatepost_request_free(&first);
	gatepost_policy_free(&policy);
	assert_string_equal(gatepost_request_key(second),
			    "01K2F7Q9A0C5N8PVD2HJ.message.greylist"); /* outlives it */
	gatepost_request_free(&second);
	assert_null(second);
}

static void test_notification(void **state)
{
	struct gatepost_policy *policy = make_ready();
	struct gatepost_request *request;

	(void)state;
	assert_true(feed_example(policy, "valid/request-disconnect.json"));
	request = gatepost_policy_next(policy);
	assert_int_equal(gatepost_request_id(request), 0);
	assert_int_equal(gatepost_request_deadline_ms(request), -1);
	assert_int_equal(gatepost_policy_open_len(policy), 0);
	gatepost_request_free(&request);
	gatepost_policy_free(&policy);
}

static void count(void *arg, const char *message)
{
	assert_null(strpbrk(message, "\r\n"));
	++*(int *)arg;
}

static void test_what_a_gateway_may_not_do(void **state)
{
	struct gatepost_policy *policy = make_ready();
	char request[256];

	(void)state;
	assert_true(feed_example(policy, "valid/request-rcpt.json"));
	assert_false(feed_example(policy, "valid/request-rcpt.json")); /* the id is in use */
	assert_over(policy, "bad_message");
	policy = make_ready();
	for (int i = 1; i <= 5; i++) {
		snprintf(request, sizeof request,
			 "{\"type\":\"request\",\"id\":%d,\"key\":\"k\",\"attempt\":1,\"hook\":"
			 "\"connect\","
			 "\"session\":\"s\",\"deadline_ms\":1,\"args\":{},\"context\":{}}\n",
			 i);
		assert_int_equal(feed(policy, request), i <= 4); /* the window is 4 */
	}
	assert_over(policy, "bad_message");
	policy = make_ready();
	assert_false(feed_example(policy, "valid/ready-scanner.json"));
	assert_over(policy, "bad_message");
	policy = make_ready();
	assert_true(feed(policy, "{\"type\":\"news\"}\n")); /* of a later version */
	assert_true(feed(policy, "{\"type"));
	assert_false(gatepost_policy_feed_end(policy));
	assert_over(policy, "bad_json");
}

static void test_ping_and_drain(void **state)
{
	struct gatepost_policy *policy = make_ready();
	struct gatepost_verdict verdict = gatepost_accept();
	struct gatepost_request *request;
	struct gatepost_error error;

	(void)state;
	assert_true(feed_example(policy, "valid/ping.json"));
	assert_out(policy, "{\"type\":\"pong\"}\n");
	assert_true(feed_example(policy, "valid/pong.json")); /* to no drain of ours */
	gatepost_policy_drain(policy);
	gatepost_policy_drain(policy);
	assert_out(policy, "{\"type\":\"drain\"}\n{\"type\":\"ping\"}\n");
	assert_true(feed_example(policy, "valid/request-rcpt-again.json"));
	assert_true(feed_example(policy, "valid/pong.json"));
	assert_false(gatepost_policy_is_drained(policy));
	request = gatepost_policy_next(policy);
	assert_int_equal(gatepost_request_attempt(request), 2);
	assert_true(gatepost_policy_reply(policy, gatepost_request_id(request), &verdict, &error));
	assert_true(gatepost_policy_is_drained(policy) && gatepost_policy_feed_end(policy));
	gatepost_request_free(&request);
	gatepost_policy_free(&policy);
	policy = make();
	gatepost_policy_drain(policy); /* nobody is there to be told */
	assert_out(policy, "");
	gatepost_policy_free(&policy);
}

static void test_unregistered_hook(void **state)
{
	struct gatepost_policy_options o = options;
	struct gatepost_policy *policy;
	struct gatepost_error error;
	int told = 0;
	const char *data;
	size_t len;

	(void)state;
	o.hooks = 1u << GATEPOST_HOOK_MESSAGE;
	o.log = count;
	o.log_arg = &told;
	policy = gatepost_policy_new(&o, &error);
	feed_example(policy, "valid/hello-policy.json");
	feed_example(policy, "valid/ready-scanner.json");
	drop_out(policy);
	assert_true(feed_example(policy, "valid/request-rcpt.json"));
	assert_null(gatepost_policy_next(policy));
	len = gatepost_policy_out(policy, &data);
	assert_non_null(memmem(data, len, "tempfail", 8));
	assert_true(feed_example(policy, "valid/error-reply.json"));
	assert_int_equal(told, 3); /* with what ready says is missing */
	gatepost_policy_free(&policy);
}

static void test_long_line(void **state)
{
	struct gatepost_policy *policy = make_ready();
	char block[4096];
	unsigned fed = 0;

	(void)state;
	memset(block, 'x', sizeof block);
	while (fed < 1000 && gatepost_policy_feed(policy, block, sizeof block))
		fed++;
	assert_int_equal(fed, 256);
	assert_over(policy, "line_too_long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registration),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_handshake_faults),
		cmocka_unit_test(test_invalid_messages),
		cmocka_unit_test(test_invalid_requests),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_notification),
		cmocka_unit_test(test_what_a_gateway_may_not_do),
		cmocka_unit_test(test_ping_and_drain),
		cmocka_unit_test(test_unregistered_hook),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
