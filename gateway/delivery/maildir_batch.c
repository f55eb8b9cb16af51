#include "maildir_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "delivery/file.h"
#include "delivery/maildir.h"
#include "delivery/spool.h"

/* A folder that messages of this batch go to. It is opened for each batch: one that was replaced
 * while we run is found again, and the one that gets the names is the one that is synced. */
struct place {
	const struct maildir_folder *folder;
	int tmp_dir, new_dir;
	bool used; /* got a name */
};

/* One copy of a message on its way. */
struct file {
	struct maildir_letter *letter;
	const struct maildir_copy *copy;
	struct place *place;
	char name[128];
	int fd;
	bool in_tmp, in_new;
};

struct batch {
	struct place *places;
	size_t places_len;
	struct file *files;
	size_t files_len;
};

/* The first failure is the message's, for all its copies. */
static void fail(const struct file *file, const char *what)
{
	int error = errno ? errno : EIO;

	if (file->letter->error)
		return;
	file->letter->error = error;
	log_error("maildir %s: %s: %s: %s", file->copy->folder.path, file->name, what,
		  strerror(error));
}

static struct place *find_place(struct batch *b, const struct maildir_folder *folder)
{
	struct place *place = b->places;

	while (place < b->places + b->places_len && strcmp(place->folder->path, folder->path) != 0)
		place++;
	if (place == b->places + b->places_len) {
		*place = (struct place){.folder = folder, .tmp_dir = -1, .new_dir = -1};
		b->places_len++;
	}
	return place;
}

static void name_file(struct file *file, const struct timespec *now, const char *host)
{
	uint64_t size = file->copy->fields.len + spool_message_size(file->letter->message);

	snprintf(file->name, sizeof file->name, "%lld.M%06ldP%ldQ%s.%s,S=%llu",
		 (long long)now->tv_sec, now->tv_nsec / 1000, (long)getpid(),
		 file->letter->transaction, host, (unsigned long long)size);
}

static void add_letter(struct batch *b, struct maildir_letter *letter, const char *host)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < letter->copies_len; i++) {
		struct file *file = &b->files[b->files_len++];

		*file = (struct file){.letter = letter, .copy = &letter->copies[i], .fd = -1};
		file->place = find_place(b, &file->copy->folder);
		name_file(file, &now, host);
	}
}

static const char *open_place(struct place *place, bool make)
{
	if (place->new_dir >= 0)
		return NULL;
	if (make && access(place->folder->tmp, F_OK) != 0 && maildir_folder_make(place->folder))
		return "make the folder";
	if (place->tmp_dir < 0)
		place->tmp_dir = open(place->folder->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->tmp_dir < 0)
		return "open tmp";
	place->new_dir = open(place->folder->new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place->new_dir < 0 ? "open new" : NULL;
}

/* A new file in tmp/, with the lock that tells the sweep of another process that its writer lives.
 * Where the file system has no locks, 36 hours must do. Between the two calls the sweep of a worker
 * that just begins may take it for a leftover: then it is gone, and made again. */
static int create_file(const struct file *file)
{
	int tmp_dir = file->place->tmp_dir;
	struct stat status;

	for (;;) {
		int fd = openat(tmp_dir, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 || flock(fd, LOCK_EX) != 0 || fstat(fd, &status) != 0 || status.st_nlink)
			return fd;
		close(fd);
	}
}

static const char *write_file(struct file *file)
{
	const char *failed = open_place(file->place, file->copy->make);

	if (failed)
		return failed;
	file->fd = create_file(file);
	if (file->fd < 0)
		return "create in tmp";
	file->in_tmp = true;
	if (!file_write(file->fd, buf_head(&file->copy->fields), file->copy->fields.len))
		return "write fields";
	if (!spool_message_copy(file->letter->message, file->fd))
		return "write content";
	/* Blocks are given out now, for all files of the batch, so that one commit of the journal
	 * holds them all: without it each fsync() has a commit of its own to wait for (ext4,
	 * delayed allocation; twice the messages a second). Only a hint: the fsync() tells what
	 * became of it. */
	sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return NULL;
}

static const char *sync_file(struct file *file)
{
	return fsync(file->fd) == 0 ? NULL : "fsync";
}

/* Never rename() alone, which would replace a message of that name. RENAME_NOREPLACE fails with
 * EEXIST as link() does, and needs no second call to clear tmp/. File systems that do not know it
 * (NFS) say EINVAL: there it is link(), and the name left in tmp/ is harmless at any time. */
static const char *publish_file(struct file *file)
{
	int tmp_dir = file->place->tmp_dir, new_dir = file->place->new_dir;

	if (renameat2(tmp_dir, file->name, new_dir, file->name, RENAME_NOREPLACE) == 0) {
		file->in_tmp = false;
	} else {
		if (errno != EINVAL && errno != ENOSYS)
			return "rename into new";
		if (linkat(tmp_dir, file->name, new_dir, file->name, 0) != 0)
			return "link into new";
	}
	file->in_new = true;
	file->place->used = true;
	return NULL;
}

static void each_file(struct batch *b, const char *(*step)(struct file *file))
{
	for (struct file *file = b->files; file < b->files + b->files_len; file++) {
		const char *failed = file->letter->error ? NULL : step(file);

		if (failed)
			fail(file, failed);
	}
}

/* What failed is in no folder, before the folders are synced: so that a power failure does not
 * bring it back. */
static void remove_failed(struct batch *b)
{
	for (struct file *file = b->files; file < b->files + b->files_len; file++) {
		if (!file->in_new || !file->letter->error)
			continue;
		unlinkat(file->place->new_dir, file->name, 0);
		file->in_new = false;
	}
}

static void sync_places(struct batch *b)
{
	for (struct place *place = b->places; place < b->places + b->places_len; place++) {
		int error;

		if (!place->used || fsync(place->new_dir) == 0)
			continue;
		error = errno;
		for (struct file *file = b->files; file < b->files + b->files_len; file++) {
			errno = error;
			if (file->place == place && file->in_new)
				fail(file, "fsync of new");
		}
	}
}

static void end_batch(struct batch *b)
{
	for (struct file *file = b->files; file < b->files + b->files_len; file++) {
		if (file->in_tmp)
			unlinkat(file->place->tmp_dir, file->name, 0);
		/* After fsync() a close() has nothing left to fail on. */
		if (file->fd >= 0)
			close(file->fd);
	}
	for (struct place *place = b->places; place < b->places + b->places_len; place++) {
		if (place->tmp_dir >= 0)
			close(place->tmp_dir);
		if (place->new_dir >= 0)
			close(place->new_dir);
	}
}

static void tell_ref(const struct file *file)
{
	struct maildir_letter *letter = file->letter;

	if (!letter->error && file->copy == letter->copies)
		snprintf(letter->ref, sizeof letter->ref, "%snew/%s",
			 letter->quarantine ? MAILDIR_QUARANTINE "/" : "", file->name);
}

void maildir_batch_store(struct maildir_letter *const *letters, size_t len, size_t files,
			 const char *host)
{
	struct batch b = {0};

	b.places = mem_new(files * sizeof *b.places);
	b.files = mem_new(files * sizeof *b.files);
	for (size_t i = 0; i < len; i++)
		add_letter(&b, letters[i], host);
	each_file(&b, write_file);
	each_file(&b, sync_file);
	each_file(&b, publish_file);
	remove_failed(&b);
	sync_places(&b);
	remove_failed(&b);
	end_batch(&b);
	for (size_t i = 0; i < b.files_len; i++)
		tell_ref(&b.files[i]);
	free(b.places);
	free(b.files);
}
