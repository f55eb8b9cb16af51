#include "metrics_text.h"

#include <stdio.h>
#include <string.h>

#include "metrics_write.h"

struct page {
	const struct metrics_facts *facts;
	struct counters *counters;
	unsigned workers; /* that ever had a process */
	/* Slots of a worker that ever had a process. To look into another would cost its memory. */
	struct counters_slot *slots[COUNTERS_WORKERS][COUNTERS_GENERATIONS];
	unsigned slots_len[COUNTERS_WORKERS];
	struct metrics_writer w;
};

struct metric {
	const char *name;
	enum metrics_type type;
	const char *labels; /* those of its level */
	const char *help;
	void (*write)(struct page *page, const struct metric *metric);
	size_t offset;	   /* of the first counter, in the struct of its level */
	const char *label; /* of an array; else NULL */
	unsigned len;
	const char *(*word)(unsigned i);
};

/* --- words --- */

static const char *session_word(unsigned i)
{
	static const char *const words[COUNTERS_SESSION_MAX] = {
		[COUNTERS_SESSION_OPENING] = "opening", [COUNTERS_SESSION_COMMAND] = "command",
		[COUNTERS_SESSION_TLS] = "tls",		[COUNTERS_SESSION_MESSAGE] = "message",
		[COUNTERS_SESSION_POLICY] = "policy",	[COUNTERS_SESSION_DELIVERY] = "delivery",
		[COUNTERS_SESSION_CLOSING] = "closing",
	};

	return words[i];
}

static const char *tls_word(unsigned i)
{
	return i == COUNTERS_TLS_1_2 ? "TLSv1.2" : "TLSv1.3";
}

static const char *class_word(unsigned i)
{
	static const char *const words[COUNTERS_CLASSES] = {"2yz", "3yz", "4yz", "5yz"};

	return words[i];
}

static const char *verdict_of(unsigned i)
{
	return verdict_word((enum verdict_kind)i);
}

static const char *failure_of(unsigned i)
{
	return failure_word((enum failure)i);
}

/* --- sums over the processes of a worker --- */

/* `offset` is a counter's place in struct counters_slot. */
static uint64_t sum(const struct page *page, unsigned worker, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < page->slots_len[worker]; i++) {
		const char *slot = (const char *)page->slots[worker][i];

		total += counter_get((const counter *)(const void *)(slot + offset));
	}
	return total;
}

static uint64_t sum_all(const struct page *page, unsigned worker, size_t offset, unsigned len)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < len; i++)
		total += sum(page, worker, offset + i * sizeof(counter));
	return total;
}

static void write_latency(struct page *page, unsigned worker, size_t offset)
{
	size_t buckets = offset + offsetof(struct counters_latency, buckets);
	uint64_t entries[COUNTERS_BUCKETS + 1];

	for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
		entries[i] = sum(page, worker, buckets + i * sizeof(counter));
	metrics_histogram(&page->w, entries,
			  sum(page, worker, offset + offsetof(struct counters_latency, sum)));
}

/* The metric of a worker, at the place of its struct in the slot. */
static void write_values(struct page *page, const struct metric *m, unsigned worker, size_t place)
{
	size_t offset = place + m->offset;

	if (m->type == METRICS_HISTOGRAM) {
		write_latency(page, worker, offset);
		return;
	}
	if (!m->label) {
		metrics_sample(&page->w, sum(page, worker, offset));
		return;
	}
	for (unsigned i = 0; i < m->len; i++) {
		size_t mark = metrics_label(&page->w, m->label, m->word(i));

		metrics_sample(&page->w, sum(page, worker, offset + i * sizeof(counter)));
		metrics_unlabel(&page->w, mark);
	}
}

/* --- levels --- */

static void write_gateway(struct page *page, const struct metric *m)
{
	const char *gateway = (const char *)counters_gateway(page->counters);

	metrics_sample(&page->w, counter_get((const counter *)(const void *)(gateway + m->offset)));
}

static void write_worker(struct page *page, const struct metric *m)
{
	for (unsigned worker = 0; worker < page->workers; worker++) {
		size_t mark = metrics_label_number(&page->w, "worker", worker);

		write_values(page, m, worker, 0);
		metrics_unlabel(&page->w, mark);
	}
}

