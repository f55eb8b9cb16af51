/* passed: listening sockets that the service manager opened and passed on, after
 * sd_listen_fds(3): from descriptor 3 on, LISTEN_FDS of them, with the names LISTEN_FDNAMES. */
#ifndef NET_PASSED_H
#define NET_PASSED_H

#include <stdbool.h>
#include <stddef.h>

/* Reads what was passed to this process, and removes it from the environment: no other process is
 * meant. Makes the descriptors close-on-exec. Until it is called, nothing is known. */
void passed_read(void);
/* Whether passed_read() was called. */
bool passed_is_known(void);
/* The nth descriptor (from 0) with this name; -1 when there is none. It stays open, and passed's.
 */
int passed_socket(const char *name, size_t n);
/* The names, each once, with ", " between; "none" without any. Returns `out`. */
const char *passed_names(char *out, size_t size);
/* In a child that needs none of them. */
void passed_close(void);

#endif
