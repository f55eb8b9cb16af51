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

/* RFC 3848, and RFC 6531 section 4.3: which protocol the message came by. */
static const char *with_protocol(const struct hook_context *context)
{
	static const char *const words[2][2][3] = {
		{{"ESMTP", "ESMTPS", "ESMTPSA"}, {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPSA"}},
		{{"LMTP", "LMTPS", "LMTPSA"}, {"UTF8LMTP", "UTF8LMTPS", "UTF8LMTPSA"}}};
	const char *verb = context->helo ? context->helo->verb : "HELO";
	bool utf8 = is_smtputf8(context);

	if (strcmp(verb, "HELO") == 0)
		return "SMTP";
	return words[verb[0] == 'L'][utf8][!context->tls ? 0 : context->auth ? 2 : 1];
}

void received_field(struct buf *out, const struct hook_context *context, const char *hostname,
		    const char *transaction, const char *date)
{
	buf_append_string(out, "Received: from ");
	if (context->helo)
		append_safe(out, context->helo->name, false);
	else
		buf_append_string(out, "unknown");
	/* RFC 5321 4.4: the address as it was seen, an IPv6 one with its tag. */
	if (context->client.ip)
		buf_printf(out, " ([%s%s])", strchr(context->client.ip, ':') ? "IPv6:" : "",
			   context->client.ip);
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
	buf_printf(out, ";\r\n\t%s\r\n", date);
}
