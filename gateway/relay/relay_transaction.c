#include "relay_transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay_transaction_state.h"

static void forget_told(struct relay_transaction *t)
{
	for (size_t i = 0; i < t->told_len; i++)
		relay_mailbox_fini(&t->told[i]);
	t->told_len = 0;
}

static void note_told(struct relay_transaction *t, const struct hook_mailbox *recipient)
{
	t->told = mem_resize(t->told, (t->told_len + 1) * sizeof *t->told);
	relay_mailbox_copy(&t->told[t->told_len++], recipient);
}

/* What is clean is used again; in the middle of a message only closing helps. */
void relay_transaction_let_go(struct relay_transaction *t)
{
	struct relay_connection *c = t->connection;

	t->connection = NULL;
	forget_told(t);
	if (!c)
		return;
	if (!c->over && relay_engine_reset(c->engine))
		relay_pool_give_back(c);
	else
		relay_pool_drop(c);
}

static void answer(struct relay_transaction *t, const struct relay_result *result)
{
	void (*on_result)(void *arg, const struct relay_result *result) = t->on_result;

	t->state = RELAY_AT_REST;
	t->on_result = NULL;
	relay_mailbox_fini(&t->asked);
	on_result(t->arg, result);
}

/* Whatever is open. */
static void conclude(struct relay_transaction *t, const struct relay_result *result)
{
	if (t->sends)
		relay_send_finish(t, result, NULL, 0);
	else
		answer(t, result);
}

static void ask_one(struct relay_transaction *t)
{
	t->state = RELAY_ASKING;
	relay_engine_recipient(t->connection->engine, &t->asked);
	relay_connection_step(t->connection);
}

static void begin(struct relay_transaction *t)
{
	relay_engine_begin(t->connection->engine, &t->sender);
	if (t->sends)
		relay_send_envelope(t);
	else
		ask_one(t);
}

static void find_connection(struct relay_transaction *t, bool fresh)
{
	t->state = RELAY_CONNECTING;
	t->request.fresh = fresh;
	relay_pool_ask(&t->request);
}

/* --- the connection is lost --- */

struct loss {
	const struct relay_backend *backend;
	enum relay_engine_failure kind;
	bool unknown;  /* the message may be with it */
	bool answered; /* something in this transaction */
	bool reused;   /* it was idle before, and may have been dead for long */
};

static void drop_lost(struct relay_transaction *t, struct loss *loss)
{
	struct relay_connection *c = t->connection;

	*loss = (struct loss){
		.backend = c->backend,
		.kind = relay_engine_failure(c->engine),
		.unknown = relay_engine_outcome_unknown(c->engine),
		.answered = t->told_len > 0 ||
			    (t->state != RELAY_CONNECTING && relay_engine_has_answered(c->engine)),
		.reused = c->transactions > 1,
	};
	if (t->state != RELAY_AT_REST)
		log_info("delivery %s: connection to %s lost: %s", t->relay->settings.name,
			 c->backend->text, c->failure);
	/* It wants no mail now, and says so to whoever comes. */
	if (!loss->reused && !loss->answered && loss->kind == RELAY_FAILURE_CLOSING)
		relay_backend_failed(c->backend, c->failure);
	t->connection = NULL;
	forget_told(t);
	relay_pool_drop(c);
}

static void give_up(struct relay_transaction *t, const struct loss *loss)
{
	struct relay_result result;

	if (loss->kind == RELAY_FAILURE_BROKEN)
		relay_result_broken(&result, loss->backend->text);
	else
		relay_result_lost(&result, loss->backend->text);
	conclude(t, &result);
}

/* Before the message has begun, nobody has taken any responsibility. */
static void on_lost(struct relay_transaction *t)
{
	struct loss loss;

	drop_lost(t, &loss);
	if (t->state == RELAY_AT_REST)
		return;
	if (t->state == RELAY_SENDING) {
		relay_send_on_lost(t, loss.backend->text, loss.unknown);
	} else if (!loss.answered && loss.reused && !t->replaced) {
		t->replaced = true;
		find_connection(t, true);
	} else if (!loss.answered &&
		   (loss.kind == RELAY_FAILURE_CLOSING || t->state == RELAY_CONNECTING)) {
		t->request.tried |= (uint64_t)1 << (loss.backend - t->relay->backends);
		find_connection(t, true);
	} else {
		give_up(t, &loss);
	}
}

