/* relay_engine_state: the engine's inside, for its own files.
 *
 *      first -> [ask, written] -> [ask, written] -> [ask] -> [ask] -> NULL
 *                ^ the next reply is for this one    ^ to be written
 *
 * Commands form a queue; each reply is for the first. With PIPELINING all are written at once, else
 * one after the other. */
#ifndef RELAY_RELAY_ENGINE_STATE_H
#define RELAY_RELAY_ENGINE_STATE_H

#include "relay_engine.h"
#include "relay_engine_reply.h"

/* Octets of a command with its CRLF, but AUTH: what the server side of this program takes, and the
 * room that XCLIENT may need. */
#define RELAY_COMMAND_MAX 4096

enum relay_verb {
	RELAY_BANNER, /* a reply that no command asks for */
	RELAY_EHLO,
	RELAY_HELO,
	RELAY_STARTTLS,
	RELAY_XCLIENT,
	RELAY_AUTH,
	RELAY_MAIL,
	RELAY_RCPT,
	RELAY_DATA,
	RELAY_BDAT,
	RELAY_MESSAGE, /* the reply after the end of a message; no command */
	RELAY_RSET,
	RELAY_QUIT,
};

struct relay_answer {
	int code;
	char status[12];
	char text[RELAY_REPLY_TEXT_MAX];
};

struct relay_ask {
	struct relay_ask *next;
	enum relay_verb verb;
	unsigned index; /* RCPT, MESSAGE */
	bool written;
	bool dropped; /* RCPT and MAIL after a reset: nobody is told the answer */
	/* RCPT: it is not asked, this is its answer. NULL: it is asked. */
	struct relay_answer *refusal;
	size_t len;
	char *line; /* NULL: nothing is to be written */
};

enum relay_body_phase {
	RELAY_BODY_NONE,
	RELAY_BODY_OPEN,   /* the caller gives pieces */
	RELAY_BODY_ENDING, /* it has given all */
	RELAY_BODY_ENDED,  /* the end is written, results are awaited */
};

struct relay_engine {
	const struct relay_engine_settings *settings;
	struct relay_ask *first, **tail;
	unsigned awaited; /* asks that are written and not answered */
	struct relay_reply reply;
	struct relay_engine_offer offer;
	bool lost, closed, quitting, handshake, secure, verified;
	/* Greeting: what is done, what is to be done. */
	bool hello_done, tls_refused, logged_in, login_due, client_due;
	char *client_line[8];	/* "ADDR=1.2.3.4", by bit of XCLIENT */
	char *client_name;	/* as it greeted; NULL: not fit to be said again */
	bool speaks_for_client; /* XCLIENT was taken: the session is the client's */
	/* The transaction. */
	bool transaction, mail_told, answered, utf8, binary;
	char *mail;		    /* the MAIL command, until it is asked */
	struct relay_answer sender; /* code 0: not refused so far */
	unsigned asked, accepted;
	unsigned *accepted_list; /* their indexes */
	/* The message. */
	bool sending; /* from relay_engine_send() until the last result */
	bool chunked, chunk_refused;
	uint64_t left; /* octets of the chunk that the caller has not given yet */
	char last;     /* the last of them, held back until it has said that all is well */
	enum relay_body_phase phase;
	bool in_line, after_cr; /* of what was written by DATA */
	unsigned repeat;	/* how many more results are the same, at the list's end */
	/* What the caller is told. */
	struct relay_answer answer;
	struct relay_engine_result result;
	enum relay_engine_failure failure;
	char failure_text[RELAY_REPLY_TEXT_MAX + 64];
};

/* The step is not over: nothing for the caller in what was done. */
#define RELAY_GO_ON ((enum relay_step)(-1))

/* --- relay_engine_ask.c --- */
/* Queues a command; `line`, which is taken over, with its CRLF, or NULL. */
struct relay_ask *relay_ask_add(struct relay_engine *e, enum relay_verb verb, char *line);
/* Takes the first off the queue and frees it. */
void relay_ask_pop(struct relay_engine *e);
/* Frees those that are not written, and drops those that are. */
void relay_ask_drop(struct relay_engine *e);
void relay_ask_free_all(struct relay_engine *e);
/* Writes what may be written now. False: `in` holds octets that nobody waits for. */
bool relay_ask_write(struct relay_engine *e, const struct buf *in, struct buf *out);
/* "RCPT" */
const char *relay_ask_word(enum relay_verb verb);

/* --- relay_engine.c --- */
/* The connection is of no more use. `what` is our words; the reply is added when it has a code. The
 * first failure stays. */
enum relay_step relay_fail(struct relay_engine *e, enum relay_engine_failure failure,
			   const char *what, const struct relay_reply *reply);
void relay_set_result(struct relay_engine *e, const struct relay_answer *answer, unsigned index);
/* 4yz or 5yz */
bool relay_is_refusal(const struct relay_reply *reply);
struct relay_answer relay_answer_of(const struct relay_reply *reply);

/* --- relay_engine_hello.c --- */
void relay_hello_begin(struct relay_engine *e);
/* What comes after an EHLO, or when there is a client to show. */
enum relay_step relay_hello_next(struct relay_engine *e);
enum relay_step relay_hello_answer(struct relay_engine *e, enum relay_verb verb,
				   const struct buf *in);

/* --- relay_engine_xclient.c --- */
/* The command with the attributes that are offered; the caller frees it. */
char *relay_xclient_line(const struct relay_engine *e);
void relay_xclient_keep(struct relay_engine *e, const struct relay_engine_client *client);
void relay_xclient_forget(struct relay_engine *e);

/* --- relay_engine_envelope.c --- */
/* The reply to MAIL or RCPT is there. */
enum relay_step relay_envelope_answer(struct relay_engine *e, const struct relay_ask *ask);
/* The first of the queue needs no reply: its result. */
bool relay_envelope_is_known(const struct relay_engine *e, const struct relay_ask *ask);
/* RSET, if the server knows of the transaction. */
void relay_envelope_ask_reset(struct relay_engine *e);
/* The transaction is over. */
void relay_envelope_over(struct relay_engine *e);

/* --- relay_engine_body.c --- */
/* The reply to DATA, or after the end of the message. */
enum relay_step relay_body_answer(struct relay_engine *e, const struct relay_ask *ask,
				  const struct buf *out);
/* A reply before the end of the message. */
enum relay_step relay_body_early(struct relay_engine *e);
/* The chunk's command was written. */
void relay_body_open(struct relay_engine *e);
void relay_body_write_end(struct relay_engine *e, struct buf *out);
/* The next of the results that are the same. */
enum relay_step relay_body_repeat(struct relay_engine *e);

#endif
