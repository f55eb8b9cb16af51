/* Any octets from a server. The first octet has the settings, the second the size of pieces; the
 * rest is what the server says, in turns with 0x1f between. A turn begins when the engine waits and
 * all before was read.
 *
 * A success is told only when its reply was the last that was read, and each reply is one success.
 * Outside the message only whole commands are said, no more of them than were asked for. However a
 * turn is cut, all is the same, unless the server has talked out of its turn. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relay_engine.h"

#define TURN	   0x1f
#define RECIPIENTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char body[] = "x\r\n.y\r\n\n.\r\nz";
static const char stuffed[] = "x\r\n..y\r\n\r\n..\r\nz";

enum act { ACT_BEGIN, ACT_DECIDE, ACT_AGAIN, ACT_DONE };

struct run {
	unsigned char bits;
	size_t piece;
	const uint8_t *at, *end; /* of the server's octets */
	struct relay_engine *e;
	struct buf in, out, log, heard, body;
	size_t success; /* how much was read at the last success */
	enum act act;
	unsigned messages, results;
	bool chunked, ended, early, lost;
};

/* The last line that was read. */
static const char *last_line(const struct run *run, size_t *read)
{
	const char *heard = buf_head(&run->heard);
	size_t at;

	*read = run->heard.len - run->in.len;
	assert(*read >= 2 && heard[*read - 1] == '\n' && heard[*read - 2] == '\r');
	for (at = *read - 1; at && heard[at - 1] != '\n';)
		at--;
	return heard + at;
}

static void check_result(struct run *run)
{
	const struct relay_engine_result *result = relay_engine_result(run->e);
	size_t read;

	assert(result->index < RECIPIENTS && result->code != 421);
	assert(result->code / 100 == 2 || result->code / 100 == 4 || result->code / 100 == 5);
	assert(!*result->status || result->status[0] == '0' + result->code / 100);
	for (const char *c = result->text; *c; c++)
		assert(*c >= ' ' && *c <= '~');
	buf_printf(&run->log, "=%u %d %s %s\n", result->index, result->code, result->status,
		   result->text);
	if (result->code / 100 != 2)
		return;
	assert(atoi(last_line(run, &read)) == result->code);
	assert(read > run->success);
	run->success = read;
}

static void check_command(const struct run *run, const char *line, size_t len)
{
	static const char *const exact[] = {
		"EHLO gw",
		"LHLO gw",
		"HELO gw",
		"STARTTLS",
		"MAIL FROM:<a@a>",
		"RCPT TO:<b@b>",
		"RCPT TO:<b@b> NOTIFY=NEVER",
		"DATA",
		"BDAT 12 LAST",
		"RSET",
		"QUIT",
		"XCLIENT",
		"AUTH PLAIN AHUAcA==",
	};
	static const char client[] = "XCLIENT ";

	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
		if (strlen(exact[i]) == len && memcmp(exact[i], line, len) == 0) {
			assert(line[0] != 'A' || relay_engine_is_secure(run->e));
			return;
		}
	assert(len > sizeof client && memcmp(line, client, sizeof client - 1) == 0);
}

static void check_commands(const struct run *run)
{
	const char *at = buf_head(&run->out), *end = at + run->out.len, *lf;

	for (; at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		assert(lf && lf > at && lf[-1] == '\r');
		check_command(run, at, (size_t)(lf - at) - 1);
	}
}

static void drain(struct run *run, bool in_body)
{
	if (in_body) {
		buf_append(&run->body, buf_head(&run->out), run->out.len);
	} else if (run->out.len) {
		buf_append(&run->log, buf_head(&run->out), run->out.len);
		check_commands(run);
	}
	buf_consume(&run->out, run->out.len);
}

/* What was said of the message is its beginning, all of it when its end was said. */
static void check_body(const struct run *run)
{
	const char *want = run->chunked ? body : stuffed;
	size_t len = strlen(want);
	size_t seen = run->body.len < len ? run->body.len : len;

	if (seen)
		assert(memcmp(buf_head(&run->body), want, seen) == 0);
	if (run->chunked)
		assert(run->body.len <= len);
	else if (run->body.len > len)
		assert(run->body.len == len + 5 &&
		       memcmp(buf_head(&run->body) + len, "\r\n.\r\n", 5) == 0);
	if (relay_engine_outcome_unknown(run->e))
		assert(run->body.len == (run->chunked ? len : len + 5));
}

static void give_body(struct run *run)
{
	size_t at = 0, len = sizeof body - 1;

	run->early |= run->in.len;
	while (at < len) {
		size_t n = len - at < run->piece ? len - at : run->piece;

		assert(relay_engine_body(run->e, &run->out, body + at, n) == n);
		at += n;
		drain(run, true);
	}
	relay_engine_body_end(run->e);
	run->ended = true;
}

