/* rights: descriptors that go along with octets of a Unix stream (SCM_RIGHTS).
 *
 *      out:  ......|{"type":"request",...}.......|{"type":"request",...}
 *                  ^ first octet: descriptor 1   ^ first octet: descriptor 2
 *
 * The kernel ties a descriptor to the octets of the write that carries it, and hands it over with
 * the read that gets the first of them. So a write begins or ends where a descriptor is due. */
#ifndef NET_RIGHTS_H
#define NET_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RIGHTS_MAX 256

/* All zero: empty. */
struct rights {
	struct right *queue; /* a ring, allocated with the first */
	unsigned first, n;
	uint64_t written; /* octets of the stream so far, sent by rights_send() */
};

/* The descriptor is due `ahead` octets after what was written so far. False when there are
 * RIGHTS_MAX already. Takes fd over in any case. */
bool rights_add(struct rights *rights, size_t ahead, int fd);
/* One write, of all of the data or less: at most one descriptor, with the first octet. What was
 * handed to the kernel is closed here. Returns as send(). */
ssize_t rights_send(struct rights *rights, int socket, char *data, size_t len);
/* Closes what is pending and frees the memory; empty again. */
void rights_drop(struct rights *rights);

#endif
