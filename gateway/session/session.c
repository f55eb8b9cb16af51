#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "delivery/delivery.h"
#include "delivery/spool.h"
#include "events/event_bus.h"
#include "net/reaper.h"
#include "policy/policy.h"
#include "session_event.h"
#include "session_state.h"

/* How long the last reply may take to reach the client. */
#define SESSION_DRAIN_TIME 10.0

const char *session_transaction(const struct session *s)
{
	return s->transaction[0] ? s->transaction : NULL;
}

void session_publish(struct session *s, const struct event *event)
{
	event_bus_publish(s->host->events, event);
}

/* --- birth and end --- */

static void connect_event(struct session *s)
{
	struct event event;

	event_init(&event, EVENT_CONNECT, s->id, NULL);
	if (s->client_ip[0]) {
		event_add_text(&event, "ip", s->client_ip);
		event_add_integer(&event, "port", s->client_port);
	}
	event_add_text(&event, "listener", s->listener->name);
	session_publish(s, &event);
}

static void disconnect_event(struct session *s, enum disconnect_reason reason)
{
	struct event event;

	event_init(&event, EVENT_DISCONNECT, s->id, NULL);
	event_add_text(&event, "reason", disconnect_reason_word(reason));
	event_add_integer(&event, "commands", smtp_commands(s->smtp));
	event_add_integer(&event, "messages", smtp_messages(s->smtp));
	event_add_integer(&event, "errors", smtp_errors(s->smtp));
	event_add_real(&event, "ms", (ev_now(s->host->loop) - s->began) * 1000);
	if (s->transport)
		event_add_text(&event, "failure", transport_failure(s->transport));
	session_publish(s, &event);
}

static void reset_event(struct session *s)
{
	struct event event;

	event_init(&event, EVENT_RESET, s->id, s->transaction);
	session_publish(s, &event);
}

static void free_session(void *object)
{
	free(object);
}

/* The one end of every session: services and subscribers are told once. */
static void end(struct session *s)
{
	enum disconnect_reason reason = s->reason_set ? s->reason : smtp_disconnect_reason(s->smtp);
	struct session_host *host = s->host;

	policy_cancel(host->policy, s->question);
	if (s->in_transaction)
		reset_event(s);
	s->transaction[0] = '\0';
	session_describe(s, HOOK_DISCONNECT);
	s->request.reason = disconnect_reason_word(reason);
	policy_tell(host->policy, s->listener->policies, s->listener->policies_len, &s->request);
	disconnect_event(s, reason);
	if (s->job)
		delivery_abandon(s->job);
	if (s->message)
		spool_message_free(&s->message);
	transport_free(&s->transport);
	smtp_free(&s->smtp);
	list_remove(&s->link);
	atomic_fetch_sub_explicit(&host->slot->open, 1, memory_order_relaxed);
	reaper_add(host->loop, s, free_session);
	if (list_empty(&host->sessions) && host->on_empty)
		host->on_empty(host->arg);
}

static void set_reason(struct session *s, enum disconnect_reason reason)
{
	if (s->reason_set)
		return;
	s->reason = reason;
	s->reason_set = true;
}

/* The client is gone. A delivery that has begun still ends first: its message may be stored, and
 * the events must say so. */
static void client_gone(struct session *s, enum disconnect_reason reason)
{
	set_reason(s, reason);
	if (s->wait == SESSION_WAIT_DELIVERY)
		transport_free(&s->transport);
	else
		end(s);
}

static void finish(struct session *s)
{
	s->wait = SESSION_WAIT_DRAIN;
	transport_set_timeout(s->transport, SESSION_DRAIN_TIME);
	transport_finish(s->transport);
}

/* --- time --- */

/* The phase's own time, or what is left of the session's if that is less. */
static void set_timeout(struct session *s, double seconds)
{
	double left = s->began + s->host->session_time - ev_now(s->host->loop);

	if (left < 0.001)
		left = 0.001;
	transport_set_timeout(s->transport, seconds > 0 && seconds < left ? seconds : left);
}

