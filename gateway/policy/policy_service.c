#include "policy_service.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy_breaker.h"
#include "policy_connection.h"
#include "policy_count.h"
#include "policy_presence.h"
#include "policy_queue.h"
#include "policy_report.h"

/* Beyond, a service that stands still would collect a question of every session there is, to fail
 * each at its deadline; failing at once tells the clients sooner. */
#define SERVICE_WAITING_MAX 4096
/* How long a question whose connection was lost waits for another one: four attempts to dial. A
 * service that is started anew at once is back by then. */
#define SERVICE_AGAIN_TIME 2.0

/* How long questions wait for the successor of a service that has drained its connection. It has
 * the time to start; that it does not come at all shows soon enough. */
#define SERVICE_SUCCESSOR_TIME 5.0

struct policy_service {
	struct ev_loop *loop;
	const struct policy_service_settings *settings;
	size_t place;
	const struct policy_callbacks *callbacks;
	struct policy_service_owner owner;
	struct policy_breaker breaker;
	enum policy_breaker_state said; /* of the breaker */
	struct policy_connection **connections;
	size_t connections_len;
	struct policy_connection **drained; /* set aside */
	size_t drained_len;
	ev_tstamp successor_until;
	struct policy_queue queue;
	struct policy_presence presence;
};

/* Hooks that some socket of the service registered when last seen. A socket that is down counts:
 * that its process died is no reason to go without its checks. */
static unsigned known_hooks(const struct policy_service *service)
{
	unsigned hooks = 0;
	bool seen = false;

	for (size_t i = 0; i < service->connections_len; i++) {
		hooks |= policy_connection_hooks(service->connections[i]);
		seen |= policy_connection_was_seen(service->connections[i]);
	}
	/* Never seen: it might want all that it is allowed. */
	return seen ? hooks : service->settings->hooks;
}

bool policy_service_is_asked(const struct policy_service *service, enum hook hook)
{
	return known_hooks(service) & 1u << hook ||
	       policy_answers_for_message(service->settings, hook);
}

static bool serves(const struct policy_connection *connection, enum hook hook)
{
	return policy_connection_is_ready(connection) &&
	       policy_connection_hooks(connection) & 1u << hook;
}

static bool is_live(const struct policy_service *service, enum hook hook)
{
	for (size_t i = 0; i < service->connections_len; i++)
		if (serves(service->connections[i], hook))
			return true;
	return false;
}

/* NULL when none has credit. */
static struct policy_connection *idlest(const struct policy_service *service, enum hook hook)
{
	struct policy_connection *best = NULL;

	for (size_t i = 0; i < service->connections_len; i++) {
		struct policy_connection *connection = service->connections[i];

		if (!serves(connection, hook) || !policy_connection_has_credit(connection))
			continue;
		if (!best || policy_connection_is_idler(connection, best))
			best = connection;
	}
	return best;
}

/* The oldest call that can be sent now. */
static struct policy_call *next_call(const struct policy_service *service,
				     struct policy_connection **connection)
{
	struct policy_call *oldest = NULL;

	for (enum hook hook = 0; hook < HOOK_MAX; hook++) {
		struct policy_call *first = policy_queue_first(&service->queue, hook);
		struct policy_connection *candidate = first ? idlest(service, hook) : NULL;

		if (candidate && (!oldest || first->serial < oldest->serial)) {
			oldest = first;
			*connection = candidate;
		}
	}
	return oldest;
}

static void send_waiting(struct policy_service *service)
{
	struct policy_connection *connection;
	struct policy_call *call;
	bool patient = ev_now(service->loop) < service->successor_until;

	/* The connections that served a hook are gone: nobody knows when the next one comes. */
	for (enum hook hook = 0; hook < HOOK_MAX && !patient; hook++)
		if (!is_live(service, hook))
			policy_queue_fail(&service->queue, hook);
	while ((call = next_call(service, &connection))) {
		enum failure failure = policy_connection_ask(connection, call);

		if (failure == FAILURE_OVERLOAD) /* it has no credit any more */
			continue;
		policy_queue_remove(&service->queue, call);
		if (failure != POLICY_NO_FAILURE)
			policy_call_end(call, failure);
	}
}

