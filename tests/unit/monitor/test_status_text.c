/* What `gatepost status` shows of messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../protocol/examples.h"
#include "status_text.h"

static const struct status_screen paper = {.end = "\n"};

static struct status *read_line(const char *line)
{
	struct status *status;
	char problem[256];

	assert_int_equal(status_read(line, strlen(line), &status, problem, sizeof problem),
			 STATUS_GOOD);
	return status;
}

/* The example with some of its text replaced: pairs of what was and what is, ended by NULL. */
static struct status *example(const char *const *changes)
{
	struct status *status;
	size_t len;
	char *line = examples_read("valid/status.json", &len);

	for (; changes && *changes; changes += 2) {
		size_t was = strlen(changes[0]), is = strlen(changes[1]);
		char *at = strstr(line, changes[0]), *changed = malloc(len + is + 1);

		assert_non_null(at);
		memcpy(changed, line, (size_t)(at - line));
		memcpy(changed + (at - line), changes[1], is);
		memcpy(changed + (at - line) + is, at + was, strlen(at + was) + 1);
		free(line);
		line = changed;
		len = strlen(line);
	}
	status = read_line(line);
	free(line);
	return status;
}

static char *text_of(const struct status *now, const struct status *before,
		     const struct status_screen *screen)
{
	struct buf out;
	char *text;

	buf_init(&out, 1 << 20);
	status_text_write(&out, now, before, screen);
	assert_false(out.overflow);
	buf_append(&out, "", 1);
	text = strdup(buf_head(&out));
	buf_fini(&out);
	return text;
}

/* Fails unless the text has this line. */
static void check_line(const char *text, const char *line)
{
	char whole[300];

	snprintf(whole, sizeof whole, "\n%s\n", line);
	if (!strstr(text, whole)) {
		fputs(text, stderr);
		fail_msg("no line \"%s\"", line);
	}
}

static const char since_start[] =
	"mx1.example.org  gatepost/0.1.0  up 2h00m  2026-11-24T11:03:15.487185Z\n"
	"NOT READY\n"
	"  worker 1: required policy greylist is away\n"
	"2 workers; died: workers 1, hub 0; configuration 6m39s old, reloads 1, refused 0\n"
	"\n"
	"WORKER     PID STATE         FOR   OPEN  OPENING COMMAND    TLS MESSAGE POLICY DELIVERY "
	"CLOSING   SPOOL\n"
	"0         4711 retiring    6m40s      1        0       1      0       0      0        0   "
	"    0       0\n"
	"0         4720 serving     6m39s      2        0       0      0       1      1        0   "
	"    0   64.0K\n"
	"1         4712 serving     1h46m      0        0       0      0       0      0        0   "
	"    0       0\n"
	"all                                   3        0       1      0       1      1        0   "
	"    0   64.0K\n"
	"\n"
	"                       TOTAL      PER S                           TOTAL      PER S\n"
	"connections               10        0.0    replies 2yz                9        0.0\n"
	"messages                   2        0.0    replies 3yz                2        0.0\n"
	"message octets          1234          0    replies 4yz                0        0.0\n"
	"octets in               2000          0    replies 5yz                1        0.0\n"
	"octets out              3000          0    TLS 1.2                    0        0.0\n"
	"events                    40        0.0    TLS 1.3                    2        0.0\n"
	"events lost                5        0.0    TLS resumed                1        0.0\n"
	"                                           TLS failed                 0        0.0\n"
	"\n"
	"POLICY  HOOK       ANSWERS     PER S       P50       P99  VERDICTS\n"
	"greylist: 1 connections, 2 outstanding, 0 waiting; replies late 1, bad 0, unknown 0; "
	"breaker open in 1 workers, half open in 0\n"
	"  rcpt                   4       0.0   1.50 ms   1.99 ms  accept 3, tempfail 1; failures: "
	"timeout 1\n"
	"\n"
	"DELIVERY             ENDED     PER S       P50       P99  RUNNING  RESULTS\n"
	"inbox                    2       0.0   7.50 ms   9.95 ms        1  2yz 2\n"
	"\n"
	"events: head 45, oldest 1, lost by workers 5; 1 of 64 subscribers\n"
	"SUBSCRIBER                   UID        LAG         SENT       LOST\n"
	"siem                        1000          3           42          0\n"
	"\n"
	"PER S, P50 and P99 are of the time since the start. P50 and P99 are estimates, "
	"interpolated in a histogram.\n";

static void test_since_start(void **state)
{
	struct status *now = example(NULL);
	char *text = text_of(now, NULL, &paper);

	(void)state;
	assert_string_equal(text, since_start);
	free(text);
	status_free(&now);
	assert_null(now);
	status_free(&now);
}

