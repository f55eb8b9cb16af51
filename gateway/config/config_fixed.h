/* config_fixed: the settings that belong to the processes which outlive a reload, the master and
 * the hub. They are compared as texts, so that a new kind of value needs nothing here. */
#ifndef CONFIG_FIXED_H
#define CONFIG_FIXED_H

#include "config.h"
#include "config_schema.h"

/* Fills in config->fixed. */
void config_fixed_read(const struct raw_config *raw, struct config *config);
void config_fixed_free(struct config *config);

#endif
