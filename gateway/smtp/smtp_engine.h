/* smtp_engine: the inside of the engine, for the files of this folder only.
 *
 *      smtp.c            smtp_step(), and what the caller tells and asks
 *      smtp_greeting.c   connection, TLS, banner
 *      smtp_client.c     XCLIENT: the session becomes that of another client
 *      smtp_commands.c   the command table and the commands that are no part of a transaction
 *      smtp_login.c      AUTH
 *      smtp_envelope.c   MAIL and RCPT
 *      smtp_edit.c       a service's changes of sender and recipients
 *      smtp_message.c    DATA, the message, its delivery
 *      smtp_bdat.c       BDAT, the message in chunks
 *      smtp_delivery.c   what the delivery says
 *      smtp_reply.c      every octet that goes out */
#ifndef SMTP_SMTP_ENGINE_H
#define SMTP_SMTP_ENGINE_H

#include "smtp.h"
#include "smtp_auth.h"
#include "smtp_chunk.h"
#include "smtp_dot.h"
#include "smtp_line.h"
#include "smtp_received.h"
#include "smtp_result.h"
#include "smtp_transaction.h"

/* Who reads the next octet. */
enum smtp_phase {
	SMTP_PHASE_GREETING, /* nobody: the banner was not said */
	SMTP_PHASE_COMMAND,
	SMTP_PHASE_AUTH, /* the exchange behind AUTH */
	SMTP_PHASE_BODY,
	SMTP_PHASE_CHUNK,
	SMTP_PHASE_SKIP, /* nobody: a chunk that was refused */
	SMTP_PHASE_TLS,	 /* the handshake */
	SMTP_PHASE_GONE,
};

/* Whose answer is awaited. While it is, the phase reads nothing. */
enum smtp_wait {
	SMTP_WAIT_NOTHING,
	SMTP_WAIT_VERDICT,
	SMTP_WAIT_RECIPIENT,
	SMTP_WAIT_DELIVERY,
	SMTP_WAIT_CLIENT,
};

/* Why a command is refused; code 0: it is not. */
struct smtp_problem {
	int code;
	const char *status, *text;
};

struct smtp_helo {
	struct hook_helo facts; /* the name points behind it */
	char name[];
};

/* The message being received. */
struct smtp_message {
	struct smtp_dot dot;
	uint64_t chunk_size;
	bool by_chunks; /* the message has begun with BDAT and goes on */
	bool binary;	/* BODY=BINARYMIME: any octet may stand anywhere */
	struct smtp_received received;
	uint64_t size, size_max;
	struct octets body;	    /* the last piece, in `in` */
	size_t body_used;	    /* octets of `in` that are done with at the next step */
	struct smtp_result failure; /* it could not be stored */
};

struct smtp {
	const struct smtp_settings *settings;
	struct buf *in, *out; /* during a step */
	enum smtp_phase phase;

	/* the open question */
	enum smtp_wait wait;
	bool answered;
	enum hook hook;
	struct verdict *verdict;      /* the last one; a plain accept needs no memory of its own */
	struct smtp_result delivered; /* the delivery's, of a recipient or a message */

	/* facts of the connection */
	bool secure;
	bool secure_asked;
	bool greeted;
	bool refused;		/* by a service: QUIT is all that works */
	bool refused_later;	/* the verdict on the handshake is the reply to the next command */
	char *greeting;		/* what a service adds to the banner; NULL: nothing */
	struct smtp_helo *helo; /* as the client said it, or as XCLIENT says */
	bool helo_said;
	bool relay_allowed, xclient_allowed;
	struct smtp_xclient *xclient; /* NULL: XCLIENT was not said */
	bool ending;		      /* smtp_end() was called */
	enum disconnect_reason reason;
	unsigned commands, messages, errors;
	unsigned forgiven; /* errors before the last delivered message: they count no more */

	/* who has logged in, or tries to */
	struct smtp_auth auth;
	bool authenticated;
	struct smtp_line auth_line; /* the client's part of the exchange */
	bool auth_ending;	    /* one more line comes, then the refusal is said */
	bool auth_refused;	    /* what follows as a command may be a password */

	/* the command that is being worked on */
	struct smtp_line line;
	struct smtp_chunk chunk;
	struct smtp_problem chunk_problem; /* why it is skipped; code 0: the last verdict */
	struct smtp_helo *new_helo;
	struct smtp_mailbox *mailbox;
	struct smtp_mailbox *new_sender; /* MAIL: a service's, for that in `mailbox`; or NULL */

	struct smtp_transaction transaction;
	bool transaction_reported; /* the caller was told that one has begun */
	struct smtp_message message;

	/* the reply that answers it */
	struct smtp_reply reply;
	bool replied;
	char reply_status[SMTP_STATUS_MAX];
	char *reply_text;
	/* LMTP: the reply to a message, which is said again for each recipient */
	struct smtp_result repeated;
	unsigned repeats; /* that are still to be said */
};

