/* The delivery behind the driver. */
#include <stdlib.h>

#include "driver.h"

/* The recipient was let pass by everybody else. */
void driver_ask_recipient(struct driver *d)
{
	const struct driver_script *script = d->script;
	struct driver_answer answer = {250, "2.1.5", "Taken"};
	struct hook_request request = {0};
	unsigned n = d->asked_recipients++;

	smtp_describe(d->smtp, &request);
	driver_check_request(script, &d->settings, &request);
	if (!d->settings.recipients_asked || request.hook != HOOK_RCPT || !request.mailbox ||
	    !request.context.mail)
		abort();
	buf_append_string(&d->trace, "recipient ");
	buf_append(&d->trace, request.mailbox->address.data, request.mailbox->address.len);
	buf_append_string(&d->trace, "\n");
	if (script->end_at_recipient) {
		smtp_end(d->smtp, script->end);
		return;
	}
	if (n < DRIVER_ANSWERS_MAX && script->recipients[n].code)
		answer = script->recipients[n];
	smtp_recipient(d->smtp, answer.code, answer.status, answer.text);
}

static void tell_recipients(struct driver *d, size_t recipients_len)
{
	for (size_t i = 0; i < recipients_len && i < DRIVER_ANSWERS_MAX; i++) {
		const struct driver_answer *result = &d->script->results[i];

		if (result->code && d->settings.lmtp)
			smtp_delivered_recipient(d->smtp, i, result->code, result->status,
						 result->text);
	}
}

void driver_deliver(struct driver *d)
{
	const struct driver_script *script = d->script;
	struct hook_request request = {0};

	smtp_describe(d->smtp, &request);
	if (!request.context.mail || !smtp_message_waits(d->smtp))
		abort();
	if (smtp_is_discarded(d->smtp)) {
		buf_append_string(&d->trace, "throw away\n");
	} else {
		if (!request.context.recipients_len || smtp_message_size(d->smtp) != d->message.len)
			abort();
		buf_append(&d->messages, buf_head(&d->message), d->message.len);
		buf_append_string(&d->messages, "#");
		buf_append_string(&d->trace, "deliver\n");
		tell_recipients(d, request.context.recipients_len);
	}
	smtp_delivered(d->smtp, script->delivery_code ? script->delivery_code : 250,
		       script->delivery_status ? script->delivery_status : "2.0.0",
		       script->delivery_text ? script->delivery_text : "OK id=T");
}
