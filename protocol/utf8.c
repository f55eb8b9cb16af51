#include "utf8.h"

/* RFC 3629 section 4: the first octet gives the length and the range of the second; the others are
 * 80-BF. The narrow ranges keep out overlong forms, surrogates and what lies beyond U+10FFFF. */
static const struct {
	unsigned char first, last, second_low, second_high, length;
} rows[] = {
	{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

#define ROWS_MAX (sizeof rows / sizeof rows[0])

size_t utf8_length(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t i = 0;

	while (i < ROWS_MAX && len && !(p[0] >= rows[i].first && p[0] <= rows[i].last))
		i++;
	if (i == ROWS_MAX || len < rows[i].length)
		return 0;
	if (rows[i].length > 1 && (p[1] < rows[i].second_low || p[1] > rows[i].second_high))
		return 0;
	for (size_t n = 2; n < rows[i].length; n++)
		if (p[n] < 0x80 || p[n] > 0xbf)
			return 0;
	return rows[i].length;
}

unsigned utf8_code_point(const char *data, size_t n)
{
	static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned code_point = (unsigned char)data[0] & mask[n];

	for (size_t i = 1; i < n; i++)
		code_point = code_point << 6 | ((unsigned char)data[i] & 0x3f);
	return code_point;
}

void utf8_make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}
