#include "world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../loop_turn.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/reaper.h"

static const char registration[] =
	"{\"type\":\"register\",\"version\":1,\"service\":\"fake\",\"software\":\"fake/1\","
	"\"hooks\":{\"mail\":{},\"rcpt\":{},\"message\":{},\"disconnect\":{}},"
	"\"body\":[\"none\"],\"window\":4}\n";

static void world_on_event(void *arg, const struct event *event)
{
	struct world *world = arg;

	fprintf(world->events_file, "%s session=%s", event_word(event->kind),
		event->session ? event->session : "-");
	for (size_t i = 0; i < event->fields_len; i++) {
		const struct event_field *field = &event->fields[i];

		fprintf(world->events_file, " %s=", field->name);
		if (field->type == EVENT_TEXT)
			fprintf(world->events_file, "%s", field->value.text);
		else if (field->type == EVENT_INTEGER)
			fprintf(world->events_file, "%lld", (long long)field->value.integer);
		else if (field->type == EVENT_REAL)
			fprintf(world->events_file, "%.3f", field->value.real);
		else
			fail_msg("a field of an unexpected type: %s", field->name);
	}
	fprintf(world->events_file, "\n");
}

static void world_on_readiness(void *arg, bool ready, const char *policy)
{
	struct world *world = arg;

	world->ready = ready;
	world->readiness_told++;
	snprintf(world->missing, sizeof world->missing, "%s", policy ? policy : "");
}

void world_on_failure(struct world *world, size_t service, enum verdict_kind action)
{
	struct policy_service_settings *to = &world->services[service];

	to->facts = HOOK_FACTS_ALL;
	for (enum hook hook = 0; hook < HOOK_MAX; hook++)
		for (unsigned i = 0; i < FAILURE_CHOICES; i++)
			to->actions[hook][i] = action;
}

int world_set_up(void **state)
{
	static const char *const names[WORLD_SERVICES] = {"one", "two"};
	struct world *world = mem_new(sizeof *world);

	signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_ERROR_LEVEL, false, "test");
	world->loop = ev_loop_new(EVFLAG_AUTO);
	snprintf(world->directory, sizeof world->directory, "/tmp/gatepost-policy-XXXXXX");
	if (!mkdtemp(world->directory))
		return -1;
	world->events_file = open_memstream(&world->events, &world->events_len);
	for (size_t i = 0; i < WORLD_SERVICES; i++) {
		snprintf(world->paths[i], sizeof world->paths[i], "%s/%s.sock", world->directory,
			 names[i]);
		world->sockets[i] = world->paths[i];
		fake_init(&world->fakes[i], world->loop, world->paths[i]);
		world->fakes[i].registration = registration;
		world->fakes[i].reply = FAKE_ACCEPT;
		world->services[i] = (struct policy_service_settings){
			.name = names[i],
			.sockets = &world->sockets[i],
			.sockets_len = 1,
			.hooks = ~0u,
			.timeout = 5,
		};
		world_on_failure(world, i, VERDICT_TEMPFAIL);
	}
	world->settings = (struct policy_settings){
		.services = world->services,
		.services_len = WORLD_SERVICES,
		.gateway = {.name = "mx.test", .epoch = "01EPOCH", .software = "gatepost/test"},
		.message_size = 1000000,
		.spool_dir = "/spool",
		.ping = 15,
	};
	*state = world;
	return 0;
}

int world_tear_down(void **state)
{
	struct world *world = *state;

	policy_free(&world->policy);
	assert_null(world->policy);
	reaper_run(world->loop);
	for (size_t i = 0; i < WORLD_SERVICES; i++)
		fake_fini(&world->fakes[i]);
	fclose(world->events_file);
	free(world->events);
	rmdir(world->directory);
	ev_loop_destroy(world->loop);
	free(world);
	return 0;
}

void world_start_alone(struct world *world)
{
	struct policy_callbacks callbacks = {
		.on_event = world_on_event, .on_readiness = world_on_readiness, .arg = world};

	world->policy = policy_new(world->loop, &world->settings, &callbacks);
}