static void set_input_timeout(struct session *s)
{
	if (smtp_in_body(s->smtp)) {
		set_timeout(s, s->host->data_timeout);
	} else if (!s->command_timer_runs) {
		/* Once a command, not once a read: a client that drips octets gains no time. */
		set_timeout(s, s->host->command_timeout);
		s->command_timer_runs = true;
	}
}

static void on_timeout(struct session *s)
{
	enum disconnect_reason reason = DISCONNECT_SESSION_TIME;

	if (s->wait == SESSION_WAIT_TLS || s->wait == SESSION_WAIT_DRAIN) {
		/* Nothing can be said in the middle of a handshake, or to a client that does not
		 * read. */
		client_gone(s, s->wait == SESSION_WAIT_TLS ? DISCONNECT_COMMAND_TIMEOUT
							   : DISCONNECT_CLIENT_GONE);
		return;
	}
	if (ev_now(s->host->loop) < s->began + s->host->session_time - 0.002)
		reason = smtp_in_body(s->smtp) ? DISCONNECT_DATA_TIMEOUT
					       : DISCONNECT_COMMAND_TIMEOUT;
	policy_cancel(s->host->policy, s->question);
	s->question = 0;
	smtp_end(s->smtp, reason);
	session_advance(s);
}

/* --- the loop --- */

static void report_reply(struct session *s)
{
	const struct smtp_reply *reply = smtp_last_reply(s->smtp);
	struct event events[SESSION_EVENTS_MAX];
	size_t n;

	/* No service was asked at MAIL (or the command was refused before): the transaction has no
	 * id yet. */
	if (reply->transaction_begun && !s->transaction[0])
		ident_make(s->transaction);
	n = session_event_reply(s->smtp, s->id, session_transaction(s), s->by[0] ? s->by : NULL,
				events);
	for (size_t i = 0; i < n; i++)
		session_publish(s, &events[i]);
	if (reply->transaction_ended && s->in_transaction && reply->verb != SMTP_MESSAGE)
		reset_event(s);
	if (reply->transaction_begun)
		s->in_transaction = true;
	if (reply->transaction_ended)
		s->in_transaction = false;
	if (!s->in_transaction) { /* also after a MAIL that a service has refused: its id was for
				     nothing */
		s->transaction[0] = '\0';
		if (s->message)
			spool_message_free(&s->message);
	}
	s->by[0] = '\0';
	s->command_timer_runs = false;
}

static void start_tls(struct session *s)
{
	s->wait = SESSION_WAIT_TLS;
	set_timeout(s, s->host->command_timeout);
	transport_start_tls(s->transport, s->listener->tls);
}

static void wait_for_input(struct session *s)
{
	bool output_waits = transport_out(s->transport)->len > SMTP_OUT_MAX / 2;

	s->wait = SESSION_WAIT_INPUT;
	if (s->draining && !smtp_in_body(s->smtp)) {
		s->draining = false;
		smtp_end(s->smtp, DISCONNECT_SHUTDOWN);
		session_advance(s);
		return;
	}
	if (s->input_ended && !output_waits) {
		/* All that it said is answered; the last replies still have to reach it. */
		set_reason(s, DISCONNECT_CLIENT_GONE);
		finish(s);
		return;
	}
	set_input_timeout(s);
	transport_pump(s->transport);
}

/* Waits for something that is not the client: only the session's own time runs. */
static void wait_for(struct session *s, enum session_wait wait)
{
	s->wait = wait;
	if (wait == SESSION_WAIT_DELIVERY) /* its result is owed to the client, whatever the hour */
		transport_set_timeout(s->transport, 0);
	else
		set_timeout(s, 0);
	transport_pump(s->transport);
}

