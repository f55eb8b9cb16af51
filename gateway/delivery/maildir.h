/* maildir: messages as files, stored so that they outlive a crash.
 *
 *      tmp/<name>   create, lock, write, fsync
 *      new/<name>   link from tmp/, fsync the directory: now it may be answered for
 *      tmp/<name>   unlink
 *
 *      name: <seconds>.M<microseconds>P<pid>Q<transaction>.<host>,S=<octets>
 *
 * Only a name in new/ is a message. Whatever a crash leaves in tmp/ was never answered with 250. */
#ifndef DELIVERY_MAILDIR_H
#define DELIVERY_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "delivery/delivery.h"

struct spool_message;
struct maildir;

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
struct maildir *maildir_new(const char *path, const char *hostname, char *error, size_t error_size);
/* The fields that go before the content. False, and nothing of use in `out`, when the envelope's
 * octets would not stay within their header lines. */
bool maildir_fields(const struct delivery_envelope *envelope, struct buf *out);
/* Stores one message; usable from several threads. 0 when it is durable, with "new/<name>" in
 * `ref`. Else an errno, which is logged, and nothing is left behind. `transaction` is an ident.
 * With `quarantine` it goes to the folder .Quarantine of the Maildir (Maildir++), which is made
 * when it is missing, and `ref` is ".Quarantine/new/<name>". */
int maildir_store(const struct maildir *m, const char *transaction, bool quarantine,
		  const struct buf *fields, const struct spool_message *message, char *ref,
		  size_t ref_size);
void maildir_free(struct maildir **m);

#endif
