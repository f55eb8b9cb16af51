#include "relay_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void copy_octets(struct octets *to, const struct octets *from)
{
	*to = (struct octets){NULL, 0};
	if (!from->data)
		return;
	to->data = mem_copy_bytes(from->data, from->len);
	to->len = from->len;
}

/* free() wants no const. */
static void free_octets(struct octets *octets)
{
	free((void *)(uintptr_t)octets->data);
	*octets = (struct octets){NULL, 0};
}

static bool equal_octets(const struct octets *a, const struct octets *b)
{
	return !a->data == !b->data && a->len == b->len &&
	       (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

void relay_mailbox_copy(struct hook_mailbox *to, const struct hook_mailbox *from)
{
	struct hook_param *params = NULL;

	*to = (struct hook_mailbox){.params_len = from->params_len};
	copy_octets(&to->address, &from->address);
	copy_octets(&to->local, &from->local);
	copy_octets(&to->domain, &from->domain);
	if (from->params_len)
		params = mem_new(from->params_len * sizeof *params);
	for (size_t i = 0; i < from->params_len; i++) {
		copy_octets(&params[i].name, &from->params[i].name);
		copy_octets(&params[i].value, &from->params[i].value);
	}
	to->params = params;
}

void relay_mailbox_fini(struct hook_mailbox *mailbox)
{
	struct hook_param *params = (struct hook_param *)(uintptr_t)mailbox->params;

	free_octets(&mailbox->address);
	free_octets(&mailbox->local);
	free_octets(&mailbox->domain);
	for (size_t i = 0; i < mailbox->params_len; i++) {
		free_octets(&params[i].name);
		free_octets(&params[i].value);
	}
	free(params);
	*mailbox = (struct hook_mailbox){.params = NULL};
}

bool relay_mailbox_equal(const struct hook_mailbox *a, const struct hook_mailbox *b)
{
	if (a->address.len != b->address.len || a->params_len != b->params_len ||
	    (a->address.len && memcmp(a->address.data, b->address.data, a->address.len) != 0))
		return false;
	for (size_t i = 0; i < a->params_len; i++)
		if (!equal_octets(&a->params[i].name, &b->params[i].name) ||
		    !equal_octets(&a->params[i].value, &b->params[i].value))
			return false;
	return true;
}

static bool parse_endpoint(const struct hook_endpoint *endpoint, struct address *address)
{
	char text[ADDRESS_IP_SIZE + 16];

	if (!endpoint->ip)
		return false;
	snprintf(text, sizeof text, strchr(endpoint->ip, ':') ? "[%s]:%u" : "%s:%u", endpoint->ip,
		 endpoint->port);
	return address_parse(text, address);
}

void relay_client_copy(struct relay_client *to, const struct hook_context *from)
{
	struct relay_engine_client *facts = &to->facts;

	*to = (struct relay_client){.has_addresses = false};
	facts->addr = mem_copy_string(from->client.ip);
	facts->port = from->client.port;
	facts->destaddr = mem_copy_string(from->listener.ip);
	facts->destport = from->listener.port;
	/* A name that does not lead back is no name: the backend would believe it. */
	if (from->client_name_verified)
		facts->name = mem_copy_string(from->client_name);
	if (from->helo) {
		copy_octets(&facts->helo, &from->helo->name);
		facts->extended = strcmp(from->helo->verb, "HELO") != 0;
	}
	if (from->auth)
		copy_octets(&facts->login, &from->auth->user);
	to->has_addresses = parse_endpoint(&from->client, &to->client) &&
			    parse_endpoint(&from->listener, &to->server);
}

void relay_client_fini(struct relay_client *client)
{
	struct relay_engine_client *facts = &client->facts;

	free((void *)(uintptr_t)facts->addr);
	free((void *)(uintptr_t)facts->destaddr);
	free((void *)(uintptr_t)facts->name);
	free_octets(&facts->helo);
	free_octets(&facts->login);
	*client = (struct relay_client){.has_addresses = false};
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

bool relay_client_same(const struct relay_client *a, const struct relay_client *b)
{
	return a->has_addresses && b->has_addresses && same_address(&a->client, &b->client) &&
	       same_address(&a->server, &b->server);
}
