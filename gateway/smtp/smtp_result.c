#include "smtp_result.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void smtp_result_set(struct smtp_result *result, int code, const char *status, const char *text)
{
	int class = code / 100;

	assert(class == 2 || class == 4 || class == 5);
	smtp_result_fini(result);
	result->code = code == 421 ? 451 : code;
	result->text = mem_copy_string(text);
	if (status[0] == '0' + class && status[1] == '.')
		snprintf(result->status, sizeof result->status, "%s", status);
	else
		snprintf(result->status, sizeof result->status, "%c.0.0", '0' + class);
}

void smtp_result_fini(struct smtp_result *result)
{
	free(result->text);
	*result = (struct smtp_result){0};
}
