#include "policy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy_ids.h"
#include "policy_question.h"
#include "policy_service.h"
#include "policy_shadow.h"

struct policy {
	struct ev_loop *loop;
	struct policy_callbacks callbacks;
	struct policy_service **services;
	size_t services_len;
	struct policy_ids questions;
	struct policy_shadows shadows;
	bool ready, away; /* as last told; neither at first */
};

static void tell(struct policy *p, bool ready, const char *policy)
{
	p->ready = ready;
	p->away = !ready;
	p->callbacks.on_readiness(p->callbacks.arg, ready, policy);
}

static void policy_on_presence(void *arg, const struct policy_service *service)
{
	struct policy *p = arg;
	const struct policy_service_settings *settings = policy_service_settings(service);
	const char *missing = policy_missing(p);

	if (!settings->required || !p->callbacks.on_readiness)
		return;
	if (!policy_service_is_present(service))
		tell(p, false, settings->name); /* each one that is missing */
	else if (!missing && !p->ready)
		tell(p, true, NULL);
	else if (missing && p->away) /* the last one told may be the one that is back */
		tell(p, false, missing);
}

struct policy *policy_new(struct ev_loop *loop, const struct policy_settings *settings,
			  const struct policy_callbacks *callbacks)
{
	struct policy *p = mem_new(sizeof *p);
	struct policy_service_owner owner = {.on_presence = policy_on_presence, .arg = p};

	p->loop = loop;
	p->callbacks = *callbacks;
	p->shadows = (struct policy_shadows){.spool_dir = settings->spool_dir,
					     .callbacks = &p->callbacks};
	policy_shadows_init(&p->shadows);
	p->services_len = settings->services_len;
	p->services = mem_new(p->services_len * sizeof(struct policy_service *));
	for (size_t i = 0; i < p->services_len; i++)
		p->services[i] = policy_service_new(loop, settings, i, &p->callbacks, &owner);
	return p;
}

void policy_free(struct policy **p)
{
	if (!*p)
		return;
	assert((*p)->questions.used == 0);
	policy_shadows_fini(&(*p)->shadows);
	for (size_t i = 0; i < (*p)->services_len; i++)
		policy_service_free(&(*p)->services[i]);
	free((*p)->services);
	policy_ids_fini(&(*p)->questions);
	free(*p);
	*p = NULL;
}

static void question_free(struct policy *p, struct policy_question *question)
{
	if (question->id)
		policy_ids_remove(&p->questions, policy_ids_find(&p->questions, question->id));
	policy_question_fini(question);
	free(question);
}

/* The id is void before the callback, which may ask anew. */
static void policy_on_question(struct policy_question *question)
{
	struct policy_ask ask = question->ask;
	struct verdict verdict = question->verdict;
	const char *by = question->by;

	question->verdict = (struct verdict){0};
	question_free(question->arg, question);
	ask.on_verdict(ask.arg, &verdict, by);
	verdict_fini(&verdict);
}

static bool is_anybody_asked(const struct policy *p, const struct policy_ask *ask)
{
	for (size_t i = 0; i < ask->chain_len; i++)
		if (policy_service_is_asked(p->services[ask->chain[i]], ask->request->hook))
			return true;
	return false;
}

bool policy_ask(struct policy *p, const struct policy_ask *ask, struct verdict *verdict,
		uint64_t *question)
{
	struct policy_question *new;

	assert(ask->request->hook != HOOK_DISCONNECT);
	*verdict = (struct verdict){.kind = VERDICT_ACCEPT};
	*question = 0;
	/* That a MAIL before was refused has begun no transaction, and ends none. */
	if (ask->memory && ask->request->hook == HOOK_MAIL)
		policy_memory_end_transaction(ask->memory);
	if (!is_anybody_asked(p, ask))
		return true;
	new = mem_new(sizeof *new);
	*new = (struct policy_question){
		.loop = p->loop,
		.callbacks = &p->callbacks,
		.services = p->services,
		.shadows = &p->shadows,
		.ask = *ask,
		.on_end = policy_on_question,
		.arg = p,
	};
	if (!policy_question_start(new)) {
		question_free(p, new);
		return true;
	}
	*question = new->id = policy_ids_add(&p->questions, new);
	return false;
}

void policy_cancel(struct policy *p, uint64_t question)
{
	struct policy_place *place = policy_ids_find(&p->questions, question);

	if (!place)
		return;
	policy_question_withdraw(place->value, "client_gone");
	question_free(p, place->value);
}

void policy_tell(struct policy *p, const size_t *chain, size_t chain_len,
		 const struct hook_request *request, const struct policy_memory *memory)
{
	for (size_t i = 0; i < chain_len; i++)
		policy_service_tell(p->services[chain[i]], request, memory);
}

bool policy_is_connected(const struct policy *p)
{
	for (size_t i = 0; i < p->services_len; i++)
		if (!policy_service_is_ready(p->services[i]))
			return false;
	return true;
}

const char *policy_missing(const struct policy *p)
{
	for (size_t i = 0; i < p->services_len; i++) {
		const struct policy_service_settings *settings =
			policy_service_settings(p->services[i]);

		if (settings->required && !policy_service_is_present(p->services[i]))
			return settings->name;
	}
	return NULL;
}
