/* policy_call: one question to one service, from the asking to its end.
 *
 *      start --> waiting --> sent --> end --on_end, from the loop--> the asker
 *                 ^ |          |       ^                               |
 *                 | `--deadline, lost--'                               |
 *                 `-------- once more, after a connection was lost ----'
 *
 * Whatever ends a call, on_end comes from the loop and not from the function that ended it: so
 * nobody's list changes while it is being walked. */
#ifndef POLICY_POLICY_CALL_H
#define POLICY_POLICY_CALL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "policy.h"

struct policy_connection;

/* As an enum failure: there was none. */
#define POLICY_NO_FAILURE FAILURE_MAX

/* Zeroed by its owner, who sets the first group. */
struct policy_call {
	const struct policy_ask *ask;
	size_t place;	   /* of the service, in settings.services */
	const char *key;   /* idempotency key */
	bool fd_first;	   /* no file by its path where a descriptor is taken too */
	ev_tstamp ceiling; /* the chain's time is over then; 0: never */
	void (*on_end)(struct policy_call *call);
	void *arg;

	unsigned attempt;	/* 1, or 2 */
	bool broken;		/* it was on a connection that ended with a broken line */
	unsigned probe;		/* of the breaker */
	enum failure end;	/* NO_FAILURE: it was answered */
	struct verdict verdict; /* then; the owner's to free */

	struct list waiting;		      /* a member of the service's queue, else empty */
	uint64_t serial;		      /* order of the queue */
	struct policy_connection *connection; /* where a reply is awaited */
	uint64_t id;			      /* on that connection */
	struct ev_loop *loop;
	ev_timer timer;
	const ev_tstamp *patient_until; /* of the service: see policy_call_start() */
	ev_tstamp asked, deadline;
};

/* The deadline is `timeout` seconds from now, or the ceiling. A call that is not sent within half
 * of its time ends as OVERLOAD: the service would get it with too little time to work. But while
 * *patient_until is to come it may wait for all of its time. */
void policy_call_start(struct policy_call *call, struct ev_loop *loop, double timeout,
		       const ev_tstamp *patient_until);
/* After a LOST end: a second attempt, with what is left of the deadline. A connection must be found
 * within `patience` seconds, else the call ends as LOST again. */
void policy_call_start_again(struct policy_call *call, double patience);
/* It is with a service: from now on only the deadline counts. */
void policy_call_sent(struct policy_call *call, struct policy_connection *connection, uint64_t id);
/* on_end follows from the loop. The call must be out of queue and connection. */
void policy_call_end(struct policy_call *call, enum failure end);
/* The service delivers, and this is the hook where it takes the message: nothing else will do. */
bool policy_answers_for_message(const struct policy_service_settings *service, enum hook hook);
/* Seconds that a call to the service lasts at most, with all that progress adds. */
double policy_call_longest(const struct policy_service_settings *service);
/* The service asks for this long from now on; it never gets less than it had, nor more than its
 * longest. */
void policy_call_extend(struct policy_call *call, double seconds,
			const struct policy_service_settings *service);
/* Nothing comes any more. The call must be out of queue and connection. */
void policy_call_fini(struct policy_call *call);
/* Milliseconds to the deadline, at least 1. */
long policy_call_left(const struct policy_call *call);
/* Milliseconds since the start. */
double policy_call_age(const struct policy_call *call);
/* The verdict of a failed call; free with verdict_fini(). */
void policy_call_failure(enum failure failure, const struct policy_service_settings *service,
			 const struct hook_request *request, struct verdict *verdict);

#endif
