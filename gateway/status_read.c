#include "status_read.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "monitor/quantile.h"
#include "protocol/strict_json.h"

#define BUCKETS_MAX 64

enum status_result status_read(const char *line, size_t len, struct status **text, char *problem,
			       size_t size)
{
	json_t *message = strict_json_parse(line, len, problem, size);
	const char *type = json_string_value(json_object_get(message, "type"));
	enum status_result result = STATUS_FOREIGN;

	*text = NULL;
	if (!message)
		return STATUS_FOREIGN;
	if (type && strcmp(type, "error") == 0) {
		const char *said = json_string_value(json_object_get(message, "message"));

		text_escape(said ? said : "", said ? strlen(said) : 0, problem, size);
		result = STATUS_REFUSED;
	} else if (type && strcmp(type, "status") == 0 &&
		   json_is_object(json_object_get(message, "gateway"))) {
		*text = mem_new(sizeof **text);
		(*text)->message = message;
		return STATUS_GOOD;
	} else {
		snprintf(problem, size, "not a status message");
	}
	json_decref(message);
	return result;
}

void status_free(struct status **text)
{
	if (!*text)
		return;
	json_decref((*text)->message);
	free(*text);
	*text = NULL;
}

struct status_pair status_part(struct status_pair of, const char *name)
{
	return (struct status_pair){json_object_get(of.now, name),
				    json_object_get(of.before, name)};
}

struct status_pair status_entry(struct status_pair list, size_t place, const char *name)
{
	struct status_pair found = {.now = json_array_get(list.now, place)};
	const json_t *wanted = json_object_get(found.now, name);

	for (size_t i = 0; i < json_array_size(list.before); i++) {
		const json_t *candidate = json_array_get(list.before, i);

		if (json_equal(json_object_get(candidate, name), wanted))
			found.before = candidate;
	}
	return found;
}

double status_number(struct status_pair of, const char *name)
{
	return json_number_value(json_object_get(of.now, name));
}

double status_growth(struct status_pair of, const char *name)
{
	double grown =
		status_number(of, name) - json_number_value(json_object_get(of.before, name));

	return grown > 0 ? grown : 0;
}

const char *status_name(struct status_pair of, const char *name, char out[STATUS_NAME_SIZE])
{
	const char *value = json_string_value(json_object_get(of.now, name));

	text_escape(value ? value : "", value ? strlen(value) : 0, out, STATUS_NAME_SIZE);
	return out;
}

void status_latency(const struct json_t *known, struct status_pair of,
		    struct status_latency *latency)
{
	struct status_pair buckets = status_part(of, "buckets");
	size_t n = json_array_size(known);
	double bounds[BUCKETS_MAX];
	uint64_t counts[BUCKETS_MAX + 1];

	*latency = (struct status_latency){-1, -1, 0};
	if (!n || n > BUCKETS_MAX)
		return;
	for (size_t i = 0; i <= n; i++) {
		double now = json_number_value(json_array_get(buckets.now, i));
		double before = json_number_value(json_array_get(buckets.before, i));

		/* 2^53 and more is nothing that a gateway counts. */
		counts[i] = now > before && before >= 0 && now < 9007199254740992.0
				    ? (uint64_t)(now - before)
				    : 0;
		if (i < n)
			bounds[i] = json_number_value(json_array_get(known, i));
	}
	latency->p50 = quantile(bounds, counts, n, 0.5);
	latency->p99 = quantile(bounds, counts, n, 0.99);
	latency->most = bounds[n - 1];
}
