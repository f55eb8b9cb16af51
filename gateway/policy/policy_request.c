#include "policy_request.h"

#include "policy_memory.h"
#include "protocol/hook_json.h"
#include "protocol/jsonl.h"

static bool is_listed(const struct handshake_register *reg, enum hook_body_mode mode)
{
	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] == mode)
			return true;
	return false;
}

static bool fits(enum hook_body_mode mode, const struct policy_ask *ask)
{
	const struct hook_message *message = ask->request->message;

	switch (mode) {
	case HOOK_BODY_INLINE:
		return message->data && message->size <= PROTOCOL_INLINE_MAX;
	case HOOK_BODY_PATH:
		return message->path || ask->make_path;
	case HOOK_BODY_FD:
		return ask->open_body != NULL;
	default:
		return true;
	}
}

/* The first mode of the service's list that fits; HOOK_BODY_MAX when none does. */
static enum hook_body_mode choose_body(const struct handshake_register *reg,
				       const struct policy_call *call)
{
	enum hook_body_mode mode = HOOK_BODY_MAX;

	for (size_t i = 0; i < reg->body_len && mode == HOOK_BODY_MAX; i++)
		if (fits(reg->body[i], call->ask))
			mode = reg->body[i];
	if (mode == HOOK_BODY_PATH && call->fd_first && is_listed(reg, HOOK_BODY_FD) &&
	    fits(HOOK_BODY_FD, call->ask))
		mode = HOOK_BODY_FD;
	return mode;
}

static bool write_line(struct json_out *out, const struct hook_request *request,
		       const struct policy_memory *memory, const struct hook_asking *asking)
{
	struct hook_request told = *request;

	if (memory)
		told.context.labels = policy_memory_labels(memory);
	hook_json_request(out, &told, asking);
	if (out->len <= JSONL_LINE_MAX + 1)
		return true;
	/* Thousands of recipients with long parameters can make more than a line may hold. */
	json_out_fini(out);
	return false;
}

/* Fills asking->body, and makes the file that it needs. */
static enum failure prepare_body(const struct policy_call *call,
				 const struct handshake_register *reg, struct hook_asking *asking)
{
	const struct policy_ask *ask = call->ask;

	if (ask->request->hook != HOOK_MESSAGE)
		return POLICY_NO_FAILURE;
	asking->body = choose_body(reg, call);
	/* A scanner that is shown nothing would find nothing: better no verdict than that one. */
	if (asking->body == HOOK_BODY_MAX)
		return FAILURE_INTERNAL;
	if (asking->body == HOOK_BODY_PATH && !ask->request->message->path &&
	    !ask->make_path(ask->arg))
		return FAILURE_STORAGE;
	return POLICY_NO_FAILURE;
}

enum failure policy_request_write(struct json_out *out, const struct policy_call *call, uint64_t id,
				  const struct handshake_register *reg, int *fd)
{
	const struct policy_ask *ask = call->ask;
	struct hook_asking asking = {
		.id = id,
		.key = call->key,
		.attempt = call->attempt,
		.deadline_ms = policy_call_left(call),
	};
	enum failure failure = prepare_body(call, reg, &asking);

	*fd = -1;
	if (failure != POLICY_NO_FAILURE)
		return failure;
	if (ask->memory)
		policy_memory_kept(ask->memory, call->place, &asking.keep_session,
				   &asking.keep_transaction);
	if (!write_line(out, ask->request, ask->memory, &asking))
		return FAILURE_INTERNAL;
	if (asking.body != HOOK_BODY_FD)
		return POLICY_NO_FAILURE;
	*fd = ask->open_body(ask->arg);
	if (*fd >= 0)
		return POLICY_NO_FAILURE;
	json_out_clear(out);
	return FAILURE_STORAGE;
}

bool policy_request_write_notice(struct json_out *out, size_t place,
				 const struct hook_request *request,
				 const struct policy_memory *memory)
{
	struct hook_asking asking = {.id = 0};
	const char *none;

	if (memory)
		policy_memory_kept(memory, place, &asking.keep_session, &none);
	return write_line(out, request, memory, &asking);
}
