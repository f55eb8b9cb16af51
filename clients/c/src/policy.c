#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decision.h"
#include "policy_state.h"
#include "registration.h"
#include "request_state.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/hook_json.h"
#include "protocol/verdict.h"

struct gatepost_policy *gatepost_policy_new(const struct gatepost_policy_options *options,
					    struct gatepost_error *error)
{
	struct gatepost_policy *policy;

	*error = (struct gatepost_error){0};
	if (!options->service || !options->service[0] || options->body_len > GATEPOST_BODY_MAX) {
		gatepost_shape_fail(error, "usage", "a service needs a name, and at most %d modes",
				    GATEPOST_BODY_MAX);
		return NULL;
	}
	policy = grow_resize(NULL, sizeof *policy);
	*policy = (struct gatepost_policy){.options = *options};
	policy->last = &policy->first;
	if (!policy->options.window)
		policy->options.window = GATEPOST_WINDOW_DEFAULT;
	policy->window_max = policy->options.window;
	jsonl_init(&policy->lines, JSONL_LINE_MAX);
	if (!gatepost_registration_write(&policy->registration, &policy->options, error)) {
		gatepost_policy_free(&policy);
		return NULL;
	}
	policy->options.service = policy->options.software = NULL;
	policy->options.need = NULL;
	policy->options.want = NULL;
	memset(policy->options.need_at, 0, sizeof policy->options.need_at);
	memset(policy->options.want_at, 0, sizeof policy->options.want_at);
	return policy;
}

void gatepost_policy_free(struct gatepost_policy **policy)
{
	struct gatepost_policy *p = *policy;
	struct gatepost_request *request;

	*policy = NULL;
	if (!p)
		return;
	while ((request = gatepost_policy_next(p)))
		gatepost_request_free(&request);
	jsonl_fini(&p->lines);
	json_out_fini(&p->registration);
	json_out_fini(&p->out);
	while (p->fds_len)
		close(gatepost_policy_take_fd(p));
	free(p->fds);
	free((char *)(uintptr_t)p->ready.policy);
	free((char *)(uintptr_t)p->ready.missing);
	free(p->spool);
	free(p->open);
	free(p);
}

bool gatepost_policy_feed(struct gatepost_policy *policy, const char *data, size_t len)
{
	json_t *message;
	size_t line_len;
	bool fed;
	char *line;

	if (policy->state == GATEPOST_OVER)
		return false;
	fed = jsonl_feed(&policy->lines, data, len);
	while (policy->state != GATEPOST_OVER && jsonl_next(&policy->lines, &line, &line_len)) {
		message = gatepost_shape_parse(line, line_len, &policy->error);
		if (message)
			gatepost_policy_take(policy, message);
		else
			policy->state = GATEPOST_OVER;
		json_decref(message);
	}
	if (!fed && policy->state != GATEPOST_OVER) {
		gatepost_shape_fail(&policy->error, "line_too_long",
				    "the gateway sent a line that is too long");
		policy->state = GATEPOST_OVER;
	}
	return policy->state != GATEPOST_OVER;
}

int gatepost_policy_take_fd(struct gatepost_policy *policy)
{
	int fd;

	if (!policy->fds_len)
		return -1;
	fd = policy->fds[0];
	memmove(policy->fds, policy->fds + 1, --policy->fds_len * sizeof fd);
	return fd;
}

bool gatepost_policy_has_mode_fd(const struct gatepost_policy *policy)
{
	for (size_t i = 0; i < policy->options.body_len; i++)
		if (policy->options.body[i] == GATEPOST_BODY_FD)
			return true;
	return false;
}

void gatepost_policy_feed_fds(struct gatepost_policy *policy, const int *fds, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		/* Each belongs to a request of which we may have a part: more than the window, and
		 * the gateway has gone wild. */
		if (policy->state == GATEPOST_OVER || !gatepost_policy_has_mode_fd(policy) ||
		    policy->fds_len > policy->window_max) {
			close(fds[i]);
			continue;
		}
		if (policy->fds_len == policy->fds_size) {
			policy->fds_size = grow_capacity(policy->fds_size, policy->fds_len + 1);
			policy->fds = grow_resize(policy->fds, policy->fds_size * sizeof *fds);
		}
		policy->fds[policy->fds_len++] = fds[i];
	}
	if (policy->state == GATEPOST_OVER || policy->fds_len <= policy->window_max)
		return;
	gatepost_shape_fail(&policy->error, "bad_message",
			    "the gateway sent more descriptors than the window");
	policy->state = GATEPOST_OVER;
}

