#include "policy_question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy_memory.h"
#include "policy_report.h"

/* --- what becomes of the answers --- */

static bool has_words(const struct verdict *v)
{
	return v->text || v->code || v->status[0];
}

static void move_words(struct verdict *to, struct verdict *from)
{
	free(to->text);
	to->text = from->text;
	from->text = NULL;
	to->code = from->code;
	memcpy(to->status, from->status, sizeof to->status);
}

static void decide(struct policy_question *question, const struct verdict *verdict, const char *by)
{
	question->verdict.kind = verdict->kind;
	memcpy(question->verdict.reason, verdict->reason, sizeof verdict->reason);
	question->by = by;
}

/* Accept and quarantine: the words are those of the last who had some, and whoever quarantines
 * decides. */
static void add_verdict(struct policy_question *question, struct verdict *verdict, const char *by)
{
	if (verdict->kind == VERDICT_BYPASS) {
		verdict->kind = VERDICT_ACCEPT;
		question->bypassed = true;
	}
	if (verdict->ref[0])
		memcpy(question->verdict.ref, verdict->ref, sizeof verdict->ref);
	if (verdict->kind == VERDICT_QUARANTINE ||
	    (has_words(verdict) && question->verdict.kind != VERDICT_QUARANTINE))
		decide(question, verdict, by);
	if (has_words(verdict))
		move_words(&question->verdict, verdict);
}

/* Takes the verdict over. True when it ends the chain. */
static bool combine(struct policy_question *question, struct verdict *verdict, const char *by)
{
	bool ends = verdict->kind >= VERDICT_DISCARD;

	if (ends) {
		decide(question, verdict, by);
		move_words(&question->verdict, verdict);
	} else {
		add_verdict(question, verdict, by);
	}
	verdict_fini(verdict);
	return ends;
}

/* --- asking --- */

/* "01JD9Z8M0A.rcpt.2.greylist". The number tells apart what may be asked several times: recipients
 * of a transaction, commands of a session (a client may say EHLO again). */
static void make_key(struct policy_question *question, const char *policy)
{
	const struct hook_request *request = question->ask.request;
	const char *about = request->transaction ? request->transaction : request->session;
	unsigned number = request->hook == HOOK_RCPT ? request->index : 0;
	char part[16] = "", *at = question->key;
	char *end = at + sizeof question->key;

	if (!request->transaction)
		number = request->commands;
	if (number)
		snprintf(part, sizeof part, ".%u", number);
	at = text_append(at, end, about);
	at = text_append(at, end, ".");
	at = text_append(at, end, hook_word(request->hook));
	at = text_append(at, end, part);
	at = text_append(at, end, ".");
	text_append(at, end, policy);
}

static void question_on_end(struct policy_call *call);

static void ask_service(struct policy_question *question, size_t place)
{
	question->call = (struct policy_call){
		.ask = &question->ask,
		.place = place,
		.key = question->key,
		.ceiling = question->ceiling,
		.on_end = question_on_end,
		.arg = question,
	};
	policy_service_ask(question->services[place], &question->call);
}

enum progress {
	NEXT,  /* nothing to wait for, the next service */
	ENDED, /* the chain has come to its end */
	ASKED, /* question_on_end() follows */
};

/* Also at hooks that the service has not registered: one that knows a client at connect has said
 * all it has to say. But never where the operator does not let it decide. */
static bool answer_stands(const struct policy_question *question, size_t place,
			  struct verdict *verdict)
{
	const struct policy_service_settings *settings =
		policy_service_settings(question->services[place]);
	const struct policy_ask *ask = &question->ask;

	return ask->memory && !settings->shadow &&
	       !policy_answers_for_message(settings, ask->request->hook) &&
	       settings->hooks & 1u << ask->request->hook &&
	       policy_memory_standing(ask->memory, place, ask->request->hook, verdict);
}

/* Those behind the one that wants it held are told: of the services, and of the edits in between,
 * nobody else knows. */
static void describe(const struct policy_question *question)
{
	const struct hook_request *request = question->ask.request;

	if (request->hook == HOOK_MESSAGE && question->verdict.kind == VERDICT_QUARANTINE)
		request->message->quarantine = true;
}

