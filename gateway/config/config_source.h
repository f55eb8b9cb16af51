/* config_source: the file being read: the line of each setting in it, and the faults found so far.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_PATH_SIZE  256 /* "listeners[0].accept_domains[17]" and its NUL */
#define CONFIG_QUOTE_SIZE 84

struct config_line {
	char *path;
	size_t line; /* from 1 */
};

struct config_source {
	const char *file; /* borrowed */
	FILE *errors;	  /* borrowed */
	size_t faults;
	struct config_line *lines;
	size_t lines_len;
	size_t lines_size;
};

void config_source_init(struct config_source *s, const char *file, FILE *errors);
/* Says how many faults were counted but not written, and frees the lines. */
void config_source_fini(struct config_source *s);
void config_source_free_lines(struct config_line *lines, size_t len);
/* Remembers the line of a setting; the path is copied. */
void config_source_add_line(struct config_source *s, const char *path, size_t line);
/* True when the setting stands in the file. */
bool config_source_has(const struct config_source *s, const char *path);
/* The line of the setting, or where it is absent that of the list entry or mapping which lacks it;
 * 0 when the file has neither. */
size_t config_source_line(const struct config_line *lines, size_t n, const char *path);
/* Writes `file:line: path: message` with the line that config_source_line() finds. Path "": the
 * whole file. */
void config_source_fault(struct config_source *s, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same at a line the caller knows; 0: none. */
void config_source_fault_at(struct config_source *s, size_t line, const char *path,
			    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Octets of the file, made safe for a terminal and cut to a readable length. Returns `out`. */
const char *config_source_quote(const char *data, size_t len, char out[CONFIG_QUOTE_SIZE]);

#endif
