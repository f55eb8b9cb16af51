#include "passed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_DESCRIPTOR 3
#define PASSED_MAX	 256
#define UNNAMED		 "unknown" /* as sd_listen_fds_with_names(3) calls them */

struct passed {
	char *name;
	int fd;
};

static struct passed sockets[PASSED_MAX];
static size_t sockets_len;
static bool is_known;

/* Names end at ':'; LISTEN_FDNAMES may have none, or fewer than there are descriptors. */
static char *take_name(const char **names)
{
	const char *at = *names;
	size_t len = at ? strcspn(at, ":") : 0;

	if (!len) {
		if (at && *at)
			++*names;
		return mem_copy_string(UNNAMED);
	}
	*names = at + len + (at[len] == ':');
	return mem_copy_bytes(at, len);
}

void passed_read(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"),
		   *names = getenv("LISTEN_FDNAMES");
	long n = count ? strtol(count, NULL, 10) : 0;

	is_known = true;
	if (!pid || strtol(pid, NULL, 10) != getpid())
		n = 0;
	for (long i = 0; i < n && sockets_len < PASSED_MAX; i++) {
		int fd = FIRST_DESCRIPTOR + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			continue;
		sockets[sockets_len++] = (struct passed){.name = take_name(&names), .fd = fd};
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

bool passed_is_known(void)
{
	return is_known;
}

int passed_socket(const char *name, size_t n)
{
	for (size_t i = 0; i < sockets_len; i++) {
		if (strcmp(sockets[i].name, name) == 0 && n-- == 0)
			return sockets[i].fd;
	}
	return -1;
}

static bool is_first(size_t place)
{
	for (size_t i = 0; i < place; i++) {
		if (strcmp(sockets[i].name, sockets[place].name) == 0)
			return false;
	}
	return true;
}

const char *passed_names(char *out, size_t size)
{
	size_t at = 0;

	snprintf(out, size, "none");
	for (size_t i = 0; i < sockets_len && at < size; i++) {
		if (is_first(i))
			at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "",
					       sockets[i].name);
	}
	return out;
}

void passed_close(void)
{
	while (sockets_len) {
		close(sockets[--sockets_len].fd);
		free(sockets[sockets_len].name);
	}
}
