#include "smtp_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static enum smtp_line_fault find_fault(const char *text, size_t len)
{
	enum smtp_line_fault fault = SMTP_LINE_GOOD;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\r' || c == '\n')
			return SMTP_LINE_BARE_NEWLINE;
		if (c < 0x20 || c == 0x7f)
			fault = SMTP_LINE_CONTROL;
		else if (c > 0x7f && fault == SMTP_LINE_GOOD)
			fault = SMTP_LINE_EIGHT_BIT;
	}
	return fault;
}

/* Without the CRLF. */
static void keep(struct smtp_line *line, const char *data, size_t len, size_t max)
{
	line->len = len < max - 2 ? len : max - 2;
	line->text = mem_copy_bytes(data, line->len);
}

/* No CRLF has come. */
static void read_part(struct smtp_line *line, const char *data, size_t len, size_t max,
		      size_t *used)
{
	if (!line->skipping && len < max)
		return;
	if (!line->skipping) {
		line->skipping = true;
		keep(line, data, len, max);
	}
	/* A CR may be the first half of the end that is looked for. */
	*used = len && data[len - 1] == '\r' ? len - 1 : len;
}

bool smtp_line_read(struct smtp_line *line, const char *data, size_t len, size_t max, size_t *used)
{
	const char *end = len ? memmem(data, len, "\r\n", 2) : NULL;
	size_t n;

	*used = 0;
	if (!end) {
		read_part(line, data, len, max, used);
		return false;
	}
	n = (size_t)(end - data);
	*used = n + 2;
	if (!line->skipping)
		keep(line, data, n, max);
	if (line->skipping || n > max - 2)
		line->fault = SMTP_LINE_TOO_LONG;
	else
		line->fault = find_fault(line->text, line->len);
	line->skipping = false;
	return true;
}

void smtp_line_fini(struct smtp_line *line)
{
	free(line->text);
	*line = (struct smtp_line){0};
}

void smtp_line_wipe(struct smtp_line *line)
{
	if (line->text)
		explicit_bzero(line->text, line->len);
	smtp_line_fini(line);
}
