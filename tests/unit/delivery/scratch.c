#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

bool scratch_allow_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

char *scratch_new(void)
{
	char *dir = strdup("/tmp/gatepost-unit-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)at;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

void scratch_remove(char *dir)
{
	assert_int_equal(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

char *scratch_path(const char *dir, const char *name)
{
	static char paths[4][1024];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", dir, name);
	return path;
}

static unsigned list_folder(const char *dir, char **last)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(entries);
	while ((entry = readdir(entries))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		n++;
		if (last) {
			free(*last);
			*last = strdup(entry->d_name);
		}
	}
	closedir(entries);
	return n;
}

unsigned scratch_count(const char *dir)
{
	return list_folder(dir, NULL);
}

char *scratch_only(const char *dir)
{
	char *name = NULL;

	assert_int_equal(list_folder(dir, &name), 1);
	return name;
}

char *scratch_read(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	char *data;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	*len = (size_t)status.st_size;
	data = malloc(*len + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *len, file), *len);
	data[*len] = '\0';
	fclose(file);
	return data;
}

void scratch_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void scratch_limit_files(size_t octets)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets ? octets : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
