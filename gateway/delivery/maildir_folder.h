/* maildir_folder: the three directories of a Maildir, or of a folder in one (Maildir++). */
#ifndef DELIVERY_MAILDIR_FOLDER_H
#define DELIVERY_MAILDIR_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct maildir_folder {
	char *path, *cur, *tmp, *new;
	size_t given_len; /* so much of the path is never made */
	bool marked;	  /* a folder in a Maildir: it has the file `maildirfolder` */
};

/* The folder `name` (".Quarantine") of the Maildir `path`, "" for the Maildir itself. The
 * first `given_len` octets of the path must be there when it is used. Strings are copied; touches
 * no disk. */
void maildir_folder_init(struct maildir_folder *f, const char *path, const char *name,
			 size_t given_len);
void maildir_folder_fini(struct maildir_folder *f);
/* Makes what is missing, parents too (mode 0700), so that it outlives a power failure, and checks
 * that it can be written. NULL, or the path that cannot be used, with errno. Usable in several
 * threads at a time. */
const char *maildir_folder_make(const struct maildir_folder *f);
/* Removes what writers that are gone left in tmp; which files, maildir_new() tells. NULL, or the
 * path that cannot be read, with errno. */
const char *maildir_folder_sweep(const struct maildir_folder *f, const char *host);

#endif
