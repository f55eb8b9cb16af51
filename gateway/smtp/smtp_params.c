#include "smtp_params.h"

#include <string.h>
#include <strings.h>

static bool is_keyword_octet(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

/* esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii), the last one of RFC 6531 3.3 */
static bool is_value_octet(char c)
{
	unsigned char octet = (unsigned char)c;

	return octet >= 33 && octet != 127 && octet != '=';
}

static size_t span(const char *data, size_t len, bool (*accept)(char))
{
	size_t n = 0;

	while (n < len && accept(data[n]))
		n++;
	return n;
}

/* One parameter; the octets it takes, 0 when it is none. */
static size_t read_param(const char *data, size_t len, struct hook_param *param)
{
	size_t name = span(data, len, is_keyword_octet), value;

	*param = (struct hook_param){.name = {data, name}};
	if (!name || data[0] == '-')
		return 0;
	if (name == len || data[name] != '=')
		return name;
	value = span(data + name + 1, len - name - 1, is_value_octet);
	param->value = (struct octets){data + name + 1, value};
	return value ? name + 1 + value : 0;
}

static bool is_known(const struct smtp_params *params, struct octets name)
{
	for (size_t i = 0; i < params->len; i++) {
		const struct octets *other = &params->list[i].name;

		if (other->len == name.len && strncasecmp(other->data, name.data, name.len) == 0)
			return true;
	}
	return false;
}

enum smtp_params_result smtp_params_parse(const char *data, size_t len, struct smtp_params *params)
{
	size_t at = 0;

	params->len = 0;
	while (at < len) {
		struct hook_param param;
		size_t n;

		if (data[at] != ' ')
			return SMTP_PARAMS_BAD;
		while (at < len && data[at] == ' ')
			at++;
		if (at == len)
			break;
		n = read_param(data + at, len - at, &param);
		if (!n || params->len == SMTP_PARAMS_MAX)
			return SMTP_PARAMS_BAD;
		if (is_known(params, param.name))
			return SMTP_PARAMS_DUPLICATE;
		params->list[params->len++] = param;
		at += n;
	}
	return SMTP_PARAMS_GOOD;
}

bool smtp_params_size(struct octets value, uint64_t *size)
{
	*size = 0;
	if (!value.len || value.len > 20)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		uint64_t digit = (uint64_t)(value.data[i] - '0');

		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		if (*size > (UINT64_MAX - digit) / 10)
			*size = UINT64_MAX;
		else
			*size = *size * 10 + digit;
	}
	return true;
}
