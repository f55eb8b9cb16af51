#include "event_stream.h"

#include <string.h>

#include "protocol/event.h"

/* Decimal digits at the front of the line: how many; 0 when they are too many for the number. */
static size_t read_number(const char *text, uint64_t *number)
{
	size_t digits = 0;

	for (*number = 0; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		if (digits == 15)
			return 0;
		*number = *number * 10 + (uint64_t)(text[digits] - '0');
	}
	return digits;
}

bool event_stream_read(const char *line, size_t len, struct event_stream_record *record)
{
	static const char lost[] = "lost ";
	const size_t lost_len = sizeof lost - 1;
	uint64_t number;
	size_t digits;

	*record = (struct event_stream_record){0};
	if (strncmp(line, lost, lost_len) == 0) {
		digits = read_number(line + lost_len, &record->lost);
		return digits && lost_len + digits == len && record->lost;
	}
	digits = read_number(line, &number);
	if (!digits || line[digits] != ' ' || number >= EVENT_MAX)
		return false;
	record->kind = (unsigned)number;
	record->body = line + digits + 1;
	record->len = len - digits - 1;
	return record->len && record->len <= EVENT_STREAM_BODY_MAX;
}
