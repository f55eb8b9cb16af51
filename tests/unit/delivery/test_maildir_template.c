/* A Maildir for each recipient. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/maildir.h"
#include "delivery/spool.h"
#include "scratch.h"

#define ID	 "01JD9Z8K3X7F4Y5N0001"
#define RECEIVED "Received: by b\r\n"
#define LEFT	 "1700000000.M000001P1Q01JD9Z8K3X7F4Y5N0001.mx1.example.org,S=10"

static char *dir;
static struct maildir *maildir;
static char failing; /* f fsync of a file, d of a folder named new, r rename; the second of it */
static unsigned seen;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

static bool fails(char name)
{
	errno = ENOSPC;
	return name == failing && ++seen == 2;
}

int __wrap_fsync(int fd)
{
	char link[40], path[300] = "";
	struct stat status;

	fstat(fd, &status);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (S_ISREG(status.st_mode))
		return fails('f') ? -1 : __real_fsync(fd);
	assert_true(readlink(link, path, sizeof path - 1) > 0);
	if (strcmp(path + strlen(path) - 4, "/new") == 0 && fails('d'))
		return -1;
	return __real_fsync(fd);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return fails('r') ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

static struct maildir *open_template(const char *template, char error[300])
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s", dir, template);
	return maildir_new(path, "MX1.example.org", error, 300);
}

