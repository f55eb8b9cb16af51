/* From the banner to the first RELAY_READY. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay_engine_offer.h"
#include "relay_engine_state.h"

static void ask_hello(struct relay_engine *e, enum relay_verb verb)
{
	const char *word = verb == RELAY_HELO ? "HELO" : e->settings->lmtp ? "LHLO" : "EHLO";
	/* The session that XCLIENT begins is the client's: a server (Postfix for one) takes the
	 * name said now for the client's, whatever XCLIENT had as HELO. */
	const char *name =
		e->speaks_for_client && e->client_name ? e->client_name : e->settings->hostname;
	size_t size = strlen(name) + sizeof "EHLO \r\n";
	char *line = mem_new(size);

	snprintf(line, size, "%s %s\r\n", word, name);
	/* Until the reply nothing is offered. */
	e->offer = (struct relay_engine_offer){0};
	relay_ask_add(e, verb, line);
}

void relay_hello_begin(struct relay_engine *e)
{
	struct relay_ask *banner = relay_ask_add(e, RELAY_BANNER, NULL);

	banner->written = true;
	e->awaited = 1;
}

static size_t base64(const unsigned char *data, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		unsigned long bits = (unsigned long)data[i] << 16;

		bits |= i + 1 < len ? (unsigned long)data[i + 1] << 8 : 0;
		bits |= i + 2 < len ? data[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			out[n++] = i + k > len ? '=' : digits[bits >> (18 - 6 * k) & 63];
	}
	return n;
}

/* RFC 4616: NUL user NUL password, with the AUTH command (RFC 4954 section 4). */
static char *auth_line(const struct relay_engine_settings *settings)
{
	static const char command[] = "AUTH PLAIN ";
	size_t user = strlen(settings->user), password = strlen(settings->password);
	size_t len = user + password + 2;
	unsigned char *plain = mem_new(len);
	char *line = mem_new(sizeof command + (len + 2) / 3 * 4 + 2);

	memcpy(plain + 1, settings->user, user);
	memcpy(plain + user + 2, settings->password, password);
	memcpy(line, command, sizeof command - 1);
	memcpy(line + sizeof command - 1 + base64(plain, len, line + sizeof command - 1), "\r\n",
	       2);
	explicit_bzero(plain, len);
	free(plain);
	return line;
}

static enum relay_step next_login(struct relay_engine *e)
{
	if (!e->secure)
		return relay_fail(e, RELAY_FAILURE_LOGIN, "no login without TLS", NULL);
	if (e->offer.auth_plain) {
		relay_ask_add(e, RELAY_AUTH, auth_line(e->settings));
		return RELAY_GO_ON;
	}
	/* Some servers list it no more once it is done. */
	if (!e->logged_in)
		return relay_fail(e, RELAY_FAILURE_LOGIN, "AUTH PLAIN is not offered", NULL);
	e->login_due = false;
	e->hello_done = true;
	return RELAY_GO_ON;
}

enum relay_step relay_hello_next(struct relay_engine *e)
{
	if (e->settings->tls != RELAY_TLS_NONE && !e->secure && !e->tls_refused) {
		if (e->offer.starttls) {
			relay_ask_add(e, RELAY_STARTTLS, mem_copy_string("STARTTLS\r\n"));
			return RELAY_GO_ON;
		}
		if (e->settings->tls == RELAY_TLS_REQUIRED)
			return relay_fail(e, RELAY_FAILURE_TLS, "STARTTLS is not offered", NULL);
	}
	if (e->client_due && e->offer.xclient) {
		e->client_due = false;
		relay_ask_add(e, RELAY_XCLIENT, relay_xclient_line(e));
		return RELAY_GO_ON;
	}
	e->client_due = false;
	if (e->login_due)
		return next_login(e);
	e->hello_done = true;
	return RELAY_GO_ON;
}

static enum relay_step on_ehlo(struct relay_engine *e)
{
	if (e->reply.code / 100 == 2) {
		relay_offer_end(&e->offer);
		return relay_hello_next(e);
	}
	/* RFC 5321 3.2. In LMTP there is no other greeting, and who knows STARTTLS knows EHLO. */
	if (e->reply.code / 100 == 5 && !e->settings->lmtp && !e->secure) {
		ask_hello(e, RELAY_HELO);
		return RELAY_GO_ON;
	}
	return relay_fail(e, RELAY_FAILURE_REFUSED, "EHLO", &e->reply);
}

static enum relay_step on_starttls(struct relay_engine *e, const struct buf *in)
{
	if (e->reply.code / 100 == 2) {
		/* They would be taken for what the server says under TLS (CVE-2011-0411). */
		if (in->len)
			return relay_fail(e, RELAY_FAILURE_BROKEN, "octets in clear after STARTTLS",
					  NULL);
		e->handshake = true;
		return RELAY_NEED_TLS;
	}
	if (e->settings->tls == RELAY_TLS_REQUIRED || !relay_is_refusal(&e->reply))
		return relay_fail(e, RELAY_FAILURE_TLS, "STARTTLS", &e->reply);
	e->tls_refused = true;
	return relay_hello_next(e);
}

static enum relay_step on_auth(struct relay_engine *e)
{
	/* 503: a new client was shown, and the login of before still holds. */
	if (e->reply.code / 100 != 2 && !(e->reply.code == 503 && e->logged_in))
		return relay_fail(e, RELAY_FAILURE_LOGIN, "AUTH", &e->reply);
	e->logged_in = true;
	e->login_due = false;
	return relay_hello_next(e);
}

enum relay_step relay_hello_answer(struct relay_engine *e, enum relay_verb verb,
				   const struct buf *in)
{
	switch (verb) {
	case RELAY_EHLO:
		return on_ehlo(e);
	case RELAY_STARTTLS:
		return on_starttls(e, in);
	case RELAY_AUTH:
		return on_auth(e);
	default:
		break;
	}
	if (e->reply.code / 100 != 2)
		return relay_fail(e, RELAY_FAILURE_REFUSED, relay_ask_word(verb), &e->reply);
	if (verb == RELAY_HELO)
		return relay_hello_next(e);
	/* After XCLIENT the session begins anew, perhaps without what was before. */
	if (verb == RELAY_XCLIENT) {
		e->login_due = e->settings->user;
		e->speaks_for_client = true;
	}
	ask_hello(e, RELAY_EHLO);
	return RELAY_GO_ON;
}

void relay_engine_tls_started(struct relay_engine *e, bool verified)
{
	assert(e->handshake);
	e->handshake = false;
	e->secure = true;
	e->verified = verified;
	ask_hello(e, RELAY_EHLO);
}

void relay_engine_show_client(struct relay_engine *e, const struct relay_engine_client *client)
{
	assert(!e->transaction);
	relay_xclient_keep(e, client);
	e->client_due = true;
	if (e->hello_done && e->failure == RELAY_FAILURE_NONE) {
		e->hello_done = false;
		relay_hello_next(e);
	}
}
