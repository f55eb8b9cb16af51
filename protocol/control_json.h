/* control_json: what is asked at the control socket. */
#ifndef PROTOCOL_CONTROL_JSON_H
#define PROTOCOL_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "handshake.h"

#define CONTROL_STATUS "{\"type\":\"status\"}\n" /* what `gatepost status` asks */

/* True for a request of the status, the only one there is. False: `error` says what is wrong, to be
 * sent with handshake_error() before closing. */
bool control_json_read(const char *line, size_t len, struct handshake_error *error);

#endif
