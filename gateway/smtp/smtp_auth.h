/* smtp_auth: decodes what a client says in an AUTH exchange (RFC 4954).
 *
 *      AUTH LOGIN             -> MORE   334 VXNlcm5hbWU6
 *      YWxpY2U=               -> MORE   334 UGFzc3dvcmQ6
 *      c2VjcmV0               -> DONE   user alice, password secret
 *
 * Whether the credentials are right is not known here. */
#ifndef SMTP_SMTP_AUTH_H
#define SMTP_SMTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"

/* For the EHLO reply, in the order of preference. */
#define SMTP_AUTH_MECHANISMS "PLAIN LOGIN XOAUTH2 OAUTHBEARER"
/* Octets of a line of the exchange with its CRLF: RFC 4954 section 4 holds that to be enough for
 * every mechanism that is in use. */
#define SMTP_AUTH_LINE_MAX 12288

struct smtp_auth_mechanism;

/* All zero: nobody has logged in. */
struct smtp_auth {
	const struct smtp_auth_mechanism *mechanism; /* NULL: no exchange has begun */
	struct hook_auth facts;			     /* after DONE; points into the memory below */
	char *user, *message;			     /* owned; decoded, NUL-terminated */
	size_t user_len, message_len;
	const char *challenge; /* after MORE: base64, what stands behind "334 " */
};

enum smtp_auth_result {
	SMTP_AUTH_MORE,	       /* say `challenge`, give the answer to smtp_auth_take() */
	SMTP_AUTH_DONE,	       /* `facts` are the credentials */
	SMTP_AUTH_CANCELLED,   /* the client has said "*" */
	SMTP_AUTH_BAD_BASE64,  /* RFC 4954: 501 5.5.2 */
	SMTP_AUTH_BAD_MESSAGE, /* base64, but not what the mechanism wants inside */
};

/* NULL: it is not known. */
const struct smtp_auth_mechanism *smtp_auth_find(struct octets name);
/* "PLAIN" */
const char *smtp_auth_name(const struct smtp_auth_mechanism *mechanism);
/* Begins an exchange; *a is all zero. `initial` is the initial response as sent, absent when there
 * was none; "=" is one of no octets. */
enum smtp_auth_result smtp_auth_begin(struct smtp_auth *a,
				      const struct smtp_auth_mechanism *mechanism,
				      struct octets initial);
/* A line of the client, without its CRLF. */
enum smtp_auth_result smtp_auth_take(struct smtp_auth *a, struct octets line);
/* What must be said to a client whose credentials are wrong, base64, before the reply that refuses;
 * one more line comes back then. NULL: nothing. */
const char *smtp_auth_failure(const struct smtp_auth *a);
/* Forgets all of the facts but the mechanism and the user, and wipes their memory. */
void smtp_auth_wipe(struct smtp_auth *a);
/* Somebody else has checked the credentials of `user`; *a is all zero. `mechanism` must stay. */
void smtp_auth_set(struct smtp_auth *a, const char *mechanism, const char *user);
/* Wipes and frees everything; *a is all zero then. */
void smtp_auth_fini(struct smtp_auth *a);

#endif
