/* worker_end: how a worker leaves.
 *
 *      retired by a reload --> sessions go on as they are ---,
 *            | retire_timeout, SIGTERM                       |
 *            v                                               v
 *      told to end (SIGTERM) --> 421 to who has no message --> no session left --> the last events
 *            | drain_timeout                                                       are sent --> end
 *            '-----------------> sessions are cut -------------------------------------^ */
#ifndef PROCESS_WORKER_END_H
#define PROCESS_WORKER_END_H

struct worker;

/* From now on it can be told to leave; `channel` is where the master's orders come from, taken
 * over. */
void worker_end_start(struct worker *w, int channel);
void worker_end_stop(struct worker *w);

#endif
