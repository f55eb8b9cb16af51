#include "control_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "strict_json.h"

bool control_json_read(const char *line, size_t len, struct handshake_error *error)
{
	char problem[sizeof error->message];
	json_t *message = strict_json_parse(line, len, problem, sizeof problem);
	const char *code = "bad_json";
	bool good = false;

	if (message) {
		const json_t *type = json_object_get(message, "type");

		code = "bad_message";
		/* Others may come to be; who asks for one waits for its answer, so silence would be
		 * no kindness. */
		if (!json_is_string(type) || strcmp(json_string_value(type), "status") != 0) {
			char shown[STRICT_JSON_SHOWN_MAX];

			snprintf(problem, sizeof problem,
				 "expected a message of type \"status\", not %s",
				 strict_json_show(type, shown));
		} else {
			good = strict_json_is_understood(message, problem, sizeof problem);
		}
		json_decref(message);
	}
	if (good)
		return true;
	snprintf(error->code, sizeof error->code, "%s", code);
	snprintf(error->message, sizeof error->message, "%s", problem);
	return false;
}
