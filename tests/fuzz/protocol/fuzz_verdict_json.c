/* Whatever a service sends, a verdict that comes out of it keeps every rule, and its reply is safe.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/verdict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	size_t lines = 1, len = 0;

	for (; *text; text++) {
		if (*text == '\n') {
			assert(len > 0);
			lines++;
			len = 0;
			continue;
		}
		assert(*text >= ' ' && *text <= '~');
		assert(++len <= VERDICT_LINE_MAX);
	}
	assert(len > 0 && lines <= VERDICT_LINES_MAX);
}

static void check_verdict(const struct verdict *v)
{
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		int code = verdict_code(v, (enum hook)i);
		const char *status = verdict_status(v, (enum hook)i);

		if (v->kind <= VERDICT_DISCARD)
			assert(code == 0 || (code >= 200 && code <= 299));
		else
			assert(code >= 400 && code <= 599);
		if (v->kind == VERDICT_REJECT)
			assert(code >= 500);
		if (v->kind == VERDICT_TEMPFAIL)
			assert(code < 500);
		if (code && status[0])
			assert(status[0] - '0' == code / 100);
		assert(strspn(status, "0123456789.") == strlen(status));
	}
	if (v->text)
		check_text(v->text);
	assert(strspn(v->reason, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(v->reason));
}

static void check_error(const struct verdict_json_error *error)
{
	assert(error->code[0] && error->message[0]);
	for (const char *p = error->message; *p; p++)
		assert(*p >= ' ' && *p <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), problem[256];
	struct verdict_json_error error;
	enum verdict_json result;
	struct verdict_message m;

	memcpy(line, data, size);
	line[size] = '\0';
	result = verdict_json_decode(line, size, &m, &error);
	if (result == VERDICT_JSON_REPLY) {
		assert(m.id <= UINT64_C(9007199254740991));
		assert(!verdict_problem(&m.verdict, problem, sizeof problem));
		check_verdict(&m.verdict);
	} else {
		if (result >= VERDICT_JSON_INVALID)
			check_error(&error);
		assert(m.verdict.kind == VERDICT_ACCEPT && !m.verdict.text && !m.verdict.code &&
		       !m.verdict.status[0]);
	}
	verdict_fini(&m.verdict);
	free(line);
	return 0;
}
