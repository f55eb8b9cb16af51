/* The files that processes which are gone left in the spool. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "spool.h"

#define DIGITS "0123456789"

/* <pid>-<ident>[.<n>][-<n>].eml: somebody's own *.eml in a directory named by mistake survives. */
static bool named_by_us(const char *name, pid_t pid)
{
	size_t digits = strspn(name, DIGITS);

	if (!digits || name[digits] != '-' || (pid && strtoll(name, NULL, 10) != pid))
		return false;
	name += digits + 1;
	if (strspn(name, IDENT_ALPHABET) != IDENT_SIZE - 1)
		return false;
	name += IDENT_SIZE - 1;
	for (const char *mark = ".-"; *mark; mark++) {
		digits = *name == *mark ? strspn(name + 1, DIGITS) : 0;
		if (digits)
			name += 1 + digits;
	}
	return strcmp(name, SPOOL_SUFFIX) == 0;
}

int spool_sweep(const char *dir, pid_t pid)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	int removed = 0;

	if (!entries)
		return -1;
	while ((entry = readdir(entries))) {
		if (!named_by_us(entry->d_name, pid))
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			removed++;
		else
			log_warning("%s/%s stays: %s", dir, entry->d_name, strerror(errno));
	}
	closedir(entries);
	return removed;
}
