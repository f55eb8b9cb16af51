/* policy_breaker: whether a service that keeps failing is asked at all.
 *
 *      CLOSED --half of at least 20 questions in 10 s failed--> OPEN --5 s ... 60 s--> HALF_OPEN
 *         ^                                                       ^                     |    |
 *         |                                                       `---- one fails ------'    |
 *         `------------------------- 3 questions are answered -------------------------------'
 *
 * Without it each session waits for the whole deadline of a service that hangs. A pure function of
 * the questions and of the time `now`, in seconds. */
#ifndef POLICY_POLICY_BREAKER_H
#define POLICY_POLICY_BREAKER_H

#include <stdbool.h>

#define POLICY_BREAKER_SECONDS 10
#define POLICY_BREAKER_PROBES  3

enum policy_breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct policy_breaker_second {
	long second;
	unsigned questions, failures;
};

/* All zero is closed. */
struct policy_breaker {
	enum policy_breaker_state state;
	struct policy_breaker_second seconds[POLICY_BREAKER_SECONDS];
	double until;		   /* while OPEN */
	double pause;		   /* the last one, 0 for none since it was closed */
	unsigned round;		   /* number of the half-open time */
	unsigned probes, answered; /* in it */
};

/* False: the question is not asked. True: it is, and ends with policy_breaker_take() or
 * policy_breaker_forget(), to which *probe is handed. */
bool policy_breaker_admit(struct policy_breaker *b, double now, unsigned *probe);
/* The service has answered, or failed. */
void policy_breaker_take(struct policy_breaker *b, double now, unsigned probe, bool failed);
/* The question ended in a way that says nothing about the service. */
void policy_breaker_forget(struct policy_breaker *b, unsigned probe);
/* There is a new reason to hope: OPEN becomes HALF_OPEN. */
void policy_breaker_try(struct policy_breaker *b);
/* "half_open" */
const char *policy_breaker_word(enum policy_breaker_state state);

#endif
