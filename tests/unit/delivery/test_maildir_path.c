#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/maildir_path.h"

static void templates(void **state)
{
	static const struct {
		const char *path;
		bool is_template, is_valid;
		const char *root;
		unsigned depth;
	} rows[] = {
		{"/var/mail", false, false, NULL, 0},
		{"/var/mail/{domain}/{local}", true, true, "/var/mail", 2},
		{"/var/mail/{domain}", true, true, "/var/mail", 1},
		{"/var/mail/{local}@{domain}/Maildir", true, true, "/var/mail", 2},
		{"/var/mail/x-{local}", true, true, "/var/mail", 1},
		{"/var/mail//{domain}//{local}/", true, true, "/var/mail/", 2},
		{"/{domain}", true, true, "/", 1},
		{"/x{domain}", true, true, "/", 1},
		{"/{domain}/{domain}/a", true, true, "/", 3},
		{"mail/{domain}", true, false, NULL, 0},
		{"{domain}", true, false, NULL, 0},
		{"/mail/{user}", true, false, NULL, 0},
		{"/mail/{domain}/{", true, false, NULL, 0},
		{"/mail/{domain}/}", true, false, NULL, 0},
		{"/mail/{Domain}", true, false, NULL, 0},
		{"/mail/{{domain}}", true, false, NULL, 0},
		{"/mail/{}", true, false, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(maildir_path_is_template(rows[i].path), rows[i].is_template);
		assert_int_equal(maildir_path_is_valid(rows[i].path), rows[i].is_valid);
		if (!rows[i].root)
			continue;
		assert_int_equal(maildir_path_root(rows[i].path), strlen(rows[i].root));
		assert_memory_equal(rows[i].path, rows[i].root, strlen(rows[i].root));
		assert_int_equal(maildir_path_depth(rows[i].path), rows[i].depth);
	}
}

static void parts(void **state)
{
	static const struct {
		const char *value, *name, *lower;
	} rows[] = {
		{"bob", "bob", "bob"},
		{"Bob.Smith+news=1_2-3", "Bob.Smith+news=1_2-3", "bob.smith+news=1_2-3"},
		{"a@b", "a@b", "a@b"},
		{"", "%", "%"},
		{"%", "%25", "%25"},
		{"%2E", "%252E", "%252e"},
		{".", "%2E", "%2E"},
		{"..", "%2E.", "%2E."},
		{".ssh", "%2Essh", "%2Essh"},
		{"a.", "a.", "a."},
		{"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd", "%2E.%2F..%2Fetc%2Fpasswd"},
		{"/", "%2F", "%2F"},
		{"a\\b", "a%5Cb", "a%5Cb"},
		{"a b\"c", "a%20b%22c", "a%20b%22c"},
		{"a\r\n", "a%0D%0A", "a%0D%0A"},
		{"{local}", "%7Blocal%7D", "%7Blocal%7D"},
		{"j\xc3\xb6rg", "j%C3%B6rg", "j%C3%B6rg"},
		{"\xc3\x96", "%C3%96", "%C3%96"}, /* no lower case but ASCII's */
		{"[IPv6:::1]", "%5BIPv6%3A%3A%3A1%5D", "%5Bipv6%3A%3A%3A1%5D"},
		{"~*?$`!#&'|^", "%7E%2A%3F%24%60%21%23%26%27%7C%5E",
		 "%7E%2A%3F%24%60%21%23%26%27%7C%5E"},
	};
	char name[MAILDIR_PATH_PART_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].value);

		assert_true(maildir_path_part(rows[i].value, len, false, name));
		assert_string_equal(name, rows[i].name);
		assert_true(maildir_path_part(rows[i].value, len, true, name));
		assert_string_equal(name, rows[i].lower);
	}
	assert_true(maildir_path_part("a\0b", 3, false, name));
	assert_string_equal(name, "a%00b");
}

static void lengths(void **state)
{
	char value[300], name[MAILDIR_PATH_PART_MAX + 1];

	(void)state;
	memset(value, 'a', sizeof value);
	assert_true(maildir_path_part(value, 255, false, name));
	assert_int_equal(strlen(name), 255);
	assert_false(maildir_path_part(value, 256, false, name));
	memset(value, '/', sizeof value);
	assert_true(maildir_path_part(value, 85, false, name));
	assert_int_equal(strlen(name), 255);
	assert_false(maildir_path_part(value, 86, false, name));
}

static size_t decode(const char *name, char *out)
{
	size_t n = 0;

	if (strcmp(name, "%") == 0)
		return 0;
	for (; *name; name++) {
		char digits[3] = {0};

		if (*name != '%') {
			out[n++] = *name;
			continue;
		}
		memcpy(digits, name + 1, 2);
		out[n++] = (char)strtol(digits, NULL, 16);
		name += 2;
	}
	return n;
}

/* Whatever the octets: one part of a path, not hidden, and the octets can be told from it, so that
 * no two of them share it. */
static void any_octets(void **state)
{
	static const char favourites[] = "../\\%\0aZ0 @{}~\xff\n";
	char value[200], back[300], name[MAILDIR_PATH_PART_MAX + 1];
	unsigned seed = 20261125, refused = 0;

	(void)state;
	srand(seed);
	for (unsigned round = 0; round < 200000; round++) {
		size_t len = (size_t)rand() % (round % 100 ? 12 : sizeof value);

		for (size_t i = 0; i < len; i++)
			value[i] = rand() % 2 ? favourites[(size_t)rand() % (sizeof favourites - 1)]
					      : (char)rand();
		if (!maildir_path_part(value, len, false, name)) {
			assert_true(len > 85);
			refused++;
			continue;
		}
		assert_in_range(strlen(name), 1, MAILDIR_PATH_PART_MAX);
		assert_true(name[0] != '.');
		for (const char *p = name; *p; p++)
			assert_true(*p > ' ' && *p < 0x7f && *p != '/' && *p != '\\');
		assert_int_equal(decode(name, back), len);
		assert_memory_equal(back, value, len);
	}
	assert_true(refused > 0);
}

static void expect_path(const char *template, const char *local, const char *domain,
			const char *expected)
{
	struct maildir_address address = {local, strlen(local), domain, strlen(domain)};
	char *path = maildir_path_make(template, &address);

	if (expected) {
		assert_non_null(path);
		assert_string_equal(path, expected);
	} else {
		assert_null(path);
	}
	free(path);
}

static void paths(void **state)
{
	char local[90];

	(void)state;
	expect_path("/m/{domain}/{local}", "Bob", "Example.COM", "/m/example.com/Bob");
	expect_path("/m/{local}@{domain}/Maildir", "bob", "a.b", "/m/bob@a.b/Maildir");
	expect_path("/m/{domain}", "bob", "a.b", "/m/a.b");
	expect_path("/m/{domain}/{local}", "../..", "..", "/m/%2E./%2E.%2F..");
	expect_path("/m/{domain}/{local}", "", "", "/m/%/%");
	expect_path("/m/{domain}/{local}", "{domain}", "a", "/m/a/%7Bdomain%7D");
	memset(local, '/', sizeof local - 1);
	local[sizeof local - 1] = '\0';
	expect_path("/m/{local}", local, "a", NULL);
	local[84] = '\0';
	expect_path("/m/{local}{local}", local, "a", NULL); /* only together too long */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates),  cmocka_unit_test(parts), cmocka_unit_test(lengths),
		cmocka_unit_test(any_octets), cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
