/* maildir: messages as files, stored so that they outlive a crash.
 *
 *      tmp/<name>   create, lock, write, fsync
 *      new/<name>   rename from tmp/, fsync the directory: now it may be answered for
 *
 *      name: <seconds>.M<microseconds>P<pid>Q<transaction>.<host>,S=<octets>
 *
 * Only a name in new/ is a message. Whatever a crash leaves in tmp/ was never answered with 250. */
#ifndef DELIVERY_MAILDIR_H
#define DELIVERY_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/ident.h"
#include "delivery/delivery.h"
#include "delivery/maildir_folder.h"

#define MAILDIR_QUARANTINE ".Quarantine"
/* Of one message: they are open all at once. */
#define MAILDIR_FOLDERS_MAX 1000

struct spool_message;
struct maildir;

/* One file of a message: it goes to that folder, with these fields before the content. */
struct maildir_copy {
	struct maildir_folder folder;
	bool make; /* the folder, when it is missing */
	struct buf fields;
};

struct maildir_letter {
	char transaction[IDENT_SIZE];
	bool quarantine;
	const struct spool_message *message;
	struct maildir_copy *copies;
	size_t copies_len;
	int error; /* errno */
	char ref[144];
};

/* Makes the Maildir and its parents (mode 0700) where they are missing, checks that it can be
 * written, and sweeps tmp/ (and that of the quarantine, if there is one). NULL with a reason in
 * `error`. Strings are copied.
 *
 * Several processes may share a Maildir. The sweep removes a file that carries our naming when
 *
 *   - its host is ours and its writer is gone: nobody holds the lock that a writer keeps until its
 *     message is in new/, and that ends with the process. A pid in the name would not tell: the
 *     next worker may get the same one, and in a container surely does;
 *   - or it is older than 36 hours, when the Maildir convention lets anybody remove it. */
/* The path may be a template (maildir_path.h). Its root must be there and is never made, so that a
 * disk that is not mounted is not filled below; all that comes after the root is made when a
 * message comes for it. A message then has a file of its own in each recipient's folder, with its
 * own Delivered-To:, and recipients that share a folder share the file. */
struct maildir *maildir_new(const char *path, const char *hostname, char *error, size_t error_size);
bool maildir_is_template(const struct maildir *m);
/* With a template: the sweep of all Maildirs there are. It looks at every folder, so it is for a
 * thread that may take its time; maildir_end_sweep() in another ends it early. */
void maildir_sweep(struct maildir *m);
void maildir_end_sweep(struct maildir *m);
/* Which folders get the message, and the fields that go before the content there. The letter has an
 * error at once (EILSEQ, ENAMETOOLONG, EMFILE; logged) when the envelope's octets would not
 * stay within their header lines, a folder would have too long a name, or there are too many. Of
 * the envelope nothing is kept; the message is borrowed until the letter is stored, and its size is
 * to stay as it is. The transaction is an ident, and there is a recipient. */
void maildir_letter_init(struct maildir_letter *letter, const struct maildir *m,
			 const struct delivery_envelope *envelope,
			 const struct spool_message *message);
void maildir_letter_fini(struct maildir_letter *letter);
/* Stores messages together; usable from several threads. Each letter's error is then 0, and the
 * message durable with "new/<name>" in `ref` (in the
 * first folder, by its path); or it is an errno, which is logged, and nothing of
 * the message is left behind. What happens to one does not harm the others, but an fsync of a
 * folder that fails fails all that went there. Letters that have an error already are left alone.
 *
 * A message with several copies is in all its folders or in none.
 *
 * Mail for the quarantine goes to the folder .Quarantine of the Maildir (Maildir++), which is made
 * when it is missing, and `ref` is ".Quarantine/new/<name>". */
void maildir_store(const struct maildir *m, struct maildir_letter *const *letters, size_t len);
void maildir_free(struct maildir **m);

#endif
