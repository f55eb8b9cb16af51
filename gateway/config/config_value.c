#include "config_value.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "config.h"
#include "net/address.h"
#include "protocol/hook.h"

#define DOMAIN_MAX 253 /* RFC 1035 section 3.1: 255 octets with the lengths */
#define LABEL_MAX  63
#define USER_MAX   32

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

/* Words are stored through an unsigned. */
_Static_assert(sizeof(enum config_tls) == sizeof(unsigned) &&
		       sizeof(enum verdict_kind) == sizeof(unsigned) &&
		       sizeof(enum log_level) == sizeof(unsigned),
	       "an enum is as large as an unsigned");
_Static_assert(CONFIG_TLS_IMPLICIT == 2 && VERDICT_DISCONNECT == 3 && LOG_DEBUG_LEVEL == 3,
	       "the words of config_settings.h are in the order of the enums");

static bool consists_of(const char *text, const char *characters, size_t max)
{
	size_t len = strlen(text);

	return len && len <= max && strspn(text, characters) == len;
}

static bool is_ip(const char *text)
{
	struct address address;
	char with_port[DOMAIN_MAX + 4];

	snprintf(with_port, sizeof with_port, "%s:25", text);
	return address_parse(with_port, &address);
}

/* RFC 5321 section 4.1.2, Domain: letters, digits and inner hyphens; internationalised names in
 * their xn-- form. */
static bool is_domain(const char *text)
{
	if (strlen(text) > DOMAIN_MAX || is_ip(text))
		return false;
	for (;;) {
		size_t len = strspn(text, LETTERS DIGITS "-");

		if (!len || len > LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
			return false;
		if (!text[len])
			return true;
		if (text[len] != '.')
			return false;
		text += len + 1;
	}
}

static bool read_domain(const char *text, char **to)
{
	if (!is_domain(text))
		return false;
	*to = mem_copy_string(text);
	for (char *c = *to; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return true;
}

static bool copy_if(bool good, const char *text, char **to)
{
	if (good)
		*to = mem_copy_string(text);
	return good;
}

static bool is_path(const char *text, size_t max)
{
	return text[0] == '/' && strlen(text) <= max;
}

static bool is_readable(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good;

	if (fd < 0)
		return false;
	good = fstat(fd, &status) == 0;
	close(fd);
	if (good && S_ISDIR(status.st_mode)) {
		errno = EISDIR;
		return false;
	}
	return good;
}

static bool is_address(const char *text)
{
	struct address address;

	/* address_parse() may take a Unix path relative to wherever the process was started. */
	if (strncmp(text, "unix:", 5) == 0 && !is_path(text + 5, SOCKET_PATH_MAX))
		return false;
	return address_parse(text, &address);
}

static bool read_count(const struct setting *s, const char *text, unsigned *to)
{
	unsigned long value;

	if (!consists_of(text, DIGITS, 9))
		return false;
	value = strtoul(text, NULL, 10);
	*to = (unsigned)value;
	return (double)value >= s->low && (double)value <= s->high;
}

/* Those this process may run on: in a container, fewer than the machine has. */
static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static bool read_workers(const struct setting *s, const char *text, unsigned *to)
{
	if (strcmp(text, "auto") != 0)
		return read_count(s, text, to);
	*to = processors();
	if (*to > (unsigned)s->high)
		*to = (unsigned)s->high;
	return true;
}

static bool read_size(const struct setting *s, const char *text, uint64_t *to)
{
	return text_size(text, to) && (double)*to >= s->low && (double)*to <= s->high;
}

static bool read_time(const struct setting *s, const char *text, double *to)
{
	return text_duration(text, to) && *to >= s->low && *to <= s->high;
}

static bool read_word(const struct setting *s, const char *text, unsigned *place)
{
	size_t len = strlen(text);
	unsigned i = 0;

	for (const char *word = s->words; *word; i++) {
		size_t n = strcspn(word, " ");

		if (n == len && memcmp(word, text, n) == 0) {
			*place = i;
			return true;
		}
		word += n + (word[n] == ' ');
	}
	return false;
}

static bool read_hook(const char *text, unsigned *mask)
{
	enum hook hook;

	if (!hook_from_word(text, &hook))
		return false;
	*mask |= 1u << hook;
	return true;
}

bool config_value_read(const struct setting *s, const char *text, void *to)
{
	unsigned place;

	errno = 0;
	switch (s->kind) {
	case KIND_HOST:
	case KIND_DOMAINS: /* "any" has the syntax of a domain */
		return read_domain(text, to);
	case KIND_NAME:
		return copy_if(consists_of(text, LETTERS DIGITS "_-.", NAME_MAX_OCTETS), text, to);
	case KIND_PATH:
		return copy_if(is_path(text, (size_t)s->high), text, to);
	case KIND_SOCKETS:
		return copy_if(is_path(text, SOCKET_PATH_MAX), text, to);
	case KIND_FILE:
		return copy_if(text[0] == '/' && is_readable(text), text, to);
	case KIND_ADDRESS:
		return copy_if(is_address(text), text, to);
	case KIND_USER:
		return copy_if(consists_of(text, LETTERS DIGITS "_-.", USER_MAX) &&
				       !strchr(DIGITS "-.", text[0]),
			       text, to);
	case KIND_WORKERS:
		return read_workers(s, text, to);
	case KIND_COUNT:
		return read_count(s, text, to);
	case KIND_SIZE:
		return read_size(s, text, to);
	case KIND_TIME:
		return read_time(s, text, to);
	case KIND_WORD:
		return read_word(s, text, to);
	case KIND_BOOL:
		if (!read_word(s, text, &place))
			return false;
		*(bool *)to = place != 0;
		return true;
	case KIND_HOOKS:
		return read_hook(text, to);
	case KIND_POLICIES:
	case KIND_DELIVERY:
		break;
	}
	return false;
}

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

static void write_hooks(char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "one of ");

	for (unsigned hook = 0; hook < HOOK_MAX && at < size; hook++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", hook ? ", " : "",
				       hook_word((enum hook)hook));
}

const char *config_value_want(const struct setting *s, char out[CONFIG_WANT_SIZE])
{
	static const char *const fixed[] = {
		[KIND_HOST] = "a domain name",
		[KIND_FILE] = "the absolute path of a file that can be read",
		[KIND_ADDRESS] = "an address: IPv4:port, [IPv6]:port or unix:/path",
		[KIND_USER] = "the name of an account",
		[KIND_DOMAINS] = "a domain name or any",
		[KIND_POLICIES] = "the name of a policy",
		[KIND_DELIVERY] = "the name of a delivery",
	};
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
		write_words(s->words, out, CONFIG_WANT_SIZE);
		break;
	case KIND_HOOKS:
		write_hooks(out, CONFIG_WANT_SIZE);
		break;
	default:
		snprintf(out, CONFIG_WANT_SIZE, "%s", fixed[s->kind]);
	}
	return out;
}

void config_value_free(const struct setting *s, void *to)
{
	struct config_texts *texts = to;

	switch (s->kind) {
	case KIND_HOST:
	case KIND_NAME:
	case KIND_PATH:
	case KIND_FILE:
	case KIND_ADDRESS:
	case KIND_USER:
		free(*(char **)to);
		break;
	case KIND_SOCKETS:
	case KIND_DOMAINS:
		for (size_t i = 0; i < texts->len; i++)
			free(texts->items[i]);
		free(texts->items);
		*texts = (struct config_texts){0};
		break;
	default:
		break;
	}
}
