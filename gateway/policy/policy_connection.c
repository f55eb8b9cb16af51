#include "policy_connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy_blame.h"
#include "policy_count.h"
#include "policy_ids.h"
#include "policy_request.h"
#include "protocol/hook_json.h"
#include "protocol/verdict_json.h"

struct policy_connection {
	struct policy_dial dial;
	struct policy_connection_owner owner;
	struct policy_ids open; /* to struct policy_call, NULL when nobody waits */
	unsigned window;
	bool full; /* for writing */
	bool draining;
};

static void remove_open(struct policy_connection *connection, struct policy_place *place)
{
	policy_ids_remove(&connection->open, place);
	policy_count_unsent(connection->dial.service, 1);
}

static void remove_all_open(struct policy_connection *connection)
{
	policy_count_unsent(connection->dial.service, connection->open.used);
	policy_ids_fini(&connection->open);
}

/* What the decoder could not know: the hook, the grants, and whether its edits can be made. They
 * are made here, so that the author of those that cannot is told. */
static bool is_possible(const struct policy_connection *connection, const struct policy_call *call,
			const struct verdict *verdict, struct verdict_json_error *error)
{
	const struct policy_service_settings *service = connection->dial.service;
	const struct policy_ask *ask = call->ask;
	enum hook hook = ask->request->hook;
	size_t size = sizeof error->message;
	const char *problem;

	problem = verdict_hook_problem(verdict, hook, service->grants, error->message, size);
	/* Without a word of where it is, nobody says that the message is anywhere. */
	if (!problem && policy_answers_for_message(service, hook) &&
	    verdict->kind <= VERDICT_QUARANTINE && !verdict->ref[0])
		problem = "this policy delivers: its accept needs ref";
	else if (!problem && verdict->edits_len && !ask->edit)
		problem = "edits are not possible here";
	else if (!problem && verdict->edits_len)
		problem = ask->edit(ask->arg, verdict, error->message, size);
	if (!problem)
		return true;
	if (problem != error->message)
		snprintf(error->message, size, "%s", problem);
	snprintf(error->code, sizeof error->code, "bad_reply");
	return false;
}

/* A reply to a request that is open: it closes it. NULL when nobody waits for it. */
static struct policy_call *close_request(struct policy_connection *connection, uint64_t id,
					 bool *known)
{
	struct policy_place *place = policy_ids_find(&connection->open, id);
	struct policy_call *call;

	*known = place != NULL;
	if (!place)
		return NULL;
	call = place->value;
	remove_open(connection, place);
	if (call)
		call->connection = NULL;
	else
		policy_blame_late(&connection->dial);
	return call;
}

/* `valid` is false when the reply is invalid, as `error` says. */
static void take_answer(struct policy_connection *connection, struct verdict_message *message,
			bool valid, struct verdict_json_error *error)
{
	bool known;
	struct policy_call *call = close_request(connection, message->id, &known);

	if (!known) {
		policy_blame_unknown_id(&connection->dial, message->id);
		return;
	}
	if (valid && call)
		valid = is_possible(connection, call, &message->verdict, error);
	if (!valid)
		policy_blame_bad(&connection->dial, call, message->id, error);
	if (!call)
		return;
	if (valid) {
		call->verdict = message->verdict;
		message->verdict = (struct verdict){0};
	}
	policy_call_end(call, valid ? POLICY_NO_FAILURE : FAILURE_BAD_REPLY);
}

/* NULL: it is not open, or nobody waits for it. */
static struct policy_call *call_of(const struct policy_connection *connection, uint64_t id)
{
	const struct policy_place *place = policy_ids_find(&connection->open, id);

	return place ? place->value : NULL;
}

static void take_progress(struct policy_connection *connection,
			  const struct verdict_message *message)
{
	struct policy_call *call = call_of(connection, message->id);

	if (call)
		policy_call_extend(call, (double)message->extend_ms / 1000,
				   connection->dial.service);
	else
		policy_blame_late(&connection->dial);
}

static void take_drain(struct policy_connection *connection)
{
	if (connection->draining)
		return;
	connection->draining = true;
	policy_dial_retire(&connection->dial);
	connection->owner.on_drain(connection->owner.arg, connection);
}

/* True when there may be credit that was not there before. */
static bool take_message(struct policy_connection *connection, enum verdict_json kind,
			 struct verdict_message *message, struct verdict_json_error *error)
{
	struct policy_dial *dial = &connection->dial;

