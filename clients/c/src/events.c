#include <stdlib.h>
#include <string.h>

#include <gatepost/events.h>

#include "cursor.h"
#include "fields.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/handshake.h"
#include "protocol/json_out.h"
#include "protocol/jsonl.h"

struct gatepost_events {
	struct gatepost_cursor cursor;
	bool greeted, over, refused;
	struct gatepost_error error;
	struct jsonl lines;
	char *filter; /* "name":...,"events":[...], of subscribe */
	bool oldest, close_on_lag;
	struct json_out out;
	size_t out_sent;
	struct gatepost_cursor_item *current; /* the item last taken */
	struct gatepost_kept kept;	      /* what was decoded of it */
	gatepost_log *log;
	void *log_arg;
};

/* --- subscribe --- */

static void write_filter(struct json_out *out, const struct gatepost_events_options *options)
{
	static const char *const all[] = {"*", NULL};
	const char *const *events = options->events ? options->events : all;

	if (options->name) {
		json_out_raw(out, "\"name\":");
		json_out_text(out, options->name);
		json_out_raw(out, ",");
	}
	json_out_raw(out, "\"events\":[");
	for (size_t i = 0; events[i]; i++) {
		json_out_raw(out, i ? "," : "");
		json_out_text(out, events[i]);
	}
	json_out_raw(out, "],");
}

static void write_subscribe(struct gatepost_events *events, struct json_out *out)
{
	const struct gatepost_cursor *cursor = &events->cursor;

	json_out_raw(out, "{\"type\":\"subscribe\",\"version\":1,");
	json_out_raw(out, events->filter);
	if (cursor->position.epoch) {
		json_out_raw(out, "\"from\":{\"epoch\":");
		json_out_text(out, cursor->position.epoch);
		json_out_raw(out, ",\"seq\":");
		json_out_integer(out, (int64_t)cursor->position.seq);
		json_out_raw(out, "}");
	} else {
		json_out_raw(out, events->oldest ? "\"from\":\"oldest\"" : "\"from\":\"now\"");
	}
	json_out_raw(out, events->close_on_lag ? ",\"on_lag\":\"close\"}\n" : "}\n");
}

/* The gateway's own reader says what is wrong with it, here and now. */
static bool check_subscribe(struct gatepost_events *events, struct gatepost_error *error)
{
	struct handshake_subscribe read;
	struct handshake_error problem;
	struct json_out out = {0};
	bool ok;

	write_subscribe(events, &out);
	ok = handshake_read_subscribe(out.data, out.len - 1, &read, &problem);
	json_out_fini(&out);
	return ok || gatepost_shape_fail(error, problem.code, "%s", problem.message);
}

struct gatepost_events *gatepost_events_new(const struct gatepost_events_options *options,
					    struct gatepost_error *error)
{
	struct gatepost_events *events = grow_resize(NULL, sizeof *events);
	struct json_out filter = {0};

	*error = (struct gatepost_error){0};
	*events = (struct gatepost_events){.oldest = options->oldest,
					   .close_on_lag = options->close_on_lag,
					   .log = options->log,
					   .log_arg = options->log_arg};
	gatepost_cursor_init(&events->cursor, options->epoch, options->seq);
	jsonl_init(&events->lines, JSONL_LINE_MAX);
	write_filter(&filter, options);
	json_out_raw_octets(&filter, "", 1);
	events->filter = filter.data;
	if (!check_subscribe(events, error))
		gatepost_events_free(&events);
	return events;
}

static void drop_current(struct gatepost_events *events)
{
	gatepost_cursor_item_free(&events->current);
	gatepost_kept_fini(&events->kept);
}

void gatepost_events_free(struct gatepost_events **events)
{
	struct gatepost_events *e = *events;

	*events = NULL;
	if (!e)
		return;
	drop_current(e);
	gatepost_cursor_fini(&e->cursor);
	jsonl_fini(&e->lines);
	json_out_fini(&e->out);
	free(e->filter);
	free(e);
}

void gatepost_events_open(struct gatepost_events *events)
{
	drop_current(events);
	gatepost_cursor_open(&events->cursor);
	jsonl_fini(&events->lines);
	json_out_clear(&events->out);
	events->out_sent = 0;
	events->greeted = events->over = events->refused = false;
	events->error = (struct gatepost_error){0};
}

/* --- messages of the gateway --- */

static void refuse(struct gatepost_events *events, const char *code, const char *message)
{
	gatepost_shape_fail(&events->error, code, "%s", message);
	events->over = events->refused = true;
}

static void take_hello(struct gatepost_events *events, json_t *message)
{
	json_t *versions = json_object_get(message, "versions"), *version;
	const char *protocol = json_string_value(json_object_get(message, "protocol"));
	size_t i;

	if (strcmp(protocol, "gatepost-events") != 0) {
		refuse(events, "bad_message", "this is not an event socket");
		return;
	}
	json_array_foreach(versions, i, version)
	{
		if (json_integer_value(version) != PROTOCOL_VERSION)
			continue;
		write_subscribe(events, &events->out);
		events->greeted = true;
		return;
	}
	refuse(events, "version", "the gateway does not speak version 1");
}

/* These are wrong with every connection; others, such as too_many, pass. */
static bool is_permanent(const char *code)
{
	static const char *const codes[] = {
		"unknown_event", "version",	"bad_message", "bad_json",
		"line_too_long", "not_allowed", "lag"};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (!strcmp(codes[i], code))
			return true;
	return false;
}

