#include "drive_script.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/jsonl.h"
#include "protocol/strict_json.h"

/* A fault of the line goes to `text`. */
struct problem {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct problem *problem,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem->text, problem->size, format, args);
	va_end(args);
	return false;
}

static bool fail_type(const struct problem *problem, const char *field, const char *wanted,
		      const json_t *found)
{
	char shown[STRICT_JSON_SHOWN_MAX];

	return fail(problem, "\"%s\" must be %s, not %s", field, wanted,
		    strict_json_show(found, shown));
}

/* A misspelt key would be an expectation that is never checked. */
static bool check_keys(json_t *object, const char *const *keys, const char *what,
		       const struct problem *problem)
{
	char shown[STRICT_JSON_SHOWN_MAX], list[256];
	size_t used = 0, i;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		for (i = 0; keys[i] && strcmp(keys[i], key) != 0; i++)
			;
		if (keys[i])
			continue;
		for (i = 0; keys[i]; i++)
			used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
						 i ? ", " : "", keys[i]);
		return fail(problem, "%s has no key %s: use %s", what,
			    strict_json_show_text(key, shown), list);
	}
	return true;
}

static bool read_integer(const json_t *object, const char *field, json_int_t least, json_int_t most,
			 json_int_t *to, const struct problem *problem)
{
	const json_t *value = json_object_get(object, field);
	char wanted[64];

	if (!value)
		return true;
	*to = json_integer_value(value);
	if (json_is_integer(value) && *to >= least && *to <= most)
		return true;
	snprintf(wanted, sizeof wanted, "an integer from %lld to %lld", (long long)least,
		 (long long)most);
	return fail_type(problem, field, wanted, value);
}

static bool read_text(const json_t *object, const char *field, char *to, size_t size,
		      const struct problem *problem)
{
	const json_t *value = json_object_get(object, field);
	char wanted[64];

	if (!value)
		return true;
	if (json_is_string(value) && json_string_length(value) > 0 &&
	    json_string_length(value) < size) {
		memcpy(to, json_string_value(value), json_string_length(value) + 1);
		return true;
	}
	snprintf(wanted, sizeof wanted, "a string of 1 to %zu octets", size - 1);
	return fail_type(problem, field, wanted, value);
}

static bool check_type(const json_t *object, const char *field, json_type type, const char *wanted,
		       const struct problem *problem)
{
	const json_t *value = json_object_get(object, field);

	return !value || json_typeof(value) == type || fail_type(problem, field, wanted, value);
}

/* --- expect --- */

static bool read_expect(json_t *line, struct drive_step *step, const struct problem *problem)
{
	static const char *const keys[] = {"verdict", "code",  "status", "text", "reason",
					   "until",   "label", "edits",	 NULL};
	json_t *object = json_object_get(line, "expect"), *verdict, *until;
	struct drive_expect *expect = &step->expect;
	char shown[STRICT_JSON_SHOWN_MAX];
	json_int_t code = 0, edits = 0;

	if (!object)
		return true;
	step->expects = true;
	if (!json_is_object(object) || !json_object_size(object))
		return fail_type(problem, "expect", "an object such as {\"verdict\":\"accept\"}",
				 object);
	if (!check_keys(object, keys, "expect", problem))
		return false;
	verdict = json_object_get(object, "verdict");
	expect->has_verdict = verdict != NULL;
	if (verdict && !(json_is_string(verdict) &&
			 verdict_from_word(json_string_value(verdict), &expect->verdict)))
		return fail(problem,
			    "unknown verdict %s: use accept, bypass, quarantine, discard, "
			    "tempfail, reject or disconnect",
			    strict_json_show(verdict, shown));
	until = json_object_get(object, "until");
	expect->has_until = until != NULL;
	if (until && !(json_is_string(until) &&
		       verdict_until_from_word(json_string_value(until), &expect->until)))
		return fail_type(problem, "until", "command, transaction or session", until);
	expect->has_edits = json_object_get(object, "edits") != NULL;
	if (!read_integer(object, "code", 200, 599, &code, problem) ||
	    !read_integer(object, "edits", 0, VERDICT_EDITS_MAX, &edits, problem))
		return false;
	expect->code = (int)code;
	expect->edits = (size_t)edits;
	return read_text(object, "status", expect->status, sizeof expect->status, problem) &&
	       read_text(object, "reason", expect->reason, sizeof expect->reason, problem) &&
	       read_text(object, "text", expect->text, sizeof expect->text, problem) &&
	       read_text(object, "label", expect->label, sizeof expect->label, problem);
}

/* --- the kinds of steps --- */

