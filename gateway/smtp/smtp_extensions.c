#include "smtp_extensions.h"

#include "base/buf.h"
#include "smtp_reply.h"
#include "smtp_xclient.h"

#define TEXT_MAX  4096
#define LIMIT_MAX 999999 /* six digits: RFC 9422 section 4 */

/* RFC 9422: so that a client need not run into the limits to learn them. What is beyond the
 * grammar's six digits is no limit to anybody. */
static void add_limits(struct buf *text, const struct smtp_settings *settings)
{
	bool recipients = settings->recipients <= LIMIT_MAX;
	bool messages = settings->messages <= LIMIT_MAX;

	if (recipients || messages)
		buf_append_string(text, "\nLIMITS");
	if (recipients)
		buf_printf(text, " RCPTMAX=%u", settings->recipients);
	if (messages)
		buf_printf(text, " MAILMAX=%u", settings->messages);
}

enum smtp_step smtp_extensions_send(struct smtp *s, const char *greeting)
{
	const struct smtp_settings *settings = s->settings;
	struct buf text;
	enum smtp_step step;

	buf_init(&text, TEXT_MAX);
	buf_append_string(&text, greeting);
	buf_append_string(&text, "\nPIPELINING");
	buf_printf(&text, "\nSIZE %llu", (unsigned long long)settings->message_size);
	buf_append_string(&text, "\n8BITMIME");
	buf_append_string(&text, "\nSMTPUTF8");
	buf_append_string(&text, "\nENHANCEDSTATUSCODES");
	buf_append_string(&text, "\nCHUNKING\nBINARYMIME");
	if (settings->dsn)
		buf_append_string(&text, "\nDSN");
	if (settings->starttls && !s->secure)
		buf_append_string(&text, "\nSTARTTLS");
	if (smtp_login_is_offered(s))
		buf_append_string(&text, "\nAUTH " SMTP_AUTH_MECHANISMS);
	/* RFC 8689 section 2: only under TLS. The message ends here, so there is no way onward that
	 * could be without. */
	if (s->secure)
		buf_append_string(&text, "\nREQUIRETLS");
	add_limits(&text, settings);
	if (s->xclient_allowed)
		buf_append_string(&text, "\nXCLIENT " SMTP_XCLIENT_NAMES);
	buf_append(&text, "", 1);
	step = smtp_reply_send(s, 250, "", buf_head(&text));
	buf_fini(&text);
	return step;
}