static void begin(struct run *run)
{
	static const struct hook_param notify = {{"NOTIFY", 6}, {"NEVER", 5}};
	const struct hook_mailbox sender = {.address = {"a@a", 3}};
	struct hook_mailbox recipient = {.address = {"b@b", 3}};

	relay_engine_begin(run->e, &sender);
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		relay_engine_recipient(run->e, &recipient);
		recipient.params = &notify;
		recipient.params_len = 1;
	}
	run->body.len = 0;
	run->results = 0;
	run->ended = false;
}

static void act(struct run *run)
{
	const struct relay_engine_client client = {.addr = "192.0.2.1"};
	unsigned accepted = relay_engine_accepted(run->e);

	run->early |= run->in.len;
	switch (run->act++) {
	case ACT_BEGIN:
		begin(run);
		if (run->bits & 32) {
			assert(relay_engine_reset(run->e));
			begin(run);
		}
		break;
	case ACT_DECIDE:
		assert(accepted <= RECIPIENTS);
		run->chunked = relay_engine_offer(run->e)->chunking && run->bits & 8;
		if (accepted)
			relay_engine_send(run->e, sizeof body - 1, run->bits & 8);
		else
			assert(relay_engine_reset(run->e));
		break;
	case ACT_AGAIN:
		if (accepted)
			assert(run->results == (run->bits & 1 ? accepted : 1));
		if (run->messages++ == 2)
			break;
		if (run->bits & 16)
			relay_engine_show_client(run->e, &client);
		run->act = ACT_BEGIN;
		break;
	case ACT_DONE:
		relay_engine_quit(run->e);
		break;
	}
}

/* The next octets of the server; at their end it is gone. */
static void hear(struct run *run)
{
	const uint8_t *turn;
	size_t n = 0;

	while (run->at < run->end && *run->at == TURN)
		run->at++;
	turn = run->at < run->end ? memchr(run->at, TURN, (size_t)(run->end - run->at)) : NULL;
	n = (size_t)((turn ? turn : run->end) - run->at);
	n = n < run->piece ? n : run->piece;
	if (!n) {
		assert(!run->lost);
		run->lost = true;
		relay_engine_lost(run->e);
		return;
	}
	buf_append(&run->in, run->at, n);
	buf_append(&run->heard, run->at, n);
	run->at += n;
}

static bool go_on(struct run *run)
{
	enum relay_step step = relay_engine_step(run->e, &run->in, &run->out);
	bool is_end = step == RELAY_FAILED || step == RELAY_CLOSED;

	drain(run, run->ended && !run->results && relay_engine_outcome_unknown(run->e));
	check_body(run);
	if (step == RELAY_NEED_TLS) {
		run->early |= run->in.len;
		relay_engine_tls_started(run->e, false);
	} else if (step == RELAY_GOT_RECIPIENT || step == RELAY_GOT_RESULT) {
		assert(step == RELAY_GOT_RECIPIENT || run->act == ACT_AGAIN);
		run->results += step == RELAY_GOT_RESULT;
		check_result(run);
	} else if (step == RELAY_NEED_BODY) {
		give_body(run);
	} else if (step == RELAY_READY) {
		act(run);
	} else if (step == RELAY_NEED_INPUT) {
		hear(run);
	}
	return !is_end;
}

static void play(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
	const struct relay_engine_settings settings = {
		.lmtp = data[0] & 1,
		.hostname = "gw",
		.tls = (data[0] >> 1 & 3) % 3,
		.user = data[0] & 64 ? "u" : NULL,
		.password = "p",
	};

	*run = (struct run){.bits = data[0], .piece = piece, .at = data + 2, .end = data + size};
	buf_init(&run->in, size + RELAY_IN_MAX);
	buf_init(&run->out, RELAY_OUT_MAX);
	buf_init(&run->log, 1 << 22);
	buf_init(&run->heard, size);
	buf_init(&run->body, 4096);
	run->e = relay_engine_new(&settings);
	while (go_on(run))
		;
	buf_printf(&run->log, "%d %s", relay_engine_failure(run->e),
		   relay_engine_failure_text(run->e));
	if (run->in.len || relay_engine_failure(run->e) == RELAY_FAILURE_UNASKED ||
	    relay_engine_failure(run->e) == RELAY_FAILURE_CLOSING)
		run->early = true;
	relay_engine_free(&run->e);
}

static void finish(struct run *run)
{
	buf_fini(&run->in);
	buf_fini(&run->out);
	buf_fini(&run->log);
	buf_fini(&run->heard);
	buf_fini(&run->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, cut;

	if (size < 2)
		return 0;
	play(&whole, data, size, SIZE_MAX);
	for (size_t piece = 1; piece <= 2; piece++) {
		play(&cut, data, size, piece == 1 ? 1 : 2u + data[1]);
		if (!whole.early)
			assert(whole.log.len == cut.log.len &&
			       memcmp(buf_head(&whole.log), buf_head(&cut.log), cut.log.len) == 0);
		finish(&cut);
	}
	finish(&whole);
	return 0;
}
