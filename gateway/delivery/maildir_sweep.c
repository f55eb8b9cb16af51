/* The sweep of all Maildirs that a template can have. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "delivery/maildir.h"
#include "delivery/maildir_path.h"
#include "maildir_inside.h"

static void sweep_maildir(const struct maildir *m, const char *path)
{
	static const char *const names[] = {"", MAILDIR_QUARANTINE};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct maildir_folder folder;
		const char *failed = NULL;

		maildir_folder_init(&folder, path, names[i], m->root_len);
		if (access(folder.tmp, F_OK) == 0)
			failed = maildir_folder_sweep(&folder, m->host);
		if (failed)
			log_warning("maildir: %s is not swept: %s", failed, strerror(errno));
		maildir_folder_fini(&folder);
	}
}

/* Our folders have no dot at the start; what has one is somebody else's, and "." and "..". */
static void sweep_below(struct maildir *m, const char *path, unsigned depth)
{
	DIR *entries = depth ? opendir(path) : NULL;
	struct dirent *entry;

	if (!depth)
		sweep_maildir(m, path);
	while (entries && !atomic_load(&m->ending) && (entry = readdir(entries))) {
		size_t size = strlen(path) + strlen(entry->d_name) + 2;
		char *below;

		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		below = mem_new(size);
		snprintf(below, size, "%s/%s", path, entry->d_name);
		sweep_below(m, below, depth - 1);
		free(below);
	}
	if (entries)
		closedir(entries);
}

void maildir_sweep(struct maildir *m)
{
	char *root;

	if (!m->template)
		return;
	root = mem_copy_bytes(m->path, m->root_len);
	sweep_below(m, root, maildir_path_depth(m->path));
	free(root);
}

void maildir_end_sweep(struct maildir *m)
{
	atomic_store(&m->ending, true);
}
