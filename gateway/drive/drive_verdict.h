/* drive_verdict: the reply to a request beside what a script expects of it. */
#ifndef DRIVE_VERDICT_H
#define DRIVE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "drive_script.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

/* Writes `expect` as a reader wants it: reject 550 5.7.1 "text" (reason) until session. */
void drive_expect_show(const struct drive_expect *expect, char *out, size_t size);
/* The same of a verdict, as the gateway would use it at this hook: its defaults are filled in.
 * HOOK_MAX: the hook is not known. */
void drive_verdict_show(const struct verdict *verdict, enum hook hook, char *out, size_t size);
bool drive_verdict_meets(const struct verdict *verdict, enum hook hook,
			 const struct drive_expect *expect);

#endif
