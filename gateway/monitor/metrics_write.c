#include "metrics_write.h"

#include <stdio.h>
#include <string.h>

#define PREFIX	     "gatepost_"
#define VALUE_MAX    200
#define NUMBER_SIZE  21 /* the largest uint64_t and its NUL */
#define SECONDS_SIZE 32

const char *metrics_type_word(enum metrics_type type)
{
	static const char *const words[] = {"counter", "gauge", "histogram"};

	return words[type];
}

void metrics_begin(struct metrics_writer *w, const char *name, enum metrics_type type,
		   const char *help)
{
	w->name = name;
	w->labels_len = 0;
	buf_printf(w->out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
		   metrics_type_word(type));
}

/* --- labels --- */

static void add(struct metrics_writer *w, const char *text, size_t len)
{
	if (w->labels_len + len > sizeof w->labels)
		return;
	memcpy(w->labels + w->labels_len, text, len);
	w->labels_len += len;
}

static void add_escaped(struct metrics_writer *w, const char *value)
{
	size_t len = strnlen(value, VALUE_MAX);

	for (size_t i = 0; i < len; i++) {
		if (value[i] == '\n')
			add(w, "\\n", 2);
		else if (value[i] == '\\' || value[i] == '"')
			add(w, value[i] == '"' ? "\\\"" : "\\\\", 2);
		else
			add(w, &value[i], 1);
	}
}

size_t metrics_label(struct metrics_writer *w, const char *name, const char *value)
{
	size_t mark = w->labels_len;

	if (mark)
		add(w, ",", 1);
	add(w, name, strlen(name));
	add(w, "=\"", 2);
	add_escaped(w, value);
	add(w, "\"", 1);
	return mark;
}

size_t metrics_label_number(struct metrics_writer *w, const char *name, unsigned value)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof text, "%u", value);
	return metrics_label(w, name, text);
}

void metrics_unlabel(struct metrics_writer *w, size_t mark)
{
	w->labels_len = mark;
}

/* --- samples --- */

/* There are many samples: printf would take most of the time. */
static const char *number(uint64_t value, char text[NUMBER_SIZE])
{
	char *at = text + NUMBER_SIZE - 1;

	*at = '\0';
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	return at;
}

static void write_line(struct metrics_writer *w, const char *suffix, const char *value)
{
	buf_append_string(w->out, PREFIX);
	buf_append_string(w->out, w->name);
	buf_append_string(w->out, suffix);
	if (w->labels_len) {
		buf_append(w->out, "{", 1);
		buf_append(w->out, w->labels, w->labels_len);
		buf_append(w->out, "}", 1);
	}
	buf_append(w->out, " ", 1);
	buf_append_string(w->out, value);
	buf_append(w->out, "\n", 1);
}

void metrics_sample(struct metrics_writer *w, uint64_t value)
{
	char text[NUMBER_SIZE];

	write_line(w, "", number(value, text));
}

static void write_bucket(struct metrics_writer *w, const char *bound, uint64_t entries)
{
	size_t mark = metrics_label(w, "le", bound);
	char text[NUMBER_SIZE];

	write_line(w, "_bucket", number(entries, text));
	metrics_unlabel(w, mark);
}

void metrics_histogram(struct metrics_writer *w, const uint64_t entries[COUNTERS_BUCKETS + 1],
		       uint64_t sum)
{
	uint64_t below = 0;
	char text[SECONDS_SIZE];

	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++) {
		below += entries[i];
		snprintf(text, sizeof text, "%g", (double)counters_bounds[i] / 1e6);
		write_bucket(w, text, below);
	}
	below += entries[COUNTERS_BUCKETS];
	write_bucket(w, "+Inf", below);
	snprintf(text, sizeof text, "%.6f", (double)sum / 1e6);
	write_line(w, "_sum", text);
	write_line(w, "_count", number(below, text));
}
