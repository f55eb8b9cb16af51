/* server: what gatepost_policy_serve() needs besides serve.h. */
#ifndef GATEPOST_SERVER_H
#define GATEPOST_SERVER_H

#include <gatepost/serve.h>

/* gatepost_later() counts as undecided: nobody is there to decide later. */
void gatepost_server_forbid_later(struct gatepost_server *server);

#endif
