/* config_deliveries: what a delivery's settings mean together, and with the listeners and the
 * policy that use it. */
#ifndef CONFIG_DELIVERIES_H
#define CONFIG_DELIVERIES_H

#include "config.h"
#include "config_schema.h"
#include "config_source.h"

/* Sets each delivery's kind and each policy's `delivers`. To be called when the listeners and the
 * policies have been checked; a name that leads nowhere has been reported by then. */
void config_deliveries_check(struct config_source *source, const struct raw_config *raw,
			     struct config *config);

#endif
