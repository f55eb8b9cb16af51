#include "smtp/smtp_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* The base64 of the text. */
static const char *encode(struct buf *out, const char *text, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buf_init(out, 65536);
	for (size_t i = 0; i < len; i += 3) {
		unsigned group = (unsigned)(unsigned char)text[i] << 16;
		char four[4];

		if (i + 1 < len)
			group |= (unsigned)(unsigned char)text[i + 1] << 8;
		if (i + 2 < len)
			group |= (unsigned char)text[i + 2];
		for (int n = 0; n < 4; n++)
			four[n] = digits[group >> (18 - 6 * n) & 63];
		if (i + 1 >= len)
			four[2] = '=';
		if (i + 2 >= len)
			four[3] = '=';
		buf_append(out, four, 4);
	}
	buf_append(out, "", 1);
	return buf_head(out);
}

static struct octets octets(const char *text)
{
	return (struct octets){text, text ? strlen(text) : 0};
}

static enum smtp_auth_result begin(struct smtp_auth *a, const char *mechanism, const char *initial)
{
	*a = (struct smtp_auth){0};
	assert_non_null(smtp_auth_find(octets(mechanism)));
	return smtp_auth_begin(a, smtp_auth_find(octets(mechanism)), octets(initial));
}

static void expect_octets(struct octets got, const char *wanted)
{
	if (!wanted) {
		assert_null(got.data);
		return;
	}
	assert_non_null(got.data);
	assert_int_equal(got.len, strlen(wanted));
	assert_memory_equal(got.data, wanted, got.len);
}

#define TEXT(text) (text), sizeof(text) - 1

static const struct {
	const char *mechanism, *message;
	size_t len;
	const char *authzid, *user, *password, *token;
} good[] = {
	{"PLAIN", TEXT("\0alice\0secret"), "", "alice", "secret", NULL},
	{"plain", TEXT("bob\0alice\0s"), "bob", "alice", "s", NULL},
	{"PLAIN", TEXT("\0a\xc3\xa4\0\xff \x01="), "", "a\xc3\xa4", "\xff \x01=", NULL},
	{"XOAUTH2", TEXT("user=alice@example.com\1auth=Bearer ya29.x==\1\1"), NULL,
	 "alice@example.com", NULL, "ya29.x=="},
	{"xoauth2", TEXT("USER=a\1Auth=bearer   t\1\1"), NULL, "a", NULL, "t"},
	/* the examples of RFC 7628 section 4 */
	{"OAUTHBEARER",
	 TEXT("n,a=user@example.com,\1host=server.example.com\1port=143\1"
	      "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
	 NULL, "user@example.com", NULL, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
	{"OAUTHBEARER", TEXT("y,,\1auth=Bearer t\1\1"), NULL, "", NULL, "t"},
	{"OAUTHBEARER", TEXT("n,a=x=2Cy=3Dz,\1auth=Bearer t\1host=h\1\1"), NULL, "x,y=z", NULL,
	 "t"},
};

static void accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct smtp_auth a;
		struct buf text;
		const char *line = encode(&text, good[i].message, good[i].len);

		for (int initial = 0; initial < 2; initial++) {
			if (initial) {
				assert_int_equal(begin(&a, good[i].mechanism, line),
						 SMTP_AUTH_DONE);
			} else {
				assert_int_equal(begin(&a, good[i].mechanism, NULL),
						 SMTP_AUTH_MORE);
				assert_string_equal(a.challenge, "");
				assert_int_equal(smtp_auth_take(&a, octets(line)), SMTP_AUTH_DONE);
			}
			assert_string_equal(a.facts.mechanism, smtp_auth_name(a.mechanism));
			expect_octets(a.facts.authzid, good[i].authzid);
			expect_octets(a.facts.user, good[i].user);
			expect_octets(a.facts.password, good[i].password);
			expect_octets(a.facts.token, good[i].token);
			smtp_auth_fini(&a);
		}
		buf_fini(&text);
	}
}

