#include "drive_reply.h"

#include <sysexits.h>

#include "protocol/hook_json.h"

/* Why there was no reply. */
static int missing(const struct drive_wire *wire, enum drive_input input)
{
	switch (input) {
	case DRIVE_CLOSED:
		return drive_wire_breach(wire,
					 "it closed the connection and owes a reply to a request");
	case DRIVE_SILENT:
		return drive_wire_breach(wire, "no reply to a request within %g s", wire->timeout);
	case DRIVE_TOO_LONG:
		return drive_wire_breach(wire, "line_too_long: more than %d octets",
					 JSONL_LINE_MAX);
	case DRIVE_LINE:
		break;
	}
	return DRIVE_GO_ON;
}

static void send_pong(struct drive_wire *wire)
{
	struct json_out out = {0};

	hook_json_pong(&out);
	drive_wire_send(wire, out.data, out.len);
	json_out_fini(&out);
}

/* Until when a reply is waited for, and until when it is at most, with all progress. */
struct limit {
	double end, most;
};

/* Reads a line after the handshake, and does what is to be done about it but for a reply. */
static int take_line(struct drive_wire *wire, const char *line, size_t len, struct limit *limit,
		     enum verdict_json *result, struct verdict_message *message)
{
	struct verdict_json_error error;
	double later;

	*result = verdict_json_decode(line, len, message, &error);
	switch (*result) {
	case VERDICT_JSON_PING:
		send_pong(wire);
		break;
	case VERDICT_JSON_PROGRESS:
		later = drive_wire_now() + (double)message->extend_ms / 1000;
		later = later < limit->most ? later : limit->most;
		limit->end = later > limit->end ? later : limit->end;
		break;
	case VERDICT_JSON_WINDOW:
		wire->reg.window = message->window;
		break;
	case VERDICT_JSON_INVALID:
		return drive_wire_breach(wire, "%s: reply to request %llu: %s", error.code,
					 (unsigned long long)message->id, error.message);
	case VERDICT_JSON_BAD_PROGRESS:
	case VERDICT_JSON_BROKEN:
		return drive_wire_breach(wire, "%s: %s", error.code, error.message);
	case VERDICT_JSON_REPLY:
	case VERDICT_JSON_PONG:
	case VERDICT_JSON_DRAIN:
	case VERDICT_JSON_UNKNOWN:
		break;
	}
	return DRIVE_GO_ON;
}

int drive_reply_wait(struct drive_wire *wire, struct verdict_message *reply)
{
	struct limit limit = {.end = drive_wire_now() + wire->timeout};
	enum verdict_json result;
	enum drive_input input;
	char *line;
	size_t len;
	int code;

	limit.most = limit.end + DRIVE_EXTEND_MAX;
	do {
		input = drive_wire_read(wire, limit.end - drive_wire_now(), &line, &len);
		if (input != DRIVE_LINE)
			return missing(wire, input);
		code = take_line(wire, line, len, &limit, &result, reply);
	} while (code == DRIVE_GO_ON && result != VERDICT_JSON_REPLY);
	return code;
}

int drive_reply_none(struct drive_wire *wire, double timeout)
{
	struct limit limit = {.end = drive_wire_now() + timeout};
	struct verdict_message message;
	enum verdict_json result;
	int code = DRIVE_GO_ON;
	char *line;
	size_t len;

	limit.most = limit.end;
	while (code == DRIVE_GO_ON &&
	       drive_wire_read(wire, limit.end - drive_wire_now(), &line, &len) == DRIVE_LINE) {
		code = take_line(wire, line, len, &limit, &result, &message);
		if (code != DRIVE_GO_ON || result != VERDICT_JSON_REPLY)
			continue;
		verdict_fini(&message.verdict);
		code = drive_wire_breach(wire, "it has sent more than one reply for each request");
	}
	return code;
}

int drive_reply_resume(struct drive_wire *wire)
{
	struct limit limit = {.end = drive_wire_now() + wire->timeout};
	struct verdict_message message;
	enum verdict_json result;
	int code = DRIVE_GO_ON;
	char *line;
	size_t len;

	while (code == DRIVE_GO_ON && !wire->reg.window) {
		if (drive_wire_read(wire, limit.end - drive_wire_now(), &line, &len) != DRIVE_LINE)
			return drive_wire_complain(wire, EX_UNAVAILABLE,
						   "the service keeps its window at 0 for %g s",
						   wire->timeout);
		code = take_line(wire, line, len, &limit, &result, &message);
		if (code != DRIVE_GO_ON || result != VERDICT_JSON_REPLY)
			continue;
		verdict_fini(&message.verdict);
		code = drive_wire_breach(wire,
					 "unknown_id: a reply with id %llu, and no request is open",
					 (unsigned long long)message.id);
	}
	return code;
}

int drive_reply_fits(const struct drive_wire *wire, const struct verdict_message *reply,
		     enum hook hook)
{
	char problem[256];

	if (!verdict_hook_problem(&reply->verdict, hook, DRIVE_GRANTS, problem, sizeof problem))
		return DRIVE_GO_ON;
	return drive_wire_breach(wire, "bad_reply: reply to request %llu: %s",
				 (unsigned long long)reply->id, problem);
}
