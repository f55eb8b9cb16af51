/* counters: numbers that all processes of one gateway share.
 *
 * One anonymous mapping made by the master before it forks, one slot a worker. Only the slot's
 * worker writes it (and the master, when the worker is gone); anybody may read. No locks: each
 * number is an atomic of its own. */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

struct counters_slot {
	_Atomic uint64_t open;				     /* connections now */
	_Atomic uint64_t spool;				     /* octets in spool files now */
	_Atomic uint64_t connections, messages, events_lost; /* since the start of the gateway */
};

struct counters;

/* NULL (errno) when there is no memory. Lives as long as the processes. */
struct counters *counters_new(unsigned workers);
struct counters_slot *counters_slot(struct counters *c, unsigned worker);
/* Connections open in all workers together. */
uint64_t counters_open(struct counters *c);
/* Octets in the spool files of all workers together. */
uint64_t counters_spool(struct counters *c);

#endif