static const struct {
	const char *mechanism, *message;
	size_t len;
} bad[] = {
	{"PLAIN", TEXT("")},
	{"PLAIN", TEXT("alice")},
	{"PLAIN", TEXT("\0alice")},
	{"PLAIN", TEXT("\0alice\0")},
	{"PLAIN", TEXT("\0\0secret")},
	{"PLAIN", TEXT("\0alice\0secret\0")},
	{"PLAIN", TEXT("\0alice\0sec\0ret")},
	{"LOGIN", TEXT("")},
	{"LOGIN", TEXT("al\0ice")},
	{"XOAUTH2", TEXT("")},
	{"XOAUTH2", TEXT("user=a\1auth=Bearer t\1")},
	{"XOAUTH2", TEXT("user=a\1auth=Bearer t\1\1\1")},
	{"XOAUTH2", TEXT("user=a\1auth=Bearer t")},
	{"XOAUTH2", TEXT("user=\1auth=Bearer t\1\1")},
	{"XOAUTH2", TEXT("user=a\1auth=Bearer \1\1")},
	{"XOAUTH2", TEXT("user=a\1auth=Basic t\1\1")},
	{"XOAUTH2", TEXT("user=a\1auth=\1\1")},
	{"XOAUTH2", TEXT("user=a\1\1")},
	{"XOAUTH2", TEXT("user=a\1auth=Bearer t\0\1\1")},
	{"XOAUTH2", TEXT("user=a\0b\1auth=Bearer t\1\1")},
	{"XOAUTH2", TEXT("auth=Bearer t\1user=a\1\1")},
	{"OAUTHBEARER", TEXT("")},
	{"OAUTHBEARER", TEXT("n,,")},
	{"OAUTHBEARER", TEXT("n,,\1\1")},
	{"OAUTHBEARER", TEXT("n,,\1auth=\1\1")},
	{"OAUTHBEARER", TEXT("n,,\1auth=Bearer t\1")},
	{"OAUTHBEARER", TEXT("n,,\1auth=Bearer t")},
	{"OAUTHBEARER", TEXT("n,,\1auth=Bearer t\1\1x")},
	{"OAUTHBEARER", TEXT("n,,\1auth=Bearer t\1auth=Bearer u\1\1")},
	{"OAUTHBEARER", TEXT("n,,x\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("n,x,\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("n,a=x=2cy=,\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("n,a=x=2,\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("n,a=x\0,\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("p=tls-unique,,\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("\1auth=Bearer t\1\1")},
	{"OAUTHBEARER", TEXT("n,,\1auth=Bearer t\0\1\1")},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct smtp_auth a;
		struct buf text;
		const char *line = encode(&text, bad[i].message, bad[i].len);

		if (begin(&a, bad[i].mechanism, bad[i].len ? line : "=") != SMTP_AUTH_BAD_MESSAGE)
			fail_msg("%s %s", bad[i].mechanism, line);
		smtp_auth_fini(&a);
		begin(&a, bad[i].mechanism, NULL);
		assert_int_equal(smtp_auth_take(&a, octets(line)), SMTP_AUTH_BAD_MESSAGE);
		smtp_auth_fini(&a);
		buf_fini(&text);
	}
}

/* What follows the prefix ends the message nowhere else: no part of a good one is good. */
static void needs_all_of_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		bool plain = strcasecmp(good[i].mechanism, "PLAIN") == 0;

		for (size_t len = 0; len < good[i].len; len++) {
			struct smtp_auth a;
			struct buf text;
			const char *line = encode(&text, good[i].message, len);
			enum smtp_auth_result result =
				begin(&a, good[i].mechanism, len ? line : "=");

			if (result == SMTP_AUTH_DONE)
				assert_true(plain && a.facts.password.len);
			else
				assert_int_equal(result, SMTP_AUTH_BAD_MESSAGE);
			smtp_auth_fini(&a);
			buf_fini(&text);
		}
	}
}

