#include "event.h"

#include <assert.h>
#include <string.h>

static const char *const event_words[] = {
#define EVENT(name, word, meaning) [EVENT_##name] = word,
#include "events.def"
#undef EVENT
};

static_assert(EVENT_MAX <= 32, "event kinds must fit the mask of a subscription");

void event_init(struct event *e, enum event_kind kind, const char *session, const char *transaction)
{
	assert(kind < EVENT_MAX);
	e->kind = kind;
	e->session = session;
	e->transaction = transaction;
	e->fields_len = 0;
}

static struct event_field *add_field(struct event *e, const char *name, enum event_type type)
{
	struct event_field *field;

	assert(e->fields_len < EVENT_FIELDS_MAX);
	field = &e->fields[e->fields_len++];
	field->name = name;
	field->type = type;
	return field;
}

void event_add_integer(struct event *e, const char *name, int64_t value)
{
	add_field(e, name, EVENT_INTEGER)->value.integer = value;
}

void event_add_real(struct event *e, const char *name, double value)
{
	add_field(e, name, EVENT_REAL)->value.real = value;
}

void event_add_boolean(struct event *e, const char *name, bool value)
{
	add_field(e, name, EVENT_BOOLEAN)->value.boolean = value;
}

void event_add_text(struct event *e, const char *name, const char *value)
{
	if (value && *value)
		add_field(e, name, EVENT_TEXT)->value.text = value;
}

void event_add_octets(struct event *e, const char *name, struct octets value)
{
	if (value.data)
		add_field(e, name, EVENT_OCTETS)->value.octets = value;
}

const char *event_word(enum event_kind kind)
{
	assert(kind < EVENT_MAX);
	return event_words[kind];
}

_Static_assert(EVENT_MAX <= 32, "an event is a bit of the mask of a subscription");

/* "policy.*" names whatever begins with "policy."; "po*" and ".*" name nothing. */
static bool matches(const char *pattern, const char *word)
{
	size_t len = strlen(pattern);

	if (!strcmp(pattern, "*") || !strcmp(pattern, word))
		return true;
	return len > 2 && !strcmp(pattern + len - 2, ".*") && !strncmp(pattern, word, len - 1);
}

bool event_match(const char *pattern, uint32_t *mask)
{
	uint32_t matched = 0;

	for (unsigned i = 0; i < EVENT_MAX; i++)
		if (matches(pattern, event_words[i]))
			matched |= UINT32_C(1) << i;
	*mask |= matched;
	return matched;
}
