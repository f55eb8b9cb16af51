#include "drive_play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "drive_reply.h"
#include "drive_verdict.h"

/* How many seconds the service may take to close after we did. What it says until then counts. */
#define CLOSE_MAX 3.0

#define SHOWN_MAX 1024

/* The exit code of a script whose expectations were not met. */
#define EXPECTATION_FAILED 1

void drive_play_init(struct drive_play *play, struct drive_wire *wire, const char *script,
		     bool quiet)
{
	*play = (struct drive_play){.wire = wire, .script = script, .quiet = quiet};
	drive_setting_init(&play->setting, wire->timeout);
}

/* --- output --- */

static const char *word_of(enum hook hook)
{
	return hook == HOOK_MAX ? "line" : hook_word(hook);
}

static void say(const struct drive_play *play, size_t line, enum hook hook, const char *what)
{
	if (play->quiet)
		return;
	if (play->script)
		printf("%zu: ", line);
	printf("%s: %s\n", word_of(hook), what);
}

static void say_failure(struct drive_play *play, size_t line, enum hook hook, const char *expected,
			const char *found)
{
	play->failures++;
	fflush(stdout);
	fprintf(stderr, "%s:%zu: %s: expected %s, found %s\n", play->script, line, word_of(hook),
		expected, found);
}

static int say_bad_line(const struct drive_play *play, const char *problem)
{
	fflush(stdout);
	fprintf(stderr, "%s:%zu: %s\n", play->script, play->line, problem);
	return EX_DATAERR;
}

/* --- replies --- */

static void judge(struct drive_play *play, const struct drive_open *open, const struct verdict *v)
{
	char found[SHOWN_MAX], expected[SHOWN_MAX];

	drive_verdict_show(v, open->hook, found, sizeof found);
	say(play, open->line, open->hook, found);
	if (!open->expects || drive_verdict_meets(v, open->hook, &open->expect))
		return;
	drive_expect_show(&open->expect, expected, sizeof expected);
	say_failure(play, open->line, open->hook, expected, found);
}

static int take_reply(struct drive_play *play)
{
	struct verdict_message reply;
	size_t i = 0;
	int code = drive_reply_wait(play->wire, &reply);

	if (code != DRIVE_GO_ON)
		return code;
	while (i < play->open_len && play->open[i].id != reply.id)
		i++;
	if (i == play->open_len) {
		verdict_fini(&reply.verdict);
		return drive_wire_breach(
			play->wire, "unknown_id: a reply with id %llu, and no such request is open",
			(unsigned long long)reply.id);
	}
	if (play->open[i].hook != HOOK_MAX)
		code = drive_reply_fits(play->wire, &reply, play->open[i].hook);
	if (code == DRIVE_GO_ON) {
		judge(play, &play->open[i], &reply.verdict);
		drive_setting_keep(&play->setting, &reply.verdict);
	}
	verdict_fini(&reply.verdict);
	if (code != DRIVE_GO_ON)
		return code;
	play->open[i] = play->open[--play->open_len];
	play->replies++;
	return DRIVE_GO_ON;
}

/* Until at most `most` requests are open. */
static int take_replies(struct drive_play *play, size_t most)
{
	int code = DRIVE_GO_ON;

	while (code == DRIVE_GO_ON && play->open_len > most)
		code = take_reply(play);
	return code;
}

/* --- the steps --- */

/* Waits until one more request may be open. */
static int make_room(struct drive_play *play)
{
	size_t window = play->pipeline ? play->wire->reg.window : 1;
	int code = take_replies(play, window ? window - 1 : 0);

	/* What came meanwhile may have lowered it. */
	while (code == DRIVE_GO_ON && play->open_len && play->open_len >= play->wire->reg.window)
		code = take_reply(play);
	return code == DRIVE_GO_ON && !play->open_len ? drive_reply_resume(play->wire) : code;
}

static int send_line(struct drive_play *play, const char *data, size_t len)
{
	enum drive_input input;
	char *line;
	size_t line_len;

	if (drive_wire_send(play->wire, data, len))
		return DRIVE_GO_ON;
	/* What it said before it closed tells more than that it has. */
	if (play->open_len)
		return take_replies(play, 0);
	input = drive_wire_read(play->wire, 0, &line, &line_len);
	return drive_wire_breach(play->wire, input == DRIVE_SILENT
						     ? "it does not read"
						     : "it has closed the connection");
}

static void add_open(struct drive_play *play, const struct drive_step *step, uint64_t id)
{
	play->open[play->open_len++] = (struct drive_open){
		.id = id,
		.line = play->line,
		.hook = step->kind == DRIVE_STEP_RAW ? HOOK_MAX : step->hook,
		.expects = step->expects,
		.expect = step->expect,
	};
}

static int ask(struct drive_play *play, const struct drive_step *step)
{
	struct json_out out = {0};
	uint64_t id = 0;
	int code = make_room(play);

	if (code != DRIVE_GO_ON)
		return code;
	if (step->hook != HOOK_DISCONNECT)
		id = ++play->last_id;
	drive_request_write(&out, &play->setting, step->text, id);
	code = send_line(play, out.data, out.len);
	json_out_fini(&out);
	if (code != DRIVE_GO_ON)
		return code;
	if (id)
		add_open(play, step, id);
	else
		say(play, play->line, step->hook, "told");
	return play->pipeline ? DRIVE_GO_ON : take_replies(play, 0);
}

