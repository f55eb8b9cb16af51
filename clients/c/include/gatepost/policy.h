/* policy: a service that decides what gatepost answers.
 *
 *      socket -> gatepost_policy_feed()            gatepost_policy_out() -> socket
 *                      |                                    ^
 *              gatepost_policy_next() -> request      gatepost_policy_reply()
 *
 * A struct gatepost_policy is one connection of a gateway. It has no socket, clock or loop: use
 * yours, or serve.h. Out of memory ends the process. Objects may be used by one thread at a time;
 * different objects share nothing. Feed what comes without delay, also while requests are worked
 * on: a ping of the gateway is answered within, and one that is not answered in time costs the
 * connection. */
#ifndef GATEPOST_POLICY_H
#define GATEPOST_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gatepost/error.h>
#include <gatepost/request.h>
#include <gatepost/verdict.h>

#pragma GCC visibility push(default)

struct gatepost_policy_options {
	const char *service;	 /* how it calls itself in logs; required */
	const char *software;	 /* name and version of the program; NULL: this library's */
	unsigned hooks;		 /* 1u << GATEPOST_HOOK_x for each hook to be asked at */
	const char *const *need; /* facts, NULL after the last, for each of these hooks: the gateway
				    refuses the service when it can never tell one; NULL: none */
	const char *const *want; /* the same, but not refused: see struct gatepost_ready */
	/* the same for one of the hooks alone, besides those */
	const char *const *need_at[GATEPOST_HOOK_MAX], *const *want_at[GATEPOST_HOOK_MAX];
	enum gatepost_body body[GATEPOST_BODY_MAX]; /* in order of preference, body_len of them */
	size_t body_len;			    /* 0: none */
	unsigned window;   /* requests that may be open; 0: 64. The gateway may lower it */
	gatepost_log *log; /* NULL: nothing is told */
	void *log_arg;
};

/* What the gateway said about the service in its `ready`. */
struct gatepost_ready {
	const char *policy; /* the service's name in the gateway's configuration */
	bool shadow;	    /* its verdicts are only reported, and nobody waits for them */
	bool bypass;	    /* the operator grants GATEPOST_BYPASS */
	bool delivers;	    /* what it accepts at message is its own: its verdict needs ref */
	unsigned hooks;	    /* 1u << GATEPOST_HOOK_x: where it will be asked */
	/* the longest wait for a reply, and how much longer it is at most with progress. 0 where it
	 * is not asked, or cannot be had */
	int64_t deadline_ms[GATEPOST_HOOK_MAX], extend_ms[GATEPOST_HOOK_MAX];
	const char *missing; /* the facts wanted in vain, with spaces between; "" */
	unsigned window;     /* requests that may be open */
};

struct gatepost_policy;

/* A connection that has just been accepted. Everything in `options` is copied. NULL: they break a
 * rule, and `error` says which. */
struct gatepost_policy *gatepost_policy_new(const struct gatepost_policy_options *options,
					    struct gatepost_error *error);
/* Requests that were taken stay their owner's. */
void gatepost_policy_free(struct gatepost_policy **policy);
/* Takes octets that came, cut anywhere. False: the connection is over (gatepost_policy_error());
 * what was complete before can still be taken. */
bool gatepost_policy_feed(struct gatepost_policy *policy, const char *data, size_t len);
/* For the mode fd: descriptors that came with the octets (SCM_RIGHTS), in their order; to be called
 * before those octets are fed. Takes them over: each goes with the request it belongs to, others
 * are closed. It takes recvmsg() to get them, with MSG_CMSG_CLOEXEC. Close the connection when that
 * says MSG_CTRUNC: one was lost, and what comes after it would go with the wrong message. */
void gatepost_policy_feed_fds(struct gatepost_policy *policy, const int *fds, size_t len);
/* The gateway has closed. False when a line was cut. */
bool gatepost_policy_feed_end(struct gatepost_policy *policy);
/* The next request, which the caller frees; NULL when there is none now. */
struct gatepost_request *gatepost_policy_next(struct gatepost_policy *policy);
/* Answers an open request, which must be done once for each that has an id, in any order, even when
 * it was cancelled. False: nothing was sent, the request stays open, and `error` says why: code
 * "bad_reply" (the verdict breaks a rule, or does not fit the hook or the operator's grants) or
 * "unknown_id". */
bool gatepost_policy_reply(struct gatepost_policy *policy, uint64_t id,
			   const struct gatepost_verdict *verdict, struct gatepost_error *error);
/* Asks for more time for an open request: its deadline becomes that many milliseconds from now, 1
 * to 3600000, if that is later, and as far as ready's extend_ms goes. False: `error`, code "usage"
 * or "unknown_id"; nothing was sent. */
bool gatepost_policy_progress(struct gatepost_policy *policy, uint64_t id, unsigned extend_ms,
			      struct gatepost_error *error);
/* From now on at most so many requests shall be open, but for those on their way; 0: none. The
 * gateway lowers it to its own limit. Without effect before ready and while draining. */
void gatepost_policy_window(struct gatepost_policy *policy, unsigned n);
/* True when the gateway does not wait for this open request any more. It is still owed a reply. */
bool gatepost_policy_is_cancelled(const struct gatepost_policy *policy, uint64_t id);
/* How many requests are open, taken or not. */
size_t gatepost_policy_open_len(const struct gatepost_policy *policy);
/* The octets to send next and their number; valid until the next call. */
size_t gatepost_policy_out(const struct gatepost_policy *policy, const char **data);
/* The first n of them have been sent. */
void gatepost_policy_sent(struct gatepost_policy *policy, size_t n);
/* Tells the gateway that this service goes away, before it does: no new requests will come but
 * those on their way. It is for a connection that is ready; without effect on others. */
void gatepost_policy_drain(struct gatepost_policy *policy);
/* True when the last request of a draining connection has been answered: send what is left, then
 * close. */
bool gatepost_policy_is_drained(const struct gatepost_policy *policy);
/* True from the gateway's ready on. */
bool gatepost_policy_is_ready(const struct gatepost_policy *policy);
/* What it said there; NULL before. Valid until the connection is freed. */
const struct gatepost_ready *gatepost_policy_ready(const struct gatepost_policy *policy);
/* Why feed() or feed_end() has failed; its code is "" when neither has. */
const struct gatepost_error *gatepost_policy_error(const struct gatepost_policy *policy);

#pragma GCC visibility pop

#endif
