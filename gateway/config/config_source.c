#include "config_source.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* A file that is no configuration at all would bury its first fault under thousands of others. */
#define FAULTS_SHOWN_MAX 100

void config_source_init(struct config_source *s, const char *file, FILE *errors)
{
	*s = (struct config_source){.file = file, .errors = errors};
}

void config_source_free_lines(struct config_line *lines, size_t len)
{
	for (size_t i = 0; i < len; i++)
		free(lines[i].path);
	free(lines);
}

void config_source_fini(struct config_source *s)
{
	if (s->faults > FAULTS_SHOWN_MAX)
		fprintf(s->errors, "%s: and %zu more faults\n", s->file,
			s->faults - FAULTS_SHOWN_MAX);
	config_source_free_lines(s->lines, s->lines_len);
	s->lines = NULL;
	s->lines_len = s->lines_size = 0;
}

void config_source_add_line(struct config_source *s, const char *path, size_t line)
{
	if (s->lines_len == s->lines_size) {
		s->lines_size = s->lines_size ? s->lines_size * 2 : 64;
		s->lines = mem_resize(s->lines, s->lines_size * sizeof *s->lines);
	}
	s->lines[s->lines_len++] = (struct config_line){mem_copy_string(path), line};
}

static size_t find_line(const struct config_line *lines, size_t n, const char *path, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		const char *known = lines[i].path;

		if (strncmp(known, path, len) == 0 && !known[len])
			return lines[i].line;
	}
	return 0;
}

bool config_source_has(const struct config_source *s, const char *path)
{
	return find_line(s->lines, s->lines_len, path, strlen(path)) != 0;
}

/* "listeners[0].name", else "listeners[0]", else "listeners". */
size_t config_source_line(const struct config_line *lines, size_t n, const char *path)
{
	size_t len = strlen(path), line = 0;

	while (len && !(line = find_line(lines, n, path, len))) {
		while (--len && path[len] != '.' && path[len] != '[')
			;
	}
	return line;
}

__attribute__((format(printf, 4, 0))) static void write_fault(struct config_source *s, size_t line,
							      const char *path, const char *format,
							      va_list args)
{
	if (line)
		fprintf(s->errors, "%s:%zu: ", s->file, line);
	else
		fprintf(s->errors, "%s: ", s->file);
	if (*path)
		fprintf(s->errors, "%s: ", path);
	vfprintf(s->errors, format, args);
	fputc('\n', s->errors);
}

void config_source_fault(struct config_source *s, const char *path, const char *format, ...)
{
	va_list args;

	if (++s->faults > FAULTS_SHOWN_MAX)
		return;
	va_start(args, format);
	write_fault(s, config_source_line(s->lines, s->lines_len, path), path, format, args);
	va_end(args);
}

void config_source_fault_at(struct config_source *s, size_t line, const char *path,
			    const char *format, ...)
{
	va_list args;

	if (++s->faults > FAULTS_SHOWN_MAX)
		return;
	va_start(args, format);
	write_fault(s, line, path, format, args);
	va_end(args);
}

const char *config_source_quote(const char *data, size_t len, char out[CONFIG_QUOTE_SIZE])
{
	text_escape(data, len, out, CONFIG_QUOTE_SIZE);
	return out;
}
