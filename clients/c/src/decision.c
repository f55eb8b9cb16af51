#include "decision.h"

#include <stdlib.h>
#include <string.h>

#include "shape.h"
#include "protocol/grow.h"
#include "protocol/verdict_json.h"

struct gatepost_verdict gatepost_accept(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_ACCEPT};
}

struct gatepost_verdict gatepost_bypass(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_BYPASS};
}

struct gatepost_verdict gatepost_quarantine(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_QUARANTINE};
}

struct gatepost_verdict gatepost_discard(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_DISCARD};
}

static struct gatepost_verdict refuse(enum gatepost_decision decision, const char *text, int code,
				      const char *status)
{
	return (struct gatepost_verdict){
		.decision = decision, .text = text, .code = code, .status = status};
}

struct gatepost_verdict gatepost_tempfail(const char *text, int code, const char *status)
{
	return refuse(GATEPOST_TEMPFAIL, text, code, status);
}

struct gatepost_verdict gatepost_reject(const char *text, int code, const char *status)
{
	return refuse(GATEPOST_REJECT, text, code, status);
}

struct gatepost_verdict gatepost_disconnect(const char *text, int code, const char *status)
{
	return refuse(GATEPOST_DISCONNECT, text, code, status);
}

struct gatepost_verdict gatepost_fault(void)
{
	return gatepost_tempfail("Temporary policy failure, try again later", 451, "4.3.0");
}

static bool kind_of(enum gatepost_decision decision, enum verdict_kind *kind)
{
	static const enum verdict_kind kinds[] = {
		[GATEPOST_ACCEPT] = VERDICT_ACCEPT,	    [GATEPOST_BYPASS] = VERDICT_BYPASS,
		[GATEPOST_QUARANTINE] = VERDICT_QUARANTINE, [GATEPOST_DISCARD] = VERDICT_DISCARD,
		[GATEPOST_TEMPFAIL] = VERDICT_TEMPFAIL,	    [GATEPOST_REJECT] = VERDICT_REJECT,
		[GATEPOST_DISCONNECT] = VERDICT_DISCONNECT,
	};

	if ((unsigned)decision <= GATEPOST_UNDECIDED || (unsigned)decision > GATEPOST_DISCONNECT)
		return false;
	*kind = kinds[decision];
	return true;
}

/* An empty string means absent in struct verdict, and is a fault here; what does not fit is one
 * too. */
static bool copy(char *to, size_t size, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	if (from && (!len || len >= size))
		return false;
	if (from)
		memcpy(to, from, len + 1);
	return true;
}

/* Kind, code, status, text and reason. */
static bool check_plain(const struct gatepost_verdict *verdict, struct verdict *checked,
			struct gatepost_error *error)
{
	char problem[sizeof error->message];
	const char *found;

	if (!kind_of(verdict->decision, &checked->kind))
		return gatepost_shape_fail(error, "bad_reply", "nothing was decided");
	if (!copy(checked->status, sizeof checked->status, verdict->status))
		return gatepost_shape_fail(error, "bad_reply",
					   "status \"%.40s\" is not an enhanced status code such "
					   "as \"5.7.1\"",
					   verdict->status);
	if (!copy(checked->reason, sizeof checked->reason, verdict->reason))
		return gatepost_shape_fail(error, "bad_reply",
					   "reason must be 1 to %d characters of a-z 0-9 _ . -",
					   VERDICT_REASON_MAX);
	if (verdict->text) {
		checked->text = grow_resize(NULL, strlen(verdict->text) + 1);
		memcpy(checked->text, verdict->text, strlen(verdict->text) + 1);
	}
	found = verdict_problem(checked, problem, sizeof problem);
	return !found || gatepost_shape_fail(error, "bad_reply", "%s", found);
}

static void write_text(struct json_out *out, const char *text)
{
	size_t len = strcspn(text, "\n");
	bool several = text[len];

	json_out_raw(out, several ? ",\"text\":[" : ",\"text\":");
	for (;; text += len + 1) {
		len = strcspn(text, "\n");
		json_out_octets_value(out, (struct octets){text, len});
		if (!text[len])
			break;
		json_out_raw(out, ",");
	}
	json_out_raw(out, several ? "]" : "");
}

static void write_field(struct json_out *out, const char *name, const char *value)
{
	if (!value)
		return;
	json_out_raw(out, name);
	json_out_text(out, value);
}

static void write_plain(struct json_out *out, uint64_t id, enum verdict_kind kind,
			const struct gatepost_verdict *verdict)
{
	json_out_raw(out, "{\"type\":\"reply\",\"id\":");
	json_out_integer(out, (int64_t)id);
	write_field(out, ",\"verdict\":", verdict_word(kind));
	if (verdict->code) {
		json_out_raw(out, ",\"code\":");
		json_out_integer(out, verdict->code);
	}
	write_field(out, ",\"status\":", verdict->status);
	if (verdict->text)
		write_text(out, verdict->text);
	write_field(out, ",\"reason\":", verdict->reason);
}

static bool has_extras(const struct gatepost_verdict *verdict)
{
	return verdict->until != GATEPOST_UNTIL_COMMAND || verdict->labels ||
	       verdict->keep_session || verdict->keep_transaction || verdict->edits_len ||
	       verdict->ref;
}

/* The gateway's own reader says what is wrong with the line, here and now. `checked` becomes what
 * it has read. */
static bool read_back(const char *line, size_t len, struct verdict *checked,
		      struct gatepost_error *error)
{
	struct verdict_json_error problem;
	struct verdict_message message;
	enum verdict_json result = verdict_json_decode(line, len, &message, &problem);

	verdict_fini(checked);
	*checked = message.verdict;
	return result == VERDICT_JSON_REPLY ||
	       gatepost_shape_fail(error, "bad_reply", "%s", problem.message);
}

static bool check_hook(const struct verdict *checked, enum hook hook, unsigned grants,
		       struct gatepost_error *error)
{
	char problem[sizeof error->message];
	const char *found = NULL;

	if (hook < HOOK_MAX)
		found = verdict_hook_problem(checked, hook, grants, problem, sizeof problem);
	return !found || gatepost_shape_fail(error, "bad_reply", "%s", found);
}

bool gatepost_decision_write(struct json_out *out, uint64_t id, enum hook hook, unsigned grants,
			     const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	struct verdict checked = {.code = verdict->code};
	size_t start = out->len;
	bool ok;

	*error = (struct gatepost_error){0};
	ok = check_plain(verdict, &checked, error);
	if (ok)
		write_plain(out, id, checked.kind, verdict);
	if (ok && has_extras(verdict)) {
		ok = gatepost_decision_write_extras(out, verdict, error);
		json_out_raw(out, "}");
		ok = ok && read_back(out->data + start, out->len - start, &checked, error);
	} else if (ok) {
		json_out_raw(out, "}");
	}
	ok = ok && check_hook(&checked, hook, grants, error);
	if (ok)
		json_out_raw(out, "\n");
	else
		out->len = start;
	verdict_fini(&checked);
	return ok;
}

bool gatepost_verdict_check(const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	struct json_out line = {0};
	bool ok = gatepost_decision_write(&line, 1, HOOK_MAX, 0, verdict, error);

	json_out_fini(&line);
	return ok;
}
