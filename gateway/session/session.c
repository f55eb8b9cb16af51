#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "delivery/delivery.h"
#include "delivery/spool.h"
#include "events/event_bus.h"
#include "policy/policy.h"
#include "session_event.h"
#include "session_state.h"

/* How long the last reply may take to reach the client. */
#define SESSION_DRAIN_TIME 10.0
/* Two or three flights, which no person types: a client that takes longer only keeps a place. */
#define SESSION_HANDSHAKE_TIME 30.0
/* The first seconds of a message, in which nobody's rate is judged. */
#define SESSION_RATE_GRACE 60.0

const char *session_transaction(const struct session *s)
{
	return s->transaction[0] ? s->transaction : NULL;
}

void session_publish(struct session *s, const struct event *event)
{
	if (s->health_check)
		return;
	event_bus_publish(s->host->events, event);
}

double session_ms_since(const struct session *s, double then)
{
	double seconds = ev_now(s->host->loop) - then;

	return seconds > 0 ? seconds * 1000 : 0;
}

static void finish(struct session *s)
{
	session_wait_for(s, SESSION_WAIT_DRAIN);
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

/* A client that drips a message keeps its place for hours, each octet just in time. */
static bool drips(struct session *s)
{
	double seconds;

	if (s->body_began <= 0)
		s->body_began = ev_now(s->host->loop);
	seconds = ev_now(s->host->loop) - s->body_began;
	return seconds > SESSION_RATE_GRACE &&
	       (double)smtp_message_size(s->smtp) < seconds * (double)s->host->data_rate;
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

	if (s->wait == SESSION_WAIT_PROXY || s->wait == SESSION_WAIT_BANNER) {
		session_open_timeout(s);
		return;
	}
	if (s->wait == SESSION_WAIT_PAUSE) {
		session_hook_after_pause(s);
		return;
	}
	if (s->wait == SESSION_WAIT_TLS || s->wait == SESSION_WAIT_DRAIN) {
		/* Nothing can be said in the middle of a handshake, or to a client that does not
		 * read. */
		session_client_gone(s, s->wait == SESSION_WAIT_TLS ? DISCONNECT_COMMAND_TIMEOUT
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
	const struct session_said said = {
		.by = s->asked && s->asked->by[0] ? s->asked->by : NULL,
		.delivery = delivery_name(s->listener->delivery),
		.labels = s->memory ? policy_memory_labels(s->memory) : NULL,
		.quarantine = s->quarantine || s->quarantine_all,
	};
	struct event events[SESSION_EVENTS_MAX];
	size_t n;

	session_count_reply(s, reply);
	/* No service was asked at MAIL (or the command was refused before): the transaction has no
	 * id yet. */
	if (reply->transaction_begun && !s->transaction[0])
		ident_make(s->transaction);
	n = session_event_reply(s->smtp, s->id, session_transaction(s), &said, events);
	for (size_t i = 0; i < n; i++)
		session_publish(s, &events[i]);
	if (reply->transaction_ended && s->in_transaction && reply->verb != SMTP_MESSAGE)
		session_reset_event(s);
	if (reply->transaction_begun)
		s->in_transaction = true;
	if (reply->transaction_ended)
		s->in_transaction = false;
	if (!s->in_transaction) { /* also after a MAIL that a service has refused: its id was for
				     nothing */
		s->transaction[0] = '\0';
		s->quarantine = false;
		delivery_end(&s->sending);
		if (s->memory)
			policy_memory_end_transaction(s->memory);
		if (s->message)
			spool_message_free(&s->message);
	}
	if (s->asked)
		s->asked->by[0] = '\0';
	s->command_timer_runs = false;
	s->body_began = 0;
}

static void start_tls(struct session *s)
{
	double seconds = s->host->command_timeout;

	if (seconds > SESSION_HANDSHAKE_TIME)
		seconds = SESSION_HANDSHAKE_TIME;
	session_wait_for(s, SESSION_WAIT_TLS);
	set_timeout(s, seconds);
	/* Under implicit TLS all that has come (behind a PROXY header, or while the name was looked
	 * up) is TLS. */
	transport_start_tls(s->transport, s->listener->tls, s->listener->smtp.implicit_tls);
}

/* Unless it is still to be told who decided: a refused handshake is the reply to the next command.
 */
static void forget_asked(struct session *s)
{
	if (!s->asked || s->asked->by[0])
		return;
	free(s->asked);
	s->asked = NULL;
}

static void wait_for_input(struct session *s)
{
	bool output_waits = transport_out(s->transport)->len > SMTP_OUT_MAX / 2;

	session_wait_for(s, SESSION_WAIT_INPUT);
	if (s->draining && !smtp_in_body(s->smtp)) {
		s->draining = false;
		smtp_end(s->smtp, DISCONNECT_SHUTDOWN);
		session_advance(s);
		return;
	}
	if (s->input_ended && !output_waits) {
		/* All that it said is answered; the last replies still have to reach it. */
		session_set_reason(s, DISCONNECT_CLIENT_GONE);
		finish(s);
		return;
	}
	if (smtp_in_body(s->smtp) && drips(s)) {
		smtp_end(s->smtp, DISCONNECT_DATA_TIMEOUT);
		session_advance(s);
		return;
	}
	set_input_timeout(s);
	forget_asked(s);
	transport_pump(s->transport);
}

/* Waits for something that is not the client: only the session's own time runs. */
static void wait_for_other(struct session *s, enum session_wait wait)
{
	session_wait_for(s, wait);
	s->command_timer_runs = false; /* its timer is taken; AUTH may read on without a reply */
	if (wait == SESSION_WAIT_DELIVERY) /* its result is owed to the client, whatever the hour */
		transport_set_timeout(s->transport, 0);
	else
		set_timeout(s, 0);
	transport_pump(s->transport);
}

void session_advance(struct session *s)
{
	if (!s->transport) { /* the client left while its message was delivered */
		session_end(s);
		return;
	}
	session_learn_offer(s->listener);
	for (;;) {
		switch (smtp_step(s->smtp, transport_in(s->transport),
				  transport_out(s->transport))) {
		case SMTP_NEED_INPUT:
			wait_for_input(s);
			return;
		case SMTP_NEED_VERDICT:
			if (!session_ask(s)) {
				wait_for_other(s, SESSION_WAIT_VERDICT);
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
		case SMTP_NEED_CLIENT:
			session_open_xclient(s);
			break;
		case SMTP_NEED_RECIPIENT:
			session_ask_recipient(s);
			wait_for_other(s, SESSION_WAIT_RECIPIENT);
			return;
		case SMTP_NEED_DELIVERY:
			if (!session_deliver(s)) {
				wait_for_other(s, SESSION_WAIT_DELIVERY);
				return;
			}
			break;
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

	session_count_secure(s, tls);
	event_init(&event, EVENT_SECURE, s->id, NULL);
	event_add_text(&event, "version", tls_version(tls));
	event_add_text(&event, "cipher", tls_cipher(tls));
	event_add_integer(&event, "bits", tls_bits(tls));
	if (sni)
		event_add_octets(&event, "sni", (struct octets){sni, strlen(sni)});
	session_publish(s, &event);
	smtp_tls_started(s->smtp);
	if (s->memory)
		policy_memory_secure(s->memory);
	session_advance(s);
}

static void on_input_ended(struct session *s)
{
	s->input_ended = true;
	if (s->wait == SESSION_WAIT_INPUT)
		session_advance(s);
	else if (s->wait == SESSION_WAIT_TLS || s->wait == SESSION_WAIT_PROXY ||
		 s->wait == SESSION_WAIT_BANNER)
		session_client_gone(s, DISCONNECT_CLIENT_GONE);
	/* A client that has sent a whole message, or more commands, and half-closes is owed its
	 * replies. One that leaves nothing behind could use no answer: its question is cancelled.
	 */
	else if ((s->wait == SESSION_WAIT_VERDICT || s->wait == SESSION_WAIT_RECIPIENT) &&
		 !transport_in(s->transport)->len && !smtp_message_waits(s->smtp))
		session_client_gone(s, DISCONNECT_CLIENT_GONE);
}

void session_on_transport(void *arg, enum transport_event event)
{
	struct session *s = arg;

	switch (event) {
	case TRANSPORT_INPUT:
		if (s->wait == SESSION_WAIT_INPUT)
			session_advance(s);
		else if (s->wait == SESSION_WAIT_PROXY || s->wait == SESSION_WAIT_BANNER)
			session_open_input(s);
		break;
	case TRANSPORT_EOF:
		on_input_ended(s);
		break;
	case TRANSPORT_SECURE:
		on_secure(s);
		break;
	case TRANSPORT_DRAINED:
		session_end(s);
		break;
	case TRANSPORT_FAILED:
		session_client_gone(s, transport_failed_in_tls(s->transport)
					       ? DISCONNECT_TLS
					       : DISCONNECT_CLIENT_GONE);
		break;
	case TRANSPORT_TIMEOUT:
		on_timeout(s);
		break;
	case TRANSPORT_CONNECTED: /* only of transport_dial() */
		break;
	}
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
