#include "relay_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WHOLE	   SIZE_MAX
#define SINGLE	   0
#define PARAMS_MAX 8
#define LINE_MAX   4096

struct player {
	const struct relay_dialogue *dialogue;
	struct relay_engine *e;
	struct buf in, out, pending, said;
	size_t cut, fed; /* where the server's octets are cut; WHOLE, SINGLE */
	unsigned line;
};

__attribute__((noreturn)) static void complain(const struct player *p, const char *what,
					       const char *text, size_t len)
{
	fail_msg("%s, line %u, cut %zd: %s: %.*s", p->dialogue->name, p->line, (ssize_t)p->cut,
		 what, (int)len, text ? text : "");
	abort();
}

static bool feed(struct player *p)
{
	size_t n = p->pending.len;

	if (!n)
		return false;
	if (p->cut == SINGLE)
		n = 1;
	else if (p->fed < p->cut && p->cut - p->fed < n)
		n = p->cut - p->fed;
	buf_append(&p->in, buf_head(&p->pending), n);
	buf_consume(&p->pending, n);
	p->fed += n;
	return true;
}

static enum relay_step step(struct player *p)
{
	enum relay_step step = relay_engine_step(p->e, &p->in, &p->out);

	buf_append(&p->said, buf_head(&p->out), p->out.len);
	buf_consume(&p->out, p->out.len);
	return step;
}

static const char *const step_words[] = {"INPUT", "TLS",    "READY",  "RECIPIENT",
					 "BODY",  "RESULT", "FAILED", "CLOSED"};
static const char *const failure_words[] = {"NONE", "LOST",  "CLOSING", "REFUSED",
					    "TLS",  "LOGIN", "BROKEN",	"UNASKED"};

static void describe(const struct player *p, enum relay_step step, char *text, size_t size)
{
	const struct relay_engine_result *result = relay_engine_result(p->e);

	if (step == RELAY_GOT_RECIPIENT || step == RELAY_GOT_RESULT)
		snprintf(text, size, "%s %u %d %s%s%s", step_words[step], result->index,
			 result->code, result->status, *result->status ? " " : "", result->text);
	else if (step == RELAY_FAILED)
		snprintf(text, size, "FAILED %s %s", failure_words[relay_engine_failure(p->e)],
			 relay_engine_failure_text(p->e));
	else
		snprintf(text, size, "%s", step_words[step]);
}

/* Nothing is lost when one goes on after it. */
static bool is_quiet(enum relay_step step)
{
	return step == RELAY_NEED_INPUT || step == RELAY_READY || step == RELAY_NEED_BODY;
}

static void expect_step(struct player *p, const char *want)
{
	char have[2048];

	for (;;) {
		enum relay_step now = step(p);

		describe(p, now, have, sizeof have);
		if (strcmp(have, want) == 0)
			return;
		if (!is_quiet(now) || !feed(p))
			complain(p, "the step is", have, strlen(have));
	}
}

static void expect_said(struct player *p, const char *want, size_t len)
{
	while (p->said.len < len && is_quiet(step(p)) && p->said.len < len && feed(p))
		;
	if (p->said.len < len || memcmp(buf_head(&p->said), want, len) != 0)
		complain(p, "it has said", buf_head(&p->said), p->said.len);
	buf_consume(&p->said, len);
}

static size_t unescape(const char *text, char *out)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '\\' && text[1]) {
			text++;
			out[n++] = *text == 'r'	  ? '\r'
				   : *text == 'n' ? '\n'
				   : *text == '0' ? '\0'
						  : *text;
		} else {
			out[n++] = *text;
		}
	}
	return n;
}

static void give_body(struct player *p, const char *text)
{
	char data[LINE_MAX];
	size_t len = unescape(text, data), piece = p->cut == WHOLE ? len : 1;

	for (size_t at = 0; at < len; at += piece) {
		char *copy = malloc(piece);

		memcpy(copy, data + at, piece);
		assert_int_equal(relay_engine_body(p->e, &p->out, copy, piece), piece);
		free(copy);
	}
}

/* "a@b NAME=value": everything is freed before the engine is used again, which must have copied. */
static void call_mailbox(struct player *p, const char *text,
			 void (*call)(struct relay_engine *, const struct hook_mailbox *))
{
	char *copy = strdup(text), *save = NULL;
	struct hook_param params[PARAMS_MAX] = {0};
	struct hook_mailbox mailbox = {.params = params};
	char *word = *copy == ' ' ? (char *)"" : strtok_r(copy, " ", &save);

	mailbox.address = (struct octets){word ? word : "", word ? strlen(word) : 0};
	if (word && strcmp(word, "<>") == 0)
		mailbox.address.len = 0;
	while (word && (word = strtok_r(NULL, " ", &save)) && mailbox.params_len < PARAMS_MAX) {
		struct hook_param *param = &params[mailbox.params_len++];
		char *equals = strchr(word, '=');
		size_t n = equals ? (size_t)(equals - word) : strlen(word);

		param->name = (struct octets){word, n};
		if (equals)
			param->value = (struct octets){equals + 1, strlen(equals + 1)};
	}
	call(p->e, &mailbox);
	free(copy);
}

