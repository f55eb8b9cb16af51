#include "smtp_auth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* RFC 7628 section 3.2.2: the error as JSON. No configuration to discover is offered. */
static const char bearer_failure[] = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="; /* invalid_token */
/* The same as clients of XOAUTH2 know it: {"status":"401","schemes":"bearer","scope":""} */
static const char xoauth2_failure[] =
	"eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiIifQ==";

struct smtp_auth_mechanism {
	const char *name;
	const char *challenge;				    /* asks for the first response */
	enum smtp_auth_result (*take)(struct smtp_auth *a); /* reads `message` */
	const char *failure;
};

/* --- base64 --- */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static char *forget(char *out, size_t len)
{
	explicit_bzero(out, len);
	free(out);
	return NULL;
}

/* Strict (RFC 4648 section 4): whole groups, padding only at the end, its bits zero. What one
 * decoder lets pass another reads as something else. Returns owned memory, NUL-terminated, or
 * NULL. */
static char *decode(struct octets text, size_t *len)
{
	size_t pad = 0;
	char *out;

	if (text.len % 4)
		return NULL;
	while (pad < 2 && pad < text.len && text.data[text.len - 1 - pad] == '=')
		pad++;
	out = mem_new(text.len / 4 * 3 + 1);
	*len = text.len / 4 * 3 - pad;
	for (size_t i = 0; i < text.len - pad; i++) {
		int value = base64_value(text.data[i]);
		size_t bit = i * 6, at = bit / 8, shift = bit % 8;
		unsigned spread = (unsigned)value << 10 >> shift;

		if (value < 0)
			return forget(out, *len);
		out[at] = (char)((unsigned char)out[at] | spread >> 8);
		if (spread & 0xff)
			out[at + 1] = (char)((unsigned char)out[at + 1] | (spread & 0xff));
	}
	return pad && out[*len] ? forget(out, *len) : out;
}

/* --- the mechanisms --- */

static struct octets rest_of(struct octets whole, size_t from)
{
	return (struct octets){whole.data + from, whole.len - from};
}

/* Cuts what stands before the octet off the front; false when the octet is not there. */
static bool cut(struct octets *rest, char end, struct octets *piece)
{
	const char *found = rest->len ? memchr(rest->data, end, rest->len) : NULL;

	if (!found)
		return false;
	*piece = (struct octets){rest->data, (size_t)(found - rest->data)};
	*rest = rest_of(*rest, piece->len + 1);
	return true;
}

static bool skip(struct octets *rest, const char *word)
{
	size_t n = strlen(word);

	if (rest->len < n || !text_is(rest->data, n, word))
		return false;
	*rest = rest_of(*rest, n);
	return true;
}

static bool has_nul(struct octets text)
{
	return text.len && memchr(text.data, '\0', text.len);
}

static void keep_user(struct smtp_auth *a, struct octets user)
{
	a->user = mem_copy_bytes(user.len ? user.data : "", user.len);
	a->user_len = user.len;
	a->facts.user = (struct octets){a->user, a->user_len};
}

/* An empty password is never a guess worth asking about: directories take it for an anonymous
 * login, which succeeds (RFC 4513 section 5.1.2). */
static enum smtp_auth_result take_password(struct smtp_auth *a, struct octets password)
{
	a->facts.password = password;
	return password.len && !has_nul(password) ? SMTP_AUTH_DONE : SMTP_AUTH_BAD_MESSAGE;
}

/* RFC 4616: [authzid] NUL authcid NUL passwd */
static enum smtp_auth_result take_plain(struct smtp_auth *a)
{
	struct octets rest = {a->message, a->message_len}, user;

	if (!cut(&rest, '\0', &a->facts.authzid) || !cut(&rest, '\0', &user) || !user.len)
		return SMTP_AUTH_BAD_MESSAGE;
	keep_user(a, user);
	return take_password(a, rest);
}

/* draft-murchison-sasl-login: two questions, of which clients look at the first octets only. */
static enum smtp_auth_result take_login(struct smtp_auth *a)
{
	struct octets text = {a->message, a->message_len};

	if (a->user)
		return take_password(a, text);
	if (!text.len || has_nul(text))
		return SMTP_AUTH_BAD_MESSAGE;
	keep_user(a, text);
	a->challenge = "UGFzc3dvcmQ6"; /* Password: */
	return SMTP_AUTH_MORE;
}

static bool take_bearer(struct smtp_auth *a, struct octets value)
{
	if (!skip(&value, "Bearer "))
		return false;
	while (value.len && value.data[0] == ' ')
		value = rest_of(value, 1);
	a->facts.token = value;
	return value.len && !has_nul(value);
}

/* "user=" user ^A "auth=Bearer " token ^A ^A, as Google documents it. */
static enum smtp_auth_result take_xoauth2(struct smtp_auth *a)
{
	struct octets rest = {a->message, a->message_len}, user, value;

