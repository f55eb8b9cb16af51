/* config_policies: the rules that hold between the settings of a policy and of the listeners that
 * ask it. */
#ifndef CONFIG_POLICIES_H
#define CONFIG_POLICIES_H

#include "config.h"
#include "config_schema.h"
#include "config_source.h"

/* Fills the actions and facts of each policy, and reports what does not fit together. The policies
 * of each listener must be places already. */
void config_policies_check(struct config_source *source, const struct raw_config *raw,
			   struct config *config);

#endif
