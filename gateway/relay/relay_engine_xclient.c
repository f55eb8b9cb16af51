/* XCLIENT (Postfix: XCLIENT_README): for whom this connection speaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay_engine_offer.h"
#include "relay_engine_state.h"

#define VALUE_MAX   255 /* octets of a value before its encoding, as the server side takes */
#define UNAVAILABLE "[UNAVAILABLE]"

/* xtext (RFC 3461 section 4); what is absent, empty or too long is unavailable. */
static char *keep(const char *name, const char *prefix, struct octets value)
{
	size_t size = strlen(name) + strlen(prefix) + 3 * VALUE_MAX + sizeof "=" UNAVAILABLE;
	char *text = mem_new(size);
	int n = snprintf(text, size, "%s=", name);

	if (!value.len || value.len > VALUE_MAX) {
		snprintf(text + n, size - (size_t)n, UNAVAILABLE);
		return text;
	}
	n += snprintf(text + n, size - (size_t)n, "%s", prefix);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		bool plain = c > ' ' && c <= '~' && c != '+' && c != '=';

		n += snprintf(text + n, size - (size_t)n, plain ? "%c" : "+%02X", c);
	}
	return text;
}

static struct octets string(const char *text)
{
	return text ? (struct octets){text, strlen(text)} : (struct octets){0};
}

static char *keep_address(const char *name, const char *address)
{
	bool six = address && strchr(address, ':');

	return keep(name, six ? "IPV6:" : "", string(address));
}

static char *keep_port(const char *name, unsigned port)
{
	char text[16];

	snprintf(text, sizeof text, "%u", port);
	return keep(name, "", port ? string(text) : (struct octets){0});
}

void relay_xclient_forget(struct relay_engine *e)
{
	free(e->client_name);
	e->client_name = NULL;
	for (size_t i = 0; i < sizeof e->client_line / sizeof *e->client_line; i++) {
		free(e->client_line[i]);
		e->client_line[i] = NULL;
	}
}

/* A domain or an address literal; anything else is the client's invention, and no EHLO of ours. */
static bool is_name(struct octets name)
{
	static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  ".-_:[]";

	for (size_t i = 0; i < name.len; i++)
		if (!name.data[i] || !strchr(fit, name.data[i]))
			return false;
	return name.len && name.len <= VALUE_MAX;
}

void relay_xclient_keep(struct relay_engine *e, const struct relay_engine_client *client)
{
	char **lines = e->client_line; /* in the order of the bits */

	relay_xclient_forget(e);
	if (is_name(client->helo))
		e->client_name = mem_copy_bytes(client->helo.data, client->helo.len);
	lines[0] = keep("NAME", "", string(client->name));
	lines[1] = keep_address("ADDR", client->addr);
	lines[2] = keep_port("PORT", client->port);
	lines[3] = keep("PROTO", "", string(client->extended ? "ESMTP" : "SMTP"));
	lines[4] = keep("HELO", "", client->helo);
	lines[5] = keep("LOGIN", "", client->login);
	lines[6] = keep_address("DESTADDR", client->destaddr);
	lines[7] = keep_port("DESTPORT", client->destport);
}

/* One command, though it may pass the 512 octets of RFC 5321: a name and a HELO rarely do, and the
 * servers that know XCLIENT take 2048. */
char *relay_xclient_line(const struct relay_engine *e)
{
	size_t count = sizeof e->client_line / sizeof *e->client_line;
	size_t size = sizeof "XCLIENT\r\n", n;
	char *line;

	for (size_t i = 0; i < count; i++)
		size += strlen(e->client_line[i]) + 1;
	line = mem_new(size);
	n = (size_t)snprintf(line, size, "XCLIENT");
	for (size_t i = 0; i < count; i++)
		if (e->offer.xclient & 1u << i)
			n += (size_t)snprintf(line + n, size - n, " %s", e->client_line[i]);
	snprintf(line + n, size - n, "\r\n");
	return line;
}
