/* The content of a session's message: into the spool, then to the delivery that answers for it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "delivery/delivery.h"
#include "delivery/spool.h"
#include "events/event_bus.h"
#include "received.h"
#include "session_state.h"

#define RECEIVED_MAX 8192

struct spool_message *session_message(struct session *s)
{
	if (!s->message)
		s->message = spool_message_new(&s->host->spool, s->transaction);
	return s->message;
}

void session_store_body(struct session *s)
{
	const char *data;
	size_t len;
	int error;

	smtp_body(s->smtp, &data, &len);
	if (spool_message_append(session_message(s), data, len))
		return;
	error = errno;
	log_error("%s: message %s cannot be stored: %s", s->host->spool.dir, s->transaction,
		  strerror(error));
	if (error == ENOSPC || error == EDQUOT)
		smtp_body_failed(s->smtp, 452, "4.3.1", "Insufficient system storage");
	else
		smtp_body_failed(s->smtp, 451, "4.3.0",
				 "Local error in processing, try again later");
	spool_message_free(&s->message);
}

/* `recipient`: the result is for this one alone; NULL: for the message. */
static void delivery_event(struct session *s, const struct delivery_result *result,
			   const struct hook_mailbox *recipient)
{
	struct event event;

	event_init(&event, EVENT_DELIVERY, s->id, session_transaction(s));
	event_add_text(&event, "delivery", delivery_name(s->listener->delivery));
	event_add_text(&event, "kind", delivery_kind(s->listener->delivery));
	if (recipient)
		event_add_octets(&event, "address", recipient->address);
	event_add_integer(&event, "code", result->code);
	event_add_text(&event, "status", result->status);
	event_add_text(&event, "text", result->text);
	event_add_text(&event, "ref", result->ref);
	if (result->unknown)
		event_add_boolean(&event, "unknown", true);
	event_add_real(&event, "ms", session_ms_since(s, s->delivery_began));
	session_publish(s, &event);
}

/* Each recipient has a result of its own. A client that speaks SMTP can be told only one for all:
 * it sends again to those too that have the message, so the log says who they are. */
static bool tell_recipients(struct session *s, const struct delivery_result *result)
{
	const struct hook_mailbox *recipients = s->asked->request.context.recipients;
	bool lmtp = s->listener->smtp.lmtp, any = false;
	char address[512];

	for (size_t i = 0; i < result->recipients_len; i++) {
		const struct delivery_result *own = &result->recipients[i];

		delivery_event(s, own, &recipients[i]);
		any = any || own->code < 300;
		if (lmtp)
			smtp_delivered_recipient(s->smtp, i, own->code, own->status, own->text);
		if (lmtp || own->code >= 300 || result->code < 300)
			continue;
		text_escape(recipients[i].address.data, recipients[i].address.len, address,
			    sizeof address);
		log_warning("delivery %s: %s: <%s> has the message, and its client is told %d",
			    delivery_name(s->listener->delivery), s->transaction, address,
			    result->code);
	}
	return any;
}

static void on_delivered(void *arg, const struct delivery_result *result)
{
	struct session *s = arg;
	bool any = result->code < 300;

	s->job = NULL;
	if (result->recipients)
		any = tell_recipients(s, result) || any;
	else
		delivery_event(s, result, NULL);
	if (result->code >= 300)
		s->asked->by[0] = '\0'; /* no service has decided that */
	if (any)
		session_count_message(s);
	smtp_delivered(s->smtp, result->code, result->status, result->text);
	session_advance(s);
}

/* Thrown away, as a service wants it: the client is told what a delivery would have told it. */
static void discard(struct session *s)
{
	char text[64];

	snprintf(text, sizeof text, "OK id=%s", s->transaction);
	if (s->message)
		spool_message_free(&s->message);
	smtp_delivered(s->smtp, 250, "2.0.0", text);
}

bool session_deliver(struct session *s)
{
	const struct hook_context *context;
	struct delivery_envelope envelope = {.transaction = s->transaction};
	struct buf received;
	char date[64];

	if (smtp_is_discarded(s->smtp)) {
		discard(s);
		return true;
	}
	session_describe(s, HOOK_MESSAGE);
	context = &s->asked->request.context;
	buf_init(&received, RECEIVED_MAX);
	text_mail_date(date, sizeof date);
	received_field(&received, context, s->listener->received_client, s->host->hostname,
		       s->transaction, date);
	buf_append(&received, "", 1);
	envelope.sender = context->mail;
	envelope.recipients = context->recipients;
	envelope.recipients_len = context->recipients_len;
	envelope.ref = s->asked->ref;
	envelope.received = buf_head(&received);
	envelope.quarantine = s->quarantine || s->quarantine_all;
	s->delivery_began = ev_now(s->host->loop);
	delivery_start(s->listener->delivery, &s->sending, &envelope, &s->message, on_delivered, s,
		       &s->job);
	buf_fini(&received);
	return false;
}
