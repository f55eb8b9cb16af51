#include "smtp_offer.h"

static const struct smtp_offer *offer_of(const struct smtp *s)
{
	static const struct smtp_offer all = {
		.eight_bit = true,
		.smtputf8 = true,
		.chunking = true,
		.binary = true,
		.requiretls = true,
	};

	return s->settings->offer ? s->settings->offer : &all;
}

bool smtp_offers_eight_bit(const struct smtp *s)
{
	return offer_of(s)->eight_bit;
}

/* RFC 6531 section 3.1: not without 8BITMIME. */
bool smtp_offers_smtputf8(const struct smtp *s)
{
	return offer_of(s)->smtputf8 && offer_of(s)->eight_bit;
}

bool smtp_offers_dsn(const struct smtp *s)
{
	return offer_of(s)->dsn;
}

bool smtp_offers_chunking(const struct smtp *s)
{
	return offer_of(s)->chunking;
}

/* RFC 3030 section 3: not without CHUNKING. */
bool smtp_offers_binary(const struct smtp *s)
{
	return offer_of(s)->binary && offer_of(s)->chunking;
}

/* RFC 8689 section 2: only under TLS. */
bool smtp_offers_requiretls(const struct smtp *s)
{
	return offer_of(s)->requiretls && smtp_is_secure(s);
}

uint64_t smtp_offers_size(const struct smtp *s)
{
	uint64_t ours = s->settings->message_size, size = offer_of(s)->size;

	return size && size < ours ? size : ours;
}

unsigned smtp_offers_recipients(const struct smtp *s)
{
	unsigned ours = s->settings->recipients, recipients = offer_of(s)->recipients;

	return recipients && recipients < ours ? recipients : ours;
}
