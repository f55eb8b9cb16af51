/* text: small pure functions over characters, numbers with units, and time. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ASCII case-insensitive comparison of `n` octets with the string; true when equal in full. */
bool text_is(const char *data, size_t n, const char *word);
/* Printable ASCII stays, all else (and quote and backslash) becomes \u00HH, so the result can stand
 * inside a JSON string. It always ends in NUL and is cut at `size`. */
void text_escape(const char *data, size_t n, char *out, size_t size);
/* The same for a line that is no JSON: quotes stay. */
void text_escape_line(const char *data, size_t n, char *out, size_t size);
/* Writes n octets at `at`, fewer where `end` comes first, and a NUL behind them, for which there
 * must be room: at < end. Returns where that is: the next piece goes there. */
char *text_append_octets(char *at, char *end, const char *data, size_t n);
char *text_append(char *at, char *end, const char *text);
/* Copies the text, cut so that it fits with its NUL. */
void text_copy(char *out, size_t size, const char *text);
/* "30s" "5m" "1h" "250ms" into seconds; false on anything else, on negatives, on overflow. */
bool text_duration(const char *text, double *seconds);
/* "512" "64K" "25M" "2G" (powers of 1024) into octets; false on anything else. */
bool text_size(const char *text, uint64_t *octets);
/* Now, as RFC 3339 UTC with microseconds: 2026-11-24T11:03:15.482113Z (28 octets with the NUL). */
void text_time(char *out, size_t size);
/* Now, as an RFC 5322 date-time: Tue, 24 Nov 2026 11:03:15 +0000. */
void text_mail_date(char *out, size_t size);

#endif
