/* smtp_params: reads the esmtp-params behind a path (RFC 5321 4.1.2).
 *
 *      " SIZE=1000 BODY=8BITMIME SMTPUTF8"  ->  SIZE 1000, BODY 8BITMIME, SMTPUTF8 (no value)
 *
 * What a parameter means is not known here, nor whether octets above 127 in a value are UTF-8. */
#ifndef SMTP_SMTP_PARAMS_H
#define SMTP_SMTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/hook.h"

#define SMTP_PARAMS_MAX 16 /* more than all that are registered for one command */

struct smtp_params {
	struct hook_param list[SMTP_PARAMS_MAX]; /* within `data` */
	size_t len;
};

enum smtp_params_result { SMTP_PARAMS_GOOD, SMTP_PARAMS_BAD, SMTP_PARAMS_DUPLICATE };

/* Reads all `len` octets: nothing, or parameters each with blanks before it. SMTP_PARAMS_BAD also
 * when they are more than SMTP_PARAMS_MAX. *params is only to be used after SMTP_PARAMS_GOOD. */
enum smtp_params_result smtp_params_parse(const char *data, size_t len, struct smtp_params *params);
/* The value of SIZE (RFC 1870: 1 to 20 digits); beyond 64 bits it is UINT64_MAX. False: not a
 * number. */
bool smtp_params_size(struct octets value, uint64_t *size);

#endif
