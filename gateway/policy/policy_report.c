#include "policy_report.h"

void policy_report_decision(const struct policy_callbacks *callbacks, const char *policy,
			    const struct policy_call *call)
{
	const struct hook_request *request = call->ask->request;
	const struct verdict *v = &call->verdict;
	struct event e;

	event_init(&e, EVENT_POLICY_DECISION, request->session, request->transaction);
	event_add_text(&e, "policy", policy);
	event_add_text(&e, "hook", hook_word(request->hook));
	event_add_text(&e, "verdict", verdict_word(v->kind));
	if (v->code)
		event_add_integer(&e, "code", v->code);
	event_add_text(&e, "status", v->status);
	event_add_text(&e, "reason", v->reason);
	event_add_real(&e, "ms", policy_call_age(call));
	callbacks->on_event(callbacks->arg, &e);
}

void policy_report_failure(const struct policy_callbacks *callbacks, const char *policy,
			   const struct policy_call *call, enum verdict_kind action)
{
	const struct hook_request *request = call->ask->request;
	struct event e;

	event_init(&e, EVENT_POLICY_FAILURE, request->session, request->transaction);
	event_add_text(&e, "policy", policy);
	event_add_text(&e, "hook", hook_word(request->hook));
	event_add_text(&e, "class", policy_end_word(call->end));
	event_add_text(&e, "action", verdict_word(action));
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
	callbacks->on_event(callbacks->arg, &e);
}
