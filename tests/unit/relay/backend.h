/* backend: an SMTP or LMTP server for tests, on the loopback, driven by the same loop, that does
 * what the test's rules say. */
#ifndef TESTS_RELAY_BACKEND_H
#define TESTS_RELAY_BACKEND_H

#include <ev.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/tls_context.h"

/* In place of a reply. */
#define BACKEND_CLOSE "!close"
#define BACKEND_RESET "!reset"
#define BACKEND_HANG  "!hang"

/* The first rule that fits a command decides. */
struct backend_rule {
	const char *on;	   /* how the command begins; "banner"; "." for the end of a message */
	const char *reply; /* without the last CRLF, or one of the above */
	unsigned times;	   /* it holds; 0: always */
};

#define BACKEND_RULES 12

struct backend {
	struct ev_loop *loop;
	ev_io listening;
	char address[32];
	bool lmtp;
	const char *ehlo; /* the whole answer; NULL: a rich one */
	struct tls_context *tls;
	bool garbage; /* in place of a handshake */
	bool deaf;    /* does not read while a message comes */
	struct backend_rule rules[BACKEND_RULES];
	struct list connections;
	unsigned accepted;  /* connections, ever */
	unsigned open;	    /* now */
	unsigned messages;  /* to the last octet */
	struct buf heard;   /* all commands, each with its CRLF */
	struct buf message; /* the last one, dots removed */
	struct buf header;  /* of the PROXY protocol, when `proxied` */
	size_t proxied;	    /* octets that come before the banner is said */
};

/* Listens on a port of its own. */
void backend_init(struct backend *b, struct ev_loop *loop);
void backend_fini(struct backend *b);
/* Nobody listens at its address any more; connections that are open stay. */
void backend_stop(struct backend *b);
void backend_start(struct backend *b);
void backend_rule(struct backend *b, const char *on, const char *reply, unsigned times);
void backend_forget_rules(struct backend *b);
/* Closes what is open. */
void backend_hang_up(struct backend *b);
/* Goes on reading. */
void backend_hear(struct backend *b);
/* How often a command that begins so was heard. */
unsigned backend_heard(const struct backend *b, const char *command);

#endif
