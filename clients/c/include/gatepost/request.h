/* request: one question of the gateway, read. */
#ifndef GATEPOST_REQUEST_H
#define GATEPOST_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gatepost/error.h>

#pragma GCC visibility push(default)

struct json_t; /* jansson's */

enum gatepost_hook {
	GATEPOST_HOOK_CONNECT,
	GATEPOST_HOOK_EHLO,
	GATEPOST_HOOK_STARTTLS,
	GATEPOST_HOOK_SECURE,
	GATEPOST_HOOK_AUTH,
	GATEPOST_HOOK_MAIL,
	GATEPOST_HOOK_RCPT,
	GATEPOST_HOOK_DATA,
	GATEPOST_HOOK_MESSAGE,
	GATEPOST_HOOK_DISCONNECT, /* told, never asked */
	GATEPOST_HOOK_MAX
};

/* How the message comes along at the message hook. */
enum gatepost_body {
	GATEPOST_BODY_NONE,
	GATEPOST_BODY_HEADERS, /* the header section */
	GATEPOST_BODY_INLINE,  /* the whole message, when it is small */
	GATEPOST_BODY_PATH,    /* the whole message, as a file below the spool directory */
	GATEPOST_BODY_FD,      /* the whole message, as a descriptor that comes along */
	GATEPOST_BODY_MAX
};

/* One question of the gateway, or the notification of a disconnect. Whatever is got from it is
 * valid until it is freed. It may outlive its connection. */
struct gatepost_request;

void gatepost_request_free(struct gatepost_request **request);
enum gatepost_hook gatepost_request_hook(const struct gatepost_request *request);
/* The word of the protocol, such as "rcpt"; NULL for GATEPOST_HOOK_MAX and beyond. */
const char *gatepost_hook_word(enum gatepost_hook hook);
/* For the reply; on this connection only. 0: a notification, which must not be answered (no request
 * has the id 0). */
uint64_t gatepost_request_id(const struct gatepost_request *request);
/* The same question has the same key. NULL with a notification. */
const char *gatepost_request_key(const struct gatepost_request *request);
/* 1; 2 when the same question, with the same key, was on a connection that was lost; 0 with a
 * notification. */
unsigned gatepost_request_attempt(const struct gatepost_request *request);
/* Ids of 20 characters: of the SMTP connection, and of the mail transaction (NULL outside one). */
const char *gatepost_request_session(const struct gatepost_request *request);
const char *gatepost_request_transaction(const struct gatepost_request *request);
/* Milliseconds that were left when the gateway wrote the request; -1 with a notification. */
int64_t gatepost_request_deadline_ms(const struct gatepost_request *request);
/* The whole message as received, for what has no function here. Do not change it. */
const struct json_t *gatepost_request_message(const struct gatepost_request *request);

/* Zeroed memory that lives as long as the request: for what a verdict points to. */
void *gatepost_request_alloc(struct gatepost_request *request, size_t size);
/* A text of the same kind, as printf() makes it. */
__attribute__((format(printf, 2, 3))) const char *
gatepost_request_format(struct gatepost_request *request, const char *format, ...);

/* A field by its name. Without a dot it is one of the hook's arguments: "address", "verb". With
 * dots it is a fact of the context: "client.ip", "helo.name", "mail.address", "tls.sni",
 * "recipients.0.address"; or something that this service has kept: "keep.session.seen".
 * PROTOCOL.md has all of them. */

/* A string; NULL when there is none of that name. Octets that are not UTF-8 show as U+FFFD. */
const char *gatepost_request_text(const struct gatepost_request *request, const char *name);
/* The exact octets that the client sent, NUL-terminated, with their number; NULL when there is no
 * such string. */
const char *gatepost_request_octets(struct gatepost_request *request, const char *name,
				    size_t *len);
/* False, and *value unchanged, when there is no such integer or boolean. */
bool gatepost_request_integer(const struct gatepost_request *request, const char *name,
			      int64_t *value);
bool gatepost_request_boolean(const struct gatepost_request *request, const char *name,
			      bool *value);
/* At mail the sender, at rcpt the recipient: "local@domain" with A-Z made lower case and quoting
 * removed, for comparisons; "" for the null sender. NULL at other hooks. */
const char *gatepost_request_mailbox(struct gatepost_request *request);
/* The sender of the transaction in the same form; NULL when there is none yet. */
const char *gatepost_request_sender(struct gatepost_request *request);
/* The accepted recipients, at data and message: how many, and each in the same form (NULL beyond
 * the last). */
size_t gatepost_request_recipients_len(const struct gatepost_request *request);
const char *gatepost_request_recipient(struct gatepost_request *request, size_t i);
/* A parameter of MAIL or RCPT by its name in any case. `mailbox` is NULL for the arguments of the
 * hook, or "mail" or "recipients.0". False when there is none. *value gets the exact octets,
 * NUL-terminated, and NULL when there was no "=". */
bool gatepost_request_param(struct gatepost_request *request, const char *mailbox, const char *name,
			    const char **value, size_t *len);

/* Whether a service before this one has given the message, or the session, this label. */
bool gatepost_request_has_label(const struct gatepost_request *request, const char *label);
/* What this service has kept, in any process, as one line of JSON in ASCII; NULL: nothing. */
const char *gatepost_request_keep_session(struct gatepost_request *request);
const char *gatepost_request_keep_transaction(struct gatepost_request *request);

/* --- the content of a message --- */

/* GATEPOST_BODY_NONE outside the message hook. */
enum gatepost_body gatepost_request_body(const struct gatepost_request *request);
/* The full length of a header section that was cut; 0 when it is whole. */
uint64_t gatepost_request_headers_trunc(const struct gatepost_request *request);
/* The exact octets, NUL-terminated: the header section, or the whole message inline, or from its
 * file, which is read at once. NULL: `error` (code "content") says why, or its code is "" and the
 * mode is none. To be had before the reply. */
const char *gatepost_request_content(struct gatepost_request *request, size_t *len,
				     struct gatepost_error *error);
/* Modes path and fd: the file, opened for reading (close-on-exec), yours to close; it stays
 * readable after the reply. -1: `error`. Path: nothing outside the spool is opened, and no symbolic
 * link is followed. Fd: a copy of the request's own, which is closed with the request; copies share
 * one offset, which is 0 at first and which gatepost_request_content() does not move. */
int gatepost_request_open(const struct gatepost_request *request, struct gatepost_error *error);

#pragma GCC visibility pop

#endif
