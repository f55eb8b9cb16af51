#include "smtp_literal.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Snum 3("." Snum) */
static bool is_ipv4(const char *data, size_t len)
{
	size_t at = 0;

	for (int part = 0; part < 4; part++) {
		unsigned value = 0;
		size_t digits = 0;

		if (part && (at == len || data[at++] != '.'))
			return false;
		for (; at < len && is_digit(data[at]) && digits < 3; digits++)
			value = value * 10 + (unsigned)(data[at++] - '0');
		if (!digits || value > 255)
			return false;
	}
	return at == len;
}

/* The 1 to 4 hexadecimal digits at the front: how many octets they are, 0 when there are none or
 * more. */
static size_t hex_group(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && is_hex(data[n]))
		n++;
	return n <= 4 ? n : 0;
}

/* Groups joined by colons, the last one perhaps an IPv4 address, which stands for two. Their
 * number, -1 when it is no such list. */
static int count_groups(const char *data, size_t len, bool ipv4_allowed)
{
	int groups = 0;
	size_t at = 0;

	while (at < len) {
		size_t n = hex_group(data + at, len - at);

		if (n && at + n == len)
			return groups + 1;
		if (ipv4_allowed && is_ipv4(data + at, len - at))
			return groups + 2;
		if (!n || data[at + n] != ':' || at + n + 1 == len)
			return -1;
		groups++;
		at += n + 1;
	}
	return groups;
}

static bool is_ipv6(const char *data, size_t len)
{
	const char *gap = memmem(data, len, "::", 2);
	size_t before = gap ? (size_t)(gap - data) : len;
	int left, right;

	if (!gap)
		return count_groups(data, len, true) == 8;
	left = count_groups(data, before, false);
	right = count_groups(gap + 2, len - before - 2, true);
	/* "::" stands for at least two groups. */
	return left >= 0 && right >= 0 && left + right <= 6;
}

/* The grammar also has a General-address-literal with any registered tag, but IANA registers no
 * other tag than IPv6. With others let through, [2001:db8::1] would be the content "db8::1" under
 * the tag "2001". */
bool smtp_literal_is_valid(const char *data, size_t len)
{
	static const char ipv6[] = "IPv6:";
	const size_t tag = sizeof ipv6 - 1;

	if (len >= tag && strncasecmp(data, ipv6, tag) == 0)
		return is_ipv6(data + tag, len - tag);
	return is_ipv4(data, len);
}
