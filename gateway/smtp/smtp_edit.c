/* What services change in an envelope. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp_engine.h"
#include "smtp_offer.h"

/* Of an address in a problem; a longer one would push out what is wrong with it. */
#define SHOWN_MAX 100

/* What the edits would make of the envelope. Nothing of it is done before all are known to be good.
 */
struct plan {
	const struct hook_mailbox *mail; /* the sender that is there */
	struct smtp_mailbox *sender;	 /* NULL: it stays */
	bool *dropped;			 /* one for each recipient that is there */
	size_t left;			 /* how many of them are not dropped */
	struct smtp_mailbox **added;
	size_t added_len;
};

static void plan_init(struct plan *plan, const struct smtp *s, size_t edits_len)
{
	const struct smtp_transaction *t = &s->transaction;

	*plan = (struct plan){
		.mail = s->hook == HOOK_MAIL ? &s->mailbox->facts : &t->sender->facts,
		.dropped = mem_new(t->recipients_len * sizeof *plan->dropped),
		.left = t->recipients_len,
		.added = mem_new(edits_len * sizeof *plan->added),
	};
}

/* Frees what was not taken over. */
static void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->added_len; i++)
		free(plan->added[i]);
	free(plan->added);
	free(plan->dropped);
	free(plan->sender);
}

/* --- addresses --- */

/* `text` is the path: the address in brackets. NULL: it is in *path. */
static const char *parse(const struct plan *plan, enum smtp_path_kind kind, struct octets text,
			 struct smtp_path *path)
{
	if (!smtp_path_parse(kind, text.data, text.len, path) || path->used != text.len)
		return "not an address";
	if (path->address.data != text.data + 1)
		return "a source route is no part of an address";
	if (!path->eight_bit)
		return NULL;
	if (!smtp_envelope_has_smtputf8(plan->mail->params, plan->mail->params_len))
		return "a non-ASCII address needs SMTPUTF8, which MAIL did not say";
	return smtp_envelope_is_utf8(text) ? NULL : "not UTF-8";
}

static const char *set_sender(struct plan *plan, struct octets text)
{
	const struct hook_mailbox *mail = plan->mail;
	struct smtp_params params = {.len = mail->params_len};
	struct smtp_path path;
	const char *wrong = parse(plan, SMTP_PATH_REVERSE, text, &path);

	if (wrong)
		return wrong;
	if (params.len)
		memcpy(params.list, mail->params, params.len * sizeof *params.list);
	free(plan->sender);
	plan->sender = smtp_mailbox_new(&path, &params);
	return NULL;
}

static const char *add_recipient(struct plan *plan, const struct smtp *s, struct octets text)
{
	struct smtp_params params = {0};
	struct smtp_path path;
	const char *wrong = parse(plan, SMTP_PATH_FORWARD, text, &path);

	if (wrong)
		return wrong;
	if (s->hook == HOOK_MAIL)
		return "recipients come after the mail hook";
	/* Else a service that is wrong, or was talked into it, would make an open relay. */
	if (!smtp_envelope_may_receive(s, &path))
		return "relaying is not allowed for this client";
	plan->added[plan->added_len++] = smtp_mailbox_new(&path, &params);
	return NULL;
}

static const char *edit_address(struct plan *plan, const struct smtp *s, const struct edit *edit,
				char *problem, size_t size)
{
	const char *address = edit->value ? edit->value : "", *wrong;
	char shown[SHOWN_MAX], *path = NULL;
	struct octets text = {0};
	int len = asprintf(&path, "<%s>", address);

	if (len < 0)
		abort();
	text = (struct octets){path, (size_t)len};
	wrong = edit->kind == EDIT_SET_SENDER ? set_sender(plan, text)
					      : add_recipient(plan, s, text);
	free(path);
	if (!wrong)
		return NULL;
	text_escape(address, strlen(address), shown, sizeof shown);
	snprintf(problem, size, "%s <%s>: %s", edit_word(edit->kind), shown, wrong);
	return problem;
}

/* --- the list of recipients --- */

