#include "smtp_extensions.h"

#include "base/buf.h"
#include "smtp_offer.h"
#include "smtp_reply.h"
#include "smtp_xclient.h"

#define TEXT_MAX  4096
#define LIMIT_MAX 999999 /* six digits: RFC 9422 section 4 */

/* RFC 9422: so that a client need not run into the limits to learn them. What is beyond the
 * grammar's six digits is no limit to anybody. */
static void add_limits(struct buf *text, const struct smtp *s)
{
	unsigned recipients_max = smtp_offers_recipients(s), messages_max = s->settings->messages;
	bool recipients = recipients_max <= LIMIT_MAX, messages = messages_max <= LIMIT_MAX;

	if (recipients || messages)
		buf_append_string(text, "\nLIMITS");
	if (recipients)
		buf_printf(text, " RCPTMAX=%u", recipients_max);
	if (messages)
		buf_printf(text, " MAILMAX=%u", messages_max);
}

enum smtp_step smtp_extensions_send(struct smtp *s, const char *greeting)
{
	struct buf text;
	enum smtp_step step;

	buf_init(&text, TEXT_MAX);
	buf_append_string(&text, greeting);
	buf_append_string(&text, "\nPIPELINING");
	buf_printf(&text, "\nSIZE %llu", (unsigned long long)smtp_offers_size(s));
	if (smtp_offers_eight_bit(s))
		buf_append_string(&text, "\n8BITMIME");
	if (smtp_offers_smtputf8(s))
		buf_append_string(&text, "\nSMTPUTF8");
	buf_append_string(&text, "\nENHANCEDSTATUSCODES");
	if (smtp_offers_chunking(s))
		buf_append_string(&text, "\nCHUNKING");
	if (smtp_offers_binary(s))
		buf_append_string(&text, "\nBINARYMIME");
	if (smtp_offers_dsn(s))
		buf_append_string(&text, "\nDSN");
	if (s->settings->starttls && !s->secure)
		buf_append_string(&text, "\nSTARTTLS");
	if (smtp_login_is_offered(s))
		buf_append_string(&text, "\nAUTH " SMTP_AUTH_MECHANISMS);
	if (smtp_offers_requiretls(s))
		buf_append_string(&text, "\nREQUIRETLS");
	add_limits(&text, s);
	if (s->xclient_allowed)
		buf_append_string(&text, "\nXCLIENT " SMTP_XCLIENT_NAMES);
	buf_append(&text, "", 1);
	step = smtp_reply_send(s, 250, "", buf_head(&text));
	buf_fini(&text);
	return step;
}
