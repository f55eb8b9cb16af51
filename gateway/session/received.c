#include "received.h"

#include <string.h>

#include "base/text.h"

/* The name of EHLO may be anything but controls. In a header, parentheses, semicolons and quotes
 * would change what the field says. Octets above 127 stay where SMTPUTF8 has checked them. */
static void append_safe(struct buf *out, struct octets text, bool utf8)
{
	static const char harmless[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"-._:[]@+=";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		bool good = (c && strchr(harmless, c)) || (utf8 && (unsigned char)c > 127);

		buf_append(out, good ? &c : "?", 1);
	}
}

static bool is_smtputf8(const struct hook_context *context)
{
	for (size_t i = 0; context->mail && i < context->mail->params_len; i++) {
		const struct octets *name = &context->mail->params[i].name;

		if (text_is(name->data, name->len, "SMTPUTF8"))
			return true;
	}
	return false;
}

/* RFC 3848, and RFC 6531 section 4.3: which protocol the message came by. Who has logged in without
 * TLS did so at the proxy that has said XCLIENT. */
static const char *with_protocol(const struct hook_context *context)
{
	static const char *const words[2][2][4] = {
		{{"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
		 {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"}},
		{{"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
		 {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"}}};
	const char *verb = context->helo ? context->helo->verb : "HELO";
	bool utf8 = is_smtputf8(context);

	if (strcmp(verb, "HELO") == 0)
		return "SMTP";
	return words[verb[0] == 'L'][utf8][(context->tls ? 2 : 0) + (context->auth ? 1 : 0)];
}

/* RFC 5321 section 4.4 wants a name here, and the address as it was seen, an IPv6 one with its tag.
 * Where the client is to stay unknown, its EHLO would tell as much of it: then the name is
 * "localhost", which is a domain (RFC 6761 section 6.3) and nobody's: for the world the message
 * begins here. */
static void append_client(struct buf *out, const struct hook_context *context, bool client)
{
	if (!client) {
		buf_append_string(out, "localhost");
		return;
	}
	if (context->helo)
		append_safe(out, context->helo->name, false);
	else
		buf_append_string(out, "unknown");
	if (context->client.ip)
		buf_printf(out, " ([%s%s])", strchr(context->client.ip, ':') ? "IPv6:" : "",
			   context->client.ip);
}

/* RFC 8314 section 4.3: the cipher suite by its registered name. TLS 1.2's have other names with
 * OpenSSL; those stand in the comment only. */
static void append_suite(struct buf *out, const struct hook_tls *tls)
{
	if (tls && strncmp(tls->cipher, "TLS_", 4) == 0)
		buf_printf(out, "\r\n\ttls %s", tls->cipher);
}

void received_field(struct buf *out, const struct hook_context *context, bool client,
		    const char *hostname, const char *transaction, const char *date)
{
	buf_append_string(out, "Received: from ");
	append_client(out, context, client);
	if (context->tls)
		buf_printf(out, "\r\n\t(using %s with cipher %s (%d bits))", context->tls->version,
			   context->tls->cipher, context->tls->bits);
	buf_printf(out, "\r\n\tby %s (gatepost) with %s id %s", hostname, with_protocol(context),
		   transaction);
	/* With several recipients a "for" would tell each of them about another (RFC 5321 7.6). */
	if (context->recipients_len == 1) {
		buf_append_string(out, "\r\n\tfor <");
		append_safe(out, context->recipients[0].address, is_smtputf8(context));
		buf_append_string(out, ">");
	}
	append_suite(out, context->tls);
	buf_printf(out, ";\r\n\t%s\r\n", date);
}
