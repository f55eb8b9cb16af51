#include "shape.h"

#include <string.h>

#include "shape_field.h"
#include "protocol/handshake.h"
#include "protocol/strict_json.h"

static const struct gatepost_shape_field hello_fields[] = {
	{"protocol", SHAPE_TEXT}, {"versions", SHAPE_NUMBERS}, {"gateway", SHAPE_OBJECT}, {0}};
static const struct gatepost_shape_field gateway_fields[] = {
	{"name", SHAPE_TEXT}, {"epoch", SHAPE_TEXT}, {0}};
static const struct gatepost_shape_field policy_fields[] = {
	{"hooks", SHAPE_STRINGS}, {"context", SHAPE_STRINGS},  {"body", SHAPE_STRINGS},
	{"limits", SHAPE_OBJECT}, {"ping_ms", SHAPE_POSITIVE}, {0}};
static const struct gatepost_shape_field events_fields[] = {
	{"head", SHAPE_INTEGER}, {"oldest", SHAPE_INTEGER}, {0}};
static const struct gatepost_shape_field ready_fields[] = {
	{"policy", SHAPE_TEXT},		{"hooks", SHAPE_OBJECT},
	{"missing", SHAPE_STRINGS},	{"window", SHAPE_POSITIVE},
	{"body", SHAPE_STRINGS},	{"spool", SHAPE_TEXT_OR_NULL},
	{"mode", SHAPE_TEXT_MAYBE},	{"grants", SHAPE_STRINGS_MAYBE},
	{"delivers", SHAPE_TRUE_MAYBE}, {0}};
static const struct gatepost_shape_field hook_fields[] = {
	{"deadline_ms", SHAPE_INTEGER_MAYBE}, {"extend_ms", SHAPE_INTEGER_MAYBE}, {0}};
static const struct gatepost_shape_field error_fields[] = {
	{"fatal", SHAPE_BOOLEAN}, {"code", SHAPE_TEXT}, {"message", SHAPE_TEXT}, {0}};
static const struct gatepost_shape_field cancel_fields[] = {
	{"ids", SHAPE_NUMBERS}, {"why", SHAPE_TEXT}, {0}};
static const struct gatepost_shape_field subscribed_fields[] = {
	{"epoch", SHAPE_TEXT}, {"from", SHAPE_POSITIVE}, {"replaying", SHAPE_INTEGER}, {0}};
static const struct gatepost_shape_field event_fields[] = {
	{"seq", SHAPE_POSITIVE},       {"prev", SHAPE_INTEGER},
	{"time", SHAPE_TEXT},	       {"event", SHAPE_TEXT},
	{"session", SHAPE_TEXT_MAYBE}, {"transaction", SHAPE_TEXT_MAYBE},
	{"data", SHAPE_OBJECT},	       {0}};
static const struct gatepost_shape_field gap_fields[] = {
	{"from", SHAPE_POSITIVE}, {"to", SHAPE_POSITIVE}, {"lost", SHAPE_POSITIVE}, {0}};
static const struct gatepost_shape_field heartbeat_fields[] = {{"time", SHAPE_TEXT},
							       {"seq", SHAPE_INTEGER},
							       {"head", SHAPE_INTEGER},
							       {"lost_total", SHAPE_INTEGER},
							       {0}};

static bool check_version(const json_t *message, struct gatepost_error *error)
{
	const json_t *version = json_object_get(message, "version");

	if (!gatepost_shape_is_integer(version, 0))
		return gatepost_shape_fail(error, "bad_message", "\"version\" must be an integer");
	if (json_integer_value(version) != PROTOCOL_VERSION)
		return gatepost_shape_fail(error, "version", "this version is not spoken");
	return true;
}

static bool check_hello(const json_t *message, struct gatepost_error *error)
{
	const json_t *gateway = json_object_get(message, "gateway");
	const char *protocol = json_string_value(json_object_get(message, "protocol"));

	if (!gatepost_shape_check_fields(message, hello_fields, error) ||
	    !gatepost_shape_check_fields(gateway, gateway_fields, error))
		return false;
	if (!strcmp(protocol, "gatepost-policy"))
		return gatepost_shape_check_fields(message, policy_fields, error);
	if (!strcmp(protocol, "gatepost-events"))
		return gatepost_shape_check_fields(message, events_fields, error);
	return gatepost_shape_fail(error, "bad_message", "protocol \"%s\" is not known", protocol);
}

