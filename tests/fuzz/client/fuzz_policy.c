/* Whatever a gateway sends, and however it is cut: every request is answered at most once and with
 * what the author said or a refusal, the accessors stay within their bounds, and the same octets in
 * two pieces give the same. */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gatepost/policy.h>

#include "protocol/verdict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct gatepost_request *request)
{
	static const char *const names[] = {
		"address",   "local",	     "name",	"password",
		"helo.name", "mail.address", "tls.sni", "recipients.0.local"};
	struct gatepost_error error;
	const char *value;
	bool truth;
	size_t len;
	int64_t n;

	assert(gatepost_hook_word(gatepost_request_hook(request)));
	assert(gatepost_request_session(request));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		value = gatepost_request_octets(request, names[i], &len);
		assert(!value || !value[len]);
		/* What shows has octets, and what has octets shows. */
		assert(!gatepost_request_text(request, names[i]) || value);
		gatepost_request_integer(request, names[i], &n);
		gatepost_request_boolean(request, names[i], &truth);
	}
	gatepost_request_mailbox(request);
	gatepost_request_sender(request);
	for (size_t i = 0; i < gatepost_request_recipients_len(request); i++)
		assert(gatepost_request_recipient(request, i));
	if (gatepost_request_param(request, NULL, "SIZE", &value, &len) && value)
		assert(!value[len]);
	gatepost_request_has_label(request, "x");
	gatepost_request_keep_session(request);
	gatepost_request_keep_transaction(request);
	if (gatepost_request_body(request) != GATEPOST_BODY_PATH) {
		value = gatepost_request_content(request, &len, &error);
		assert(!value || !value[len]);
	}
}

/* Answers everything with reject; the gateway's reader understands each line after the first. */
static void answer(struct gatepost_policy *policy)
{
	struct gatepost_verdict verdict = gatepost_reject("No", 0, NULL);
	struct gatepost_request *request;
	struct gatepost_error error;

	while ((request = gatepost_policy_next(policy))) {
		uint64_t id = gatepost_request_id(request);

		look(request);
		assert(!id == (gatepost_request_hook(request) == GATEPOST_HOOK_DISCONNECT));
		assert(!id || gatepost_policy_progress(policy, id, 1000, &error));
		assert(!id || gatepost_policy_reply(policy, id, &verdict, &error));
		assert(!id || !gatepost_policy_reply(policy, id, &verdict, &error));
		gatepost_request_free(&request);
	}
}

static void check_out(const struct gatepost_policy *policy)
{
	const char *data, *end;
	size_t len = gatepost_policy_out(policy, &data);
	struct verdict_json_error error;
	struct verdict_message message;
	enum verdict_json kind;
	bool first = true;

	for (; len; len -= (size_t)(end + 1 - data), data = end + 1, first = false) {
		end = memchr(data, '\n', len);
		assert(end);
		kind = verdict_json_decode(data, (size_t)(end - data), &message, &error);
		assert(first || kind == VERDICT_JSON_REPLY || kind == VERDICT_JSON_PONG ||
		       kind == VERDICT_JSON_PROGRESS);
		assert(kind != VERDICT_JSON_REPLY || message.verdict.kind != VERDICT_ACCEPT);
		verdict_fini(&message.verdict);
	}
}

static struct gatepost_policy *play(const char *data, size_t size, size_t split)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1,
							.body = {GATEPOST_BODY_FD},
							.body_len = 1,
							.window = 8};
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);

	int fds[2];

	assert(policy);
	/* Only where one is asked for: it costs a lot. */
	if (memmem(data, size, "\"fd\"", 4)) {
		fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		fds[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		gatepost_policy_feed_fds(policy, fds, 2);
	}
	gatepost_policy_feed(policy, data, split);
	gatepost_policy_feed(policy, data + split, size - split);
	answer(policy);
	return policy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gatepost_policy *whole = play((const char *)data, size, size),
			       *parts = play((const char *)data, size, size / 3);
	const char *a, *b;
	size_t len = gatepost_policy_out(whole, &a);

	check_out(whole);
	assert(gatepost_policy_out(parts, &b) == len && !memcmp(a, b, len));
	assert(!strcmp(gatepost_policy_error(whole)->code, gatepost_policy_error(parts)->code));
	gatepost_policy_feed_end(whole);
	gatepost_policy_free(&whole);
	gatepost_policy_free(&parts);
	return 0;
}
