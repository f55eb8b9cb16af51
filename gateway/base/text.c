#include "text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

bool text_is(const char *data, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(data, word, n) == 0;
}

void text_escape(const char *data, size_t n, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			if (at + 1 >= size)
				break;
			out[at++] = (char)c;
		} else {
			if (at + 6 >= size)
				break;
			snprintf(out + at, 7, "\\u%04x", c);
			at += 6;
		}
	}
	out[at] = '\0';
}

/* Digits at the front of `text`, at most 12 of them so that no later product overflows. */
static const char *leading_number(const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 12)
		return NULL;
	*value = 0;
	for (size_t i = 0; i < digits; i++)
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	return text + digits;
}

bool text_duration(const char *text, double *seconds)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	uint64_t value;
	const char *unit = leading_number(text, &value);

	for (size_t i = 0; unit && i < sizeof units / sizeof *units; i++) {
		if (strcmp(unit, units[i].unit) == 0) {
			*seconds = (double)value * units[i].factor;
			return true;
		}
	}
	return false;
}

bool text_size(const char *text, uint64_t *octets)
{
	static const char units[] = "KMG";
	uint64_t value;
	const char *unit = leading_number(text, &value);
	const char *found;

	if (!unit)
		return false;
	*octets = value;
	if (!*unit)
		return true;
	found = strchr(units, *unit);
	if (!found || unit[1])
		return false;
	*octets = value << (10 * (found - units + 1));
	return *octets >> (10 * (found - units + 1)) == value;
}

void text_time(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	char date[24];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%06ldZ", date, now.tv_nsec / 1000);
}

void text_mail_date(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	/* The process never calls setlocale(), so the names are the English ones RFC 5322 asks for.
	 */
	gmtime_r(&now, &tm);
	strftime(out, size, "%a, %d %b %Y %H:%M:%S +0000", &tm);
}
