#include "policy_shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy_report.h"

struct shadow {
	struct list link;
	struct policy_shadows *all;
	struct policy_service *service;
	struct policy_call call;
	const struct policy_ask *asker; /* while it is being asked */
	struct policy_ask ask;
	struct hook_request request;
	struct hook_message message;
	char *session, *transaction;
	char *file; /* in the spool directory, relative to it; NULL: none */
};

void policy_shadows_init(struct policy_shadows *shadows)
{
	list_init(&shadows->open);
	shadows->files = 0;
}

static char *path_in_spool(const struct shadow *shadow, const char *file)
{
	size_t size = strlen(shadow->all->spool_dir) + strlen(file) + 2;
	char *path = mem_new(size);

	snprintf(path, size, "%s/%s", shadow->all->spool_dir, file);
	return path;
}

static void remove_file(struct shadow *shadow)
{
	char *path;

	if (!shadow->file)
		return;
	path = path_in_spool(shadow, shadow->file);
	unlink(path);
	free(path);
	free(shadow->file);
}

static void shadow_free(struct shadow *shadow)
{
	list_remove(&shadow->link);
	policy_call_fini(&shadow->call);
	remove_file(shadow);
	free(shadow->session);
	free(shadow->transaction);
	free(shadow);
}

void policy_shadows_fini(struct policy_shadows *shadows)
{
	list_each(at, after, &shadows->open)
	{
		struct shadow *shadow = list_of(at, struct shadow, link);

		policy_service_withdraw(shadow->service, &shadow->call, "shutdown");
		shadow_free(shadow);
	}
}

static void shadow_on_end(struct policy_call *call)
{
	struct shadow *shadow = call->arg;

	policy_service_note(shadow->service, call);
	if (call->end != POLICY_NO_FAILURE)
		policy_service_withdraw(shadow->service, call, "deadline");
	policy_report_shadow(shadow->all->callbacks, policy_service_settings(shadow->service)->name,
			     call);
	shadow_free(shadow);
}

/* The name of the message's file goes with the transaction; a second one for the same content stays
 * until the reply: "a/01FILE.eml" is also "a/01FILE-7.eml". */
static bool make_second_name(struct shadow *shadow, const char *file)
{
	const char *end = strrchr(file, '.');
	size_t stem = end && strcmp(end, ".eml") == 0 ? (size_t)(end - file) : strlen(file);
	size_t size = stem + 32;
	char *from, *to;
	bool made;

	shadow->file = mem_new(size);
	snprintf(shadow->file, size, "%.*s-%lu.eml", (int)stem, file, ++shadow->all->files);
	from = path_in_spool(shadow, file);
	to = path_in_spool(shadow, shadow->file);
	made = link(from, to) == 0;
	free(from);
	free(to);
	if (!made) { /* what has this name is not ours to remove */
		free(shadow->file);
		shadow->file = NULL;
	}
	return made;
}

static bool shadow_make_path(void *arg)
{
	struct shadow *shadow = arg;
	const struct policy_ask *asker = shadow->asker;

	if (!asker->request->message->path && !asker->make_path(asker->arg))
		return false;
	if (!make_second_name(shadow, asker->request->message->path))
		return false;
	shadow->message.path = shadow->file;
	return true;
}

static int shadow_open_body(void *arg)
{
	struct shadow *shadow = arg;

	return shadow->asker->open_body(shadow->asker->arg);
}

/* They have no effect, and are no fault. */
static const char *shadow_edit(void *arg, const struct verdict *verdict, char *problem, size_t size)
{
	(void)arg, (void)verdict, (void)problem, (void)size;
	return NULL;
}

static void describe(struct shadow *shadow, const struct policy_ask *ask)
{
	shadow->asker = ask;
	shadow->session = mem_copy_string(ask->request->session);
	shadow->transaction = mem_copy_string(ask->request->transaction);
	shadow->request = *ask->request;
	if (ask->request->message) {
		shadow->message = *ask->request->message;
		shadow->message.path = NULL;
		shadow->request.message = &shadow->message;
	}
	shadow->ask = (struct policy_ask){
		.request = &shadow->request,
		.make_path = ask->make_path ? shadow_make_path : NULL,
		.open_body = ask->open_body ? shadow_open_body : NULL,
		.edit = shadow_edit,
		.memory = ask->memory,
		.arg = shadow,
	};
}

/* The line is written, or never will be: what is borrowed is let go of. */
static void keep_what_is_ours(struct shadow *shadow)
{
	shadow->asker = NULL;
	shadow->request = (struct hook_request){
		.hook = shadow->request.hook,
		.session = shadow->session,
		.transaction = shadow->transaction,
	};
	shadow->ask.memory = NULL;
	shadow->call.key = NULL;
}

void policy_shadow_ask(struct policy_shadows *shadows, struct policy_service *service, size_t place,
		       const struct policy_ask *ask, const char *key)
{
	struct shadow *shadow = mem_new(sizeof *shadow);

	shadow->all = shadows;
	shadow->service = service;
	list_append(&shadows->open, &shadow->link);
	describe(shadow, ask);
	shadow->call = (struct policy_call){
		.ask = &shadow->ask,
		.place = place,
		.key = key,
		.fd_first = true,
		.on_end = shadow_on_end,
		.arg = shadow,
	};
	policy_service_try(service, &shadow->call);
	keep_what_is_ours(shadow);
}
