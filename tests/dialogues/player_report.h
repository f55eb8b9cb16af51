/* player_report: what smtp_last_reply() says of the replies. */
#ifndef PLAYER_REPORT_H
#define PLAYER_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/smtp.h"

/* Whether the report is of the reply that was written, whose lines stand in `lines`, each with an
 * LF. Else *wrong is the one that is not as reported. */
bool player_report_is_of(const struct buf *lines, const struct smtp_reply *reply,
			 struct octets *wrong);
/* Appends all of the report, as a line. */
void player_report_add(struct buf *reports, const struct smtp_reply *reply);

#endif
