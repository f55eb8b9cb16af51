/* worker_policy: the operator's policies as a worker's policy room takes them. */
#ifndef PROCESS_WORKER_POLICY_H
#define PROCESS_WORKER_POLICY_H

#include "base/ident.h"
#include "config/config.h"
#include "policy/policy.h"

struct counters;
struct counters_slot;

struct worker_policy {
	struct policy_settings settings;
	struct policy_service_settings *services;
	char epoch[IDENT_SIZE];
};

/* Borrows the configuration; `worker` is the number that services are told. */
void worker_policy_init(struct worker_policy *p, const struct config *config, unsigned worker);
/* The services are counted in this slot from now on; their rows are there. */
void worker_policy_count(struct worker_policy *p, struct counters *counters,
			 struct counters_slot *slot);
void worker_policy_fini(struct worker_policy *p);

#endif