static const char *drop_recipient(struct plan *plan, const struct smtp *s, unsigned nth,
				  char *problem, size_t size)
{
	size_t len = s->transaction.recipients_len;

	if (nth < 1 || nth > len) {
		snprintf(problem, size, "drop_recipient %u: there are %zu recipients", nth, len);
		return problem;
	}
	if (plan->dropped[nth - 1]) {
		snprintf(problem, size, "drop_recipient %u: it is dropped already", nth);
		return problem;
	}
	plan->dropped[nth - 1] = true;
	plan->left--;
	return NULL;
}

/* RFC 5321 2.4: of the local part only its own host knows whether case has a meaning. */
static bool is_same(const struct hook_mailbox *a, const struct hook_mailbox *b)
{
	return a->local.len == b->local.len && a->domain.len == b->domain.len &&
	       memcmp(a->local.data, b->local.data, a->local.len) == 0 &&
	       strncasecmp(a->domain.data, b->domain.data, a->domain.len) == 0;
}

static bool is_there(const struct plan *plan, const struct smtp_transaction *t,
		     const struct hook_mailbox *mailbox, size_t added_len)
{
	for (size_t i = 0; i < t->recipients_len; i++)
		if (!plan->dropped[i] && is_same(&t->recipients[i], mailbox))
			return true;
	for (size_t i = 0; i < added_len; i++)
		if (is_same(&plan->added[i]->facts, mailbox))
			return true;
	return false;
}

/* When all drops are known. */
static void forget_duplicates(struct plan *plan, const struct smtp_transaction *t)
{
	size_t len = 0;

	for (size_t i = 0; i < plan->added_len; i++) {
		if (is_there(plan, t, &plan->added[i]->facts, len))
			free(plan->added[i]);
		else
			plan->added[len++] = plan->added[i];
	}
	plan->added_len = len;
}

static const char *check_count(const struct plan *plan, const struct smtp *s, char *problem,
			       size_t size)
{
	size_t len = plan->left + plan->added_len;
	unsigned max = smtp_offers_recipients(s);

	if (s->hook == HOOK_MAIL)
		return NULL;
	if (!len) {
		snprintf(problem, size, "drop_recipient: no recipient would be left, use discard");
		return problem;
	}
	if (plan->added_len && len > max) {
		snprintf(problem, size, "add_recipient: %zu recipients are more than %u", len, max);
		return problem;
	}
	return NULL;
}

/* --- all of it --- */

static const char *make_plan(struct plan *plan, const struct smtp *s, const struct edit *edits,
			     size_t edits_len, char *problem, size_t size)
{
	const char *found = NULL;

	for (size_t i = 0; i < edits_len && !found; i++) {
		switch (edits[i].kind) {
		case EDIT_SET_SENDER:
		case EDIT_ADD_RECIPIENT:
			found = edit_address(plan, s, &edits[i], problem, size);
			break;
		case EDIT_DROP_RECIPIENT:
			found = drop_recipient(plan, s, edits[i].nth, problem, size);
			break;
		case EDIT_ADD_HEADER:
		case EDIT_REPLACE_HEADER:
		case EDIT_DELETE_HEADER:
		case EDIT_MAX:
			break;
		}
	}
	if (found)
		return found;
	forget_duplicates(plan, &s->transaction);
	return check_count(plan, s, problem, size);
}

static void carry_out(struct plan *plan, struct smtp *s)
{
	struct smtp_transaction *t = &s->transaction;
	struct smtp_mailbox **sender = s->hook == HOOK_MAIL ? &s->new_sender : &t->sender;
	size_t len = 0;

	if (plan->sender) {
		free(*sender);
		*sender = plan->sender;
		plan->sender = NULL;
	}
	for (size_t i = 0; i < t->recipients_len; i++)
		if (!plan->dropped[i])
			t->recipients[len++] = t->recipients[i];
	t->recipients_len = len;
	for (size_t i = 0; i < plan->added_len; i++)
		smtp_transaction_add(t, &plan->added[i]);
}

const char *smtp_edit(struct smtp *s, const struct edit *edits, size_t edits_len, char *problem,
		      size_t size)
{
	struct plan plan;
	const char *found;

	assert(smtp_awaits_verdict(s));
	assert(s->hook == HOOK_MAIL || s->hook == HOOK_DATA || s->hook == HOOK_MESSAGE);
	plan_init(&plan, s, edits_len);
	found = make_plan(&plan, s, edits, edits_len, problem, size);
	if (!found)
		carry_out(&plan, s);
	plan_fini(&plan);
	return found;
}
