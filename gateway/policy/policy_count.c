#include "policy_count.h"

void policy_count_end(const struct policy_service_settings *service, const struct policy_call *call)
{
	struct counters_policy_hook *hook;

	if (!service->counters)
		return;
	hook = &service->counters->hooks[call->ask->request->hook];
	if (call->end != POLICY_NO_FAILURE) {
		counter_add(&hook->failures[call->end], 1);
		return;
	}
	counter_add(&hook->verdicts[call->verdict.kind], 1);
	counters_latency_add(&hook->latency, policy_call_age(call) / 1000);
}

void policy_count_connection(const struct policy_service_settings *service, bool registered)
{
	if (service->counters)
		counter_add(&service->counters->connections, registered ? 1 : (uint64_t)-1);
}

void policy_count_sent(const struct policy_service_settings *service, size_t n)
{
	if (service->counters)
		counter_add(&service->counters->outstanding, n);
}

void policy_count_unsent(const struct policy_service_settings *service, size_t n)
{
	if (service->counters)
		counter_take(&service->counters->outstanding, n);
}

void policy_count_waiting(const struct policy_service_settings *service, bool waits)
{
	if (service->counters)
		counter_add(&service->counters->waiting, waits ? 1 : (uint64_t)-1);
}

void policy_count_breaker(const struct policy_service_settings *service,
			  enum policy_breaker_state state)
{
	static const uint64_t numbers[] = {
		[BREAKER_CLOSED] = 0, [BREAKER_HALF_OPEN] = 1, [BREAKER_OPEN] = 2};

	if (service->counters)
		atomic_store_explicit(&service->counters->breaker, numbers[state],
				      memory_order_relaxed);
}

void policy_count_late(const struct policy_service_settings *service)
{
	if (service->counters)
		counter_add(&service->counters->late, 1);
}

void policy_count_bad(const struct policy_service_settings *service)
{
	if (service->counters)
		counter_add(&service->counters->bad, 1);
}

void policy_count_unknown(const struct policy_service_settings *service)
{
	if (service->counters)
		counter_add(&service->counters->unknown, 1);
}
