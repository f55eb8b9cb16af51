#include "policy_dial.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "policy_call.h"
#include "policy_count.h"
#include "policy_report.h"
#include "protocol/hook_json.h"
#include "protocol/jsonl.h"

#define DIAL_HANDSHAKE_TIME 5.0
#define DIAL_DELAY_MIN	    0.1
#define DIAL_DELAY_MAX	    5.0
/* Two of the longest lines: when one does not fit, more than half is full, so WRITABLE will come.
 * Without the ceiling a service that does not read would take our memory. */
#define DIAL_OUT_MAX  (2 * (JSONL_LINE_MAX + 1))
#define DIAL_KEEP_MAX 65536 /* octets of `out` kept for the next line */

static void report_state(struct policy_dial *dial, const char *state, const char *message)
{
	const struct handshake_register *reg = &dial->registration;
	bool ready = !message;
	struct policy_service_report report = {
		.policy = dial->service->name,
		.socket = dial->socket,
		.state = state,
		.service = dial->seen ? reg->service : NULL,
		.software = dial->seen ? reg->software : NULL,
		.message = message,
		.late = dial->late,
		.bad = dial->bad,
		.unknown = dial->unknown,
	};

	/* Once a change, not once an attempt: a service that is down all night fills no log. */
	if (dial->said && strcmp(dial->said, state) == 0)
		return;
	dial->said = state;
	if (ready)
		log_info("policy %s: %s is ready: %s %s", report.policy, report.socket,
			 reg->service, reg->software);
	else
		log_warning("policy %s: %s is %s: %s", report.policy, report.socket, state,
			    message);
	if (ready && reg->missing[0])
		log_info("policy %s: facts that are never known: %s", report.policy, reg->missing);
	policy_report_service(dial->callbacks, &report);
}

/* Without the jitter all workers would knock at a restarted service in the same millisecond. */
static double with_jitter(double seconds)
{
	uint32_t random = UINT32_MAX / 2;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		return seconds;
	return seconds * (0.75 + 0.5 * ((double)random / UINT32_MAX));
}

static void set_timer(struct policy_dial *dial, double seconds)
{
	ev_timer_stop(dial->loop, &dial->timer);
	ev_timer_set(&dial->timer, seconds, 0);
	ev_timer_start(dial->loop, &dial->timer);
}

static double next_delay(double delay)
{
	return delay * 2 < DIAL_DELAY_MAX ? delay * 2 : DIAL_DELAY_MAX;
}

static void set_state(struct policy_dial *dial, enum policy_dial_state state)
{
	bool was_ready = dial->state == DIAL_READY, is_ready = state == DIAL_READY;

	dial->state = state;
	if (was_ready != is_ready)
		policy_count_connection(dial->service, is_ready);
}

/* Its successor speaks for the socket: that this line has ended is no news. */
static void drop_retired(struct policy_dial *dial, const char *message)
{
	log_info("policy %s: %s: the drained connection has ended: %s (%u late, %u bad, %u unknown "
		 "lines)",
		 dial->service->name, dial->socket, message, dial->late, dial->bad, dial->unknown);
	line_link_free(&dial->link);
	ev_timer_stop(dial->loop, &dial->timer);
	set_state(dial, DIAL_WAITING);
	dial->on_event(dial->arg, POLICY_DIAL_DOWN);
}

static void drop(struct policy_dial *dial, const char *state, const char *message)
{
	bool was_ready = dial->state == DIAL_READY;

	if (dial->retired) {
		drop_retired(dial, message);
		return;
	}
	/* `message` may belong to the link. */
	report_state(dial, state, message);
	dial->late = dial->bad = dial->unknown = 0;
	line_link_free(&dial->link);
	set_state(dial, DIAL_WAITING);
	/* A service that registers and dies at once is dialled as seldom as one that is away. */
	if (was_ready && ev_now(dial->loop) - dial->ready_since >= DIAL_DELAY_MAX)
		dial->delay = DIAL_DELAY_MIN;
	set_timer(dial, with_jitter(dial->delay));
	dial->delay = next_delay(dial->delay);
	if (was_ready)
		dial->on_event(dial->arg, POLICY_DIAL_DOWN);
}