static void asks_twice_for_login(void **state)
{
	struct smtp_auth a;

	(void)state;
	assert_int_equal(begin(&a, "LOGIN", NULL), SMTP_AUTH_MORE);
	assert_string_equal(a.challenge, "VXNlcm5hbWU6");
	assert_int_equal(smtp_auth_take(&a, octets("YWxpY2U=")), SMTP_AUTH_MORE);
	assert_string_equal(a.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(smtp_auth_take(&a, octets("c2VjcmV0")), SMTP_AUTH_DONE);
	expect_octets(a.facts.user, "alice");
	expect_octets(a.facts.password, "secret");
	expect_octets(a.facts.authzid, NULL);
	smtp_auth_fini(&a);

	assert_int_equal(begin(&a, "login", "YWxpY2U="), SMTP_AUTH_MORE);
	assert_string_equal(a.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(smtp_auth_take(&a, octets("")), SMTP_AUTH_BAD_MESSAGE);
	smtp_auth_fini(&a);

	assert_int_equal(begin(&a, "LOGIN", "YWxpY2U="), SMTP_AUTH_MORE);
	assert_int_equal(smtp_auth_take(&a, octets("YQBi")), SMTP_AUTH_BAD_MESSAGE); /* a NUL b */
	smtp_auth_fini(&a);
}

static void cancels(void **state)
{
	static const char *const names[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};
	struct smtp_auth a;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		begin(&a, names[i], NULL);
		assert_int_equal(smtp_auth_take(&a, octets("*")), SMTP_AUTH_CANCELLED);
		smtp_auth_fini(&a);
	}
	/* As an initial response it is only bad base64. */
	assert_int_equal(begin(&a, "PLAIN", "*"), SMTP_AUTH_BAD_BASE64);
	smtp_auth_fini(&a);
}

static void decodes_strictly(void **state)
{
	static const char *const wrong[] = {
		"A",	      "AA",	    "AAA",	  "AAAAA",   "A===",	  "====",
		"AA=A",	      "A=AA",	    "AB==",	  "AAB=",    "AA==AAAA",  "AAA=AAA=",
		"AA=",	      "AA AA",	    " AAAA",	  "AAAA ",   "AAA\t",	  "AA-_",
		"AAA\x7f",    "AA\xc3\xa4", "AGEAYg",	  "AGEAYg=", "AGEAYg===", "AGEAYh==",
		"AGEAYg==\r", "AGEA*g==",   "AGEA\nYg==",
	};
	struct smtp_auth a;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (begin(&a, "PLAIN", wrong[i]) != SMTP_AUTH_BAD_BASE64)
			fail_msg("%s", wrong[i]);
		smtp_auth_fini(&a);
		begin(&a, "PLAIN", NULL);
		assert_int_equal(smtp_auth_take(&a, octets(wrong[i])), SMTP_AUTH_BAD_BASE64);
		smtp_auth_fini(&a);
	}
	/* "=" stands for nothing in the initial response only. */
	begin(&a, "PLAIN", NULL);
	assert_int_equal(smtp_auth_take(&a, octets("=")), SMTP_AUTH_BAD_BASE64);
	smtp_auth_fini(&a);
	assert_int_equal(begin(&a, "PLAIN", "AGEAYg=="), SMTP_AUTH_DONE);
	smtp_auth_fini(&a);
	assert_int_equal(begin(&a, "PLAIN", "/wD/AP8="), SMTP_AUTH_DONE);
	expect_octets(a.facts.authzid, "\xff");
	smtp_auth_fini(&a);
}

/* Every octet, at every place of a group. */
static void decodes_all_octets(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		for (size_t n = 1; n < 8; n++) {
			char message[16] = "", password[9] = "";
			struct smtp_auth a;
			struct buf text;

			memset(password, (int)c, n);
			memcpy(message + 1, "u", 2);
			memcpy(message + 3, password, n);
			assert_int_equal(begin(&a, "PLAIN", encode(&text, message, 3 + n)),
					 SMTP_AUTH_DONE);
			expect_octets(a.facts.password, password);
			smtp_auth_fini(&a);
			buf_fini(&text);
		}
	}
}

static void knows_the_mechanisms(void **state)
{
	static const char *const unknown[] = {"",	  "PLAI",      "PLAIN2",
					      "CRAM-MD5", "ANONYMOUS", "EXTERNAL"};
	char names[64] = "";

	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		assert_null(smtp_auth_find(octets(unknown[i])));
	for (const char *at = SMTP_AUTH_MECHANISMS; *at;) {
		size_t n = strcspn(at, " ");
		const struct smtp_auth_mechanism *mechanism =
			smtp_auth_find((struct octets){at, n});

		assert_non_null(mechanism);
		strncat(names, smtp_auth_name(mechanism), 20);
		at += n + (at[n] == ' ');
		if (*at)
			strncat(names, " ", 2);
	}
	assert_string_equal(names, SMTP_AUTH_MECHANISMS);
}

static void wipes(void **state)
{
	struct smtp_auth a;

	(void)state;
	assert_int_equal(begin(&a, "PLAIN", "AGFsaWNlAHNlY3JldA=="), SMTP_AUTH_DONE);
	smtp_auth_wipe(&a);
	expect_octets(a.facts.user, "alice");
	assert_string_equal(a.facts.mechanism, "PLAIN");
	assert_null(a.facts.password.data);
	assert_null(a.facts.authzid.data);
	assert_null(a.message);
	smtp_auth_fini(&a);
	assert_null(a.facts.user.data);
	smtp_auth_fini(&a);
}

static void tells_the_failure(void **state)
{
	struct smtp_auth a;

	(void)state;
	begin(&a, "OAUTHBEARER", NULL);
	assert_string_equal(smtp_auth_failure(&a), "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=");
	begin(&a, "XOAUTH2", NULL);
	assert_non_null(smtp_auth_failure(&a));
	begin(&a, "PLAIN", NULL);
	assert_null(smtp_auth_failure(&a));
	begin(&a, "LOGIN", NULL);
	assert_null(smtp_auth_failure(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(needs_all_of_it),
		cmocka_unit_test(asks_twice_for_login),
		cmocka_unit_test(cancels),
		cmocka_unit_test(decodes_strictly),
		cmocka_unit_test(decodes_all_octets),
		cmocka_unit_test(knows_the_mechanisms),
		cmocka_unit_test(wipes),
		cmocka_unit_test(tells_the_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
