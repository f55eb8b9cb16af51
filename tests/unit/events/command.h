/* command: `gatepost events` in a process of its own, with what it writes. */
#ifndef TEST_EVENTS_COMMAND_H
#define TEST_EVENTS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "harness.h"

#define TEXT_MAX (2 << 20)

struct command {
	struct stage *stage;
	pid_t pid;
	int out, err;
	char *text, *errors; /* NUL-terminated */
	size_t text_len, errors_len;
};

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Standard output is a pipe or a terminal. `arguments` end with NULL; "--socket" and the stage's
 * socket go before them. */
void command_start(struct stage *stage, struct command *c, bool terminal,
		   const char *const *arguments);
bool command_has_lines(struct command *c, size_t lines);
/* Waits for its end and all it wrote; returns the exit code. */
int command_end(struct command *c);
void command_fini(struct command *c);
/* Standard error is one line that begins with the program's name and has this part. */
void command_check_error(const struct command *c, const char *part);

#endif
