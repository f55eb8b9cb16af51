#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#include "examples.h"

static struct gatepost_policy *make(void)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1};
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);

	assert_non_null(policy);
	return policy;
}

/* Answers a whole dialogue that comes in two parts, or octet by octet (split 0); gives what was
 * sent. */
static char *play(const char *text, size_t len, size_t split)
{
	struct gatepost_policy *policy = make();
	struct gatepost_verdict verdict = gatepost_reject("No", 0, NULL);
	struct gatepost_request *request;
	struct gatepost_error error;
	const char *data;
	char *sent;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = split ? (at ? len - at : split) : 1;
		assert_true(gatepost_policy_feed(policy, text + at, n));
		while ((request = gatepost_policy_next(policy))) {
			if (gatepost_request_id(request))
				assert_true(gatepost_policy_reply(
					policy, gatepost_request_id(request), &verdict, &error));
			gatepost_request_free(&request);
		}
	}
	n = gatepost_policy_out(policy, &data);
	sent = strndup(data, n);
	gatepost_policy_free(&policy);
	return sent;
}

static void test_every_split(void **state)
{
	static const char *const names[] = {"valid/hello-policy.json",
					    "valid/ready-scanner.json",
					    "valid/ping.json",
					    "valid/request-rcpt.json",
					    "valid/cancel.json",
					    "valid/error-reply.json",
					    "valid/request-message-inline.json",
					    "valid/request-disconnect.json"};
	char *text = calloc(1, 1 << 16), *whole, *sent;
	size_t len = 0, n;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *line = examples_read(names[i], &n);

		memcpy(text + len, line, n);
		text[len + n] = '\n';
		len += n + 1;
		free(line);
	}
	whole = play(text, len, len);
	assert_non_null(strstr(whole, "\"id\":6,\"verdict\":\"reject\""));
	assert_non_null(strstr(whole, "\"id\":9,\"verdict\":\"reject\""));
	for (size_t split = 0; split < len; split++) {
		sent = play(text, len, split);
		assert_string_equal(sent, whole);
		free(sent);
	}
	free(whole);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_split)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
