#include "relay_engine_offer.h"

#include "base/text.h"

static const struct {
	const char *name;
	unsigned bit;
} attributes[] = {
	{"NAME", RELAY_XCLIENT_NAME},	      {"ADDR", RELAY_XCLIENT_ADDR},
	{"PORT", RELAY_XCLIENT_PORT},	      {"PROTO", RELAY_XCLIENT_PROTO},
	{"HELO", RELAY_XCLIENT_HELO},	      {"LOGIN", RELAY_XCLIENT_LOGIN},
	{"DESTADDR", RELAY_XCLIENT_DESTADDR}, {"DESTPORT", RELAY_XCLIENT_DESTPORT},
};

/* Cuts the next word off the line; absent at its end. */
static struct octets next_word(struct octets *line)
{
	struct octets word = {0};
	size_t start = 0, end;

	while (start < line->len && line->data[start] == ' ')
		start++;
	for (end = start; end < line->len && line->data[end] != ' ';)
		end++;
	if (end > start)
		word = (struct octets){line->data + start, end - start};
	*line = (struct octets){line->data + end, line->len - end};
	return word;
}

/* A decimal number; beyond `max`, which is no limit to anybody, and where it is none: 0. */
static uint64_t number(struct octets text, uint64_t max)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(text.data[i] - '0');

		if (digit > 9 || value > (max - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

static void add_size(struct relay_engine_offer *offer, struct octets rest)
{
	offer->size = number(next_word(&rest), UINT64_MAX);
}

static void add_auth(struct relay_engine_offer *offer, struct octets rest)
{
	for (struct octets word = next_word(&rest); word.len; word = next_word(&rest))
		if (text_is(word.data, word.len, "PLAIN"))
			offer->auth_plain = true;
}

static void add_xclient(struct relay_engine_offer *offer, struct octets rest)
{
	for (struct octets word = next_word(&rest); word.len; word = next_word(&rest))
		for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
			if (text_is(word.data, word.len, attributes[i].name))
				offer->xclient |= attributes[i].bit;
}

/* "RCPTMAX=20", RFC 9422: at most six digits. */
static void add_limit(unsigned *limit, struct octets word, const char *name, size_t len)
{
	if (word.len > len && text_is(word.data, len, name))
		*limit = (unsigned)number((struct octets){word.data + len, word.len - len}, 999999);
}

static void add_limits(struct relay_engine_offer *offer, struct octets rest)
{
	for (struct octets word = next_word(&rest); word.len; word = next_word(&rest)) {
		add_limit(&offer->recipients, word, "RCPTMAX=", 8);
		add_limit(&offer->messages, word, "MAILMAX=", 8);
	}
}

#define FLAG(field) offsetof(struct relay_engine_offer, field)

static const struct {
	const char *name;
	void (*add)(struct relay_engine_offer *offer, struct octets rest);
	size_t flag; /* where add is NULL */
} keywords[] = {
	{"PIPELINING", NULL, FLAG(pipelining)},
	{"8BITMIME", NULL, FLAG(eight_bit)},
	{"SMTPUTF8", NULL, FLAG(smtputf8)},
	{"DSN", NULL, FLAG(dsn)},
	{"CHUNKING", NULL, FLAG(chunking)},
	{"BINARYMIME", NULL, FLAG(binary)},
	{"STARTTLS", NULL, FLAG(starttls)},
	{"REQUIRETLS", NULL, FLAG(requiretls)},
	{"ENHANCEDSTATUSCODES", NULL, FLAG(enhanced)},
	{"SIZE", add_size, 0},
	{"AUTH", add_auth, 0},
	{"XCLIENT", add_xclient, 0},
	{"LIMITS", add_limits, 0},
};

void relay_offer_add(struct relay_engine_offer *offer, struct octets line)
{
	struct octets keyword = next_word(&line);

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		if (!keyword.len || !text_is(keyword.data, keyword.len, keywords[i].name))
			continue;
		if (keywords[i].add)
			keywords[i].add(offer, line);
		else
			*(bool *)((char *)offer + keywords[i].flag) = true;
	}
}

void relay_offer_end(struct relay_engine_offer *offer)
{
	/* RFC 3030 section 3 */
	offer->binary = offer->binary && offer->chunking;
}
