#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drive/drive_script.h"
#include "drive/drive_verdict.h"

static bool read_line(const char *line, struct drive_step *step, char *problem, size_t size)
{
	struct drive_setting setting;

	drive_setting_init(&setting, 5);
	return drive_script_read(line, strlen(line), &setting, step, problem, size);
}

static const struct {
	const char *line;
	struct drive_step step; /* text: NULL, or what is in it */
	const char *text, *expect;
} steps[] = {
	{"", {.kind = DRIVE_STEP_NONE}, NULL, NULL},
	{" \t\r", {.kind = DRIVE_STEP_NONE}, NULL, NULL},
	{"  # {\"hook\":", {.kind = DRIVE_STEP_NONE}, NULL, NULL},
	{"{\"hook\":\"connect\"}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_CONNECT},
	 "\"hook\":\"connect\"",
	 NULL},
	{"{\"hook\":\"disconnect\"}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_DISCONNECT},
	 "\"reason\":\"quit\"",
	 NULL},
	{"{\"hook\":\"rcpt\",\"args\":{\"address\":\"x@y.example\"},\"repeat\":1000000,"
	 "\"expect\":{\"verdict\":\"reject\",\"code\":550,\"status\":\"5.7.1\","
	 "\"text\":\"No\",\"reason\":\"a.b\"}}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_RCPT, .repeat = 1000000},
	 "\"x@y.example\"",
	 "reject 550 5.7.1 \"No\" (a.b)"},
	{"{\"hook\":\"message\",\"keep\":{\"session\":{\"seen\":3}},\"expect\":{\"verdict\":"
	 "\"quarantine\","
	 "\"until\":\"transaction\",\"label\":\"bulk\",\"edits\":0}}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_MESSAGE},
	 "\"keep\":{\"session\":{\"seen\":3}}",
	 "quarantine until transaction label bulk edits 0"},
	{"{\"hook\":\"mail\",\"expect\":{\"until\":\"command\"}}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_MAIL},
	 "\"transaction\":",
	 "any verdict until command"},
	{"{\"hook\":\"mail\",\"expect\":{\"code\":250}}",
	 {.kind = DRIVE_STEP_REQUEST, .hook = HOOK_MAIL},
	 "\"transaction\":",
	 "any verdict 250"},
	{"{\"raw\":\"\"}", {.kind = DRIVE_STEP_RAW}, "", NULL},
	{"{\"raw\":\"{\\\"type\\\"\"}", {.kind = DRIVE_STEP_RAW}, "{\"type\"", NULL},
	{"{\"raw\":\"x\",\"id\":7,\"expect\":{\"verdict\":\"accept\"}}",
	 {.kind = DRIVE_STEP_RAW, .id = 7},
	 "x",
	 "accept"},
	{"{\"expect_close\":true}", {.kind = DRIVE_STEP_CLOSE}, NULL, NULL},
	{"{\"pipeline\":true}", {.kind = DRIVE_STEP_PIPELINE, .pipeline = true}, NULL, NULL},
	{"{\"pipeline\":false}", {.kind = DRIVE_STEP_PIPELINE}, NULL, NULL},
};

static void test_steps(void **state)
{
	char problem[256] = "", shown[256];

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		const struct drive_step *wanted = &steps[i].step;
		struct drive_step step;

		if (!read_line(steps[i].line, &step, problem, sizeof problem))
			fail_msg("%s: %s", steps[i].line, problem);
		assert_int_equal(step.kind, wanted->kind);
		assert_int_equal(step.hook, wanted->hook);
		assert_int_equal(step.id, wanted->id);
		assert_int_equal(step.repeat, wanted->repeat ? wanted->repeat : 1);
		assert_int_equal(step.pipeline, wanted->pipeline);
		assert_int_equal(step.text != NULL, steps[i].text != NULL);
		if (step.text && !strstr(step.text, steps[i].text))
			fail_msg("%s: no %s in %s", steps[i].line, steps[i].text, step.text);
		assert_int_equal(step.expects, steps[i].expect != NULL);
		if (step.expects) {
			drive_expect_show(&step.expect, shown, sizeof shown);
			assert_string_equal(shown, steps[i].expect);
		}
		drive_step_fini(&step);
	}
}