/* Opens the question; the answer comes to the function that smtp.c has for the hook, at once when
 * the message is discarded already. */
enum smtp_step smtp_ask(struct smtp *s, enum hook hook);
bool smtp_awaits_verdict(const struct smtp *s);
/* The last verdict is neither an accept nor a discard, which the client takes for one. */
bool smtp_is_refused(const struct smtp *s);
/* What reads next, reads. */
enum smtp_step smtp_advance(struct smtp *s);
/* The transaction is over; its facts can be read until the next step. */
void smtp_end_transaction(struct smtp *s);
/* The text of the last verdict up to its first LF, in `line`; `otherwise` when it has none. */
const char *smtp_verdict_line(const struct smtp *s, char line[VERDICT_LINE_MAX + 1],
			      const char *otherwise);

/* smtp_greeting.c */
enum smtp_step smtp_greeting_begin(struct smtp *s);
enum smtp_step smtp_greeting_early_talk(struct smtp *s);
enum smtp_step smtp_greeting_on_connect(struct smtp *s);
enum smtp_step smtp_greeting_ask_secure(struct smtp *s);
enum smtp_step smtp_greeting_on_secure(struct smtp *s);
enum smtp_step smtp_greeting_starttls(struct smtp *s, struct octets argument);
enum smtp_step smtp_greeting_on_starttls(struct smtp *s);
enum smtp_step smtp_greeting_handshake(struct smtp *s);

/* smtp_client.c */
enum smtp_step smtp_client_xclient(struct smtp *s, struct octets argument);
enum smtp_step smtp_client_on_changed(struct smtp *s);

/* smtp_commands.c */
enum smtp_step smtp_commands_read(struct smtp *s);
/* For smtp_reply; NULL: none. */
const char *smtp_commands_violation(enum smtp_line_fault fault);
enum smtp_step smtp_commands_on_ehlo(struct smtp *s);

/* smtp_login.c */
/* EHLO lists AUTH. */
bool smtp_login_is_offered(const struct smtp *s);
enum smtp_step smtp_login_auth(struct smtp *s, struct octets argument);
/* Reads the client's part of the exchange. */
enum smtp_step smtp_login_read(struct smtp *s);
enum smtp_step smtp_login_on_auth(struct smtp *s);
/* Takes the credentials out of the command line. */
void smtp_login_mask_line(struct smtp *s);

/* smtp_envelope.c */
enum smtp_step smtp_envelope_mail(struct smtp *s, struct octets argument);
enum smtp_step smtp_envelope_on_mail(struct smtp *s);
enum smtp_step smtp_envelope_rcpt(struct smtp *s, struct octets argument);
enum smtp_step smtp_envelope_on_rcpt(struct smtp *s);
/* The recipient is accepted; code, status and text are of the reply when the service has none. */
enum smtp_step smtp_envelope_take_recipient(struct smtp *s, int code, const char *status,
					    const char *text);
/* The relay rule. */
bool smtp_envelope_may_receive(const struct smtp *s, const struct smtp_path *path);
/* The parameters of MAIL have SMTPUTF8. */
bool smtp_envelope_has_smtputf8(const struct hook_param *params, size_t len);
/* The argument of VRFY ends in SMTPUTF8, which is offered. */
bool smtp_envelope_says_smtputf8(const struct smtp *s, struct octets argument);
bool smtp_envelope_is_utf8(struct octets text);

/* smtp_message.c */
enum smtp_step smtp_message_data(struct smtp *s, struct octets argument);
enum smtp_step smtp_message_on_data(struct smtp *s);
void smtp_message_begin(struct smtp *s);
/* Counts message.body; true when it is to be stored. */
bool smtp_message_take_body(struct smtp *s);
/* The message cannot be accepted any more. */
bool smtp_message_is_doomed(const struct smtp *s);
/* Its end has come, or it is doomed and its sender can be told: asks the hook, or refuses. */
enum smtp_step smtp_message_finish(struct smtp *s);
enum smtp_step smtp_message_read(struct smtp *s);
enum smtp_step smtp_message_on_message(struct smtp *s);

/* smtp_delivery.c: open the question, and take the answer. */
enum smtp_step smtp_delivery_ask_recipient(struct smtp *s);
enum smtp_step smtp_delivery_on_recipient(struct smtp *s);
enum smtp_step smtp_delivery_ask(struct smtp *s);
enum smtp_step smtp_delivery_on_delivered(struct smtp *s);

/* smtp_bdat.c */
/* `problem`: why the command cannot run. */
enum smtp_step smtp_bdat_command(struct smtp *s, struct octets argument,
				 struct smtp_problem problem);
/* The last verdict refuses the command. */
enum smtp_step smtp_bdat_refuse(struct smtp *s, struct octets argument);
enum smtp_step smtp_bdat_on_data(struct smtp *s);
enum smtp_step smtp_bdat_read(struct smtp *s);
enum smtp_step smtp_bdat_skip(struct smtp *s);

#endif
