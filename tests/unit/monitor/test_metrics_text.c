/* The whole page: which samples there are, what they are sums of, and that gatepost-metrics(7) has
 * each metric as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "monitor/metrics_text.h"

static const char *command_word(unsigned verb)
{
	static char word[16];

	snprintf(word, sizeof word, "V%u", verb);
	return word;
}

/* NUL-terminated; to be freed. */
static char *page_of(struct counters *c)
{
	struct metrics_facts facts = {
		.counters = c,
		.ready = true,
		.version = "1.2.3",
		.subscribers = 4,
		.ring_events = 1000,
		.command_word = command_word,
	};
	struct buf out;

	buf_init(&out, (size_t)1 << 26);
	metrics_text(&out, &facts);
	assert_false(out.overflow);
	buf_append(&out, "", 1);
	return out.data;
}

static void expect(const char *page, const char *sample)
{
	char line[512];

	snprintf(line, sizeof line, "\ngatepost_%s\n", sample);
	if (!strstr(page, line))
		fail_msg("the page has no line %s", line);
}

static void expect_none(const char *page, const char *part)
{
	if (strstr(page, part))
		fail_msg("the page has %s", part);
}

static struct counters_slot *slot(struct counters *c, unsigned worker, unsigned generation)
{
	struct counters_slot *s = counters_slot(c, worker * COUNTERS_GENERATIONS + generation);

	counter_add(&s->events, 1);
	return s;
}

static void test_gateway(void **state)
{
	struct counters *c = counters_new();
	struct counters_gateway *g = counters_gateway(c);
	char *page;

	(void)state;
	atomic_store(&g->workers, 2);
	atomic_store(&g->started, 1700000000);
	atomic_store(&g->reloaded, 1700000001);
	atomic_store(&g->reloads, 3);
	atomic_store(&g->reload_failures, 5);
	atomic_store(&g->worker_deaths, 7);
	atomic_store(&g->hub_deaths, 9);
	page = page_of(c);
	assert_int_equal(strncmp(page, "# HELP gatepost_build_info ", 27), 0);
	expect(page, "build_info{version=\"1.2.3\"} 1");
	expect(page, "start_time_seconds 1700000000");
	expect(page, "configuration_time_seconds 1700000001");
	expect(page, "ready 1");
	expect(page, "workers 2");
	expect(page, "reloads_total 3");
	expect(page, "reload_failures_total 5");
	expect(page, "worker_deaths_total 7");
	expect(page, "hub_deaths_total 9");
	expect(page, "event_subscribers 4");
	expect(page, "event_ring_events 1000");
	expect_none(page, "worker=\""); /* none has begun */
	free(page);
}

/* The processes of a worker are one worker; a dead one's counters stay, its gauges go. */
static void test_workers(void **state)
{
	struct counters *c = counters_new();
	struct counters_slot *old = slot(c, 1, 0), *new = slot(c, 1, 3), *first = slot(c, 0, 0);
	char *page;

	(void)state;
	atomic_store(&old->state, COUNTERS_RETIRING);
	atomic_store(&new->state, COUNTERS_SERVING);
	atomic_store(&first->state, COUNTERS_STARTING);
	counter_add(&old->connections, 10);
	counter_add(&new->connections, 5);
	counter_add(&old->sessions[COUNTERS_SESSION_POLICY], 2);
	counter_add(&new->sessions[COUNTERS_SESSION_POLICY], 1);
	counter_add(&old->octets_in, 1000);
	counter_add(&new->octets_out, 2000);
	counter_add(&new->replies[9][0], 6);
	counter_add(&new->replies[9][3], 2);
	counter_add(&old->replies[9][3], 1);
	counter_add(&new->tls[COUNTERS_TLS_1_3], 4);
	counter_add(&new->tls[COUNTERS_TLS_FAILED], 3);
	page = page_of(c);
	expect(page, "connections_total{worker=\"0\"} 0");
	expect(page, "connections_total{worker=\"1\"} 15");
	expect(page, "sessions{worker=\"1\",state=\"policy\"} 3");
	expect(page, "sessions{worker=\"1\",state=\"closing\"} 0");
	expect(page, "received_bytes_total{worker=\"1\"} 1000");
	expect(page, "sent_bytes_total{worker=\"1\"} 2000");
	expect(page, "replies_total{worker=\"1\",command=\"V9\",class=\"2yz\"} 6");
	expect(page, "replies_total{worker=\"1\",command=\"V9\",class=\"4yz\"} 0");
	expect(page, "replies_total{worker=\"1\",command=\"V9\",class=\"5yz\"} 3");
	expect_none(page, "command=\"V8\"");
	expect_none(page, "worker=\"0\",command=");
	expect(page, "tls_handshakes_total{worker=\"1\",version=\"TLSv1.2\"} 0");
	expect(page, "tls_handshakes_total{worker=\"1\",version=\"TLSv1.3\"} 4");
	expect(page, "tls_handshake_failures_total{worker=\"1\"} 3");
	expect(page, "worker_processes{worker=\"0\",state=\"starting\"} 1");
	expect(page, "worker_processes{worker=\"1\",state=\"serving\"} 1");
	expect(page, "worker_processes{worker=\"1\",state=\"retiring\"} 1");
	expect(page, "worker_processes{worker=\"1\",state=\"draining\"} 0");
	free(page);
	counters_slot_clear(old);
	page = page_of(c);
	expect(page, "connections_total{worker=\"1\"} 15");
	expect(page, "sessions{worker=\"1\",state=\"policy\"} 1");
	expect(page, "worker_processes{worker=\"1\",state=\"retiring\"} 0");
	free(page);
}

