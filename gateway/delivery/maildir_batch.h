/* maildir_batch: files for many messages, stored together.
 *
 *      all files     create in tmp/, lock, write, ask the disk to begin
 *      all files     fsync
 *      all messages  rename into new/
 *      all folders   fsync new/
 *
 * The disk's journal then has a few commits to make for a batch and not two for each message: that
 * is the group commit. A step that fails for one message fails that message alone; the fsync of a
 * folder speaks for all that went into it. */
#ifndef DELIVERY_MAILDIR_BATCH_H
#define DELIVERY_MAILDIR_BATCH_H

#include <stddef.h>

struct maildir_letter;

/* What maildir_store() promises, for letters with `files` copies in all. `host` is the end of each
 * name. */
void maildir_batch_store(struct maildir_letter *const *letters, size_t len, size_t files,
			 const char *host);

#endif
