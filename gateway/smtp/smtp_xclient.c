#include "smtp_xclient.h"

#include <string.h>

#include "base/text.h"
#include "protocol/utf8.h"
#include "smtp_literal.h"
#include "smtp_xtext.h"

/* Each sets its attribute to the decoded value, which has no NUL, is not empty and was not
 * unavailable. False when it is none for it. */
typedef bool set_value(struct smtp_xclient *x, const char *value, size_t len);

/* The octets of a host's name as the DNS has them; the names themselves are the peer's to check. */
static bool is_name(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = value[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !strchr("-._", c))
			return false;
	}
	return true;
}

/* They reach events and services, which are ready for any UTF-8 but not for control octets. */
static bool is_text(const char *value, size_t len)
{
	size_t n;

	for (; len; value += n, len -= n) {
		n = utf8_length(value, len);
		if (!n || (unsigned char)value[0] <= ' ' || value[0] == 0x7f)
			return false;
	}
	return true;
}

static bool copy(char *to, size_t size, const char *value, size_t len)
{
	if (len >= size)
		return false;
	memcpy(to, value, len);
	to[len] = '\0';
	return true;
}

static bool copy_address(char *to, size_t size, const char *value, size_t len)
{
	static const char prefix[] = "IPV6:";
	const size_t n = sizeof prefix - 1;

	/* The prefix is that of an address literal, but for its case. */
	if (!smtp_literal_is_valid(value, len))
		return false;
	if (len > n && text_is(value, n, prefix))
		return copy(to, size, value + n, len - n);
	return copy(to, size, value, len);
}

static bool read_port(unsigned *port, const char *value, size_t len)
{
	*port = 0;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9' || len > 5)
			return false;
		*port = *port * 10 + (unsigned)(value[i] - '0');
	}
	return *port > 0 && *port <= 65535;
}

static bool set_name(struct smtp_xclient *x, const char *value, size_t len)
{
	return is_name(value, len) && copy(x->name, sizeof x->name, value, len);
}

static bool set_addr(struct smtp_xclient *x, const char *value, size_t len)
{
	return copy_address(x->addr, sizeof x->addr, value, len);
}

static bool set_port(struct smtp_xclient *x, const char *value, size_t len)
{
	return read_port(&x->port, value, len);
}

static bool set_proto(struct smtp_xclient *x, const char *value, size_t len)
{
	bool extended = text_is(value, len, "ESMTP");

	if (!extended && !text_is(value, len, "SMTP"))
		return false;
	return copy(x->proto, sizeof x->proto, extended ? "ESMTP" : "SMTP", extended ? 5 : 4);
}

static bool set_helo(struct smtp_xclient *x, const char *value, size_t len)
{
	return is_text(value, len) && copy(x->helo, sizeof x->helo, value, len);
}

static bool set_login(struct smtp_xclient *x, const char *value, size_t len)
{
	return is_text(value, len) && copy(x->login, sizeof x->login, value, len);
}

static bool set_destaddr(struct smtp_xclient *x, const char *value, size_t len)
{
	return copy_address(x->destaddr, sizeof x->destaddr, value, len);
}

static bool set_destport(struct smtp_xclient *x, const char *value, size_t len)
{
	return read_port(&x->destport, value, len);
}

static void forget(struct smtp_xclient *x, unsigned bit)
{
	const struct {
		unsigned bit;
		char *text;
	} texts[] = {
		{SMTP_XCLIENT_NAME, x->name},	{SMTP_XCLIENT_ADDR, x->addr},
		{SMTP_XCLIENT_PROTO, x->proto}, {SMTP_XCLIENT_HELO, x->helo},
		{SMTP_XCLIENT_LOGIN, x->login}, {SMTP_XCLIENT_DESTADDR, x->destaddr},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].bit == bit)
			texts[i].text[0] = '\0';
	if (bit == SMTP_XCLIENT_PORT)
		x->port = 0;
	if (bit == SMTP_XCLIENT_DESTPORT)
		x->destport = 0;
}

static const struct attribute {
	const char *name;
	unsigned bit;
	bool may_be_unavailable;
	set_value *set;
} attributes[] = {
	{"NAME", SMTP_XCLIENT_NAME, true, set_name},
	{"ADDR", SMTP_XCLIENT_ADDR, true, set_addr},
	{"PORT", SMTP_XCLIENT_PORT, true, set_port},
	{"PROTO", SMTP_XCLIENT_PROTO, false, set_proto},
	{"HELO", SMTP_XCLIENT_HELO, true, set_helo},
	{"LOGIN", SMTP_XCLIENT_LOGIN, true, set_login},
	{"DESTADDR", SMTP_XCLIENT_DESTADDR, true, set_destaddr},
	{"DESTPORT", SMTP_XCLIENT_DESTPORT, true, set_destport},
};

static bool is_unavailable(const char *value, size_t len)
{
	return text_is(value, len, "[UNAVAILABLE]") || text_is(value, len, "[TEMPUNAVAIL]");
}

static bool set_attribute(struct smtp_xclient *x, const struct attribute *attribute,
			  const char *xtext, size_t xtext_len)
{
	char value[SMTP_XCLIENT_TEXT_MAX];
	size_t len;

	if (!smtp_xtext_decode(xtext, xtext_len, value, sizeof value, &len) || !len ||
	    memchr(value, '\0', len))
		return false;
	x->given |= attribute->bit;
	if (!is_unavailable(value, len))
		return attribute->set(x, value, len);
	forget(x, attribute->bit);
	return attribute->may_be_unavailable;
}

/* name=value, of `len` octets. */
static bool parse_attribute(struct smtp_xclient *x, const char *data, size_t len, unsigned *seen)
{
	const char *equals = memchr(data, '=', len);
	size_t name = equals ? (size_t)(equals - data) : 0;

	for (size_t i = 0; equals && i < sizeof attributes / sizeof *attributes; i++) {
		const struct attribute *attribute = &attributes[i];

		if (!text_is(data, name, attribute->name))
			continue;
		if (*seen & attribute->bit)
			return false;
		*seen |= attribute->bit;
		return set_attribute(x, attribute, equals + 1, len - name - 1);
	}
	return false;
}

bool smtp_xclient_parse(const char *data, size_t len, struct smtp_xclient *x)
{
	unsigned seen = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		for (n = 0; at + n < len && data[at + n] != ' ';)
			n++;
		if (n && !parse_attribute(x, data + at, n, &seen))
			return false;
		if (!n)
			n = 1; /* a blank */
	}
	return seen != 0;
}

void smtp_xclient_forget_login(struct smtp_xclient *x)
{
	forget(x, SMTP_XCLIENT_LOGIN);
	x->given &= ~(unsigned)SMTP_XCLIENT_LOGIN;
}
