#include "decision.h"

#include <stdlib.h>
#include <string.h>

#include "shape.h"
#include "protocol/grow.h"
#include "protocol/verdict.h"

struct gatepost_verdict gatepost_accept(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_ACCEPT};
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
	switch (decision) {
	case GATEPOST_ACCEPT:
		*kind = VERDICT_ACCEPT;
		return true;
	case GATEPOST_TEMPFAIL:
		*kind = VERDICT_TEMPFAIL;
		return true;
	case GATEPOST_REJECT:
		*kind = VERDICT_REJECT;
		return true;
	case GATEPOST_DISCONNECT:
		*kind = VERDICT_DISCONNECT;
		return true;
	case GATEPOST_UNDECIDED:
		break;
	}
	return false;
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

bool gatepost_verdict_check(const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	char problem[sizeof error->message];
	struct verdict checked = {.code = verdict->code};
	const char *found;

	*error = (struct gatepost_error){0};
	if (!kind_of(verdict->decision, &checked.kind))
		return gatepost_shape_fail(error, "bad_reply", "nothing was decided");
	if (!copy(checked.status, sizeof checked.status, verdict->status))
		return gatepost_shape_fail(error, "bad_reply",
					   "status \"%.40s\" is not an enhanced status code such "
					   "as \"5.7.1\"",
					   verdict->status);
	if (!copy(checked.reason, sizeof checked.reason, verdict->reason))
		return gatepost_shape_fail(error, "bad_reply",
					   "reason must be 1 to %d characters of a-z 0-9 _ . -",
					   VERDICT_REASON_MAX);
	if (verdict->text) {
		checked.text = grow_resize(NULL, strlen(verdict->text) + 1);
		memcpy(checked.text, verdict->text, strlen(verdict->text) + 1);
	}
	found = verdict_problem(&checked, problem, sizeof problem);
	verdict_fini(&checked);
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

void gatepost_decision_write(struct json_out *out, uint64_t id,
			     const struct gatepost_verdict *verdict)
{
	enum verdict_kind kind = VERDICT_TEMPFAIL;

	kind_of(verdict->decision, &kind);
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
	json_out_raw(out, "}\n");
}
