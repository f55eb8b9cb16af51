/* What services change in the message of a session. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "delivery/spool.h"
#include "message/header_edit.h"
#include "session_state.h"

static bool has_header_edits(const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->edits_len; i++)
		if (verdict->edits[i].name)
			return true;
	return false;
}

/* The new header section, for later: nothing is changed yet. */
static const char *make_header(struct session *s, const struct verdict *verdict, struct buf *header,
			       char *problem, size_t size)
{
	size_t len;
	uint64_t full;
	const char *old = spool_message_headers(session_message(s), &len, &full);

	if (full > len) {
		snprintf(problem, size, "a header section of more than %d octets cannot be edited",
			 SPOOL_HEADERS);
		return problem;
	}
	if (!header_edit(old, len, verdict->edits, verdict->edits_len, header, problem, size))
		return problem;
	return NULL;
}

static const char *edit_message(struct session *s, const struct verdict *verdict,
				struct buf *header, char *problem, size_t size)
{
	bool has_header = has_header_edits(verdict);

	if (has_header && make_header(s, verdict, header, problem, size))
		return problem;
	if (smtp_edit(s->smtp, verdict->edits, verdict->edits_len, problem, size))
		return problem;
	if (has_header && !spool_message_set_header(s->message, buf_head(header), header->len)) {
		snprintf(problem, size, "the message cannot be stored with its new header: %s",
			 strerror(errno));
		return problem;
	}
	return NULL;
}

const char *session_edit(void *arg, const struct verdict *verdict, char *problem, size_t size)
{
	struct session *s = arg;
	struct buf header;
	const char *result;

	buf_init(&header, SPOOL_HEADERS);
	result = edit_message(s, verdict, &header, problem, size);
	buf_fini(&header);
	if (!result)
		session_describe(s, s->asked->request.hook);
	return result;
}
