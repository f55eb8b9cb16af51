#include "dialogue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dialogue_settings.h"
#include "dialogue_text.h"

struct reader {
	struct dialogue *dialogue;
	unsigned line;
	bool joinable; /* the line before was of the same batch or message */
};

static const char *const marks[] = {
	[DIALOGUE_SEND] = "C:",	  [DIALOGUE_REPLY] = "S:",    [DIALOGUE_HOOK] = "H:",
	[DIALOGUE_STORED] = "D:", [DIALOGUE_TLS] = "T:",      [DIALOGUE_CLOSED] = "X:",
	[DIALOGUE_CLIENT] = "N:", [DIALOGUE_ENVELOPE] = "M:", [DIALOGUE_ANSWER] = "A:",
};

const char *dialogue_mark(enum dialogue_kind kind)
{
	return marks[kind];
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct reader *r,
								 const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u: bad dialogue: ", r->dialogue->path, r->line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

static struct dialogue_item *add_item(const struct reader *r, enum dialogue_kind kind)
{
	struct dialogue *d = r->dialogue;
	struct dialogue_item *item;

	d->items = mem_resize(d->items, (d->items_len + 1) * sizeof(*d->items));
	item = &d->items[d->items_len++];
	*item = (struct dialogue_item){.kind = kind, .line = r->line};
	buf_init(&item->octets, DIALOGUE_OCTETS_MAX);
	return item;
}

static struct dialogue_item *last_item(const struct reader *r)
{
	struct dialogue *d = r->dialogue;

	return d->items_len > 0 ? &d->items[d->items_len - 1] : NULL;
}

static void read_octets(struct reader *r, enum dialogue_kind kind, const char *text, bool crlf)
{
	struct dialogue_item *item = last_item(r);

	if (item == NULL || !r->joinable || item->kind != kind || kind == DIALOGUE_REPLY)
		item = add_item(r, kind);
	if (!dialogue_text_unescape(text, strlen(text), &item->octets))
		fail(r, "bad escape");
	if (crlf)
		buf_append(&item->octets, "\r\n", 2);
}

/* "word name=value ...": the word is cut off, the fields go to the item. */
static char *read_fields(const struct reader *r, char *text, struct dialogue_field *fields,
			 size_t *fields_len)
{
	char *word = text;
	const char *rest;

	text += strcspn(text, " ");
	if (*text != '\0')
		*text++ = '\0';
	rest = text;
	while (rest[strspn(rest, " ")] != '\0') {
		struct dialogue_field *field = &fields[*fields_len];

		if (*fields_len == DIALOGUE_FIELDS_MAX)
			fail(r, "too many fields");
		buf_init(&field->value, DIALOGUE_OCTETS_MAX);
		field->name = dialogue_text_field(&rest, &field->value);
		if (field->name == NULL)
			fail(r, "expected name=value at \"%s\"", rest);
		(*fields_len)++;
	}
	return word;
}

static void read_hook(const struct reader *r, char *text)
{
	struct dialogue_item *item = add_item(r, DIALOGUE_HOOK);
	const char *word = read_fields(r, text, item->fields, &item->fields_len);

	if (!hook_from_word(word, &item->hook))
		fail(r, "there is no hook \"%s\"", word);
	if ((r->dialogue->hooks & (1u << item->hook)) == 0)
		fail(r, "hook %s is not among those of `set hooks`", word);
}

/* "name=value ..." */
static void read_facts(const struct reader *r, enum dialogue_kind kind, const char *text)
{
	struct dialogue_item *item = add_item(r, kind);
	char *copy = NULL;

	if (asprintf(&copy, "facts %s", text) < 0)
		abort();
	read_fields(r, copy, item->fields, &item->fields_len);
	free(copy);
}

static void add_edit(struct verdict *v, enum edit_kind kind, const char *value)
{
	struct edit edit = {.kind = kind};

	if (kind == EDIT_DROP_RECIPIENT)
		edit.nth = (unsigned)atoi(value);
	else
		edit.value = mem_copy_string(value);
	v->edits = mem_resize(v->edits, (v->edits_len + 1) * sizeof(*v->edits));
	v->edits[v->edits_len++] = edit;
}

static bool is_envelope_edit(const char *name, enum edit_kind *kind)
{
	return edit_from_word(name, kind) &&
	       (*kind == EDIT_SET_SENDER || *kind == EDIT_ADD_RECIPIENT ||
		*kind == EDIT_DROP_RECIPIENT);
}

static void set_verdict_field(const struct reader *r, struct verdict *v, const char *name,
			      const char *value)
{
	enum edit_kind edit;
	char *joined = NULL;

	if (strcmp(name, "code") == 0) {
		v->code = atoi(value);
	} else if (strcmp(name, "status") == 0 && strlen(value) < sizeof(v->status)) {
		memcpy(v->status, value, strlen(value) + 1);
	} else if (strcmp(name, "reason") == 0 && strlen(value) < sizeof(v->reason)) {
		memcpy(v->reason, value, strlen(value) + 1);
	} else if (strcmp(name, "text") == 0) {
		if (v->text != NULL && asprintf(&joined, "%s\n%s", v->text, value) < 0)
			abort();
		free(v->text);
		v->text = joined != NULL ? joined : mem_copy_string(value);
	} else if (is_envelope_edit(name, &edit)) {
		add_edit(v, edit, value);
	} else {
		fail(r, "bad field \"%s\" of a verdict", name);
	}
}

static void read_verdict(const struct reader *r, char *text)
{
	struct dialogue_item *item = last_item(r);
	struct dialogue_field fields[DIALOGUE_FIELDS_MAX];
	size_t fields_len = 0;
	char problem[256];
	const char *word;

	if (item == NULL || item->kind != DIALOGUE_HOOK)
		fail(r, "V: must follow H:");
	word = read_fields(r, text, fields, &fields_len);
	if (!verdict_from_word(word, &item->verdict.kind))
		fail(r, "there is no verdict \"%s\"", word);
	for (size_t i = 0; i < fields_len; i++) {
		char *value = mem_copy_bytes(buf_head(&fields[i].value), fields[i].value.len);

		set_verdict_field(r, &item->verdict, fields[i].name, value);
		free(value);
		free(fields[i].name);
		buf_fini(&fields[i].value);
	}
	if (verdict_problem(&item->verdict, problem, sizeof(problem)) != NULL)
		fail(r, "no service could give this verdict: %s", problem);
}

/* "550 5.1.1 No such user" */
static void read_answer(const struct reader *r, const char *text)
{
	struct dialogue_item *item = add_item(r, DIALOGUE_ANSWER);
	int used = 0;

	if (sscanf(text, "%3d %11s %n", &item->code, item->status, &used) != 2 || !used ||
	    item->code < 200 || item->code > 599 || item->code / 100 == 3)
		fail(r, "expected a code, a status and a text");
	if (!dialogue_text_unescape(text + used, strlen(text + used), &item->octets))
		fail(r, "bad escape");
	buf_append(&item->octets, "", 1);
}

static void read_closed(const struct reader *r, const char *text)
{
	struct dialogue_item *item = add_item(r, DIALOGUE_CLOSED);
	int reason = 0;

	while (reason < DISCONNECT_MAX &&
	       strcmp(text, disconnect_reason_word((enum disconnect_reason)reason)) != 0)
		reason++;
	if (reason == DISCONNECT_MAX)
		fail(r, "there is no close reason \"%s\"", text);
	item->reason = (enum disconnect_reason)reason;
}

static void read_marked(struct reader *r, char mark, char *text)
{
	struct dialogue_item *last = last_item(r);

	if (last != NULL && last->kind == DIALOGUE_CLOSED && mark != 'H' && mark != 'E')
		fail(r, "nothing but H: disconnect and E: can follow X:");
	switch (mark) {
	case 'C':
	case 'R':
		read_octets(r, DIALOGUE_SEND, text, mark == 'C');
		break;
	case 'S':
		read_octets(r, DIALOGUE_REPLY, text, false);
		break;
	case 'D':
		read_octets(r, DIALOGUE_STORED, text, true);
		break;
	case 'H':
		read_hook(r, text);
		break;
	case 'V':
		read_verdict(r, text);
		break;
	case 'T':
		add_item(r, DIALOGUE_TLS);
		break;
	case 'N':
		read_facts(r, DIALOGUE_CLIENT, text);
		break;
	case 'M':
		read_facts(r, DIALOGUE_ENVELOPE, text);
		break;
	case 'A':
		read_answer(r, text);
		break;
	case 'X':
		read_closed(r, text);
		break;
	case 'E':
	case 'W':
		r->joinable = false;
		return;
	default:
		fail(r, "unknown mark \"%c:\"", mark);
	}
	r->joinable = true;
}

static void read_line(struct reader *r, char *text)
{
	const char *problem;

	if (*text == '#')
		return;
	if (*text == '\0') {
		r->joinable = false;
	} else if (strncmp(text, "set ", 4) == 0) {
		if (r->dialogue->items_len > 0)
			fail(r, "settings must come first");
		problem = dialogue_settings_apply(r->dialogue, text + 4);
		if (problem != NULL)
			fail(r, "%s: %s", text + 4, problem);
	} else if (text[1] == ':' && (text[2] == ' ' || text[2] == '\0')) {
		read_marked(r, text[0], text + 2 + (text[2] == ' '));
	} else {
		fail(r, "expected `set`, a mark such as `C: `, or a comment");
	}
}

struct dialogue *dialogue_read(const char *path)
{
	struct dialogue *d = mem_new(sizeof(*d));
	struct reader reader = {.dialogue = d};
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	d->path = path;
	dialogue_settings_init(d);
	if (file == NULL)
		fail(&reader, "%s", strerror(errno));
	while ((n = getline(&line, &size, file)) > 0) {
		reader.line++;
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		read_line(&reader, line);
	}
	free(line);
	fclose(file);
	if (d->items_len == 0)
		fail(&reader, "nothing happens in it");
	return d;
}

void dialogue_free(struct dialogue **dialogue)
{
	struct dialogue *d = *dialogue;

	if (d == NULL)
		return;
	for (size_t i = 0; i < d->items_len; i++) {
		struct dialogue_item *item = &d->items[i];

		buf_fini(&item->octets);
		for (size_t k = 0; k < item->fields_len; k++) {
			free(item->fields[k].name);
			buf_fini(&item->fields[k].value);
		}
		verdict_fini(&item->verdict);
	}
	dialogue_settings_fini(d);
	free(d->items);
	free(d);
	*dialogue = NULL;
}
