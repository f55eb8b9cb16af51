#include "status_text.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define LINE_MAX_OCTETS 4096
#define NUMBER		24

static const char plain[] = "", bold[] = "\033[1m", green[] = "\033[1;32m", red[] = "\033[1;31m";

struct view {
	struct buf *out, line;
	const struct status_screen *screen;
	unsigned rows;
	struct status_pair top;
	double seconds; /* between the two; 0: not known */
};

/* --- writing --- */

static void end_line(struct view *v, const char *colour)
{
	const struct status_screen *screen = v->screen;
	bool coloured = screen->coloured && *colour;
	size_t len = v->line.len;

	v->rows++;
	if (screen->columns && len > screen->columns)
		len = screen->columns;
	if (!screen->rows || v->rows <= screen->rows) {
		if (coloured)
			buf_append_string(v->out, colour);
		buf_append(v->out, buf_head(&v->line), len);
		if (coloured)
			buf_append_string(v->out, "\033[0m");
		buf_append_string(v->out, screen->end);
	}
	buf_consume(&v->line, v->line.len);
}

static const char *count_text(double n, char out[NUMBER])
{
	snprintf(out, NUMBER, "%.0f", n);
	return out;
}

static const char *octets_text(double n, char out[NUMBER])
{
	static const char units[] = "KMGTP";
	size_t unit = 0;

	if (n < 10000) {
		snprintf(out, NUMBER, "%.0f", n);
		return out;
	}
	for (n /= 1024; n >= 10000 && unit + 2 < sizeof units; unit++)
		n /= 1024;
	snprintf(out, NUMBER, n < 100 ? "%.1f%c" : "%.0f%c", n, units[unit]);
	return out;
}

static const char *rate_text(const struct view *v, double n, char out[NUMBER])
{
	snprintf(out, NUMBER, v->seconds > 0 ? "%.1f" : "-", n / (v->seconds > 0 ? v->seconds : 1));
	return out;
}

static const char *latency_text(double ms, double most, char out[NUMBER])
{
	const char *above = ms >= most ? ">" : "";

	if (ms < 0)
		snprintf(out, NUMBER, "-");
	else if (ms < 10)
		snprintf(out, NUMBER, "%s%.2f ms", above, ms);
	else if (ms < 1000)
		snprintf(out, NUMBER, "%s%.0f ms", above, ms);
	else
		snprintf(out, NUMBER, "%s%.1f s", above, ms / 1000);
	return out;
}

static const char *span_text(double ms, char out[NUMBER])
{
	unsigned long s = ms > 0 && ms < 1e15 ? (unsigned long)(ms / 1000) : 0;

	if (s < 60)
		snprintf(out, NUMBER, "%lus", s);
	else if (s < 3600)
		snprintf(out, NUMBER, "%lum%02lus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, NUMBER, "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(out, NUMBER, "%lud%02luh", s / 86400, s / 3600 % 24);
	return out;
}

/* --- sections --- */

static void write_head(struct view *v)
{
	struct status_pair master = status_part(v->top, "master"),
			   gateway = status_part(v->top, "gateway");
	const json_t *reasons = json_object_get(v->top.now, "reasons");
	char a[STATUS_NAME_SIZE], b[STATUS_NAME_SIZE], c[STATUS_NAME_SIZE], up[NUMBER], old[NUMBER];
	bool ready = json_is_true(json_object_get(v->top.now, "ready"));

	buf_printf(&v->line, "%s  %s  up %s  %s", status_name(gateway, "name", a),
		   status_name(gateway, "software", b),
		   span_text(status_number(master, "up_ms"), up), status_name(v->top, "time", c));
	end_line(v, bold);
	buf_printf(&v->line, ready ? "ready" : "NOT READY");
	end_line(v, ready ? green : red);
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const char *reason = json_string_value(json_array_get(reasons, i));
		char shown[512];

		text_escape(reason ? reason : "", reason ? strlen(reason) : 0, shown, sizeof shown);
		buf_printf(&v->line, "  %s", shown);
		end_line(v, red);
	}
	buf_printf(
		&v->line,
		"%.0f workers; died: workers %.0f, hub %.0f; configuration %s old, reloads %.0f, "
		"refused %.0f",
		status_number(master, "workers"), status_number(master, "worker_deaths"),
		status_number(master, "hub_deaths"),
		span_text(status_number(master, "configuration_ms"), old),
		status_number(master, "reloads"), status_number(master, "reload_failures"));
	end_line(v, plain);
}

