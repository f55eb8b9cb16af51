/* listening: sockets that a test listens on, and connections to them. */
#ifndef TEST_LISTENING_H
#define TEST_LISTENING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "net/listener.h"

static inline int listening_on(const char *text)
{
	struct address address;
	char error[256];
	int fd;

	assert_true(address_parse(text, &address));
	fd = listener_bind(&address, false, error, sizeof error);
	if (fd < 0)
		fail_msg("%s", error);
	return fd;
}

static inline int listening_on_path(const char *path)
{
	char text[128];

	snprintf(text, sizeof text, "unix:%s", path);
	return listening_on(text);
}

static inline void listening_address(int fd, struct address *address)
{
	address->len = sizeof address->storage;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address->storage, &address->len), 0);
}

static inline int listening_dial(const struct address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0);
	return fd;
}

#endif
