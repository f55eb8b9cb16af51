#include "smtp_transaction.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t params_octets(const struct smtp_params *params)
{
	size_t n = 0;

	for (size_t i = 0; i < params->len; i++)
		n += params->list[i].name.len + params->list[i].value.len;
	return n;
}

/* Appends the octets at *end. Absent ones stay absent. */
static struct octets copy(char **end, struct octets from)
{
	struct octets to = {from.data ? *end : NULL, from.len};

	if (from.len)
		memcpy(*end, from.data, from.len);
	*end += from.len;
	return to;
}

struct smtp_mailbox *smtp_mailbox_new(const struct smtp_path *path,
				      const struct smtp_params *params)
{
	size_t list = params->len * sizeof *params->list;
	size_t text = path->address.len + path->local_len + params_octets(params);
	struct smtp_mailbox *m = mem_new(sizeof *m + list + text);
	char *end = (char *)m->params + list;
	struct hook_mailbox *facts = &m->facts;

	facts->address = copy(&end, path->address);
	facts->domain = (struct octets){end - path->domain.len, path->domain.len};
	facts->local = copy(&end, (struct octets){path->local, path->local_len});
	for (size_t i = 0; i < params->len; i++) {
		m->params[i].name = copy(&end, params->list[i].name);
		m->params[i].value = copy(&end, params->list[i].value);
	}
	facts->params = m->params;
	facts->params_len = params->len;
	return m;
}

bool smtp_transaction_is_open(const struct smtp_transaction *t)
{
	return t->sender && !t->over;
}

void smtp_transaction_begin(struct smtp_transaction *t, struct smtp_mailbox **sender)
{
	t->sender = *sender;
	*sender = NULL;
}

/* Room for one more. */
static void *grow(void *list, size_t len, size_t *size, size_t each)
{
	if (len < *size)
		return list;
	*size = *size ? *size * 2 : 4;
	return mem_resize(list, *size * each);
}

void smtp_transaction_add(struct smtp_transaction *t, struct smtp_mailbox **recipient)
{
	t->mailboxes =
		grow(t->mailboxes, t->mailboxes_len, &t->mailboxes_size, sizeof *t->mailboxes);
	t->mailboxes[t->mailboxes_len++] = *recipient;
	if (!(*recipient)->discarded) {
		t->recipients = grow(t->recipients, t->recipients_len, &t->recipients_size,
				     sizeof *t->recipients);
		t->recipients[t->recipients_len++] = (*recipient)->facts;
	}
	*recipient = NULL;
}

void smtp_transaction_accept(struct smtp_transaction *t, struct smtp_mailbox **recipient)
{
	assert(t->accepted == t->mailboxes_len);
	smtp_transaction_add(t, recipient);
	t->accepted++;
}

void smtp_transaction_fini(struct smtp_transaction *t)
{
	for (size_t i = 0; i < t->mailboxes_len; i++)
		free(t->mailboxes[i]);
	for (size_t i = 0; t->results && i < t->recipients_len; i++)
		smtp_result_fini(&t->results[i]);
	free(t->results);
	free(t->mailboxes);
	free(t->recipients);
	free(t->sender);
	*t = (struct smtp_transaction){0};
}