static const char *const session_words[] = {"opening", "command",  "tls",    "message",
					    "policy",  "delivery", "closing"};
#define SESSIONS (sizeof session_words / sizeof *session_words)

static void write_workers(struct view *v)
{
	struct status_pair list = status_part(v->top, "workers");
	char state[STATUS_NAME_SIZE], age[NUMBER], spool[NUMBER];
	double sums[SESSIONS] = {0}, open = 0, octets = 0;

	end_line(v, plain);
	buf_printf(&v->line, "%-6s %7s %-9s %7s %6s  %7s %7s %6s %7s %6s %8s %7s %7s", "WORKER",
		   "PID", "STATE", "FOR", "OPEN", "OPENING", "COMMAND", "TLS", "MESSAGE", "POLICY",
		   "DELIVERY", "CLOSING", "SPOOL");
	end_line(v, bold);
	for (size_t i = 0; i < json_array_size(list.now); i++) {
		struct status_pair worker = status_entry(list, i, "pid"),
				   sessions = status_part(worker, "sessions");
		double waits[SESSIONS];

		for (size_t k = 0; k < SESSIONS; k++)
			sums[k] += waits[k] = status_number(sessions, session_words[k]);
		open += status_number(worker, "open");
		octets += status_number(worker, "spool");
		buf_printf(&v->line,
			   "%-6.0f %7.0f %-9s %7s %6.0f  %7.0f %7.0f %6.0f %7.0f %6.0f %8.0f %7.0f "
			   "%7s",
			   status_number(worker, "worker"), status_number(worker, "pid"),
			   status_name(worker, "state", state),
			   span_text(status_number(worker, "for_ms"), age),
			   status_number(worker, "open"), waits[0], waits[1], waits[2], waits[3],
			   waits[4], waits[5], waits[6],
			   octets_text(status_number(worker, "spool"), spool));
		end_line(v, plain);
	}
	buf_printf(&v->line,
		   "%-6s %7s %-9s %7s %6.0f  %7.0f %7.0f %6.0f %7.0f %6.0f %8.0f %7.0f %7s", "all",
		   "", "", "", open, sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6],
		   octets_text(octets, spool));
	end_line(v, plain);
}

static void put_sum(struct view *v, struct status_pair of, const char *key, const char *label,
		    bool octets)
{
	char total[NUMBER], rate[NUMBER];
	double n = status_number(of, key), growth = status_growth(of, key);

	if (octets) {
		octets_text(n, total);
		octets_text(v->seconds > 0 ? growth / v->seconds : 0, rate);
	} else {
		count_text(n, total);
		rate_text(v, growth, rate);
	}
	buf_printf(&v->line, "%-15s %12s %10s", label, total, rate);
}