/* The metric of a row of a worker, at the place of its struct in the slot. */
typedef void write_row(struct page *page, const struct metric *m, unsigned worker, size_t place);

/* Of the rows that have a name. `size` is that of a row's struct, `place` that of the first. */
static void write_rows(struct page *page, const struct metric *m, unsigned worker, size_t place,
		       size_t size, write_row *write)
{
	bool policies = place == offsetof(struct counters_slot, policies);

	for (unsigned row = 0; row < COUNTERS_ROWS; row++) {
		const char *name = policies ? counters_policy_name(page->counters, row)
					    : counters_delivery_name(page->counters, row);
		size_t mark;

		if (!*name)
			continue;
		mark = metrics_label(&page->w, policies ? "policy" : "delivery", name);
		write(page, m, worker, place + row * size);
		metrics_unlabel(&page->w, mark);
	}
}

/* Of the hooks at which a question to the policy has ever come to an end. */
static void write_hooks(struct page *page, const struct metric *m, unsigned worker, size_t place)
{
	for (enum hook hook = 0; hook < HOOK_MAX; hook++) {
		size_t at = place + offsetof(struct counters_policy, hooks) +
			    hook * sizeof(struct counters_policy_hook);
		size_t verdicts = at + offsetof(struct counters_policy_hook, verdicts);
		size_t failures = at + offsetof(struct counters_policy_hook, failures), mark;

		if (!sum_all(page, worker, verdicts, VERDICT_MAX) &&
		    !sum_all(page, worker, failures, FAILURE_MAX))
			continue;
		mark = metrics_label(&page->w, "hook", hook_word(hook));
		write_values(page, m, worker, at);
		metrics_unlabel(&page->w, mark);
	}
}

static void write_all_rows(struct page *page, const struct metric *m, size_t place, size_t size,
			   write_row *write)
{
	for (unsigned worker = 0; worker < page->workers; worker++) {
		size_t mark = metrics_label_number(&page->w, "worker", worker);

		write_rows(page, m, worker, place, size, write);
		metrics_unlabel(&page->w, mark);
	}
}

#define POLICIES   offsetof(struct counters_slot, policies), sizeof(struct counters_policy)
#define DELIVERIES offsetof(struct counters_slot, deliveries), sizeof(struct counters_delivery)

static void write_policy(struct page *page, const struct metric *m)
{
	write_all_rows(page, m, POLICIES, write_values);
}

static void write_hook(struct page *page, const struct metric *m)
{
	write_all_rows(page, m, POLICIES, write_hooks);
}

static void write_delivery(struct page *page, const struct metric *m)
{
	write_all_rows(page, m, DELIVERIES, write_values);
}

/* A state is no number to sum up. */
static void write_worst_breaker(struct page *page, const struct metric *m, unsigned worker,
				size_t place)
{
	uint64_t worst = 0;

	(void)m;
	for (unsigned i = 0; i < page->slots_len[worker]; i++) {
		const char *policy = (const char *)page->slots[worker][i] + place;
		uint64_t state = counter_get(
			&((const struct counters_policy *)(const void *)policy)->breaker);

		worst = state > worst ? state : worst;
	}
	metrics_sample(&page->w, worst);
}

static void write_breaker(struct page *page, const struct metric *m)
{
	write_all_rows(page, m, POLICIES, write_worst_breaker);
}

/* --- facts --- */

static void write_build(struct page *page, const struct metric *m)
{
	(void)m;
	metrics_label(&page->w, "version", page->facts->version);
	metrics_sample(&page->w, 1);
}

static void write_ready(struct page *page, const struct metric *m)
{
	(void)m;
	metrics_sample(&page->w, page->facts->ready);
}

static void write_workers(struct page *page, const struct metric *m)
{
	(void)m;
	metrics_sample(&page->w, atomic_load(&counters_gateway(page->counters)->workers));
}

static void write_subscribers(struct page *page, const struct metric *m)
{
	(void)m;
	metrics_sample(&page->w, page->facts->subscribers);
}

static void write_ring(struct page *page, const struct metric *m)
{
	(void)m;
	metrics_sample(&page->w, page->facts->ring_events);
}

static uint64_t processes(const struct page *page, unsigned worker, enum counters_state state)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < page->slots_len[worker]; i++)
		n += atomic_load(&page->slots[worker][i]->state) == (int)state;
	return n;
}