static void test_policies(void **state)
{
	struct counters *c = counters_new();
	struct counters_slot *s = slot(c, 0, 0), *other = slot(c, 0, 1);
	struct counters_policy *p;
	char *page;

	(void)state;
	counters_policy_row(c, "blocklist");
	p = &s->policies[counters_policy_row(c, "grey\"list")];
	counter_add(&p->outstanding, 3);
	counter_add(&p->breaker, 2);
	counter_add(&p->bad, 8);
	counter_add(&p->hooks[HOOK_RCPT].verdicts[VERDICT_REJECT], 2);
	counters_latency_add(&p->hooks[HOOK_RCPT].latency, 0.004);
	counters_latency_add(&p->hooks[HOOK_RCPT].latency, 0.0001);
	counter_add(&p->hooks[HOOK_DATA].failures[FAILURE_TIMEOUT], 1);
	p = &other->policies[1];
	counter_add(&p->breaker, 1); /* a process that was replaced has one of its own */
	counter_add(&p->hooks[HOOK_RCPT].verdicts[VERDICT_REJECT], 1);
	counters_latency_add(&p->hooks[HOOK_RCPT].latency, 3);
	page = page_of(c);
#define GREY "{worker=\"0\",policy=\"grey\\\"list\""
	expect(page, "policy_outstanding{worker=\"0\",policy=\"blocklist\"} 0");
	expect(page, "policy_outstanding" GREY "} 3");
	expect(page, "policy_breaker_state" GREY "} 2");
	expect(page, "policy_bad_replies_total" GREY "} 8");
	expect(page, "policy_verdicts_total" GREY ",hook=\"rcpt\",verdict=\"reject\"} 3");
	expect(page, "policy_verdicts_total" GREY ",hook=\"rcpt\",verdict=\"accept\"} 0");
	expect(page, "policy_failures_total" GREY ",hook=\"data\",class=\"timeout\"} 1");
	expect(page, "policy_failures_total" GREY ",hook=\"rcpt\",class=\"timeout\"} 0");
	expect(page, "policy_latency_seconds_bucket" GREY ",hook=\"rcpt\",le=\"0.005\"} 2");
	expect(page, "policy_latency_seconds_sum" GREY ",hook=\"rcpt\"} 3.004100");
	expect(page, "policy_latency_seconds_count" GREY ",hook=\"rcpt\"} 3");
	expect(page, "policy_latency_seconds_count" GREY ",hook=\"data\"} 0");
	expect_none(page, "policy=\"blocklist\",hook"); /* it was never asked */
	expect_none(page, "hook=\"mail\"");
	free(page);
}

static void test_deliveries(void **state)
{
	struct counters *c = counters_new();
	struct counters_slot *s = slot(c, 0, 0);
	struct counters_delivery *d = &s->deliveries[counters_delivery_row(c, "inbox")];
	char *page;

	(void)state;
	counter_add(&d->running, 2);
	counter_add(&d->results[2], 5);
	counters_latency_add(&d->latency, 0.5);
	page = page_of(c);
	expect(page, "delivery_running{worker=\"0\",delivery=\"inbox\"} 2");
	expect(page, "delivery_results_total{worker=\"0\",delivery=\"inbox\",class=\"4yz\"} 5");
	expect(page,
	       "delivery_latency_seconds_bucket{worker=\"0\",delivery=\"inbox\",le=\"0.5\"} 1");
	expect(page,
	       "delivery_latency_seconds_bucket{worker=\"0\",delivery=\"inbox\",le=\"0.2\"} 0");
	expect(page, "delivery_latency_seconds_sum{worker=\"0\",delivery=\"inbox\"} 0.500000");
	free(page);
}

/* More than a page can hold: the caller sees that, and nothing else happens. */
static void test_overflow(void **state)
{
	struct metrics_facts facts = {
		.counters = counters_new(), .version = "1", .command_word = command_word};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	metrics_text(&out, &facts);
	assert_true(out.overflow);
	assert_true(out.len <= 1000);
	buf_fini(&out);
}

static void test_manual(void **state)
{
	char path[512], item[1024], *page = mem_new(65536);
	struct metrics_row row;
	size_t n, rows = 0, items = 0;
	FILE *in;

	(void)state;
	snprintf(path, sizeof path, "%s/deploy/man/gatepost-metrics.7", GATEPOST_SOURCE_DIR);
	in = fopen(path, "re");
	assert_non_null(in);
	n = fread(page, 1, 65535, in);
	assert_true(n > 0 && n < 65535);
	fclose(in);
	for (; metrics_row(rows, &row); rows++) {
		snprintf(item, sizeof item, "\n.It Ic %s\n%s\n.br\n%c%s%s%s.\n", row.name, row.help,
			 row.type[0] - 'a' + 'A', row.type + 1,
			 *row.labels ? "; labels " : "; no labels", row.labels);
		if (!strstr(page, item))
			fail_msg("%s lacks this item:%s", path, item);
	}
	for (const char *at = page; (at = strstr(at, "\n.It Ic gatepost_")); at++)
		items++;
	assert_int_equal(items, rows);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),	 cmocka_unit_test(test_workers),
		cmocka_unit_test(test_policies), cmocka_unit_test(test_deliveries),
		cmocka_unit_test(test_overflow), cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
