#include "player.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "dialogue_text.h"
#include "player_answer.h"
#include "player_facts.h"
#include "player_fault.h"
#include "player_report.h"
#include "player_verdict.h"

#define REPLY_LINE_MAX 512 /* with CRLF (RFC 5321 section 4.5.3.1.5) */

struct player {
	const struct dialogue *dialogue;
	const struct player_cut *cut;
	struct buf *reports;
	size_t next; /* the item that must happen next */
	struct smtp *smtp;
	struct buf in, out;
	struct buf lines;  /* reply lines written and not yet reported */
	struct buf stored; /* the message so far */
	const struct dialogue_item
		*batch; /* whose octets arrive, or arrived last; NULL before the first */
	size_t arrived; /* how many of them are in `in` or consumed */
	unsigned long steps;
	bool failed, finished;
};

static const struct dialogue_item *next_item(const struct player *p)
{
	return p->next < p->dialogue->items_len ? &p->dialogue->items[p->next] : NULL;
}

/* Tells the first fault of a play: what was found instead of the next item, then the octets. */
__attribute__((format(printf, 4, 5))) static void fail(struct player *p, const char *octets,
						       size_t len, const char *format, ...)
{
	va_list arguments;

	if (p->failed)
		return;
	p->failed = true;
	va_start(arguments, format);
	player_fault_print(p->dialogue, p->next, p->cut, format, arguments, octets, len);
	va_end(arguments);
}

/* --- what the engine wrote --- */

static void on_line(struct player *p, const char *line, size_t len)
{
	const struct dialogue_item *item = next_item(p);

	if (len + 2 > REPLY_LINE_MAX)
		fail(p, NULL, 0, "a reply line of %zu octets", len + 2);
	for (size_t i = 0; i < len; i++) {
		if (line[i] < ' ' || line[i] > '~')
			fail(p, line, len, "a reply line that is not printable ASCII: ");
	}
	if (item == NULL || item->kind != DIALOGUE_REPLY ||
	    !dialogue_text_matches(buf_head(&item->octets), item->octets.len, line, len))
		fail(p, line, len, "S: ");
	p->next++;
	if (len >= 4 && memcmp(line, "334 ", 4) == 0)
		return; /* no reply, but a part of AUTH */
	buf_append(&p->lines, line, len);
	buf_append(&p->lines, "\n", 1);
}

static void take_output(struct player *p)
{
	while (!p->failed && p->out.len > 0) {
		const char *head = buf_head(&p->out), *end = memmem(head, p->out.len, "\r\n", 2);

		if (end == NULL) {
			fail(p, head, p->out.len, "a reply line without its CRLF: ");
			return;
		}
		on_line(p, head, (size_t)(end - head));
		buf_consume(&p->out, (size_t)(end - head) + 2);
	}
}

/* The report must be the reply that was written: events are made of it. */
static void check_report(struct player *p, const struct smtp_reply *reply)
{
	struct octets line;

	if (p->lines.len == 0)
		fail(p, NULL, 0, "a report of a reply that was not written");
	else if (!player_report_is_of(&p->lines, reply, &line))
		fail(p, line.data, line.len, "the report %d \"%s\" \"%s\" of the reply ",
		     reply->code, reply->status, reply->text);
}

static void on_reply(struct player *p)
{
	const struct smtp_reply *reply = smtp_last_reply(p->smtp);

	check_report(p, reply);
	if (reply->verb == SMTP_GREETING && p->reports->len > 0)
		fail(p, NULL, 0, "a report of a second greeting");
	buf_consume(&p->lines, p->lines.len);
	player_report_add(p->reports, reply);
	if (reply->verb == SMTP_MESSAGE || reply->transaction_ended)
		buf_consume(&p->stored, p->stored.len);
}

/* --- what the engine asks --- */

static void check_facts(struct player *p, const struct hook_request *request, const char *what)
{
	struct buf found;

	buf_init(&found, DIALOGUE_OCTETS_MAX);
	if (!player_facts_match(next_item(p), request, &found))
		fail(p, buf_head(&found), found.len, "%s ", what);
	buf_fini(&found);
}

static void check_hook(struct player *p, const struct hook_request *request)
{
	const struct dialogue_item *item = next_item(p);
	char what[32];

	snprintf(what, sizeof(what), "H: %s", hook_word(request->hook));
	if (item == NULL || item->kind != DIALOGUE_HOOK || item->hook != request->hook)
		fail(p, NULL, 0, "%s", what);
	else
		check_facts(p, request, what);
}

