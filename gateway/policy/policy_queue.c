#include "policy_queue.h"

#include "policy_count.h"

void policy_queue_init(struct policy_queue *queue, const struct policy_service_settings *service)
{
	queue->service = service;
	for (enum hook hook = 0; hook < HOOK_MAX; hook++)
		list_init(&queue->waiting[hook]);
	queue->len = 0;
	queue->serial = 0;
}

void policy_queue_add(struct policy_queue *queue, struct policy_call *call)
{
	call->serial = ++queue->serial;
	list_append(&queue->waiting[call->ask->request->hook], &call->waiting);
	queue->len++;
	policy_count_waiting(queue->service, true);
}

void policy_queue_remove(struct policy_queue *queue, struct policy_call *call)
{
	if (list_empty(&call->waiting))
		return;
	list_remove(&call->waiting);
	queue->len--;
	policy_count_waiting(queue->service, false);
}

struct policy_call *policy_queue_first(const struct policy_queue *queue, enum hook hook)
{
	const struct list *waiting = &queue->waiting[hook];

	return list_empty(waiting) ? NULL : list_of(waiting->next, struct policy_call, waiting);
}

void policy_queue_fail(struct policy_queue *queue, enum hook hook)
{
	list_each(at, after, &queue->waiting[hook])
	{
		struct policy_call *call = list_of(at, struct policy_call, waiting);

		if (call->attempt > 1)
			continue;
		policy_queue_remove(queue, call);
		policy_call_end(call, FAILURE_UNAVAILABLE);
	}
}
