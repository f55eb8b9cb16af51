#include "smtp_dsn.h"

#include <string.h>

#include "base/text.h"
#include "smtp_xtext.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* RFC 3461 section 4.2 */

bool smtp_dsn_ret(struct octets value)
{
	return text_is(value.data, value.len, "FULL") || text_is(value.data, value.len, "HDRS");
}

bool smtp_dsn_envid(struct octets value)
{
	return value.len && value.len <= ENVID_MAX &&
	       smtp_xtext_is_printable(value.data, value.len);
}

static bool is_notify_element(const char *data, size_t len)
{
	return text_is(data, len, "SUCCESS") || text_is(data, len, "FAILURE") ||
	       text_is(data, len, "DELAY");
}

bool smtp_dsn_notify(struct octets value)
{
	if (text_is(value.data, value.len, "NEVER"))
		return true;
	while (value.len) {
		const char *comma = memchr(value.data, ',', value.len);
		size_t n = comma ? (size_t)(comma - value.data) : value.len;

		if (!is_notify_element(value.data, n))
			return false;
		if (!comma)
			return true;
		value = (struct octets){comma + 1, value.len - n - 1};
	}
	return false;
}

/* "\x{" 1*6HEXDIG "}": RFC 6533 section 3. How many octets it takes, 0 when it is none. */
static size_t embedded_character(const char *data, size_t len)
{
	size_t n = 3;

	if (len < 5 || memcmp(data, "\\x{", 3) != 0)
		return 0;
	while (n < len && n < 9 && memchr("0123456789ABCDEFabcdef", data[n], 22))
		n++;
	return n > 3 && n < len && data[n] == '}' ? n + 1 : 0;
}

static bool is_utf8_address(const char *data, size_t len)
{
	while (len) {
		size_t n = data[0] == '\\' ? embedded_character(data, len) : 1;

		if (!n || (unsigned char)data[0] <= ' ' || data[0] == 0x7f || data[0] == '+' ||
		    data[0] == '=')
			return false;
		data += n;
		len -= n;
	}
	return true;
}

/* addr-type = atom, of which a registered name has only these */
static bool is_type(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    c != '-')
			return false;
	}
	return len > 0;
}

bool smtp_dsn_orcpt(struct octets value)
{
	const char *semicolon = value.len ? memchr(value.data, ';', value.len) : NULL;
	size_t type = semicolon ? (size_t)(semicolon - value.data) : 0;
	size_t address = semicolon ? value.len - type - 1 : 0;

	if (!address || value.len > ORCPT_MAX || !is_type(value.data, type))
		return false;
	if (text_is(value.data, type, "utf-8"))
		return is_utf8_address(semicolon + 1, address);
	return smtp_xtext_is_printable(semicolon + 1, address);
}
