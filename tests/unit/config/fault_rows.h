/* fault_rows: tables of faults: a change of a good file, and all that must be said of it. */
#ifndef FAULT_ROWS_H
#define FAULT_ROWS_H

#include <stddef.h>

#define TEN   "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN

struct fault_row {
	const char *find, *with, *faults;
};

/* How many rows do not hold of the good file `text`; each has been printed. */
size_t fault_rows_broken(const char *text, const struct fault_row *rows, size_t len);

#endif