static void tell_fatal(struct policy_dial *dial, const char *code, const char *message)
{
	json_out_clear(&dial->out);
	handshake_error(&dial->out, true, 0, code, message);
	/* Best effort: it is closed whether the author can be told or not. */
	if (policy_dial_send(dial))
		line_link_flush(dial->link);
}

void policy_dial_break(struct policy_dial *dial, const char *code, const char *message)
{
	dial->broken = true;
	tell_fatal(dial, code, message);
	drop(dial, dial->state == DIAL_READY ? "unavailable" : "refused", message);
}

static void clear_out(struct policy_dial *dial)
{
	json_out_clear(&dial->out);
	if (dial->out.size > DIAL_KEEP_MAX)
		json_out_fini(&dial->out);
}

bool policy_dial_send(struct policy_dial *dial)
{
	bool sent = line_link_send(dial->link, dial->out.data, dial->out.len);

	clear_out(dial);
	return sent;
}

bool policy_dial_send_fd(struct policy_dial *dial, int fd)
{
	bool sent = line_link_send_fd(dial->link, dial->out.data, dial->out.len, fd);

	clear_out(dial);
	return sent;
}

/* Heard of it within this time, or it is told to speak, or it hangs. */
static void check_silence(struct policy_dial *dial)
{
	double ping = dial->settings->ping;
	double left = dial->heard + ping - ev_now(dial->loop);

	if (dial->retired) {
		drop(dial, "unavailable", "not closed by the service in time");
		return;
	}
	if (left > 0) {
		set_timer(dial, left);
		return;
	}
	if (dial->pinged) {
		drop(dial, "unavailable", "no answer to a ping");
		return;
	}
	/* Does it not fit, then the service does not read: no pong will come, and that is right. */
	hook_json_ping(&dial->out);
	policy_dial_send(dial);
	dial->pinged = true;
	set_timer(dial, ping);
}

static bool takes_paths(const struct handshake_register *reg)
{
	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] == HOOK_BODY_PATH)
			return true;
	return false;
}

static void welcome(struct policy_dial *dial, const struct handshake_register *reg)
{
	const struct policy_service_settings *service = dial->service;
	double extend = policy_call_longest(service) - service->timeout;

	handshake_policy_ready(&dial->out, reg,
			       &(struct handshake_ready){
				       .policy = service->name,
				       .hooks = reg->hooks & service->hooks,
				       .deadline_ms = (long)(service->timeout * 1000),
				       .extend_ms = (long)(extend * 1000 + 0.5),
				       .shadow = service->shadow,
				       .delivers = service->delivers,
				       .grants = service->grants,
				       .spool = takes_paths(reg) ? dial->settings->spool_dir : NULL,
			       });
	policy_dial_send(dial);
}

static void take_register(struct policy_dial *dial)
{
	struct handshake_register reg;
	struct handshake_error error;
	size_t len;
	const char *line = line_link_line(dial->link, &len);

	if (!handshake_read_register(line, len, dial->service->facts, &reg, &error)) {
		policy_dial_break(dial, error.code, error.message);
		return;
	}
	welcome(dial, &reg);
	dial->heard = ev_now(dial->loop);
	dial->pinged = false;
	set_timer(dial, dial->settings->ping);
	dial->registration = reg;
	dial->seen = true;
	dial->broken = false;
	set_state(dial, DIAL_READY);
	dial->ready_since = ev_now(dial->loop);
	report_state(dial, "ready", NULL);
	dial->on_event(dial->arg, POLICY_DIAL_READY);
}

static void take_line(struct policy_dial *dial)
{
	if (dial->state != DIAL_READY) {
		take_register(dial);
		return;
	}
	dial->heard = ev_now(dial->loop);
	dial->pinged = false;
	dial->on_event(dial->arg, POLICY_DIAL_LINE);
}

