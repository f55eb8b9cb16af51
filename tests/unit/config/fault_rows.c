#include "fault_rows.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config_file.h"

static bool row_holds(const char *good_text, const struct fault_row *row)
{
	char *text = config_file_replace(good_text, row->find, row->with);
	struct loaded loaded;
	bool good;

	config_file_load(text, strlen(text), &loaded);
	good = !loaded.config && loaded.error == 0 && strcmp(loaded.faults, row->faults) == 0;
	if (!good)
		print_error("row \"%s\" says\n%sand should say\n%s", row->with, loaded.faults,
			    row->faults);
	config_file_fini(&loaded);
	free(text);
	return good;
}

size_t fault_rows_broken(const char *text, const struct fault_row *rows, size_t len)
{
	size_t broken = 0;

	for (size_t i = 0; i < len; i++)
		broken += !row_holds(text, &rows[i]);
	return broken;
}
