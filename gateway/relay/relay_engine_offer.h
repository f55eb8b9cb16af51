/* relay_engine_offer: what the lines of a server's EHLO reply say.
 *
 *      "SIZE 1000" "LIMITS RCPTMAX=20" "XCLIENT NAME ADDR"  ->  struct relay_engine_offer */
#ifndef RELAY_RELAY_ENGINE_OFFER_H
#define RELAY_RELAY_ENGINE_OFFER_H

#include "protocol/hook.h"
#include "relay_engine.h"

/* Adds what one line lists, any but the first; *offer is all zero before. What is not known, or
 * wrong, adds nothing. */
void relay_offer_add(struct relay_engine_offer *offer, struct octets line);
/* After the last line: drops what has no meaning without another. */
void relay_offer_end(struct relay_engine_offer *offer);

#endif