	if (!skip(&rest, "user=") || !cut(&rest, 1, &user) || !user.len || has_nul(user))
		return SMTP_AUTH_BAD_MESSAGE;
	keep_user(a, user);
	if (!skip(&rest, "auth=") || !cut(&rest, 1, &value) || rest.len != 1 || rest.data[0] != 1)
		return SMTP_AUTH_BAD_MESSAGE;
	return take_bearer(a, value) ? SMTP_AUTH_DONE : SMTP_AUTH_BAD_MESSAGE;
}

/* saslname of RFC 5801 section 4: "=2C" is a comma, "=3D" an equals sign, no other "=" may stand.
 * The result is not longer. */
static bool decode_saslname(struct octets name, char *out, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (c == '=' && name.len - i >= 3 && text_is(name.data + i + 1, 2, "2C"))
			c = ',';
		else if (c == '=' && !(name.len - i >= 3 && text_is(name.data + i + 1, 2, "3D")))
			return false;
		if (name.data[i] == '=')
			i += 2;
		out[(*len)++] = c;
	}
	return true;
}

/* gs2-header = ("n" / "y") "," ["a=" saslname] ",": no channel binding is offered, so "p" is
 * wrong. The name is what the client wants to be; who it is the token says. */
static bool take_gs2_header(struct smtp_auth *a, struct octets *rest)
{
	struct octets flag, name;
	bool good;
	char *user;
	size_t len;

	if (!cut(rest, ',', &flag) || !cut(rest, ',', &name))
		return false;
	if (!text_is(flag.data, flag.len, "n") && !text_is(flag.data, flag.len, "y"))
		return false;
	if ((name.len && !skip(&name, "a=")) || has_nul(name))
		return false;
	user = mem_new(name.len + 1);
	good = decode_saslname(name, user, &len);
	keep_user(a, (struct octets){user, good ? len : 0});
	free(user);
	return good;
}

/* RFC 7628 section 3.1: gs2-header kvsep *(key "=" value kvsep) kvsep, with kvsep ^A. Host and port
 * are the client's own idea of us: nothing follows from them. */
static enum smtp_auth_result take_oauthbearer(struct smtp_auth *a)
{
	struct octets rest = {a->message, a->message_len}, pair = {0}, before;
	bool found = false;

	if (!take_gs2_header(a, &rest) || !cut(&rest, 1, &before) || before.len)
		return SMTP_AUTH_BAD_MESSAGE;
	while (cut(&rest, 1, &pair) && pair.len) {
		if (!skip(&pair, "auth="))
			continue;
		if (found || !take_bearer(a, pair))
			return SMTP_AUTH_BAD_MESSAGE;
		found = true;
	}
	return found && !rest.len && !pair.len ? SMTP_AUTH_DONE : SMTP_AUTH_BAD_MESSAGE;
}

static const struct smtp_auth_mechanism mechanisms[] = {
	{"PLAIN", "", take_plain, NULL},
	{"LOGIN", "VXNlcm5hbWU6", take_login, NULL}, /* Username: */
	{"XOAUTH2", "", take_xoauth2, xoauth2_failure},
	{"OAUTHBEARER", "", take_oauthbearer, bearer_failure},
};

const struct smtp_auth_mechanism *smtp_auth_find(struct octets name)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (text_is(name.data, name.len, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

const char *smtp_auth_name(const struct smtp_auth_mechanism *mechanism)
{
	return mechanism->name;
}

/* --- the exchange --- */

static void wipe(char **memory, size_t len)
{
	if (*memory)
		explicit_bzero(*memory, len);
	free(*memory);
	*memory = NULL;
}

static enum smtp_auth_result take(struct smtp_auth *a, struct octets text)
{
	wipe(&a->message, a->message_len);
	a->message = decode(text, &a->message_len);
	if (!a->message)
		return SMTP_AUTH_BAD_BASE64;
	return a->mechanism->take(a);
}

enum smtp_auth_result smtp_auth_begin(struct smtp_auth *a,
				      const struct smtp_auth_mechanism *mechanism,
				      struct octets initial)
{
	a->mechanism = mechanism;
	a->facts.mechanism = mechanism->name;
	a->challenge = mechanism->challenge;
	if (!initial.data)
		return SMTP_AUTH_MORE;
	if (initial.len == 1 && initial.data[0] == '=')
		initial.len = 0;
	return take(a, initial);
}

enum smtp_auth_result smtp_auth_take(struct smtp_auth *a, struct octets line)
{
	if (line.len == 1 && line.data[0] == '*')
		return SMTP_AUTH_CANCELLED;
	return take(a, line);
}

const char *smtp_auth_failure(const struct smtp_auth *a)
{
	return a->mechanism->failure;
}

void smtp_auth_wipe(struct smtp_auth *a)
{
	wipe(&a->message, a->message_len);
	a->facts.authzid = a->facts.password = a->facts.token = (struct octets){0};
}

void smtp_auth_set(struct smtp_auth *a, const char *mechanism, const char *user)
{
	a->user = mem_copy_string(user);
	a->user_len = strlen(user);
	a->facts.mechanism = mechanism;
	a->facts.user = (struct octets){a->user, a->user_len};
}

void smtp_auth_fini(struct smtp_auth *a)
{
	smtp_auth_wipe(a);
	wipe(&a->user, a->user_len);
	*a = (struct smtp_auth){0};
}
