#include "letterbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/spool.h"
#include "scratch.h"

struct letterbox letterbox;

int letterbox_setup(void **state)
{
	(void)state;
	letterbox.dir = scratch_new();
	letterbox.inbox = strdup(scratch_path(letterbox.dir, "a/b/inbox"));
	letterbox.tmp = strdup(scratch_path(letterbox.inbox, "tmp"));
	letterbox.new = strdup(scratch_path(letterbox.inbox, "new"));
	letterbox.quarantine = false;
	letterbox_open(LETTERBOX_HOST);
	return 0;
}

int letterbox_teardown(void **state)
{
	(void)state;
	scratch_limit_files(0);
	maildir_free(&letterbox.maildir);
	assert_null(letterbox.maildir);
	free(letterbox.inbox);
	free(letterbox.tmp);
	free(letterbox.new);
	scratch_remove(letterbox.dir);
	return 0;
}

void letterbox_open(const char *host)
{
	char error[200] = "";

	maildir_free(&letterbox.maildir);
	letterbox.maildir = maildir_new(letterbox.inbox, host, error, sizeof error);
	assert_string_equal(error, "");
	assert_non_null(letterbox.maildir);
}

static void address(struct maildir_letter *letter, const char *id,
		    const struct spool_message *message)
{
	static const struct hook_mailbox sender = {.address = {"sender@example.com", 18}};
	static const struct hook_mailbox recipients[] = {{.address = {"ann@example.org", 15}},
							 {.address = {"bob@example.org", 15}}};
	struct delivery_envelope envelope = {.transaction = id,
					     .sender = &sender,
					     .recipients = recipients,
					     .recipients_len = 2,
					     .received = LETTERBOX_RECEIVED,
					     .quarantine = letterbox.quarantine};

	maildir_letter_init(letter, letterbox.maildir, &envelope, message);
}

void letterbox_post(struct letterbox_post *post, const char *id, const char *data, size_t len)
{
	static struct spool spool;

	spool.dir = letterbox.dir;
	post->message = spool_message_new(&spool, id);
	assert_true(spool_message_append(post->message, data, len));
	address(&post->letter, id, post->message);
	assert_int_equal(post->letter.error, 0);
}

void letterbox_collect(struct letterbox_post *posts, size_t len)
{
	struct maildir_letter *letters[LETTERBOX_POSTS] = {0};

	for (size_t i = 0; i < len; i++)
		letters[i] = &posts[i].letter;
	maildir_store(letterbox.maildir, letters, len);
	for (size_t i = 0; i < len; i++) {
		maildir_letter_fini(&posts[i].letter);
		spool_message_free(&posts[i].message);
	}
}

int letterbox_store(const char *id, const char *data, size_t len, char ref[128])
{
	struct letterbox_post post;

	letterbox_post(&post, id, data, len);
	letterbox_collect(&post, 1);
	snprintf(ref, 128, "%.127s", post.letter.ref);
	return post.letter.error;
}