static void on_hook(struct player *p)
{
	struct hook_request request = {.hook = smtp_hook(p->smtp)};
	struct hook_message message = {.size = smtp_message_size(p->smtp)};

	smtp_describe(p->smtp, &request);
	request.message = request.hook == HOOK_MESSAGE ? &message : NULL;
	if ((p->dialogue->hooks & (1u << request.hook)) == 0) {
		player_verdict_give_none(p->smtp);
		return;
	}
	check_hook(p, &request);
	if (!p->failed)
		player_verdict_give(p->smtp, &p->dialogue->items[p->next++].verdict);
}

static void on_client(struct player *p)
{
	const struct dialogue_item *item = next_item(p);
	struct buf found;

	buf_init(&found, DIALOGUE_OCTETS_MAX);
	if (item == NULL || item->kind != DIALOGUE_CLIENT)
		fail(p, NULL, 0, "N: (XCLIENT was accepted)");
	else if (!player_facts_match_client(item, smtp_xclient(p->smtp), &found))
		fail(p, buf_head(&found), found.len, "N: ");
	buf_fini(&found);
	p->next++;
	smtp_client_changed(p->smtp);
}

static void on_body(struct player *p)
{
	const char *data;
	size_t len;

	smtp_body(p->smtp, &data, &len);
	if (len > 0 && !buf_append(&p->stored, data, len))
		fail(p, NULL, 0, "an endless message");
}

static void check_envelope(struct player *p)
{
	const struct dialogue_item *item = next_item(p);
	struct hook_request request = {0};

	if (item == NULL || item->kind != DIALOGUE_ENVELOPE)
		return;
	smtp_describe(p->smtp, &request);
	check_facts(p, &request, "M:");
	p->next++;
}

static void check_stored(struct player *p)
{
	const struct dialogue_item *item = next_item(p);
	const struct buf *stored = &p->stored;

	if (item != NULL && item->kind == DIALOGUE_STORED) {
		if (stored->len != item->octets.len ||
		    memcmp(buf_head(stored), buf_head(&item->octets), stored->len) != 0)
			fail(p, buf_head(stored), stored->len, "D: ");
		p->next++;
	}
	if (smtp_message_size(p->smtp) != stored->len)
		fail(p, NULL, 0, "a message of %zu octets with size %llu", stored->len,
		     (unsigned long long)smtp_message_size(p->smtp));
}

static void on_recipient(struct player *p)
{
	size_t place = player_answer_recipient(p->smtp, p->dialogue, p->next);

	if (place == p->next)
		fail(p, NULL, 0, "A: (the delivery is asked for a recipient)");
	p->next = place;
}

static void on_delivery(struct player *p)
{
	if (!smtp_is_discarded(p->smtp)) {
		check_envelope(p);
		check_stored(p);
	}
	p->next = player_answer_message(p->smtp, p->dialogue, p->next);
}

static void on_tls(struct player *p)
{
	const struct dialogue_item *item = next_item(p);

	/* Octets that come after the engine has asked for TLS are read by the TLS layer. They are
	 * no handshake, so this session ends too, though not by the engine. */
	if (p->batch != NULL && p->arrived < p->batch->octets.len) {
		if (item == NULL || item->kind != DIALOGUE_CLOSED ||
		    item->reason != DISCONNECT_STARTTLS_INJECTION)
			fail(p, NULL, 0, "T: with octets in clear still to come");
		p->finished = true;
		p->next = p->dialogue->items_len;
		return;
	}
	if (item == NULL || item->kind != DIALOGUE_TLS) {
		fail(p, NULL, 0, "T:");
		return;
	}
	p->next++;
	smtp_tls_started(p->smtp);
	if (!smtp_is_secure(p->smtp))
		fail(p, NULL, 0, "a session that is not secure after TLS");
}

static void on_finished(struct player *p)
{
	const struct dialogue_item *item = next_item(p);
	enum disconnect_reason reason = smtp_disconnect_reason(p->smtp);
	struct hook_request request = {.hook = HOOK_DISCONNECT};

	p->finished = true;
	if (item == NULL || item->kind != DIALOGUE_CLOSED || item->reason != reason) {
		fail(p, NULL, 0, "X: %s", disconnect_reason_word(reason));
		return;
	}
	p->next++;
	if ((p->dialogue->hooks & (1u << HOOK_DISCONNECT)) != 0) {
		smtp_describe(p->smtp, &request);
		request.hook = HOOK_DISCONNECT;
		request.reason = disconnect_reason_word(reason);
		check_hook(p, &request);
		p->next++;
	}
}

