#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decision.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/strict_json.h"
#include "protocol/utf8.h"

static bool fail(struct gatepost_error *error, const char *what, const char *why)
{
	return gatepost_shape_fail(error, "bad_reply", "%s %s", what, why);
}

/* Nothing is sent in place of what the author wrote, so what cannot be said exactly is refused. */
static bool write_string(struct json_out *out, const char *name, const char *value,
			 const char *what, struct gatepost_error *error)
{
	size_t n;

	if (!value)
		return fail(error, what, "is missing");
	for (const char *at = value; *at; at += n) {
		n = utf8_length(at, strlen(at));
		if (!n)
			return fail(error, what, "is not UTF-8");
	}
	json_out_raw(out, name);
	json_out_text(out, value);
	return true;
}

static bool write_labels(struct json_out *out, const char *const *labels,
			 struct gatepost_error *error)
{
	json_out_raw(out, ",\"labels\":[");
	for (size_t i = 0; labels[i]; i++)
		if (!write_string(out, i ? "," : "", labels[i], "a label", error))
			return false;
	json_out_raw(out, "]");
	return true;
}

/* Written anew: the author's text may have line ends in it, and its size counts without white
 * space. */
static bool write_object(struct json_out *out, const char *name, const char *text,
			 struct gatepost_error *error)
{
	char problem[sizeof error->message], *compact;
	json_t *object;

	if (!*text) {
		json_out_raw(out, "null");
		return true;
	}
	object = strict_json_parse(text, strlen(text), problem, sizeof problem);
	if (!object)
		return fail(error, name, problem);
	compact = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!compact)
		abort(); /* no memory: as everywhere here */
	json_out_raw(out, compact);
	free(compact);
	return true;
}

static bool write_keep(struct json_out *out, const struct gatepost_verdict *verdict,
		       struct gatepost_error *error)
{
	bool ok = true;

	json_out_raw(out, ",\"keep\":{");
	if (verdict->keep_session) {
		json_out_raw(out, "\"session\":");
		ok = write_object(out, "keep_session:", verdict->keep_session, error);
	}
	if (ok && verdict->keep_transaction) {
		json_out_raw(out, verdict->keep_session ? "," : "");
		json_out_raw(out, "\"transaction\":");
		ok = write_object(out, "keep_transaction:", verdict->keep_transaction, error);
	}
	json_out_raw(out, "}");
	return ok;
}

static void write_number(struct json_out *out, const char *name, unsigned n)
{
	json_out_raw(out, name);
	json_out_integer(out, n);
}

static bool write_edit(struct json_out *out, const struct gatepost_edit *edit,
		       struct gatepost_error *error)
{
	bool is_header = edit->kind <= GATEPOST_DELETE_HEADER;

	if ((unsigned)edit->kind > GATEPOST_DROP_RECIPIENT)
		return fail(error, "an edit", "is of no known kind");
	json_out_raw(out, "{\"edit\":");
	json_out_text(out, edit_word((enum edit_kind)edit->kind));
	if (edit->kind == GATEPOST_ADD_HEADER && edit->bottom)
		json_out_raw(out, ",\"at\":\"bottom\"");
	if (is_header &&
	    !write_string(out, ",\"name\":", edit->name, "the name of an edit's field", error))
		return false;
	if (edit->kind == GATEPOST_REPLACE_HEADER || edit->kind == GATEPOST_DELETE_HEADER)
		write_number(out, ",\"nth\":", edit->nth);
	if (edit->kind == GATEPOST_DROP_RECIPIENT)
		write_number(out, ",\"index\":", edit->nth);
	else if (edit->kind != GATEPOST_DELETE_HEADER &&
		 !write_string(out, is_header ? ",\"value\":" : ",\"address\":", edit->value,
			       is_header ? "the value of an edit's field"
					 : "the address of an edit",
			       error))
		return false;
	json_out_raw(out, "}");
	return true;
}

static bool write_edits(struct json_out *out, const struct gatepost_verdict *verdict,
			struct gatepost_error *error)
{
	if (!verdict->edits)
		return fail(error, "edits_len", "is set, but edits is not");
	/* The reader says so too, but not before all of them are written. */
	if (verdict->edits_len > VERDICT_EDITS_MAX)
		return gatepost_shape_fail(error, "bad_reply", "more than %d edits",
					   VERDICT_EDITS_MAX);
	json_out_raw(out, ",\"edits\":[");
	for (size_t i = 0; i < verdict->edits_len; i++) {
		json_out_raw(out, i ? "," : "");
		if (!write_edit(out, &verdict->edits[i], error))
			return false;
	}
	json_out_raw(out, "]");
	return true;
}

bool gatepost_decision_write_extras(struct json_out *out, const struct gatepost_verdict *verdict,
				    struct gatepost_error *error)
{
	if ((unsigned)verdict->until > GATEPOST_UNTIL_SESSION)
		return fail(error, "until", "is of no known kind");
	if (verdict->until != GATEPOST_UNTIL_COMMAND)
		json_out_raw(out, verdict->until == GATEPOST_UNTIL_SESSION
					  ? ",\"until\":\"session\""
					  : ",\"until\":\"transaction\"");
	return (!verdict->labels || write_labels(out, verdict->labels, error)) &&
	       ((!verdict->keep_session && !verdict->keep_transaction) ||
		write_keep(out, verdict, error)) &&
	       (!verdict->edits_len || write_edits(out, verdict, error)) &&
	       (!verdict->ref || write_string(out, ",\"ref\":", verdict->ref, "ref", error));
}
