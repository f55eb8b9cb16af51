/* policy_report: what happens with services, as policy.* events. */
#ifndef POLICY_POLICY_REPORT_H
#define POLICY_POLICY_REPORT_H

#include "policy.h"
#include "policy_call.h"

/* A service has answered. */
void policy_report_decision(const struct policy_callbacks *callbacks, const char *policy,
			    const struct policy_call *call);
/* A service has not, and `action` was taken. */
void policy_report_failure(const struct policy_callbacks *callbacks, const char *policy,
			   const struct policy_call *call, enum verdict_kind action);
/* What a service in shadow mode would have said, or that it has said nothing. */
void policy_report_shadow(const struct policy_callbacks *callbacks, const char *policy,
			  const struct policy_call *call);
/* A line that breaks the protocol; request NULL: it belongs to none. */
void policy_report_bad_reply(const struct policy_callbacks *callbacks, const char *policy,
			     const struct hook_request *request, const char *code,
			     const char *message);

/* The breaker has another state. */
void policy_report_breaker(const struct policy_callbacks *callbacks, const char *policy,
			   const char *state);

struct policy_service_report {
	const char *policy, *socket;
	const char *state;		/* "ready" "unavailable" "refused" */
	const char *service, *software; /* as registered; NULL when unknown */
	const char *message;		/* why; NULL when ready */
	unsigned late, bad, unknown;	/* lines of no use on a connection that has ended */
};

void policy_report_service(const struct policy_callbacks *callbacks,
			   const struct policy_service_report *report);

#endif
