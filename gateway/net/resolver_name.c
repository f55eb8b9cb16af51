#include "resolver_name.h"

#include <ctype.h>
#include <string.h>

/* What the owner of an address claims goes into headers, logs and rules. "192.0.2.1" would be taken
 * for an address there, so a name whose last label is a number is none (RFC 3696 section 2). */
static bool is_host_name(const char *text, size_t length)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	const char *last = strrchr(text, '.');

	last = last ? last + 1 : text;
	return length && strspn(text, allowed) == length && last[strspn(last, "0123456789")];
}

bool resolver_name_take(const char *text, struct resolver_name *result)
{
	size_t length = strlen(text);

	if (length >= sizeof result->name || !is_host_name(text, length))
		return false;
	for (size_t i = 0; i <= length; i++)
		result->name[i] = (char)tolower((unsigned char)text[i]);
	return true;
}
