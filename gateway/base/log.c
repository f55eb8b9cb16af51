#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define LOG_LINE_MAX 2048

struct log_form {
	_Atomic int level;
	_Atomic bool json;
};

static struct log_form own_form = {.level = LOG_INFO_LEVEL};
static struct log_form *form = &own_form;
static char process_name[32] = "gatepost";
static _Atomic int log_fd = STDERR_FILENO;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_name(const char *process)
{
	snprintf(process_name, sizeof process_name, "%s", process);
}

void log_setup(enum log_level level, bool json, const char *process)
{
	atomic_store(&form->level, (int)level);
	atomic_store(&form->json, json);
	log_name(process);
}

void log_share(void)
{
	struct log_form *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return;
	atomic_store(&shared->level, atomic_load(&form->level));
	atomic_store(&shared->json, atomic_load(&form->json));
	form = shared;
}

int log_open(const char *path)
{
	/* O_NONBLOCK for a pipe: who reads it, or does not, must not stop mail. */
	if (path)
		return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			    0640);
	return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

void log_use(int fd)
{
	int old = atomic_load(&log_fd);

	if (old == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return;
	}
	/* The number stays: another thread may be about to write to it. */
	while (dup3(fd, old, O_CLOEXEC) < 0 && (errno == EINTR || errno == EBUSY))
		;
	close(fd);
}

int log_descriptor(void)
{
	return atomic_load(&log_fd);
}

__attribute__((format(printf, 2, 0))) static void log_write(enum log_level level,
							    const char *format, va_list args)
{
	char raw[LOG_LINE_MAX], safe[LOG_LINE_MAX * 4 + 1], line[LOG_LINE_MAX * 4 + 256], when[32];
	bool json;
	int n;

	if ((int)level > atomic_load_explicit(&form->level, memory_order_relaxed))
		return;
	n = vsnprintf(raw, sizeof raw, format, args);
	if (n < 0)
		return;
	json = atomic_load_explicit(&form->json, memory_order_relaxed);
	(json ? text_escape : text_escape_line)(raw, strlen(raw), safe, sizeof safe);
	text_time(when, sizeof when);
	if (json)
		n = snprintf(line, sizeof line,
			     "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"message\":\"%"
			     "s\"}\n",
			     when, level_names[level], process_name, safe);
	else
		n = snprintf(line, sizeof line, "%s %s %s: %s\n", when, process_name,
			     level_names[level], safe);
	/* One write: lines of several processes do not mix. A log that cannot be written is no
	 * reason to stop mail. */
	if (n > 0 && write(atomic_load(&log_fd), line, (size_t)n) < 0)
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
