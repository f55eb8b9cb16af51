/* policy_shadow: questions to services in shadow mode.
 *
 *      chain --ask--> written at once, or given up --reply, deadline, lost--> event policy.shadow
 *        `--> goes on at once
 *
 * A shadow question outlives the one that it accompanies, and its session: it has copies of what
 * the event names, and a name of its own for the message's file. */
#ifndef POLICY_POLICY_SHADOW_H
#define POLICY_POLICY_SHADOW_H

#include "policy.h"
#include "policy_service.h"

/* All that are open. Set by the caller, but for the last two. */
struct policy_shadows {
	const char *spool_dir;
	const struct policy_callbacks *callbacks;
	struct list open;
	unsigned long files; /* named so far */
};

void policy_shadows_init(struct policy_shadows *shadows);
/* Gives up those that are open; their services are told, and no event is made. */
void policy_shadows_fini(struct policy_shadows *shadows);
/* Asks the service at `place` of the ask's chain. Everything is borrowed for the call only. The
 * event comes from the loop. */
void policy_shadow_ask(struct policy_shadows *shadows, struct policy_service *service, size_t place,
		       const struct policy_ask *ask, const char *key);

#endif
