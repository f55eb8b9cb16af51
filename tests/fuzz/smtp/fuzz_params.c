/* Any octets as parameters. What is read must lie in the input and read the same again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t put(char *out, size_t at, struct octets octets)
{
	if (octets.len)
		memcpy(out + at, octets.data, octets.len);
	return at + octets.len;
}

static bool same(struct octets a, struct octets b)
{
	return a.len == b.len && !a.data == !b.data && (!a.len || !memcmp(a.data, b.data, a.len));
}

static void check_param(const char *text, size_t size, const struct hook_param *param)
{
	const struct octets *name = &param->name, *value = &param->value;
	uint64_t number;

	assert(name->len && name->data > text && name->data + name->len <= text + size);
	assert(name->data[-1] == ' ');
	assert(!memchr(name->data, '=', name->len) && !memchr(name->data, ' ', name->len));
	if (value->data) {
		assert(value->len && value->data == name->data + name->len + 1);
		assert(value->data + value->len <= text + size);
	}
	if (smtp_params_size(*value, &number))
		assert(value->len <= 20 && strspn(value->data, "0123456789") >= value->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* with a NUL behind, for strspn() above */
	char *again = malloc(size + 1);
	struct smtp_params params, second;
	size_t n = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	if (smtp_params_parse(text, size, &params) == SMTP_PARAMS_GOOD) {
		assert(params.len <= SMTP_PARAMS_MAX);
		for (size_t i = 0; i < params.len; i++) {
			const struct hook_param *param = &params.list[i];

			check_param(text, size, param);
			again[n++] = ' ';
			n = put(again, n, param->name);
			if (param->value.data)
				again[n++] = '=';
			n = put(again, n, param->value);
		}
		assert(smtp_params_parse(again, n, &second) == SMTP_PARAMS_GOOD);
		assert(second.len == params.len);
		for (size_t i = 0; i < params.len; i++) {
			assert(same(second.list[i].name, params.list[i].name));
			assert(same(second.list[i].value, params.list[i].value));
			for (size_t k = 0; k < i; k++)
				assert(params.list[k].name.len != params.list[i].name.len ||
				       strncasecmp(params.list[k].name.data,
						   params.list[i].name.data,
						   params.list[i].name.len));
		}
	}
	free(text);
	free(again);
	return 0;
}
