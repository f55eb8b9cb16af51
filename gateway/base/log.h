/* log: one line per fact on standard error, text or JSON.
 *
 * Every byte that came from a peer is escaped by the log itself: control characters and non-ASCII
 * octets become \u00HH, so nobody outside can forge a line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR_LEVEL, LOG_WARNING_LEVEL, LOG_INFO_LEVEL, LOG_DEBUG_LEVEL };

/* `process` names the writer in each line ("master", "worker 0", "hub"); copied. */
void log_setup(enum log_level level, bool json, const char *process);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