static void note_presence(struct policy_service *service)
{
	policy_presence_set(&service->presence, policy_service_is_ready(service));
}

static void service_on_presence(void *arg)
{
	struct policy_service *service = arg;

	service->owner.on_presence(service->owner.arg, service);
}

static void service_on_change(void *arg)
{
	send_waiting(arg);
	note_presence(arg);
}

static void report_breaker(struct policy_service *service)
{
	const char *state = policy_breaker_word(service->breaker.state);

	if (service->said == service->breaker.state)
		return;
	service->said = service->breaker.state;
	policy_count_breaker(service->settings, service->said);
	log_warning("policy %s: the breaker is %s", service->settings->name, state);
	policy_report_breaker(service->callbacks, service->settings->name, state);
}

/* A process that was started anew is not to blame for its predecessor. */
static void service_on_ready(void *arg)
{
	struct policy_service *service = arg;

	policy_breaker_try(&service->breaker);
	report_breaker(service);
}

/* Not inside the callbacks of one that is over. */
static void free_drained(struct policy_service *service)
{
	size_t kept = 0;

	for (size_t i = 0; i < service->drained_len; i++) {
		if (policy_connection_is_over(service->drained[i]))
			policy_connection_free(&service->drained[i]);
		else
			service->drained[kept++] = service->drained[i];
	}
	service->drained_len = kept;
}

static void service_on_drain(void *arg, struct policy_connection *connection)
{
	struct policy_service *service = arg;
	size_t i = 0;

	free_drained(service);
	while (service->connections[i] != connection)
		i++;
	service->connections[i] = policy_connection_replace(connection);
	service->drained =
		mem_resize(service->drained, (service->drained_len + 1) * sizeof *service->drained);
	service->drained[service->drained_len++] = connection;
	service->successor_until = ev_now(service->loop) + SERVICE_SUCCESSOR_TIME;
	note_presence(service);
}

struct policy_service *policy_service_new(struct ev_loop *loop,
					  const struct policy_settings *settings, size_t place,
					  const struct policy_callbacks *callbacks,
					  const struct policy_service_owner *owner)
{
	struct policy_service *new = mem_new(sizeof *new);
	const struct policy_service_settings *service = &settings->services[place];
	struct policy_connection_owner connection_owner = {
		.on_change = service_on_change,
		.on_ready = service_on_ready,
		.on_drain = service_on_drain,
		.arg = new,
	};

	new->loop = loop;
	new->settings = service;
	new->place = place;
	new->callbacks = callbacks;
	new->owner = *owner;
	policy_queue_init(&new->queue, service);
	new->presence = (struct policy_presence){
		.loop = loop, .on_change = service_on_presence, .arg = new};
	policy_presence_start(&new->presence);
	new->connections_len = service->sockets_len;
	new->connections = mem_new(service->sockets_len * sizeof(struct policy_connection *));
	for (size_t i = 0; i < service->sockets_len; i++)
		new->connections[i] = policy_connection_new(
			loop, settings, service, service->sockets[i], callbacks, &connection_owner);
	return new;
}

void policy_service_free(struct policy_service **service)
{
	if (!*service)
		return;
	policy_presence_fini(&(*service)->presence);
	policy_count_breaker((*service)->settings, BREAKER_CLOSED);
	for (size_t i = 0; i < (*service)->connections_len; i++)
		policy_connection_free(&(*service)->connections[i]);
	for (size_t i = 0; i < (*service)->drained_len; i++)
		policy_connection_free(&(*service)->drained[i]);
	free((*service)->drained);
	free((*service)->connections);
	free(*service);
	*service = NULL;
}

