#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

void notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len > sizeof name.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(name.sun_path, path, len);
	if (path[0] == '@') /* a name without a file */
		name.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&name,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_debug("the service manager could not be told: %s", text);
	close(fd);
}

double notify_watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long usec = time ? strtoll(time, NULL, 10) : 0;

	if (usec <= 0 || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return (double)usec / 1e6;
}
