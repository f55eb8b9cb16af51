/* Any octets behind the first as the value of each DSN parameter. What is good must be short, have
 * no control octet, and have none when it is decoded either. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_dsn.h"
#include "smtp/smtp_xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_decoded(const char *xtext, size_t len)
{
	char out[512];
	size_t out_len;

	assert(smtp_xtext_decode(xtext, len, out, sizeof out, &out_len) && out_len <= len);
	for (size_t i = 0; i < out_len; i++)
		assert((out[i] >= ' ' && out[i] <= '~') || out[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct octets value = {(const char *)data + 1, size ? size - 1 : 0};
	const char *semicolon;

	if (!size)
		return 0;
	if (smtp_dsn_ret(value))
		assert(value.len == 4);
	if (smtp_dsn_notify(value))
		check_printable(value.data, value.len);
	if (smtp_dsn_envid(value)) {
		assert(value.len <= 100);
		check_decoded(value.data, value.len);
	}
	if (smtp_dsn_orcpt(value)) {
		assert(value.len <= 500);
		check_printable(value.data, value.len);
		semicolon = memchr(value.data, ';', value.len);
		assert(semicolon && semicolon > value.data);
		if (strncasecmp(value.data, "utf-8;", 6) != 0)
			check_decoded(semicolon + 1,
				      value.len - (size_t)(semicolon + 1 - value.data));
	}
	return 0;
}