const struct policy_service_settings *policy_service_settings(const struct policy_service *service)
{
	return service->settings;
}

static void enqueue(struct policy_service *service, struct policy_call *call)
{
	policy_queue_add(&service->queue, call);
	send_waiting(service);
}

/* The call runs; false: it has ended. */
static bool start(struct policy_service *service, struct policy_call *call)
{
	enum failure failure = POLICY_NO_FAILURE;

	free_drained(service);
	policy_call_start(call, service->loop, service->settings->timeout,
			  &service->successor_until);
	if (call->ceiling > 0 && call->ceiling <= call->asked)
		failure = FAILURE_LATE;
	else if (!policy_breaker_admit(&service->breaker, call->asked, &call->probe))
		failure = FAILURE_UNAVAILABLE;
	report_breaker(service);
	if (failure != POLICY_NO_FAILURE)
		policy_call_end(call, failure);
	return failure == POLICY_NO_FAILURE;
}

void policy_service_ask(struct policy_service *service, struct policy_call *call)
{
	if (!start(service, call))
		return;
	enqueue(service, call);
	if (!list_empty(&call->waiting) && service->queue.len > SERVICE_WAITING_MAX) {
		policy_queue_remove(&service->queue, call);
		policy_call_end(call, FAILURE_OVERLOAD);
	}
}

void policy_service_try(struct policy_service *service, struct policy_call *call)
{
	enum hook hook = call->ask->request->hook;
	struct policy_connection *connection;
	enum failure failure;

	if (!start(service, call))
		return;
	connection = idlest(service, hook);
	if (connection)
		failure = policy_connection_ask(connection, call);
	else
		failure = is_live(service, hook) ? FAILURE_OVERLOAD : FAILURE_UNAVAILABLE;
	if (failure != POLICY_NO_FAILURE)
		policy_call_end(call, failure);
}

void policy_service_note(struct policy_service *service, struct policy_call *call)
{
	policy_count_end(service->settings, call);
	switch (call->end) {
	case POLICY_NO_FAILURE:
	case FAILURE_TIMEOUT:
	case FAILURE_LOST:
	case FAILURE_BAD_REPLY:
		policy_breaker_take(&service->breaker, ev_now(service->loop), call->probe,
				    call->end != POLICY_NO_FAILURE);
		break;
	default: /* it was not asked */
		policy_breaker_forget(&service->breaker, call->probe);
		break;
	}
	call->probe = 0;
	report_breaker(service);
}

bool policy_service_ask_again(struct policy_service *service, struct policy_call *call)
{
	double half = service->settings->timeout / 2;

	if (call->attempt > 1 || call->deadline - ev_now(service->loop) < half)
		return false;
	policy_call_start_again(call, SERVICE_AGAIN_TIME);
	enqueue(service, call);
	return true;
}

void policy_service_withdraw(struct policy_service *service, struct policy_call *call,
			     const char *why)
{
	policy_breaker_forget(&service->breaker, call->probe);
	call->probe = 0;
	if (call->connection)
		policy_connection_withdraw(call->connection, call, why);
	else
		policy_queue_remove(&service->queue, call);
}

void policy_service_tell(struct policy_service *service, const struct hook_request *request,
			 const struct policy_memory *memory)
{
	struct policy_connection *best = NULL;

	/* A notification takes no place in the window: a busy service is told all the same. */
	for (size_t i = 0; i < service->connections_len; i++) {
		struct policy_connection *connection = service->connections[i];

		if (serves(connection, request->hook) &&
		    (!best || policy_connection_is_idler(connection, best)))
			best = connection;
	}
	if (best)
		policy_connection_tell(best, service->place, request, memory);
}

bool policy_service_is_ready(const struct policy_service *service)
{
	for (size_t i = 0; i < service->connections_len; i++)
		if (policy_connection_is_ready(service->connections[i]))
			return true;
	return false;
}

bool policy_service_is_present(const struct policy_service *service)
{
	return service->presence.present;
}
