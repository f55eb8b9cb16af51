#include "drive_verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends as much as there is room for. */
__attribute__((format(printf, 3, 4))) static void add(char *out, size_t size, const char *format,
						      ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + used, size - used, format, args);
	va_end(args);
}

static void add_reply(char *out, size_t size, int code, const char *status, const char *text,
		      const char *reason)
{
	if (code)
		add(out, size, " %d", code);
	if (*status)
		add(out, size, " %s", status);
	if (text && *text)
		add(out, size, " \"%s\"", text);
	if (*reason)
		add(out, size, " (%s)", reason);
}

void drive_expect_show(const struct drive_expect *expect, char *out, size_t size)
{
	snprintf(out, size, "%s",
		 expect->has_verdict ? verdict_word(expect->verdict) : "any verdict");
	add_reply(out, size, expect->code, expect->status, expect->text, expect->reason);
	if (expect->has_until)
		add(out, size, " until %s", verdict_until_word(expect->until));
	if (*expect->label)
		add(out, size, " label %s", expect->label);
	if (expect->has_edits)
		add(out, size, " edits %zu", expect->edits);
}

static int code_of(const struct verdict *v, enum hook hook)
{
	return hook == HOOK_MAX ? v->code : verdict_code(v, hook);
}

static const char *status_of(const struct verdict *v, enum hook hook)
{
	return hook == HOOK_MAX ? v->status : verdict_status(v, hook);
}

static void add_kept(char *out, size_t size, const char *what, const char *kept)
{
	if (kept)
		add(out, size, " %s %s", *kept ? "keeps" : "forgets", what);
}

void drive_verdict_show(const struct verdict *v, enum hook hook, char *out, size_t size)
{
	snprintf(out, size, "%s", verdict_word(v->kind));
	add_reply(out, size, code_of(v, hook), status_of(v, hook), v->text, v->reason);
	if (v->until != VERDICT_UNTIL_COMMAND)
		add(out, size, " until %s", verdict_until_word(v->until));
	if (v->labels)
		add(out, size, " labels %s", v->labels);
	add_kept(out, size, "session", v->keep_session);
	add_kept(out, size, "transaction", v->keep_transaction);
	if (v->edits_len)
		add(out, size, " edits %zu", v->edits_len);
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = '/'; /* between the lines of a reply */
}

static bool has_label(const char *labels, const char *label)
{
	size_t len = strlen(label);

	for (const char *p = labels; (p = strstr(p, label)); p += len)
		if ((p == labels || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

bool drive_verdict_meets(const struct verdict *v, enum hook hook, const struct drive_expect *expect)
{
	return (!expect->has_verdict || v->kind == expect->verdict) &&
	       (!expect->code || code_of(v, hook) == expect->code) &&
	       (!*expect->status || strcmp(status_of(v, hook), expect->status) == 0) &&
	       (!*expect->reason || strcmp(v->reason, expect->reason) == 0) &&
	       (!*expect->text || strstr(v->text ? v->text : "", expect->text)) &&
	       (!*expect->label || has_label(v->labels ? v->labels : "", expect->label)) &&
	       (!expect->has_until || v->until == expect->until) &&
	       (!expect->has_edits || v->edits_len == expect->edits);
}