bool gatepost_policy_feed_end(struct gatepost_policy *policy)
{
	if (policy->state != GATEPOST_OVER && policy->lines.len > policy->lines.start)
		gatepost_shape_fail(&policy->error, "bad_json",
				    "the gateway's last line is incomplete");
	policy->state = GATEPOST_OVER;
	return !policy->error.code[0];
}

struct gatepost_request *gatepost_policy_next(struct gatepost_policy *policy)
{
	struct gatepost_request *request = policy->first;

	if (!request)
		return NULL;
	policy->first = request->next;
	if (!policy->first)
		policy->last = &policy->first;
	request->next = NULL;
	return request;
}

static struct gatepost_open *find_open(const struct gatepost_policy *policy, uint64_t id,
				       struct gatepost_error *error)
{
	struct gatepost_open *open = gatepost_policy_find(policy, id);

	if (!open)
		gatepost_shape_fail(error, "unknown_id", "no request %llu is open",
				    (unsigned long long)id);
	return open;
}

/* A service that delivers must say where the message is: without that nobody has it. */
static bool check_ref(const struct gatepost_policy *policy, const struct gatepost_open *open,
		      const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	if (!policy->ready.delivers || open->hook != HOOK_MESSAGE || verdict->ref ||
	    verdict->decision < GATEPOST_ACCEPT || verdict->decision > GATEPOST_QUARANTINE)
		return true;
	return gatepost_shape_fail(error, "bad_reply",
				   "this policy delivers: its accept needs ref");
}

bool gatepost_policy_reply(struct gatepost_policy *policy, uint64_t id,
			   const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	struct gatepost_open *open = find_open(policy, id, error);

	if (!open || !check_ref(policy, open, verdict, error) ||
	    !gatepost_decision_write(&policy->out, id, open->hook, policy->grants, verdict, error))
		return false;
	*open = policy->open[--policy->open_len];
	return true;
}

bool gatepost_policy_progress(struct gatepost_policy *policy, uint64_t id, unsigned extend_ms,
			      struct gatepost_error *error)
{
	*error = (struct gatepost_error){0};
	if (!find_open(policy, id, error))
		return false;
	if (!extend_ms || extend_ms > VERDICT_EXTEND_MAX)
		return gatepost_shape_fail(error, "usage", "extend_ms must be 1 to %d, not %u",
					   VERDICT_EXTEND_MAX, extend_ms);
	json_out_raw(&policy->out, "{\"type\":\"progress\",\"id\":");
	json_out_integer(&policy->out, (int64_t)id);
	json_out_raw(&policy->out, ",\"extend_ms\":");
	json_out_integer(&policy->out, extend_ms);
	json_out_raw(&policy->out, "}\n");
	return true;
}

void gatepost_policy_window(struct gatepost_policy *policy, unsigned n)
{
	if (policy->state != GATEPOST_READY || policy->draining)
		return;
	if (n > policy->window_max)
		policy->window_max = n;
	json_out_raw(&policy->out, "{\"type\":\"window\",\"n\":");
	json_out_integer(&policy->out, n);
	json_out_raw(&policy->out, "}\n");
}

bool gatepost_policy_is_cancelled(const struct gatepost_policy *policy, uint64_t id)
{
	const struct gatepost_open *open = gatepost_policy_find(policy, id);

	return open && open->cancelled;
}

size_t gatepost_policy_open_len(const struct gatepost_policy *policy)
{
	return policy->open_len;
}

size_t gatepost_policy_out(const struct gatepost_policy *policy, const char **data)
{
	*data = policy->out.data ? policy->out.data + policy->out_sent : "";
	return policy->out.len - policy->out_sent;
}

void gatepost_policy_sent(struct gatepost_policy *policy, size_t n)
{
	policy->out_sent += n;
	if (policy->out_sent < policy->out.len)
		return;
	policy->out_sent = policy->ping_end = 0;
	json_out_clear(&policy->out);
}

void gatepost_policy_drain(struct gatepost_policy *policy)
{
	if (policy->state != GATEPOST_READY || policy->draining)
		return;
	policy->draining = true;
	json_out_raw(&policy->out, "{\"type\":\"drain\"}\n");
	hook_json_ping(&policy->out); /* the pong comes after the last request */
	policy->ping_end = policy->out.len;
}

bool gatepost_policy_is_drained(const struct gatepost_policy *policy)
{
	return policy->drained && !policy->first && !policy->open_len;
}

bool gatepost_policy_is_ready(const struct gatepost_policy *policy)
{
	return policy->was_ready;
}

const struct gatepost_ready *gatepost_policy_ready(const struct gatepost_policy *policy)
{
	return policy->was_ready ? &policy->ready : NULL;
}

const struct gatepost_error *gatepost_policy_error(const struct gatepost_policy *policy)
{
	return &policy->error;
}
