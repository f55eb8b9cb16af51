/* server: what gatepost_policy_serve() needs besides serve.h. */
#ifndef GATEPOST_SERVER_H
#define GATEPOST_SERVER_H

#include <gatepost/serve.h>

/* gatepost_later() counts as undecided: nobody is there to decide later. */
void gatepost_server_forbid_later(struct gatepost_server *server);
/* It drains as soon as the descriptor is readable: a step waits for that too. */
void gatepost_server_drain_on(struct gatepost_server *server, int fd);

#endif
