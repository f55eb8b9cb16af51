/* request_state: a question as this library holds it. */
#ifndef GATEPOST_REQUEST_STATE_H
#define GATEPOST_REQUEST_STATE_H

#include <jansson.h>

#include <gatepost/policy.h>

#include "fields.h"

struct gatepost_request {
	struct gatepost_request *next; /* in the connection's queue */
	json_t *message;
	const json_t *args, *context;
	enum gatepost_hook hook;
	char *spool;	     /* NULL: none */
	int fd;		     /* -1: none */
	uint64_t connection; /* of a server, see server.c */
	struct gatepost_kept kept;
};

/* Takes over a message whose shape was checked and whose hook this version knows; copies the
 * spool's path (NULL: none), and takes over fd (-1: none). */
struct gatepost_request *gatepost_request_new(json_t *message, enum gatepost_hook hook,
					      const char *spool, int fd);
/* The mode of a message that is not checked yet. */
enum gatepost_body gatepost_request_body_of(const json_t *message);

#endif
