#include "drive_break.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "drive_reply.h"
#include "drive_request.h"

static const char *const words[DRIVE_BREAK_MAX] = {
	[DRIVE_BREAK_HALF_LINE] = "half-line",
	[DRIVE_BREAK_GARBAGE] = "garbage",
	[DRIVE_BREAK_CLOSE] = "close",
	[DRIVE_BREAK_UNKNOWN_TYPE] = "unknown-type",
	[DRIVE_BREAK_DUPLICATE_ID] = "duplicate-id",
};

bool drive_break_from_word(const char *word, enum drive_break *mode)
{
	for (unsigned i = 0; i < DRIVE_BREAK_MAX; i++) {
		if (strcmp(words[i], word) == 0) {
			*mode = (enum drive_break)i;
			return true;
		}
	}
	return false;
}

static void say(enum drive_break mode, const char *what)
{
	printf("%s: %s\n", words[mode], what);
	fflush(stdout);
}

/* What goes over the wire: `line` is a whole request with the id 1. */
static void misbehave(struct drive_wire *wire, enum drive_break mode, const struct json_out *line)
{
	static const char garbage[] = "{\"type\":\"request\",\xff\x01 garbage\n";
	static const char unknown[] = "{\"type\":\"x_drive\",\"x_field\":[1,{}]}\n";
	struct json_out twice = {0};

	switch (mode) {
	case DRIVE_BREAK_HALF_LINE:
		drive_wire_send(wire, line->data, line->len / 2);
		drive_wire_shutdown(wire);
		break;
	case DRIVE_BREAK_GARBAGE:
		drive_wire_send(wire, garbage, sizeof garbage - 1);
		break;
	case DRIVE_BREAK_CLOSE:
		drive_wire_send(wire, line->data, line->len);
		drive_wire_close(wire);
		break;
	case DRIVE_BREAK_UNKNOWN_TYPE:
		drive_wire_send(wire, unknown, sizeof unknown - 1);
		drive_wire_send(wire, line->data, line->len);
		break;
	case DRIVE_BREAK_DUPLICATE_ID:
		/* In one write, so that the first is open when the second comes. */
		json_out_raw_octets(&twice, line->data, line->len);
		json_out_raw_octets(&twice, line->data, line->len);
		drive_wire_send(wire, twice.data, twice.len);
		json_out_fini(&twice);
		break;
	case DRIVE_BREAK_MAX:
		break;
	}
}

static void say_line(enum drive_break mode, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message message;
	char shown[256], what[320];

	text_escape(line, len, shown, sizeof shown);
	if (verdict_json_decode(line, len, &message, &error) == VERDICT_JSON_REPLY)
		snprintf(what, sizeof what, "the service replied to %llu: %s",
			 (unsigned long long)message.id, verdict_word(message.verdict.kind));
	else
		snprintf(what, sizeof what, "the service sent: %s", shown);
	verdict_fini(&message.verdict);
	say(mode, what);
}

/* Says each line that comes, until `most` have come, or none does any more. */
static enum drive_input listen_to(struct drive_wire *wire, enum drive_break mode, unsigned most,
				  unsigned *lines)
{
	double end = drive_wire_now() + wire->timeout;
	enum drive_input input = DRIVE_LINE;
	char *line;
	size_t len;

	for (*lines = 0; *lines < most; ++*lines) {
		input = drive_wire_read(wire, end - drive_wire_now(), &line, &len);
		if (input != DRIVE_LINE)
			break;
		say_line(mode, line, len);
	}
	if (input == DRIVE_CLOSED)
		say(mode, "the service closed the connection");
	else if (input == DRIVE_SILENT)
		say(mode, "the service keeps the connection open");
	return input;
}

/* How the service took it: DRIVE_GO_ON, or the rule that it breaks. */
static int observe(struct drive_wire *wire, enum drive_break mode)
{
	unsigned lines = 0;
	enum drive_input input = DRIVE_CLOSED;

	if (mode == DRIVE_BREAK_CLOSE) {
		say(mode, "the connection was closed before the reply");
		return DRIVE_GO_ON;
	}
	/* With a duplicate id one reply, two, and none are right: the rule is broken by us. */
	input = listen_to(wire, mode,
			  mode == DRIVE_BREAK_UNKNOWN_TYPE   ? 1
			  : mode == DRIVE_BREAK_DUPLICATE_ID ? 2
							     : 16,
			  &lines);
	if (mode == DRIVE_BREAK_UNKNOWN_TYPE && !lines)
		return drive_wire_breach(wire, "a message of an unknown type is to be ignored");
	if (mode == DRIVE_BREAK_GARBAGE && input != DRIVE_CLOSED)
		return drive_wire_breach(wire, "a line that is no JSON ends the connection");
	if (mode == DRIVE_BREAK_HALF_LINE && lines)
		return drive_wire_breach(wire, "it has answered a line without its end");
	return DRIVE_GO_ON;
}

static int ask_again(struct drive_wire *wire, const struct json_out *line, enum hook hook)
{
	struct verdict_message reply;
	int code = drive_wire_open(wire);

	if (code != DRIVE_GO_ON)
		return code;
	drive_wire_send(wire, line->data, line->len);
	code = drive_reply_wait(wire, &reply);
	if (code != DRIVE_GO_ON)
		return code;
	printf("new connection: the service answers: %s\n", verdict_word(reply.verdict.kind));
	code = drive_reply_fits(wire, &reply, hook);
	verdict_fini(&reply.verdict);
	if (code != DRIVE_GO_ON)
		return code;
	if (reply.id != 1)
		return drive_wire_breach(wire, "unknown_id: a reply with id %llu instead of 1",
					 (unsigned long long)reply.id);
	return DRIVE_GO_ON;
}

int drive_break(struct drive_wire *wire, enum drive_break mode, enum hook hook)
{
	struct drive_setting setting;
	struct json_out line = {0};
	char problem[256], *request;
	int code;

	drive_setting_init(&setting, wire->timeout);
	setting.reg = &wire->reg;
	setting.spool = &wire->spool;
	request = drive_request_make(&setting, hook, NULL, problem, sizeof problem);
	if (!request)
		return drive_wire_complain(wire, EX_CANTCREAT, "%s", problem);
	drive_request_write(&line, &setting, request, 1);
	free(request);
	misbehave(wire, mode, &line);
	code = observe(wire, mode);
	drive_wire_close(wire);
	if (code == DRIVE_GO_ON)
		code = ask_again(wire, &line, hook);
	drive_wire_close(wire);
	json_out_fini(&line);
	return code;
}
