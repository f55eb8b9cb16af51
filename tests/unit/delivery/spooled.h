/* spooled: an empty spool folder for each test, and messages for it. */
#ifndef SPOOLED_H
#define SPOOLED_H

#include <stddef.h>

#include "delivery/spool.h"

#define SPOOLED_ID	"01JD9Z8K3X7F4Y5N0001"
#define SPOOLED_PATTERN 800000

extern char *spooled_dir;
/* In spooled_dir, neither counted nor limited. */
extern struct spool spooled_spool;
/* All octet values, and no empty line. */
extern char spooled_pattern[SPOOLED_PATTERN];

int spooled_setup(void **state);
int spooled_teardown(void **state);
/* The file's name before a header was set; valid until the next call. */
const char *spooled_file(void);
/* A message of these octets, appended in pieces of `step`. */
struct spool_message *spooled_make(const char *data, size_t len, size_t step);
/* What spool_message_copy(), spool_message_read() and spool_message_file() give is these octets. */
void spooled_check_copy(const struct spool_message *m, const char *data, size_t len);
void spooled_check_file(struct spool_message *m, const char *data, size_t len);

#endif
