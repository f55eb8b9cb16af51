#include "readiness.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static bool serves(struct counters *c, unsigned worker, uint64_t now)
{
	for (unsigned i = 0; i < COUNTERS_GENERATIONS; i++) {
		unsigned place = worker * COUNTERS_GENERATIONS + i;
		const struct counters_slot *slot;

		if (place >= counters_slots_seen(c))
			break;
		slot = counters_slot(c, place);
		if (atomic_load(&slot->state) == COUNTERS_SERVING &&
		    atomic_load(&slot->alive) + READINESS_PULSE >= now)
			return true;
	}
	return false;
}

static void remember(struct readiness *r, struct counters *c, unsigned workers, uint64_t now)
{
	for (unsigned i = 0; i < workers; i++) {
		bool serving = serves(c, i, now);

		r->served = r->served || serving;
		if (serving || i >= r->workers)
			r->seen[i] = now;
	}
	r->workers = workers;
}

static void add(struct buf *reasons, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct buf *reasons, const char *format, ...)
{
	char line[256];
	va_list list;

	if (!reasons)
		return;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	buf_append_string(reasons, line);
}

/* The services of processes that leave are no matter to new clients. */
static bool has_services(struct counters *c, struct buf *reasons)
{
	bool all = true;

	for (unsigned i = 0; i < counters_slots_seen(c); i++) {
		const struct counters_slot *slot = counters_slot(c, i);
		int state = atomic_load(&slot->state), missing = atomic_load(&slot->missing);

		if ((state != COUNTERS_STARTING && state != COUNTERS_SERVING) || missing < 1 ||
		    missing > COUNTERS_ROWS)
			continue;
		all = false;
		add(reasons, "worker %u: required policy %s is away\n", i / COUNTERS_GENERATIONS,
		    counters_policy_name(c, (unsigned)missing - 1));
	}
	return all;
}

bool readiness_look(struct readiness *r, struct counters *c, uint64_t now, struct buf *reasons)
{
	struct counters_gateway *gateway = counters_gateway(c);
	unsigned workers = atomic_load(&gateway->workers);
	bool ready = true;

	workers = workers > COUNTERS_WORKERS ? COUNTERS_WORKERS : workers;
	remember(r, c, workers, now);
	if (atomic_load(&gateway->stopping)) {
		ready = false;
		add(reasons, "stopping\n");
	}
	if (!r->served) {
		ready = false;
		add(reasons, "no worker accepts connections yet\n");
	}
	for (unsigned i = 0; r->served && i < workers; i++) {
		if (now - r->seen[i] <= READINESS_PATIENCE)
			continue;
		ready = false;
		add(reasons, "worker %u: has accepted no connections for %llu s\n", i,
		    (unsigned long long)(now - r->seen[i]));
	}
	return has_services(c, reasons) && ready;
}
