/* drive_reply: what a service says after the handshake. Functions return DRIVE_GO_ON or the exit
 * code of the program, as those of drive_wire.h do. */
#ifndef DRIVE_REPLY_H
#define DRIVE_REPLY_H

#include "drive_wire.h"
#include "protocol/hook.h"
#include "protocol/verdict_json.h"

/* Waits for the next reply, longer where the service sends progress. Its verdict is the caller's to
 * free with verdict_fini(). Lines of an unknown type are passed over, as the gateway does. */
int drive_reply_wait(struct drive_wire *wire, struct verdict_message *reply);
/* Listens until the service closes, for a while: no reply may come. */
int drive_reply_none(struct drive_wire *wire, double timeout);
/* Waits while the window is 0. No request may be open. */
int drive_reply_resume(struct drive_wire *wire);
/* Whether the hook allows the verdict of the reply. */
int drive_reply_fits(const struct drive_wire *wire, const struct verdict_message *reply,
		     enum hook hook);

#endif
