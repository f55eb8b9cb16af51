/* registration: the first line of a service. */
#ifndef GATEPOST_REGISTRATION_H
#define GATEPOST_REGISTRATION_H

#include <gatepost/policy.h>

#include "protocol/json_out.h"

#define GATEPOST_WINDOW_DEFAULT 64

/* Appends the register line; `window` is not 0. False when a gateway would refuse it: `error`. */
bool gatepost_registration_write(struct json_out *out,
				 const struct gatepost_policy_options *options,
				 struct gatepost_error *error);

#endif
