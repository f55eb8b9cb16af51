/* fake_service: a policy service under the test's control, on the loop of the test.
 *
 * It registers when greeted, answers each request with a template, or keeps silent and lets the
 * test send whatever it likes. Every line it gets is kept. */
#ifndef FAKE_SERVICE_H
#define FAKE_SERVICE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#define FAKE_PEERS_MAX 16
#define FAKE_FDS_MAX   8

struct fake_service;

struct fake_peer {
	struct fake_service *service;
	int fd; /* -1: closed */
	ev_io io;
	char *partial;
	size_t partial_len;
};

struct fake_service {
	struct ev_loop *loop;
	const char *path;
	const char *registration; /* sent when greeted; NULL: nothing */
	bool deaf;		  /* does not answer a ping */
	const char *reply;	  /* sent for each request, ID being its id; NULL: nothing */

	int fd;
	ev_io io;
	struct fake_peer peers[FAKE_PEERS_MAX];
	size_t peers_len; /* accepted so far */
	char **lines;
	size_t lines_len;
	int fds[FAKE_FDS_MAX]; /* that came along, the fake's */
	size_t fds_len;
};

#define FAKE_REPLY(fields) "{\"type\":\"reply\",\"id\":ID," fields "}\n"
#define FAKE_ACCEPT	   "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\"}\n"

void fake_init(struct fake_service *fake, struct ev_loop *loop, const char *path);
/* Listens; again after fake_stop(). */
void fake_listen(struct fake_service *fake);
/* Closes everything; the lines stay. */
void fake_stop(struct fake_service *fake);
void fake_fini(struct fake_service *fake);
/* Closes the connections, listens on. */
void fake_hang_up(struct fake_service *fake);
/* Reads no more on the newest connection, or reads again. */
void fake_pause(struct fake_service *fake, bool pause);
/* To the newest connection, as it is. */
void fake_send(struct fake_service *fake, const char *data, size_t len);
/* The same, with ID replaced. */
void fake_answer(struct fake_service *fake, const char *text, long id);
/* How many lines contain the words. */
size_t fake_count(const struct fake_service *fake, const char *words);
/* The n-th such line, from 0; NULL when there is none. */
const char *fake_line(const struct fake_service *fake, const char *words, size_t n);
/* The id in the n-th request, from 0; 0 when there is none. */
long fake_id(const struct fake_service *fake, size_t n);

#endif
