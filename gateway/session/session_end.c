/* How a session ends: once, whatever ended it, and everybody is told. */
#include <stdlib.h>

#include "delivery/delivery.h"
#include "delivery/spool.h"
#include "net/reaper.h"
#include "policy/policy.h"
#include "session_state.h"

static void disconnect_event(struct session *s, enum disconnect_reason reason)
{
	struct event event;

	event_init(&event, EVENT_DISCONNECT, s->id, NULL);
	event_add_text(&event, "reason", disconnect_reason_word(reason));
	event_add_integer(&event, "commands", smtp_commands(s->smtp));
	event_add_integer(&event, "messages", smtp_messages(s->smtp));
	event_add_integer(&event, "errors", smtp_errors(s->smtp));
	event_add_real(&event, "ms", session_ms_since(s, s->began));
	if (s->transport)
		event_add_text(&event, "failure", transport_failure(s->transport));
	session_publish(s, &event);
}

void session_reset_event(struct session *s)
{
	struct event event;

	event_init(&event, EVENT_RESET, s->id, s->transaction);
	session_publish(s, &event);
}

static void tell_end(struct session *s, enum disconnect_reason reason)
{
	disconnect_event(s, reason);
	if (s->health_check)
		return;
	session_describe(s, HOOK_DISCONNECT);
	s->asked->request.reason = disconnect_reason_word(reason);
	policy_tell(s->host->policy, s->listener->policies, s->listener->policies_len,
		    &s->asked->request, s->memory);
}

static void free_session(void *object)
{
	struct session *s = object;

	free(s->asked);
	free(s);
}

/* The one end of every session: services and subscribers are told once. */
void session_end(struct session *s)
{
	enum disconnect_reason reason = s->reason_set ? s->reason : smtp_disconnect_reason(s->smtp);
	struct session_host *host = s->host;

	policy_cancel(host->policy, s->question);
	if (s->in_transaction)
		session_reset_event(s);
	s->transaction[0] = '\0';
	if (s->opened)
		tell_end(s, reason);
	delivery_end(&s->sending);
	if (s->job)
		delivery_abandon(s->job);
	if (s->message)
		spool_message_free(&s->message);
	session_count_end(s);
	transport_free(&s->transport);
	smtp_free(&s->smtp);
	session_hook_forget_late(s);
	policy_memory_free(&s->memory);
	session_open_fini(s);
	list_remove(&s->link);
	reaper_add(host->loop, s, free_session);
	if (list_empty(&host->sessions) && host->on_empty)
		host->on_empty(host->arg);
}

void session_set_reason(struct session *s, enum disconnect_reason reason)
{
	if (s->reason_set)
		return;
	s->reason = reason;
	s->reason_set = true;
}

/* The client is gone. A delivery that has begun still ends first: its message may be stored, and
 * the events must say so. */
void session_client_gone(struct session *s, enum disconnect_reason reason)
{
	session_set_reason(s, reason);
	if (s->wait == SESSION_WAIT_DELIVERY)
		transport_free(&s->transport);
	else
		session_end(s);
}

void session_close_all(struct session_host *host)
{
	while (!list_empty(&host->sessions)) {
		struct session *s = list_of(host->sessions.next, struct session, link);

		session_set_reason(s, DISCONNECT_SHUTDOWN);
		session_end(s);
	}
}
