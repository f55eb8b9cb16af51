/* Any octets become JSON that jansson reads, and the exact octets can be had from it. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/event_json.h"
#include "protocol/json_out.h"
#include "protocol/strict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Whether the text is the base64 of the octets: padded, canonical, nothing around it. */
static bool is_base64_of(const char *text, const uint8_t *data, size_t size)
{
	size_t len = strlen(text), pad = (3 - size % 3) % 3;
	uint32_t bits;

	if (len != (size + 2) / 3 * 4)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		bits = 0;
		for (size_t k = 0; k < 4; k++) {
			bool padding = i + k >= len - pad;
			int digit = padding ? 0 : base64_digit(text[i + k]);

			if (digit < 0 || (padding && text[i + k] != '='))
				return false;
			bits = bits << 6 | (uint32_t)digit;
		}
		for (size_t k = 0; k < 3; k++) {
			size_t at = i / 4 * 3 + k;

			if ((bits >> (16 - 8 * k) & 0xff) != (at < size ? data[at] : 0))
				return false;
		}
	}
	return true;
}

static void check(struct json_out *out, const uint8_t *data, size_t size)
{
	char problem[256];
	json_t *object = strict_json_parse(out->data, out->len, problem, sizeof problem);
	const json_t *shown = json_object_get(object, "x"),
		     *exact = json_object_get(object, "x_b64");

	assert(object && json_is_string(shown));
	if (exact) {
		assert(is_base64_of(json_string_value(exact), data, size));
		assert(strstr(json_string_value(shown), "\xef\xbf\xbd"));
	} else {
		assert(json_string_length(shown) == size);
		assert(!memcmp(json_string_value(shown), data, size));
	}
	json_decref(object);
}

/* What a terminal is shown of it has no control octet. */
static void check_terminal(struct octets value)
{
	struct json_out body = {0}, line = {0};
	struct event_line read;
	struct event event;

	event_init(&event, EVENT_MAIL, "s", NULL);
	event_add_octets(&event, "address", value);
	event_json_body(&body, &event, "T");
	event_json_line(&line, 2, 1, body.data, body.len);
	assert(event_json_read(line.data, line.len - 1, &read));
	for (const char *p = read.data; *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 0x7f);
	event_line_fini(&read);
	json_out_fini(&body);
	json_out_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_out out = {0};
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	json_out_raw(&out, "{");
	json_out_octets(&out, "x", (struct octets){copy, size});
	json_out_raw(&out, "}");
	check(&out, data, size);
	check_terminal((struct octets){copy, size});
	json_out_fini(&out);
	free(copy);
	return 0;
}
