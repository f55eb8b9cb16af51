#include "maildir_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"

#define STALE_SECONDS (36 * 3600)

static char *join(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = mem_new(size);

	snprintf(path, size, "%s/%s", folder, name);
	return path;
}

void maildir_folder_init(struct maildir_folder *f, const char *path, const char *name,
			 size_t given_len)
{
	f->path = *name ? join(path, name) : mem_copy_string(path);
	f->cur = join(f->path, "cur");
	f->tmp = join(f->path, "tmp");
	f->new = join(f->path, "new");
	f->given_len = given_len;
	f->marked = *name;
}

void maildir_folder_fini(struct maildir_folder *f)
{
	free(f->path);
	free(f->cur);
	free(f->tmp);
	free(f->new);
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

/* A folder whose own entry is not on disk can take its messages with it in a power failure. */
static bool make_folder(const char *path)
{
	size_t parent_len = (size_t)(strrchr(path, '/') - path);
	char *parent;
	bool ok;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST;
	parent = mem_copy_bytes(path, parent_len ? parent_len : 1);
	ok = sync_folder(parent);
	free(parent);
	return ok;
}

static bool make_with_parents(const char *path, size_t given_len)
{
	for (const char *slash = strchr(path + given_len + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		char *parent = mem_copy_bytes(path, (size_t)(slash - path));
		bool ok = make_folder(parent);

		free(parent);
		if (!ok)
			return false;
	}
	return make_folder(path);
}

/* Maildir++: a program that finds this file knows that the folder belongs to the Maildir above.
 * Another process may have made the folder and not come to the fsync. */
static bool make_mark(const struct maildir_folder *f)
{
	char *path = join(f->path, "maildirfolder"), *parent = join(f->path, "..");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && sync_folder(parent);
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(path);
	free(parent);
	errno = error;
	return ok;
}

const char *maildir_folder_make(const struct maildir_folder *f)
{
	/* tmp last: where it is, the rest is. */
	const char *folders[] = {f->cur, f->new, f->tmp};

	if (!make_with_parents(f->path, f->given_len) || (f->marked && !make_mark(f)))
		return f->path;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		if (!make_folder(folders[i]) || !sync_folder(folders[i]) ||
		    faccessat(AT_FDCWD, folders[i], R_OK | W_OK | X_OK, AT_EACCESS) != 0)
			return folders[i];
	return sync_folder(f->path) ? NULL : f->path;
}

/* The part of the name behind our transaction, ".<host>,S=<octets>"; NULL when the name is not of
 * our making. A Q with a full ident is ours alone: others count there. */
static const char *name_after_ident(const char *name)
{
	static const struct {
		const char *before, *characters;
	} parts[] = {
		{"", "0123456789"},
		{".M", "0123456789"},
		{"P", "0123456789"},
		{"Q", IDENT_ALPHABET},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t before = strlen(parts[i].before);

		if (strncmp(name, parts[i].before, before) != 0)
			return NULL;
		n = strspn(name + before, parts[i].characters);
		if (!n)
			return NULL;
		name += before + n;
	}
	return n == IDENT_SIZE - 1 && *name == '.' ? name : NULL;
}

static bool is_host(const char *rest, const char *host)
{
	size_t len = strlen(host);

	return strncmp(rest + 1, host, len) == 0 && strncmp(rest + 1 + len, ",S=", 3) == 0;
}

static bool is_stale(const char *host, const char *rest, int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	if (status.st_mtime < time(NULL) - STALE_SECONDS)
		return true;
	return is_host(rest, host) && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Removes only what it has the lock of: a writer that finds its file gone when it gets the lock
 * makes it again (maildir_batch.c), so that the sweep costs no message. */
const char *maildir_folder_sweep(const struct maildir_folder *f, const char *host)
{
	DIR *entries = opendir(f->tmp);
	struct dirent *entry;
	unsigned removed = 0;

	if (!entries)
		return f->tmp;
	while ((entry = readdir(entries))) {
		const char *rest = name_after_ident(entry->d_name);
		int fd = -1;

		if (rest)
			fd = openat(dirfd(entries), entry->d_name,
				    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_stale(host, rest, fd) && unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			removed++;
		close(fd);
	}
	closedir(entries);
	if (removed)
		log_info("%s: %u unfinished messages removed", f->tmp, removed);
	return NULL;
}
