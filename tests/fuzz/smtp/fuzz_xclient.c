/* Any octets as the attributes of XCLIENT. What is taken over ends in a NUL, is printable or UTF-8,
 * and is only there where its bit is. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "protocol/utf8.h"
#include "smtp/smtp_xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct smtp_xclient *x, unsigned bit, const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	assert(len < size);
	assert(!len || x->given & bit);
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		assert(n && (unsigned char)text[i] > ' ' && text[i] != 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_xclient x = {0}, again;

	if (!smtp_xclient_parse((const char *)data, size, &x))
		return 0;
	assert(x.given && x.given < 256);
	check_text(&x, SMTP_XCLIENT_NAME, x.name, sizeof x.name);
	check_text(&x, SMTP_XCLIENT_ADDR, x.addr, sizeof x.addr);
	check_text(&x, SMTP_XCLIENT_DESTADDR, x.destaddr, sizeof x.destaddr);
	check_text(&x, SMTP_XCLIENT_PROTO, x.proto, sizeof x.proto);
	check_text(&x, SMTP_XCLIENT_HELO, x.helo, sizeof x.helo);
	check_text(&x, SMTP_XCLIENT_LOGIN, x.login, sizeof x.login);
	assert(x.port <= 65535 && (!x.port || x.given & SMTP_XCLIENT_PORT));
	assert(x.destport <= 65535 && (!x.destport || x.given & SMTP_XCLIENT_DESTPORT));
	/* Said once more it changes nothing. */
	again = x;
	assert(smtp_xclient_parse((const char *)data, size, &again));
	assert(again.given == x.given && again.port == x.port && !strcmp(again.login, x.login));
	return 0;
}