	switch (kind) {
	case VERDICT_JSON_REPLY:
		take_answer(connection, message, true, error);
		return true;
	case VERDICT_JSON_INVALID:
		take_answer(connection, message, false, error);
		return true;
	case VERDICT_JSON_PROGRESS:
		take_progress(connection, message);
		return false;
	case VERDICT_JSON_BAD_PROGRESS:
		policy_blame_bad(&connection->dial, call_of(connection, message->id), message->id,
				 error);
		return false;
	case VERDICT_JSON_WINDOW:
		connection->window = message->window;
		return true;
	case VERDICT_JSON_PING:
		hook_json_pong(&dial->out);
		policy_dial_send(dial);
		return false;
	case VERDICT_JSON_PONG:
		return false;
	case VERDICT_JSON_DRAIN:
		take_drain(connection);
		return false;
	case VERDICT_JSON_UNKNOWN:
		policy_blame_unknown_type(dial, error->message);
		return false;
	case VERDICT_JSON_BROKEN:
		policy_blame_broken(dial, error);
		return false;
	}
	return false;
}

static void take_line(struct policy_connection *connection)
{
	struct verdict_message message;
	struct verdict_json_error error;
	size_t len;
	const char *line = line_link_line(connection->dial.link, &len);
	enum verdict_json kind = verdict_json_decode(line, len, &message, &error);
	bool changed = take_message(connection, kind, &message, &error);

	verdict_fini(&message.verdict);
	if (changed)
		connection->owner.on_change(connection->owner.arg);
}

static void lose_all(struct policy_connection *connection)
{
	for (size_t i = 0; i < connection->open.size; i++) {
		struct policy_call *call = connection->open.places[i].value;

		if (!call)
			continue;
		call->connection = NULL;
		call->broken |= connection->dial.broken;
		policy_call_end(call, FAILURE_LOST);
	}
	remove_all_open(connection);
}

static void connection_on_dial(void *arg, enum policy_dial_event event)
{
	struct policy_connection *connection = arg;

	switch (event) {
	case POLICY_DIAL_READY:
		connection->full = false;
		connection->window = connection->dial.registration.window;
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

/* `like` has the loop, the settings and the socket. */
static struct policy_connection *start(const struct policy_dial *like,
				       const struct policy_connection_owner *owner,
				       const struct policy_dial *predecessor)
{
	struct policy_connection *connection = mem_new(sizeof *connection);

	connection->owner = *owner;
	connection->dial = (struct policy_dial){
		.loop = like->loop,
		.settings = like->settings,
		.service = like->service,
		.callbacks = like->callbacks,
		.socket = like->socket,
		.on_event = connection_on_dial,
		.arg = connection,
	};
	policy_dial_start(&connection->dial, predecessor);
	return connection;
}

struct policy_connection *policy_connection_new(struct ev_loop *loop,
						const struct policy_settings *settings,
						const struct policy_service_settings *service,
						const char *socket,
						const struct policy_callbacks *callbacks,
						const struct policy_connection_owner *owner)
{
	const struct policy_dial like = {
		.loop = loop,
		.settings = settings,
		.service = service,
		.callbacks = callbacks,
		.socket = socket,
	};

	return start(&like, owner, NULL);
}

struct policy_connection *policy_connection_replace(const struct policy_connection *drained)
{
	return start(&drained->dial, &drained->owner, &drained->dial);
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
	remove_all_open(*connection);
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
	       connection->open.used < connection->window;
}

bool policy_connection_is_idler(const struct policy_connection *a,
				const struct policy_connection *b)
{
	return a->open.used * b->window < b->open.used * a->window;
}

static bool send_request(struct policy_connection *connection, int fd)
{
	struct policy_dial *dial = &connection->dial;
	bool sent = fd < 0 ? policy_dial_send(dial) : policy_dial_send_fd(dial, fd);

	connection->full = connection->full || !sent;
	return sent;
}

enum failure policy_connection_ask(struct policy_connection *connection, struct policy_call *call)
{
	struct policy_dial *dial = &connection->dial;
	enum failure failure;
	uint64_t id;
	int fd;

	assert(policy_connection_has_credit(connection));
	id = policy_ids_add(&connection->open, call);
	policy_count_sent(dial->service, 1);
	failure = policy_request_write(&dial->out, call, id, &dial->registration, &fd);
	if (failure == POLICY_NO_FAILURE && !send_request(connection, fd))
		failure = FAILURE_OVERLOAD;
	if (failure == POLICY_NO_FAILURE)
		policy_call_sent(call, connection, id);
	else
		remove_open(connection, policy_ids_find(&connection->open, id));
	return failure;
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

void policy_connection_tell(struct policy_connection *connection, size_t place,
			    const struct hook_request *request, const struct policy_memory *memory)
{
	if (policy_request_write_notice(&connection->dial.out, place, request, memory))
		send_request(connection, -1);
}