static void write_processes(struct page *page, const struct metric *m)
{
	static const struct {
		enum counters_state state;
		const char *word;
	} states[] = {{COUNTERS_STARTING, "starting"},
		      {COUNTERS_SERVING, "serving"},
		      {COUNTERS_RETIRING, "retiring"},
		      {COUNTERS_DRAINING, "draining"}};

	(void)m;
	for (unsigned worker = 0; worker < page->workers; worker++) {
		size_t outer = metrics_label_number(&page->w, "worker", worker);

		for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
			size_t mark = metrics_label(&page->w, "state", states[i].word);

			metrics_sample(&page->w, processes(page, worker, states[i].state));
			metrics_unlabel(&page->w, mark);
		}
		metrics_unlabel(&page->w, outer);
	}
}

/* Of the commands that were ever answered. */
static void write_replies(struct page *page, const struct metric *m)
{
	static const struct metric classes = {
		.label = "class", .len = COUNTERS_CLASSES, .word = class_word};
	const size_t size = COUNTERS_CLASSES * sizeof(counter);

	(void)m;
	for (unsigned i = 0; i < page->workers * COUNTERS_VERBS; i++) {
		unsigned worker = i / COUNTERS_VERBS, verb = i % COUNTERS_VERBS;
		size_t place = offsetof(struct counters_slot, replies) + verb * size, mark;

		if (!sum_all(page, worker, place, COUNTERS_CLASSES))
			continue;
		mark = metrics_label_number(&page->w, "worker", worker);
		metrics_label(&page->w, "command", page->facts->command_word(verb));
		write_values(page, &classes, worker, place);
		metrics_unlabel(&page->w, mark);
	}
}

/* --- the table --- */

typedef struct counters_gateway gateway_struct;
typedef struct counters_slot worker_struct;
typedef struct counters_policy policy_struct;
typedef struct counters_policy_hook hook_struct;
typedef struct counters_delivery delivery_struct;

#define gateway_labels	""
#define worker_labels	"worker"
#define policy_labels	"worker, policy"
#define hook_labels	"worker, policy, hook"
#define delivery_labels "worker, delivery"

static const struct metric metrics[] = {
#define FACT(name, type, labels, function, help)                                                   \
	{#name, METRICS_##type, labels, help, function, 0, NULL, 0, NULL},
#define WORDS(level, name, type, member, label, n, word, help)                                     \
	{#name,                                                                                    \
	 METRICS_##type,                                                                           \
	 level##_labels,                                                                           \
	 help,                                                                                     \
	 write_##level,                                                                            \
	 offsetof(level##_struct, member),                                                         \
	 label,                                                                                    \
	 n,                                                                                        \
	 word},
#define NUMBER(level, name, type, member, help)                                                    \
	WORDS(level, name, type, member, NULL, 0, NULL, help)
#define LATENCY(level, name, member, help) NUMBER(level, name, HISTOGRAM, member, help)
#include "metrics.def"
};

bool metrics_row(size_t i, struct metrics_row *row)
{
	const struct metric *m = &metrics[i];

	if (i >= sizeof metrics / sizeof *metrics)
		return false;
	snprintf(row->name, sizeof row->name, "gatepost_%s", m->name);
	snprintf(row->labels, sizeof row->labels, "%s%s%s", m->labels, m->label ? ", " : "",
		 m->label ? m->label : "");
	row->type = metrics_type_word(m->type);
	row->help = m->help;
	return true;
}

/* A process tells that it serves, by an event at least. */
static void find_slots(struct page *page)
{
	unsigned seen = counters_slots_seen(page->counters);

	for (unsigned i = 0; i < seen; i++) {
		struct counters_slot *slot = counters_slot(page->counters, i);
		unsigned worker = i / COUNTERS_GENERATIONS;

		if (!atomic_load(&slot->state) && !counter_get(&slot->since) &&
		    !counter_get(&slot->events))
			continue;
		page->slots[worker][page->slots_len[worker]++] = slot;
		page->workers = worker + 1;
	}
}

void metrics_text(struct buf *out, const struct metrics_facts *facts)
{
	struct page page = {.facts = facts, .counters = facts->counters, .w.out = out};

	find_slots(&page);
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		metrics_begin(&page.w, metrics[i].name, metrics[i].type, metrics[i].help);
		metrics[i].write(&page, &metrics[i]);
	}
}