/* --- the connection speaks --- */

static void on_recipient(struct relay_transaction *t)
{
	struct relay_result result;

	relay_result_of(&result, relay_engine_result(t->connection->engine),
			t->connection->backend->text);
	if (t->state == RELAY_TELLING_ALL) {
		relay_send_on_told(t, &result);
		return;
	}
	if (result.code < 300)
		note_told(t, &t->asked);
	answer(t, &result);
}

static void on_message_result(struct relay_transaction *t)
{
	struct relay_result result;

	relay_result_of(&result, relay_engine_result(t->connection->engine),
			t->connection->backend->text);
	relay_send_on_result(t, &result);
}

static void transaction_on_event(void *arg, enum relay_connection_event event)
{
	struct relay_transaction *t = arg;

	switch (event) {
	case RELAY_CONNECTION_READY: /* the client is introduced; else nothing new */
		if (t->state == RELAY_CONNECTING)
			begin(t);
		break;
	case RELAY_CONNECTION_RECIPIENT:
		on_recipient(t);
		break;
	case RELAY_CONNECTION_BODY:
		relay_send_on_body(t);
		break;
	case RELAY_CONNECTION_RESULT:
		on_message_result(t);
		break;
	case RELAY_CONNECTION_OVER:
		on_lost(t);
		break;
	}
}

static void on_connected(void *arg, struct relay_connection *c)
{
	struct relay_transaction *t = arg;

	t->connection = c;
	c->on_event = transaction_on_event;
	c->arg = t;
	if (t->relay->settings.show_client != RELAY_SHOW_XCLIENT) {
		begin(t);
		return;
	}
	relay_engine_show_client(c->engine, &t->client.facts);
	relay_connection_step(c);
}

static void on_refused(void *arg, enum relay_refusal refusal)
{
	struct relay_result result;

	if (refusal == RELAY_BUSY)
		relay_result_busy(&result);
	else
		relay_result_down(&result);
	conclude(arg, &result);
}

/* --- the owner speaks --- */

struct relay_transaction *relay_transaction_new(struct relay *r, const struct hook_context *context)
{
	struct relay_transaction *t = mem_new(sizeof *t);

	t->relay = r;
	relay_client_copy(&t->client, context);
	relay_mailbox_copy(&t->sender, context->mail);
	relay_request_init(&t->request, r);
	t->request.client = &t->client;
	t->request.on_connected = on_connected;
	t->request.on_refused = on_refused;
	t->request.arg = t;
	return t;
}

void relay_transaction_recipient(struct relay_transaction *t, const struct hook_mailbox *recipient,
				 void (*on_result)(void *arg, const struct relay_result *result),
				 void *arg)
{
	assert(t->state == RELAY_AT_REST && !t->sends);
	relay_mailbox_copy(&t->asked, recipient);
	t->on_result = on_result;
	t->arg = arg;
	t->request.tried = 0;
	if (t->connection)
		ask_one(t);
	else
		find_connection(t, false);
}

void relay_transaction_send(struct relay_transaction *t, const struct relay_message *message,
			    void (*on_sent)(void *arg, const struct relay_result *result,
					    const struct relay_result *recipients,
					    size_t recipients_len),
			    void *arg)
{
	bool told;

	assert(t->state == RELAY_AT_REST && !t->sends && message->recipients_len);
	relay_send_take(t, message);
	t->on_sent = on_sent;
	t->arg = arg;
	t->request.tried = 0;
	told = relay_send_is_told(t, message->sender);
	if (!told) {
		relay_mailbox_fini(&t->sender);
		relay_mailbox_copy(&t->sender, message->sender);
	}
	if (!t->connection) {
		find_connection(t, false);
	} else if (told) {
		relay_send_begin(t);
	} else {
		relay_engine_reset(t->connection->engine); /* no message is on its way */
		forget_told(t);
		begin(t);
	}
}

void relay_transaction_free(struct relay_transaction **t_at)
{
	struct relay_transaction *t = *t_at;

	if (!t)
		return;
	*t_at = NULL;
	relay_pool_cancel(&t->request);
	relay_transaction_let_go(t);
	free(t->told);
	relay_mailbox_fini(&t->asked);
	relay_mailbox_fini(&t->sender);
	relay_client_fini(&t->client);
	relay_send_fini(t);
	free(t);
}
