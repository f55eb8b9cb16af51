/* relay_result: what a client is told: the backend's own answer, or why there is none. */
#ifndef RELAY_RELAY_RESULT_H
#define RELAY_RELAY_RESULT_H

#include <stddef.h>

#include "relay_transaction.h"

struct relay_engine_result;

/* The backend's, cut to its place. `backend` is its address and must outlive the result. */
void relay_result_of(struct relay_result *result, const struct relay_engine_result *from,
		     const char *backend);
/* 451 4.4.1, 451 4.3.2, 451 4.3.0 (twice), 451 4.4.2. */
void relay_result_down(struct relay_result *result);
void relay_result_busy(struct relay_result *result);
void relay_result_broken(struct relay_result *result, const char *backend);
void relay_result_fault(struct relay_result *result);
void relay_result_lost(struct relay_result *result, const char *backend);
/* One for all of LMTP's: a 2yz only when all are, then the first; when all have failed the first
 * 4yz, else the first; when some have, 451 4.3.0. */
void relay_result_join(struct relay_result *result, const struct relay_result *all, size_t len);

#endif
