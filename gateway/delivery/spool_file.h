/* spool_file: one file in the spool directory, its octets counted and bounded. */
#ifndef DELIVERY_SPOOL_FILE_H
#define DELIVERY_SPOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

struct spool_file {
	const struct spool *spool;
	char *path;
	const char *name; /* the last part of path */
	int fd;		  /* -1: there is no file */
	uint64_t written; /* octets; all of them are counted */
};

/* There is no file yet; spool_file_drop() is allowed. */
void spool_file_init(struct spool_file *f, const struct spool *spool);
/* Makes an empty file of this name, mode 0640. False with errno; EEXIST when there is anything of
 * this name, which stays as it is. */
bool spool_file_create(struct spool_file *f, const char *name);
/* False with errno, EDQUOT when all spool files together would be larger than allowed. The file is
 * then to be dropped: what it holds and counts is more than its octets. */
bool spool_file_write(struct spool_file *f, const char *data, size_t len);
/* The same for `len` octets of another file, those at `offset`. */
bool spool_file_write_from(struct spool_file *f, int from, uint64_t offset, uint64_t len);
/* Closes and removes it and counts its octets back. errno stays. Usable in any thread. */
void spool_file_drop(struct spool_file *f);

#endif
