#include "handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

bool handover_open(int ends[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0;
}

bool handover_send(int channel, const char *text, int fd)
{
	union control control = {0};
	char copy[HANDOVER_TEXT_MAX];
	struct iovec piece = {.iov_base = copy, .iov_len = strnlen(text, sizeof copy)};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

	memcpy(copy, text, piece.iov_len);
	if (fd >= 0) {
		control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool handover_receive(int channel, char text[static HANDOVER_TEXT_MAX + 1], int *fd, bool *gone)
{
	union control control;
	struct iovec piece = {.iov_base = text, .iov_len = HANDOVER_TEXT_MAX};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof control.space};
	const struct cmsghdr *header;
	ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	*gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n <= 0)
		return false;
	text[n] = '\0';
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(int));
	return true;
}
