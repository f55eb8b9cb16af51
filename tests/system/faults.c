/* A library for LD_PRELOAD: disk calls fail as the file that GATEPOST_FAULTS names tells, one rule:
 *
 *      <call> <errno> <n>      each n-th call of: file (fsync of a file), folder (fsync of one
 *                              named new), rename, create (below a tmp); errno 0: it never returns
 *
 * The file is read at every call, so that a test changes the rule while the program runs. */
#include <fcntl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fails(const char *call)
{
	static atomic_uint calls;
	const char *path = getenv("GATEPOST_FAULTS");
	char rule[64] = "", name[16];
	int error;
	unsigned n;
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return false;
	if (syscall(SYS_read, fd, rule, sizeof rule - 1) < 0)
		rule[0] = '\0';
	syscall(SYS_close, fd);
	if (sscanf(rule, "%15s %d %u", name, &error, &n) != 3 || strcmp(name, call) != 0)
		return false;
	if (atomic_fetch_add(&calls, 1) % n != n - 1)
		return false;
	while (!error)
		pause();
	errno = error;
	return true;
}

/* Is it the folder, or in the folder, of that name? */
static bool is_named(int fd, const char *name)
{
	char link[40], path[4096] = "", *last;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (syscall(SYS_readlink, link, path, sizeof path - 1) <= 0)
		return false;
	last = strrchr(path, '/');
	return last && strcmp(last + 1, name) == 0;
}

int fsync(int fd)
{
	struct stat status;
	bool folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);

	if (folder ? is_named(fd, "new") && fails("folder") : fails("file"))
		return -1;
	return (int)syscall(SYS_fsync, fd);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (fails("rename"))
		return -1;
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_list arguments;

		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	if ((flags & O_CREAT) && dir >= 0 && is_named(dir, "tmp") && fails("create"))
		return -1;
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}
