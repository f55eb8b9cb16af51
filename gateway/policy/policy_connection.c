#include "policy_connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy_ids.h"
#include "policy_report.h"
#include "protocol/hook_json.h"
#include "protocol/jsonl.h"
#include "protocol/verdict_json.h"

struct policy_connection {
	struct policy_dial dial;
	struct policy_connection_owner owner;
	struct policy_ids open; /* to struct policy_call, NULL when nobody waits */
	bool full;		/* for writing */
	bool draining;
	unsigned late, bad, unknown; /* lines of this line's life that were of no use */
};

/* An unknown type is from a newer version, or a mistake: it is no answer, so nothing hangs on it.
 */
static void note_unknown_type(struct policy_connection *connection, const char *message)
{
	if (!connection->unknown++)
		log_warning("policy %s: ignored: %s", connection->dial.service->name, message);
}

/* Tells whoever reads events, and the author. */
static void blame(struct policy_connection *connection, const struct policy_call *call, uint64_t id,
		  const char *code, const char *message)
{
	struct policy_dial *dial = &connection->dial;

	if (!connection->bad++)
		log_warning("policy %s: %s: %s", dial->service->name, code, message);
	policy_report_bad_reply(dial->callbacks, dial->service->name,
				call ? call->ask->request : NULL, code, message);
	handshake_error(&dial->out, false, id, code, message);
	/* An author who does not read does not get it; we do not wait for him. */
	policy_dial_send(dial);
}

/* `verdict` NULL: the reply is invalid, as `error` says. */
static void take_answer(struct policy_connection *connection, uint64_t id, struct verdict *verdict,
			const struct verdict_json_error *error)
{
	struct policy_place *place = policy_ids_find(&connection->open, id);
	struct policy_call *call;

	if (!place) {
		blame(connection, NULL, id, "unknown_id", "no request with this id is open");
		return;
	}
	call = place->value;
	policy_ids_remove(&connection->open, place);
	if (!verdict)
		blame(connection, call, id, error->code, error->message);
	if (!call) {
		connection->late++;
		return;
	}
	call->connection = NULL;
	if (verdict) {
		call->verdict = *verdict;
		*verdict = (struct verdict){0};
	}
	policy_call_end(call, verdict ? POLICY_ANSWERED : POLICY_BAD_REPLY);
}

static void take_drain(struct policy_connection *connection)
{
	if (connection->draining)
		return;
	connection->draining = true;
	policy_dial_retire(&connection->dial);
	connection->owner.on_drain(connection->owner.arg, connection);
}

static void take_line(struct policy_connection *connection)
{
	struct policy_dial *dial = &connection->dial;
	struct verdict_message message;
	struct verdict_json_error error;
	size_t len;
	const char *line = line_link_line(dial->link, &len);

	switch (verdict_json_decode(line, len, &message, &error)) {
	case VERDICT_JSON_REPLY:
		take_answer(connection, message.id, &message.verdict, NULL);
		break;
	case VERDICT_JSON_INVALID:
		take_answer(connection, message.id, NULL, &error);
		break;
	case VERDICT_JSON_PING:
		hook_json_pong(&dial->out);
		policy_dial_send(dial);
		return;
	case VERDICT_JSON_PONG:
	case VERDICT_JSON_PROGRESS:
	case VERDICT_JSON_BAD_PROGRESS:
	case VERDICT_JSON_WINDOW:
		return;
	case VERDICT_JSON_DRAIN:
		take_drain(connection);
		return;
	case VERDICT_JSON_UNKNOWN:
		note_unknown_type(connection, error.message);
		return;
	case VERDICT_JSON_BROKEN:
		policy_report_bad_reply(dial->callbacks, dial->service->name, NULL, error.code,
					error.message);
		policy_dial_break(dial, error.code, error.message);
		return;
	}
	verdict_fini(&message.verdict);
	connection->owner.on_change(connection->owner.arg);
}

static void lose_all(struct policy_connection *connection)
{
	if (connection->late || connection->bad)
		log_info("policy %s: %s: %u late and %u bad replies while it was up",
			 connection->dial.service->name, connection->dial.socket, connection->late,
			 connection->bad);
	for (size_t i = 0; i < connection->open.size; i++) {
		struct policy_call *call = connection->open.places[i].value;

		if (!call)
			continue;
		call->connection = NULL;
		policy_call_end(call, POLICY_LOST);
	}
	policy_ids_fini(&connection->open);
}

static void connection_on_dial(void *arg, enum policy_dial_event event)
{
	struct policy_connection *connection = arg;

	switch (event) {
	case POLICY_DIAL_READY:
		connection->full = false;
		connection->late = connection->bad = connection->unknown = 0;
		connection->owner.on_ready(connection->owner.arg);
		break;
	case POLICY_DIAL_LINE:
		take_line(connection);
		return;
	case POLICY_DIAL_WRITABLE:
		connection->full = false;
		break;
	case POLICY_DIAL_DOWN:
		lose_all(connection);
		break;
	}
	connection->owner.on_change(connection->owner.arg);
}

struct policy_connection *policy_connection_new(struct ev_loop *loop,
						const struct policy_settings *settings,
						const struct policy_service_settings *service,
						const char *socket,
						const struct policy_callbacks *callbacks,
						const struct policy_connection_owner *owner)
{
	struct policy_connection *connection = mem_new(sizeof *connection);

	connection->owner = *owner;
	connection->dial = (struct policy_dial){
		.loop = loop,
		.settings = settings,
		.service = service,
		.callbacks = callbacks,
		.socket = socket,
		.on_event = connection_on_dial,
		.arg = connection,
	};
	policy_dial_start(&connection->dial, NULL);
	return connection;
}

