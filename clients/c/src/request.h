/* request: a question as this library holds it. */
#ifndef GATEPOST_REQUEST_H
#define GATEPOST_REQUEST_H

#include <jansson.h>

#include <gatepost/policy.h>

#include "fields.h"

struct gatepost_request {
	struct gatepost_request *next; /* in the connection's queue */
	json_t *message;
	const json_t *args, *context;
	enum gatepost_hook hook;
	char *spool; /* NULL: none */
	struct gatepost_kept kept;
};

/* Takes over a message whose shape was checked and whose hook this version knows; copies the
 * spool's path (NULL: none). */
struct gatepost_request *gatepost_request_new(json_t *message, enum gatepost_hook hook,
					      const char *spool);

#endif
