/* worker_listener: a listener of the operator's as a worker's sessions take it. */
#ifndef PROCESS_WORKER_LISTENER_H
#define PROCESS_WORKER_LISTENER_H

#include <stddef.h>

#include "config/config.h"
#include "session/session.h"

struct delivery;
struct session_host;
struct tls_context;

/* The listener at this place. Borrows everything: the configuration, the host (whose resolver is
 * looked at now), the contexts by enum tls_client_certificates, the deliveries by their place. */
void worker_listener_init(struct session_listener *l, const struct config *config, size_t place,
			  struct session_host *host, struct tls_context *const *contexts,
			  struct delivery *const *deliveries);

#endif