static bool check_ready(const json_t *message, struct gatepost_error *error)
{
	json_t *hooks = json_object_get(message, "hooks"), *options;
	const char *name;

	if (!check_version(message, error) ||
	    !gatepost_shape_check_fields(message, ready_fields, error))
		return false;
	json_object_foreach(hooks, name, options)
	{
		if (!json_is_object(options))
			return gatepost_shape_fail(error, "bad_message",
						   "the options of a hook must be an object");
		if (!gatepost_shape_check_fields(options, hook_fields, error))
			return false;
	}
	return true;
}

static bool check_error(const json_t *message, struct gatepost_error *error)
{
	return gatepost_shape_check_fields(message, error_fields, error);
}

static bool check_cancel(const json_t *message, struct gatepost_error *error)
{
	return gatepost_shape_check_fields(message, cancel_fields, error);
}

static bool check_subscribed(const json_t *message, struct gatepost_error *error)
{
	return check_version(message, error) &&
	       gatepost_shape_check_fields(message, subscribed_fields, error);
}

static json_int_t integer(const json_t *message, const char *name)
{
	return json_integer_value(json_object_get(message, name));
}

static bool check_event(const json_t *message, struct gatepost_error *error)
{
	if (!gatepost_shape_check_fields(message, event_fields, error))
		return false;
	if (integer(message, "seq") <= integer(message, "prev"))
		return gatepost_shape_fail(error, "bad_message",
					   "\"seq\" must be greater than \"prev\"");
	if (!gatepost_shape_check_base64(json_object_get(message, "data"), false))
		return gatepost_shape_fail(error, "bad_message", "not valid base64");
	return true;
}

static bool check_gap(const json_t *message, struct gatepost_error *error)
{
	const char *why = json_string_value(json_object_get(message, "why"));

	if (!why)
		return gatepost_shape_fail(error, "bad_message", "\"why\" must be a string");
	if (!strcmp(why, "epoch") && !json_object_get(message, "from"))
		return true;
	if (!gatepost_shape_check_fields(message, gap_fields, error))
		return false;
	if (integer(message, "lost") != integer(message, "to") - integer(message, "from") + 1)
		return gatepost_shape_fail(error, "bad_message",
					   "\"from\", \"to\" and \"lost\" of a gap do not fit");
	return true;
}

static bool check_heartbeat(const json_t *message, struct gatepost_error *error)
{
	if (!gatepost_shape_check_fields(message, heartbeat_fields, error))
		return false;
	if (integer(message, "seq") > integer(message, "head"))
		return gatepost_shape_fail(error, "bad_message",
					   "\"seq\" of a heartbeat is greater than \"head\"");
	return true;
}

static bool check_nothing(const json_t *message, struct gatepost_error *error)
{
	(void)message;
	(void)error;
	return true;
}

bool gatepost_shape_check(const json_t *message, struct gatepost_error *error)
{
	static const struct {
		const char *type;
		bool (*check)(const json_t *message, struct gatepost_error *error);
	} checks[] = {
		{"hello", check_hello},		{"ready", check_ready},
		{"error", check_error},		{"request", gatepost_shape_check_request},
		{"cancel", check_cancel},	{"subscribed", check_subscribed},
		{"ping", check_nothing},	{"pong", check_nothing},
		{"event", check_event},		{"gap", check_gap},
		{"heartbeat", check_heartbeat},
	};
	const char *type = gatepost_shape_type(message);
	char problem[sizeof error->message];

	if (!strict_json_is_understood(message, problem, sizeof problem))
		return gatepost_shape_fail(error, "bad_message", "%s", problem);
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		if (!strcmp(checks[i].type, type))
			return checks[i].check(message, error);
	return gatepost_shape_fail(error, "unknown_type", "a message of an unknown type");
}
