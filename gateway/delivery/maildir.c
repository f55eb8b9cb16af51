#include "delivery/maildir.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
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
#include "delivery/spool.h"

#define STALE_SECONDS (36 * 3600)
/* A longer host name would not leave room for the rest of the name in delivery_result.ref. The
 * ident keeps cut names apart. */
#define HOST_MAX 48

struct maildir {
	char *path;
	char *cur;
	char *tmp;
	char *new;
	char host[HOST_MAX + 1];
};

/* One message on its way. */
struct letter {
	char name[128];
	int tmp_dir, new_dir;
	int fd;
	bool made, linked;
};

static char *join(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = mem_new(size);

	snprintf(path, size, "%s/%s", folder, name);
	return path;
}

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

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

/* A folder whose own entry is not on disk can take its messages with it in a power failure. */
static bool make_folder(char *path)
{
	char *slash = strrchr(path, '/');
	bool ok;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST;
	if (slash == path)
		return sync_folder("/");
	*slash = '\0';
	ok = sync_folder(path);
	*slash = '/';
	return ok;
}

static bool make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool ok;

		*slash = '\0';
		ok = make_folder(path);
		*slash = '/';
		if (!ok)
			return false;
	}
	return true;
}

/* NULL, or the folder that cannot be used, with errno. */
static const char *make_maildir(struct maildir *m)
{
	char *folders[] = {m->cur, m->tmp, m->new};

	if (!make_parents(m->cur))
		return m->path;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		if (!make_folder(folders[i]) || !sync_folder(folders[i]) ||
		    faccessat(AT_FDCWD, folders[i], R_OK | W_OK | X_OK, AT_EACCESS) != 0)
			return folders[i];
	return sync_folder(m->path) ? NULL : m->path;
}

/* The part of the name behind our transaction, ".<host>,S=<octets>"; NULL when the name is not of
 * our making. A Q with a full ident is ours alone: others count there. */
static const char *name_after_ident(const char *name)
{
	static const struct {
		const char *before, *characters;
	} parts[] = {
		{"", "0123456789"},
		{".M", "0123456789"},
		{"P", "0123456789"},
		{"Q", IDENT_ALPHABET},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t before = strlen(parts[i].before);

		if (strncmp(name, parts[i].before, before) != 0)
			return NULL;
		n = strspn(name + before, parts[i].characters);
		if (!n)
			return NULL;
		name += before + n;
	}
	return n == IDENT_SIZE - 1 && *name == '.' ? name : NULL;
}

static bool is_host(const char *rest, const char *host)
{
	size_t len = strlen(host);

	return strncmp(rest + 1, host, len) == 0 && strncmp(rest + 1 + len, ",S=", 3) == 0;
}

static bool is_stale(const struct maildir *m, const char *rest, int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	if (status.st_mtime < time(NULL) - STALE_SECONDS)
		return true;
	return is_host(rest, m->host) && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* A writer that loses its file between creating and locking it fails to link and answers 451: the
 * sweep can never cost an answered message. */
static const char *sweep_tmp(const struct maildir *m)
{
	DIR *entries = opendir(m->tmp);
	struct dirent *entry;
	unsigned removed = 0;

	if (!entries)
		return m->tmp;
	while ((entry = readdir(entries))) {
		const char *rest = name_after_ident(entry->d_name);
		int fd = -1;

		if (rest)
			fd = openat(dirfd(entries), entry->d_name,
				    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_stale(m, rest, fd) && unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			removed++;
		close(fd);
	}
	closedir(entries);
	if (removed)
		log_info("%s: %u unfinished messages removed", m->tmp, removed);
	return NULL;
}

struct maildir *maildir_new(const char *path, const char *hostname, char *error, size_t error_size)
{
	struct maildir *m = mem_new(sizeof *m);
	const char *failed;

	m->path = mem_copy_string(path);
	m->cur = join(path, "cur");
	m->tmp = join(path, "tmp");
	m->new = join(path, "new");
	escape_host(hostname, m->host, sizeof m->host);
	failed = make_maildir(m);
	if (!failed)
		failed = sweep_tmp(m);
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
	free(m->path);
	free(m->cur);
	free(m->tmp);
	free(m->new);
	free(m);
	*m_at = NULL;
}

/* Header injection: the parser lets no control character through, and if it ever did, a sender
 * could write header fields of its own choice here. */
static bool is_one_line(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
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
	bool ok = is_one_line(envelope->reverse_path) && is_one_field(envelope->received);

	ok = ok && buf_printf(out, "Return-Path: <%s>\r\n", envelope->reverse_path);
	for (size_t i = 0; ok && i < envelope->recipients_len; i++)
		ok = is_one_line(envelope->recipients[i]) &&
		     buf_printf(out, "Delivered-To: %s\r\n", envelope->recipients[i]);
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
static const char *store_letter(const struct maildir *m, struct letter *letter,
				const struct buf *fields, const struct spool_message *message)
{
	const char *failed;

	letter->tmp_dir = open(m->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (letter->tmp_dir < 0)
		return "open tmp";
	letter->new_dir = open(m->new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (letter->new_dir < 0)
		return "open new";
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

int maildir_store(const struct maildir *m, const char *transaction, const struct buf *fields,
		  const struct spool_message *message, char *ref, size_t ref_size)
{
	struct letter letter = {.tmp_dir = -1, .new_dir = -1, .fd = -1};
	const char *failed;
	int error = 0;

	assert(strlen(transaction) == strspn(transaction, IDENT_ALPHABET));
	name_letter(m, transaction, fields->len + spool_message_size(message), &letter);
	failed = store_letter(m, &letter, fields, message);
	if (failed) {
		error = errno;
		log_error("maildir %s: %s: %s: %s", m->path, letter.name, failed, strerror(error));
	}
	close_letter(&letter, !failed);
	snprintf(ref, ref_size, "%s%s", failed ? "" : "new/", failed ? "" : letter.name);
	return error;
}
