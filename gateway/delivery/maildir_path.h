/* maildir_path: which folder an address has.
 *
 *      /var/mail/{domain}/{local}   bob@Example.COM   /var/mail/example.com/bob
 *                                   "../x"@a.b        /var/mail/a.b/%2E.%2Fx
 *
 * The address comes from whoever connects. Letters, digits and . _ - + = @ stay, but for a dot at
 * the start; every other octet is %XX, and nothing at all is a lone %. So a value is never a path,
 * "." or "..", never hidden, and two values have two names. */
#ifndef DELIVERY_MAILDIR_PATH_H
#define DELIVERY_MAILDIR_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* A longer name is none on any file system. */
#define MAILDIR_PATH_PART_MAX 255

struct maildir_address {
	const char *local; /* without quoting */
	size_t local_len;
	const char *domain;
	size_t domain_len;
};

/* Is there a {domain} or {local}, or anything else in braces? */
bool maildir_path_is_template(const char *path);
/* An absolute path with at least one of {domain} and {local}, and no other braces. */
bool maildir_path_is_valid(const char *template);
/* How many octets of the template are its root: what stands before the part with the first of
 * them, "/var/mail". */
size_t maildir_path_root(const char *template);
/* How many parts of the path come after the root. */
unsigned maildir_path_depth(const char *template);
/* The name for that value, domains in lower case. False when it would be too long. */
bool maildir_path_part(const char *value, size_t len, bool lower,
		       char name[MAILDIR_PATH_PART_MAX + 1]);
/* The folder's path, to be freed; NULL when a part of it would be too long. */
char *maildir_path_make(const char *template, const struct maildir_address *address);

#endif
