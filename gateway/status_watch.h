/* status_watch: asks the gateway how it is, once or each second, and prints the answers. */
#ifndef STATUS_WATCH_H
#define STATUS_WATCH_H

#include <stdbool.h>

struct status_watch {
	const char *program; /* for messages */
	const char *path;    /* of control.sock */
	bool watch, json;
};

/* Catches SIGINT and SIGTERM, which end it. On a terminal that it draws on it reads keys from
 * standard input, and leaves both as they were. Returns the exit code. */
int status_watch_run(const struct status_watch *settings);

#endif
