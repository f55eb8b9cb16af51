#include "base64.h"

#include <string.h>

#include "protocol/grow.h"

/* The value of a digit and one more; 0 when it is none. */
static const unsigned char values[256] = {
	['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,	['G'] = 7,
	['H'] = 8,  ['I'] = 9,	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

static size_t padding(const char *text, size_t len)
{
	size_t n = 0;

	while (n < 2 && n < len && text[len - 1 - n] == '=')
		n++;
	return n;
}

bool gatepost_base64_check(const char *text, size_t len)
{
	size_t digits = len - padding(text, len);

	if (len % 4)
		return false;
	for (size_t i = 0; i < digits; i++)
		if (!values[(unsigned char)text[i]])
			return false;
	return true;
}

static unsigned digit(const char *text, size_t i)
{
	unsigned char value = values[(unsigned char)text[i]];

	return value ? value - 1u : 0; /* padding counts as 0 and is cut off */
}

char *gatepost_base64_decode(const char *text, size_t text_len, size_t *len)
{
	char *data = grow_resize(NULL, text_len / 4 * 3 + 1);
	size_t n = 0;

	for (size_t i = 0; i + 3 < text_len; i += 4) {
		unsigned group = digit(text, i) << 18 | digit(text, i + 1) << 12 |
				 digit(text, i + 2) << 6 | digit(text, i + 3);

		data[n++] = (char)(group >> 16 & 0xff);
		data[n++] = (char)(group >> 8 & 0xff);
		data[n++] = (char)(group & 0xff);
	}
	if (n)
		n -= padding(text, text_len);
	data[n] = '\0';
	*len = n;
	return data;
}
