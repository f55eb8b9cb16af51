/* drive_play: plays a script line by line, and holds each reply against what was expected.
 *
 * Without a pipeline each line waits for its reply. With one, requests go out up to the window and
 * replies find theirs by id, in whatever order they come. Functions return DRIVE_GO_ON or the exit
 * code of the program. */
#ifndef DRIVE_PLAY_H
#define DRIVE_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "drive_request.h"
#include "drive_script.h"
#include "drive_wire.h"

/* A request that waits for its reply. */
struct drive_open {
	uint64_t id;
	size_t line;
	enum hook hook; /* HOOK_MAX: a raw line */
	bool expects;
	struct drive_expect expect;
};

struct drive_play {
	struct drive_wire *wire; /* borrowed */
	const char *script;	 /* its name for messages; NULL: there is none */
	bool quiet;		 /* no line for each reply */
	size_t line;		 /* the line that is played, from 1 */
	struct drive_setting setting;
	bool pipeline;
	struct drive_open open[PROTOCOL_WINDOW_MAX];
	size_t open_len;
	uint64_t last_id;
	unsigned long replies, failures;
};

void drive_play_init(struct drive_play *play, struct drive_wire *wire, const char *script,
		     bool quiet);
/* Reads the whole script without playing it: EX_DATAERR when a line is bad. */
int drive_play_check(struct drive_play *play, FILE *script);
int drive_play_script(struct drive_play *play, FILE *script);
/* A session through all the hooks that the service has registered. */
int drive_play_session(struct drive_play *play);

#endif
