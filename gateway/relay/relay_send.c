/* Sending the message of a transaction. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay_transaction_state.h"

#define PIECE_MAX 65536

void relay_send_take(struct relay_transaction *t, const struct relay_message *message)
{
	t->sends = true;
	t->id = mem_copy_string(message->id);
	t->prefix = mem_copy_string(message->prefix);
	t->prefix_len = strlen(message->prefix);
	t->size = t->prefix_len + message->size;
	t->read = message->read;
	t->recipients_len = message->recipients_len;
	t->recipients = mem_new(message->recipients_len * sizeof *t->recipients);
	for (size_t i = 0; i < message->recipients_len; i++)
		relay_mailbox_copy(&t->recipients[i], &message->recipients[i]);
	t->results = mem_new(message->recipients_len * sizeof *t->results);
}

void relay_send_fini(struct relay_transaction *t)
{
	for (size_t i = 0; i < t->recipients_len; i++)
		relay_mailbox_fini(&t->recipients[i]);
	free(t->recipients);
	free(t->results);
	free(t->prefix);
	free(t->id);
}

bool relay_send_is_told(const struct relay_transaction *t, const struct hook_mailbox *sender)
{
	if (t->told_len != t->recipients_len || !relay_mailbox_equal(&t->sender, sender))
		return false;
	for (size_t i = 0; i < t->told_len; i++)
		if (!relay_mailbox_equal(&t->told[i], &t->recipients[i]))
			return false;
	return true;
}

void relay_send_envelope(struct relay_transaction *t)
{
	t->state = RELAY_TELLING_ALL;
	t->answered = 0;
	for (size_t i = 0; i < t->recipients_len; i++)
		relay_engine_recipient(t->connection->engine, &t->recipients[i]);
	relay_connection_step(t->connection);
}

void relay_send_begin(struct relay_transaction *t)
{
	t->state = RELAY_SENDING;
	t->answered = 0;
	relay_engine_send(t->connection->engine, t->size, true);
	relay_connection_step(t->connection);
}

void relay_send_finish(struct relay_transaction *t, const struct relay_result *result,
		       const struct relay_result *recipients, size_t recipients_len)
{
	void (*on_sent)(void *arg, const struct relay_result *result,
			const struct relay_result *recipients, size_t recipients_len) = t->on_sent;

	t->state = RELAY_AT_REST;
	t->on_sent = NULL;
	relay_transaction_let_go(t);
	on_sent(t->arg, result, recipients, recipients_len);
}

/* One refusal is one too many: nothing has been sent yet, and the client can try again for all. */
void relay_send_on_told(struct relay_transaction *t, const struct relay_result *result)
{
	t->results[t->answered++] = *result;
	if (t->answered < t->recipients_len)
		return;
	for (size_t i = 0; i < t->answered; i++) {
		struct relay_result refusal = t->results[i];

		if (refusal.code < 300)
			continue;
		relay_send_finish(t, &refusal, NULL, 0);
		return;
	}
	relay_send_begin(t);
}

/* --- the body --- */

/* The next octets, in `*data`, which may be `piece`. */
static ssize_t next_piece(const struct relay_transaction *t, char *piece, const char **data)
{
	uint64_t left = t->size - t->offset;

	*data = piece;
	if (t->offset >= t->prefix_len)
		return t->read(t->arg, t->offset - t->prefix_len, piece,
			       left < PIECE_MAX ? (size_t)left : PIECE_MAX);
	*data = t->prefix + t->offset;
	return (ssize_t)(t->prefix_len - t->offset);
}

/* False when the content cannot be read. */
static bool fill(struct relay_transaction *t, char *piece)
{
	while (t->offset < t->size) {
		const char *data;
		ssize_t n = next_piece(t, piece, &data);
		size_t taken;

		if (n <= 0)
			return false;
		taken = relay_connection_body(t->connection, data, (size_t)n);
		t->offset += taken;
		if (taken < (size_t)n)
			break;
	}
	return true;
}

/* Pieces are read as the backend takes them. The file is in the page cache, as a rule: it was
 * written a moment ago. */
void relay_send_on_body(struct relay_transaction *t)
{
	struct relay_result result;
	char *piece;
	bool good;

	if (t->state != RELAY_SENDING || t->offset == t->size + 1)
		return;
	piece = mem_resize(NULL, PIECE_MAX);
	good = fill(t, piece);
	free(piece);
	if (!good) {
		/* Without its end the backend takes no message. */
		log_error("delivery %s: %s: the content cannot be read: %s",
			  t->relay->settings.name, t->id, strerror(errno));
		relay_result_fault(&result);
		relay_send_finish(t, &result, NULL, 0);
	} else if (t->offset == t->size) {
		t->offset++; /* the end is said once */
		relay_engine_body_end(t->connection->engine);
		relay_connection_step(t->connection);
	}
}

/* --- its outcome --- */

static void finish_lmtp(struct relay_transaction *t)
{
	struct relay_result result;

	relay_result_join(&result, t->results, t->recipients_len);
	relay_send_finish(t, &result, t->results, t->recipients_len);
}

void relay_send_on_result(struct relay_transaction *t, const struct relay_result *result)
{
	if (!t->relay->settings.lmtp) {
		relay_send_finish(t, result, NULL, 0);
		return;
	}
	assert(t->answered < t->recipients_len);
	t->results[t->answered++] = *result;
	if (t->answered == t->recipients_len)
		finish_lmtp(t);
}

void relay_send_on_lost(struct relay_transaction *t, const char *backend, bool unknown)
{
	struct relay_result result;

	if (unknown)
		log_warning("delivery %s: %s: %s was lost before its answer: it may have the "
			    "message",
			    t->relay->settings.name, t->id, backend);
	relay_result_lost(&result, backend);
	result.unknown = unknown;
	if (!t->relay->settings.lmtp || !t->answered) {
		relay_send_finish(t, &result, NULL, 0);
		return;
	}
	while (t->answered < t->recipients_len)
		t->results[t->answered++] = result;
	finish_lmtp(t);
}
