#include "smtp_received.h"

#include <string.h>

static const char field_name[] = "received";

static void scan_octet(struct smtp_received *r, char c)
{
	if (c == '\n') {
		/* A line of an LF alone too, where such messages are accepted. */
		r->over = r->cr || (!r->matched && !r->skip);
		r->matched = 0;
		r->skip = r->cr = false;
	} else if (r->cr) { /* it was one without LF */
		r->cr = false;
		r->skip = true;
	} else if (c == '\r' && !r->matched) {
		r->cr = true;
	} else if (r->matched < sizeof field_name - 1) {
		/* Setting the bit of lower case turns no other octet than R into r, and so on. */
		if ((c | 0x20) == field_name[r->matched])
			r->matched++;
		else
			r->skip = true;
	} else if (c == ':') {
		r->count++;
		r->skip = true;
	} else if (c != ' ' && c != '\t') { /* blanks before the colon: RFC 5322 4.5.8 */
		r->skip = true;
	}
}

void smtp_received_scan(struct smtp_received *r, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !r->over; i++) {
		if (r->skip) {
			const char *lf = memchr(data + i, '\n', len - i);

			if (!lf)
				return;
			i = (size_t)(lf - data);
		}
		scan_octet(r, data[i]);
	}
}
