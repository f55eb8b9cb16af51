/* From DATA or BDAT to the results. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "relay_engine_state.h"

/* --- the results --- */

/* The same answer for all that were accepted; with LMTP each is told. */
static enum relay_step refuse_all(struct relay_engine *e, struct relay_answer answer)
{
	/* 421 would close the connection to the client too. */
	if (answer.code == 421)
		answer.code = 451;
	e->answer = answer;
	e->repeat = e->settings->lmtp ? e->accepted : 1;
	e->sending = false;
	e->phase = RELAY_BODY_NONE;
	return RELAY_GO_ON;
}

enum relay_step relay_body_repeat(struct relay_engine *e)
{
	struct relay_answer answer = e->answer;
	unsigned index = e->settings->lmtp ? e->accepted_list[e->accepted - e->repeat] : 0;

	relay_set_result(e, &answer, index);
	if (!--e->repeat)
		relay_envelope_over(e);
	return RELAY_GOT_RESULT;
}

static enum relay_step on_data(struct relay_engine *e)
{
	if (e->reply.code / 100 == 3) {
		relay_body_open(e);
		return RELAY_GO_ON;
	}
	if (!relay_is_refusal(&e->reply))
		return relay_fail(e, RELAY_FAILURE_BROKEN, "DATA", &e->reply);
	if (e->reply.code == 421)
		relay_fail(e, RELAY_FAILURE_CLOSING, "DATA", &e->reply);
	else
		relay_envelope_ask_reset(e);
	return refuse_all(e, relay_answer_of(&e->reply));
}

/* Whatever comes now is no success, for the server does not have the message. The octets of the
 * message that are on their way cannot be called back: the connection ends. */
enum relay_step relay_body_early(struct relay_engine *e)
{
	bool closing = e->reply.code == 421;

	if (!relay_is_refusal(&e->reply))
		return relay_fail(e, RELAY_FAILURE_UNASKED, "before the end of the message",
				  &e->reply);
	relay_fail(e, closing ? RELAY_FAILURE_CLOSING : RELAY_FAILURE_UNASKED,
		   "in the midst of the message", &e->reply);
	return refuse_all(e, relay_answer_of(&e->reply));
}

static enum relay_step on_message(struct relay_engine *e, const struct relay_ask *ask,
				  const struct buf *out)
{
	struct relay_answer answer = relay_answer_of(&e->reply);

	if (answer.code / 100 == 3)
		return relay_fail(e, RELAY_FAILURE_BROKEN, "the message", &e->reply);
	if (answer.code / 100 == 2 && out->len)
		return relay_fail(e, RELAY_FAILURE_UNASKED, "before the end of the message",
				  &e->reply);
	if (answer.code == 421) {
		relay_fail(e, RELAY_FAILURE_CLOSING, "the message", &e->reply);
		answer.code = 451;
	}
	if (answer.code / 100 != 2 && e->chunked)
		e->chunk_refused = true;
	relay_set_result(e, &answer, ask->index);
	if (!e->first) {
		/* RFC 3030 section 2: after a refused chunk nothing is certain. */
		if (e->chunk_refused)
			relay_envelope_ask_reset(e);
		relay_envelope_over(e);
	}
	return RELAY_GOT_RESULT;
}

enum relay_step relay_body_answer(struct relay_engine *e, const struct relay_ask *ask,
				  const struct buf *out)
{
	return ask->verb == RELAY_DATA ? on_data(e) : on_message(e, ask, out);
}

/* --- the message --- */

void relay_engine_send(struct relay_engine *e, uint64_t size, bool chunking)
{
	static const struct relay_answer too_large = {552, "5.3.4",
						      "Message too large for the next server"};
	char line[64];

	assert(e->transaction && !e->sending && e->accepted && !e->first);
	e->sending = true;
	e->chunk_refused = false;
	/* Nothing of no octets: its last octet could not be held back. */
	e->chunked = size && e->offer.chunking && (chunking || e->binary);
	if (e->offer.size && size > e->offer.size) {
		relay_envelope_ask_reset(e);
		refuse_all(e, too_large);
		return;
	}
	e->left = size;
	if (!e->chunked) {
		relay_ask_add(e, RELAY_DATA, mem_copy_string("DATA\r\n"));
		return;
	}
	snprintf(line, sizeof line, "BDAT %llu LAST\r\n", (unsigned long long)size);
	relay_ask_add(e, RELAY_BDAT, mem_copy_string(line));
}

void relay_body_open(struct relay_engine *e)
{
	e->phase = RELAY_BODY_OPEN;
	e->in_line = e->after_cr = false;
}

/* The last octet of a chunk makes the server act, so it waits for relay_engine_body_end(). */
static size_t add_chunk(struct relay_engine *e, struct buf *out, const char *data, size_t len)
{
	size_t n = len < buf_room(out) ? len : buf_room(out);

	assert(len <= e->left);
	if (n && n == e->left) {
		e->last = data[n - 1];
		buf_append(out, data, n - 1);
	} else {
		buf_append(out, data, n);
	}
	e->left -= n;
	return n;
}

#define STUFFED_MAX 4 /* what one octet can become: CR LF . octet */

/* A CR waits for what follows it. */
static size_t stuff(struct relay_engine *e, char *to, char c)
{
	size_t n = 0;

	if (e->after_cr || c == '\n') {
		to[n++] = '\r';
		to[n++] = '\n';
		e->in_line = false;
	}
	if (c == '\n') {
		e->after_cr = false;
		return n;
	}
	e->after_cr = c == '\r';
	if (e->after_cr)
		return n;
	if (!e->in_line && c == '.')
		to[n++] = '.';
	to[n++] = c;
	e->in_line = true;
	return n;
}

static size_t add_stuffed(struct relay_engine *e, struct buf *out, const char *data, size_t len)
{
	size_t taken = 0, n = 0, room;
	char *to = buf_space(out, len + len / 8 + STUFFED_MAX, &room);

	while (taken < len && room - n >= STUFFED_MAX)
		n += stuff(e, to + n, data[taken++]);
	buf_added(out, n);
	return taken;
}

size_t relay_engine_body(struct relay_engine *e, struct buf *out, const char *data, size_t len)
{
	assert(e->phase == RELAY_BODY_OPEN);
	return e->chunked ? add_chunk(e, out, data, len) : add_stuffed(e, out, data, len);
}

void relay_engine_body_end(struct relay_engine *e)
{
	assert(e->phase == RELAY_BODY_OPEN && !(e->chunked && e->left));
	e->phase = RELAY_BODY_ENDING;
}

static void await_results(struct relay_engine *e)
{
	unsigned count = e->settings->lmtp ? e->accepted : 1;

	for (unsigned i = 0; i < count; i++) {
		struct relay_ask *ask = relay_ask_add(e, RELAY_MESSAGE, NULL);

		ask->index = e->settings->lmtp ? e->accepted_list[i] : 0;
		ask->written = true;
		e->awaited++;
	}
	e->phase = RELAY_BODY_ENDED;
}

void relay_body_write_end(struct relay_engine *e, struct buf *out)
{
	static const char end[] = "\r\n.\r\n";
	size_t skip = e->after_cr || e->in_line ? 0 : 2;

	if (buf_room(out) < sizeof end)
		return;
	if (e->chunked)
		buf_append(out, &e->last, 1);
	else
		buf_append(out, end + skip, sizeof end - 1 - skip);
	await_results(e);
}