static const struct {
	const char *line, *problem; /* how it begins */
} bad_lines[] = {
	{"hook", "not a strict JSON object"},
	{"[]", "not a JSON object"},
	{"{\"hook\":\"mail\",\"hook\":\"mail\"}", "not a strict JSON object"},
	{"{\"hook\":\"mail\"} {}", "not a strict JSON object"},
	{"{\"hook\":\"mail\xff\"}", "not a strict JSON object"},
	{"{}", "a step has one of hook, raw, expect_close, pipeline"},
	{"{\"hok\":\"mail\"}", "a step has one of"},
	{"{\"hook\":\"mial\"}", "unknown hook \"mial\""},
	{"{\"hook\":7}", "unknown hook 7"},
	{"{\"hook\":\"mail\",\"expcet\":{}}", "a request has no key \"expcet\": use hook, "},
	{"{\"hook\":\"mail\",\"raw\":\"x\"}", "a request has no key \"raw\""},
	{"{\"hook\":\"mail\",\"args\":[]}", "\"args\" must be an object, not an array"},
	{"{\"hook\":\"mail\",\"context\":\"tls\"}", "\"context\" must be an object"},
	{"{\"hook\":\"mail\",\"session\":1}", "\"session\" must be a string, not 1"},
	{"{\"hook\":\"mail\",\"transaction\":null}", "\"transaction\" must be a string, not null"},
	{"{\"hook\":\"mail\",\"deadline_ms\":-1}", "\"deadline_ms\" must be an integer from 0"},
	{"{\"hook\":\"mail\",\"repeat\":0}",
	 "\"repeat\" must be an integer from 1 to 1000000, not 0"},
	{"{\"hook\":\"mail\",\"repeat\":1000001}", "\"repeat\" must be"},
	{"{\"hook\":\"mail\",\"repeat\":2.0}",
	 "\"repeat\" must be an integer from 1 to 1000000, not the real number 2"},
	{"{\"hook\":\"mail\",\"message\":\"x\"}", "\"message\" is the content"},
	{"{\"hook\":\"message\",\"message\":{}}", "\"message\" must be a string"},
	{"{\"hook\":\"disconnect\",\"expect\":{\"verdict\":\"accept\"}}",
	 "disconnect is told, not asked"},
	{"{\"hook\":\"mail\",\"expect\":\"accept\"}", "\"expect\" must be an object"},
	{"{\"hook\":\"mail\",\"expect\":{}}", "\"expect\" must be an object"},
	{"{\"hook\":\"mail\",\"expect\":{\"verdict\":\"ok\"}}", "unknown verdict \"ok\""},
	{"{\"hook\":\"mail\",\"expect\":{\"verdict\":null}}", "unknown verdict null"},
	{"{\"hook\":\"mail\",\"expect\":{\"verdikt\":\"accept\"}}",
	 "expect has no key \"verdikt\": use verdict, code, status, text, reason, until, label, "
	 "edits"},
	{"{\"hook\":\"mail\",\"expect\":{\"until\":\"ever\"}}",
	 "\"until\" must be command, transaction or session, not \"ever\""},
	{"{\"hook\":\"mail\",\"expect\":{\"until\":null}}", "\"until\" must be"},
	{"{\"hook\":\"mail\",\"expect\":{\"label\":[\"a\"]}}", "\"label\" must be a string"},
	{"{\"hook\":\"mail\",\"expect\":{\"edits\":101}}",
	 "\"edits\" must be an integer from 0 to 100, not 101"},
	{"{\"hook\":\"mail\",\"keep\":7}", "\"keep\" must be an object, not 7"},
	{"{\"hook\":\"mail\",\"expect\":{\"code\":\"550\"}}",
	 "\"code\" must be an integer from 200 to 599, not \"550\""},
	{"{\"hook\":\"mail\",\"expect\":{\"code\":600}}", "\"code\" must be"},
	{"{\"hook\":\"mail\",\"expect\":{\"status\":\"\"}}", "\"status\" must be a string"},
	{"{\"hook\":\"mail\",\"expect\":{\"status\":\"5.1111.1111\"}}",
	 "\"status\" must be a string of 1 to 9 octets"},
	{"{\"hook\":\"mail\",\"expect\":{\"text\":[\"a\"]}}", "\"text\" must be a string"},
	{"{\"hook\":\"mail\",\"expect\":{\"reason\":1}}", "\"reason\" must be a string"},
	{"{\"raw\":1}", "\"raw\" must be a string, not 1"},
	{"{\"raw\":\"x\",\"repeat\":2}", "a raw line has no key \"repeat\""},
	{"{\"raw\":\"x\",\"id\":0}", "\"id\" must be an integer from 1"},
	{"{\"raw\":\"x\",\"expect\":{\"code\":250}}", "say with \"id\""},
	{"{\"expect_close\":false}", "\"expect_close\" must be true, not false"},
	{"{\"expect_close\":true,\"raw\":\"x\"}", "a raw line has no key \"expect_close\""},
	{"{\"expect_close\":true,\"x\":1}", "this step has no key \"x\": use expect_close"},
	{"{\"pipeline\":1}", "\"pipeline\" must be true or false, not 1"},
	{"{\"pipeline\":true,\"window\":1}", "this step has no key \"window\""},
};

static void test_bad_lines(void **state)
{
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof bad_lines / sizeof *bad_lines; i++) {
		struct drive_step step;

		problem[0] = '\0';
		if (read_line(bad_lines[i].line, &step, problem, sizeof problem))
			fail_msg("%s was taken", bad_lines[i].line);
		if (strncmp(problem, bad_lines[i].problem, strlen(bad_lines[i].problem)) != 0)
			fail_msg("%s: %s", bad_lines[i].line, problem);
		drive_step_fini(&step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_bad_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
