/* policy_service: one service: its connections, and the questions that wait for credit on one of
 * them.
 *
 *      ask --> waiting, one queue a hook --oldest first--> the idlest connection that has the hook
 *
 * A connection that its service drains is set aside until its last question is answered; a new one
 * to the same socket takes its place.
 *
 * A service that keeps failing is not asked for a while: see policy_breaker.h.
 *
 * Several sockets of a service may register different hooks. */
#ifndef POLICY_POLICY_SERVICE_H
#define POLICY_POLICY_SERVICE_H

#include <ev.h>
#include <stdbool.h>

#include "policy.h"
#include "policy_call.h"

struct policy_service;

struct policy_service_owner {
	/* From the loop: policy_service_is_present() has changed, or is still false 10 s after the
	 * start. */
	void (*on_presence)(void *arg, const struct policy_service *service);
	void *arg;
};

/* Starts dialling. The first callbacks come from the loop. `place` is its place in
 * settings->services. */
struct policy_service *policy_service_new(struct ev_loop *loop,
					  const struct policy_settings *settings, size_t place,
					  const struct policy_callbacks *callbacks,
					  const struct policy_service_owner *owner);
/* Calls must be withdrawn. */
void policy_service_free(struct policy_service **service);
const struct policy_service_settings *policy_service_settings(const struct policy_service *service);
/* False: it has no interest in this hook, the next one is asked. True: it must be asked, whether it
 * is there or not (see policy_ask()): one that delivers, for the message, also when it never
 * registered that. */
bool policy_service_is_asked(const struct policy_service *service, enum hook hook);
/* Starts the call; call->on_end follows from the loop. */
void policy_service_ask(struct policy_service *service, struct policy_call *call);
/* The same without waiting for credit: without it the call ends as OVERLOAD or UNAVAILABLE. */
void policy_service_try(struct policy_service *service, struct policy_call *call);
/* The call ended for good: the breaker learns how. */
void policy_service_note(struct policy_service *service, struct policy_call *call);
/* After the call ended as LOST: true when it is asked once more, and on_end follows again. False:
 * it was asked twice, or less than half of its time is left. */
bool policy_service_ask_again(struct policy_service *service, struct policy_call *call);
/* Nobody waits for this call any more: out of the queue, or the service is told `why`. A call that
 * is in neither is left alone. */
void policy_service_withdraw(struct policy_service *service, struct policy_call *call,
			     const char *why);
/* To one connection that registered the hook; lost when there is none. */
void policy_service_tell(struct policy_service *service, const struct hook_request *request,
			 const struct policy_memory *memory);
/* It has a live, registered connection. */
bool policy_service_is_ready(const struct policy_service *service);
/* It has had one within the last 10 s. */
bool policy_service_is_present(const struct policy_service *service);

#endif
