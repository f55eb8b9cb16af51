/* policy_question: one open question of a session: the services of its chain, one after the other,
 * and the verdict that becomes of what they say.
 *
 *      accept, bypass < quarantine < discard < tempfail < reject < disconnect
 *      '---- the next service is asked ---'   '------ ends the chain -------'   (bypass: only one
 * that delivers) */
#ifndef POLICY_POLICY_QUESTION_H
#define POLICY_POLICY_QUESTION_H

#include "policy.h"
#include "policy_call.h"
#include "policy_service.h"
#include "policy_shadow.h"

/* Zeroed by its owner, who sets the first group. */
struct policy_question {
	struct ev_loop *loop;
	const struct policy_callbacks *callbacks;
	struct policy_service *const *services;
	struct policy_shadows *shadows;
	struct policy_ask ask;
	/* From the loop, once: verdict and by are set. */
	void (*on_end)(struct policy_question *question);
	void *arg;
	uint64_t id; /* the owner's */

	struct verdict verdict; /* so far */
	const char *by;		/* who decided it; NULL: nobody */
	size_t step;		/* place in ask.chain */
	bool bypassed;		/* only a service that delivers is asked from here on */
	ev_tstamp ceiling;	/* the time of the chain is over then; 0: never */
	struct policy_call call;
	ev_timer end;  /* only fed */
	char key[320]; /* a longer one is cut; its service is asked by nobody else under it */
};

/* True: on_end follows. False: the verdict is a plain accept, and no service is asked. */
bool policy_question_start(struct policy_question *question);
/* The service that is being asked is told why nobody waits. */
void policy_question_withdraw(struct policy_question *question, const char *why);
/* Nothing comes any more. What was asked must have ended or be withdrawn. */
void policy_question_fini(struct policy_question *question);

#endif
