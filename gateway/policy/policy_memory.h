/* policy_memory: what services have said that outlives the question (see policy.h).
 *
 *      one slot a service:   the answer that stands    until transaction, or session
 *                            keep: session, transaction
 *      one list for all:     labels, each of the session or of the transaction */
#ifndef POLICY_POLICY_MEMORY_H
#define POLICY_POLICY_MEMORY_H

#include "policy.h"

/* `place` of a service is the one in settings.services. */

/* The service has answered at this hook. */
void policy_memory_take(struct policy_memory *memory, size_t place, enum hook hook,
			const struct verdict *verdict);
/* True when an answer of the service stands at this hook: *verdict is it, with the words that fit
 * here; free with verdict_fini(). */
bool policy_memory_standing(const struct policy_memory *memory, size_t place, enum hook hook,
			    struct verdict *verdict);
/* JSON objects, NULL where nothing is kept; valid until its next answer. */
void policy_memory_kept(const struct policy_memory *memory, size_t place, const char **session,
			const char **transaction);

#endif
