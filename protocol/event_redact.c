#include "event_redact.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CLIENT (1u << EVENT_REDACT_CLIENT)
#define MAIL   (1u << EVENT_REDACT_MAIL)

/* What stands for a text that is not told: the mark that credentials have in `line`. */
#define MARK "*"

enum rule { HIDE, NETWORK, MAILBOX, VERB };

static const struct {
	const char *field;
	unsigned kinds; /* of events, 1u << EVENT_x; 0: all */
	unsigned mask;	/* any of them is enough */
	enum rule rule;
} rules[] = {
	{"ip", 0, CLIENT, NETWORK},
	{"name", 0, CLIENT, HIDE},
	{"user", 0, CLIENT, MAILBOX},
	{"address", 0, MAIL, MAILBOX},
	{"ref", 0, MAIL, HIDE},
	{"line", 0, CLIENT | MAIL, VERB},
	{"text", 0, CLIENT | MAIL, HIDE},
	{"message", 1u << EVENT_POLICY_BAD_REPLY | 1u << EVENT_POLICY_SERVICE, CLIENT | MAIL, HIDE},
};

const char *event_redact_word(unsigned what)
{
	static const char *const words[] = {
		[EVENT_REDACT_CLIENT] = "client", [EVENT_REDACT_MAIL] = "mail"};

	return what < EVENT_REDACT_MAX ? words[what] : NULL;
}

static struct octets octets_of(const struct event_field *field)
{
	if (field->type == EVENT_OCTETS)
		return field->value.octets;
	return (struct octets){field->value.text, strlen(field->value.text)};
}

/* 203.0.113.10 becomes 203.0.113.0, and 2001:db8:1:2::5 becomes 2001:db8:1::. */
static const char *network_of(struct octets ip, char *out, size_t size)
{
	size_t end = 0, groups = 0;

	if (ip.len + 3 > size)
		return MARK;
	if (!memchr(ip.data, ':', ip.len)) {
		for (size_t i = 0; i < ip.len; i++)
			if (ip.data[i] == '.')
				end = i + 1;
		if (!end)
			return MARK;
		snprintf(out, size, "%.*s0", (int)end, ip.data);
		return out;
	}
	for (; end < ip.len && groups < 3; end++) {
		if (ip.data[end] != ':')
			continue;
		groups++;
		if (end + 1 < ip.len && ip.data[end + 1] == ':')
			break;
	}
	if (groups == 3 && ip.data[end - 1] == ':')
		end--;
	snprintf(out, size, "%.*s::", (int)end, ip.data);
	return out;
}

/* What comes before the last "@" is the person. The null path is nobody. */
static struct octets mailbox_of(struct octets address, char *out, size_t size)
{
	size_t at = address.len;

	while (at && address.data[at - 1] != '@')
		at--;
	if (!address.len)
		return address;
	out[0] = MARK[0];
	if (!at || address.len - at + 2 > size)
		return (struct octets){out, 1};
	memcpy(out + 1, address.data + at - 1, address.len - at + 1);
	return (struct octets){out, address.len - at + 2};
}

/* A word that is no verb may be anything. */
static struct octets verb_of(struct octets line, char *out, size_t size)
{
	static const char *const verbs[] = {"HELO", "EHLO", "LHLO", "MAIL",    "RCPT",	  "DATA",
					    "BDAT", "RSET", "NOOP", "QUIT",    "VRFY",	  "EXPN",
					    "HELP", "AUTH", ".",    "XCLIENT", "STARTTLS"};
	const char *space = memchr(line.data, ' ', line.len);
	size_t len = space ? (size_t)(space - line.data) : line.len;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strlen(verbs[i]) != len || strncasecmp(verbs[i], line.data, len) != 0)
			continue;
		if (!space)
			return line;
		snprintf(out, size, "%s " MARK, verbs[i]);
		return (struct octets){out, strlen(out)};
	}
	return (struct octets){MARK, 1};
}

static void apply(struct event_field *field, enum rule rule, struct event_redacted *room)
{
	struct octets value = octets_of(field);

	switch (rule) {
	case HIDE:
		value = (struct octets){MARK, 1};
		break;
	case NETWORK:
		value.data = network_of(value, room->network, sizeof room->network);
		value.len = strlen(value.data);
		break;
	case MAILBOX:
		value = mailbox_of(value, room->mailbox, sizeof room->mailbox);
		break;
	case VERB:
		value = verb_of(value, room->verb, sizeof room->verb);
		break;
	}
	field->type = EVENT_OCTETS;
	field->value.octets = value;
}

static void redact_field(struct event_field *field, unsigned mask, struct event_redacted *room)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (!(rules[i].mask & mask) || strcmp(rules[i].field, field->name) != 0)
			continue;
		if (rules[i].kinds && !(rules[i].kinds & 1u << room->event.kind))
			continue;
		if (field->type == EVENT_TEXT || field->type == EVENT_OCTETS)
			apply(field, rules[i].rule, room);
	}
}

const struct event *event_redact(const struct event *event, unsigned mask,
				 struct event_redacted *room)
{
	if (!mask)
		return event;
	room->event = *event;
	for (size_t i = 0; i < room->event.fields_len; i++)
		redact_field(&room->event.fields[i], mask, room);
	return &room->event;
}
