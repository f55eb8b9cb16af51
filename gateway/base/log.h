/* log: one line per fact, text or JSON, on standard error or in a file.
 *
 * Every byte that came from a peer is escaped by the log itself: control characters and non-ASCII
 * octets become \u00HH, so nobody outside can forge a line. Level and form can be shared by all
 * processes of the gateway; the file is each process's own descriptor. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR_LEVEL, LOG_WARNING_LEVEL, LOG_INFO_LEVEL, LOG_DEBUG_LEVEL };

/* `process` names the writer in each line ("master", "worker 0", "hub"); copied. */
void log_setup(enum log_level level, bool json, const char *process);
/* Level and form of this process and of those that it forks are one from now on: log_setup() in any
 * of them changes them in all. Without memory for that they stay each one's own. */
void log_share(void);
/* The name alone, for a process that was forked. */
void log_name(const char *process);
/* The file to append to, made when missing (mode 0640), close-on-exec; NULL: standard error. -1
 * (errno) when it cannot be opened. */
int log_open(const char *path);
/* Writes there from now on. Takes fd over; no line is lost or cut between the two. */
void log_use(int fd);
/* Where lines go now; not to be closed. */
int log_descriptor(void);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
