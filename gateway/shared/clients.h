/* clients: how many connections each client has, over all processes.
 *
 * One anonymous mapping made by the master before it forks, with a hash table for each slot (see
 * counters.h) that a process may ever have. A process writes its own table only (and the master
 * clears it when the process is gone); the total is the sum over the tables in use. A table that
 * nobody uses costs neither memory nor time. No locks: a reader that looks while another process
 * writes may count one connection too few or too many, which a limit can bear. */
#ifndef SHARED_CLIENTS_H
#define SHARED_CLIENTS_H

#include <stdint.h>

struct clients;

/* Room for `places` clients a slot (rounded up to a power of two); a process with more of them at
 * a time no longer counts the rest. NULL (errno) when there is no memory. Lives as long as the
 * processes. */
struct clients *clients_new(unsigned slots, unsigned places);
/* A client as a number, never 0: an IPv4 address, or the first 64 bits of an IPv6 one, since a
 * single host commonly owns as many addresses as these have. `length` 4 or 16 octets in network
 * order. */
uint64_t clients_key(const void *address, unsigned length);
/* Counts one connection more; returns the client's total in all slots, this one included. */
unsigned clients_add(struct clients *c, unsigned slot, uint64_t key);
void clients_remove(struct clients *c, unsigned slot, uint64_t key);
/* The process is gone, and its connections with it. */
void clients_clear(struct clients *c, unsigned slot);

#endif
