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

/* ANSWERED, or the class of the failure. */
enum policy_end {
	POLICY_ANSWERED,
	POLICY_UNAVAILABLE, /* no live connection */
	POLICY_OVERLOAD,    /* windows and queue are full */
	POLICY_TIMEOUT,	    /* no reply before the deadline */
	POLICY_LOST,	    /* the connection ended before the reply */
	POLICY_BAD_REPLY,   /* the reply breaks the protocol */
	POLICY_INTERNAL,    /* the request cannot be written in a line of the protocol */
	POLICY_STORAGE,	    /* the message cannot be made a file for the service */
};

/* Zeroed by its owner, who sets the first group. */
struct policy_call {
	const struct policy_ask *ask;
	const char *key; /* idempotency key */
	void (*on_end)(struct policy_call *call);
	void *arg;

	unsigned attempt; /* 1, or 2 */
	unsigned probe;	  /* of the breaker */
	enum policy_end end;
	struct verdict verdict; /* when ANSWERED; the owner's to free */

	struct list waiting;		      /* a member of the service's queue, else empty */
	uint64_t serial;		      /* order of the queue */
	struct policy_connection *connection; /* where a reply is awaited */
	uint64_t id;			      /* on that connection */
	struct ev_loop *loop;
	ev_timer timer;
	ev_tstamp asked, deadline;
};

/* The deadline is `timeout` seconds from now. */
void policy_call_start(struct policy_call *call, struct ev_loop *loop, double timeout);
/* After a LOST end: a second attempt, with what is left of the deadline. A connection must be found
 * within `patience` seconds, else the call ends as LOST again. */
void policy_call_start_again(struct policy_call *call, double patience);
/* It is with a service: from now on only the deadline counts. */
void policy_call_sent(struct policy_call *call, struct policy_connection *connection, uint64_t id);
/* on_end follows from the loop. The call must be out of queue and connection. */
void policy_call_end(struct policy_call *call, enum policy_end end);
/* Nothing comes any more. The call must be out of queue and connection. */
void policy_call_fini(struct policy_call *call);
/* Milliseconds to the deadline, at least 1. */
long policy_call_left(const struct policy_call *call);
/* Milliseconds since the start. */
double policy_call_age(const struct policy_call *call);
/* "timeout" */
const char *policy_end_word(enum policy_end end);
/* The verdict of a failed call; free with verdict_fini(). */
void policy_call_failure(enum policy_end end, const struct policy_service_settings *service,
			 const struct hook_request *request, struct verdict *verdict);

#endif
