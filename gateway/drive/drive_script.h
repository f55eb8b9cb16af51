/* drive_script: one line of a script, read strictly.
 *
 *      {"hook":"rcpt","args":{...},"expect":{"verdict":"reject","code":550},"repeat":3}
 *      {"raw":"what is sent as it is"}    {"raw":"...","id":7,"expect":{...}}
 *      {"expect_close":true}              {"pipeline":true}
 */
#ifndef DRIVE_SCRIPT_H
#define DRIVE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive_request.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

#define DRIVE_REPEAT_MAX 1000000

/* What the reply must be. Each field counts only when it is set. */
struct drive_expect {
	bool has_verdict;
	enum verdict_kind verdict;
	int code;			 /* 0: any */
	char status[VERDICT_STATUS_MAX]; /* "": any */
	char reason[VERDICT_REASON_MAX + 1];
	char text[128];			   /* it must be somewhere in the text of the reply */
	char label[VERDICT_LABEL_MAX + 1]; /* it must be among those of the reply */
	bool has_until, has_edits;
	enum verdict_until until;
	size_t edits; /* how many */
};

enum drive_step_kind {
	DRIVE_STEP_NONE, /* an empty line, or a comment */
	DRIVE_STEP_REQUEST,
	DRIVE_STEP_RAW,
	DRIVE_STEP_CLOSE,
	DRIVE_STEP_PIPELINE,
};

struct drive_step {
	enum drive_step_kind kind;
	enum hook hook; /* of a request */
	char *text;  /* owned; the end of a request (drive_request.h), or what is sent as it is */
	uint64_t id; /* raw: the reply with this id belongs to it; 0: none does */
	unsigned repeat;
	bool expects;
	struct drive_expect expect;
	bool pipeline; /* on from here, or off */
};

/* Reads a line without its LF. False: `problem` says what is wrong and where, in printable ASCII.
 * A request moves `setting` on. Free with drive_step_fini(), whatever the result. */
bool drive_script_read(const char *line, size_t len, struct drive_setting *setting,
		       struct drive_step *step, char *problem, size_t size);
void drive_step_fini(struct drive_step *step);

#endif
