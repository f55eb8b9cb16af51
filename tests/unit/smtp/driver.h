/* driver: plays the caller of the SMTP engine in memory.
 *
 *      script (input, verdicts, delivery)  -->  [ engine ]  -->  output, trace, messages
 *
 * The input goes in cut as told; what comes out must not depend on that. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/smtp.h"

/* The verdict on the nth question of a hook (from 1; 0: on each). The first rule that fits counts;
 * without one it is a plain accept. */
struct driver_rule {
	enum hook hook;
	unsigned nth;
	struct verdict verdict; /* its edits are asked for first */
};

#define DRIVER_RULES_MAX   8
#define DRIVER_ANSWERS_MAX 4

/* What the delivery says. */
struct driver_answer {
	int code; /* 0: see where it is used */
	const char *status, *text;
};

/* All zero but the input: every verdict an accept, delivery 250 2.0.0 "OK id=T". */
struct driver_script {
	const char *input; /* all of it, or the part before the handshake */
	size_t input_len;
	const char *secure; /* the part after the handshake; NULL: none */
	size_t secure_len;
	struct smtp_settings settings; /* 0 and NULL: a default */
	struct driver_rule rules[DRIVER_RULES_MAX];
	int delivery_code;
	const char *delivery_status, *delivery_text;
	/* Of the nth recipient that it is asked for; code 0, and beyond: 250 2.1.5 "Taken". */
	struct driver_answer recipients[DRIVER_ANSWERS_MAX];
	/* LMTP: for the nth recipient of a message; code 0, and beyond: it says nothing. */
	struct driver_answer results[DRIVER_ANSWERS_MAX];
	bool end_at_recipient;		/* smtp_end() with `end` when it is asked for the first */
	const struct smtp_offer *later; /* the offer from the first data hook on; NULL: it stays */
	size_t body_room; /* pieces that end behind so many octets are not stored; 0: all are */
	bool relay, xclient, early_talk; /* what the caller of the engine says at the beginning */
	enum disconnect_reason end;	 /* 0: none; else smtp_end() when the input has ended */
};

struct driver {
	const struct driver_script *script;
	struct smtp_settings settings;
	struct smtp *smtp;
	struct buf in, out;
	unsigned asked[HOOK_MAX], asked_recipients;
	bool secure, finished;
	struct buf output;   /* all that went to the client */
	struct buf trace;    /* questions and replies, a line each */
	struct buf message;  /* the content of the message being received */
	struct buf messages; /* the content of all that were delivered, "#" after each */
};

/* The default settings: mx.test, example.com accepted, STARTTLS offered. */
struct smtp_settings driver_settings(void);

void driver_init(struct driver *d, const struct driver_script *script);
void driver_fini(struct driver *d);
/* Runs the script; the input is cut at `cut` (SIZE_MAX: not at all) or, if `piece` is not 0, every
 * so many octets. */
void driver_run(struct driver *d, size_t cut, size_t piece);
/* driver_delivery.c: the delivery's part. */
void driver_ask_recipient(struct driver *d);
void driver_deliver(struct driver *d);
/* The buffer as a string, NUL-terminated in its place. */
const char *driver_text(struct buf *b);
/* Aborts when a question has recipients that no rule lets pass, too many, or none at data and
 * message. */
void driver_check_request(const struct driver_script *script, const struct smtp_settings *settings,
			  const struct hook_request *request);
/* Runs the script whole and cut, and aborts unless both are the same. Bit 6 of the octet: the other
 * bits are the size of the pieces, less 1; else they are where it is cut, in 64ths of `len`. */
void driver_compare(const struct driver_script *script, uint8_t octet, size_t len);
/* Aborts unless `output` is whole reply lines: three digits, at most 512 octets, CRLF, printable
 * ASCII. */
void driver_check_output(const struct buf *output);

#endif