static int play_request(struct drive_play *play, const struct drive_step *step)
{
	char expected[SHOWN_MAX];
	int code = DRIVE_GO_ON;

	/* The gateway would not ask either. So an expectation cannot be met. */
	if (!(play->wire->reg.hooks & 1u << step->hook)) {
		say(play, play->line, step->hook, "not asked: the service has not registered it");
		drive_expect_show(&step->expect, expected, sizeof expected);
		if (step->expects)
			say_failure(play, play->line, step->hook, expected,
				    "that the service has not registered it");
		return DRIVE_GO_ON;
	}
	for (unsigned i = 0; i < step->repeat && code == DRIVE_GO_ON; i++)
		code = ask(play, step);
	return code;
}

static int play_raw(struct drive_play *play, const struct drive_step *step)
{
	struct json_out out = {0};
	int code = make_room(play);

	for (size_t i = 0; code == DRIVE_GO_ON && i < play->open_len; i++)
		if (play->open[i].id == step->id)
			return say_bad_line(play, "a request with this \"id\" is open");
	if (code != DRIVE_GO_ON)
		return code;
	json_out_raw(&out, step->text);
	json_out_raw(&out, "\n");
	code = send_line(play, out.data, out.len);
	json_out_fini(&out);
	if (code != DRIVE_GO_ON || !step->id)
		return code;
	add_open(play, step, step->id);
	return play->pipeline ? DRIVE_GO_ON : take_replies(play, 0);
}

/* Replies that were on the way are of no interest any more. */
static int play_close(struct drive_play *play)
{
	double end = drive_wire_now() + play->wire->timeout;
	enum drive_input input;
	char *line;
	size_t len;

	do {
		input = drive_wire_read(play->wire, end - drive_wire_now(), &line, &len);
	} while (input == DRIVE_LINE && drive_wire_now() < end);
	if (input == DRIVE_CLOSED)
		say(play, play->line, HOOK_MAX, "the service has closed");
	else
		say_failure(play, play->line, HOOK_MAX, "that the service closes",
			    "an open connection");
	drive_wire_close(play->wire);
	play->open_len = 0;
	return DRIVE_GO_ON;
}

static int play_step(struct drive_play *play, const struct drive_step *step)
{
	/* After expect_close. */
	if (play->wire->fd < 0 && step->kind != DRIVE_STEP_NONE) {
		int code = drive_wire_open(play->wire);

		if (code != DRIVE_GO_ON)
			return code;
	}
	switch (step->kind) {
	case DRIVE_STEP_REQUEST:
		return play_request(play, step);
	case DRIVE_STEP_RAW:
		return play_raw(play, step);
	case DRIVE_STEP_CLOSE:
		return play_close(play);
	case DRIVE_STEP_PIPELINE:
		play->pipeline = step->pipeline;
		return play->pipeline ? DRIVE_GO_ON : take_replies(play, 0);
	case DRIVE_STEP_NONE:
		break;
	}
	return DRIVE_GO_ON;
}

/* --- whole scripts --- */

static int do_line(struct drive_play *play, const char *text, size_t len, bool check)
{
	struct drive_step step;
	char problem[512];
	int code = DRIVE_GO_ON;

	if (!drive_script_read(text, len, &play->setting, &step, problem, sizeof problem))
		code = say_bad_line(play, problem);
	else if (!check)
		code = play_step(play, &step);
	drive_step_fini(&step);
	fflush(stdout);
	return code;
}

static int do_script(struct drive_play *play, FILE *script, bool check)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int code = DRIVE_GO_ON;

	play->line = 0;
	while (code == DRIVE_GO_ON && (len = getline(&text, &size, script)) > 0) {
		play->line++;
		code = do_line(play, text, (size_t)len - (text[len - 1] == '\n'), check);
	}
	free(text);
	if (code == DRIVE_GO_ON && ferror(script))
		code = drive_wire_complain(play->wire, EX_IOERR, "cannot read %s: %s", play->script,
					   strerror(errno));
	return code;
}

int drive_play_check(struct drive_play *play, FILE *script)
{
	return do_script(play, script, true);
}

/* Takes what is open, says good-bye, and listens until the service closes: a second reply to a
 * request, or one to a notification, is found here. */
static int finish(struct drive_play *play)
{
	int code = take_replies(play, 0);

	if (code != DRIVE_GO_ON || play->wire->fd < 0)
		return code;
	drive_wire_shutdown(play->wire);
	return drive_reply_none(play->wire, CLOSE_MAX);
}

static int result_of(const struct drive_play *play)
{
	if (!play->failures)
		return EX_OK;
	return drive_wire_complain(play->wire, EXPECTATION_FAILED,
				   "expectations not met: %lu, replies: %lu", play->failures,
				   play->replies);
}

int drive_play_script(struct drive_play *play, FILE *script)
{
	int code;

	play->setting.reg = &play->wire->reg;
	play->setting.spool = &play->wire->spool;
	code = do_script(play, script, false);
	if (code == DRIVE_GO_ON)
		code = finish(play);
	drive_setting_fini(&play->setting);
	return code == DRIVE_GO_ON ? result_of(play) : code;
}

int drive_play_session(struct drive_play *play)
{
	char text[64];
	int code = DRIVE_GO_ON;

	play->setting.reg = &play->wire->reg;
	play->setting.spool = &play->wire->spool;
	for (unsigned i = 0; i < HOOK_MAX && code == DRIVE_GO_ON; i++) {
		if (!(play->wire->reg.hooks & 1u << i))
			continue;
		snprintf(text, sizeof text, "{\"hook\":\"%s\"}", hook_word((enum hook)i));
		code = do_line(play, text, strlen(text), false);
	}
	if (code == DRIVE_GO_ON)
		code = finish(play);
	drive_setting_fini(&play->setting);
	return code == DRIVE_GO_ON ? result_of(play) : code;
}