static void show_client(struct player *p, const char *text)
{
	static const struct relay_engine_client full = {.name = "client.example",
							.addr = "192.0.2.1",
							.port = 4711,
							.destaddr = "2001:db8::1",
							.destport = 25,
							.extended = true,
							.helo = {"he lo=+\xff", 8},
							.login = {"bob", 3}};
	static const struct relay_engine_client bare = {.addr = "2001:db8::2"};
	static const struct relay_engine_client named = {.addr = "192.0.2.1",
							 .helo = {"laptop.example", 14}};

	relay_engine_show_client(p->e, !*text			    ? &full
				       : strcmp(text, "named") == 0 ? &named
								    : &bare);
}

static void expect_fact(struct player *p, const char *fact)
{
	const struct {
		const char *word;
		bool is;
	} facts[] = {
		{"unknown", relay_engine_outcome_unknown(p->e)},
		{"known", !relay_engine_outcome_unknown(p->e)},
		{"answered", relay_engine_has_answered(p->e)},
		{"unanswered", !relay_engine_has_answered(p->e)},
		{"secure", relay_engine_is_secure(p->e)},
	};

	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		if (strcmp(fact, facts[i].word) == 0 && facts[i].is)
			return;
	if (strncmp(fact, "accepted ", 9) == 0 &&
	    relay_engine_accepted(p->e) == (unsigned)atoi(fact + 9))
		return;
	complain(p, "not so", fact, strlen(fact));
}

static const char *after(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && (!line[n] || line[n] == ' ')
		       ? line + n + (line[n] == ' ')
		       : NULL;
}

static bool call(struct player *p, const char *line)
{
	const char *rest;

	if ((rest = after(line, "begin")))
		call_mailbox(p, rest, relay_engine_begin);
	else if ((rest = after(line, "rcpt")))
		call_mailbox(p, rest, relay_engine_recipient);
	else if ((rest = after(line, "send")))
		relay_engine_send(p->e, strtoull(rest, NULL, 10), strstr(rest, "chunking"));
	else if ((rest = after(line, "body")))
		give_body(p, rest);
	else if ((rest = after(line, "reset")))
		assert_int_equal(relay_engine_reset(p->e), strcmp(rest, "false") != 0);
	else if ((rest = after(line, "tls")))
		relay_engine_tls_started(p->e, strcmp(rest, "verified") == 0);
	else if ((rest = after(line, "client")))
		show_client(p, rest);
	else if (after(line, "end"))
		relay_engine_body_end(p->e);
	else if (after(line, "quit"))
		relay_engine_quit(p->e);
	else
		return false;
	return true;
}

static void play_line(struct player *p, const char *line)
{
	char data[LINE_MAX];
	const char *rest;
	size_t n;

	if ((rest = after(line, "S:"))) {
		buf_printf(&p->pending, "%s\r\n", rest);
	} else if ((rest = after(line, "R:"))) {
		n = unescape(rest, data);
		buf_append(&p->pending, data, n);
	} else if ((rest = after(line, "C:"))) {
		n = (size_t)snprintf(data, sizeof data, "%s\r\n", rest);
		expect_said(p, data, n);
	} else if ((rest = after(line, "C|"))) {
		n = unescape(rest, data);
		expect_said(p, data, n);
	} else if ((rest = after(line, "="))) {
		expect_step(p, rest);
	} else if ((rest = after(line, "?"))) {
		expect_fact(p, rest);
	} else if (after(line, "lost")) {
		while (feed(p))
			;
		relay_engine_lost(p->e);
	} else if (!call(p, line)) {
		complain(p, "not known", line, strlen(line));
	}
}

/* Returns how many octets the server has said. */
static size_t play(const struct relay_dialogue *dialogue, size_t cut)
{
	struct player p = {.dialogue = dialogue, .cut = cut};
	struct relay_engine_settings settings = dialogue->settings;
	char *script = strdup(dialogue->script), *save = NULL;

	if (!settings.hostname)
		settings.hostname = "gw";
	buf_init(&p.in, RELAY_IN_MAX);
	buf_init(&p.out, RELAY_OUT_MAX);
	buf_init(&p.pending, 1 << 20);
	buf_init(&p.said, 1 << 20);
	p.e = relay_engine_new(&settings);
	for (char *line = strtok_r(script, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		p.line++;
		play_line(&p, line);
	}
	step(&p);
	if (p.said.len)
		complain(&p, "it has also said", buf_head(&p.said), p.said.len);
	if (p.pending.len)
		complain(&p, "not read", buf_head(&p.pending), p.pending.len);
	relay_engine_free(&p.e);
	buf_fini(&p.in);
	buf_fini(&p.out);
	buf_fini(&p.pending);
	buf_fini(&p.said);
	free(script);
	return p.fed;
}

void relay_dialogue_run(const struct relay_dialogue *dialogues, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t octets = play(&dialogues[i], WHOLE);

		assert_int_equal(play(&dialogues[i], SINGLE), octets);
		for (size_t cut = 1; cut < octets; cut++)
			assert_int_equal(play(&dialogues[i], cut), octets);
	}
}
