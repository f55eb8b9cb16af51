#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shape.h"

static bool fail(struct gatepost_error *error, const char *what, const char *path)
{
	return gatepost_shape_fail(error, "system", "%.128s: %s: %s", path, what,
				   strerrordesc_np(errno));
}

/* Removes a socket that nobody serves any more. */
static bool remove_dead(const struct sockaddr_un *address, struct gatepost_error *error)
{
	struct stat about;
	int fd, result;

	if (lstat(address->sun_path, &about) < 0)
		return errno == ENOENT || fail(error, "lstat", address->sun_path);
	errno = EEXIST;
	if (!S_ISSOCK(about.st_mode))
		return fail(error, "not a socket", address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(error, "socket", address->sun_path);
	result = connect(fd, (const struct sockaddr *)address, sizeof *address);
	if (result == 0)
		errno = EADDRINUSE;
	if (result < 0 && errno == ECONNREFUSED)
		result = unlink(address->sun_path) < 0 ? -1 : 1;
	close(fd);
	return result == 1 || fail(error, "another service", address->sun_path);
}

/* Under a name that nobody looks for. */
static int listen_aside(const struct sockaddr_un *address, struct gatepost_error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(address->sun_path); /* of a process that died with our number */
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
	    chmod(address->sun_path, 0660) < 0 || listen(fd, 64) < 0) {
		fail(error, "listen", address->sun_path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool publish(const struct sockaddr_un *aside, const struct sockaddr_un *address,
		    struct gatepost_error *error)
{
	for (int tries = 0; tries < 3; tries++) {
		if (renameat2(AT_FDCWD, aside->sun_path, AT_FDCWD, address->sun_path,
			      RENAME_NOREPLACE) == 0)
			return true;
		if (errno != EEXIST)
			break;
		if (!remove_dead(address, error))
			return false;
	}
	return fail(error, "listen", address->sun_path);
}

/* The socket gets its name when it listens: a bound one that does not yet looks dead, and another
 * service that starts at the same time would remove it. */
int gatepost_listen(const char *path, struct gatepost_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}, aside = address;
	int fd, len = snprintf(aside.sun_path, sizeof aside.sun_path, "%s.%d", path, (int)getpid());

	if (len < 0 || (size_t)len >= sizeof aside.sun_path) {
		gatepost_shape_fail(error, "usage", "the path of the socket is too long");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = listen_aside(&aside, error);
	if (fd < 0)
		return -1;
	if (publish(&aside, &address, error))
		return fd;
	unlink(aside.sun_path);
	close(fd);
	return -1;
}
