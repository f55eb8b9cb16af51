#include "config_value.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "config.h"
#include "config_secret.h"
#include "net/address.h"
#include "net/address_block.h"

#define DOMAIN_MAX 253 /* RFC 1035 section 3.1: 255 octets with the lengths */
#define LABEL_MAX  63
#define USER_MAX   32

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

/* Words are stored through an unsigned. */
_Static_assert(sizeof(enum config_tls) == sizeof(unsigned) &&
		       sizeof(enum config_tls_version) == sizeof(unsigned) &&
		       sizeof(enum config_protocol) == sizeof(unsigned) &&
		       sizeof(enum config_bare_newline) == sizeof(unsigned) &&
		       sizeof(enum tls_client_certificates) == sizeof(unsigned) &&
		       sizeof(enum config_mode) == sizeof(unsigned) &&
		       sizeof(enum config_order) == sizeof(unsigned) &&
		       sizeof(enum config_delivery_tls) == sizeof(unsigned) &&
		       sizeof(enum config_show_client) == sizeof(unsigned) &&
		       sizeof(enum log_level) == sizeof(unsigned),
	       "an enum is as large as an unsigned");
_Static_assert(CONFIG_TLS_IMPLICIT == 2 && TLS_CLIENT_CERTIFICATES_REQUIRE == 2 &&
		       CONFIG_PROTOCOL_LMTP == 1 && CONFIG_BARE_NEWLINE_ACCEPT == 1 &&
		       CONFIG_TLS_1_3 == 1 && CONFIG_MODE_SHADOW == 1 && LOG_DEBUG_LEVEL == 3 &&
		       CONFIG_ORDER_ROUND_ROBIN == 1 && CONFIG_DELIVERY_TLS_VERIFIED == 2 &&
		       CONFIG_SHOW_PROXY == 2,
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

/* Another brace is a name that is not known here, or half of one. */
static bool is_template(const char *text, size_t max)
{
	if (!is_path(text, max))
		return false;
	for (text += strcspn(text, "{}"); *text; text += strcspn(text, "{}")) {
		if (strncmp(text, "{domain}", 8) != 0 && strncmp(text, "{local}", 7) != 0)
			return false;
		text = strchr(text, '}') + 1;
	}
	return true;
}

static bool is_login(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~')
			return false;
	}
	return len && len <= LOGIN_MAX;
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

/* The form only; whether it was passed is a cross check. */
static bool is_passed(const char *text)
{
	return strncmp(text, CONFIG_PASSED, strlen(CONFIG_PASSED)) == 0 &&
	       consists_of(text + strlen(CONFIG_PASSED), LETTERS DIGITS "_-.", NAME_MAX_OCTETS);
}

static bool is_address(const char *text)
{
	struct address address;

	/* address_parse() may take a Unix path relative to wherever the process was started. */
	if (strncmp(text, "unix:", 5) == 0 && !is_path(text + 5, SOCKET_PATH_MAX))
		return false;
	return address_parse(text, &address);
}

/* Of a server there is no "whatever port the system chooses". */
static bool is_server(const char *text)
{
	struct address address;

	return address_parse(text, &address) && address_port(&address) != 0;
}

static bool is_backend(const char *text)
{
	return strncmp(text, "unix:", 5) == 0 ? is_address(text) : is_server(text);
}

/* A faulty text leaves the entry empty, in which nobody is. */
static bool read_block(const char *text, struct address_block *to)
{
	struct address_block block;

	if (!address_block_parse(text, &block))
		return false;
	*to = block;
	return true;
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

static bool read_bool(const struct setting *s, const char *text, bool *to)
{
	unsigned place = 0;
	bool good = read_word(s, text, &place);

	*to = place != 0;
	return good;
}

static bool read_action(const struct setting *s, const char *text, enum verdict_kind *to)
{
	unsigned place;

	return read_word(s, text, &place) && verdict_from_word(text, to);
}

static bool read_bit(const struct setting *s, const char *text, unsigned *mask)
{
	const char *word;

	for (unsigned bit = 0; (word = config_value_bit(s->kind, bit)); bit++) {
		if (strcmp(word, text) == 0) {
			*mask |= 1u << bit;
			return true;
		}
	}
	return false;
}

static bool is_account(const char *text)
{
	return consists_of(text, LETTERS DIGITS "_-.", USER_MAX) && !strchr(DIGITS "-.", text[0]);
}

/* (uid_t)-1 is nobody's: system calls take it for "no change". */
static bool read_uid(const char *text, struct config_uid *to)
{
	const struct passwd *account = is_account(text) ? getpwnam(text) : NULL;
	unsigned long value;

	errno = 0; /* that there is no such account is all there is to say */
	if (account) {
		*to = (struct config_uid){true, account->pw_uid};
		return true;
	}
	if (!consists_of(text, DIGITS, 10))
		return false;
	value = strtoul(text, NULL, 10);
	*to = (struct config_uid){true, (uid_t)value};
	return value < (uid_t)-1;
}

bool config_value_read(const struct setting *s, const char *text, void *to)
{
	errno = 0;
	switch (s->kind) {
	case KIND_HOST:
	case KIND_DOMAINS: /* "any" has the syntax of a domain */
		return read_domain(text, to);
	case KIND_NAME:
		return copy_if(consists_of(text, LETTERS DIGITS "_-.", NAME_MAX_OCTETS), text, to);
	case KIND_PATH:
		return copy_if(is_path(text, (size_t)s->high), text, to);
	case KIND_TEMPLATE:
		return copy_if(is_template(text, (size_t)s->high), text, to);
	case KIND_SECRET:
		return config_secret_read(text, to);
	case KIND_LOGIN:
		return copy_if(is_login(text), text, to);
	case KIND_SOCKETS:
		return copy_if(is_path(text, SOCKET_PATH_MAX), text, to);
	case KIND_FILE:
		return copy_if(text[0] == '/' && is_readable(text), text, to);
	case KIND_ADDRESS:
		return copy_if(is_passed(text) || is_address(text), text, to);
	case KIND_SERVERS:
		return copy_if(is_server(text), text, to);
	case KIND_BACKENDS:
		return copy_if(is_backend(text), text, to);
	case KIND_BLOCKS:
		return read_block(text, to);
	case KIND_USER:
		return copy_if(is_account(text), text, to);
	case KIND_UID:
	case KIND_UIDS:
		return read_uid(text, to);
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
		return read_bool(s, text, to);
	case KIND_ACTION:
		return read_action(s, text, to);
	case KIND_HOOKS:
	case KIND_CLASSES:
	case KIND_GRANTS:
	case KIND_REDACT:
		return read_bit(s, text, to);
	case KIND_POLICIES:
	case KIND_POLICY:
	case KIND_DELIVERY:
		break;
	}
	return false;
}

void config_value_free(const struct setting *s, void *to)
{
	struct config_blocks *blocks = to;
	struct config_texts *texts = to;

	switch (s->kind) {
	case KIND_HOST:
	case KIND_NAME:
	case KIND_PATH:
	case KIND_TEMPLATE:
	case KIND_LOGIN:
	case KIND_FILE:
	case KIND_ADDRESS:
	case KIND_USER:
		free(*(char **)to);
		break;
	case KIND_SECRET:
		config_secret_free(to);
		break;
	case KIND_SOCKETS:
	case KIND_DOMAINS:
	case KIND_SERVERS:
	case KIND_BACKENDS:
		for (size_t i = 0; i < texts->len; i++)
			free(texts->items[i]);
		free(texts->items);
		*texts = (struct config_texts){0};
		break;
	case KIND_POLICIES:
		free(*(size_t **)to);
		break;
	case KIND_UIDS:
		free(*(struct config_uid **)to);
		break;
	case KIND_BLOCKS:
		free(blocks->items);
		*blocks = (struct config_blocks){0};
		break;
	default:
		break;
	}
}
