#include <stdint.h>
#include <string.h>

#include "base64.h"
#include "shape_field.h"
#include "protocol/strict_json.h"

static const struct gatepost_shape_field request_fields[] = {{"hook", SHAPE_TEXT},
							     {"session", SHAPE_TEXT},
							     {"transaction", SHAPE_TEXT_MAYBE},
							     {"args", SHAPE_OBJECT},
							     {"context", SHAPE_OBJECT},
							     {"keep", SHAPE_OBJECT_MAYBE},
							     {0}};
static const struct gatepost_shape_field asking_fields[] = {{"id", SHAPE_POSITIVE},
							    {"key", SHAPE_TEXT},
							    {"attempt", SHAPE_POSITIVE},
							    {"deadline_ms", SHAPE_INTEGER},
							    {0}};
static const struct gatepost_shape_field mailbox_fields[] = {
	{"address", SHAPE_TEXT}, {"local", SHAPE_TEXT}, {"domain", SHAPE_TEXT}, {0}};
static const struct gatepost_shape_field ehlo_fields[] = {
	{"verb", SHAPE_TEXT}, {"name", SHAPE_TEXT}, {0}};
static const struct gatepost_shape_field auth_fields[] = {
	{"mechanism", SHAPE_TEXT}, {"user", SHAPE_TEXT}, {"authzid", SHAPE_TEXT_MAYBE}, {0}};
static const struct gatepost_shape_field rcpt_fields[] = {
	{"index", SHAPE_POSITIVE}, {"accepted", SHAPE_INTEGER}, {0}};
static const struct gatepost_shape_field data_fields[] = {{"recipients", SHAPE_INTEGER}, {0}};
static const struct gatepost_shape_field message_fields[] = {
	{"size", SHAPE_INTEGER}, {"body", SHAPE_OBJECT}, {"quarantine", SHAPE_TRUE_MAYBE}, {0}};
static const struct gatepost_shape_field disconnect_fields[] = {{"reason", SHAPE_TEXT}, {0}};

bool gatepost_shape_check_base64(const json_t *value, bool encoded)
{
	const char *name;
	json_t *item;
	size_t i, len;

	if (encoded && !json_is_string(value) && !json_is_array(value) && !json_is_null(value))
		return false;
	if (encoded && json_is_string(value))
		return gatepost_base64_check(json_string_value(value), json_string_length(value));
	json_array_foreach(value, i, item)
	{
		if (!gatepost_shape_check_base64(item, encoded))
			return false;
	}
	/* jansson's iteration has no const; nothing is changed. */
	for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
		name = json_object_iter_key(at);
		len = strlen(name);
		if (!gatepost_shape_check_base64(json_object_iter_value(at),
						 len > 4 && !strcmp(name + len - 4, "_b64")))
			return false;
	}
	return true;
}

static bool is_pair(const json_t *pair)
{
	const json_t *value = json_array_get(pair, 1);

	return json_array_size(pair) == 2 && json_is_string(json_array_get(pair, 0)) &&
	       (json_is_string(value) || json_is_null(value));
}

static bool check_mailbox(const json_t *mailbox, struct gatepost_error *error)
{
	const json_t *params = json_object_get(mailbox, "params"),
		     *exact = json_object_get(mailbox, "params_b64");

	if (!json_is_object(mailbox))
		return gatepost_shape_fail(error, "bad_message", "a mailbox must be an object");
	if (!gatepost_shape_check_fields(mailbox, mailbox_fields, error))
		return false;
	if (!gatepost_shape_is_array(params, is_pair) ||
	    (exact && (!gatepost_shape_is_array(exact, is_pair) ||
		       json_array_size(exact) != json_array_size(params))))
		return gatepost_shape_fail(error, "bad_message",
					   "\"params\" must be an array of pairs");
	return true;
}

