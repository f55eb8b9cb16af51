/* policy_queue: the calls of one service that wait for credit, in the order in which they were
 * asked.
 *
 * Each hook has a list of its own, so that calls for a socket that is full do not hold up those for
 * another one. */
#ifndef POLICY_POLICY_QUEUE_H
#define POLICY_POLICY_QUEUE_H

#include "policy_call.h"

struct policy_queue {
	struct list waiting[HOOK_MAX];
	const struct policy_service_settings *service;
	size_t len;
	uint64_t serial;
};

void policy_queue_init(struct policy_queue *queue, const struct policy_service_settings *service);
void policy_queue_add(struct policy_queue *queue, struct policy_call *call);
/* The call is out; nothing when it was not in. */
void policy_queue_remove(struct policy_queue *queue, struct policy_call *call);
/* NULL when nothing waits for this hook. */
struct policy_call *policy_queue_first(const struct policy_queue *queue, enum hook hook);
/* Those that wait for this hook end as UNAVAILABLE, but for second attempts, which were promised
 * some time to find a connection. */
void policy_queue_fail(struct policy_queue *queue, enum hook hook);

#endif