static void write_sums(struct view *v)
{
	static const struct {
		const char *key, *label;
		bool octets;
	} left[] = {{"connections", "connections", false},	{"messages", "messages", false},
		    {"message_octets", "message octets", true}, {"octets_in", "octets in", true},
		    {"octets_out", "octets out", true},		{"events", "events", false},
		    {"events_lost", "events lost", false}},
	  right[] = {{"2yz", "replies 2yz", false},	    {"3yz", "replies 3yz", false},
		     {"4yz", "replies 4yz", false},	    {"5yz", "replies 5yz", false},
		     {"tls_1_2", "TLS 1.2", false},	    {"tls_1_3", "TLS 1.3", false},
		     {"tls_resumed", "TLS resumed", false}, {"tls_failed", "TLS failed", false}};
	struct status_pair sums = status_part(v->top, "sums"),
			   replies = status_part(sums, "replies");

	end_line(v, plain);
	buf_printf(&v->line, "%-15s %12s %10s    %-15s %12s %10s", "", "TOTAL", "PER S", "",
		   "TOTAL", "PER S");
	end_line(v, bold);
	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		if (i < sizeof left / sizeof *left)
			put_sum(v, sums, left[i].key, left[i].label, left[i].octets);
		else
			buf_printf(&v->line, "%-39s", "");
		buf_append_string(&v->line, "    ");
		put_sum(v, i < 4 ? replies : sums, right[i].key, right[i].label, false);
		end_line(v, plain);
	}
}

/* "accept 12, reject 3" */
static double put_words(struct view *v, struct status_pair of, const char *between)
{
	const char *key;
	json_t *value;
	double sum = 0;

	json_object_foreach((json_t *)(uintptr_t)of.now, key, value)
	{
		char shown[STATUS_NAME_SIZE];

		text_escape(key, strlen(key), shown, sizeof shown);
		buf_printf(&v->line, "%s%s %.0f", between, shown, json_number_value(value));
		between = ", ";
		sum += json_number_value(value);
	}
	return sum;
}

static void put_latency(struct view *v, struct status_pair of, const char *count)
{
	char total[NUMBER], rate[NUMBER], half[NUMBER], nearly_all[NUMBER];
	struct status_latency latency;

	status_latency(json_object_get(v->top.now, "bounds_ms"), of, &latency);
	buf_printf(&v->line, "%10s %9s %9s %9s", count_text(status_number(of, count), total),
		   rate_text(v, status_growth(of, count), rate),
		   latency_text(latency.p50, latency.most, half),
		   latency_text(latency.p99, latency.most, nearly_all));
}

static void write_policy(struct view *v, struct status_pair policy)
{
	struct status_pair breakers = status_part(policy, "breakers"),
			   hooks = status_part(policy, "hooks");
	char shown[STATUS_NAME_SIZE];
	const char *key;
	json_t *value;

	buf_printf(&v->line,
		   "%s: %.0f connections, %.0f outstanding, %.0f waiting; replies late %.0f, bad "
		   "%.0f, "
		   "unknown %.0f",
		   status_name(policy, "policy", shown), status_number(policy, "connections"),
		   status_number(policy, "outstanding"), status_number(policy, "waiting"),
		   status_number(policy, "late"), status_number(policy, "bad"),
		   status_number(policy, "unknown"));
	if (status_number(breakers, "open") + status_number(breakers, "half_open") > 0)
		buf_printf(&v->line, "; breaker open in %.0f workers, half open in %.0f",
			   status_number(breakers, "open"), status_number(breakers, "half_open"));
	end_line(v, status_number(breakers, "open") > 0 || status_number(policy, "connections") < 1
			    ? red
			    : plain);
	json_object_foreach((json_t *)(uintptr_t)hooks.now, key, value)
	{
		struct status_pair hook = {value, json_object_get(hooks.before, key)};

		text_escape(key, strlen(key), shown, sizeof shown);
		buf_printf(&v->line, "  %-14s", shown);
		put_latency(v, hook, "answers");
		put_words(v, status_part(hook, "verdicts"), "  ");
		if (json_object_size(json_object_get(value, "failures")))
			put_words(v, status_part(hook, "failures"), "; failures: ");
		end_line(v, plain);
	}
}

static void write_policies(struct view *v)
{
	struct status_pair list = status_part(v->top, "policies");

	if (!json_array_size(list.now))
		return;
	end_line(v, plain);
	buf_printf(&v->line, "%-16s%10s %9s %9s %9s  %s", "POLICY  HOOK", "ANSWERS", "PER S", "P50",
		   "P99", "VERDICTS");
	end_line(v, bold);
	for (size_t i = 0; i < json_array_size(list.now); i++)
		write_policy(v, status_entry(list, i, "policy"));
}

