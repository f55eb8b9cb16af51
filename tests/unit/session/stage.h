/* stage: a session of its own in a test: a client at one end, a delivery that says what the test
 * says, and all that was published. No service is asked. */
#ifndef STAGE_H
#define STAGE_H

#include <ev.h>
#include <stdbool.h>

#include "base/buf.h"
#include "delivery/delivery.h"
#include "session/session.h"

struct stage {
	struct ev_loop *loop;
	struct session_host host;
	struct session_listener listener;
	int fd; /* the client's; -1: it has closed */
	ev_io input;
	ev_timer alarm;
	struct buf said;   /* what the client was told */
	bool closed;	   /* by the gateway */
	bool ended;	   /* no session is left */
	struct buf events; /* those of rcpt, delivery, message and disconnect, a line each */

	/* the delivery; see stage_delivery.c */
	bool asks;
	struct delivery_offer offer;
	struct buf trace; /* what it was called for, a line each */
	struct delivery_transaction *transaction;
	struct delivery_job *job;
};

/* Settings may be changed until stage_begin(). */
void stage_init(struct stage *s);
void stage_fini(struct stage *s);
void stage_begin(struct stage *s);
void stage_say(struct stage *s, const char *lines);
/* Turns the loop until this is there; fails the test after 20 s. */
void stage_until_said(struct stage *s, const char *text);
void stage_until_trace(struct stage *s, const char *text);
void stage_until_ended(struct stage *s);
void stage_close(struct stage *s);

/* The answer to the open question for a recipient, and to the message. */
void stage_answer(struct stage *s, int code, const char *status, const char *text);
void stage_deliver(struct stage *s, const struct delivery_result *result);

#endif
