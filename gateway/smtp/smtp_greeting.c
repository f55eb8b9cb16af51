/* How a connection begins, in clear and again under TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp_engine.h"
#include "smtp_reply.h"

const char *smtp_verdict_line(const struct smtp *s, char line[VERDICT_LINE_MAX + 1],
			      const char *otherwise)
{
	const char *text = s->verdict->text ? s->verdict->text : otherwise;

	snprintf(line, VERDICT_LINE_MAX + 1, "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

enum smtp_step smtp_greeting_begin(struct smtp *s)
{
	if (s->settings->implicit_tls && !s->secure) {
		s->phase = SMTP_PHASE_TLS;
		return smtp_greeting_handshake(s);
	}
	return smtp_ask(s, HOOK_CONNECT);
}

static enum smtp_step banner(struct smtp *s)
{
	char text[1024];
	enum smtp_step step;

	/* RFC 5321 4.2: the host's name comes first; "ESMTP" is what old clients look for. */
	snprintf(text, sizeof text, "%s ESMTP%s%s", s->settings->hostname, s->greeting ? " " : "",
		 s->greeting ? s->greeting : "");
	free(s->greeting);
	s->greeting = NULL;
	s->phase = SMTP_PHASE_COMMAND;
	step = smtp_reply_send(s, 220, "", text);
	s->greeted = true;
	return step;
}

/* RFC 5321 3.1: a banner that refuses is a 5yz, and the client is to say QUIT. No 4yz but 421 may
 * stand here (4.3.2), so "try again" also closes. */
static enum smtp_step refusing_banner(struct smtp *s)
{
	int code = verdict_code(s->verdict, HOOK_CONNECT);
	enum smtp_step step;

	s->refused = true;
	s->phase = SMTP_PHASE_COMMAND;
	step = smtp_reply_refusal_as(s, code < 500 ? 421 : code, "");
	s->greeted = true;
	return step;
}

/* The client was to wait for the banner, and talks already: so do programs that push their whole
 * dialogue at any port without reading. To talk before one's turn later, without PIPELINING, is no
 * violation: whether it shows depends on how the network cuts the input, and nothing else that the
 * engine does depends on that. */
enum smtp_step smtp_greeting_early_talk(struct smtp *s)
{
	s->reply.violation = "early_talk";
	return smtp_reply_last(s, 554, "", "Protocol error: talked before the banner",
			       DISCONNECT_EARLY_TALK);
}

enum smtp_step smtp_greeting_on_connect(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1];

	if (s->verdict->kind != VERDICT_ACCEPT)
		return refusing_banner(s);
	free(s->greeting);
	s->greeting = NULL;
	if (s->verdict->text)
		s->greeting = mem_copy_string(smtp_verdict_line(s, line, ""));
	return s->secure ? smtp_greeting_ask_secure(s) : banner(s);
}

enum smtp_step smtp_greeting_ask_secure(struct smtp *s)
{
	s->secure_asked = true;
	return smtp_ask(s, HOOK_SECURE);
}

/* A handshake has no reply: a refusal waits for the next command, unless the banner is still to
 * come. */
enum smtp_step smtp_greeting_on_secure(struct smtp *s)
{
	bool refused = s->verdict->kind != VERDICT_ACCEPT;

	if (!s->greeted)
		return refused ? refusing_banner(s) : banner(s);
	s->refused_later = refused;
	return smtp_advance(s);
}

enum smtp_step smtp_greeting_starttls(struct smtp *s, struct octets argument)
{
	(void)argument;
	if (!s->settings->starttls)
		return smtp_reply_send(s, 454, "4.7.0", "TLS not available");
	return smtp_ask(s, HOOK_STARTTLS);
}

enum smtp_step smtp_greeting_on_starttls(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1];

	if (s->verdict->kind != VERDICT_ACCEPT)
		return smtp_reply_refusal(s, HOOK_STARTTLS);
	smtp_end_transaction(s);
	s->phase = SMTP_PHASE_TLS;
	return smtp_reply_send(s, 220, "2.0.0", smtp_verdict_line(s, line, "Ready to start TLS"));
}

/* STARTTLS injection (CVE-2011-0411): octets that came in clear must never be taken for what the
 * peer said under TLS. A client may not send any before the handshake (RFC 3207 4), so whoever did
 * is an attacker, and the connection is worth nothing. */
enum smtp_step smtp_greeting_handshake(struct smtp *s)
{
	/* Under implicit TLS nothing was ever read in clear: what is there is the handshake's. */
	if (!s->in->len || s->settings->implicit_tls)
		return SMTP_NEED_TLS;
	s->phase = SMTP_PHASE_GONE;
	s->reason = DISCONNECT_STARTTLS_INJECTION;
	return SMTP_FINISHED;
}
