/* policy_connection: the questions open on one line to a service.
 *
 *      ids:  17 -> call, 18 -> call, 19 -> nobody, 20 -> call        at most `window`
 *
 * A question that was cancelled or is too late keeps its place, with nobody waiting, until its
 * reply comes: the service still has the work, and does not get more than its window of it. The
 * service may move its window at any time; what is open beyond it stays open. */
#ifndef POLICY_POLICY_CONNECTION_H
#define POLICY_POLICY_CONNECTION_H

#include <stdbool.h>

#include "policy_call.h"
#include "policy_dial.h"

struct policy_connection;

struct policy_connection_owner {
	/* A place or room for writing was freed, or the line is up or down. */
	void (*on_change)(void *arg);
	/* The service has registered. */
	void (*on_ready)(void *arg);
	/* The service goes away. The connection is not ready any more, and goes on with the
	 * questions it has: see policy_connection_replace(). */
	void (*on_drain)(void *arg, struct policy_connection *connection);
	void *arg;
};

/* Everything is borrowed and must stay unchanged. */
struct policy_connection *policy_connection_new(struct ev_loop *loop,
						const struct policy_settings *settings,
						const struct policy_service_settings *service,
						const char *socket,
						const struct policy_callbacks *callbacks,
						const struct policy_connection_owner *owner);
/* A new connection to the socket of one that is drained, which remains the caller's. */
struct policy_connection *policy_connection_replace(const struct policy_connection *drained);
/* It was drained and has ended: it can be freed, though not inside its callbacks. */
bool policy_connection_is_over(const struct policy_connection *connection);
/* Calls must be withdrawn. */
void policy_connection_free(struct policy_connection **connection);
bool policy_connection_is_ready(const struct policy_connection *connection);
/* Its service has registered once, since the start. */
bool policy_connection_was_seen(const struct policy_connection *connection);
/* Hooks of the last registration that the operator allows, also while it is down; 0 before the
 * first. */
unsigned policy_connection_hooks(const struct policy_connection *connection);
/* Ready, with a place in the window and room for writing. */
bool policy_connection_has_credit(const struct policy_connection *connection);
/* True when a is less loaded than b. */
bool policy_connection_is_idler(const struct policy_connection *a,
				const struct policy_connection *b);
/* Sends the question. Needs credit. OVERLOAD: the line does not fit, there is no credit any more.
 * Another failure: it cannot be written, or the message cannot be made a file. */
enum failure policy_connection_ask(struct policy_connection *connection, struct policy_call *call);
/* Nobody waits for this call any more: the service is told `why`. */
void policy_connection_withdraw(struct policy_connection *connection, struct policy_call *call,
				const char *why);
/* Sends a notification to the service at `place`; it is lost when it does not fit. */
void policy_connection_tell(struct policy_connection *connection, size_t place,
			    const struct hook_request *request, const struct policy_memory *memory);

#endif
