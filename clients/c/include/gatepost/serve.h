/* serve: a policy service that listens on a Unix socket.
 *
 *      gatepost_policy_serve()      the whole of a service: returns after SIGTERM
 *      struct gatepost_server       the same, for a loop that has other things to wait for:
 *
 *              struct pollfd fds[] = {{.fd = gatepost_server_fd(server), .events = POLLIN}, ...};
 *              for (;;) { poll(fds, ...); if (!gatepost_server_step(server, 0)) break; ... }
 *
 * One thread at a time. Out of memory ends the process. */
#ifndef GATEPOST_SERVE_H
#define GATEPOST_SERVE_H

#include <gatepost/policy.h>

#pragma GCC visibility push(default)

/* Answers a request, which is valid during the call. What it returns at disconnect is ignored. A
 * verdict that breaks a rule, or is undecided, is logged and becomes gatepost_fault(). */
typedef struct gatepost_verdict gatepost_handler(struct gatepost_request *request, void *arg);

/* Serves every connection made to a Unix socket at `path`, one request after the other, until
 * SIGTERM or SIGINT (blocked meanwhile, and restored). Then the gateway is told, and what is on its
 * way is answered: see gatepost_server_drain(). The socket is made with mode 0660; a dead one is
 * replaced, a live one is an error. True after a signal; false: `error`. */
bool gatepost_policy_serve(const char *path, const struct gatepost_policy_options *options,
			   gatepost_handler *handler, void *arg, struct gatepost_error *error);

struct gatepost_server;

/* Listens. NULL: `error`. `options`, and all it points to, stays unchanged as long as the server.
 * SIGPIPE does not arise. */
struct gatepost_server *gatepost_server_new(const char *path,
					    const struct gatepost_policy_options *options,
					    gatepost_handler *handler, void *arg,
					    struct gatepost_error *error);
/* Removes the socket and closes all connections. Requests that were put off stay their owner's. */
void gatepost_server_free(struct gatepost_server **server);
/* Readable when there is something to do. For poll() and the like; do nothing else with it. */
int gatepost_server_fd(const struct gatepost_server *server);
/* Waits at most wait_ms (0: not at all; -1: without end), then does what there is to do, and calls
 * the handler. False: drained, free it. A gateway that does not finish its handshake within 5 s is
 * dropped. The handler may call the functions below, but neither step() nor free(). */
bool gatepost_server_step(struct gatepost_server *server, int wait_ms);
/* Stops: removes the socket, and tells each gateway, so that a successor that listens at the same
 * path takes over without one failed request. step() then goes on until what was on its way is
 * answered, for at most as long as a gateway waits for a reply, and at least 5 s. */
void gatepost_server_drain(struct gatepost_server *server);

/* --- a decision that takes its time --- */

/* Returned by a handler that does not know yet: from then on the request is the handler's, which
 * owes it to gatepost_server_reply(); other requests are answered meanwhile. Not at disconnect, and
 * not under gatepost_policy_serve(): there it counts as undecided. */
struct gatepost_verdict gatepost_later(void);
/* The decision about a request that was put off, which is freed. As with the handler's own, one
 * that breaks a rule is logged and becomes gatepost_fault(). False when its connection is gone, and
 * nobody was told. Sent by the next step(), for which gatepost_server_fd() is readable. */
bool gatepost_server_reply(struct gatepost_server *server, struct gatepost_request **request,
			   const struct gatepost_verdict *verdict);
/* False when the gateway does not wait any more for a request that was put off: any decision will
 * do, and is still owed. */
bool gatepost_server_is_awaited(const struct gatepost_server *server,
				const struct gatepost_request *request);
/* As gatepost_policy_progress(); "unknown_id" also when its connection is gone. */
bool gatepost_server_progress(struct gatepost_server *server,
			      const struct gatepost_request *request, unsigned extend_ms,
			      struct gatepost_error *error);
/* As gatepost_policy_window(), for each connection, and those to come once they are ready. */
void gatepost_server_window(struct gatepost_server *server, unsigned n);

#pragma GCC visibility pop

#endif
