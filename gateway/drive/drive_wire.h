/* drive_wire: one connection to a policy service, with the gateway's part played by us.
 *
 *      open:   hello ->, <- register, ready ->
 *      after:  lines are sent and replies are read, each wait with a limit
 *
 * Blocking; while it sends it also reads, so that a service which does not read on before its
 * reply was taken cannot stop both. Functions that return int say DRIVE_GO_ON or the exit code of
 * the program, and have said on standard error what was wrong. */
#ifndef DRIVE_WIRE_H
#define DRIVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive_spool.h"
#include "protocol/handshake.h"
#include "protocol/json_out.h"
#include "protocol/jsonl.h"

#define DRIVE_GO_ON (-1)

#define DRIVE_EXTEND_MAX 60.0 /* seconds that progress adds to the timeout at most */
#define DRIVE_GRANTS	 (1u << HANDSHAKE_GRANT_BYPASS) /* of an operator who trusts the service */

enum drive_input {
	DRIVE_LINE,
	DRIVE_CLOSED,	/* by the service */
	DRIVE_SILENT,	/* nothing came in time */
	DRIVE_TOO_LONG, /* the line has more than JSONL_LINE_MAX octets */
};

struct drive_wire {
	const char *program; /* for messages */
	const char *path;
	double timeout; /* seconds to wait for anything from the service */
	struct drive_spool spool;
	int fd; /* -1: not connected */
	struct jsonl in;
	struct json_out early;	       /* octets that came while we sent */
	struct handshake_register reg; /* its window is that of the last `window` */
};

/* The strings are borrowed. */
void drive_wire_init(struct drive_wire *wire, const char *program, const char *path,
		     double timeout);
/* Closes, and removes the spool. */
void drive_wire_fini(struct drive_wire *wire);
/* Connects and shakes hands; wire->reg then says what the service has registered. */
int drive_wire_open(struct drive_wire *wire);
void drive_wire_close(struct drive_wire *wire);
/* False when the service has closed. */
bool drive_wire_send(struct drive_wire *wire, const char *data, size_t len);
/* Nothing more will be sent: the service sees the end of its input. */
void drive_wire_shutdown(struct drive_wire *wire);
/* The next line, valid until the next call, or why there is none. */
enum drive_input drive_wire_read(struct drive_wire *wire, double timeout, char **line, size_t *len);
/* The hook itself when the service has registered it; for HOOK_MAX the first that is asked and has
 * been registered. HOOK_MAX when there is none. */
enum hook drive_wire_hook(const struct drive_wire *wire, enum hook wanted);
/* Says "PROGRAM: ..." on standard error and returns `code`. */
__attribute__((format(printf, 3, 4))) int drive_wire_complain(const struct drive_wire *wire,
							      int code, const char *format, ...);
/* The same for a rule of PROTOCOL.md that the service breaks: EX_PROTOCOL. */
__attribute__((format(printf, 2, 3))) int drive_wire_breach(const struct drive_wire *wire,
							    const char *format, ...);
/* Seconds of a clock that never jumps. */
double drive_wire_now(void);

#endif
