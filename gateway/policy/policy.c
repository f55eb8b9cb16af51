#include "policy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy_call.h"
#include "policy_ids.h"
#include "policy_report.h"
#include "policy_service.h"

struct policy {
	struct ev_loop *loop;
	struct policy_callbacks callbacks;
	struct policy_service **services;
	size_t services_len;
	struct policy_ids questions;
};

struct question {
	struct policy *policy;
	uint64_t id;
	struct policy_ask ask;
	size_t step; /* place in ask.chain */
	struct policy_call call;
	char key[320]; /* a longer one is cut; its service is asked by nobody else under it */
	struct verdict accept; /* the last accept that had words of its own */
	const char *accept_by;
};

struct policy *policy_new(struct ev_loop *loop, const struct policy_settings *settings,
			  const struct policy_callbacks *callbacks)
{
	struct policy *p = mem_new(sizeof *p);

	p->loop = loop;
	p->callbacks = *callbacks;
	p->services_len = settings->services_len;
	p->services = mem_new(p->services_len * sizeof(struct policy_service *));
	for (size_t i = 0; i < p->services_len; i++)
		p->services[i] =
			policy_service_new(loop, settings, &settings->services[i], &p->callbacks);
	return p;
}

void policy_free(struct policy **p)
{
	if (!*p)
		return;
	assert((*p)->questions.used == 0);
	for (size_t i = 0; i < (*p)->services_len; i++)
		policy_service_free(&(*p)->services[i]);
	free((*p)->services);
	policy_ids_fini(&(*p)->questions);
	free(*p);
	*p = NULL;
}

/* The first place of the chain, from `step` on, whose service is asked; chain_len when there is
 * none. */
static size_t next_step(const struct policy *p, const struct policy_ask *ask, size_t step)
{
	while (step < ask->chain_len &&
	       !policy_service_is_asked(p->services[ask->chain[step]], ask->request->hook))
		step++;
	return step;
}

static struct policy_service *service_of(const struct question *question)
{
	return question->policy->services[question->ask.chain[question->step]];
}

static void question_free(struct question *question)
{
	struct policy_ids *ids = &question->policy->questions;

	policy_ids_remove(ids, policy_ids_find(ids, question->id));
	policy_call_fini(&question->call);
	verdict_fini(&question->accept);
	free(question);
}

/* The id is void before the callback, which may ask anew. Takes the verdict over. */
static void answer(struct question *question, struct verdict *verdict, const char *by)
{
	struct policy_ask ask = question->ask;

	question_free(question);
	ask.on_verdict(ask.arg, verdict, by);
	verdict_fini(verdict);
}

/* "01JD9Z8M0A.rcpt.2.greylist". The number tells apart what may be asked several times: recipients
 * of a transaction, commands of a session (a client may say EHLO again). */
static void make_key(struct question *question, const char *policy)
{
	const struct hook_request *request = question->ask.request;
	const char *about = request->transaction ? request->transaction : request->session;
	unsigned number = request->hook == HOOK_RCPT ? request->index : 0;
	char part[16] = "";

	if (!request->transaction)
		number = request->commands;
	if (number)
		snprintf(part, sizeof part, ".%u", number);
	snprintf(question->key, sizeof question->key, "%s.%s%s.%s", about, hook_word(request->hook),
		 part, policy);
}

static void question_on_end(struct policy_call *call);

static void ask_service(struct question *question)
{
	struct policy_service *service = service_of(question);

	make_key(question, policy_service_settings(service)->name);
	question->call = (struct policy_call){
		.ask = &question->ask,
		.key = question->key,
		.on_end = question_on_end,
		.arg = question,
	};
	policy_service_ask(service, &question->call);
}

static void go_on(struct question *question)
{
	struct verdict verdict;

	question->step = next_step(question->policy, &question->ask, question->step + 1);
	if (question->step < question->ask.chain_len) {
		policy_call_fini(&question->call);
		ask_service(question);
		return;
	}
	verdict = question->accept;
	question->accept = (struct verdict){0};
	answer(question, &verdict, question->accept_by);
}

/* What the service said, or what its failure means. */
static struct verdict take_verdict(struct question *question)
{
	struct policy_call *call = &question->call;
	const struct policy_service_settings *service =
		policy_service_settings(service_of(question));
	const struct policy_callbacks *callbacks = &question->policy->callbacks;
	struct verdict verdict;

	if (call->end == POLICY_ANSWERED) {
		policy_report_decision(callbacks, service->name, call);
		verdict = call->verdict;
		call->verdict = (struct verdict){0};
		return verdict;
	}
	policy_call_failure(call->end, service, question->ask.request, &verdict);
	policy_report_failure(callbacks, service->name, call, verdict.kind);
	return verdict;
}

static void question_on_end(struct policy_call *call)
{
	struct question *question = call->arg;
	const char *by = policy_service_settings(service_of(question))->name;
	struct verdict verdict;

	/* The service that was lost may have died of this question. So it is asked twice at most,
	 * and may kill two processes, not all of them one after the other. */
	if (call->end == POLICY_LOST && policy_service_ask_again(service_of(question), call))
		return;
	policy_service_note(service_of(question), call);
	if (call->end != POLICY_ANSWERED)
		policy_service_withdraw(service_of(question), call, "deadline");
	verdict = take_verdict(question);
	if (verdict.kind != VERDICT_ACCEPT) {
		answer(question, &verdict, by);
		return;
	}
	if (verdict.text || verdict.code || verdict.status[0]) {
		verdict_fini(&question->accept);
		question->accept = verdict;
		question->accept_by = by;
	} else {
		verdict_fini(&verdict);
	}
	go_on(question);
}

bool policy_ask(struct policy *p, const struct policy_ask *ask, struct verdict *verdict,
		uint64_t *question)
{
	size_t step = next_step(p, ask, 0);
	struct question *new;

	assert(ask->request->hook != HOOK_DISCONNECT);
	*verdict = (struct verdict){.kind = VERDICT_ACCEPT};
	*question = 0;
	if (step == ask->chain_len)
		return true;
	new = mem_new(sizeof *new);
	new->policy = p;
	new->ask = *ask;
	new->step = step;
	*question = new->id = policy_ids_add(&p->questions, new);
	ask_service(new);
	return false;
}

void policy_cancel(struct policy *p, uint64_t question)
{
	struct policy_place *place = policy_ids_find(&p->questions, question);
	struct question *open;

	if (!place)
		return;
	open = place->value;
	policy_service_withdraw(service_of(open), &open->call, "client_gone");
	question_free(open);
}

void policy_tell(struct policy *p, const size_t *chain, size_t chain_len,
		 const struct hook_request *request)
{
	for (size_t i = 0; i < chain_len; i++)
		policy_service_tell(p->services[chain[i]], request);
}

bool policy_is_ready(const struct policy *p)
{
	for (size_t i = 0; i < p->services_len; i++)
		if (!policy_service_is_ready(p->services[i]))
			return false;
	return true;
}
