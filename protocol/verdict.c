#include "verdict.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handshake.h"
#include "utf8.h"

/* The replies when a verdict names none. */
struct reply_default {
	int code;
	const char *status;
};

static const struct {
	struct reply_default reject, tempfail;
	const char *verdicts; /* that it allows: words with a space between them */
} hooks[] = {
#define HOOK(name, word, reject, reject_status, tempfail, tempfail_status, verdicts)               \
	[HOOK_##name] = {{reject, reject_status}, {tempfail, tempfail_status}, verdicts},
#include "hooks.def"
#undef HOOK
};

static const struct {
	const char *word;
	int low, high; /* the codes that fit */
} kinds[] = {
	[VERDICT_ACCEPT] = {"accept", 200, 299},	 [VERDICT_BYPASS] = {"bypass", 200, 299},
	[VERDICT_QUARANTINE] = {"quarantine", 200, 299}, [VERDICT_DISCARD] = {"discard", 200, 299},
	[VERDICT_TEMPFAIL] = {"tempfail", 400, 499},	 [VERDICT_REJECT] = {"reject", 500, 599},
	[VERDICT_DISCONNECT] = {"disconnect", 400, 599},
};

static const char *const until_words[] = {
	[VERDICT_UNTIL_COMMAND] = "command",
	[VERDICT_UNTIL_TRANSACTION] = "transaction",
	[VERDICT_UNTIL_SESSION] = "session",
};

#define UNTIL_MAX (sizeof until_words / sizeof until_words[0])

void verdict_fini(struct verdict *v)
{
	free(v->text);
	free(v->labels);
	free(v->keep_session);
	free(v->keep_transaction);
	for (size_t i = 0; i < v->edits_len; i++)
		edit_fini(&v->edits[i]);
	free(v->edits);
	*v = (struct verdict){.kind = VERDICT_ACCEPT};
}

const char *verdict_word(enum verdict_kind kind)
{
	assert(kind < VERDICT_MAX);
	return kinds[kind].word;
}

bool verdict_from_word(const char *word, enum verdict_kind *kind)
{
	for (unsigned i = 0; i < VERDICT_MAX; i++) {
		if (!strcmp(kinds[i].word, word)) {
			*kind = (enum verdict_kind)i;
			return true;
		}
	}
	return false;
}

const char *verdict_until_word(enum verdict_until until)
{
	assert(until < UNTIL_MAX);
	return until_words[until];
}

bool verdict_until_from_word(const char *word, enum verdict_until *until)
{
	for (unsigned i = 0; i < UNTIL_MAX; i++) {
		if (!strcmp(until_words[i], word)) {
			*until = (enum verdict_until)i;
			return true;
		}
	}
	return false;
}

static struct reply_default disconnect_default(const struct verdict *v)
{
	/* A refusal for good must not look temporary, or the client comes back. */
	if (v->code >= 500 || v->status[0] == '5')
		return (struct reply_default){554, "5.7.1"};
	return (struct reply_default){421, "4.7.0"};
}

static struct reply_default default_reply(const struct verdict *v, enum hook hook)
{
	assert(hook < HOOK_MAX);
	switch (v->kind) {
	case VERDICT_TEMPFAIL:
		return hooks[hook].tempfail;
	case VERDICT_REJECT:
		return hooks[hook].reject;
	case VERDICT_DISCONNECT:
		return disconnect_default(v);
	case VERDICT_ACCEPT:
	case VERDICT_BYPASS:
	case VERDICT_QUARANTINE:
	case VERDICT_DISCARD:
	case VERDICT_MAX:
		break;
	}
	return (struct reply_default){0, ""};
}

int verdict_code(const struct verdict *v, enum hook hook)
{
	return v->code ? v->code : default_reply(v, hook).code;
}

const char *verdict_status(const struct verdict *v, enum hook hook)
{
	return v->status[0] ? v->status : default_reply(v, hook).status;
}

/* 0, or 1-999 without a leading zero (RFC 3463 section 2). NULL when there is no such number. */
static const char *skip_number(const char *p)
{
	const char *start = p;

	while (*p >= '0' && *p <= '9')
		p++;
	if (p == start || p - start > 3 || (*start == '0' && p - start > 1))
		return NULL;
	return p;
}

static bool is_status(const char *status)
{
	const char *p = status;

	if ((*p != '2' && *p != '4' && *p != '5') || p[1] != '.')
		return false;
	p = skip_number(p + 2);
	if (!p || *p != '.')
		return false;
	p = skip_number(p + 1);
	return p && !*p;
}

static bool is_word(const char *text, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

	for (size_t i = 0; i < len; i++)
		if (!memchr(allowed, text[i], sizeof allowed - 1))
			return false;
	return true;
}

static bool is_reason(const char *reason)
{
	return strlen(reason) <= VERDICT_REASON_MAX && is_word(reason, strlen(reason));
}

/* A ref is one word or several: spaces around it would be lost where it is written down. */
static bool is_ref(const char *ref)
{
	size_t len = strlen(ref);

	if (len < 1 || len > VERDICT_REF_MAX || ref[0] == ' ' || ref[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (ref[i] < ' ' || ref[i] > '~')
			return false;
	return true;
}

static const char *ref_problem(const struct verdict *v, char *problem, size_t size)
{
	if (!v->ref[0])
		return NULL;
	/* Of a message that is refused or thrown away, nothing is anywhere. */
	if (v->kind > VERDICT_QUARANTINE)
		snprintf(problem, size, "ref does not fit the verdict %s", kinds[v->kind].word);
	else if (!is_ref(v->ref))
		snprintf(problem, size,
			 "ref must be 1 to %d characters of printable ASCII without spaces at its "
			 "ends",
			 VERDICT_REF_MAX);
	else
		return NULL;
	return problem;
}

const char *verdict_label_problem(const char *label, size_t len, char *problem, size_t size)
{
	if (len >= 1 && len <= VERDICT_LABEL_MAX && is_word(label, len))
		return NULL;
	snprintf(problem, size, "a label must be 1 to %d characters of a-z 0-9 _ . -",
		 VERDICT_LABEL_MAX);
	return problem;
}

static const char *labels_problem(const char *labels, char *problem, size_t size)
{
	unsigned n = 0;
	size_t len;

	do {
		len = strcspn(labels, " ");
		if (verdict_label_problem(labels, len, problem, size))
			return problem;
		n++;
		labels += len;
	} while (*labels++);
	if (n <= VERDICT_LABELS_MAX)
		return NULL;
	snprintf(problem, size, "labels must be 1 to %d, not %u", VERDICT_LABELS_MAX, n);
	return problem;
}

static const char *edits_problem(const struct verdict *v, char *problem, size_t size)
{
	if (v->edits_len > VERDICT_EDITS_MAX) {
		snprintf(problem, size, "edits must be at most %d, not %zu", VERDICT_EDITS_MAX,
			 v->edits_len);
		return problem;
	}
	/* Of a message that is refused, nothing is left that could be changed. */
	if (v->edits_len && v->kind > VERDICT_QUARANTINE) {
		snprintf(problem, size, "edits do not fit the verdict %s", kinds[v->kind].word);
		return problem;
	}
	for (size_t i = 0; i < v->edits_len; i++)
		if (edit_problem(&v->edits[i], problem, size))
			return problem;
	return NULL;
}

const char *verdict_line_problem(const char *line, size_t len, char *problem, size_t size)
{
	if (len < 1 || len > VERDICT_LINE_MAX) {
		snprintf(problem, size, "a line of text must have 1 to %d characters, not %zu",
			 VERDICT_LINE_MAX, len);
		return problem;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		/* CR and LF above all: they would let a service write replies of its own. */
		if (c < ' ' || c > '~') {
			snprintf(problem, size,
				 "text must be printable ASCII: octet %zu of a line is 0x%02x",
				 i + 1, c);
			return problem;
		}
	}
	return NULL;
}

static const char *text_problem(const char *text, char *problem, size_t size)
{
	unsigned lines = 1;
	const char *end;

	for (; (end = strchr(text, '\n')); text = end + 1, lines++)
		if (verdict_line_problem(text, (size_t)(end - text), problem, size))
			return problem;
	if (verdict_line_problem(text, strlen(text), problem, size))
		return problem;
	if (lines > VERDICT_LINES_MAX) {
		snprintf(problem, size, "text must have 1 to %d lines, not %u", VERDICT_LINES_MAX,
			 lines);
		return problem;
	}
	return NULL;
}

static const char *status_problem(const struct verdict *v, char *problem, size_t size)
{
	int class = v->status[0] - '0';
	int low = kinds[v->kind].low / 100, high = kinds[v->kind].high / 100;

	if (!is_status(v->status))
		snprintf(problem, size,
			 "status \"%s\" is not an enhanced status code such as \"5.7.1\"",
			 v->status);
	else if (v->code && class != v->code / 100)
		snprintf(problem, size, "status %s does not match code %d", v->status, v->code);
	else if (class < low || class > high)
		snprintf(problem, size, "status %s does not fit the verdict %s", v->status,
			 verdict_word(v->kind));
	else
		return NULL;
	utf8_make_printable(problem);
	return problem;
}

const char *verdict_problem(const struct verdict *v, char *problem, size_t size)
{
	assert(v->kind < VERDICT_MAX);
	if (v->code && (v->code < kinds[v->kind].low || v->code > kinds[v->kind].high)) {
		snprintf(problem, size, "code %d does not fit the verdict %s: use %d to %d",
			 v->code, verdict_word(v->kind), kinds[v->kind].low, kinds[v->kind].high);
		return problem;
	}
	if (v->status[0] && status_problem(v, problem, size))
		return problem;
	if (v->text && text_problem(v->text, problem, size))
		return problem;
	if (!is_reason(v->reason)) {
		snprintf(problem, size, "reason must be 1 to %d characters of a-z 0-9 _ . -",
			 VERDICT_REASON_MAX);
		return problem;
	}
	if (v->until != VERDICT_UNTIL_COMMAND &&
	    (v->kind == VERDICT_DISCARD || v->kind == VERDICT_DISCONNECT)) {
		snprintf(problem, size, "until \"%s\" does not fit the verdict %s",
			 verdict_until_word(v->until), kinds[v->kind].word);
		return problem;
	}
	if (v->labels && labels_problem(v->labels, problem, size))
		return problem;
	if (ref_problem(v, problem, size))
		return problem;
	return edits_problem(v, problem, size);
}

static bool is_in_transaction(enum hook hook)
{
	return hook >= HOOK_MAIL && hook <= HOOK_MESSAGE;
}

static bool allows_edit(enum hook hook, enum edit_kind kind)
{
	return hook == HOOK_MESSAGE || (hook == HOOK_MAIL && kind == EDIT_SET_SENDER) ||
	       (hook == HOOK_DATA && kind == EDIT_DROP_RECIPIENT);
}

const char *verdict_hook_problem(const struct verdict *v, enum hook hook, unsigned grants,
				 char *problem, size_t size)
{
	assert(v->kind < VERDICT_MAX && hook < HOOK_MAX);
	/* No word of a verdict is a part of another. */
	if (!strstr(hooks[hook].verdicts, kinds[v->kind].word)) {
		snprintf(problem, size, "the verdict %s is not allowed at %s: use one of: %s",
			 kinds[v->kind].word, hook_word(hook), hooks[hook].verdicts);
		return problem;
	}
	if (v->kind == VERDICT_BYPASS && !(grants & 1u << HANDSHAKE_GRANT_BYPASS)) {
		snprintf(problem, size, "bypass is not granted to this policy");
		return problem;
	}
	if (!is_in_transaction(hook) &&
	    (v->until == VERDICT_UNTIL_TRANSACTION || v->keep_transaction)) {
		snprintf(problem, size, "%s is not allowed at %s: it is in no transaction",
			 v->keep_transaction ? "keep.transaction" : "until \"transaction\"",
			 hook_word(hook));
		return problem;
	}
	if (v->ref[0] && hook != HOOK_MESSAGE) {
		snprintf(problem, size, "ref is not allowed at %s: there is no message yet",
			 hook_word(hook));
		return problem;
	}
	for (size_t i = 0; i < v->edits_len; i++) {
		if (allows_edit(hook, v->edits[i].kind))
			continue;
		snprintf(problem, size, "the edit %s is not allowed at %s",
			 edit_word(v->edits[i].kind), hook_word(hook));
		return problem;
	}
	return NULL;
}
