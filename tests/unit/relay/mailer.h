/* mailer: a relay under test with backends and one client's transaction. */
#ifndef TESTS_RELAY_MAILER_H
#define TESTS_RELAY_MAILER_H

#include "backend.h"
#include "relay/relay.h"
#include "relay/relay_transaction.h"

#define MAILER_PREFIX  "Received: by gatepost\r\n"
#define MAILER_CONTENT "Subject: x\r\n\r\n.dot\r\nbody\r\n"

struct mailer {
	struct relay_transaction *transaction;
	struct relay_result result; /* the last one */
	struct relay_result each[4];
	size_t each_len;
	unsigned results;
	bool frees; /* the transaction, inside the callback */
	const char *content;
	size_t size;
	uint64_t read_until; /* the content cannot be read beyond */
};

extern struct ev_loop *mailer_loop;
extern struct backend mailer_backends[2];
extern struct relay *mailer_relay;
extern struct relay_settings mailer_settings; /* change them before mailer_open() */

/* Set-up and tear-down of each test; the tear-down looks for sockets that were left open. */
int mailer_set_up(void **state);
int mailer_tear_down(void **state);
/* With the first `backends` of them; runs the loop until each was probed (or not, when 0). */
void mailer_open(size_t backends, bool probed);
/* Runs the loop until the condition holds, or the test fails after 30 s. */
#define mailer_until(condition)                                                                    \
	do {                                                                                       \
		ev_invoke_pending(mailer_loop);                                                    \
		while (!(condition) && mailer_turn())                                              \
			;                                                                          \
		assert_true(condition);                                                            \
	} while (0)
bool mailer_turn(void);

void mailer_begin(struct mailer *m);
void mailer_begin_from(struct mailer *m, const char *ip, unsigned port);
/* Asks, and waits for the result. */
void mailer_ask(struct mailer *m, const char *recipient);
void mailer_ask_only(struct mailer *m, const char *recipient);
/* To those separated by spaces; waits for the result. */
void mailer_send(struct mailer *m, const char *recipients);
void mailer_send_only(struct mailer *m, const char *recipients);
void mailer_expect(const struct mailer *m, int code, const char *status, const char *text);
/* One message to one recipient, taken. */
void mailer_deliver(void);
bool mailer_message_is(const struct backend *b, const char *text);

#endif