static void write_deliveries(struct view *v)
{
	struct status_pair list = status_part(v->top, "deliveries");

	if (!json_array_size(list.now))
		return;
	end_line(v, plain);
	buf_printf(&v->line, "%-16s%10s %9s %9s %9s  %7s  %s", "DELIVERY", "ENDED", "PER S", "P50",
		   "P99", "RUNNING", "RESULTS");
	end_line(v, bold);
	for (size_t i = 0; i < json_array_size(list.now); i++) {
		struct status_pair delivery = status_entry(list, i, "delivery");
		char shown[STATUS_NAME_SIZE];

		buf_printf(&v->line, "%-16s", status_name(delivery, "delivery", shown));
		put_latency(v, delivery, "count");
		buf_printf(&v->line, "  %7.0f", status_number(delivery, "running"));
		put_words(v, status_part(delivery, "results"), "  ");
		end_line(v, plain);
	}
}

static void write_events(struct view *v)
{
	struct status_pair events = status_part(v->top, "events"),
			   list = status_part(events, "subscribers");

	end_line(v, plain);
	buf_printf(&v->line,
		   "events: head %.0f, oldest %.0f, lost by workers %.0f; %.0f of %.0f subscribers",
		   status_number(events, "head"), status_number(events, "oldest"),
		   status_number(events, "lost"), status_number(events, "subscribers_len"),
		   status_number(events, "subscribers_max"));
	end_line(v, plain);
	if (!json_array_size(list.now))
		return;
	buf_printf(&v->line, "%-24s %7s %10s %12s %10s", "SUBSCRIBER", "UID", "LAG", "SENT",
		   "LOST");
	end_line(v, bold);
	for (size_t i = 0; i < json_array_size(list.now); i++) {
		struct status_pair subscriber = {.now = json_array_get(list.now, i)};
		char shown[STATUS_NAME_SIZE];

		buf_printf(&v->line, "%-24s %7.0f %10.0f %12.0f %10.0f",
			   status_name(subscriber, "name", shown), status_number(subscriber, "uid"),
			   status_number(subscriber, "lag"), status_number(subscriber, "sent"),
			   status_number(subscriber, "lost"));
		end_line(v, status_number(subscriber, "lost") > 0 ? red : plain);
	}
}

/* The time that rates are for. A gateway that was started again counts from 0. */
static void set_span(struct view *v)
{
	struct status_pair master = status_part(v->top, "master");
	double between = status_growth(v->top, "clock_ms");

	if (v->top.before && between > 0 &&
	    status_number(master, "up_ms") >=
		    json_number_value(json_object_get(master.before, "up_ms"))) {
		v->seconds = between / 1000;
		return;
	}
	v->top.before = NULL;
	v->seconds = status_number(master, "up_ms") / 1000;
}

void status_text_write(struct buf *out, const struct status *now, const struct status *before,
		       const struct status_screen *screen)
{
	struct view v = {.out = out,
			 .screen = screen,
			 .top = {now->message, before ? before->message : NULL}};

	buf_init(&v.line, LINE_MAX_OCTETS);
	set_span(&v);
	write_head(&v);
	write_workers(&v);
	write_sums(&v);
	write_policies(&v);
	write_deliveries(&v);
	write_events(&v);
	end_line(&v, plain);
	if (v.top.before)
		buf_printf(&v.line, "PER S, P50 and P99 are of the last %.1f s.", v.seconds);
	else
		buf_printf(&v.line, "PER S, P50 and P99 are of the time since the start.");
	buf_append_string(&v.line, " P50 and P99 are estimates, interpolated in a histogram.");
	end_line(&v, plain);
	buf_fini(&v.line);
}
