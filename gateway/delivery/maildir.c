#include "delivery/maildir.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/file.h"
#include "delivery/maildir_folder.h"
#include "delivery/spool.h"

/* A longer host name would not leave room for the rest of the name in delivery_result.ref. The
 * ident keeps cut names apart. */
#define HOST_MAX 48

#define QUARANTINE ".Quarantine"

struct maildir {
	struct maildir_folder inbox;
	struct maildir_folder quarantine; /* made with the first message for it */
	char host[HOST_MAX + 1];
};

/* One message on its way. */
struct letter {
	char name[128];
	int tmp_dir, new_dir;
	int fd;
	bool made, linked;
};

/* The Maildir rule: '/' is \057 and ':' is \072. We treat everything unusual so. */
static void escape_host(const char *hostname, char *out, size_t size)
{
	size_t n = 0;

	for (const char *p = hostname; *p; p++) {
		bool plain = isalnum((unsigned char)*p) || *p == '.' || *p == '-' || *p == '_';

		if (n + (plain ? 1 : 4) >= size)
			break;
		n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "\\%03o",
				      (unsigned char)*p);
	}
	out[n] = '\0';
}

static bool exists(const struct maildir_folder *folder)
{
	return access(folder->path, F_OK) == 0;
}

struct maildir *maildir_new(const char *path, const char *hostname, char *error, size_t error_size)
{
	struct maildir *m = mem_new(sizeof *m);
	const char *failed;

	maildir_folder_init(&m->inbox, path, "");
	maildir_folder_init(&m->quarantine, path, QUARANTINE);
	escape_host(hostname, m->host, sizeof m->host);
	failed = maildir_folder_make(&m->inbox);
	if (!failed)
		failed = maildir_folder_sweep(&m->inbox, m->host);
	if (!failed && exists(&m->quarantine)) {
		failed = maildir_folder_make(&m->quarantine);
		if (!failed)
			failed = maildir_folder_sweep(&m->quarantine, m->host);
	}
	if (!failed)
		return m;
	snprintf(error, error_size, "maildir: %s: %s", failed, strerror(errno));
	maildir_free(&m);
	return NULL;
}

void maildir_free(struct maildir **m_at)
{
	struct maildir *m = *m_at;

	if (!m)
		return;
	maildir_folder_fini(&m->inbox);
	maildir_folder_fini(&m->quarantine);
	free(m);
	*m_at = NULL;
}

/* Header injection: the parser lets no control character through, and if it ever did, a sender
 * could write header fields of its own choice here. */
static bool is_one_line(const struct octets *octets)
{
	for (size_t i = 0; i < octets->len; i++) {
		unsigned char c = (unsigned char)octets->data[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

/* The address between the two texts. */
static bool add_address(struct buf *out, const char *before, const struct octets *address,
			const char *after)
{
	return is_one_line(address) && buf_append_string(out, before) &&
	       (!address->len || buf_append(out, address->data, address->len)) &&
	       buf_append_string(out, after);
}

/* One field with its folded lines (RFC 5322 section 2.2.3), nothing before or after. */
static bool is_one_field(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			return false;
		if (*text != '\r')
			continue;
		if (text[1] != '\n')
			return false;
		if (!text[2])
			return true;
		if (text[2] != ' ' && text[2] != '\t')
			return false;
		text++;
	}
	return false;
}

bool maildir_fields(const struct delivery_envelope *envelope, struct buf *out)
{
	bool ok = is_one_field(envelope->received);

	ok = ok && add_address(out, "Return-Path: <", &envelope->sender->address, ">\r\n");
	for (size_t i = 0; ok && i < envelope->recipients_len; i++)
		ok = add_address(out, "Delivered-To: ", &envelope->recipients[i].address, "\r\n");
	return ok && buf_append_string(out, envelope->received);
}

static void name_letter(const struct maildir *m, const char *transaction, uint64_t size,
			struct letter *letter)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(letter->name, sizeof letter->name, "%lld.M%06ldP%ldQ%s.%s,S=%llu",
		 (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(), transaction, m->host,
		 (unsigned long long)size);
}

static const char *write_letter(struct letter *letter, const struct buf *fields,
				const struct spool_message *message)
{
	letter->fd = openat(letter->tmp_dir, letter->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			    0600);
	if (letter->fd < 0)
		return "create in tmp";
	letter->made = true;
	/* Only the sweep asks for the lock; where the file system has none, 36 hours must do. */
	flock(letter->fd, LOCK_EX | LOCK_NB);
	if (!file_write(letter->fd, buf_head(fields), fields->len))
		return "write fields";
	if (!spool_message_copy(message, letter->fd))
		return "write content";
	if (fsync(letter->fd) != 0)
		return "fsync";
	return NULL;
}

/* link() and not rename(): it fails with EEXIST where rename() would replace a message, and it
 * works on file systems that do not know RENAME_NOREPLACE (NFS). The name left in tmp/ is harmless
 * at any time. */
static const char *publish_letter(struct letter *letter)
{
	if (linkat(letter->tmp_dir, letter->name, letter->new_dir, letter->name, 0) != 0)
		return "link into new";
	letter->linked = true;
	if (fsync(letter->new_dir) != 0)
		return "fsync of new";
	return NULL;
}

/* The folders are opened for each message: one that was replaced while we run is found again, and
 * the one that gets the link is the one that is synced. */
static const char *open_folder(const struct maildir_folder *folder, struct letter *letter)
{
	letter->tmp_dir = open(folder->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (letter->tmp_dir < 0)
		return "open tmp";
	letter->new_dir = open(folder->new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return letter->new_dir < 0 ? "open new" : NULL;
}

static const char *store_letter(const struct maildir_folder *folder, bool make,
				struct letter *letter, const struct buf *fields,
				const struct spool_message *message)
{
	const char *failed;

	if (make && access(folder->tmp, F_OK) != 0 && maildir_folder_make(folder))
		return "make the folder";
	failed = open_folder(folder, letter);
	if (!failed)
		failed = write_letter(letter, fields, message);
	return failed ? failed : publish_letter(letter);
}

static void close_letter(struct letter *letter, bool keep)
{
	if (letter->linked && !keep)
		unlinkat(letter->new_dir, letter->name, 0);
	if (letter->made)
		unlinkat(letter->tmp_dir, letter->name, 0);
	/* After fsync() a close() has nothing left to fail on. */
	if (letter->fd >= 0)
		close(letter->fd);
	if (letter->tmp_dir >= 0)
		close(letter->tmp_dir);
	if (letter->new_dir >= 0)
		close(letter->new_dir);
}

int maildir_store(const struct maildir *m, const char *transaction, bool quarantine,
		  const struct buf *fields, const struct spool_message *message, char *ref,
		  size_t ref_size)
{
	const struct maildir_folder *folder = quarantine ? &m->quarantine : &m->inbox;
	struct letter letter = {.tmp_dir = -1, .new_dir = -1, .fd = -1};
	const char *failed;
	int error = 0;

	assert(strlen(transaction) == strspn(transaction, IDENT_ALPHABET));
	name_letter(m, transaction, fields->len + spool_message_size(message), &letter);
	failed = store_letter(folder, quarantine, &letter, fields, message);
	if (failed) {
		error = errno;
		log_error("maildir %s: %s: %s: %s", folder->path, letter.name, failed,
			  strerror(error));
	}
	close_letter(&letter, !failed);
	if (failed)
		ref[0] = '\0';
	else
		snprintf(ref, ref_size, "%snew/%s", quarantine ? QUARANTINE "/" : "", letter.name);
	return error;
}
