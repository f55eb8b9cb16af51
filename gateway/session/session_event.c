#include "session_event.h"

/* The verbs that have an event of their own beside `command`. */
static bool own_event(enum smtp_verb verb, enum event_kind *kind)
{
	static const struct {
		enum smtp_verb verb;
		enum event_kind kind;
	} table[] = {
		{SMTP_EHLO, EVENT_EHLO},       {SMTP_HELO, EVENT_EHLO},
		{SMTP_LHLO, EVENT_EHLO},       {SMTP_STARTTLS, EVENT_STARTTLS},
		{SMTP_AUTH, EVENT_AUTH},       {SMTP_MAIL, EVENT_MAIL},
		{SMTP_RCPT, EVENT_RCPT},       {SMTP_DATA, EVENT_DATA},
		{SMTP_MESSAGE, EVENT_MESSAGE},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (table[i].verb == verb) {
			*kind = table[i].kind;
			return true;
		}
	}
	return false;
}

static void add_reply(struct event *e, const struct smtp_reply *reply)
{
	event_add_integer(e, "code", reply->code);
	event_add_text(e, "status", reply->status);
}

static void command_event(struct event *e, const struct smtp_reply *reply)
{
	event_add_octets(e, "line", reply->line);
	add_reply(e, reply);
	event_add_text(e, "text", reply->text);
}

static void verb_event(struct event *e, const struct smtp *smtp, const struct smtp_reply *reply,
		       const struct session_said *said)
{
	if (reply->helo) {
		event_add_text(e, "verb", reply->helo->verb);
		event_add_octets(e, "name", reply->helo->name);
	}
	if (reply->auth) { /* never its password or token */
		event_add_text(e, "mechanism", reply->auth->mechanism);
		event_add_octets(e, "user", reply->auth->user);
	}
	if (reply->mailbox)
		event_add_octets(e, "address", reply->mailbox->address);
	if (e->kind == EVENT_DATA)
		event_add_integer(e, "recipients", reply->recipients);
	if (e->kind == EVENT_MESSAGE)
		event_add_integer(e, "size", (int64_t)smtp_message_size(smtp));
	add_reply(e, reply);
	if (e->kind == EVENT_MESSAGE)
		event_add_text(e, "text", reply->text);
	if (reply->discarded && (e->kind == EVENT_RCPT || e->kind == EVENT_MESSAGE))
		event_add_boolean(e, "discarded", true);
	event_add_text(e, "by", said->by);
	if (reply->by_delivery)
		event_add_text(e, "delivery", said->delivery);
	if (e->kind != EVENT_MESSAGE)
		return;
	event_add_text(e, "labels", said->labels);
	if (said->quarantine)
		event_add_boolean(e, "quarantine", true);
}

size_t session_event_reply(const struct smtp *smtp, const char *session, const char *transaction,
			   const struct session_said *said, struct event events[SESSION_EVENTS_MAX])
{
	const struct smtp_reply *reply = smtp_last_reply(smtp);
	enum event_kind kind;
	size_t n = 0;

	if (reply->violation) {
		event_init(&events[n], EVENT_VIOLATION, session, transaction);
		event_add_text(&events[n++], "what", reply->violation);
	}
	/* A message that ends with BDAT is answered in one with its last command. */
	if (reply->verb != SMTP_GREETING && (reply->verb != SMTP_MESSAGE || reply->line.len)) {
		event_init(&events[n], EVENT_COMMAND, session, transaction);
		command_event(&events[n++], reply);
	}
	if (own_event(reply->verb, &kind)) {
		event_init(&events[n], kind, session, transaction);
		verb_event(&events[n++], smtp, reply, said);
	}
	return n;
}
