/* file: writes that end whole or with an error. write() may take fewer octets than it was given,
 * and says why only when called again. */
#ifndef DELIVERY_FILE_H
#define DELIVERY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All `len` octets to `fd`; false with errno, an unknown part of them written. */
bool file_write(int fd, const char *data, size_t len);
/* `len` octets of the file `from`, those at `offset`, to `to`, which is written at its own offset.
 * The offset of `from` is neither used nor moved, so several threads may read it. False with errno;
 * EIO when `from` ends before. */
bool file_copy(int from, uint64_t offset, uint64_t len, int to);

#endif
