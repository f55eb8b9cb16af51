#include "delivery/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/file.h"

#define SPOOL_SUFFIX ".eml"
/* The least memory for content: mail in short lines must not cost a call to realloc() for each. */
#define SPOOL_KEPT_MIN 1024
/* Octets collected before a write(): the engine hands the body over in pieces as small as a line.
 */
#define SPOOL_PIECE 65536

struct spool_message {
	char *path;
	const char *name; /* the last part of path */
	uint64_t size;
	int broken; /* errno of the append that failed */

	char *kept; /* the first kept_len octets; all of them while kept_len == size */
	size_t kept_len, kept_size;

	int fd; /* -1 without a file; else it has `written` octets and `piece` the rest */
	uint64_t written;
	char *piece;
	size_t piece_len;

	uint64_t header_end; /* 0 until the empty line was seen */
	unsigned matched;    /* how much of CRLF CRLF the last octets are */
};

struct spool_message *spool_message_new(const char *spool_dir, const char *id)
{
	struct spool_message *m = mem_new(sizeof *m);
	size_t size = strlen(spool_dir) + 1 + strlen(id) + sizeof SPOOL_SUFFIX;

	m->path = mem_new(size);
	snprintf(m->path, size, "%s/%s" SPOOL_SUFFIX, spool_dir, id);
	m->name = m->path + strlen(spool_dir) + 1;
	m->fd = -1;
	m->matched = 2; /* a message may begin with the empty line: no header at all */
	return m;
}

static bool all_kept(const struct spool_message *m)
{
	return m->kept_len == m->size && !m->broken;
}

/* errno stays. */
static void drop_file(struct spool_message *m)
{
	int error = errno;

	if (m->fd >= 0) {
		close(m->fd);
		unlink(m->path);
	}
	m->fd = -1;
	m->written = 0;
	free(m->piece);
	m->piece = NULL;
	m->piece_len = 0;
	errno = error;
}

static bool break_message(struct spool_message *m)
{
	m->broken = errno;
	drop_file(m);
	errno = m->broken;
	return false;
}

static bool write_octets(struct spool_message *m, const char *data, size_t len)
{
	if (!file_write(m->fd, data, len))
		return false;
	m->written += len;
	return true;
}

/* The file with all octets so far, which are in memory. O_EXCL: a file or link that somebody put
 * there is never written to. */
static bool open_file(struct spool_message *m)
{
	m->fd = open(m->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (m->fd < 0)
		return false;
	/* Services read it as members of the group, whatever the umask. */
	if (fchmod(m->fd, 0640) == 0 && write_octets(m, m->kept, m->kept_len))
		return true;
	drop_file(m);
	return false;
}

static bool write_piece(struct spool_message *m)
{
	size_t len = m->piece_len;

	m->piece_len = 0;
	return len == 0 || write_octets(m, m->piece, len);
}

static bool append_to_file(struct spool_message *m, const char *data, size_t len)
{
	if (m->piece_len + len > SPOOL_PIECE && !write_piece(m))
		return false;
	if (len >= SPOOL_PIECE)
		return write_octets(m, data, len);
	if (!m->piece)
		m->piece = mem_resize(NULL, SPOOL_PIECE);
	memcpy(m->piece + m->piece_len, data, len);
	m->piece_len += len;
	return true;
}

static void find_header_end(struct spool_message *m, const char *data, size_t len)
{
	static const char end[] = "\r\n\r\n";

	for (size_t i = 0; i < len && !m->header_end; i++) {
		if (data[i] == end[m->matched])
			m->matched++;
		else
			m->matched = data[i] == '\r';
		if (m->matched == 4)
			m->header_end = m->size + i + 1;
	}
}

/* The bound is what 50 messages of 50 MiB cost in memory. */
static size_t kept_max(const struct spool_message *m)
{
	if (!m->header_end || m->header_end > SPOOL_HEADERS)
		return SPOOL_HEADERS;
	return m->header_end > SPOOL_MEMORY ? (size_t)m->header_end : SPOOL_MEMORY;
}

static void keep_octets(struct spool_message *m, const char *data, size_t len)
{
	size_t max = kept_max(m), want;

	if (m->kept_len >= max)
		return;
	if (len > max - m->kept_len)
		len = max - m->kept_len;
	want = m->kept_len + len;
	if (want > m->kept_size) {
		m->kept_size = want > 2 * m->kept_size ? want : 2 * m->kept_size;
		if (m->kept_size < SPOOL_KEPT_MIN)
			m->kept_size = SPOOL_KEPT_MIN;
		if (m->kept_size > max)
			m->kept_size = max;
		m->kept = mem_resize(m->kept, m->kept_size);
	}
	memcpy(m->kept + m->kept_len, data, len);
	m->kept_len = want;
}

bool spool_message_append(struct spool_message *m, const char *data, size_t len)
{
	if (m->broken) {
		errno = m->broken;
		return false;
	}
	if (!len)
		return true;
	if (m->fd < 0 && m->size + len > SPOOL_MEMORY && !open_file(m))
		return break_message(m);
	if (m->fd >= 0 && !append_to_file(m, data, len))
		return break_message(m);
	find_header_end(m, data, len);
	keep_octets(m, data, len);
	m->size += len;
	return true;
}

const char *spool_message_file(struct spool_message *m)
{
	if (m->broken) {
		errno = m->broken;
		return NULL;
	}
	if (m->fd < 0 && !open_file(m))
		return NULL;
	if (write_piece(m)) {
		free(m->piece);
		m->piece = NULL;
		return m->name;
	}
	if (all_kept(m))
		drop_file(m);
	else
		break_message(m);
	return NULL;
}

const char *spool_message_data(const struct spool_message *m, size_t *len)
{
	*len = 0;
	if (!all_kept(m))
		return NULL;
	*len = m->kept_len;
	return m->kept ? m->kept : "";
}

uint64_t spool_message_size(const struct spool_message *m)
{
	return m->size;
}

const char *spool_message_headers(const struct spool_message *m, size_t *len, uint64_t *full)
{
	*full = m->header_end ? m->header_end : m->size;
	*len = *full < SPOOL_HEADERS ? (size_t)*full : SPOOL_HEADERS;
	return m->kept ? m->kept : "";
}

bool spool_message_copy(const struct spool_message *m, int fd)
{
	if (m->broken) {
		errno = m->broken;
		return false;
	}
	if (all_kept(m))
		return file_write(fd, m->kept, m->kept_len);
	return file_copy(m->fd, m->written, fd) && file_write(fd, m->piece, m->piece_len);
}

void spool_message_free(struct spool_message **m_at)
{
	struct spool_message *m = *m_at;

	if (!m)
		return;
	drop_file(m);
	free(m->kept);
	free(m->path);
	free(m);
	*m_at = NULL;
}

/* <ident>.eml: somebody's own *.eml in a directory named by mistake survives. */
static bool named_by_us(const char *name)
{
	return strspn(name, IDENT_ALPHABET) == IDENT_SIZE - 1 &&
	       strcmp(name + IDENT_SIZE - 1, SPOOL_SUFFIX) == 0;
}

int spool_sweep(const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	int removed = 0;

	if (!entries)
		return -1;
	while ((entry = readdir(entries))) {
		if (!named_by_us(entry->d_name))
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			removed++;
		else
			log_warning("%s/%s stays: %s", dir, entry->d_name, strerror(errno));
	}
	closedir(entries);
	return removed;
}
