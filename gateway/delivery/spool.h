/* spool: the content of one message while it is received, judged and delivered.
 *
 *      up to SPOOL_MEMORY octets     in memory, no file at all
 *      above, or when asked for      <spool_dir>/<id>.eml, mode 0640, every octet of it
 *
 * The octets are those received (dots unstuffed, CRLF kept). The start of the message up to
 * SPOOL_HEADERS octets stays in memory in either case, for services that want the header only. The
 * file is a working copy for policy services and the delivery: nothing is promised before the
 * delivery is done, so it is never fsynced and is removed with the object. */
#ifndef DELIVERY_SPOOL_H
#define DELIVERY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_MEMORY  65536
#define SPOOL_HEADERS 262144

struct spool_message;

/* `id` names the file (a transaction's ident); both strings are copied. Touches no disk. */
struct spool_message *spool_message_new(const char *spool_dir, const char *id);
/* False when the octets cannot be stored (errno: ENOSPC, EDQUOT, ...). The message is then broken:
 * every later append fails with the same errno and its file is gone. */
bool spool_message_append(struct spool_message *m, const char *data, size_t len);
/* Makes sure the content is in the file and all of it written. Returns the file's name relative to
 * spool_dir, valid while `m` lives; NULL (errno) when that fails: a message whose content is all in
 * memory stays usable, another is broken. */
const char *spool_message_file(struct spool_message *m);
/* The whole content when it is in memory (not NULL even if empty); NULL when only the file has
 * all of it. */
const char *spool_message_data(const struct spool_message *m, size_t *len);
uint64_t spool_message_size(const struct spool_message *m);
/* The octets up to and including the empty line that ends the header (all of them when there is
 * none), at most SPOOL_HEADERS; *full is the length it would have without that bound. */
const char *spool_message_headers(const struct spool_message *m, size_t *len, uint64_t *full);
/* Copies all octets to `fd`, from wherever they are; false with errno. Usable in any thread as long
 * as no other touches the message. */
bool spool_message_copy(const struct spool_message *m, int fd);
/* Removes the file too; sets the pointer to NULL. */
void spool_message_free(struct spool_message **m);

/* Removes every <ident>.eml in `dir`: they were left by processes that are gone, and no message
 * there was answered with 250. Other files stay. Call it once, before any worker runs. Returns how
 * many, or -1 with errno when the directory is unreadable. */
int spool_sweep(const char *dir);

#endif
