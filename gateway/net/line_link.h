/* line_link: a Unix stream socket that carries lines both ways.
 *
 * Output is collected during a loop turn and written once at its end. The writing buffer has a
 * ceiling: a peer that does not read does not make us grow. The callback runs only from the
 * loop. */
#ifndef NET_LINE_LINK_H
#define NET_LINE_LINK_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct line_link;

enum line_link_event {
	LINE_LINK_UP,	    /* connected (only for line_link_dial) */
	LINE_LINK_LINE,	    /* a line: see line_link_line() */
	LINE_LINK_WRITABLE, /* the writing buffer was full or half full and is empty again, or see
			     * line_link_want_empty() */
	LINE_LINK_DOWN,	    /* could not connect, closed by the peer, error, line too long:
			     * line_link_failure(). Nothing more comes; call line_link_free().
			     * A peer whose line was too long can be told so before */
};

/* Dials path without blocking. UP or DOWN follows from the loop. */
struct line_link *line_link_dial(struct ev_loop *loop, const char *path, size_t out_max,
				 void (*on_event)(void *arg, enum line_link_event event),
				 void *arg);
/* Takes over a connected, non-blocking descriptor. */
struct line_link *line_link_new(struct ev_loop *loop, int fd, size_t out_max,
				void (*on_event)(void *arg, enum line_link_event event), void *arg);
/* Closes now, frees after the loop turn, sets the pointer to NULL; no callback afterwards. */
void line_link_free(struct line_link **l);
/* During LINE_LINK_LINE: the line without its LF, NUL-terminated in place. */
char *line_link_line(struct line_link *l, size_t *len);
/* False when it does not fit; nothing of it is sent then. */
bool line_link_send(struct line_link *l, const char *data, size_t len);
/* The same, and the descriptor goes along with the first octet (at least one), by SCM_RIGHTS: the
 * peer gets it with the read that gets this octet, and the n-th one belongs to the n-th sending of
 * this kind. Takes fd over in any case: it is closed when the kernel has it, when the answer is
 * false, or when the link is freed or can write no more. False too when 256 wait. */
bool line_link_send_fd(struct line_link *l, const char *data, size_t len, int fd);
size_t line_link_room(const struct line_link *l);
/* Octets not yet with the kernel. */
size_t line_link_pending(const struct line_link *l);
/* WRITABLE comes once all of them are with the kernel, however few they are. */
void line_link_want_empty(struct line_link *l);
/* Gives the memory of an empty writing buffer back, which is kept for the next turn else. */
void line_link_release(struct line_link *l);
/* Stops or resumes reading (a peer whose lines we cannot take yet). */
void line_link_pause(struct line_link *l, bool pause);
/* Writes what is pending as far as possible now (before closing, after a last message). */
void line_link_flush(struct line_link *l);
/* "Connection refused", "line longer than 1048576 octets", "closed by the peer"; valid until
 * free. */
const char *line_link_failure(const struct line_link *l);
/* DOWN came because of a line that is too long: the peer's own fault, and it can still be told. */
bool line_link_is_too_long(const struct line_link *l);
/* The peer's uid (SO_PEERCRED); (uid_t)-1 when unknown. */
uid_t line_link_peer_uid(const struct line_link *l);
/* The same, before there is a link. */
uid_t line_link_descriptor_uid(int fd);

#endif
