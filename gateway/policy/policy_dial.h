/* policy_dial: a line to one socket of a service: dialled, introduced, and dialled again when it
 * ends.
 *
 *      WAITING --timer--> DIALLING --up, hello--> GREETED --register, ready--> READY
 *         ^                   |                      |                          |
 *         `-------------------+----------------------+--------------------------'
 *
 * When nothing comes from a service it is sent a ping; when nothing comes after that, it hangs, and
 * the line is of no use to the questions on it.
 *
 * The wait between two attempts doubles from 100 ms to 5 s, and starts anew after a line that
 * lasted. */
#ifndef POLICY_POLICY_DIAL_H
#define POLICY_POLICY_DIAL_H

#include <ev.h>
#include <stdbool.h>

#include "net/line_link.h"
#include "policy.h"
#include "protocol/json_out.h"

enum policy_dial_event {
	POLICY_DIAL_READY,    /* registration is filled */
	POLICY_DIAL_LINE,     /* only when ready: see line_link_line() */
	POLICY_DIAL_WRITABLE, /* only when ready */
	POLICY_DIAL_DOWN,     /* it was ready, and is no more */
};

enum policy_dial_state { DIAL_WAITING, DIAL_DIALLING, DIAL_GREETED, DIAL_READY };

struct policy_dial {
	struct ev_loop *loop;
	const struct policy_settings *settings;
	const struct policy_service_settings *service;
	const struct policy_callbacks *callbacks;
	const char *socket;
	void (*on_event)(void *arg, enum policy_dial_event event);
	void *arg;

	enum policy_dial_state state;
	struct line_link *link; /* NULL while waiting */
	ev_timer timer; /* until the next attempt, the limit of the handshake, or of silence */
	double delay;
	ev_tstamp ready_since;
	ev_tstamp heard;			/* the last line */
	bool pinged;				/* and nothing heard since */
	bool retired;				/* the service drains it: it is not dialled again */
	struct handshake_register registration; /* the last one, also while it is down */
	bool seen;				/* there has been one */
	const char *said;			/* state last reported, NULL for none */
	bool broken;				/* by a line that breaks the protocol */
	unsigned late, bad, unknown;		/* lines of this connection that were of no use */
	struct json_out out;			/* for the line being written */
};

/* Dials. `predecessor`, if any, is a line to the same socket that its service drains: what it
 * registered counts until the next registration. Settings, service, callbacks and socket stay the
 * caller's and must stay unchanged; the first seven members are set by the caller, all others zero.
 */
void policy_dial_start(struct policy_dial *dial, const struct policy_dial *predecessor);
/* The service drains the line: it is closed when no question can be open any more, at the latest,
 * and DOWN is its last event. */
void policy_dial_retire(struct policy_dial *dial);
/* Closes. No callback any more. */
void policy_dial_fini(struct policy_dial *dial);
/* Sends what is in dial->out and clears it; false when it does not fit, nothing is sent then. */
bool policy_dial_send(struct policy_dial *dial);
/* The same with a descriptor beside it, which is taken over. */
bool policy_dial_send_fd(struct policy_dial *dial, int fd);
/* Tells the author a fatal error, closes, dials again later. DOWN comes inside. */
void policy_dial_break(struct policy_dial *dial, const char *code, const char *message);

#endif
