#include "smtp_path.h"

#include <string.h>

#include "base/text.h"
#include "smtp_literal.h"

/* Octets: RFC 1035 2.3.4; a longer label exists in no DNS. A U-label may be longer: it is the
 * A-label made of it that is not (RFC 5890 4.2). */
#define LABEL_MAX 63

struct cursor {
	const char *data;
	size_t len, at;
};

static bool is_let_dig(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* UTF8-non-ascii, as RFC 6531 3.3 adds it to atext, qtextSMTP and sub-domain */
static bool is_eight_bit(char c)
{
	return (unsigned char)c > 127;
}

static bool is_atext(char c)
{
	return is_let_dig(c) || is_eight_bit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* The next octet, NUL at the end: no rule below accepts a NUL. */
static char peek(const struct cursor *c)
{
	return c->at < c->len ? c->data[c->at] : '\0';
}

static bool take(struct cursor *c, char wanted)
{
	if (peek(c) != wanted)
		return false;
	c->at++;
	return true;
}

static bool take_local_octet(struct smtp_path *path, struct cursor *c)
{
	if (path->local_len == sizeof path->local)
		return false;
	path->local[path->local_len++] = c->data[c->at++];
	return true;
}

/* Dot-string = Atom *("." Atom) */
static bool take_dot_string(struct smtp_path *path, struct cursor *c)
{
	do {
		if (!is_atext(peek(c)))
			return false;
		while (is_atext(peek(c)))
			if (!take_local_octet(path, c))
				return false;
	} while (peek(c) == '.' && take_local_octet(path, c));
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE */
static bool take_quoted_string(struct smtp_path *path, struct cursor *c)
{
	if (!take(c, '"'))
		return false;
	while (!take(c, '"')) {
		bool pair = take(c, '\\');
		bool ascii = peek(c) >= 32 && peek(c) <= 126;

		if (!ascii && (pair || !is_eight_bit(peek(c))))
			return false;
		if (!take_local_octet(path, c))
			return false;
	}
	return true;
}

/* sub-domain = Let-dig [Ldh-str] / U-label */
static bool take_label(struct cursor *c)
{
	size_t start = c->at;
	bool ascii = true;

	if (peek(c) == '-')
		return false;
	while (is_let_dig(peek(c)) || is_eight_bit(peek(c)) || peek(c) == '-') {
		ascii = ascii && !is_eight_bit(peek(c));
		c->at++;
	}
	if (c->at == start || c->data[c->at - 1] == '-')
		return false;
	return !ascii || c->at - start <= LABEL_MAX;
}

/* Domain = sub-domain *("." sub-domain). A dot at the end is no part of it. */
static bool take_domain(struct cursor *c)
{
	size_t start = c->at;

	do {
		if (!take_label(c))
			return false;
	} while (take(c, '.'));
	return c->at - start <= SMTP_PATH_DOMAIN_MAX;
}

static bool take_literal(struct cursor *c)
{
	const char *start = c->data + c->at + 1;
	const char *end = take(c, '[') ? memchr(start, ']', c->len - c->at) : NULL;
	size_t n = end ? (size_t)(end - start) : 0;

	if (!end || n + 2 > SMTP_PATH_DOMAIN_MAX || !smtp_literal_is_valid(start, n))
		return false;
	c->at += n + 1;
	return true;
}

/* A-d-l ":" where A-d-l = At-domain *( "," At-domain ) */
static bool take_route(struct cursor *c)
{
	do {
		if (!take(c, '@') || !take_domain(c))
			return false;
	} while (take(c, ','));
	return take(c, ':');
}

static struct octets since(const struct cursor *c, size_t start)
{
	return (struct octets){c->data + start, c->at - start};
}

static bool take_mailbox(enum smtp_path_kind kind, struct cursor *c, struct smtp_path *path)
{
	size_t start = c->at, domain;
	bool quoted = peek(c) == '"';

	if (!(quoted ? take_quoted_string(path, c) : take_dot_string(path, c)))
		return false;
	if (c->at - start > SMTP_PATH_LOCAL_MAX)
		return false;
	/* RFC 5321 4.5.1: every server has a postmaster, who can be reached without a domain. */
	if (kind == SMTP_PATH_FORWARD && !quoted && peek(c) == '>' &&
	    text_is(path->local, path->local_len, "postmaster")) {
		path->domain = since(c, c->at);
	} else {
		if (!take(c, '@'))
			return false;
		domain = c->at;
		if (!(peek(c) == '[' ? take_literal(c) : take_domain(c)))
			return false;
		path->domain = since(c, domain);
	}
	path->address = since(c, start);
	return true;
}

static bool take_path(enum smtp_path_kind kind, struct cursor *c, struct smtp_path *path)
{
	if (!take(c, '<'))
		return false;
	path->address = path->domain = since(c, c->at);
	if (kind == SMTP_PATH_REVERSE && take(c, '>'))
		return true;
	if (peek(c) == '@' && !take_route(c))
		return false;
	return take_mailbox(kind, c, path) && take(c, '>');
}

bool smtp_path_parse(enum smtp_path_kind kind, const char *data, size_t len, struct smtp_path *path)
{
	struct cursor c = {data, len, 0};

	path->local_len = 0;
	path->eight_bit = false;
	if (!take_path(kind, &c, path))
		return false;
	path->used = c.at;
	for (size_t i = 0; i < c.at; i++)
		path->eight_bit = path->eight_bit || is_eight_bit(data[i]);
	return true;
}
