#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define LOG_LINE_MAX 2048

static enum log_level threshold = LOG_INFO_LEVEL;
static bool as_json;
static char process_name[32] = "gatepost";

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_setup(enum log_level level, bool json, const char *process)
{
	threshold = level;
	as_json = json;
	snprintf(process_name, sizeof process_name, "%s", process);
}

__attribute__((format(printf, 2, 0))) static void log_write(enum log_level level,
							    const char *format, va_list args)
{
	char raw[LOG_LINE_MAX], safe[LOG_LINE_MAX * 4 + 1], line[LOG_LINE_MAX * 4 + 256], when[32];
	int n;

	if (level > threshold)
		return;
	n = vsnprintf(raw, sizeof raw, format, args);
	if (n < 0)
		return;
	text_escape(raw, strlen(raw), safe, sizeof safe);
	text_time(when, sizeof when);
	if (as_json) /* text_escape leaves neither quote nor backslash unescaped for JSON */
		n = snprintf(line, sizeof line,
			     "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"message\":\"%"
			     "s\"}\n",
			     when, level_names[level], process_name, safe);
	else
		n = snprintf(line, sizeof line, "%s %s %s: %s\n", when, process_name,
			     level_names[level], safe);
	/* One write: lines of several processes do not mix. A log that cannot be written is no
	 * reason to stop mail. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		log_write(level, format, args);                                                    \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_ERROR_LEVEL)
LOG_FUNCTION(log_warning, LOG_WARNING_LEVEL)
LOG_FUNCTION(log_info, LOG_INFO_LEVEL)
LOG_FUNCTION(log_debug, LOG_DEBUG_LEVEL)
