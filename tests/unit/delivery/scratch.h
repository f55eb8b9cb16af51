/* scratch: folders for tests of what lies on a disk. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* At the start of main(), before there are threads: takes a mount namespace of our own, so that
 * what a test mounts is gone with it. False: no rights to mount. */
bool scratch_allow_mounts(void);
/* A new empty folder; valid until scratch_remove(). */
char *scratch_new(void);
/* Everything under the folder, and frees the name. */
void scratch_remove(char *dir);
/* "dir/name", valid until the fourth call from here. */
char *scratch_path(const char *dir, const char *name);
/* Entries, without . and .. */
unsigned scratch_count(const char *dir);
/* The name of the only entry; fails the test unless there is one. Free with free(). */
char *scratch_only(const char *dir);
/* The whole file with a NUL behind it; free with free(). Fails the test when it cannot be read. */
char *scratch_read(const char *path, size_t *len);
void scratch_write(const char *path, const char *text);
/* Files may not grow beyond `octets` (EFBIG); 0: no limit. */
void scratch_limit_files(size_t octets);

#endif
