#include "delivery/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "delivery/file.h"
#include "delivery/spool_file.h"

/* The least memory for content: mail in short lines must not cost a call to realloc() for each. */
#define SPOOL_KEPT_MIN 1024
/* Octets collected before a write(): the engine hands the body over in pieces as small as a line.
 */
#define SPOOL_PIECE 65536

struct spool_message {
	const struct spool *spool;
	char *base; /* of the file's name: <pid>-<id> */
	uint64_t size;
	int broken; /* errno of the append that failed */

	char *kept; /* the first kept_len octets; all of them while kept_len == size */
	size_t kept_len, kept_size;

	struct spool_file file; /* when there is one, `piece` is the rest */
	char *piece;
	size_t piece_len;

	/* The header was set after the file was made: the message is what is kept, and what is not
	 * is in the file from body_at on. */
	bool stale;
	uint64_t body_at;
	unsigned version; /* of the file */

	bool header_ended; /* the empty line was seen; else all octets are header */
	uint64_t header_end;
	unsigned matched; /* how much of CRLF CRLF the last octets are */
};

struct spool_message *spool_message_new(const struct spool *spool, const char *id)
{
	struct spool_message *m = mem_new(sizeof *m);
	size_t size = strlen(id) + 24;

	m->spool = spool;
	m->base = mem_new(size);
	snprintf(m->base, size, "%ld-%s", (long)getpid(), id);
	spool_file_init(&m->file, spool);
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
	spool_file_drop(&m->file);
	free(m->piece);
	m->piece = NULL;
	m->piece_len = 0;
	m->stale = false;
}

static bool break_message(struct spool_message *m)
{
	m->broken = errno;
	drop_file(m);
	return false;
}

/* A file for the message as it is now: what is kept, and the rest from the file there is. */
static bool make_file(struct spool_message *m)
{
	struct spool_file file;
	size_t size = strlen(m->base) + 24;
	char *name = mem_new(size);
	bool ok;

	spool_file_init(&file, m->spool);
	if (m->version)
		snprintf(name, size, "%s.%u" SPOOL_SUFFIX, m->base, m->version);
	else
		snprintf(name, size, "%s" SPOOL_SUFFIX, m->base);
	ok = spool_file_create(&file, name) && spool_file_write(&file, m->kept, m->kept_len) &&
	     (all_kept(m) ||
	      spool_file_write_from(&file, m->file.fd, m->body_at, m->size - m->kept_len));
	free(name);
	if (!ok) {
		spool_file_drop(&file);
		return false;
	}
	drop_file(m);
	m->file = file;
	return true;
}

static bool write_piece(struct spool_message *m)
{
	size_t len = m->piece_len;

	m->piece_len = 0;
	return len == 0 || spool_file_write(&m->file, m->piece, len);
}

static bool append_to_file(struct spool_message *m, const char *data, size_t len)
{
	if (m->piece_len + len > SPOOL_PIECE && !write_piece(m))
		return false;
	if (len >= SPOOL_PIECE)
		return spool_file_write(&m->file, data, len);
	if (!m->piece)
		m->piece = mem_resize(NULL, SPOOL_PIECE);
	memcpy(m->piece + m->piece_len, data, len);
	m->piece_len += len;
	return true;
}

static void find_header_end(struct spool_message *m, const char *data, size_t len)
{
	static const char end[] = "\r\n\r\n";

	for (size_t i = 0; i < len && !m->header_ended; i++) {
		if (data[i] == end[m->matched])
			m->matched++;
		else
			m->matched = data[i] == '\r';
		if (m->matched == 4) {
			m->header_ended = true;
			m->header_end = m->size + i + 1;
		}
	}
}

/* The bound is what 50 messages of 50 MiB cost in memory. */
static size_t kept_max(const struct spool_message *m)
{
	if (!m->header_ended || m->header_end > SPOOL_HEADERS)
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
	assert(!m->version);
	if (m->broken) {
		errno = m->broken;
		return false;
	}
	if (!len)
		return true;
	if (m->file.fd < 0 && m->size + len > SPOOL_MEMORY && !make_file(m))
		return break_message(m);
	if (m->file.fd >= 0 && !append_to_file(m, data, len))
		return break_message(m);
	find_header_end(m, data, len);
	keep_octets(m, data, len);
	m->size += len;
	return true;
}

