/* name_server: dnsmasq on the loopback, with records of the test's own and nobody to ask. */
#ifndef TESTS_NET_NAME_SERVER_H
#define TESTS_NET_NAME_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct name_server {
	pid_t pid;
	char address[32]; /* "127.0.0.1:port" */
};

/* Answers when this returns. `records`: options of dnsmasq, the last one NULL. False when dnsmasq
 * is not installed. */
bool name_server_start(struct name_server *s, const char *const *records);
void name_server_stop(struct name_server *s);

/* A UDP socket that nobody reads: a server that is there and does not answer. */
int name_server_deaf(char address[32]);

#endif
