/* What the delivery is asked before there is a message: what it can take, and each recipient. */
#include <stdio.h>

#include "delivery/delivery.h"
#include "session_state.h"

void session_learn_offer(struct session_listener *listener)
{
	struct delivery_offer offer;
	bool asks = delivery_asks(listener->delivery);

	delivery_offer(listener->delivery, &offer);
	listener->offer = (struct smtp_offer){
		.eight_bit = offer.eight_bit,
		.smtputf8 = offer.smtputf8,
		.dsn = offer.dsn,
		.chunking = offer.chunking,
		.binary = offer.binary,
		/* RFC 8689: a message that ends here has no way onward that could be in clear. */
		.requiretls = offer.requiretls || !asks,
		.size = offer.size,
		.recipients = offer.recipients,
	};
	listener->smtp.offer = &listener->offer;
	listener->smtp.recipients_asked = asks;
}

static void on_recipient(void *arg, const struct delivery_result *result)
{
	struct session *s = arg;

	if (result->code >= 300)
		s->asked->by[0] = '\0'; /* no service has decided that */
	smtp_recipient(s->smtp, result->code, result->status, result->text);
	session_advance(s);
}

void session_ask_recipient(struct session *s)
{
	session_describe(s, HOOK_RCPT);
	if (!s->sending)
		s->sending = delivery_begin(s->listener->delivery, &s->asked->request.context);
	delivery_recipient(s->sending, s->asked->request.mailbox, on_recipient, s);
}
