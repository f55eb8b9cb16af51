/* policy_count: what happens with a service, in the numbers that all processes share.
 *
 * Of a service whose settings name no counters nothing is counted. Several services may share
 * counters (those beyond COUNTERS_ROWS), so what is "now" is added and taken back. */
#ifndef POLICY_POLICY_COUNT_H
#define POLICY_POLICY_COUNT_H

#include "policy.h"
#include "policy_breaker.h"
#include "policy_call.h"
#include "shared/counters.h"

/* A question is over for good: answered, or failed. */
void policy_count_end(const struct policy_service_settings *service,
		      const struct policy_call *call);
/* Registered connections, one more or less. */
void policy_count_connection(const struct policy_service_settings *service, bool registered);
/* Questions that are with the service. */
void policy_count_sent(const struct policy_service_settings *service, size_t n);
void policy_count_unsent(const struct policy_service_settings *service, size_t n);
/* Questions in the queue, one more or less. */
void policy_count_waiting(const struct policy_service_settings *service, bool waits);
void policy_count_breaker(const struct policy_service_settings *service,
			  enum policy_breaker_state state);
/* Lines of no use. */
void policy_count_late(const struct policy_service_settings *service);
void policy_count_bad(const struct policy_service_settings *service);
void policy_count_unknown(const struct policy_service_settings *service);

#endif
