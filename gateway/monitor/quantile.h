/* quantile: of a histogram, an estimate of the value below which a share of the entries lies. */
#ifndef MONITOR_QUANTILE_H
#define MONITOR_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

/* Entries up to bounds[i] and above bounds[i-1] are in buckets[i]; those above all bounds in
 * buckets[n]. `share` is in (0,1]. The value is interpolated within its bucket as if the entries
 * lay there evenly; above all bounds it is the last bound. In the unit of the bounds; negative when
 * there is no entry. */
double quantile(const double *bounds, const uint64_t *buckets, size_t n, double share);

#endif
