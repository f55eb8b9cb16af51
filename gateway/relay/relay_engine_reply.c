#include "relay_engine_reply.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code at the front of a line; 0: there is none. No server of SMTP says 1yz. */
static int read_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

/* Length of ".ddd" at the front; 0: it is none. */
static size_t status_part(struct octets text)
{
	size_t n = 1;

	if (text.len < 2 || text.data[0] != '.')
		return 0;
	while (n < text.len && n < 4 && is_digit(text.data[n]))
		n++;
	return n > 1 ? n : 0;
}

/* Length of the enhanced code at the front of the text (RFC 3463 section 2); 0: there is none that
 * fits. */
static size_t status_length(int code, struct octets text)
{
	size_t subject, detail, n;

	if (!text.len || text.data[0] != '0' + code / 100 || code / 100 == 3)
		return 0;
	subject = status_part((struct octets){text.data + 1, text.len - 1});
	if (!subject)
		return 0;
	detail = status_part((struct octets){text.data + 1 + subject, text.len - 1 - subject});
	n = 1 + subject + detail;
	return detail && (n == text.len || text.data[n] == ' ') ? n : 0;
}

static void keep_first(struct relay_reply *reply, struct octets text)
{
	size_t n = status_length(reply->code, text), len = 0;

	memcpy(reply->status, text.data, n);
	reply->status[n] = '\0';
	while (n && n < text.len && text.data[n] == ' ')
		n++;
	for (; n < text.len && len < sizeof reply->text - 1; n++) {
		char c = text.data[n];

		reply->text[len++] = c >= ' ' && c <= '~' ? c : '?';
	}
	while (len && reply->text[len - 1] == ' ')
		len--;
	reply->text[len] = '\0';
}

static enum relay_reply_result take_line(struct relay_reply *reply, struct octets *line)
{
	int code = read_code(line->data, line->len);
	char after = line->len > 3 ? line->data[3] : ' ';

	if (!code || (after != ' ' && after != '-') || (reply->lines && code != reply->code) ||
	    reply->lines == RELAY_REPLY_LINES_MAX)
		return RELAY_REPLY_BAD;
	/* A code alone is a reply too (RFC 5321 4.2.1). */
	*line = line->len > 4 ? (struct octets){line->data + 4, line->len - 4}
			      : (struct octets){line->data + line->len, 0};
	reply->code = code;
	if (!reply->lines++)
		keep_first(reply, *line);
	return after == '-' ? RELAY_REPLY_LINE : RELAY_REPLY_DONE;
}

enum relay_reply_result relay_reply_read(struct relay_reply *reply, const char *data, size_t len,
					 struct octets *line, size_t *used)
{
	const char *lf = len ? memchr(data, '\n', len) : NULL;
	size_t n = lf ? (size_t)(lf - data) : len;

	*used = 0;
	*line = (struct octets){0};
	if (n > RELAY_REPLY_LINE_MAX + 1)
		return RELAY_REPLY_BAD;
	if (!lf)
		return RELAY_REPLY_MORE;
	if (!n || data[n - 1] != '\r')
		return RELAY_REPLY_BAD;
	*line = (struct octets){data, n - 1};
	*used = n + 1;
	return take_line(reply, line);
}
