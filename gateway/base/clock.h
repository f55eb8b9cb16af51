/* clock: the time that only goes forward, whatever is done to the date (CLOCK_MONOTONIC). It is the
 * same in all processes of the machine. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_us(void); /* microseconds */
uint64_t clock_seconds(void);

#endif
