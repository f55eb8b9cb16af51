#include "quantile.h"

double quantile(const double *bounds, const uint64_t *buckets, size_t n, double share)
{
	double total = 0, wanted, below = 0;

	for (size_t i = 0; i <= n; i++)
		total += (double)buckets[i];
	if (total <= 0)
		return -1;
	wanted = share * total;
	for (size_t i = 0; i < n; i++) {
		double in = (double)buckets[i], low = i ? bounds[i - 1] : 0;

		if (in > 0 && below + in >= wanted)
			return low + (bounds[i] - low) * (wanted - below) / in;
		below += in;
	}
	return bounds[n - 1];
}
