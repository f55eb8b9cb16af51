#include "policy_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Services that label every message of a long session must not make it grow. */
#define MEMORY_LABELS_MAX 64

struct slot {
	size_t place;
	struct verdict *standing; /* NULL: none */
	enum hook hook;		  /* where it was given */
	char *keep_session, *keep_transaction;
};

struct label {
	char word[VERDICT_LABEL_MAX + 1];
	bool transaction; /* goes with it */
};

struct policy_memory {
	struct label *labels;
	size_t labels_len;
	char *words; /* all labels; NULL when there are none */
	size_t slots_len;
	struct slot slots[];
};

struct policy_memory *policy_memory_new(const size_t *chain, size_t chain_len)
{
	struct policy_memory *memory =
		mem_new(sizeof *memory + chain_len * sizeof memory->slots[0]);

	memory->slots_len = chain_len;
	for (size_t i = 0; i < chain_len; i++)
		memory->slots[i].place = chain[i];
	return memory;
}

static size_t slot_of(const struct policy_memory *memory, size_t place)
{
	size_t i = 0;

	while (i < memory->slots_len && memory->slots[i].place != place)
		i++;
	assert(i < memory->slots_len); /* it is in the chain */
	return i;
}

static void forget_kept(char **kept)
{
	free(*kept);
	*kept = NULL;
}

static void forget_standing(struct slot *slot)
{
	if (slot->standing)
		verdict_fini(slot->standing);
	free(slot->standing);
	slot->standing = NULL;
}

/* --- labels --- */

static void join_labels(struct policy_memory *memory)
{
	size_t len = 0;

	forget_kept(&memory->words);
	if (!memory->labels_len)
		return;
	memory->words = mem_new(memory->labels_len * sizeof memory->labels[0].word);
	for (size_t i = 0; i < memory->labels_len; i++) {
		size_t n = strlen(memory->labels[i].word);

		if (i)
			memory->words[len++] = ' ';
		memcpy(memory->words + len, memory->labels[i].word, n);
		len += n;
	}
}

static void add_label(struct policy_memory *memory, const char *word, size_t len, bool transaction)
{
	struct label label = {.transaction = transaction};

	assert(len <= VERDICT_LABEL_MAX);
	memcpy(label.word, word, len);
	for (size_t i = 0; i < memory->labels_len; i++)
		if (strcmp(memory->labels[i].word, label.word) == 0)
			return;
	if (memory->labels_len == MEMORY_LABELS_MAX)
		return;
	memory->labels = mem_resize(memory->labels, (memory->labels_len + 1) * sizeof label);
	memory->labels[memory->labels_len++] = label;
}

static bool is_of_transaction(enum hook hook)
{
	return hook == HOOK_MAIL || hook == HOOK_RCPT || hook == HOOK_DATA || hook == HOOK_MESSAGE;
}

static void take_labels(struct policy_memory *memory, enum hook hook, const char *words)
{
	size_t len;

	if (!words)
		return;
	for (; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		add_label(memory, words, len, is_of_transaction(hook));
	}
	join_labels(memory);
}

const char *policy_memory_labels(const struct policy_memory *memory)
{
	return memory->words;
}

/* --- the end of what was said --- */

void policy_memory_end_transaction(struct policy_memory *memory)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->slots_len; i++) {
		struct slot *slot = &memory->slots[i];

		forget_kept(&slot->keep_transaction);
		if (slot->standing && slot->standing->until == VERDICT_UNTIL_TRANSACTION)
			forget_standing(slot);
	}
	for (size_t i = 0; i < memory->labels_len; i++)
		if (!memory->labels[i].transaction)
			memory->labels[kept++] = memory->labels[i];
	if (kept == memory->labels_len)
		return;
	memory->labels_len = kept;
	join_labels(memory);
}

void policy_memory_secure(struct policy_memory *memory)
{
	for (size_t i = 0; i < memory->slots_len; i++)
		if (memory->slots[i].hook != HOOK_CONNECT)
			forget_standing(&memory->slots[i]);
}

void policy_memory_clear(struct policy_memory *memory)
{
	for (size_t i = 0; i < memory->slots_len; i++) {
		struct slot *slot = &memory->slots[i];

		forget_standing(slot);
		forget_kept(&slot->keep_session);
		forget_kept(&slot->keep_transaction);
	}
	memory->labels_len = 0;
	join_labels(memory);
}

void policy_memory_free(struct policy_memory **memory)
{
	if (!*memory)
		return;
	policy_memory_clear(*memory);
	free((*memory)->labels);
	free(*memory);
	*memory = NULL;
}

/* --- answers --- */

/* NULL: as before; "": forgotten. */
static void take_kept(char **kept, const char *value)
{
	if (!value)
		return;
	forget_kept(kept);
	if (*value)
		*kept = mem_copy_string(value);
}

static bool is_refusal(enum verdict_kind kind)
{
	return kind == VERDICT_TEMPFAIL || kind == VERDICT_REJECT;
}

/* What one hook's 2yz reply says is nonsense at another: of what lets pass, the kind alone stands.
 */
static void copy_standing(struct verdict *to, const struct verdict *from)
{
	*to = (struct verdict){.kind = from->kind, .until = from->until};
	memcpy(to->reason, from->reason, sizeof to->reason);
	if (!is_refusal(from->kind))
		return;
	to->code = from->code;
	memcpy(to->status, from->status, sizeof to->status);
	to->text = mem_copy_string(from->text);
}

void policy_memory_take(struct policy_memory *memory, size_t place, enum hook hook,
			const struct verdict *verdict)
{
	struct slot *slot = &memory->slots[slot_of(memory, place)];

	take_labels(memory, hook, verdict->labels);
	take_kept(&slot->keep_session, verdict->keep_session);
	take_kept(&slot->keep_transaction, verdict->keep_transaction);
	if (verdict->until == VERDICT_UNTIL_COMMAND)
		return;
	forget_standing(slot);
	slot->standing = mem_new(sizeof *slot->standing);
	copy_standing(slot->standing, verdict);
	slot->hook = hook;
}

/* Codes that any command may have. 421 would promise that the connection is closed, and 454 and 535
 * speak of one command only; STARTTLS has few codes of its own (RFC 3207 section 4). */
static bool code_fits(int code, enum hook hook)
{
	static const int codes[] = {450, 451, 452, 550, 551, 552, 553, 554};

	if (hook == HOOK_STARTTLS)
		return code == 454 || code == 554;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i] == code)
			return true;
	return false;
}

bool policy_memory_standing(const struct policy_memory *memory, size_t place, enum hook hook,
			    struct verdict *verdict)
{
	const struct slot *slot = &memory->slots[slot_of(memory, place)];

	/* Whoever may log in is decided each time that somebody tries. */
	if (!slot->standing || hook == HOOK_AUTH)
		return false;
	copy_standing(verdict, slot->standing);
	if (verdict->code && !code_fits(verdict->code, hook))
		verdict->code = 0;
	return true;
}

void policy_memory_kept(const struct policy_memory *memory, size_t place, const char **session,
			const char **transaction)
{
	const struct slot *slot = &memory->slots[slot_of(memory, place)];

	*session = slot->keep_session;
	*transaction = slot->keep_transaction;
}
