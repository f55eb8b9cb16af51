/* listen: the Unix socket of a service. */
#ifndef GATEPOST_LISTEN_H
#define GATEPOST_LISTEN_H

#include <gatepost/error.h>

/* A listening, non-blocking descriptor; a socket that nobody serves any more is replaced. -1:
 * `error`. */
int gatepost_listen(const char *path, struct gatepost_error *error);

#endif
