#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "protocol/json_out.h"

#define R "\xef\xbf\xbd"

static void expect(struct json_out *out, const char *text)
{
	if (out->len != strlen(text) || memcmp(out->data, text, out->len) != 0)
		fail_msg("expected %s\nfound    %.*s", text, (int)out->len, out->data);
	json_out_clear(out);
}

static void test_octets(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
		const char *json;
	} rows[] = {
		{"", 0, "\"x\":\"\""},
		{"bob", 3, "\"x\":\"bob\""},
		{"\"\\/", 3, "\"x\":\"\\\"\\\\/\""},
		{"\b\t\n\r\x01\x1f\x7f", 7, "\"x\":\"\\u0008\\t\\n\\r\\u0001\\u001f\\u007f\""},
		{"gr\xc3\xbc\xc3\x9f", 6, "\"x\":\"gr\xc3\xbc\xc3\x9f\""},
		{"\xe2\x82\xac", 3, "\"x\":\"\xe2\x82\xac\""},
		{"\xf0\x9f\x98\x80", 4, "\"x\":\"\xf0\x9f\x98\x80\""},
		{"\xf4\x8f\xbf\xbf", 4, "\"x\":\"\xf4\x8f\xbf\xbf\""},
		{"a\0b", 3, "\"x\":\"a" R "b\",\"x_b64\":\"YQBi\""},
		{"\xff", 1, "\"x\":\"" R "\",\"x_b64\":\"/w==\""},
		{"\xc3", 1, "\"x\":\"" R "\",\"x_b64\":\"ww==\""},
		{"\xe2\x82z", 3, "\"x\":\"" R R "z\",\"x_b64\":\"4oJ6\""},
		{"\xed\xa0\x80", 3, "\"x\":\"" R R R "\",\"x_b64\":\"7aCA\""}, /* a surrogate */
		{"\xc0\xaf", 2, "\"x\":\"" R R "\",\"x_b64\":\"wK8=\""},       /* overlong */
		{"\xe0\x80\xaf", 3, "\"x\":\"" R R R "\",\"x_b64\":\"4ICv\""},
		{"\xf4\x90\x80\x80", 4, "\"x\":\"" R R R R "\",\"x_b64\":\"9JCAgA==\""},
		{R, 3,
		 "\"x\":\"" R
		 "\",\"x_b64\":\"77+9\""}, /* else it could not be told from a broken one */
		{"\xc3\xbc\xff", 3, "\"x\":\"\xc3\xbc" R "\",\"x_b64\":\"w7z/\""},
	};
	struct json_out out = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_out_octets(&out, "x", (struct octets){rows[i].octets, rows[i].len});
		expect(&out, rows[i].json);
	}
	json_out_octets(&out, "x", (struct octets){NULL, 0});
	expect(&out, "\"x\":null");
	json_out_fini(&out);
}

static void test_base64(void **state)
{
	static const char *const rows[][2] = {
		{"", "\"\""},
		{"f", "\"Zg==\""},
		{"fo", "\"Zm8=\""},
		{"foo", "\"Zm9v\""},
		{"foob", "\"Zm9vYg==\""},
		{"fooba", "\"Zm9vYmE=\""},
		{"foobar", "\"Zm9vYmFy\""},
		{"\xfb\xff\xfe", "\"+//+\""},
	};
	struct json_out out = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_out_base64(&out, rows[i][0], strlen(rows[i][0]));
		expect(&out, rows[i][1]);
	}
	json_out_base64(&out, NULL, 0);
	expect(&out, "\"\"");
	json_out_fini(&out);
}

static void test_integers(void **state)
{
	struct json_out out = {0};

	(void)state;
	json_out_integer(&out, 0);
	json_out_raw(&out, " ");
	json_out_integer(&out, INT64_MIN);
	json_out_raw(&out, " ");
	json_out_integer(&out, INT64_MAX);
	expect(&out, "0 -9223372036854775808 9223372036854775807");
	json_out_fini(&out);
}

