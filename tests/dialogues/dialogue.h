/* dialogue: a *.smtp file as a list of items, in the order they must happen. See README.md for the
 * format.
 *
 * Consecutive C: and R: lines are one DIALOGUE_SEND (one batch), consecutive D: lines one
 * DIALOGUE_STORED; a V: line belongs to the DIALOGUE_HOOK before it. E: lines are left out: they
 * need a running gateway. */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/verdict.h"
#include "smtp/smtp.h"

enum dialogue_kind {
	DIALOGUE_SEND,	   /* C: R:  octets */
	DIALOGUE_REPLY,	   /* S:     octets, without CRLF; '*' stands for an id */
	DIALOGUE_HOOK,	   /* H: V:  hook, fields, verdict */
	DIALOGUE_ENVELOPE, /* M:     fields */
	DIALOGUE_STORED,   /* D:     octets */
	DIALOGUE_ANSWER,   /* A:     code, status, text (in octets, with a NUL) */
	DIALOGUE_TLS,	   /* T: */
	DIALOGUE_CLIENT,   /* N:     fields */
	DIALOGUE_CLOSED,   /* X:     reason */
};

#define DIALOGUE_FIELDS_MAX 16
#define DIALOGUE_OCTETS_MAX                                                                        \
	(64u * 1024 * 1024) /* of one batch; a slip in \*N{} must not eat the machine */

struct dialogue_field {
	char *name;
	struct buf value;
};

struct dialogue_item {
	enum dialogue_kind kind;
	unsigned line; /* of the file, from 1 */
	struct buf octets;
	enum hook hook;
	struct dialogue_field fields[DIALOGUE_FIELDS_MAX];
	size_t fields_len;
	struct verdict verdict;
	int code;
	char status[VERDICT_STATUS_MAX];
	enum disconnect_reason reason;
};

struct dialogue {
	const char *path;
	struct smtp_settings settings;
	struct smtp_offer offer; /* settings.offer points at it */
	char **domains;		 /* settings.accept_domains points at them */
	unsigned hooks;		 /* 1u << HOOK_x: those a service is asked at */
	bool relay, xclient, banner_wait;
	struct dialogue_item *items;
	size_t items_len;
};

/* Ends the program with a line on standard error when the file cannot be read or breaks the format:
 * a dialogue that is not understood must not pass. */
struct dialogue *dialogue_read(const char *path);
void dialogue_free(struct dialogue **dialogue);
/* "S:" */
const char *dialogue_mark(enum dialogue_kind kind);

#endif
