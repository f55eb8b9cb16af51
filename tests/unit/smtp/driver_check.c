/* What must be true of every session. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "driver.h"

/* Later questions must not point at what is gone: the domain is the tail of the address. */
static void check_mailbox(const struct hook_mailbox *mailbox)
{
	const char *end = mailbox->address.data + mailbox->address.len;

	if (mailbox->domain.data + mailbox->domain.len != end ||
	    mailbox->domain.len > mailbox->address.len)
		abort();
}

static bool is_ours(const struct smtp_settings *settings, struct octets domain)
{
	for (size_t i = 0; i < settings->accept_domains_len; i++)
		if (text_is(domain.data, domain.len, settings->accept_domains[i]))
			return true;
	return !domain.len;
}

void driver_check_request(const struct driver_script *script, const struct smtp_settings *settings,
			  const struct hook_request *request)
{
	const struct hook_context *context = &request->context;
	bool any = settings->accept_any || script->relay || context->auth;
	bool message = request->hook == HOOK_DATA || request->hook == HOOK_MESSAGE;

	if (context->mail)
		check_mailbox(context->mail);
	for (size_t i = 0; i < context->recipients_len; i++) {
		check_mailbox(&context->recipients[i]);
		if (!any && !is_ours(settings, context->recipients[i].domain))
			abort();
	}
	if (context->recipients_len > settings->recipients || (message && !context->recipients_len))
		abort();
}

void driver_check_output(const struct buf *output)
{
	const char *at = output->len ? buf_head(output) : "";
	const char *end = at + output->len;

	while (at < end) {
		const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);

		if (!crlf || crlf - at > 510 || crlf - at < 4 || (at[3] != ' ' && at[3] != '-'))
			abort();
		for (int i = 0; i < 3; i++)
			if (at[i] < '0' || at[i] > '9')
				abort();
		for (; at < crlf; at++)
			if (*at < ' ' || *at > '~')
				abort();
		at = crlf + 2;
	}
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert(a->len == b->len && (!a->len || !memcmp(buf_head(a), buf_head(b), a->len)));
}

void driver_compare(const struct driver_script *script, uint8_t octet, size_t len)
{
	struct driver whole, cut;

	driver_init(&whole, script);
	driver_run(&whole, SIZE_MAX, 0);
	driver_init(&cut, script);
	if (octet & 64)
		driver_run(&cut, 0, (octet & 63) + 1u);
	else
		driver_run(&cut, len * (octet & 63) / 64, 0);
	assert_same(&whole.output, &cut.output);
	assert_same(&whole.trace, &cut.trace);
	assert_same(&whole.messages, &cut.messages);
	driver_fini(&whole);
	driver_fini(&cut);
}
