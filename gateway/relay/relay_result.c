#include "relay_result.h"

#include <stdbool.h>
#include <stdio.h>

#include "relay_engine.h"

static void set(struct relay_result *result, const char *status, const char *text,
		const char *backend)
{
	*result = (struct relay_result){.code = 451, .backend = backend};
	snprintf(result->status, sizeof result->status, "%s", status);
	snprintf(result->text, sizeof result->text, "%s", text);
}

void relay_result_of(struct relay_result *result, const struct relay_engine_result *from,
		     const char *backend)
{
	*result = (struct relay_result){.code = from->code, .backend = backend};
	/* X.0.0 says nothing, which is what the backend has said (RFC 3463). */
	if (from->status[0])
		snprintf(result->status, sizeof result->status, "%s", from->status);
	else
		snprintf(result->status, sizeof result->status, "%c.0.0",
			 from->code >= 500   ? '5'
			 : from->code >= 400 ? '4'
					     : '2');
	snprintf(result->text, sizeof result->text, "%s",
		 from->text[0]	     ? from->text
		 : from->code >= 300 ? "Refused"
				     : "OK");
}

void relay_result_down(struct relay_result *result)
{
	set(result, "4.4.1", "No backend available", "");
}

void relay_result_busy(struct relay_result *result)
{
	set(result, "4.3.2", "Too many connections to the backend", "");
}

void relay_result_broken(struct relay_result *result, const char *backend)
{
	set(result, "4.3.0", "Bad answer from backend", backend);
}

void relay_result_fault(struct relay_result *result)
{
	set(result, "4.3.0", "Delivery failed, try again later", "");
}

void relay_result_lost(struct relay_result *result, const char *backend)
{
	set(result, "4.4.2", "Connection to backend lost", backend);
}

void relay_result_join(struct relay_result *result, const struct relay_result *all, size_t len)
{
	const struct relay_result *worst = &all[0];
	bool unknown = false;
	size_t taken = 0;

	for (size_t i = 0; i < len; i++) {
		taken += all[i].code < 300;
		unknown |= all[i].unknown;
		if (all[i].code / 100 == 4 && worst->code / 100 != 4)
			worst = &all[i];
	}
	if (taken == 0 || taken == len)
		*result = *worst;
	else
		set(result, "4.3.0", "Not delivered to all recipients", all[0].backend);
	result->unknown = unknown;
}
