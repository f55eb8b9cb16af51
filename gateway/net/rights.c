#include "rights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct right {
	uint64_t at; /* octet of the stream */
	int fd;
};

bool rights_add(struct rights *rights, size_t ahead, int fd)
{
	if (rights->n == RIGHTS_MAX) {
		close(fd);
		return false;
	}
	if (!rights->queue)
		rights->queue = mem_new(RIGHTS_MAX * sizeof *rights->queue);
	rights->queue[(rights->first + rights->n++) % RIGHTS_MAX] =
		(struct right){.at = rights->written + ahead, .fd = fd};
	return true;
}

static const struct right *next(const struct rights *rights, unsigned place)
{
	return place < rights->n ? &rights->queue[(rights->first + place) % RIGHTS_MAX] : NULL;
}

static void close_first(struct rights *rights)
{
	close(rights->queue[rights->first].fd);
	rights->first = (rights->first + 1) % RIGHTS_MAX;
	rights->n--;
}

ssize_t rights_send(struct rights *rights, int socket, char *data, size_t len)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec piece = {.iov_base = data, .iov_len = len};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
	const struct right *due = next(rights, 0), *later = due;
	ssize_t n;

	if (due && due->at == rights->written) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
		control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.header), &due->fd, sizeof(int));
		later = next(rights, 1);
	} else {
		due = NULL;
	}
	if (later && later->at - rights->written < len)
		piece.iov_len = (size_t)(later->at - rights->written);
	n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0) {
		rights->written += (uint64_t)n;
		if (due)
			close_first(rights);
	}
	return n;
}

void rights_drop(struct rights *rights)
{
	while (rights->n)
		close_first(rights);
	free(rights->queue);
	rights->queue = NULL;
}
