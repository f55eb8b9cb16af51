#include "player_report.h"

#include <stdio.h>
#include <string.h>

/* *text: what stands behind code and status. */
static bool fits(const char *line, size_t len, const struct smtp_reply *reply, bool last,
		 const char **text)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%d%c%s%s", reply->code, last ? ' ' : '-',
			 reply->status, reply->status[0] != '\0' ? " " : "");

	if (n < 0 || len < (size_t)n || memcmp(line, head, (size_t)n) != 0)
		return false;
	*text = line + n;
	return true;
}

bool player_report_is_of(const struct buf *lines, const struct smtp_reply *reply,
			 struct octets *wrong)
{
	const char *line = buf_head(lines), *end = line + lines->len, *text;

	for (bool first = true; line < end; first = false) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)(lf - line);

		*wrong = (struct octets){line, len};
		if (!fits(line, len, reply, lf + 1 == end, &text))
			return false;
		len = (size_t)(lf - text);
		if (first && (strlen(reply->text) != len || memcmp(text, reply->text, len) != 0))
			return false;
		line = lf + 1;
	}
	return true;
}

void player_report_add(struct buf *reports, const struct smtp_reply *reply)
{
	buf_printf(
		reports,
		"%s %d %s %s violation=%s discarded=%d by_delivery=%d begun=%d ended=%d command=",
		smtp_verb_word(reply->verb), reply->code, reply->status, reply->text,
		reply->violation != NULL ? reply->violation : "-", reply->discarded,
		reply->by_delivery, reply->transaction_begun, reply->transaction_ended);
	if (reply->line.len > 0)
		buf_append(reports, reply->line.data, reply->line.len);
	buf_append(reports, "\n", 1);
}
