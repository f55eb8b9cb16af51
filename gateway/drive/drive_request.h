/* drive_request: makes a whole request of the few words that a script says.
 *
 *      {"hook":"rcpt","args":{"address":"bob@example.com"}}
 *          -> the gateway's own encoder, with an invented session
 *          -> merged with what the script says (RFC 7396: null takes a field away)
 *          -> "hook":"rcpt","session":...,"args":{...},"context":{...}}
 *
 * The beginning of the line is missing, because each sending has an id and a key of its own. */
#ifndef DRIVE_REQUEST_H
#define DRIVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ident.h"
#include "drive_spool.h"
#include "protocol/handshake.h"
#include "protocol/hook.h"
#include "protocol/json_out.h"
#include "protocol/verdict.h"

/* Where a script stands. */
struct drive_setting {
	char session[IDENT_SIZE];
	char transaction[IDENT_SIZE];
	long deadline_ms;
	const struct handshake_register *reg; /* NULL before the service has registered: no body */
	const struct drive_spool *spool;
	char *keep_session, *keep_transaction; /* owned: what the service has kept; NULL: nothing */
};

struct json_t;

void drive_setting_init(struct drive_setting *setting, double timeout);
void drive_setting_fini(struct drive_setting *setting);
/* Takes what the verdict keeps out of it, for the requests that are made after this. */
void drive_setting_keep(struct drive_setting *setting, struct verdict *verdict);
/* The end of a request line without its LF, to be freed; NULL: `problem` says why. `step` has been
 * checked; NULL is one that says nothing. connect begins a new session, mail a new transaction. */
char *drive_request_make(struct drive_setting *setting, enum hook hook, const struct json_t *step,
			 char *problem, size_t size);
/* Appends the whole line. id 0: a notification (disconnect). */
void drive_request_write(struct json_out *out, const struct drive_setting *setting, const char *end,
			 uint64_t id);

#endif