/* --- the client --- */

/* Puts the next piece into `in`; false when nothing of the batch is left. */
static bool arrive(struct player *p)
{
	size_t n = p->batch != NULL ? player_cut_piece(p->cut, p->batch, p->arrived) : 0;

	if (n == 0)
		return false;
	if (n > buf_room(&p->in))
		n = buf_room(&p->in);
	buf_append(&p->in, buf_head(&p->batch->octets) + p->arrived, n);
	p->arrived += n;
	return true;
}

static void on_step(struct player *p, enum smtp_step step)
{
	static void (*const on[])(struct player *) = {
		[SMTP_NEED_INPUT] = NULL,
		[SMTP_NEED_VERDICT] = on_hook,
		[SMTP_NEED_TLS] = on_tls,
		[SMTP_NEED_CLIENT] = on_client,
		[SMTP_NEED_RECIPIENT] = on_recipient,
		[SMTP_GOT_BODY] = on_body,
		[SMTP_GOT_REPLY] = on_reply,
		[SMTP_NEED_DELIVERY] = on_delivery,
		[SMTP_FINISHED] = on_finished,
	};

	if (step != SMTP_GOT_REPLY && p->lines.len > 0)
		fail(p, NULL, 0, "a reply that is not reported");
	if (on[step] != NULL)
		on[step](p);
}

/* Steps until the engine waits for a batch that has not begun. */
static void run(struct player *p)
{
	while (!p->failed && !p->finished) {
		enum smtp_step step = smtp_step(p->smtp, &p->in, &p->out);

		take_output(p);
		on_step(p, step);
		if (step == SMTP_NEED_INPUT) {
			if (buf_room(&p->in) == 0)
				fail(p, NULL, 0, "a full buffer and a wish for more");
			if (!arrive(p))
				return;
			p->steps = 0;
		} else if (p->cut->kind == PLAYER_TRICKLE) {
			arrive(p);
		}
		if (p->steps++ > SMTP_IN_MAX)
			fail(p, NULL, 0, "no progress");
	}
}

static void leave(struct player *p)
{
	smtp_end(p->smtp, DISCONNECT_CLIENT_GONE);
	while (!p->finished) {
		enum smtp_step step = smtp_step(p->smtp, &p->in, &p->out);

		buf_consume(&p->out, p->out.len); /* nobody is there to read it */
		if (step == SMTP_FINISHED) {
			on_finished(p);
		} else if (step != SMTP_GOT_REPLY) {
			fail(p, NULL, 0, "a session that goes on without its client");
			return;
		}
	}
}

/* The client that must wait for the banner does not. Its first octet is enough. */
static void talk_early(struct player *p)
{
	const struct dialogue_item *item = next_item(p);

	if (!p->dialogue->banner_wait || item == NULL || item->kind != DIALOGUE_SEND)
		return;
	p->batch = item;
	p->next++;
	arrive(p);
	smtp_early_talk(p->smtp);
}

static void play_items(struct player *p)
{
	const struct dialogue_item *item;

	talk_early(p);
	run(p);
	while (!p->failed && !p->finished && (item = next_item(p)) != NULL) {
		if (item->kind == DIALOGUE_CLOSED && item->reason == DISCONNECT_CLIENT_GONE) {
			leave(p);
		} else if (item->kind != DIALOGUE_SEND) {
			fail(p, NULL, 0, "nothing: the engine waits for the client");
		} else {
			p->batch = item;
			p->next++;
			p->arrived = 0;
			run(p);
		}
	}
	if (p->finished && next_item(p) != NULL)
		fail(p, NULL, 0, "the end of the session");
}

bool player_play(const struct dialogue *dialogue, const struct player_cut *cut, struct buf *reports)
{
	struct player p = {.dialogue = dialogue, .cut = cut, .reports = reports};

	buf_init(&p.in, SMTP_IN_MAX);
	buf_init(&p.out, SMTP_OUT_MAX);
	buf_init(&p.lines, SMTP_OUT_MAX);
	buf_init(&p.stored, DIALOGUE_OCTETS_MAX);
	p.smtp = smtp_new(&dialogue->settings);
	if (dialogue->relay)
		smtp_allow_relay(p.smtp);
	if (dialogue->xclient)
		smtp_allow_xclient(p.smtp);
	play_items(&p);
	smtp_free(&p.smtp);
	buf_fini(&p.in);
	buf_fini(&p.out);
	buf_fini(&p.lines);
	buf_fini(&p.stored);
	return !p.failed;
}
