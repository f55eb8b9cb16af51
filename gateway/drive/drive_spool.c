#include "drive_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool drive_spool_make(struct drive_spool *spool)
{
	const char *parent = getenv("TMPDIR");
	int n;

	if (*spool->path)
		return true;
	n = snprintf(spool->path, sizeof spool->path, "%s/gatepost-drive.XXXXXX",
		     parent && *parent ? parent : "/tmp");
	errno = ENAMETOOLONG;
	/* The service may run under another account: it may read, as in the gateway's spool. */
	if ((size_t)n < sizeof spool->path && mkdtemp(spool->path) && chmod(spool->path, 0755) == 0)
		return true;
	spool->path[0] = '\0';
	return false;
}

bool drive_spool_write(const struct drive_spool *spool, const char *name, const char *data,
		       size_t len)
{
	char path[sizeof spool->path + 64];
	bool ok = true;
	int fd;

	snprintf(path, sizeof path, "%s/%s", spool->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	while (ok && len) {
		ssize_t n = write(fd, data, len);

		ok = n >= 0 || errno == EINTR;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return close(fd) == 0 && ok;
}

void drive_spool_remove(struct drive_spool *spool)
{
	DIR *folder = *spool->path ? opendir(spool->path) : NULL;
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0); /* "." and ".." refuse */
	closedir(folder);
	rmdir(spool->path);
	spool->path[0] = '\0';
}
