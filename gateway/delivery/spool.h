/* spool: the content of one message while it is received, judged and delivered.
 *
 *      up to SPOOL_MEMORY octets     in memory, no file at all
 *      above, or when asked for      <dir>/<pid>-<id>.eml, mode 0640, every octet of it
 *
 * The octets are those received (dots unstuffed, CRLF kept), until a new header is set. The start
 * of the message up to SPOOL_HEADERS octets stays in memory in either case, for services that want
 * the header only. The file is a working copy for policy services and the delivery: nothing is
 * promised before the delivery is done, so it is never fsynced and is removed with the object. */
#ifndef DELIVERY_SPOOL_H
#define DELIVERY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPOOL_MEMORY  65536
#define SPOOL_HEADERS 262144
#define SPOOL_SUFFIX  ".eml"

struct counters;
struct counters_slot;
struct spool_message;

/* What all messages of a process share; it must outlive them. */
struct spool {
	const char *dir;
	uint64_t limit;		    /* octets in the files of all processes; 0: any number */
	struct counters *counters;  /* those of all processes; may be NULL without a limit */
	struct counters_slot *slot; /* where this process counts; NULL: not at all */
};

/* `id` (a transaction's ident) names the file; it is copied. Touches no disk. */
struct spool_message *spool_message_new(const struct spool *spool, const char *id);
/* False when the octets cannot be stored (errno: ENOSPC, EDQUOT also beyond the limit, ...). The
 * message is then broken: every later append fails with the same errno and its file is gone. Not
 * allowed any more when a header was set. */
bool spool_message_append(struct spool_message *m, const char *data, size_t len);
/* Makes sure the content is in the file and all of it written. Returns the file's name relative to
 * the directory, valid until a header is set or `m` is freed; NULL (errno) when that fails: a
 * message whose content is all in memory, or that has a new header, stays usable; another is
 * broken. */
const char *spool_message_file(struct spool_message *m);
/* The content in its file as a new descriptor, read-only, close-on-exec, with an offset of its own
 * (0); the caller closes it. -1 (errno) as with spool_message_file(). */
int spool_message_open(struct spool_message *m);
/* The whole content when it is in memory (not NULL even if empty); NULL when only the file has
 * all of it. */
const char *spool_message_data(const struct spool_message *m, size_t *len);
uint64_t spool_message_size(const struct spool_message *m);
/* The octets up to and including the empty line that ends the header (all of them when there is
 * none; the header itself when one was set), at most SPOOL_HEADERS; *full is the length it would
 * have without that bound. */
const char *spool_message_headers(const struct spool_message *m, size_t *len, uint64_t *full);
/* Puts these octets (copied) in the place of those that spool_message_headers() tells; from then on
 * every function tells of the new message. A file that was given out does not change: the next
 * spool_message_file() makes another with another name, and removes the first when that is done.
 * False (errno): EFBIG when the header there is or the new one is longer than SPOOL_HEADERS, and
 * the message is as it was; else as with spool_message_file(). */
bool spool_message_set_header(struct spool_message *m, const char *header, size_t len);
/* Copies at most `size` octets from `offset` on into `buffer`; returns how many, 0 at the end, -1
 * with errno. Memory and the page cache are where they come from, as a rule; no disk is waited for
 * on purpose. */
ssize_t spool_message_read(const struct spool_message *m, uint64_t offset, char *buffer,
			   size_t size);
/* Copies all octets to `fd`, from wherever they are; false with errno. Usable in any thread as long
 * as no other touches the message. */
bool spool_message_copy(const struct spool_message *m, int fd);
/* Removes the file too; sets the pointer to NULL. Usable in any thread. */
void spool_message_free(struct spool_message **m);

/* Removes the files of the process `pid`, which must be gone, in `dir`; with 0 those of all
 * processes: call it so once, before any worker runs. No message there was answered with 250. Also
 * swept are names with -<n> before the suffix: links to such a file, made to outlive it. Other
 * files stay. Returns how many, or -1 with errno when the directory is unreadable. */
int spool_sweep(const char *dir, pid_t pid);

#endif
