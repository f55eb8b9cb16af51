/* drive_spool: the directory in which a service finds messages by path.
 *
 * Made only for a service that takes the body mode "path", and removed at the end. */
#ifndef DRIVE_SPOOL_H
#define DRIVE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

struct drive_spool {
	char path[256]; /* "" before there is one */
};

/* Makes the directory below $TMPDIR or /tmp, unless it is there; false with errno. */
bool drive_spool_make(struct drive_spool *spool);
/* Writes a message to the file `name` in it; false with errno. */
bool drive_spool_write(const struct drive_spool *spool, const char *name, const char *data,
		       size_t len);
/* Removes the directory and the files in it. */
void drive_spool_remove(struct drive_spool *spool);

#endif