struct policy_connection *policy_connection_replace(const struct policy_connection *drained)
{
	struct policy_connection *connection = mem_new(sizeof *connection);

	connection->owner = drained->owner;
	connection->dial = (struct policy_dial){
		.loop = drained->dial.loop,
		.settings = drained->dial.settings,
		.service = drained->dial.service,
		.callbacks = drained->dial.callbacks,
		.socket = drained->dial.socket,
		.on_event = connection_on_dial,
		.arg = connection,
	};
	policy_dial_start(&connection->dial, &drained->dial);
	return connection;
}

bool policy_connection_is_over(const struct policy_connection *connection)
{
	return connection->draining && !connection->dial.link;
}

void policy_connection_free(struct policy_connection **connection)
{
	if (!*connection)
		return;
	policy_dial_fini(&(*connection)->dial);
	policy_ids_fini(&(*connection)->open);
	free(*connection);
	*connection = NULL;
}

bool policy_connection_is_ready(const struct policy_connection *connection)
{
	return connection->dial.state == DIAL_READY && !connection->draining;
}

bool policy_connection_was_seen(const struct policy_connection *connection)
{
	return connection->dial.seen;
}

unsigned policy_connection_hooks(const struct policy_connection *connection)
{
	return connection->dial.registration.hooks & connection->dial.service->hooks;
}

bool policy_connection_has_credit(const struct policy_connection *connection)
{
	return policy_connection_is_ready(connection) && !connection->full &&
	       connection->open.used < connection->dial.registration.window;
}

bool policy_connection_is_idler(const struct policy_connection *a,
				const struct policy_connection *b)
{
	return a->open.used * b->dial.registration.window <
	       b->open.used * a->dial.registration.window;
}

/* The first mode of the service's list that fits; HOOK_BODY_MAX when none does. */
static enum hook_body_mode choose_body(const struct handshake_register *reg,
				       const struct hook_message *message)
{
	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] != HOOK_BODY_INLINE ||
		    (message->data && message->size <= PROTOCOL_INLINE_MAX))
			return reg->body[i];
	return HOOK_BODY_MAX;
}

/* Fills asking->body; otherwise how the call ends. */
static enum policy_end prepare_body(struct policy_connection *connection,
				    const struct policy_ask *ask, struct hook_asking *asking)
{
	struct hook_message *message = ask->request->message;

	if (ask->request->hook != HOOK_MESSAGE)
		return POLICY_ANSWERED;
	asking->body = choose_body(&connection->dial.registration, message);
	/* A scanner that is shown nothing would find nothing: better no verdict than that one. */
	if (asking->body == HOOK_BODY_MAX)
		return POLICY_INTERNAL;
	if (asking->body == HOOK_BODY_PATH && !message->path && !ask->make_path(ask->arg))
		return POLICY_STORAGE;
	return POLICY_ANSWERED;
}

static void end_unsent(struct policy_call *call, enum policy_end end)
{
	list_remove(&call->waiting);
	policy_call_end(call, end);
}

bool policy_connection_ask(struct policy_connection *connection, struct policy_call *call)
{
	struct policy_dial *dial = &connection->dial;
	struct hook_asking asking = {.key = call->key, .attempt = call->attempt};
	enum policy_end end = prepare_body(connection, call->ask, &asking);

	assert(policy_connection_has_credit(connection));
	if (end != POLICY_ANSWERED) {
		end_unsent(call, end);
		return true;
	}
	asking.id = policy_ids_add(&connection->open, call);
	asking.deadline_ms = policy_call_left(call);
	hook_json_request(&dial->out, call->ask->request, &asking);
	if (dial->out.len <= JSONL_LINE_MAX + 1 && policy_dial_send(dial)) {
		list_remove(&call->waiting);
		policy_call_sent(call, connection, asking.id);
		return true;
	}
	policy_ids_remove(&connection->open, policy_ids_find(&connection->open, asking.id));
	/* Thousands of recipients with long parameters can make more than a line may hold. */
	if (dial->out.len > JSONL_LINE_MAX + 1) {
		json_out_fini(&dial->out);
		end_unsent(call, POLICY_INTERNAL);
		return true;
	}
	connection->full = true;
	return false;
}

void policy_connection_withdraw(struct policy_connection *connection, struct policy_call *call,
				const char *why)
{
	struct policy_place *place = policy_ids_find(&connection->open, call->id);

	assert(call->connection == connection && place && place->value == call);
	place->value = NULL;
	call->connection = NULL;
	hook_json_cancel(&connection->dial.out, call->id, why);
	/* When it does not fit the service works for nothing; its reply frees the place all the
	 * same. */
	policy_dial_send(&connection->dial);
}

void policy_connection_tell(struct policy_connection *connection,
			    const struct hook_request *request)
{
	struct policy_dial *dial = &connection->dial;
	struct hook_asking asking = {.id = 0};

	hook_json_request(&dial->out, request, &asking);
	if (dial->out.len > JSONL_LINE_MAX + 1)
		json_out_fini(&dial->out);
	else if (!policy_dial_send(dial))
		connection->full = true;
}
