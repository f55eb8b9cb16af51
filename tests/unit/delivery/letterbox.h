/* letterbox: an empty Maildir for each test, and messages for it. */
#ifndef LETTERBOX_H
#define LETTERBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "delivery/maildir.h"

#define LETTERBOX_HOST	   "mx1.example.org"
#define LETTERBOX_ID	   "01JD9Z8K3X7F4Y5N0001"
#define LETTERBOX_RECEIVED "Received: from a\r\n\tby b; Tue, 24 Nov 2026 11:03:15 +0000\r\n"

extern struct letterbox {
	char *dir, *inbox, *tmp, *new;
	struct maildir *maildir;
	bool quarantine; /* what is stored goes there */
} letterbox;

int letterbox_setup(void **state);
int letterbox_teardown(void **state);
/* Opens the Maildir, again if need be, as a process on that host does at its start. */
void letterbox_open(const char *host);
#define LETTERBOX_POSTS 200

struct letterbox_post {
	struct maildir_letter letter;
	struct spool_message *message;
};

/* A letter of that content, from sender@example.com to ann@ and bob@example.org. */
void letterbox_post(struct letterbox_post *post, const char *id, const char *data, size_t len);
/* maildir_store() of them together; what stays of each is its letter's error and ref. */
void letterbox_collect(struct letterbox_post *posts, size_t len);
/* Both for one letter; its error. */
int letterbox_store(const char *id, const char *data, size_t len, char ref[128]);

#endif