void world_start(struct world *world)
{
	for (size_t i = 0; i < WORLD_SERVICES; i++)
		if (world->fakes[i].registration)
			fake_listen(&world->fakes[i]);
	world_start_alone(world);
	world_wait(world, policy_is_connected(world->policy));
	/* The `ready` lines are with the services too. */
	for (size_t i = 0; i < WORLD_SERVICES; i++)
		if (i < world->settings.services_len)
			world_wait(world, fake_count(&world->fakes[i], "\"type\":\"ready\""));
}

void world_turn(struct world *world)
{
	loop_turn(world->loop, 0.02);
}

double world_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t world_count_events(struct world *world, const char *words)
{
	size_t n = 0;

	fflush(world->events_file);
	for (const char *at = world->events; (at = strstr(at, words)); at++)
		n++;
	return n;
}

bool world_has_event(struct world *world, const char *words)
{
	return world_count_events(world, words) > 0;
}

static bool asked_make_path(void *arg)
{
	struct asked *asked = arg;

	asked->paths_made++;
	asked->message.path = asked->path;
	return asked->path != NULL;
}

static int asked_open_body(void *arg)
{
	struct asked *asked = arg;

	return asked->body ? open(asked->body, O_RDONLY | O_CLOEXEC) : -1;
}

static const char *asked_edit(void *arg, const struct verdict *verdict, char *problem, size_t size)
{
	struct asked *asked = arg;

	assert_true(verdict->edits_len > 0);
	asked->edits_made++;
	/* Edits make another message of it. */
	asked->message.path = NULL;
	if (asked->edit_problem)
		snprintf(problem, size, "%s", asked->edit_problem);
	return asked->edit_problem ? problem : NULL;
}

static void asked_on_verdict(void *arg, const struct verdict *verdict, const char *by)
{
	struct asked *asked = arg;

	assert_false(asked->inside);
	asked->verdicts++;
	verdict_fini(&asked->verdict);
	asked->verdict = *verdict;
	asked->verdict.text = mem_copy_string(verdict->text);
	snprintf(asked->by, sizeof asked->by, "%s", by ? by : "");
	if (asked->rival)
		policy_cancel(asked->world->policy, asked->rival->id);
	if (asked->follower)
		asked_start(asked->follower);
}

void asked_init(struct asked *asked, struct world *world)
{
	*asked = (struct asked){.world = world, .chain = {0, 1}};
	asked->mailbox = (struct hook_mailbox){.address = {"bob@example.org", 15},
					       .local = {"bob", 3},
					       .domain = {"example.org", 11}};
	asked->request = (struct hook_request){
		.hook = HOOK_RCPT,
		.session = WORLD_SESSION,
		.transaction = WORLD_TRANSACTION,
		.context = {.client = {"192.0.2.1", 5000},
			    .listener_name = "mx",
			    .listener = {"192.0.2.25", 25}},
		.mailbox = &asked->mailbox,
		.index = 1,
	};
}

bool asked_start(struct asked *asked)
{
	struct policy_ask ask = {
		.chain = asked->chain,
		.chain_len = asked->world->settings.services_len,
		.request = &asked->request,
		.make_path = asked_make_path,
		.open_body = asked_open_body,
		.edit = asked_edit,
		.memory = asked->memory,
		.budget = asked->budget,
		.on_verdict = asked_on_verdict,
		.arg = asked,
	};
	bool now;

	/* The time of the loop stands still between its turns. */
	ev_now_update(asked->world->loop);
	asked->inside = true;
	now = policy_ask(asked->world->policy, &ask, &asked->verdict, &asked->id);
	asked->inside = false;
	assert_int_equal(now, asked->id == 0);
	return now;
}

void asked_expect(struct asked *asked, enum verdict_kind kind, int code, const char *status,
		  const char *by)
{
	world_wait(asked->world, asked->verdicts);
	assert_string_equal(verdict_word(asked->verdict.kind), verdict_word(kind));
	assert_int_equal(asked->verdict.code, code);
	assert_string_equal(asked->verdict.status, status ? status : "");
	assert_string_equal(asked->by, by);
}

void asked_fini(struct asked *asked)
{
	assert_true(asked->verdicts <= 1);
	verdict_fini(&asked->verdict);
}
