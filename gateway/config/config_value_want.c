#include "config_value.h"

#include <stdio.h>

#include "protocol/event_redact.h"
#include "protocol/failure.h"
#include "protocol/handshake.h"
#include "protocol/hook.h"

/* In the largest unit that divides it: 90s, 2m. */
static const char *write_time(double seconds, char out[32])
{
	static const struct {
		const char *unit;
		unsigned factor; /* in milliseconds */
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	unsigned long long value = (unsigned long long)(seconds * 1000 + 0.5);
	size_t i = 0;

	while (value % units[i].factor || (!value && units[i].factor > 1000))
		i++;
	snprintf(out, 32, "%llu%s", value / units[i].factor, units[i].unit);
	return out;
}

static const char *write_size(double octets, char out[32])
{
	static const char *const units[] = {"", "K", "M", "G"};
	unsigned long long value = (unsigned long long)octets;
	size_t i = 0;

	while (i < 3 && value && value % 1024 == 0) {
		value /= 1024;
		i++;
	}
	snprintf(out, 32, "%llu%s", value, units[i]);
	return out;
}

static void write_words(const char *words, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "one of ");

	for (; *words && at + 3 < size; words++) {
		out[at++] = *words == ' ' ? ',' : *words;
		if (*words == ' ')
			out[at++] = ' ';
	}
	out[at] = '\0';
}

const char *config_value_bit(enum setting_kind kind, unsigned bit)
{
	switch (kind) {
	case KIND_HOOKS:
		return bit < HOOK_MAX ? hook_word((enum hook)bit) : NULL;
	case KIND_CLASSES:
		return bit < FAILURE_CHOICES ? failure_word((enum failure)bit) : NULL;
	case KIND_GRANTS:
		return bit < HANDSHAKE_GRANT_MAX ? handshake_grant_word((enum handshake_grant)bit)
						 : NULL;
	case KIND_REDACT:
		return event_redact_word(bit);
	default:
		return NULL;
	}
}

static void write_bits(enum setting_kind kind, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "one of ");
	const char *word;

	for (unsigned bit = 0; (word = config_value_bit(kind, bit)) && at < size; bit++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", bit ? ", " : "", word);
}

/* Kinds of which there is no more to say. */
static const char *const fixed[] = {
	[KIND_HOST] = "a domain name",
	[KIND_FILE] = "the absolute path of a file that can be read",
	[KIND_ADDRESS] = "an address: IPv4:port, [IPv6]:port, unix:/path or fd:name",
	[KIND_SECRET] = "the absolute path of a file that others cannot read, with a "
			"password as its one line",
	[KIND_USER] = "the name of an account",
	[KIND_UID] = "an account of this machine or a number below 4294967295",
	[KIND_UIDS] = "an account of this machine or a number below 4294967295",
	[KIND_DOMAINS] = "a domain name or any",
	[KIND_SERVERS] = "an address: IPv4:port or [IPv6]:port",
	[KIND_BACKENDS] = "an address: IPv4:port, [IPv6]:port or unix:/path",
	[KIND_BLOCKS] = "an IP address, or the first one of a block and its prefix "
			"length: 10.0.0.0/8",
	[KIND_POLICIES] = "the name of a policy",
	[KIND_POLICY] = "the name of a policy",
	[KIND_DELIVERY] = "the name of a delivery",
};

const char *config_value_want(const struct setting *s, char out[CONFIG_WANT_SIZE])
{
	char low[32], high[32];

	switch (s->kind) {
	case KIND_NAME:
		snprintf(out, CONFIG_WANT_SIZE,
			 "a name of letters, digits, _ - and . (at most %d octets)",
			 NAME_MAX_OCTETS);
		break;
	case KIND_PATH:
	case KIND_SOCKETS:
		snprintf(out, CONFIG_WANT_SIZE, "an absolute path of at most %.0f octets",
			 s->kind == KIND_PATH ? s->high : SOCKET_PATH_MAX);
		break;
	case KIND_TEMPLATE:
		snprintf(out, CONFIG_WANT_SIZE,
			 "an absolute path of at most %.0f octets, in braces only domain or local",
			 s->high);
		break;
	case KIND_LOGIN:
		snprintf(out, CONFIG_WANT_SIZE, "1 to %d printable characters of ASCII", LOGIN_MAX);
		break;
	case KIND_WORKERS:
	case KIND_COUNT:
		snprintf(out, CONFIG_WANT_SIZE, "%sa number from %.0f to %.0f",
			 s->kind == KIND_WORKERS ? "auto or " : "", s->low, s->high);
		break;
	case KIND_SIZE:
		snprintf(out, CONFIG_WANT_SIZE, "a size from %s to %s (units K M G)",
			 write_size(s->low, low), write_size(s->high, high));
		break;
	case KIND_TIME:
		snprintf(out, CONFIG_WANT_SIZE, "a time from %s to %s (units ms s m h d)",
			 write_time(s->low, low), write_time(s->high, high));
		break;
	case KIND_WORD:
	case KIND_BOOL:
	case KIND_ACTION:
		write_words(s->words, out, CONFIG_WANT_SIZE);
		break;
	case KIND_HOOKS:
	case KIND_CLASSES:
	case KIND_GRANTS:
	case KIND_REDACT:
		write_bits(s->kind, out, CONFIG_WANT_SIZE);
		break;
	default:
		snprintf(out, CONFIG_WANT_SIZE, "%s", fixed[s->kind]);
	}
	return out;
}
