#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/metrics_write.h"

struct fixture {
	struct buf out;
	struct metrics_writer w;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){.w.out = &f.out, .w.name = "x"};
	buf_init(&f.out, 65536);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	buf_fini(&((struct fixture *)*state)->out);
	return 0;
}

static void expect(struct fixture *f, const char *text)
{
	buf_append(&f->out, "", 1);
	assert_string_equal(buf_head(&f->out), text);
	buf_consume(&f->out, f->out.len);
}

static void test_begin(void **state)
{
	struct fixture *f = *state;

	metrics_label(&f->w, "old", "one");
	metrics_begin(&f->w, "sessions", METRICS_GAUGE, "How many.");
	metrics_sample(&f->w, 3);
	expect(f, "# HELP gatepost_sessions How many.\n# TYPE gatepost_sessions gauge\n"
		  "gatepost_sessions 3\n");
}

static void test_values(void **state)
{
	struct fixture *f = *state;

	metrics_sample(&f->w, 0);
	metrics_sample(&f->w, 10);
	metrics_sample(&f->w, UINT64_MAX);
	expect(f, "gatepost_x 0\ngatepost_x 10\ngatepost_x 18446744073709551615\n");
}

static void test_labels(void **state)
{
	struct fixture *f = *state;
	size_t outer = metrics_label_number(&f->w, "worker", 17), inner;

	metrics_sample(&f->w, 1);
	inner = metrics_label(&f->w, "policy", "a");
	metrics_sample(&f->w, 2);
	metrics_unlabel(&f->w, inner);
	metrics_label(&f->w, "hook", "rcpt");
	metrics_sample(&f->w, 3);
	metrics_unlabel(&f->w, outer);
	metrics_sample(&f->w, 4);
	expect(f, "gatepost_x{worker=\"17\"} 1\ngatepost_x{worker=\"17\",policy=\"a\"} 2\n"
		  "gatepost_x{worker=\"17\",hook=\"rcpt\"} 3\ngatepost_x 4\n");
}

/* Whatever a value holds, it stays one value. */
static void test_escapes(void **state)
{
	static const struct {
		const char *value, *written;
	} table[] = {
		{"", ""},
		{"a\"b", "a\\\"b"},
		{"a\\b", "a\\\\b"},
		{"a\nb", "a\\nb"},
		{"\"} 1\ngatepost_ready 1\n#", "\\\"} 1\\ngatepost_ready 1\\n#"},
		{"\xc3\xa9", "\xc3\xa9"},
	};
	struct fixture *f = *state;
	char line[256];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		metrics_begin(&f->w, "x", METRICS_COUNTER, "");
		buf_consume(&f->out, f->out.len);
		metrics_label(&f->w, "l", table[i].value);
		metrics_sample(&f->w, 1);
		snprintf(line, sizeof line, "gatepost_x{l=\"%s\"} 1\n", table[i].written);
		expect(f, line);
	}
}

/* A value is cut before the labels could be full, so they are always whole. */
static void test_long(void **state)
{
	struct fixture *f = *state;
	char value[1000], line[1200], *at;

	memset(value, '"', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	metrics_label(&f->w, "a", value);
	metrics_label(&f->w, "b", value);
	metrics_label(&f->w, "c", "end");
	metrics_sample(&f->w, 1);
	at = line + snprintf(line, sizeof line, "gatepost_x{a=\"");
	for (int i = 0; i < 200; i++)
		at = stpcpy(at, "\\\"");
	at = stpcpy(at, "\",b=\"");
	for (int i = 0; i < 200; i++)
		at = stpcpy(at, "\\\"");
	stpcpy(at, "\",c=\"end\"} 1\n");
	expect(f, line);
}

static void test_histogram(void **state)
{
	struct fixture *f = *state;
	uint64_t entries[COUNTERS_BUCKETS + 1] = {0};

	entries[0] = 2;		       /* up to 50 us */
	entries[4] = 3;		       /* up to 1 ms */
	entries[COUNTERS_BUCKETS] = 1; /* above 120 s */
	metrics_label(&f->w, "hook", "mail");
	metrics_histogram(&f->w, entries, 121003100);
	expect(f, "gatepost_x_bucket{hook=\"mail\",le=\"5e-05\"} 2\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.0001\"} 2\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.0002\"} 2\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.0005\"} 2\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.001\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.002\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.005\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.01\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.02\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.05\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.1\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.2\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"0.5\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"1\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"2\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"5\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"10\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"30\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"60\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"120\"} 5\n"
		  "gatepost_x_bucket{hook=\"mail\",le=\"+Inf\"} 6\n"
		  "gatepost_x_sum{hook=\"mail\"} 121.003100\n"
		  "gatepost_x_count{hook=\"mail\"} 6\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begin, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_labels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_escapes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_histogram, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
