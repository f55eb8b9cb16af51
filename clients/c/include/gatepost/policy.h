/* policy: a service that decides what gatepost answers.
 *
 *      socket -> gatepost_policy_feed()            gatepost_policy_out() -> socket
 *                      |                                    ^
 *              gatepost_policy_next() -> request      gatepost_policy_reply()
 *
 * A struct gatepost_policy is one connection of a gateway. It has no socket, clock or loop: use
 * yours, or gatepost_policy_serve(). Out of memory ends the process. Objects may be used by one
 * thread at a time; different objects share nothing. Feed what comes without delay, also while
 * requests are worked on: a ping of the gateway is answered within, and one that is not answered in
 * time costs the connection. */
#ifndef GATEPOST_POLICY_H
#define GATEPOST_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gatepost/error.h>

struct json_t; /* jansson's */

#pragma GCC visibility push(default)

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
	GATEPOST_BODY_PATH,    /* the whole message, as a file */
	GATEPOST_BODY_MAX
};

/* --- verdicts --- */

enum gatepost_decision {
	GATEPOST_UNDECIDED, /* what a zeroed verdict is: never sent, never acceptance */
	GATEPOST_ACCEPT,
	GATEPOST_TEMPFAIL,
	GATEPOST_REJECT,
	GATEPOST_DISCONNECT
};

/* All strings are borrowed until the verdict is sent. Rules are checked there, by
 * gatepost_policy_reply(). */
struct gatepost_verdict {
	enum gatepost_decision decision;
	int code;	    /* of the SMTP reply; 0: the hook's default */
	const char *status; /* such as "5.7.1"; NULL: the default */
	const char *text;   /* 1 to 10 lines of 1 to 480 printable ASCII octets, LF between them;
			       NULL: the default */
	const char *reason; /* 1 to 64 of a-z 0-9 _ . - for events; NULL: none */
};

/* No objection: the next service is asked, and the command succeeds if none objects. */
struct gatepost_verdict gatepost_accept(void);
/* A temporary refusal. text, code (400 to 499, or 0) and status ("4.x.y") as in the struct. */
struct gatepost_verdict gatepost_tempfail(const char *text, int code, const char *status);
/* A refusal for good: code 500 to 599, or 0; status "5.x.y". */
struct gatepost_verdict gatepost_reject(const char *text, int code, const char *status);
/* A refusal that closes the connection: code 400 to 599, or 0. */
struct gatepost_verdict gatepost_disconnect(const char *text, int code, const char *status);
/* The answer to a question that could not be worked on: tempfail 451 4.3.0, a neutral text. */
struct gatepost_verdict gatepost_fault(void);
/* True when the verdict keeps every rule of the protocol; else `error` (code "bad_reply") says
 * which is broken. */
bool gatepost_verdict_check(const struct gatepost_verdict *verdict, struct gatepost_error *error);

/* --- requests --- */

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

/* A field by its name. Without a dot it is one of the hook's arguments: "address", "verb". With
 * dots it is a fact of the context: "client.ip", "helo.name", "mail.address", "tls.sni",
 * "recipients.0.address". PROTOCOL.md has all of them. */

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

/* --- the content of a message --- */

/* GATEPOST_BODY_NONE outside the message hook. */
enum gatepost_body gatepost_request_body(const struct gatepost_request *request);
/* The full length of a header section that was cut; 0 when it is whole. */
uint64_t gatepost_request_headers_trunc(const struct gatepost_request *request);
/* The exact octets, NUL-terminated: the header section, or the whole message inline or from its
 * file, which is read at once. NULL: `error` (code "content") says why, or its code is "" and the
 * mode is none. To be had before the reply. */
const char *gatepost_request_content(struct gatepost_request *request, size_t *len,
				     struct gatepost_error *error);
/* Mode path: the file, opened for reading (close-on-exec), yours to close; it stays readable after
 * the reply. Nothing outside the spool is opened, and no symbolic link is followed. -1: `error`. */
int gatepost_request_open(const struct gatepost_request *request, struct gatepost_error *error);

/* --- one connection --- */

