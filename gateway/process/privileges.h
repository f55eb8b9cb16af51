/* privileges: from root to the configured account. */
#ifndef PROCESS_PRIVILEGES_H
#define PROCESS_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Makes the directory, its parents too, and gives it mode and owner (owner only as root). False
 * with a reason that names the path in `error`. */
bool privileges_directory(const char *path, mode_t mode, const char *user, char *error,
			  size_t size);
/* As root: gives the path to the account. Otherwise nothing. */
bool privileges_give(const char *path, mode_t mode, const char *user, char *error, size_t size);
/* As root: changes to the account for good, its groups too, and makes sure that there is no way
 * back. Otherwise nothing. False with a reason in `error`: the process must end then. */
bool privileges_drop(const char *user, char *error, size_t size);

#endif
