/* Plays a dialogue file against the SMTP engine with its octets cut in every way: nothing that the
 * client or the services see, and nothing that is reported, may depend on how TCP cuts the stream.
 *
 *      run_engine FILE        0: as written; 1: not; 2: the file is no dialogue */
#include <stdio.h>
#include <string.h>

#include "dialogue.h"
#include "player.h"

#define REPORTS_MAX (16u * 1024 * 1024)

/* Batches up to this size are split at every octet. A larger one is mostly message: it is split
 * around its ends, where its structure is, and at some places between, else a megabyte would take a
 * day. */
#define SPLIT_ALL_MAX 4000
#define SPLIT_ENDS    64
#define SPLIT_BETWEEN 500

static bool is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(buf_head(a), buf_head(b), a->len) == 0);
}

/* One play; its reports must be those of the first one. */
static bool play_as_first(const struct dialogue *d, const struct player_cut *cut,
			  const struct buf *first)
{
	struct buf reports;
	bool ok;

	buf_init(&reports, REPORTS_MAX);
	ok = player_play(d, cut, &reports);
	/* A session that the TLS layer ended has the first reports only (see the player's on_tls).
	 */
	if (ok && !is_same(&reports, first) &&
	    (reports.len > first->len ||
	     memcmp(buf_head(&reports), buf_head(first), reports.len) != 0)) {
		fprintf(stderr,
			"%s: the reports depend on the cutting; in one piece:\n%.*scut:\n%.*s",
			d->path, (int)first->len, buf_head(first), (int)reports.len,
			buf_head(&reports));
		ok = false;
	}
	buf_fini(&reports);
	return ok;
}

static size_t next_split(size_t at, size_t len)
{
	size_t step = (len - 2 * SPLIT_ENDS) / SPLIT_BETWEEN;

	if (len <= SPLIT_ALL_MAX || at < SPLIT_ENDS || at >= len - SPLIT_ENDS)
		return at + 1;
	return at + step < len - SPLIT_ENDS ? at + step : len - SPLIT_ENDS;
}

static bool play_splits(const struct dialogue *d, const struct dialogue_item *batch,
			const struct buf *first, unsigned long *plays)
{
	size_t len = batch->octets.len;

	for (size_t at = 1; at < len; at = next_split(at, len)) {
		struct player_cut cut = {.kind = PLAYER_SPLIT, .batch = batch, .at = at};

		(*plays)++;
		if (!play_as_first(d, &cut, first))
			return false;
	}
	return true;
}

static bool play_all(const struct dialogue *d, struct buf *first)
{
	struct player_cut whole = {.kind = PLAYER_WHOLE}, bytes = {.kind = PLAYER_BYTES},
			  trickle = {.kind = PLAYER_TRICKLE};
	unsigned long plays = 3;

	if (!player_play(d, &whole, first) || !play_as_first(d, &bytes, first) ||
	    !play_as_first(d, &trickle, first))
		return false;
	for (size_t i = 0; i < d->items_len; i++) {
		if (d->items[i].kind == DIALOGUE_SEND &&
		    !play_splits(d, &d->items[i], first, &plays))
			return false;
	}
	printf("%s: as written in %lu cuttings\n", d->path, plays);
	return true;
}

int main(int argc, char **argv)
{
	struct dialogue *dialogue;
	struct buf first;
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	dialogue = dialogue_read(argv[1]);
	buf_init(&first, REPORTS_MAX);
	ok = play_all(dialogue, &first);
	buf_fini(&first);
	dialogue_free(&dialogue);
	return ok ? 0 : 1;
}