static bool check_auth(const json_t *args, struct gatepost_error *error)
{
	static const struct gatepost_shape_field
		password[] = {{"password", SHAPE_TEXT}, {"token", SHAPE_TEXT_MAYBE}, {0}},
		token[] = {{"password", SHAPE_TEXT_MAYBE}, {"token", SHAPE_TEXT}, {0}},
		neither[] = {{"password", SHAPE_TEXT_MAYBE}, {"token", SHAPE_TEXT_MAYBE}, {0}};
	const char *mechanism;

	if (!gatepost_shape_check_fields(args, auth_fields, error))
		return false;
	mechanism = json_string_value(json_object_get(args, "mechanism"));
	if (!strcmp(mechanism, "PLAIN") || !strcmp(mechanism, "LOGIN"))
		return gatepost_shape_check_fields(args, password, error);
	if (!strcmp(mechanism, "XOAUTH2") || !strcmp(mechanism, "OAUTHBEARER"))
		return gatepost_shape_check_fields(args, token, error);
	return gatepost_shape_check_fields(args, neither, error);
}

static bool check_content(const json_t *args, struct gatepost_error *error)
{
	static const struct {
		const char *mode;
		struct gatepost_shape_field fields[2];
	} modes[] = {
		{"none", {{0}}},
		{"headers", {{"headers_b64", SHAPE_TEXT}, {0}}},
		{"inline", {{"data_b64", SHAPE_TEXT}, {0}}},
		{"path", {{"path", SHAPE_TEXT}, {0}}},
		{"fd", {{0}}},
	};
	const json_t *body = json_object_get(args, "body");
	const char *mode = json_string_value(json_object_get(body, "mode"));

	if (!gatepost_shape_check_fields(args, message_fields, error))
		return false;
	for (size_t i = 0; mode && i < sizeof modes / sizeof modes[0]; i++)
		if (!strcmp(modes[i].mode, mode))
			return gatepost_shape_check_fields(body, modes[i].fields, error);
	return gatepost_shape_fail(error, "bad_message", "a body mode that is not known");
}

static bool check_args(const char *hook, const json_t *args, struct gatepost_error *error)
{
	static const struct {
		const char *hook;
		const struct gatepost_shape_field *fields;
	} tables[] = {
		{"ehlo", ehlo_fields},
		{"rcpt", rcpt_fields},
		{"data", data_fields},
		{"disconnect", disconnect_fields},
	};

	if ((!strcmp(hook, "mail") || !strcmp(hook, "rcpt")) && !check_mailbox(args, error))
		return false;
	if (!strcmp(hook, "auth"))
		return check_auth(args, error);
	if (!strcmp(hook, "message"))
		return check_content(args, error);
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (!strcmp(tables[i].hook, hook))
			return gatepost_shape_check_fields(args, tables[i].fields, error);
	return true;
}

static bool check_context(const json_t *context, struct gatepost_error *error)
{
	const json_t *mail = json_object_get(context, "mail"),
		     *recipients = json_object_get(context, "recipients");
	static const struct gatepost_shape_field fields[] = {{"labels", SHAPE_STRINGS_MAYBE}, {0}};
	json_t *item;
	size_t i;

	if (!gatepost_shape_check_fields(context, fields, error))
		return false;
	if (mail && !check_mailbox(mail, error))
		return false;
	if (recipients && !json_is_array(recipients))
		return gatepost_shape_fail(error, "bad_message", "\"recipients\" must be an array");
	json_array_foreach(recipients, i, item)
	{
		if (!check_mailbox(item, error))
			return false;
	}
	return true;
}

static bool check_keep(const json_t *message, struct gatepost_error *error)
{
	static const struct gatepost_shape_field fields[] = {
		{"session", SHAPE_OBJECT_MAYBE}, {"transaction", SHAPE_OBJECT_MAYBE}, {0}};

	return gatepost_shape_check_fields(json_object_get(message, "keep"), fields, error);
}

bool gatepost_shape_check_request(const json_t *message, struct gatepost_error *error)
{
	const char *hook = json_string_value(json_object_get(message, "hook"));

	if (!gatepost_shape_check_fields(message, request_fields, error))
		return false;
	if (strcmp(hook, "disconnect") != 0 &&
	    !gatepost_shape_check_fields(message, asking_fields, error))
		return false;
	if (!gatepost_shape_check_base64(message, false))
		return gatepost_shape_fail(error, "bad_message", "not valid base64");
	return check_keep(message, error) &&
	       check_args(hook, json_object_get(message, "args"), error) &&
	       check_context(json_object_get(message, "context"), error);
}
