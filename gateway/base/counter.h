/* counter: a number that one thread changes and anybody may read meanwhile, other processes too. */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* For the one writer of a counter: no locked instruction. */
static inline void counter_add(counter *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void counter_take(counter *from, uint64_t n)
{
	counter_add(from, -n);
}

static inline uint64_t counter_get(const counter *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

#endif
