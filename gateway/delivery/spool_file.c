#include "spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "delivery/file.h"
#include "delivery/spool.h"
#include "shared/counters.h"

/* Not below 0: the master clears the slot of a worker that is gone, and after a reload another may
 * still write there. A number that wrapped would refuse all mail. */
static void count_back(const struct spool *spool, uint64_t len)
{
	uint64_t octets;

	if (!spool->slot)
		return;
	octets = atomic_load(&spool->slot->spool);
	while (!atomic_compare_exchange_weak(&spool->slot->spool, &octets,
					     octets > len ? octets - len : 0))
		;
}

/* Counted first and looked at then: of two processes that take the last octets at the same time
 * both may be refused, and never are both let through. */
static bool count(const struct spool *spool, uint64_t len)
{
	if (!spool->slot)
		return true;
	atomic_fetch_add(&spool->slot->spool, len);
	if (!spool->limit || counters_spool(spool->counters) <= spool->limit)
		return true;
	count_back(spool, len);
	errno = EDQUOT;
	return false;
}

void spool_file_init(struct spool_file *f, const struct spool *spool)
{
	*f = (struct spool_file){.spool = spool, .fd = -1};
}

bool spool_file_create(struct spool_file *f, const char *name)
{
	size_t folder = strlen(f->spool->dir) + 1, size = folder + strlen(name) + 1;

	f->path = mem_new(size);
	snprintf(f->path, size, "%s/%s", f->spool->dir, name);
	f->name = f->path + folder;
	/* O_EXCL: a file or link that somebody put there is never written to. */
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	/* Services read it as members of the group, whatever the umask. */
	if (f->fd >= 0 && fchmod(f->fd, 0640) == 0)
		return true;
	spool_file_drop(f);
	return false;
}

bool spool_file_write(struct spool_file *f, const char *data, size_t len)
{
	if (!count(f->spool, len))
		return false;
	f->written += len;
	return file_write(f->fd, data, len);
}

bool spool_file_write_from(struct spool_file *f, int from, uint64_t offset, uint64_t len)
{
	if (!count(f->spool, len))
		return false;
	f->written += len;
	return file_copy(from, offset, len, f->fd);
}

void spool_file_drop(struct spool_file *f)
{
	int error = errno;

	if (f->fd >= 0) {
		close(f->fd);
		unlink(f->path);
		count_back(f->spool, f->written);
	}
	free(f->path);
	spool_file_init(f, f->spool);
	errno = error;
}
