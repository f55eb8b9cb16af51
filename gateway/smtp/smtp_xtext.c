#include "smtp_xtext.h"

/* The hexadecimal digit's value, -1 when it is none. Only upper case: RFC 3461 section 4. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One octet of the text; how many octets it takes, 0 when it is none. */
static size_t decode_octet(const char *data, size_t len, char *out)
{
	if (data[0] == '+') {
		int high = len > 2 ? digit(data[1]) : -1;
		int low = len > 2 ? digit(data[2]) : -1;

		*out = (char)(high * 16 + low);
		return high < 0 || low < 0 ? 0 : 3;
	}
	*out = data[0];
	return data[0] > ' ' && data[0] <= '~' && data[0] != '=';
}

bool smtp_xtext_decode(const char *data, size_t len, char *out, size_t size, size_t *out_len)
{
	*out_len = 0;
	while (len) {
		size_t n = *out_len < size ? decode_octet(data, len, &out[*out_len]) : 0;

		if (!n)
			return false;
		(*out_len)++;
		data += n;
		len -= n;
	}
	return true;
}

bool smtp_xtext_is_printable(const char *data, size_t len)
{
	while (len) {
		char c;
		size_t n = decode_octet(data, len, &c);

		if (!n || ((c < ' ' || c > '~') && c != '\t'))
			return false;
		data += n;
		len -= n;
	}
	return true;
}