static enum progress visit(struct policy_question *question, size_t place)
{
	struct policy_service *service = question->services[place];
	const struct policy_service_settings *settings = policy_service_settings(service);
	const struct policy_ask *ask = &question->ask;
	struct verdict verdict;

	if (question->bypassed && !settings->delivers)
		return NEXT;
	if (answer_stands(question, place, &verdict))
		return combine(question, &verdict, settings->name) ? ENDED : NEXT;
	if (!policy_service_is_asked(service, ask->request->hook))
		return NEXT;
	make_key(question, settings->name);
	describe(question);
	if (settings->shadow) {
		policy_shadow_ask(question->shadows, service, place, ask, question->key);
		return NEXT;
	}
	ask_service(question, place);
	return ASKED;
}

/* From the service at question->step on. True when the chain has come to its end. */
static bool go_on(struct policy_question *question)
{
	enum progress progress = NEXT;

	while (progress == NEXT && question->step < question->ask.chain_len) {
		progress = visit(question, question->ask.chain[question->step]);
		if (progress == NEXT)
			question->step++;
	}
	return progress != ASKED;
}

/* What the service said, or what its failure means. */
static struct verdict take_verdict(struct policy_question *question)
{
	struct policy_call *call = &question->call;
	const struct policy_service_settings *service =
		policy_service_settings(question->services[call->place]);
	const struct policy_ask *ask = &question->ask;
	struct verdict verdict;

	if (call->end != POLICY_NO_FAILURE) {
		policy_call_failure(call->end, service, ask->request, &verdict);
		policy_report_failure(question->callbacks, service->name, call, verdict.kind);
		return verdict;
	}
	policy_report_decision(question->callbacks, service->name, call);
	if (ask->memory)
		policy_memory_take(ask->memory, call->place, ask->request->hook, &call->verdict);
	verdict = call->verdict;
	call->verdict = (struct verdict){0};
	/* What another service says of its own stores delivers nothing. */
	if (!policy_answers_for_message(service, ask->request->hook))
		verdict.ref[0] = '\0';
	return verdict;
}

static void question_on_end(struct policy_call *call)
{
	struct policy_question *question = call->arg;
	struct policy_service *service = question->services[call->place];
	struct verdict verdict;
	bool ended;

	/* The service that was lost may have died of this question. So it is asked twice at most,
	 * and may kill two processes, not all of them one after the other. */
	if (call->end == FAILURE_LOST && policy_service_ask_again(service, call))
		return;
	/* The line that broke the connection may have been the refusal. If an operator accepts what
	 * is lost, a client whose octets make the service write such a line must not get in by it.
	 */
	if (call->end != POLICY_NO_FAILURE && call->broken)
		call->end = FAILURE_BAD_REPLY;
	policy_service_note(service, call);
	if (call->end != POLICY_NO_FAILURE)
		policy_service_withdraw(service, call, "deadline");
	verdict = take_verdict(question);
	policy_call_fini(call);
	ended = combine(question, &verdict, policy_service_settings(service)->name);
	if (!ended) {
		question->step++;
		ended = go_on(question);
	}
	if (ended)
		question->on_end(question);
}

static void question_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct policy_question *question = timer->data;

	(void)loop, (void)revents;
	question->on_end(question);
}

bool policy_question_start(struct policy_question *question)
{
	double budget = question->ask.budget;

	question->ceiling = budget > 0 ? ev_now(question->loop) + budget : 0;
	ev_timer_init(&question->end, question_on_timer, 0, 0);
	question->end.data = question;
	if (!go_on(question))
		return true;
	if (question->verdict.kind == VERDICT_ACCEPT && !question->by)
		return false;
	/* Answers that stand decided. */
	ev_feed_event(question->loop, &question->end, EV_CUSTOM);
	return true;
}

void policy_question_withdraw(struct policy_question *question, const char *why)
{
	if (question->call.ask)
		policy_service_withdraw(question->services[question->call.place], &question->call,
					why);
}

void policy_question_fini(struct policy_question *question)
{
	ev_timer_stop(question->loop, &question->end);
	if (question->call.ask)
		policy_call_fini(&question->call);
	verdict_fini(&question->verdict);
}
