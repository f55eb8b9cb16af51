#include "policy_report.h"

static void begin(struct event *e, enum event_kind kind, const char *policy,
		  const struct policy_call *call)
{
	const struct hook_request *request = call->ask->request;

	event_init(e, kind, request->session, request->transaction);
	event_add_text(e, "policy", policy);
	event_add_text(e, "hook", hook_word(request->hook));
}

static void add_verdict(struct event *e, const struct verdict *v)
{
	event_add_text(e, "verdict", verdict_word(v->kind));
	if (v->code)
		event_add_integer(e, "code", v->code);
	event_add_text(e, "status", v->status);
	event_add_text(e, "reason", v->reason);
}

void policy_report_decision(const struct policy_callbacks *callbacks, const char *policy,
			    const struct policy_call *call)
{
	const struct verdict *v = &call->verdict;
	struct event e;

	begin(&e, EVENT_POLICY_DECISION, policy, call);
	add_verdict(&e, v);
	event_add_text(&e, "labels", v->labels);
	if (v->until != VERDICT_UNTIL_COMMAND)
		event_add_text(&e, "until",
			       v->until == VERDICT_UNTIL_SESSION ? "session" : "transaction");
	if (v->edits_len)
		event_add_integer(&e, "edits", (int64_t)v->edits_len);
	event_add_real(&e, "ms", policy_call_age(call));
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_failure(const struct policy_callbacks *callbacks, const char *policy,
			   const struct policy_call *call, enum verdict_kind action)
{
	struct event e;

	begin(&e, EVENT_POLICY_FAILURE, policy, call);
	event_add_text(&e, "class", failure_word(call->end));
	event_add_text(&e, "action", verdict_word(action));
	event_add_real(&e, "ms", policy_call_age(call));
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_shadow(const struct policy_callbacks *callbacks, const char *policy,
			  const struct policy_call *call)
{
	struct event e;

	begin(&e, EVENT_POLICY_SHADOW, policy, call);
	if (call->end == POLICY_NO_FAILURE)
		add_verdict(&e, &call->verdict);
	else
		event_add_text(&e, "failure", failure_word(call->end));
	event_add_real(&e, "ms", policy_call_age(call));
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_bad_reply(const struct policy_callbacks *callbacks, const char *policy,
			     const struct hook_request *request, const char *code,
			     const char *message)
{
	struct event e;

	event_init(&e, EVENT_POLICY_BAD_REPLY, request ? request->session : NULL,
		   request ? request->transaction : NULL);
	event_add_text(&e, "policy", policy);
	event_add_text(&e, "code", code);
	event_add_text(&e, "message", message);
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_breaker(const struct policy_callbacks *callbacks, const char *policy,
			   const char *state)
{
	struct event e;

	event_init(&e, EVENT_POLICY_BREAKER, NULL, NULL);
	event_add_text(&e, "policy", policy);
	event_add_text(&e, "state", state);
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_service(const struct policy_callbacks *callbacks,
			   const struct policy_service_report *report)
{
	struct event e;

	event_init(&e, EVENT_POLICY_SERVICE, NULL, NULL);
	event_add_text(&e, "policy", report->policy);
	event_add_text(&e, "socket", report->socket);
	event_add_text(&e, "state", report->state);
	event_add_text(&e, "service", report->service);
	event_add_text(&e, "software", report->software);
	event_add_text(&e, "message", report->message);
	if (report->late)
		event_add_integer(&e, "late", report->late);
	if (report->bad)
		event_add_integer(&e, "bad", report->bad);
	if (report->unknown)
		event_add_integer(&e, "unknown", report->unknown);
	callbacks->on_event(callbacks->arg, &e);
}
