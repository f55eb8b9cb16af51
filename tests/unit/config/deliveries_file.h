/* deliveries_file: a configuration with a delivery of each kind but discard, for the tests; line
 * numbers stand beside its lines. */
#ifndef DELIVERIES_FILE_H
#define DELIVERIES_FILE_H

#include <stddef.h>

/* A new file below /tmp with these rights; the path is the caller's to unlink() and free(). */
char *secret_file_write(const char *data, size_t len, unsigned mode);
/* The text. A file with the password "se cret" exists until deliveries_file_free(); one at a time.
 */
char *deliveries_file_new(void);
void deliveries_file_free(char **file);

#endif
