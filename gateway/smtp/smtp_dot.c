#include "smtp_dot.h"

#include <string.h>

/* What the first octets of a line mean. SMTP_DOT_BODY: the line's content begins at *start. */
static enum smtp_dot_result read_line_start(const char *data, size_t len, size_t *start)
{
	*start = 0;
	if (data[0] != '.')
		return SMTP_DOT_BODY;
	if (len == 1 || (len == 2 && data[1] == '\r'))
		return SMTP_DOT_MORE;
	if (data[1] == '\r' && data[2] == '\n')
		return SMTP_DOT_END;
	*start = 1;
	return SMTP_DOT_BODY;
}

static bool has_cr(const char *data, size_t from, size_t to)
{
	return from < to && memchr(data + from, '\r', to - from);
}

/* Goes on from `at` to where the octets of the message stop being contiguous, or known, and returns
 * that place: before the dot of a line, or before a last CR, which needs its neighbour to be
 * judged. */
static size_t find_end(struct smtp_dot *dot, const char *data, size_t len, size_t at)
{
	while (at < len) {
		const char *lf = memchr(data + at, '\n', len - at);
		size_t n = lf ? (size_t)(lf - data) : len;
		bool cr = n > at && data[n - 1] == '\r';

		if (has_cr(data, at, cr ? n - 1 : n) || (lf && !cr))
			dot->bare_newline = true;
		if (!lf) {
			size_t end = cr ? n - 1 : n;

			if (end > at)
				dot->in_line = true;
			return end;
		}
		at = n + 1;
		dot->in_line = !cr;
		if (cr && at < len && data[at] == '.')
			return at;
	}
	return at;
}

enum smtp_dot_result smtp_dot_read(struct smtp_dot *dot, const char *data, size_t len,
				   struct octets *body, size_t *used)
{
	enum smtp_dot_result result;
	size_t start = 0;

	*body = (struct octets){0};
	*used = 0;
	if (!len)
		return SMTP_DOT_MORE;
	if (!dot->in_line) {
		result = read_line_start(data, len, &start);
		if (result == SMTP_DOT_END)
			*used = 3;
		if (result != SMTP_DOT_BODY)
			return result;
	}
	*used = find_end(dot, data, len, start);
	if (*used == start)
		return SMTP_DOT_MORE;
	*body = (struct octets){data + start, *used - start};
	return SMTP_DOT_BODY;
}
