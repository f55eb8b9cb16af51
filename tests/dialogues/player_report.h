/* player_report: what smtp_last_reply() says of the replies. */
#ifndef PLAYER_REPORT_H
#define PLAYER_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/smtp.h"

/* Whether a line of a reply is "CODE-" or "CODE " with `status` behind it; *text is what follows.
 */
bool player_report_fits(const char *line, size_t len, const struct smtp_reply *reply, bool last,
			const char **text);
/* Appends all of the report, as a line. */
void player_report_add(struct buf *reports, const struct smtp_reply *reply);

#endif
