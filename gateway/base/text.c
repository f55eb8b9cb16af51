#include "text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

bool text_is(const char *data, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(data, word, n) == 0;
}

static void escape(const char *data, size_t n, bool quotes, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x20 && c < 0x7f && (c != '"' || !quotes) && c != '\\') {
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

void text_escape(const char *data, size_t n, char *out, size_t size)
{
	escape(data, n, true, out, size);
}

void text_escape_line(const char *data, size_t n, char *out, size_t size)
{
	escape(data, n, false, out, size);
}

char *text_append_octets(char *at, char *end, const char *data, size_t n)
{
	size_t room = (size_t)(end - at) - 1;

	assert(at < end);
	at = mempcpy(at, data, n < room ? n : room);
	*at = '\0';
	return at;
}

char *text_append(char *at, char *end, const char *text)
{
	return text_append_octets(at, end, text, strlen(text));
}

void text_copy(char *out, size_t size, const char *text)
{
	text_append(out, out + size, text);
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

#define TIME_SIZE sizeof "2026-11-24T11:03:15.482113Z"

/* The date changes once a second and is asked for many times in it. */
static const char *date_of(time_t second)
{
	static _Thread_local time_t known = -1;
	static _Thread_local char date[24];
	struct tm tm;

	if (second != known) {
		gmtime_r(&second, &tm);
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
		known = second;
	}
	return date;
}

void text_time(char *out, size_t size)
{
	struct timespec now;
	const char *date;
	char *at;

	assert(size >= TIME_SIZE);
	clock_gettime(CLOCK_REALTIME, &now);
	date = date_of(now.tv_sec);
	at = mempcpy(out, date, strlen(date));
	*at++ = '.';
	for (long unit = 100000, left = now.tv_nsec / 1000; unit; left %= unit, unit /= 10)
		*at++ = (char)('0' + left / unit);
	memcpy(at, "Z", 2);
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