/* All octets of the file are in it. A message that is in memory lives on without a file that cannot
 * be written. */
static bool settle_file(struct spool_message *m)
{
	if (write_piece(m)) {
		free(m->piece);
		m->piece = NULL;
		return true;
	}
	if (all_kept(m))
		drop_file(m);
	else
		break_message(m);
	return false;
}

const char *spool_message_file(struct spool_message *m)
{
	if (m->broken) {
		errno = m->broken;
		return NULL;
	}
	if ((m->file.fd < 0 || m->stale) && !make_file(m))
		return NULL;
	return settle_file(m) ? m->file.name : NULL;
}

int spool_message_open(struct spool_message *m)
{
	if (!spool_message_file(m))
		return -1;
	return open(m->file.path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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
	*full = m->header_ended ? m->header_end : m->size;
	*len = *full < SPOOL_HEADERS ? (size_t)*full : SPOOL_HEADERS;
	return m->kept ? m->kept : "";
}

/* The new header, and what was kept of the body. */
static void keep_header(struct spool_message *m, const char *header, size_t len, size_t old)
{
	size_t body = all_kept(m) ? m->kept_len - old : 0;
	char *kept = mem_new(len + body);

	if (len)
		memcpy(kept, header, len);
	if (body)
		memcpy(kept + len, m->kept + old, body);
	free(m->kept);
	m->kept = kept;
	m->kept_len = m->kept_size = len + body;
}

bool spool_message_set_header(struct spool_message *m, const char *header, size_t len)
{
	uint64_t full;
	size_t old;

	if (m->broken) {
		errno = m->broken;
		return false;
	}
	spool_message_headers(m, &old, &full);
	if (full > SPOOL_HEADERS || len > SPOOL_HEADERS) {
		errno = EFBIG;
		return false;
	}
	if (m->file.fd >= 0 && !settle_file(m) && m->broken)
		return false;
	keep_header(m, header, len, old);
	m->size = m->size - old + len;
	m->header_end = len;
	if (!m->stale && m->file.fd >= 0) {
		m->stale = true;
		m->body_at = old;
	}
	m->version++;
	return true;
}

bool spool_message_copy(const struct spool_message *m, int fd)
{
	if (m->broken) {
		errno = m->broken;
		return false;
	}
	if (all_kept(m))
		return file_write(fd, m->kept, m->kept_len);
	if (m->stale)
		return file_write(fd, m->kept, m->kept_len) &&
		       file_copy(m->file.fd, m->body_at, m->size - m->kept_len, fd);
	return file_copy(m->file.fd, 0, m->file.written, fd) &&
	       file_write(fd, m->piece, m->piece_len);
}

static size_t read_memory(const char *data, size_t len, uint64_t offset, char *buffer, size_t size)
{
	size_t n = len - (size_t)offset < size ? len - (size_t)offset : size;

	memcpy(buffer, data + offset, n);
	return n;
}

/* An offset in the file, which holds all but what is still in the piece. */
static ssize_t read_file(const struct spool_message *m, uint64_t offset, char *buffer, size_t size)
{
	uint64_t left;
	ssize_t n;

	if (offset >= m->file.written)
		return (ssize_t)read_memory(m->piece, m->piece_len, offset - m->file.written,
					    buffer, size);
	left = m->file.written - offset;
	do
		n = pread(m->file.fd, buffer, size < left ? size : (size_t)left, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n == 0) { /* somebody has cut it: that is no end of the message */
		errno = EIO;
		return -1;
	}
	return n;
}

ssize_t spool_message_read(const struct spool_message *m, uint64_t offset, char *buffer,
			   size_t size)
{
	if (m->broken) {
		errno = m->broken;
		return -1;
	}
	if (offset >= m->size)
		return 0;
	if (offset < m->kept_len)
		return (ssize_t)read_memory(m->kept, m->kept_len, offset, buffer, size);
	return read_file(m, m->stale ? m->body_at + (offset - m->kept_len) : offset, buffer, size);
}

void spool_message_free(struct spool_message **m_at)
{
	struct spool_message *m = *m_at;

	if (!m)
		return;
	drop_file(m);
	free(m->kept);
	free(m->base);
	free(m);
	*m_at = NULL;
}