struct gatepost_policy_options {
	const char *service;	 /* how it calls itself in logs; required */
	const char *software;	 /* name and version of the program; NULL: this library's */
	unsigned hooks;		 /* 1u << GATEPOST_HOOK_x for each hook to be asked at */
	const char *const *need; /* facts, NULL after the last, for each of these hooks: the gateway
				    refuses the service when it can never tell one; NULL: none */
	const char *const *want; /* the same, but not refused */
	enum gatepost_body body[GATEPOST_BODY_MAX]; /* in order of preference, body_len of them */
	size_t body_len;			    /* 0: none */
	unsigned window;   /* requests that may be open; 0: 64. The gateway may lower it */
	gatepost_log *log; /* NULL: nothing is told */
	void *log_arg;
};

struct gatepost_policy;

/* A connection that has just been accepted. Everything in `options` is copied. NULL: they break a
 * rule, and `error` says which. */
struct gatepost_policy *gatepost_policy_new(const struct gatepost_policy_options *options,
					    struct gatepost_error *error);
/* Requests that were taken stay their owner's. */
void gatepost_policy_free(struct gatepost_policy **policy);
/* Takes octets that came, cut anywhere. False: the connection is over (gatepost_policy_error());
 * what was complete before can still be taken. */
bool gatepost_policy_feed(struct gatepost_policy *policy, const char *data, size_t len);
/* The gateway has closed. False when a line was cut. */
bool gatepost_policy_feed_end(struct gatepost_policy *policy);
/* The next request, which the caller frees; NULL when there is none now. */
struct gatepost_request *gatepost_policy_next(struct gatepost_policy *policy);
/* Answers an open request, which must be done once for each that has an id, in any order, even when
 * it was cancelled. False: nothing was sent, the request stays open, and `error` says why: code
 * "bad_reply" (the verdict breaks a rule) or "unknown_id". */
bool gatepost_policy_reply(struct gatepost_policy *policy, uint64_t id,
			   const struct gatepost_verdict *verdict, struct gatepost_error *error);
/* True when the gateway does not wait for this open request any more. It is still owed a reply. */
bool gatepost_policy_is_cancelled(const struct gatepost_policy *policy, uint64_t id);
/* How many requests are open, taken or not. */
size_t gatepost_policy_open_len(const struct gatepost_policy *policy);
/* The octets to send next and their number; valid until the next call. */
size_t gatepost_policy_out(const struct gatepost_policy *policy, const char **data);
/* The first n of them have been sent. */
void gatepost_policy_sent(struct gatepost_policy *policy, size_t n);
/* Tells the gateway that this service goes away, before it does: no new requests will come but
 * those on their way. It is for a connection that is ready; without effect on others. */
void gatepost_policy_drain(struct gatepost_policy *policy);
/* True when the last request of a draining connection has been answered: send what is left, then
 * close. */
bool gatepost_policy_is_drained(const struct gatepost_policy *policy);
/* True from the gateway's ready on. */
bool gatepost_policy_is_ready(const struct gatepost_policy *policy);
/* Why feed() or feed_end() has failed; its code is "" when neither has. */
const struct gatepost_error *gatepost_policy_error(const struct gatepost_policy *policy);

/* --- a small server --- */

/* Answers a request, which is valid during the call. What it returns at disconnect is ignored. A
 * verdict that breaks a rule, or is undecided, is logged and becomes gatepost_fault(). */
typedef struct gatepost_verdict gatepost_handler(struct gatepost_request *request, void *arg);

/* Serves every connection made to a Unix socket at `path`, one request at a time, until SIGTERM or
 * SIGINT (blocked meanwhile, and restored). Then the path is removed, the gateway is told, and what
 * is on its way is answered, for at most 5 s. The socket is made with mode 0660; a dead one is
 * replaced, a live one is an error. True after a signal; false: `error`. */
bool gatepost_policy_serve(const char *path, const struct gatepost_policy_options *options,
			   gatepost_handler *handler, void *arg, struct gatepost_error *error);

#pragma GCC visibility pop

#endif
