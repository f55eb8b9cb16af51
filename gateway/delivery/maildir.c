#include "delivery/maildir.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/mem.h"
#include "delivery/maildir_batch.h"

/* A longer host name would not leave room for the rest of the name in delivery_result.ref. The
 * ident keeps cut names apart. */
#define HOST_MAX 48

/* Files of one batch. They and their folders are open all at once. */
#define BATCH_FILES 64

struct maildir {
	struct maildir_folder inbox;
	struct maildir_folder quarantine; /* made with the first message for it */
	char host[HOST_MAX + 1];
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
	maildir_folder_init(&m->quarantine, path, MAILDIR_QUARANTINE);
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

static bool make_fields(const struct delivery_envelope *envelope, struct buf *out)
{
	bool ok = is_one_field(envelope->received);

	ok = ok && add_address(out, "Return-Path: <", &envelope->sender->address, ">\r\n");
	for (size_t i = 0; ok && i < envelope->recipients_len; i++)
		ok = add_address(out, "Delivered-To: ", &envelope->recipients[i].address, "\r\n");
	return ok && buf_append_string(out, envelope->received);
}

bool maildir_letter_init(struct maildir_letter *letter, const struct maildir *m,
			 const struct delivery_envelope *envelope,
			 const struct spool_message *message)
{
	const char *transaction = envelope->transaction;

	assert(strlen(transaction) < sizeof letter->transaction &&
	       strlen(transaction) == strspn(transaction, IDENT_ALPHABET));
	*letter = (struct maildir_letter){.quarantine = envelope->quarantine, .message = message};
	snprintf(letter->transaction, sizeof letter->transaction, "%s", transaction);
	letter->copies = mem_new(sizeof *letter->copies);
	letter->copies_len = 1;
	letter->copies[0].make = envelope->quarantine;
	maildir_folder_init(&letter->copies[0].folder, m->inbox.path,
			    envelope->quarantine ? MAILDIR_QUARANTINE : "");
	buf_init(&letter->copies[0].fields, SIZE_MAX);
	return make_fields(envelope, &letter->copies[0].fields);
}

void maildir_letter_fini(struct maildir_letter *letter)
{
	for (size_t i = 0; i < letter->copies_len; i++) {
		maildir_folder_fini(&letter->copies[i].folder);
		buf_fini(&letter->copies[i].fields);
	}
	free(letter->copies);
	letter->copies = NULL;
	letter->copies_len = 0;
}

void maildir_store(const struct maildir *m, struct maildir_letter *const *letters, size_t len)
{
	size_t first = 0, files = 0;

	/* Each batch has whole messages, and at least one. */
	for (size_t i = 0; i < len; i++) {
		size_t copies = letters[i]->copies_len;

		if (i > first && files + copies > BATCH_FILES) {
			maildir_batch_store(letters + first, i - first, files, m->host);
			first = i;
			files = 0;
		}
		files += copies;
	}
	if (len)
		maildir_batch_store(letters + first, len - first, files, m->host);
}
