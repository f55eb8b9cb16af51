/* What a session adds to the numbers that all processes share. */
#include <string.h>

#include "session_state.h"

_Static_assert(SMTP_QUIT < COUNTERS_VERBS, "each verb has a row; QUIT is the last one");

static enum counters_session counted_as(const struct session *s, enum session_wait wait)
{
	switch (wait) {
	case SESSION_WAIT_PROXY:
	case SESSION_WAIT_BANNER:
		return COUNTERS_SESSION_OPENING;
	case SESSION_WAIT_INPUT:
		return smtp_in_body(s->smtp) ? COUNTERS_SESSION_MESSAGE : COUNTERS_SESSION_COMMAND;
	case SESSION_WAIT_VERDICT:
	case SESSION_WAIT_PAUSE:
		return COUNTERS_SESSION_POLICY;
	case SESSION_WAIT_TLS:
		return COUNTERS_SESSION_TLS;
	case SESSION_WAIT_RECIPIENT:
	case SESSION_WAIT_DELIVERY:
		return COUNTERS_SESSION_DELIVERY;
	case SESSION_WAIT_DRAIN:
		break;
	}
	return COUNTERS_SESSION_CLOSING;
}

void session_wait_for(struct session *s, enum session_wait wait)
{
	counter *sessions = s->host->slot->sessions;

	counter_take(&sessions[s->counted], 1);
	s->wait = wait;
	s->counted = counted_as(s, wait);
	counter_add(&sessions[s->counted], 1);
}

void session_count_begin(struct session *s)
{
	struct counters_slot *slot = s->host->slot;

	counter_add(&slot->open, 1);
	counter_add(&slot->connections, 1);
	s->wait = SESSION_WAIT_BANNER;
	s->counted = COUNTERS_SESSION_OPENING;
	counter_add(&slot->sessions[s->counted], 1);
	transport_count(s->transport, &slot->octets_in, &slot->octets_out);
}

void session_count_end(struct session *s)
{
	struct counters_slot *slot = s->host->slot;

	/* However a handshake ends, but by success. */
	if (s->wait == SESSION_WAIT_TLS)
		counter_add(&slot->tls[COUNTERS_TLS_FAILED], 1);
	counter_take(&slot->sessions[s->counted], 1);
	counter_take(&slot->open, 1);
}

void session_count_reply(struct session *s, const struct smtp_reply *reply)
{
	int class = reply->code / 100 - 2;

	if (class >= 0 && class < COUNTERS_CLASSES)
		counter_add(&s->host->slot->replies[reply->verb][class], 1);
}

void session_count_secure(struct session *s, const struct tls *tls)
{
	struct counters_slot *slot = s->host->slot;
	bool newest = strcmp(tls_version(tls), "TLSv1.3") == 0;

	counter_add(&slot->tls[newest ? COUNTERS_TLS_1_3 : COUNTERS_TLS_1_2], 1);
	if (tls_is_resumed(tls))
		counter_add(&slot->tls_resumed, 1);
}

void session_count_message(struct session *s)
{
	struct counters_slot *slot = s->host->slot;

	counter_add(&slot->messages, 1);
	counter_add(&slot->message_octets, smtp_message_size(s->smtp));
}
