#include "policy_call.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

static void set_timer(struct policy_call *call, double seconds)
{
	ev_timer_stop(call->loop, &call->timer);
	ev_timer_set(&call->timer, seconds > 0 ? seconds : 0, 0);
	ev_timer_start(call->loop, &call->timer);
}

/* Timers run by another clock than ev_now(): the last fraction of a millisecond may be missing. */
static bool is_over(const struct policy_call *call)
{
	return ev_now(call->loop) >= call->deadline - 0.001;
}

/* True when it waits on. */
static bool has_patience(struct policy_call *call)
{
	double now = ev_now(call->loop), until = *call->patient_until;

	if (now >= until || is_over(call))
		return false;
	set_timer(call, (until < call->deadline ? until : call->deadline) - now);
	return true;
}

static enum failure why_over(const struct policy_call *call)
{
	if (is_over(call) && call->ceiling > 0 && call->deadline >= call->ceiling)
		return FAILURE_LATE;
	if (call->connection)
		return FAILURE_TIMEOUT;
	/* A second attempt that found no connection: the first one's is the failure to tell. */
	if (call->attempt > 1)
		return FAILURE_LOST;
	return is_over(call) ? FAILURE_TIMEOUT : FAILURE_OVERLOAD;
}

static void call_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct policy_call *call = timer->data;

	ev_timer_stop(loop, timer);
	if (!(revents & EV_CUSTOM)) {
		if (!call->connection && has_patience(call))
			return;
		call->end = why_over(call);
	}
	call->on_end(call);
}

static void set_deadline(struct policy_call *call, ev_tstamp deadline)
{
	call->deadline = call->ceiling > 0 && deadline > call->ceiling ? call->ceiling : deadline;
}

void policy_call_start(struct policy_call *call, struct ev_loop *loop, double timeout,
		       const ev_tstamp *patient_until)
{
	call->loop = loop;
	call->attempt = 1;
	call->patient_until = patient_until;
	call->asked = ev_now(loop);
	set_deadline(call, call->asked + timeout);
	list_init(&call->waiting);
	ev_timer_init(&call->timer, call_on_timer, 0, 0);
	call->timer.data = call;
	set_timer(call, (call->deadline - call->asked) / 2);
}

void policy_call_start_again(struct policy_call *call, double patience)
{
	double left = call->deadline - ev_now(call->loop);

	assert(!call->connection && list_empty(&call->waiting));
	call->attempt++;
	set_timer(call, left < patience ? left : patience);
}

void policy_call_sent(struct policy_call *call, struct policy_connection *connection, uint64_t id)
{
	call->connection = connection;
	call->id = id;
	set_timer(call, call->deadline - ev_now(call->loop));
}

bool policy_answers_for_message(const struct policy_service_settings *service, enum hook hook)
{
	return service->delivers && hook == HOOK_MESSAGE;
}

double policy_call_longest(const struct policy_service_settings *service)
{
	return service->timeout_max > service->timeout ? service->timeout_max : service->timeout;
}

void policy_call_extend(struct policy_call *call, double seconds,
			const struct policy_service_settings *service)
{
	ev_tstamp now = ev_now(call->loop), old = call->deadline;
	ev_tstamp last = call->asked + policy_call_longest(service);

	assert(call->connection);
	set_deadline(call, now + seconds < last ? now + seconds : last);
	if (call->deadline > old)
		set_timer(call, call->deadline - now);
	else
		call->deadline = old;
}

void policy_call_end(struct policy_call *call, enum failure end)
{
	assert(!call->connection && list_empty(&call->waiting));
	call->end = end;
	ev_timer_stop(call->loop, &call->timer);
	ev_feed_event(call->loop, &call->timer, EV_CUSTOM);
}

void policy_call_fini(struct policy_call *call)
{
	assert(!call->connection && list_empty(&call->waiting));
	/* Takes back a pending policy_call_end() too. */
	ev_timer_stop(call->loop, &call->timer);
	verdict_fini(&call->verdict);
}

long policy_call_left(const struct policy_call *call)
{
	long left = (long)((call->deadline - ev_now(call->loop)) * 1000);

	return left > 1 ? left : 1;
}

double policy_call_age(const struct policy_call *call)
{
	double seconds = ev_now(call->loop) - call->asked;

	return seconds > 0 ? seconds * 1000 : 0; /* the clock may have been set back */
}

/* An operator may choose to do without a service that does not answer. A service that answers
 * nonsense, or was never shown the message, might have refused it: there is no choice then. */
/* Nor is there one for a message: what nobody has is not delivered. */
static enum verdict_kind action_of(enum failure failure,
				   const struct policy_service_settings *service, enum hook hook)
{
	enum verdict_kind action = VERDICT_TEMPFAIL;

	if (failure < FAILURE_CHOICES && !policy_answers_for_message(service, hook))
		action = service->actions[hook][failure];
	/* To do without the one who knows the passwords is to let anybody in. */
	return hook == HOOK_AUTH && action < VERDICT_TEMPFAIL ? VERDICT_TEMPFAIL : action;
}

static int tempfail_code(enum hook hook)
{
	switch (hook) {
	case HOOK_CONNECT: /* RFC 5321 section 3.1: the banner is 220, 554 or 421 */
		return 421;
	case HOOK_STARTTLS: /* RFC 3207 section 4 */
	case HOOK_AUTH:	    /* RFC 4954 section 6 */
		return 454;
	default:
		return 451;
	}
}

static char *neutral_text(enum verdict_kind kind, const struct hook_request *request)
{
	char text[160];

	/* The client learns which mail it was, and nothing about the services. */
	snprintf(text, sizeof text, "%s (%s)",
		 kind == VERDICT_REJECT ? "Policy check failed"
					: "Temporary policy failure, try again later",
		 request->transaction ? request->transaction : request->session);
	return mem_copy_string(text);
}

void policy_call_failure(enum failure failure, const struct policy_service_settings *service,
			 const struct hook_request *request, struct verdict *verdict)
{
	struct verdict v = {.kind = action_of(failure, service, request->hook)};

	if (v.kind == VERDICT_TEMPFAIL) {
		v.code = failure == FAILURE_STORAGE ? 452 : tempfail_code(request->hook);
		snprintf(v.status, sizeof v.status, failure == FAILURE_STORAGE ? "4.3.1" : "4.3.0");
	}
	if (failure == FAILURE_STORAGE)
		v.text = mem_copy_string("Insufficient system storage");
	else if (v.kind >= VERDICT_TEMPFAIL)
		v.text = neutral_text(v.kind, request);
	snprintf(v.reason, sizeof v.reason, "%s", failure_word(failure));
	*verdict = v;
}
