/* Whatever a service sends, a verdict that comes out of it keeps every rule, and its reply is safe.
 */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/handshake.h"
#include "protocol/strict_json.h"
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

/* What is kept is an object that becomes the same text again. */
static void check_kept(const char *kept)
{
	char problem[256], *again;
	json_t *object;

	if (!kept || !*kept)
		return;
	assert(strlen(kept) <= VERDICT_KEEP_MAX && !strchr(kept, '\n'));
	object = strict_json_parse(kept, strlen(kept), problem, sizeof problem);
	assert(object);
	again = json_dumps(object, JSON_COMPACT);
	assert(again && strcmp(again, kept) == 0);
	free(again);
	json_decref(object);
}

static void check_labels(const char *labels)
{
	unsigned n = 1;
	size_t len = 0;

	for (; *labels; labels++) {
		if (*labels == ' ') {
			assert(len > 0);
			n++;
			len = 0;
			continue;
		}
		assert(strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", *labels));
		assert(++len <= VERDICT_LABEL_MAX);
	}
	assert(len > 0 && n <= VERDICT_LABELS_MAX);
}

/* With its name and ": " before it and CRLF after it, it is one field of a header. */
static void check_value(const char *name, const char *value)
{
	size_t line = strlen(name) + 2;
	bool blank = false;

	for (const char *p = value; *p; p++) {
		if (*p == '\r') {
			assert(p[1] == '\n' && (p[2] == ' ' || p[2] == '\t') && !blank);
			p++;
			line = 0;
			blank = true;
			continue;
		}
		assert((unsigned char)*p >= ' ' || *p == '\t');
		assert(++line <= EDIT_LINE_MAX);
		blank = blank && (*p == ' ' || *p == '\t');
	}
	assert(!blank);
}

static void check_edit(const struct edit *edit)
{
	bool header = edit->kind <= EDIT_DELETE_HEADER;

	assert(edit->kind < EDIT_MAX && header == (edit->name != NULL));
	if (header) {
		assert(*edit->name && strlen(edit->name) <= EDIT_NAME_MAX);
		for (const char *p = edit->name; *p; p++)
			assert(*p > ' ' && *p <= '~' && *p != ':');
	}
	if (edit->kind == EDIT_ADD_HEADER || edit->kind == EDIT_REPLACE_HEADER)
		check_value(edit->name, edit->value);
	if (edit->kind == EDIT_SET_SENDER || edit->kind == EDIT_ADD_RECIPIENT)
		assert(!strpbrk(edit->value, "<>\r\n\t"));
	if (edit->kind == EDIT_REPLACE_HEADER || edit->kind == EDIT_DROP_RECIPIENT)
		assert(edit->nth);
}

static void check_ref(const struct verdict *v)
{
	size_t len = strlen(v->ref);

	if (!len)
		return;
	assert(v->kind <= VERDICT_QUARANTINE && len <= VERDICT_REF_MAX);
	assert(v->ref[0] != ' ' && v->ref[len - 1] != ' ');
	for (const char *p = v->ref; *p; p++)
		assert(*p >= ' ' && *p <= '~');
}

static void check_more(const struct verdict *v)
{
	char problem[256];

	check_kept(v->keep_session);
	check_kept(v->keep_transaction);
	check_ref(v);
	if (v->labels)
		check_labels(v->labels);
	assert(v->edits_len <= VERDICT_EDITS_MAX);
	assert(!v->edits_len || v->kind <= VERDICT_QUARANTINE);
	for (size_t i = 0; i < v->edits_len; i++)
		check_edit(&v->edits[i]);
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		if (!verdict_hook_problem(v, (enum hook)i, 0, problem, sizeof problem))
			assert(v->kind != VERDICT_BYPASS && i != HOOK_DISCONNECT &&
			       (!v->ref[0] || i == HOOK_MESSAGE));
		else
			for (const char *p = problem; *p; p++)
				assert(*p >= ' ' && *p <= '~');
	}
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

/* With a space before it, it is not known by its octets but parsed: to the same end. */
static void check_parsed(const char *line, size_t size, enum verdict_json result,
			 const struct verdict_message *m)
{
	char *spaced = malloc(size + 1);
	struct verdict_json_error error;
	struct verdict_message parsed;

	spaced[0] = ' ';
	memcpy(spaced + 1, line, size);
	assert(verdict_json_decode(spaced, size + 1, &parsed, &error) == result);
	assert(parsed.id == m->id && parsed.verdict.kind == m->verdict.kind);
	verdict_fini(&parsed.verdict);
	free(spaced);
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
	check_parsed(line, size, result, &m);
	if (result == VERDICT_JSON_REPLY) {
		assert(m.id <= UINT64_C(9007199254740991));
		assert(!verdict_problem(&m.verdict, problem, sizeof problem));
		check_verdict(&m.verdict);
		check_more(&m.verdict);
	} else {
		if (result >= VERDICT_JSON_INVALID)
			check_error(&error);
		assert(m.window <= PROTOCOL_WINDOW_MAX && m.extend_ms <= VERDICT_EXTEND_MAX);
		assert((m.extend_ms > 0) == (result == VERDICT_JSON_PROGRESS));
		assert(!m.verdict.keep_session && !m.verdict.edits && !m.verdict.labels);
		assert(m.verdict.kind == VERDICT_ACCEPT && !m.verdict.text && !m.verdict.code &&
		       !m.verdict.status[0] && !m.verdict.ref[0]);
	}
	verdict_fini(&m.verdict);
	free(line);
	return 0;
}