static bool read_request(json_t *line, struct drive_setting *setting, struct drive_step *step,
			 const struct problem *problem)
{
	static const char *const keys[] = {"hook",	  "args",    "context", "session",
					   "transaction", "message", "expect",	"deadline_ms",
					   "repeat",	  "keep",    NULL};
	const json_t *hook = json_object_get(line, "hook");
	char shown[STRICT_JSON_SHOWN_MAX];
	json_int_t repeat = 1, ignored;

	step->kind = DRIVE_STEP_REQUEST;
	if (!check_keys(line, keys, "a request", problem))
		return false;
	if (!json_is_string(hook) || !hook_from_word(json_string_value(hook), &step->hook))
		return fail(problem, "unknown hook %s", strict_json_show(hook, shown));
	if (!check_type(line, "args", JSON_OBJECT, "an object", problem) ||
	    !check_type(line, "context", JSON_OBJECT, "an object", problem) ||
	    !check_type(line, "keep", JSON_OBJECT, "an object", problem) ||
	    !check_type(line, "session", JSON_STRING, "a string", problem) ||
	    !check_type(line, "transaction", JSON_STRING, "a string", problem) ||
	    !check_type(line, "message", JSON_STRING, "a string", problem) ||
	    !read_integer(line, "deadline_ms", 0, STRICT_JSON_INTEGER_MAX, &ignored, problem) ||
	    !read_integer(line, "repeat", 1, DRIVE_REPEAT_MAX, &repeat, problem) ||
	    !read_expect(line, step, problem))
		return false;
	if (step->hook == HOOK_DISCONNECT && step->expects)
		return fail(problem, "disconnect is told, not asked: it has no reply to expect");
	if (step->hook != HOOK_MESSAGE && json_object_get(line, "message"))
		return fail(problem, "\"message\" is the content at the hook message only");
	step->repeat = (unsigned)repeat;
	step->text = drive_request_make(setting, step->hook, line, problem->text, problem->size);
	return step->text != NULL;
}

static bool read_raw(json_t *line, struct drive_step *step, const struct problem *problem)
{
	static const char *const keys[] = {"raw", "id", "expect", NULL};
	const json_t *raw = json_object_get(line, "raw");
	json_int_t id = 0;

	step->kind = DRIVE_STEP_RAW;
	if (!check_keys(line, keys, "a raw line", problem))
		return false;
	if (!json_is_string(raw))
		return fail_type(problem, "raw", "a string", raw);
	if (!read_integer(line, "id", 1, STRICT_JSON_INTEGER_MAX, &id, problem) ||
	    !read_expect(line, step, problem))
		return false;
	if (step->expects && !id)
		return fail(problem, "say with \"id\" which reply is expected");
	step->id = (uint64_t)id;
	step->text = mem_copy_string(json_string_value(raw));
	return true;
}

static bool read_close(json_t *line, struct drive_step *step, const struct problem *problem)
{
	static const char *const keys[] = {"expect_close", NULL};

	step->kind = DRIVE_STEP_CLOSE;
	if (!check_keys(line, keys, "this step", problem))
		return false;
	if (!json_is_true(json_object_get(line, "expect_close")))
		return fail_type(problem, "expect_close", "true",
				 json_object_get(line, "expect_close"));
	return true;
}

static bool read_pipeline(json_t *line, struct drive_step *step, const struct problem *problem)
{
	static const char *const keys[] = {"pipeline", NULL};
	const json_t *value = json_object_get(line, "pipeline");

	step->kind = DRIVE_STEP_PIPELINE;
	if (!check_keys(line, keys, "this step", problem))
		return false;
	if (!json_is_boolean(value))
		return fail_type(problem, "pipeline", "true or false", value);
	step->pipeline = json_is_true(value);
	return true;
}

static bool is_passed_over(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return line[i] == '#';
	return true;
}

bool drive_script_read(const char *line, size_t len, struct drive_setting *setting,
		       struct drive_step *step, char *problem, size_t size)
{
	const struct problem to = {problem, size};
	json_t *object;
	bool ok;

	*step = (struct drive_step){.repeat = 1};
	if (is_passed_over(line, len))
		return true;
	if (len > JSONL_LINE_MAX)
		return fail(&to, "more than %d octets", JSONL_LINE_MAX);
	object = strict_json_parse(line, len, problem, size);
	if (!object)
		return false;
	if (json_object_get(object, "hook"))
		ok = read_request(object, setting, step, &to);
	else if (json_object_get(object, "raw"))
		ok = read_raw(object, step, &to);
	else if (json_object_get(object, "expect_close"))
		ok = read_close(object, step, &to);
	else if (json_object_get(object, "pipeline"))
		ok = read_pipeline(object, step, &to);
	else
		ok = fail(&to, "a step has one of hook, raw, expect_close, pipeline");
	json_decref(object);
	return ok;
}

void drive_step_fini(struct drive_step *step)
{
	free(step->text);
	*step = (struct drive_step){0};
}
