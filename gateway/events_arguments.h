/* events_arguments: the command line of `gatepost events`. */
#ifndef EVENTS_ARGUMENTS_H
#define EVENTS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/handshake.h"

struct events_arguments {
	const char *program;
	const char *socket;
	struct handshake_subscribe from; /* the place, and what happens on lag */
	bool raw;
	const char **patterns; /* patterns_len of them; as many as there are arguments fit */
	size_t patterns_len;
};

/* Ends the process with EX_USAGE, after saying why, on wrong arguments, and with 0 on --help and
 * --version. */
void events_arguments_read(struct events_arguments *arguments, int argc, char **argv);
void events_arguments_fini(struct events_arguments *arguments);

#endif
