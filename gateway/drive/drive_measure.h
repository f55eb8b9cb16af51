/* drive_measure: how fast a service answers, one request at a time and with a full window. */
#ifndef DRIVE_MEASURE_H
#define DRIVE_MEASURE_H

#include "drive_wire.h"
#include "protocol/hook.h"

/* Asks `count` times at `hook`, with one open request and then with `window` (0: the service's
 * own), each on a connection of its own, and prints a table. DRIVE_GO_ON or the exit code. The wire
 * is connected, and closed after it. */
int drive_measure(struct drive_wire *wire, enum hook hook, unsigned count, unsigned window);

#endif
