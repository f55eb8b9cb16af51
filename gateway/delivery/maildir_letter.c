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

/* A recipient and its folder. */
struct addressee {
	const struct hook_mailbox *recipient;
	char *path;
	size_t index;
};

/* Of recipients who share a folder. */
static bool make_fields(const struct delivery_envelope *envelope,
			const struct addressee *addressees, size_t len, struct buf *out)
{
	bool ok = is_one_field(envelope->received);

	ok = ok && add_address(out, "Return-Path: <", &envelope->sender->address, ">\r\n");
	for (size_t i = 0; ok && i < len; i++)
		ok = add_address(out, "Delivered-To: ", &addressees[i].recipient->address, "\r\n");
	return ok && buf_append_string(out, envelope->received);
}

/* The local part is without its quoting, so that "bob"@a and bob@a have one folder. */
static char *recipient_path(const struct maildir *m, const struct hook_mailbox *recipient)
{
	struct maildir_address parts = {
		.local = recipient->local.len ? recipient->local.data : "",
		.local_len = recipient->local.len,
		.domain = recipient->domain.len ? recipient->domain.data : m->hostname,
		.domain_len = recipient->domain.len ? recipient->domain.len : strlen(m->hostname),
	};

	return m->template ? maildir_path_make(m->path, &parts) : mem_copy_string(m->path);
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
		addressees[i].recipient = &envelope->recipients[i];
		addressees[i].path = recipient_path(m, &envelope->recipients[i]);
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
