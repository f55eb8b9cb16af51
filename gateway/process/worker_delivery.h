/* worker_delivery: a delivery of the operator's as a worker's delivery room takes it. */
#ifndef PROCESS_WORKER_DELIVERY_H
#define PROCESS_WORKER_DELIVERY_H

#include <stddef.h>

#include "config/config.h"
#include "delivery/delivery.h"
#include "relay/relay.h"

struct worker_delivery {
	struct delivery_settings settings;
	struct relay_settings relay; /* of smtp and lmtp: settings.relay */
};

/* The delivery at this place. Borrows the configuration; *d must stay where it is. */
void worker_delivery_init(struct worker_delivery *d, const struct config *config, size_t place);

#endif
