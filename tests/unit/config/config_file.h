/* config_file: texts as configuration files, for the tests. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

#include "config/config.h"

/* A configuration with every part in it; line numbers stand beside its lines. */
extern const char full_file[];

struct loaded {
	struct config *config;
	char *faults; /* what was written, without the file's name at the front of each line */
	int error;    /* errno afterwards */
};

/* Writes a new file below /tmp; the path is the caller's to unlink() and free(). */
char *config_file_write(const char *data, size_t len);
void config_file_load(const char *data, size_t len, struct loaded *out);
void config_file_load_path(const char *path, struct loaded *out);
void config_file_fini(struct loaded *l);
/* `text` with its one `find` replaced. Fails the test when it is not there exactly once. To be
 * freed. */
char *config_file_replace(const char *text, const char *find, const char *with);

#endif