/* Rates and latencies are those between two messages, here half a second. */
static void test_between(void **state)
{
	struct status *before = example(NULL);
	struct status *now =
		example((const char *const[]){"\"clock_ms\":86400123",
					      "\"clock_ms\":86400623",
					      "\"ready\":false",
					      "\"ready\":true",
					      "[\"worker 1: required policy greylist is away\"]",
					      "[]",
					      "\"connections\":10",
					      "\"connections\":20",
					      "\"octets_in\":2000",
					      "\"octets_in\":9999999",
					      "\"5yz\":1",
					      "\"5yz\":2",
					      "\"answers\":4",
					      "\"answers\":7",
					      "0,0,0,0,0,4,0",
					      "1,0,0,0,0,4,2",
					      "\"count\":2",
					      "\"count\":3",
					      "2,0,0,0,0,0,0,0,0,0,0,0,0,0]",
					      "2,0,0,0,0,0,0,0,0,0,0,0,0,1]",
					      NULL});
	char *text = text_of(now, before, &paper);

	(void)state;
	check_line(text, "ready");
	assert_null(strstr(text, "away"));
	check_line(text, "connections               20       20.0    replies 2yz                9  "
			 "      0.0");
	check_line(text, "octets in              9766K      19.1M    replies 5yz                2  "
			 "      2.0");
	check_line(text, "  rcpt                   7       6.0   2.75 ms   4.96 ms  accept 3, "
			 "tempfail 1; failures: timeout 1");
	check_line(text,
		   "inbox                    3       2.0  >120.0 s  >120.0 s        1  2yz 2");
	check_line(text, "PER S, P50 and P99 are of the last 0.5 s. P50 and P99 are estimates, "
			 "interpolated in a histogram.");
	free(text);
	/* Nothing has happened. */
	text = text_of(now, now, &paper);
	assert_non_null(strstr(text, "of the time since the start"));
	free(text);
	status_free(&before);
	status_free(&now);
}

/* A gateway that was started again, or a machine: its counts begin anew, and rates with them. */
static void test_other_life(void **state)
{
	struct status *before = example(NULL);
	struct status *now = example((const char *const[]){
		"\"clock_ms\":86400123", "\"clock_ms\":86500123", "\"up_ms\":7200000",
		"\"up_ms\":1000", "\"connections\":10", "\"connections\":4", NULL});
	struct status *booted =
		example((const char *const[]){"\"clock_ms\":86400123", "\"clock_ms\":7000", NULL});
	char *text = text_of(now, before, &paper);

	(void)state;
	check_line(text, "connections                4        4.0    replies 2yz                9  "
			 "      9.0");
	free(text);
	text = text_of(booted, before, &paper);
	assert_string_equal(text, since_start);
	free(text);
	status_free(&before);
	status_free(&now);
	status_free(&booted);
}

/* Lines that go beyond the screen, or are too long for it, would scroll it away. */
static void test_screen(void **state)
{
	const struct status_screen small = {.rows = 3, .columns = 9, .end = "|"};
	const struct status_screen coloured = {.rows = 2, .coloured = true, .end = "\n"};
	struct status *now = example(NULL);
	char *text = text_of(now, NULL, &small);

	(void)state;
	assert_string_equal(text, "mx1.examp|NOT READY|  worker |");
	free(text);
	text = text_of(now, NULL, &coloured);
	assert_string_equal(text, "\033[1mmx1.example.org  gatepost/0.1.0  up 2h00m  "
				  "2026-11-24T11:03:15.487185Z\033[0m\n"
				  "\033[1;31mNOT READY\033[0m\n");
	free(text);
	status_free(&now);
}

/* What others have named cannot reach the terminal as it is. */
static void test_escapes(void **state)
{
	struct status *now = example((const char *const[]){
		"\"siem\"", "\"a\\u001b[2Jb\\u009b\"", "\"policy\":\"greylist\"",
		"\"policy\":\"\\n\"", "\"rcpt\":", "\"\\u001b[31m\":", "\"accept\":3", "\"\\r\":3",
		"\"serving\"", "\"\\u0007\"", "greylist is away", "\\u001b is away",
		"\"mx1.example.org\"", "\"\xc3\xa9\"", NULL});
	char *text = text_of(now, NULL, &paper);

	(void)state;
	for (const char *p = text; *p; p++)
		assert_true((*p >= ' ' && *p <= '~') || *p == '\n');
	assert_non_null(strstr(text, "a\\u001b[2Jb"));
	free(text);
	status_free(&now);
}

static void test_not_a_status(void **state)
{
	static const struct {
		const char *line;
		enum status_result result;
		const char *problem;
	} cases[] = {{"", STATUS_FOREIGN, ""},
		     {"220 mx ESMTP", STATUS_FOREIGN, ""},
		     {"[]", STATUS_FOREIGN, ""},
		     {"{}", STATUS_FOREIGN, "not a status message"},
		     {"{\"type\":\"status\"}", STATUS_FOREIGN, "not a status message"},
		     {"{\"type\":\"hello\"}", STATUS_FOREIGN, "not a status message"},
		     {"{\"type\":\"error\"}", STATUS_REFUSED, ""},
		     {"{\"type\":\"error\",\"message\":\"no\\u001bway\"}", STATUS_REFUSED,
		      "no\\u001bway"}};
	struct status *status;
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(status_read(cases[i].line, strlen(cases[i].line), &status, problem,
					     sizeof problem),
				 cases[i].result);
		assert_null(status);
		if (*cases[i].problem)
			assert_string_equal(problem, cases[i].problem);
	}
}

/* Of a gateway that says less, or something else, the rest is shown. */
static void test_missing(void **state)
{
	struct status *now = read_line("{\"type\":\"status\",\"gateway\":{},\"workers\":[7,{}],"
				       "\"sums\":[],\"bounds_ms\":[1,2],\"policies\":[{\"hooks\":{"
				       "\"rcpt\":3,\"mail\":{\"buckets\":[9,\"x\"]}}}],"
				       "\"deliveries\":{},\"reasons\":[3],\"events\":1}");
	char *text = text_of(now, now, &paper);

	(void)state;
	check_line(text, "NOT READY");
	check_line(text, "connections                0          -    replies 2yz                0  "
			 "        -");
	check_line(text, "  mail                   0         -   0.50 ms   0.99 ms");
	free(text);
	status_free(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since_start), cmocka_unit_test(test_between),
		cmocka_unit_test(test_other_life),  cmocka_unit_test(test_screen),
		cmocka_unit_test(test_escapes),	    cmocka_unit_test(test_not_a_status),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
