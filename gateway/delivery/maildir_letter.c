/* A message as a Maildir gets it: which folders, and the fields before the content. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "delivery/maildir.h"
#include "delivery/maildir_path.h"
#include "maildir_inside.h"

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

/* A recipient and its folder. */
struct addressee {
	const char *recipient;
	char *path;
	size_t index;
};

/* Of recipients who share a folder. */
static bool make_fields(const struct delivery_envelope *envelope,
			const struct addressee *addressees, size_t len, struct buf *out)
{
	bool ok = is_one_line(envelope->reverse_path) && is_one_field(envelope->received);

	ok = ok && buf_printf(out, "Return-Path: <%s>\r\n", envelope->reverse_path);
	for (size_t i = 0; ok && i < len; i++)
		ok = is_one_line(addressees[i].recipient) &&
		     buf_printf(out, "Delivered-To: %s\r\n", addressees[i].recipient);
	return ok && buf_append_string(out, envelope->received);
}

/* The local part without its quoting, so that "bob"@a and bob@a have one folder; `local` has room
 * for the address. */
static void split_address(const struct maildir *m, const char *address, char *local,
			  struct maildir_address *parts)
{
	const char *at = strrchr(address, '@'), *end = at ? at : address + strlen(address);
	const char *domain = at ? at + 1 : m->hostname;
	bool quoted = end - address >= 2 && *address == '"' && end[-1] == '"';
	size_t n = 0;

	for (const char *p = quoted ? address + 1 : address; p < (quoted ? end - 1 : end); p++) {
		if (quoted && *p == '\\' && p + 1 < end - 1)
			p++;
		local[n++] = *p;
	}
	*parts = (struct maildir_address){
		.local = local, .local_len = n, .domain = domain, .domain_len = strlen(domain)};
}

static char *recipient_path(const struct maildir *m, const char *recipient)
{
	struct maildir_address parts;
	char *local, *path;

	if (!m->template)
		return mem_copy_string(m->path);
	local = mem_new(strlen(recipient) + 1);
	split_address(m, recipient, local, &parts);
	path = maildir_path_make(m->path, &parts);
	free(local);
	return path;
}

static int compare(const void *a, const void *b)
{
	const struct addressee *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	return order ? order : left->index < right->index ? -1 : 1;
}

static int find_folders(const struct maildir *m, const struct delivery_envelope *envelope,
			struct addressee *addressees)
{
	for (size_t i = 0; i < envelope->recipients_len; i++) {
		addressees[i].index = i;
		addressees[i].recipient = envelope->recipients[i];
		addressees[i].path = recipient_path(m, envelope->recipients[i]);
		if (!addressees[i].path)
			return ENAMETOOLONG;
	}
	qsort(addressees, envelope->recipients_len, sizeof *addressees, compare);
	return 0;
}

/* One copy for each folder. */
static int make_copies(struct maildir_letter *letter, const struct maildir *m,
		       const struct delivery_envelope *envelope, struct addressee *addressees)
{
	int error = find_folders(m, envelope, addressees);
	size_t len;

	for (size_t i = 0; !error && i < envelope->recipients_len; i += len) {
		struct maildir_copy *copy = &letter->copies[letter->copies_len++];

		for (len = 1; i + len < envelope->recipients_len; len++)
			if (strcmp(addressees[i].path, addressees[i + len].path) != 0)
				break;
		copy->make = envelope->quarantine || m->template;
		maildir_folder_init(&copy->folder, addressees[i].path,
				    envelope->quarantine ? MAILDIR_QUARANTINE : "", m->root_len);
		buf_init(&copy->fields, SIZE_MAX);
		if (!make_fields(envelope, addressees + i, len, &copy->fields))
			error = EILSEQ;
	}
	if (!error && letter->copies_len > MAILDIR_FOLDERS_MAX)
		error = EMFILE;
	return error;
}

static const char *reason(int error)
{
	if (error == EILSEQ)
		return "envelope unfit for header lines";
	if (error == EMFILE)
		return "too many folders";
	return "the name of a folder would be too long";
}

void maildir_letter_init(struct maildir_letter *letter, const struct maildir *m,
			 const struct delivery_envelope *envelope,
			 const struct spool_message *message)
{
	const char *transaction = envelope->transaction;
	size_t recipients = envelope->recipients_len;
	struct addressee *addressees = mem_new(recipients * sizeof *addressees);

	assert(recipients && strlen(transaction) < sizeof letter->transaction &&
	       strlen(transaction) == strspn(transaction, IDENT_ALPHABET));
	*letter = (struct maildir_letter){.quarantine = envelope->quarantine, .message = message};
	snprintf(letter->transaction, sizeof letter->transaction, "%s", transaction);
	letter->copies = mem_new(recipients * sizeof *letter->copies);
	letter->error = make_copies(letter, m, envelope, addressees);
	if (letter->error)
		log_error("maildir %s: %s: %s", m->path, transaction, reason(letter->error));
	for (size_t i = 0; i < recipients; i++)
		free(addressees[i].path);
	free(addressees);
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
