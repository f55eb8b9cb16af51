/* Whatever an author puts into a verdict: it is refused, or it is one line in which the gateway's
 * reader finds just that, and which the hook allows.
 *
 * The input: four octets of numbers, then strings with a NUL between them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gatepost/policy.h>

#include "protocol/handshake.h"
#include "protocol/verdict_json.h"

#define EDITS_MAX 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *next, *end;

/* NULL when the input is at its end, or says so with one octet. */
static const char *take(void)
{
	const char *text = next;

	if (next >= end)
		return NULL;
	next = text + strlen(text) + 1;
	return *text == '\x01' ? NULL : text;
}

static void same(const char *meant, const char *got)
{
	assert(!strcmp(meant ? meant : "", got ? got : ""));
}

static void check_edits(const struct gatepost_verdict *meant, const struct verdict *got)
{
	assert(got->edits_len == meant->edits_len);
	for (size_t i = 0; i < got->edits_len; i++) {
		const struct gatepost_edit *a = &meant->edits[i];
		const struct edit *b = &got->edits[i];

		assert((int)a->kind == (int)b->kind);
		if (a->kind <= GATEPOST_DELETE_HEADER)
			same(a->name, b->name);
		if (a->kind != GATEPOST_DELETE_HEADER && a->kind != GATEPOST_DROP_RECIPIENT)
			same(a->value, b->value);
		if (a->kind == GATEPOST_REPLACE_HEADER || a->kind == GATEPOST_DELETE_HEADER ||
		    a->kind == GATEPOST_DROP_RECIPIENT)
			assert(a->nth == b->nth);
		assert(a->kind != GATEPOST_ADD_HEADER || a->bottom == b->bottom);
	}
}

static void check_labels(const char *const *labels, const char *got)
{
	char joined[2048] = "";
	size_t len = 0;

	for (size_t i = 0; labels && labels[i]; i++) {
		size_t n = strlen(labels[i]);

		assert(len + n + 2 < sizeof joined);
		if (i)
			joined[len++] = ' ';
		memcpy(joined + len, labels[i], n + 1);
		len += n;
	}
	same(joined, got);
}

static void check_line(const char *line, size_t len, const struct gatepost_verdict *meant,
		       enum hook hook)
{
	struct verdict_json_error error;
	struct verdict_message message;
	char problem[256];

	assert(len && memchr(line, '\n', len) == line + len - 1);
	assert(verdict_json_decode(line, len - 1, &message, &error) == VERDICT_JSON_REPLY);
	assert(message.id == 7 && message.verdict.code == meant->code);
	same(meant->status, message.verdict.status);
	same(meant->text, message.verdict.text);
	same(meant->reason, message.verdict.reason);
	assert((int)message.verdict.until == (int)meant->until);
	assert(!message.verdict.keep_session == !meant->keep_session);
	assert(!message.verdict.keep_transaction == !meant->keep_transaction);
	check_labels(meant->labels, message.verdict.labels);
	check_edits(meant, &message.verdict);
	assert(!verdict_hook_problem(&message.verdict, hook, 1u << HANDSHAKE_GRANT_BYPASS, problem,
				     sizeof problem));
	verdict_fini(&message.verdict);
}

/* A connection with one request open at the hook, id 7. */
static struct gatepost_policy *ask(unsigned hook)
{
	static const char hello[] =
		"{\"type\":\"hello\",\"protocol\":\"gatepost-policy\",\"versions\":[1],"
		"\"gateway\":{\"name\":\"a\",\"epoch\":\"b\"},\"hooks\":[],\"context\":[],"
		"\"body\":[],\"limits\":{},\"ping_ms\":1}\n{\"type\":\"ready\",\"version\":1,"
		"\"policy\":\"p\",\"missing\":[],\"window\":1,\"body\":[],\"hooks\":{},"
		"\"grants\":[\"bypass\"]}\n";
	static const char *const requests[] = {
#define ASK(hook, args)                                                                            \
	"{\"type\":\"request\",\"id\":7,\"key\":\"k\",\"attempt\":1,\"hook\":\"" hook              \
	"\",\"session\":\"s\",\"deadline_ms\":1,\"args\":" args ",\"context\":{}}\n"
#define MAILBOX "\"address\":\"a@b\",\"local\":\"a\",\"domain\":\"b\",\"params\":[]"
		ASK("connect", "{}"),
		ASK("ehlo", "{\"verb\":\"EHLO\",\"name\":\"x\"}"),
		ASK("starttls", "{}"),
		ASK("secure", "{}"),
		ASK("auth", "{\"mechanism\":\"PLAIN\",\"user\":\"u\",\"password\":\"p\"}"),
		ASK("mail", "{" MAILBOX "}"),
		ASK("rcpt", "{" MAILBOX ",\"index\":1,\"accepted\":0}"),
		ASK("data", "{\"recipients\":1}"),
		ASK("message", "{\"size\":1,\"body\":{\"mode\":\"none\"}}"),
	};
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1};
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);
	const char *line = requests[hook];
	const char *out;

	assert(gatepost_policy_feed(policy, hello, sizeof hello - 1));
	gatepost_policy_sent(policy, gatepost_policy_out(policy, &out));
	assert(gatepost_policy_feed(policy, line, strlen(line)));
	assert(gatepost_policy_open_len(policy) == 1 && !gatepost_policy_out(policy, &out));
	return policy;
}

static void make_edits(struct gatepost_edit *edits, struct gatepost_verdict *verdict, uint8_t seed)
{
	for (size_t i = 0; i < seed % (EDITS_MAX + 1u); i++)
		edits[i] = (struct gatepost_edit){.kind = (enum gatepost_edit_kind)((seed + i) % 7),
						  .bottom = seed & 8,
						  .nth = (unsigned)(seed >> 4),
						  .name = take(),
						  .value = take()};
	verdict->edits = edits;
	verdict->edits_len = seed % (EDITS_MAX + 1u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gatepost_edit edits[EDITS_MAX];
	const char *labels[4] = {0}, *out;
	struct gatepost_verdict verdict = {0};
	struct gatepost_policy *policy;
	struct gatepost_error error;
	unsigned hook;
	char *text;
	size_t len;

	if (size < 4)
		return 0;
	text = malloc(size - 3);
	memcpy(text, data + 4, size - 4);
	text[size - 4] = '\0';
	next = text;
	end = text + size - 4;
	hook = data[0] % 9;
	verdict.decision = (enum gatepost_decision)(data[1] % 10);
	verdict.until = (enum gatepost_until)(data[1] / 10 % 4);
	verdict.code = data[2] < 100 ? 0 : data[2] * 3;
	verdict.status = take();
	verdict.text = take();
	verdict.reason = take();
	verdict.keep_session = take();
	verdict.keep_transaction = take();
	for (size_t i = 0; i < 3u && (labels[i] = take()); i++)
		verdict.labels = labels;
	make_edits(edits, &verdict, data[3]);
	policy = ask(hook);
	if (gatepost_policy_reply(policy, 7, &verdict, &error)) {
		len = gatepost_policy_out(policy, &out);
		check_line(out, len, &verdict, (enum hook)hook);
		assert(gatepost_policy_open_len(policy) == 0);
	} else {
		assert(!strcmp(error.code, "bad_reply") && error.message[0]);
		assert(!gatepost_policy_out(policy, &out));
		assert(gatepost_policy_open_len(policy) == 1);
	}
	gatepost_policy_free(&policy);
	free(text);
	return 0;
}