void session_advance(struct session *s)
{
	if (!s->transport) { /* the client left while its message was delivered */
		end(s);
		return;
	}
	for (;;) {
		switch (smtp_step(s->smtp, transport_in(s->transport),
				  transport_out(s->transport))) {
		case SMTP_NEED_INPUT:
			wait_for_input(s);
			return;
		case SMTP_NEED_VERDICT:
			if (!session_ask(s)) {
				wait_for(s, SESSION_WAIT_VERDICT);
				return;
			}
			break;
		case SMTP_NEED_TLS:
			start_tls(s);
			return;
		case SMTP_GOT_BODY:
			session_store_body(s);
			break;
		case SMTP_GOT_REPLY:
			report_reply(s);
			break;
		case SMTP_NEED_DELIVERY:
			session_deliver(s);
			wait_for(s, SESSION_WAIT_DELIVERY);
			return;
		case SMTP_FINISHED:
			finish(s);
			return;
		}
	}
}

static void on_secure(struct session *s)
{
	const struct tls *tls = transport_tls(s->transport);
	const char *sni = tls_sni(tls);
	struct event event;

	event_init(&event, EVENT_SECURE, s->id, NULL);
	event_add_text(&event, "version", tls_version(tls));
	event_add_text(&event, "cipher", tls_cipher(tls));
	event_add_integer(&event, "bits", tls_bits(tls));
	if (sni)
		event_add_octets(&event, "sni", (struct octets){sni, strlen(sni)});
	session_publish(s, &event);
	smtp_tls_started(s->smtp);
	session_advance(s);
}

static void on_input_ended(struct session *s)
{
	s->input_ended = true;
	if (s->wait == SESSION_WAIT_INPUT)
		session_advance(s);
	else if (s->wait == SESSION_WAIT_TLS)
		client_gone(s, DISCONNECT_CLIENT_GONE);
	/* A client that has sent a whole message, or more commands, and half-closes is owed its
	 * replies. One that leaves nothing behind could use no answer: its question is cancelled.
	 */
	else if (s->wait == SESSION_WAIT_VERDICT && !transport_in(s->transport)->len &&
		 !smtp_message_waits(s->smtp))
		client_gone(s, DISCONNECT_CLIENT_GONE);
}

static void on_transport(void *arg, enum transport_event event)
{
	struct session *s = arg;

	switch (event) {
	case TRANSPORT_INPUT:
		if (s->wait == SESSION_WAIT_INPUT)
			session_advance(s);
		break;
	case TRANSPORT_EOF:
		on_input_ended(s);
		break;
	case TRANSPORT_SECURE:
		on_secure(s);
		break;
	case TRANSPORT_DRAINED:
		end(s);
		break;
	case TRANSPORT_FAILED:
		client_gone(s, transport_failed_in_tls(s->transport) ? DISCONNECT_TLS
								     : DISCONNECT_CLIENT_GONE);
		break;
	case TRANSPORT_TIMEOUT:
		on_timeout(s);
		break;
	}
}

void session_new(struct session_listener *listener, int fd, const struct address *peer,
		 const struct address *local)
{
	struct session_host *host = listener->host;
	struct session *s = mem_new(sizeof *s);

	s->listener = listener;
	s->host = host;
	s->began = ev_now(host->loop);
	ident_make(s->id);
	address_ip(peer, s->client_ip);
	address_ip(local, s->listener_ip);
	s->client_port = address_port(peer);
	s->listener_port = address_port(local);
	s->transport = transport_new(host->loop, fd, SMTP_IN_MAX, SMTP_OUT_MAX, on_transport, s);
	s->smtp = smtp_new(&listener->smtp);
	list_append(&host->sessions, &s->link);
	atomic_fetch_add_explicit(&host->slot->open, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&host->slot->connections, 1, memory_order_relaxed);
	connect_event(s);
	if (counters_open(host->counters) > host->connections_max)
		smtp_end(s->smtp, DISCONNECT_CONNECTIONS);
	session_advance(s);
}

void session_drain_all(struct session_host *host)
{
	list_each(at, after, &host->sessions)
	{
		struct session *s = list_of(at, struct session, link);

		s->draining = true;
		if (s->wait == SESSION_WAIT_INPUT)
			session_advance(s);
	}
}

void session_close_all(struct session_host *host)
{
	while (!list_empty(&host->sessions)) {
		struct session *s = list_of(host->sessions.next, struct session, link);

		set_reason(s, DISCONNECT_SHUTDOWN);
		end(s);
	}
}
