#include "delivery/maildir.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "delivery/maildir_batch.h"
#include "delivery/maildir_path.h"
#include "maildir_inside.h"

/* Files of one batch. They and their folders are open all at once. */
#define BATCH_FILES 64

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

static void say_why(char *error, size_t size, const char *path)
{
	bool shut = errno == EACCES || errno == EROFS;

	snprintf(error, size, "%s: %s%s", path, strerror(errno),
		 shut ? "; the account to which gatepost changes (user) must be able to write there"
		 : errno == ENOENT ? "; make the directory first"
				   : "");
}

static bool use_folder(const struct maildir_folder *folder, const char *host, char *error,
		       size_t size)
{
	const char *failed = maildir_folder_make(folder);

	if (!failed)
		failed = maildir_folder_sweep(folder, host);
	if (failed)
		say_why(error, size, failed);
	return !failed;
}

static bool use_maildir(const struct maildir *m, char *error, size_t size)
{
	struct maildir_folder inbox, quarantine;
	bool ok;

	maildir_folder_init(&inbox, m->path, "", 0);
	maildir_folder_init(&quarantine, m->path, MAILDIR_QUARANTINE, 0);
	ok = use_folder(&inbox, m->host, error, size);
	/* Made with the first message for it. */
	if (ok && access(quarantine.path, F_OK) == 0)
		ok = use_folder(&quarantine, m->host, error, size);
	maildir_folder_fini(&inbox);
	maildir_folder_fini(&quarantine);
	return ok;
}

static bool use_template(struct maildir *m, char *error, size_t size)
{
	char *root;
	bool ok;

	if (!maildir_path_is_valid(m->path)) {
		snprintf(error, size, "%s: only {domain} and {local} may stand in braces", m->path);
		return false;
	}
	m->template = true;
	m->root_len = maildir_path_root(m->path);
	root = mem_copy_bytes(m->path, m->root_len);
	ok = faccessat(AT_FDCWD, root, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
	if (!ok)
		say_why(error, size, root);
	free(root);
	return ok;
}

struct maildir *maildir_new(const char *path, const char *hostname, char *error, size_t error_size)
{
	struct maildir *m = mem_new(sizeof *m);
	bool ok;

	m->path = mem_copy_string(path);
	m->hostname = mem_copy_string(hostname);
	escape_host(hostname, m->host, sizeof m->host);
	ok = maildir_path_is_template(path) ? use_template(m, error, error_size)
					    : use_maildir(m, error, error_size);
	if (!ok)
		maildir_free(&m);
	return m;
}

bool maildir_is_template(const struct maildir *m)
{
	return m->template;
}

void maildir_free(struct maildir **m_at)
{
	struct maildir *m = *m_at;

	if (!m)
		return;
	free(m->path);
	free(m->hostname);
	free(m);
	*m_at = NULL;
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