static int setup(void **state)
{
	char error[300] = "";

	(void)state;
	failing = 0;
	dir = scratch_new();
	assert_int_equal(mkdir(scratch_path(dir, "mail"), 0755), 0);
	maildir = open_template("mail/{domain}/{local}", error);
	assert_string_equal(error, "");
	assert_non_null(maildir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	maildir_free(&maildir);
	scratch_remove(dir);
	return 0;
}

/* The local part is without its quoting in `local`, as the path parser hands it over. */
static struct hook_mailbox mailbox_of(const char *address, char *local)
{
	const char *at = strrchr(address, '@'), *end = at ? at : address + strlen(address);
	bool quoted = end - address >= 2 && *address == '"' && end[-1] == '"';
	size_t n = 0;

	for (const char *p = quoted ? address + 1 : address; p < (quoted ? end - 1 : end); p++) {
		if (quoted && *p == '\\' && p + 1 < end - 1)
			p++;
		local[n++] = *p;
	}
	return (struct hook_mailbox){
		.address = {address, strlen(address)},
		.local = {local, n},
		.domain = {at ? at + 1 : "", at ? strlen(at + 1) : 0},
	};
}

static int store(const char *const *recipients, bool quarantine)
{
	static const struct hook_mailbox sender = {.address = {"s@example.com", 13}};
	struct hook_mailbox mailboxes[8];
	char locals[8][512];
	struct delivery_envelope envelope = {.transaction = ID,
					     .sender = &sender,
					     .recipients = mailboxes,
					     .received = RECEIVED,
					     .quarantine = quarantine};
	struct spool spool = {.dir = dir};
	struct spool_message *message = spool_message_new(&spool, ID);
	struct maildir_letter letter, *letters[] = {&letter};

	seen = 0;
	for (size_t n = 0; recipients[n]; n = envelope.recipients_len) {
		assert_true(n < 8 && strlen(recipients[n]) < sizeof locals[n]);
		mailboxes[n] = mailbox_of(recipients[n], locals[n]);
		envelope.recipients_len++;
	}
	assert_true(spool_message_append(message, "content", 7));
	maildir_letter_init(&letter, maildir, &envelope, message);
	maildir_store(maildir, letters, 1);
	maildir_letter_fini(&letter);
	spool_message_free(&message);
	return letter.error;
}

/* The only message there is in this Maildir, for these. */
static void expect_message(const char *folder, const char *delivered_to)
{
	char path[300], expected[300], *name, *content;
	size_t len;

	snprintf(path, sizeof path, "%s/mail/%s/tmp", dir, folder);
	assert_int_equal(scratch_count(path), 0);
	snprintf(path, sizeof path, "%s/mail/%s/new", dir, folder);
	name = scratch_only(path);
	content = scratch_read(scratch_path(path, name), &len);
	snprintf(expected, sizeof expected, "Return-Path: <s@example.com>\r\n%s" RECEIVED "content",
		 delivered_to);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(content, expected, len);
	free(content);
	free(name);
}

static void each_has_its_own(void **state)
{
	static const char *const recipients[] = {"bob@Example.com", "ann@example.com",
						 "bob@example.org", NULL};
	struct stat status;

	(void)state;
	assert_int_equal(store(recipients, false), 0);
	expect_message("example.com/bob", "Delivered-To: bob@Example.com\r\n");
	expect_message("example.com/ann", "Delivered-To: ann@example.com\r\n");
	expect_message("example.org/bob", "Delivered-To: bob@example.org\r\n");
	assert_int_equal(stat(scratch_path(dir, "mail/example.com"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path(dir, "mail/example.com/bob"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
}

static void one_folder_one_file(void **state)
{
	static const char *const recipients[] = {
		"bob@example.com", "ann@a.b", "\"bob\"@EXAMPLE.com", "\"b\\ob\"@example.com", NULL};

	(void)state;
	assert_int_equal(store(recipients, false), 0);
	expect_message("example.com/bob", "Delivered-To: bob@example.com\r\n"
					  "Delivered-To: \"bob\"@EXAMPLE.com\r\n"
					  "Delivered-To: \"b\\ob\"@example.com\r\n");
	expect_message("a.b/ann", "Delivered-To: ann@a.b\r\n");
}

static void addresses_that_would_escape(void **state)
{
	static const struct {
		const char *address, *folder;
	} rows[] = {
		{"\"../../../../tmp/x\"@a.b", "a.b/%2E.%2F..%2F..%2F..%2Ftmp%2Fx"},
		{"\"..\"@..", "%2E./%2E."},
		{"\"\"@a.b", "a.b/%"},
		{"\"a@b\"@c", "c/a@b"},
		{"Postmaster", "mx1.example.org/Postmaster"},
		{"x@[192.0.2.1]", "%5B192.0.2.1%5D/x"},
		{"new@a.b", "a.b/new"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *const recipients[] = {rows[i].address, NULL};
		char line[100];

		snprintf(line, sizeof line, "Delivered-To: %s\r\n", rows[i].address);
		assert_int_equal(store(recipients, false), 0);
		expect_message(rows[i].folder, line);
	}
	assert_int_equal(scratch_count(dir), 1);
	assert_int_equal(scratch_count(scratch_path(dir, "mail")), 5);
}

static void quarantine_of_each(void **state)
{
	static const char *const recipients[] = {"bob@a.b", "ann@a.b", NULL};

	(void)state;
	assert_int_equal(store(recipients, true), 0);
	expect_message("a.b/bob/.Quarantine", "Delivered-To: bob@a.b\r\n");
	expect_message("a.b/ann/.Quarantine", "Delivered-To: ann@a.b\r\n");
}

/* In all folders or in none. */
static void all_or_nothing(void **state)
{
	static const char *const recipients[] = {"a@x", "b@x", "c@x", NULL};
	static const char faults[] = "frd";

	(void)state;
	assert_int_equal(store(recipients, false), 0);
	for (const char *fault = faults; *fault; fault++) {
		failing = *fault;
		assert_int_equal(store(recipients, false), ENOSPC);
		assert_true(seen >= 2);
		failing = 0;
		for (size_t i = 0; recipients[i]; i++) {
			char path[300];

			snprintf(path, sizeof path, "%s/mail/x/%c/new", dir, recipients[i][0]);
			assert_int_equal(scratch_count(path), 1);
			snprintf(path, sizeof path, "%s/mail/x/%c/tmp", dir, recipients[i][0]);
			assert_int_equal(scratch_count(path), 0);
		}
	}
}

static void folder_that_cannot_be(void **state)
{
	static const char *const recipients[] = {"a@x", "b@y", NULL};
	static const char *const other[] = {"a@x", NULL};

	(void)state;
	scratch_write(scratch_path(dir, "mail/y"), "");
	assert_int_equal(store(recipients, false), ENOTDIR);
	assert_int_equal(scratch_count(scratch_path(dir, "mail/x/a/new")), 0);
	assert_int_equal(store(other, false), 0);
}

static void names_too_long(void **state)
{
	char address[400] = "\"";
	const char *const recipients[] = {"a@x", address, NULL};

	(void)state;
	memset(address + 1, '/', 90);
	snprintf(address + 91, 10, "\"@x");
	assert_int_equal(store(recipients, false), ENAMETOOLONG);
	assert_int_equal(scratch_count(scratch_path(dir, "mail")), 0);
}

/* A disk that is not mounted is not filled below. */
static void root_is_never_made(void **state)
{
	static const char *const recipients[] = {"a@x", NULL};
	char error[300];

	(void)state;
	assert_int_equal(rmdir(scratch_path(dir, "mail")), 0);
	assert_int_equal(store(recipients, false), ENOENT);
	assert_int_equal(scratch_count(dir), 0);
	assert_null(open_template("mail/{domain}", error));
	assert_non_null(strstr(error, "/mail: No such file or directory"));
	assert_null(open_template("{user}", error));
	assert_non_null(strstr(error, "only {domain} and {local}"));
	assert_int_equal(mkdir(scratch_path(dir, "mail"), 0755), 0);
	assert_int_equal(store(recipients, false), 0);
}

static void all_are_swept(void **state)
{
	static const char *const recipients[] = {"a@x", "b@y", NULL};
	static const char *const folders[] = {"mail/x/a/tmp", "mail/y/b/tmp",
					      "mail/x/a/.Quarantine/tmp"};

	(void)state;
	assert_int_equal(store(recipients, false), 0);
	assert_int_equal(store(recipients, true), 0);
	for (size_t i = 0; i < 3; i++)
		scratch_write(scratch_path(scratch_path(dir, folders[i]), LEFT), "x");
	scratch_write(scratch_path(dir, "mail/x/a/new/" LEFT), "x");
	scratch_write(scratch_path(dir, "mail/x/file"), "x");
	maildir_free(&maildir);
	maildir = open_template("mail/{domain}/{local}", (char[300]){0});
	maildir_end_sweep(maildir);
	maildir_sweep(maildir); /* which is over before it begins */
	assert_int_equal(scratch_count(scratch_path(dir, folders[0])), 1);
	maildir_free(&maildir);
	maildir = maildir_new(scratch_path(dir, "mail/{domain}/{local}"), "mx1.example.org",
			      (char[300]){0}, 300);
	maildir_sweep(maildir);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(scratch_count(scratch_path(dir, folders[i])), 0);
	assert_int_equal(scratch_count(scratch_path(dir, "mail/x/a/new")), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_has_its_own),	  TEST(one_folder_one_file),
		TEST(quarantine_of_each), TEST(addresses_that_would_escape),
		TEST(all_or_nothing),	  TEST(folder_that_cannot_be),
		TEST(names_too_long),	  TEST(root_is_never_made),
		TEST(all_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
