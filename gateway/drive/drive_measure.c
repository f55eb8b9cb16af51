#include "drive_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/mem.h"
#include "drive_reply.h"
#include "drive_request.h"

struct run {
	struct drive_wire *wire;
	struct drive_setting setting;
	enum hook hook;
	const char *request;
	unsigned count, window;
	double *sent; /* count of them, by id - 1: when; 0: not open */
	double *took; /* seconds, in the order of the replies */
	unsigned asked, answered;
};

/* Fills the window with one write. */
static int send_more(struct run *run)
{
	struct json_out out = {0};
	double now = drive_wire_now();
	unsigned window;
	bool ok;

	if (run->asked == run->answered) {
		int code = drive_reply_resume(run->wire);

		if (code != DRIVE_GO_ON)
			return code;
	}
	/* The service may have changed it since. */
	window = run->window < run->wire->reg.window ? run->window : run->wire->reg.window;
	while (run->asked < run->count && run->asked - run->answered < window) {
		run->sent[run->asked++] = now;
		drive_request_write(&out, &run->setting, run->request, run->asked);
	}
	ok = drive_wire_send(run->wire, out.data, out.len);
	json_out_fini(&out);
	if (ok)
		return DRIVE_GO_ON;
	return drive_wire_breach(run->wire, "it has closed the connection or does not read");
}

static int take_one(struct run *run)
{
	struct verdict_message reply;
	uint64_t id;
	int code = drive_reply_wait(run->wire, &reply);

	if (code != DRIVE_GO_ON)
		return code;
	id = reply.id;
	code = drive_reply_fits(run->wire, &reply, run->hook);
	verdict_fini(&reply.verdict);
	if (code != DRIVE_GO_ON)
		return code;
	if (id < 1 || id > run->asked || run->sent[id - 1] <= 0)
		return drive_wire_breach(
			run->wire, "unknown_id: a reply with id %llu, and no such request is open",
			(unsigned long long)id);
	run->took[run->answered++] = drive_wire_now() - run->sent[id - 1];
	run->sent[id - 1] = 0;
	return DRIVE_GO_ON;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_row(const struct run *run, double seconds)
{
	size_t n = run->count;

	qsort(run->took, n, sizeof *run->took, by_size);
	printf("%-10s %6u %8u %10.0f %8.0f %8.0f\n", hook_word(run->hook), run->window, run->count,
	       run->count / seconds, run->took[(n - 1) / 2] * 1e6,
	       run->took[(n - 1) * 99 / 100] * 1e6);
	fflush(stdout);
}

static int measure_window(struct run *run)
{
	double start = drive_wire_now();
	int code = DRIVE_GO_ON;

	run->asked = run->answered = 0;
	while (code == DRIVE_GO_ON && run->answered < run->count) {
		code = send_more(run);
		if (code == DRIVE_GO_ON)
			code = take_one(run);
	}
	if (code == DRIVE_GO_ON)
		print_row(run, drive_wire_now() - start);
	return code;
}

static int measure_both(struct run *run, unsigned window)
{
	int code;

	printf("%-10s %6s %8s %10s %8s %8s\n", "hook", "window", "requests", "per second", "p50 us",
	       "p99 us");
	run->window = 1;
	code = measure_window(run);
	drive_wire_close(run->wire);
	if (code != DRIVE_GO_ON || window == 1)
		return code;
	code = drive_wire_open(run->wire);
	run->window = window;
	if (code == DRIVE_GO_ON)
		code = measure_window(run);
	drive_wire_close(run->wire);
	return code;
}

int drive_measure(struct drive_wire *wire, enum hook hook, unsigned count, unsigned window)
{
	struct run run = {.wire = wire, .hook = hook, .count = count};
	char problem[256], *request;
	int code;

	drive_setting_init(&run.setting, wire->timeout);
	run.setting.reg = &wire->reg;
	run.setting.spool = &wire->spool;
	request = drive_request_make(&run.setting, hook, NULL, problem, sizeof problem);
	if (!request)
		return drive_wire_complain(wire, EX_CANTCREAT, "%s", problem);
	run.request = request;
	run.sent = mem_new(count * sizeof *run.sent);
	run.took = mem_new(count * sizeof *run.took);
	/* More than the service has registered would break the protocol ourselves. */
	if (!window || window > wire->reg.window)
		window = wire->reg.window;
	code = measure_both(&run, window);
	free(run.sent);
	free(run.took);
	free(request);
	return code;
}
