#include "policy_service.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy_breaker.h"
#include "policy_connection.h"
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
	const struct policy_callbacks *callbacks;
	struct policy_breaker breaker;
	enum policy_breaker_state said; /* of the breaker */
	struct policy_connection **connections;
	size_t connections_len;
	struct policy_connection **drained; /* set aside */
	size_t drained_len;
	ev_tstamp successor_until;
	struct list waiting[HOOK_MAX];
	size_t waiting_len;
	uint64_t serial;
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
	return known_hooks(service) & 1u << hook;
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

static void dequeue(struct policy_service *service, struct policy_call *call)
{
	list_remove(&call->waiting);
	service->waiting_len--;
}

/* The connections that served this hook are gone: nobody knows when the next one comes. A second
 * attempt was promised some time to find one. */
static void fail_waiting(struct policy_service *service, enum hook hook)
{
	list_each(at, after, &service->waiting[hook])
	{
		struct policy_call *call = list_of(at, struct policy_call, waiting);

		if (call->attempt > 1)
			continue;
		dequeue(service, call);
		policy_call_end(call, POLICY_UNAVAILABLE);
	}
}

/* The oldest call that can be sent now. Each hook has its queue, so that calls for a socket that is
 * full do not hold up those for another one. */
static struct policy_call *next_call(const struct policy_service *service,
				     struct policy_connection **connection)
{
	struct policy_call *oldest = NULL;

	for (enum hook hook = 0; hook < HOOK_MAX; hook++) {
		const struct list *queue = &service->waiting[hook];
		struct policy_connection *candidate;
		struct policy_call *first;

		if (list_empty(queue))
			continue;
		first = list_of(queue->next, struct policy_call, waiting);
		candidate = idlest(service, hook);
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

	for (enum hook hook = 0; hook < HOOK_MAX && !patient; hook++)
		if (!list_empty(&service->waiting[hook]) && !is_live(service, hook))
			fail_waiting(service, hook);
	while ((call = next_call(service, &connection)))
		if (policy_connection_ask(connection, call))
			service->waiting_len--;
}

static void service_on_change(void *arg)
{
	send_waiting(arg);
}

static void report_breaker(struct policy_service *service)
{
	const char *state = policy_breaker_word(service->breaker.state);

	if (service->said == service->breaker.state)
		return;
	service->said = service->breaker.state;
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
}

struct policy_service *policy_service_new(struct ev_loop *loop,
					  const struct policy_settings *settings,
					  const struct policy_service_settings *service,
					  const struct policy_callbacks *callbacks)
{
	struct policy_service *new = mem_new(sizeof *new);
	struct policy_connection_owner owner = {
		.on_change = service_on_change,
		.on_ready = service_on_ready,
		.on_drain = service_on_drain,
		.arg = new,
	};

	new->loop = loop;
	new->settings = service;
	new->callbacks = callbacks;
	for (enum hook hook = 0; hook < HOOK_MAX; hook++)
		list_init(&new->waiting[hook]);
	new->connections_len = service->sockets_len;
	new->connections = mem_new(service->sockets_len * sizeof(struct policy_connection *));
	for (size_t i = 0; i < service->sockets_len; i++)
		new->connections[i] = policy_connection_new(loop, settings, service,
							    service->sockets[i], callbacks, &owner);
	return new;
}

void policy_service_free(struct policy_service **service)
{
	if (!*service)
		return;
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
	call->serial = ++service->serial;
	list_append(&service->waiting[call->ask->request->hook], &call->waiting);
	service->waiting_len++;
	send_waiting(service);
}

void policy_service_ask(struct policy_service *service, struct policy_call *call)
{
	bool admitted;

	free_drained(service);
	policy_call_start(call, service->loop, service->settings->timeout);
	admitted = policy_breaker_admit(&service->breaker, ev_now(service->loop), &call->probe);
	report_breaker(service);
	if (!admitted) {
		policy_call_end(call, POLICY_UNAVAILABLE);
		return;
	}
	enqueue(service, call);
	if (!list_empty(&call->waiting) && service->waiting_len > SERVICE_WAITING_MAX) {
		dequeue(service, call);
		policy_call_end(call, POLICY_OVERLOAD);
	}
}

void policy_service_note(struct policy_service *service, struct policy_call *call)
{
	switch (call->end) {
	case POLICY_ANSWERED:
	case POLICY_TIMEOUT:
	case POLICY_LOST:
	case POLICY_BAD_REPLY:
		policy_breaker_take(&service->breaker, ev_now(service->loop), call->probe,
				    call->end != POLICY_ANSWERED);
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
	else if (!list_empty(&call->waiting))
		dequeue(service, call);
}

void policy_service_tell(struct policy_service *service, const struct hook_request *request)
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
		policy_connection_tell(best, request);
}

bool policy_service_is_ready(const struct policy_service *service)
{
	for (size_t i = 0; i < service->connections_len; i++)
		if (policy_connection_is_ready(service->connections[i]))
			return true;
	return false;
}
