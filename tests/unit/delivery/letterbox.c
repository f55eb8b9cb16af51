#include "letterbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
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

int letterbox_store(const char *id, const char *data, size_t len, char ref[128])
{
	static const struct hook_mailbox sender = {.address = {"sender@example.com", 18}};
	static const struct hook_mailbox recipients[] = {{.address = {"ann@example.org", 15}},
							 {.address = {"bob@example.org", 15}}};
	struct delivery_envelope envelope = {.transaction = id,
					     .sender = &sender,
					     .recipients = recipients,
					     .recipients_len = 2,
					     .received = LETTERBOX_RECEIVED};
	struct spool spool = {.dir = letterbox.dir};
	struct spool_message *m = spool_message_new(&spool, id);
	struct buf fields;
	int error;

	assert_true(spool_message_append(m, data, len));
	buf_init(&fields, 100000);
	assert_true(maildir_fields(&envelope, &fields));
	error = maildir_store(letterbox.maildir, id, letterbox.quarantine, &fields, m, ref, 128);
	buf_fini(&fields);
	spool_message_free(&m);
	return error;
}
