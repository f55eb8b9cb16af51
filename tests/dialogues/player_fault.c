#include "player_fault.h"

#include <stdio.h>

#include "base/text.h"

static void print_octets(const char *data, size_t len)
{
	char shown[2048];

	text_escape(data, len, shown, sizeof(shown));
	fprintf(stderr, "%s%s", shown, len > sizeof(shown) ? "..." : "");
}

static void print_expected(const struct dialogue_item *item)
{
	if (item == NULL) {
		fputs("nothing more", stderr);
		return;
	}
	fputs(dialogue_mark(item->kind), stderr);
	if (item->kind == DIALOGUE_ANSWER) {
		fprintf(stderr, " %d %s %s", item->code, item->status, buf_head(&item->octets));
	} else if (item->octets.len > 0) {
		fputc(' ', stderr);
		print_octets(buf_head(&item->octets), item->octets.len);
	} else if (item->kind == DIALOGUE_HOOK) {
		fprintf(stderr, " %s", hook_word(item->hook));
	} else if (item->kind == DIALOGUE_CLOSED) {
		fprintf(stderr, " %s", disconnect_reason_word(item->reason));
	}
}

static void print_cut(const struct player_cut *cut)
{
	static const char *const how[] = {
		[PLAYER_WHOLE] = "each batch in one piece",
		[PLAYER_SPLIT] = "split",
		[PLAYER_BYTES] = "octet by octet",
		[PLAYER_TRICKLE] = "an octet with each step",
	};

	fprintf(stderr, " (%s", how[cut->kind]);
	if (cut->kind == PLAYER_SPLIT)
		fprintf(stderr, ": the batch at line %u after %zu octets", cut->batch->line,
			cut->at);
	fputs(")\n", stderr);
}

void player_fault_print(const struct dialogue *dialogue, size_t next, const struct player_cut *cut,
			const char *format, va_list arguments, const char *octets, size_t len)
{
	const struct dialogue_item *item = NULL, *last = &dialogue->items[dialogue->items_len - 1];

	if (next < dialogue->items_len)
		item = &dialogue->items[next];
	fprintf(stderr, "%s:%u: expected ", dialogue->path, item != NULL ? item->line : last->line);
	print_expected(item);
	fputs("; found ", stderr);
	vfprintf(stderr, format, arguments);
	if (octets != NULL)
		print_octets(octets, len);
	print_cut(cut);
}
