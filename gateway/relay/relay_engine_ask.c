/* The queue of commands. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay_engine_state.h"

static const char *const words[] = {
	[RELAY_BANNER] = "the banner", [RELAY_EHLO] = "EHLO",		[RELAY_HELO] = "HELO",
	[RELAY_STARTTLS] = "STARTTLS", [RELAY_XCLIENT] = "XCLIENT",	[RELAY_AUTH] = "AUTH",
	[RELAY_MAIL] = "MAIL",	       [RELAY_RCPT] = "RCPT",		[RELAY_DATA] = "DATA",
	[RELAY_BDAT] = "BDAT",	       [RELAY_MESSAGE] = "the message", [RELAY_RSET] = "RSET",
	[RELAY_QUIT] = "QUIT",
};

const char *relay_ask_word(enum relay_verb verb)
{
	return words[verb];
}

struct relay_ask *relay_ask_add(struct relay_engine *e, enum relay_verb verb, char *line)
{
	struct relay_ask *ask = mem_new(sizeof *ask);

	ask->verb = verb;
	ask->line = line;
	ask->len = line ? strlen(line) : 0;
	*e->tail = ask;
	e->tail = &ask->next;
	return ask;
}

static void free_ask(struct relay_ask *ask)
{
	if (ask->line)
		explicit_bzero(ask->line, ask->len); /* a password */
	free(ask->line);
	free(ask->refusal);
	free(ask);
}

void relay_ask_pop(struct relay_engine *e)
{
	struct relay_ask *ask = e->first;

	e->first = ask->next;
	if (!e->first)
		e->tail = &e->first;
	if (ask->written)
		e->awaited--;
	free_ask(ask);
}

/* Only MAIL and RCPT can be given up: a RSET before them is still needed. */
void relay_ask_drop(struct relay_engine *e)
{
	struct relay_ask **at = &e->first;

	while (*at) {
		struct relay_ask *ask = *at;

		ask->dropped = ask->verb == RELAY_MAIL || ask->verb == RELAY_RCPT;
		if (ask->written || !ask->dropped) {
			at = &ask->next;
			continue;
		}
		*at = ask->next;
		free_ask(ask);
	}
	e->tail = at;
}

void relay_ask_free_all(struct relay_engine *e)
{
	while (e->first)
		relay_ask_pop(e);
}

static void write_one(struct relay_engine *e, struct relay_ask *ask, struct buf *out)
{
	buf_append(out, ask->line, ask->len);
	ask->written = true;
	e->awaited++;
	if (ask->verb == RELAY_MAIL)
		e->mail_told = true;
}

bool relay_ask_write(struct relay_engine *e, const struct buf *in, struct buf *out)
{
	for (struct relay_ask *ask = e->first; ask; ask = ask->next) {
		if (ask->written || relay_envelope_is_known(e, ask))
			continue;
		if (e->awaited && !e->offer.pipelining)
			break;
		if (!e->awaited && in->len)
			return false;
		if (ask->len > buf_room(out))
			break;
		write_one(e, ask, out);
		if (ask->verb == RELAY_BDAT) {
			/* It is the last of the queue, and no reply is for it alone. */
			relay_ask_pop(e);
			relay_body_open(e);
			break;
		}
	}
	return true;
}