static void test_reals(void **state)
{
	static const struct {
		double value;
		const char *json;
	} rows[] = {
		{0, "0.000"},
		{1, "1.000"},
		{0.0004, "0.000"},
		{0.0006, "0.001"},
		{0.25, "0.250"},
		{0.9996, "1.000"},
		{9.9999, "10.000"},
		{-1.5, "-1.500"},
		{59999.999, "59999.999"},
		{123456789.0126, "123456789.013"},
		{999999999999999, "999999999999999.000"},
		{1e15, "null"},
		{-1e15, "null"},
		{INFINITY, "null"},
		{NAN, "null"},
	};
	struct json_out out = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_out_real(&out, rows[i].value);
		expect(&out, rows[i].json);
	}
	json_out_fini(&out);
}

/* As printf has it, to the last digit: a tie is all they may see otherwise. */
static void test_reals_are_those_of_printf(void **state)
{
	struct json_out out = {0};
	char text[32];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		double value = (i * 7919 % 200003) / 1024.0 * (i % 3 ? 1 : 997) + 1 / 3000.0;

		snprintf(text, sizeof text, "%.3f", value);
		json_out_real(&out, value);
		expect(&out, text);
	}
	json_out_fini(&out);
}

static void test_value_says_whether_it_is_exact(void **state)
{
	struct json_out out = {0};

	(void)state;
	assert_int_equal(json_out_octets_value(&out, (struct octets){"a", 1}), 1);
	assert_int_equal(json_out_octets_value(&out, (struct octets){"\x80", 1}), 0);
	expect(&out, "\"a\"\"" R "\"");
	json_out_text(&out, "t\"");
	expect(&out, "\"t\\\"\"");
	json_out_fini(&out);
}

/* Every pair of octets, as one string: what jansson reads is what the gateway means. */
static void test_every_pair_is_json(void **state)
{
	struct json_out out = {0};
	char pair[2];
	json_t *value;

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		int exact;

		pair[0] = (char)(i >> 8);
		pair[1] = (char)i;
		exact = json_out_octets_value(&out, (struct octets){pair, 2});
		value = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
		assert_non_null(value);
		if (exact) {
			assert_int_equal(json_string_length(value), 2);
			assert_memory_equal(json_string_value(value), pair, 2);
		}
		json_decref(value);
		json_out_clear(&out);
	}
	json_out_fini(&out);
}

/* They are looked at eight at a time. */
static void test_every_octet_at_every_place(void **state)
{
	struct json_out out = {0};
	char text[19];

	(void)state;
	for (unsigned i = 0; i < 256 * sizeof text * 4; i++) {
		static const char around[] = " ~a!";
		size_t at = i / 256 % sizeof text;
		json_t *value;
		int exact;

		memset(text, around[i / 256 / sizeof text], sizeof text);
		text[at] = (char)i;
		exact = json_out_octets_value(&out, (struct octets){text, sizeof text});
		assert_int_equal(exact, i % 256 > 0 && i % 256 < 128);
		value = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
		assert_non_null(value);
		if (exact)
			assert_memory_equal(json_string_value(value), text, sizeof text);
		json_decref(value);
		json_out_clear(&out);
	}
	json_out_fini(&out);
}

static void test_growth_keeps_what_is_there(void **state)
{
	struct json_out out = {0};
	size_t steps = 0, size = 0;

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		json_out_raw(&out, "x");
		steps += out.size != size;
		size = out.size;
	}
	assert_int_equal(out.len, 1000000);
	assert_true(steps < 20);
	for (size_t i = 0; i < out.len; i++)
		assert_int_equal(out.data[i], 'x');
	json_out_clear(&out);
	assert_int_equal(out.size, size);
	json_out_fini(&out);
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_reals),
		cmocka_unit_test(test_reals_are_those_of_printf),
		cmocka_unit_test(test_value_says_whether_it_is_exact),
		cmocka_unit_test(test_every_pair_is_json),
		cmocka_unit_test(test_every_octet_at_every_place),
		cmocka_unit_test(test_growth_keeps_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