/* Who listens is told what clients say and their passwords, and is believed. So what the operator
 * knows of it is checked before the first word. */
static bool is_right_account(struct policy_dial *dial)
{
	uid_t uid = line_link_peer_uid(dial->link);
	char message[80];

	if (!dial->service->uid_set || uid == dial->service->uid)
		return true;
	snprintf(message, sizeof message, "its socket belongs to uid %lu, not %lu",
		 (unsigned long)uid, (unsigned long)dial->service->uid);
	drop(dial, "refused", message);
	return false;
}

static void greet(struct policy_dial *dial)
{
	if (!is_right_account(dial))
		return;
	dial->state = DIAL_GREETED;
	handshake_policy_hello(&dial->out, &dial->settings->gateway, dial->settings->message_size,
			       (long)(dial->settings->ping * 1000));
	policy_dial_send(dial);
}

static void end(struct policy_dial *dial)
{
	const char *failure = line_link_failure(dial->link);

	/* The one end that is the service's fault and comes without a line to judge. */
	if (line_link_is_too_long(dial->link)) {
		dial->broken = true;
		policy_count_bad(dial->service);
		policy_report_bad_reply(dial->callbacks, dial->service->name, NULL, "line_too_long",
					failure);
		tell_fatal(dial, "line_too_long", failure);
	}
	drop(dial, "unavailable", failure);
}

static void dial_on_link(void *arg, enum line_link_event event)
{
	struct policy_dial *dial = arg;

	switch (event) {
	case LINE_LINK_UP:
		greet(dial);
		break;
	case LINE_LINK_LINE:
		take_line(dial);
		break;
	case LINE_LINK_WRITABLE:
		if (dial->state == DIAL_READY)
			dial->on_event(dial->arg, POLICY_DIAL_WRITABLE);
		break;
	case LINE_LINK_DOWN:
		end(dial);
		break;
	}
}

static void dial_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct policy_dial *dial = timer->data;

	(void)revents;
	if (dial->state == DIAL_READY) {
		check_silence(dial);
		return;
	}
	if (dial->state == DIAL_GREETED) {
		policy_dial_break(dial, "no_register", "no register message within 5 s");
		return;
	}
	if (dial->state == DIAL_DIALLING) {
		drop(dial, "unavailable", "no connection within 5 s");
		return;
	}
	dial->state = DIAL_DIALLING;
	dial->link = line_link_dial(loop, dial->socket, DIAL_OUT_MAX, dial_on_link, dial);
	set_timer(dial, DIAL_HANDSHAKE_TIME);
}

void policy_dial_start(struct policy_dial *dial, const struct policy_dial *predecessor)
{
	double wait = 0;

	dial->delay = DIAL_DELAY_MIN;
	dial->state = DIAL_WAITING;
	ev_timer_init(&dial->timer, dial_on_timer, 0, 0);
	dial->timer.data = dial;
	if (predecessor) {
		dial->registration = predecessor->registration;
		dial->seen = predecessor->seen;
	}
	/* One that drains as soon as it has registered is dialled as seldom as one that dies. */
	if (predecessor && ev_now(dial->loop) - predecessor->ready_since < DIAL_DELAY_MAX) {
		wait = with_jitter(predecessor->delay);
		dial->delay = next_delay(predecessor->delay);
	}
	set_timer(dial, wait);
}

void policy_dial_retire(struct policy_dial *dial)
{
	log_info("policy %s: %s is drained by its service", dial->service->name, dial->socket);
	dial->retired = true;
	set_timer(dial, policy_call_longest(dial->service));
}

void policy_dial_fini(struct policy_dial *dial)
{
	ev_timer_stop(dial->loop, &dial->timer);
	if (dial->link)
		line_link_flush(dial->link); /* the last disconnects */
	line_link_free(&dial->link);
	set_state(dial, DIAL_WAITING);
	json_out_fini(&dial->out);
}