static void take_error(struct gatepost_events *events, json_t *message)
{
	const char *code = json_string_value(json_object_get(message, "code")),
		   *text = json_string_value(json_object_get(message, "message"));
	struct gatepost_error line;

	gatepost_shape_fail(&line, "", "the gateway reports %.31s: %.180s", code, text);
	if (events->log)
		events->log(events->log_arg, line.message);
	if (!json_is_true(json_object_get(message, "fatal")))
		return;
	gatepost_shape_fail(&events->error, code, "%s", text);
	events->over = true;
	events->refused = is_permanent(code);
}

static void take_subscribed(struct gatepost_events *events, json_t *message)
{
	gatepost_cursor_subscribed(&events->cursor, message);
}

static void take_event(struct gatepost_events *events, json_t *message)
{
	gatepost_cursor_event(&events->cursor, message);
}

static void take_gap(struct gatepost_events *events, json_t *message)
{
	gatepost_cursor_gap(&events->cursor, message);
}

static void take_heartbeat(struct gatepost_events *events, json_t *message)
{
	gatepost_cursor_heartbeat(&events->cursor, message);
}

static void take_message(struct gatepost_events *events, json_t *message)
{
	/* where a message may come: before our subscribe, after it, when subscribed */
	enum { HELLO, SUBSCRIBED, LIVE, ANY };
	static const struct {
		const char *type;
		int place;
		void (*take)(struct gatepost_events *events, json_t *message);
	} messages[] = {
		{"hello", HELLO, take_hello}, {"subscribed", SUBSCRIBED, take_subscribed},
		{"event", LIVE, take_event},  {"gap", LIVE, take_gap},
		{"error", ANY, take_error},   {"heartbeat", LIVE, take_heartbeat},
	};
	int place = events->cursor.live ? LIVE : events->greeted ? SUBSCRIBED : HELLO;
	const char *type = gatepost_shape_type(message);
	size_t i = 0, n = sizeof messages / sizeof messages[0];

	while (i < n && strcmp(messages[i].type, type) != 0)
		i++;
	if (i < n && (messages[i].place == place || messages[i].place == ANY)) {
		if (gatepost_shape_check(message, &events->error))
			messages[i].take(events, message);
		else
			events->over = true;
		return;
	}
	if (i == n && place != HELLO && *type)
		return; /* a type of a later version */
	gatepost_shape_fail(&events->error, "bad_message", "unexpected \"%.40s\" from the gateway",
			    type);
	events->over = true;
}

/* --- for the caller --- */

bool gatepost_events_feed(struct gatepost_events *events, const char *data, size_t len)
{
	json_t *message;
	size_t line_len;
	bool fed;
	char *line;

	if (events->over)
		return false;
	fed = jsonl_feed(&events->lines, data, len);
	while (!events->over && jsonl_next(&events->lines, &line, &line_len)) {
		message = gatepost_shape_parse(line, line_len, &events->error);
		if (message)
			take_message(events, message);
		else
			events->over = true;
		json_decref(message);
	}
	if (!fed && !events->over) {
		gatepost_shape_fail(&events->error, "line_too_long", "a line that is too long");
		events->over = true;
	}
	return !events->over;
}

bool gatepost_events_feed_end(struct gatepost_events *events)
{
	if (!events->over && events->lines.len > events->lines.start)
		gatepost_shape_fail(&events->error, "bad_json", "the last line is incomplete");
	events->over = true;
	return !events->error.code[0];
}

const struct gatepost_item *gatepost_events_next(struct gatepost_events *events)
{
	drop_current(events);
	events->current = gatepost_cursor_take(&events->cursor);
	return events->current ? &events->current->item : NULL;
}

size_t gatepost_events_out(const struct gatepost_events *events, const char **data)
{
	*data = events->out.data ? events->out.data + events->out_sent : "";
	return events->out.len - events->out_sent;
}

void gatepost_events_sent(struct gatepost_events *events, size_t n)
{
	events->out_sent += n;
	if (events->out_sent < events->out.len)
		return;
	events->out_sent = 0;
	json_out_clear(&events->out);
}

bool gatepost_events_position(const struct gatepost_events *events, const char **epoch,
			      uint64_t *seq)
{
	const struct gatepost_position *position = &events->cursor.position;

	if (!position->epoch)
		return false;
	*epoch = position->epoch;
	*seq = position->seq;
	return true;
}

bool gatepost_events_is_refused(const struct gatepost_events *events)
{
	return events->refused;
}

const struct gatepost_error *gatepost_events_error(const struct gatepost_events *events)
{
	return &events->error;
}

/* Of an event. A gap has none, whatever fields a later gateway may give it. */
static const json_t *data_of(const struct gatepost_events *events)
{
	if (!events->current || events->current->item.is_gap)
		return NULL;
	return json_object_get(events->current->item.message, "data");
}

const char *gatepost_events_text(const struct gatepost_events *events, const char *name)
{
	return json_string_value(json_object_get(data_of(events), name));
}

const char *gatepost_events_octets(struct gatepost_events *events, const char *name, size_t *len)
{
	return gatepost_fields_octets(data_of(events), name, &events->kept, len);
}

bool gatepost_events_number(const struct gatepost_events *events, const char *name, double *value)
{
	const json_t *found = json_object_get(data_of(events), name);

	if (!json_is_number(found))
		return false;
	*value = json_number_value(found);
	return true;
}

const char *gatepost_events_data(struct gatepost_events *events)
{
	const json_t *data = data_of(events);
	char *text;

	if (!data)
		return NULL;
	text = json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!text)
		abort(); /* no memory: as everywhere here */
	return gatepost_kept_add(&events->kept, text);
}
