#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "expect.h"
#include "name_server.h"
#include "net/reaper.h"
#include "net/resolver.h"
#include "net/resolver_name.h"

#define PTR(last, name) "--ptr-record=" #last ".2.0.192.in-addr.arpa," name
#define LONG_NAME	"a-name-so-long-that-ten-need-more-than-512-octets.example.net"

/* Of several ptr-records dnsmasq gives the last one first. */
static const char *const records[] = {
	"--local=/example.net/2.0.192.in-addr.arpa/8.b.d.0.1.0.0.2.ip6.arpa/",
	"--synth-domain=pool.example.net,10.1.0.0/16,ip-",
	"--host-record=mail.example.net,192.0.2.1,2001:db8::1",
	"--host-record=four.example.net,192.0.2.2", "--host-record=four.example.net,192.0.2.3",
	"--host-record=four.example.net,192.0.2.4", PTR(3, "four.example.net"),
	PTR(4, "Four.EXAMPLE.net"), PTR(5, "nowhere.example.net"),
	PTR(6, "mail.example.net"), /* leads to 192.0.2.1 */
	PTR(7, "nowhere.example.net"), PTR(7, "mail.example.net"),
	"--host-record=seven.example.net,192.0.2.7", PTR(7, "seven.example.net"),
	PTR(7, "first.example.net"), PTR(8, "second.example.net"), PTR(8, "first.example.net"),
	/* RFC 2317 */
	"--cname=9.2.0.192.in-addr.arpa,9.0/25.2.0.192.in-addr.arpa",
	"--ptr-record=9.0/25.2.0.192.in-addr.arpa,nine.example.net",
	"--host-record=nine.example.net,192.0.2.9", "--cname=alias.example.net,ten.example.net",
	"--host-record=ten.example.net,192.0.2.10", PTR(10, "alias.example.net"),
	PTR(11, "we!rd.example.net"), PTR(12, "two words.example.net"), PTR(13, "192.0.2.13"),
	PTR(14, "under_score.example.net"), "--host-record=under_score.example.net,192.0.2.14",
	/* The tenth of twelve, in an answer that needs TCP, and the eleventh. */
	PTR(15, "l." LONG_NAME), PTR(15, "k." LONG_NAME), PTR(15, "tenth.example.net"),
	PTR(15, "i." LONG_NAME), PTR(15, "h." LONG_NAME), PTR(15, "g." LONG_NAME),
	PTR(15, "f." LONG_NAME), PTR(15, "e." LONG_NAME), PTR(15, "d." LONG_NAME),
	PTR(15, "c." LONG_NAME), PTR(15, "b." LONG_NAME), PTR(15, "a." LONG_NAME),
	"--host-record=tenth.example.net,192.0.2.15", PTR(16, "eleventh.example.net"),
	PTR(16, "j.example.net"), PTR(16, "i.example.net"), PTR(16, "h.example.net"),
	PTR(16, "g.example.net"), PTR(16, "f.example.net"), PTR(16, "e.example.net"),
	PTR(16, "d.example.net"), PTR(16, "c.example.net"), PTR(16, "b.example.net"),
	PTR(16, "a.example.net"), "--host-record=eleventh.example.net,192.0.2.16", NULL};

static const struct row {
	const char *client, *name;
	bool verified;
} table[] = {
	{"192.0.2.1:25", "mail.example.net", true},
	{"[2001:db8::1]:25", "mail.example.net", true},
	{"[::ffff:192.0.2.1]:25", "mail.example.net", true},
	{"192.0.2.3:25", "four.example.net", true},
	{"192.0.2.4:25", "four.example.net", true},
	{"192.0.2.5:25", "nowhere.example.net", false},
	{"192.0.2.6:25", "mail.example.net", false},
	{"192.0.2.7:25", "seven.example.net", true},
	{"192.0.2.8:25", "first.example.net", false},
	{"192.0.2.9:25", "nine.example.net", true},
	{"192.0.2.10:25", "alias.example.net", true},
	{"192.0.2.11:25", "", false},
	{"192.0.2.12:25", "", false},
	{"192.0.2.13:25", "", false},
	{"192.0.2.14:25", "under_score.example.net", true},
	{"192.0.2.15:25", "tenth.example.net", true},
	{"192.0.2.16:25", "a.example.net", false},
	{"192.0.2.99:25", "", false},	  /* no PTR */
	{"[2001:db8::99]:25", "", false}, /* no PTR */
	{"203.0.113.1:25", "", false},	  /* REFUSED */
	{"unix:/run/client", "", false},
};

/* A name server, a resolver that asks it, and what it told. */
struct scene {
	struct ev_loop *loop;
	struct name_server server;
	struct resolver *resolver;
	unsigned calls, verified, none;
	struct resolver_name name;
	/* What the next callback does: */
	uint64_t cancel;
	bool free, again;
};

static struct scene scene;

static uint64_t ask(const char *client);

static void on_name(void *arg, const struct resolver_name *name)
{
	assert_ptr_equal(arg, &scene);
	scene.calls++;
	scene.verified += name->verified;
	scene.none += !name->name[0];
	scene.name = *name;
	if (scene.cancel)
		resolver_cancel(scene.resolver, scene.cancel);
	if (scene.again)
		ask("192.0.2.1:25");
	scene.again = false;
	if (scene.free)
		resolver_free(&scene.resolver);
}

static uint64_t ask(const char *client)
{
	struct address address;
	unsigned calls = scene.calls;
	uint64_t id;

	assert_true(address_parse(client, &address));
	id = resolver_look_up(scene.resolver, &address, on_name, &scene);
	assert_true(id);
	assert_int_equal(scene.calls, calls); /* never inside the call */
	return id;
}

static void open_resolver(const char *servers, double timeout)
{
	char error[200];

	scene = (struct scene){.loop = scene.loop, .server = scene.server};
	ev_now_update(scene.loop);
	scene.resolver = resolver_new(scene.loop, servers, timeout, error, sizeof error);
	assert_non_null(scene.resolver);
}

static void close_resolver(void)
{
	resolver_free(&scene.resolver);
	assert_null(scene.resolver);
	resolver_free(&scene.resolver);
	reaper_run(scene.loop);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		open_resolver(scene.server.address, 20);
		ask(table[i].client);
		RUN_UNTIL(scene.loop, scene.calls);
		if (strcmp(scene.name.name, table[i].name) ||
		    scene.name.verified != table[i].verified)
			fail_msg("%s: \"%s\" %d", table[i].client, scene.name.name,
				 scene.name.verified);
		close_resolver();
	}
}

static void test_thousand(void **state)
{
	(void)state;
	open_resolver(scene.server.address, 20);
	for (int i = 0; i < 1000; i++) {
		char client[32];

		snprintf(client, sizeof client, "10.1.%d.%d:25", i / 250, i % 250);
		ask(client);
	}
	RUN_UNTIL(scene.loop, scene.calls == 1000);
	assert_int_equal(scene.verified, 1000);
	close_resolver();
}

static void test_no_answer(void **state)
{
	char one[32], two[32], servers[100];
	int fds[2] = {name_server_deaf(one), name_server_deaf(two)};
	double start;

	(void)state;
	/* With two servers c-ares would try for twice that time. */
	snprintf(servers, sizeof servers, "%s,%s", one, two);
	open_resolver(servers, 1);
	start = ev_time();
	ask("192.0.2.1:25");
	RUN_UNTIL(scene.loop, scene.calls);
	assert_true(ev_time() - start > 0.95 && ev_time() - start < 1.9);
	assert_string_equal(scene.name.name, "");
	assert_false(scene.name.verified);
	/* What c-ares still waits for ends without a word. */
	expect_turns(scene.loop, 1.5);
	assert_int_equal(scene.calls, 1);
	close_resolver();
	close(fds[0]);
	close(fds[1]);
}

static void test_next_server(void **state)
{
	char deaf_address[32], servers[100];
	int deaf = name_server_deaf(deaf_address);

	(void)state;
	/* Each question waits a third of the time for the first one. */
	snprintf(servers, sizeof servers, "%s,%s", deaf_address, scene.server.address);
	open_resolver(servers, 4);
	ask("192.0.2.1:25");
	RUN_UNTIL(scene.loop, scene.calls);
	assert_true(scene.name.verified);
	close_resolver();
	close(deaf);
	/* Now nobody is there: that is known at once. */
	open_resolver(servers, 20);
	ask("192.0.2.1:25");
	RUN_UNTIL(scene.loop, scene.calls);
	assert_true(scene.name.verified);
	close_resolver();
	open_resolver(deaf_address, 25);
	ask("192.0.2.1:25");
	RUN_UNTIL(scene.loop, scene.calls);
	assert_string_equal(scene.name.name, "");
	close_resolver();
}

static void test_cancel(void **state)
{
	uint64_t id, other;

	(void)state;
	open_resolver(scene.server.address, 20);
	id = ask("192.0.2.1:25");
	other = ask("192.0.2.3:25");
	assert_true(id != other);
	resolver_cancel(scene.resolver, id);
	resolver_cancel(scene.resolver, id);
	resolver_cancel(scene.resolver, 0);
	resolver_cancel(scene.resolver, 77777);
	RUN_UNTIL(scene.loop, scene.calls);
	assert_string_equal(scene.name.name, "four.example.net");
	resolver_cancel(scene.resolver, other);
	/* One that is known already and only waits for its turn. */
	resolver_cancel(scene.resolver, ask("unix:/run/client"));
	expect_turns(scene.loop, 0.1);
	assert_int_equal(scene.calls, 1);
	/* One of two that wait for the same turn ends the other, and asks anew. */
	ask("unix:/run/client");
	scene.cancel = ask("unix:/run/client");
	scene.again = true;
	RUN_UNTIL(scene.loop, scene.calls == 3);
	assert_string_equal(scene.name.name, "mail.example.net");
	expect_turns(scene.loop, 0.1);
	assert_int_equal(scene.calls, 3);
	close_resolver();
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_free_while_open(void **state)
{
	unsigned fds = count_fds();

	(void)state;
	/* Asked; being confirmed or so; and out of a callback, when others are about to come. */
	for (int turns = 0; turns < 4; turns++) {
		open_resolver(scene.server.address, 20);
		ask("192.0.2.1:25");
		ask("192.0.2.7:25");
		ask("192.0.2.15:25");
		for (int i = 0; i < turns; i++)
			ev_run(scene.loop, EVRUN_ONCE);
		close_resolver();
	}
	/* Before anything is asked, and out of an answer when others are still open. */
	for (int first = 0; first < 2; first++) {
		open_resolver(scene.server.address, 0.3);
		ask(first ? "192.0.2.99:25" : "unix:/run/client");
		for (int i = 0; i < 80; i++)
			ask("192.0.2.1:25");
		scene.free = true;
		RUN_UNTIL(scene.loop, !scene.resolver);
		expect_turns(scene.loop, 0.3);
		assert_int_equal(scene.calls, 1);
	}
	assert_int_equal(count_fds(), fds);
}

/* More than can be asked in that time: each has its answer by then all the same. */
static void test_flood(void **state)
{
	char address[32];
	int deaf = name_server_deaf(address);
	double start = ev_time();

	(void)state;
	open_resolver(address, 0.5);
	for (int i = 0; i < 20000; i++)
		ask("192.0.2.1:25");
	RUN_UNTIL(scene.loop, scene.calls == 20000);
	assert_int_equal(scene.none, 20000);
	assert_true(ev_time() - start < 10);
	close_resolver();
	close(deaf);
}

static void test_servers(void **state)
{
	static const char *const bad[] = {"",
					  ",",
					  "127.0.0.1",
					  "127.0.0.1:0",
					  "127.0.0.1:99999",
					  "localhost:53",
					  "127.0.0.1:53,",
					  "unix:/run/dns",
					  "127.0.0.1:53 ::1",
					  ",127.0.0.1:53",
					  "[::1]"};
	static const char *const good[] = {"127.0.0.1:53", "[::1]:53,127.0.0.1:5353"};
	char error[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		error[0] = '\0';
		if (resolver_new(scene.loop, bad[i], 1, error, sizeof error))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(strstr(error, "must be address:port"));
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		open_resolver(good[i], 1);
		close_resolver();
	}
	open_resolver(NULL, 1);
	close_resolver();
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"",	   ".",	  "a b", "a.b\n", "a\\046b", "m\303\244il.x", "1",
		"1.2.3.4", "a.1", "a.",	 "a/b.c", "a@b",     "[::1]"};
	static const char *const good[] = {"a", "a-b.c_d", "1.a", "a.1b", "-.x"};
	struct resolver_name name = {.name = "before"};
	char longest[257];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (resolver_name_take(bad[i], &name))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_string_equal(name.name, "before");
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(resolver_name_take(good[i], &name));
		assert_string_equal(name.name, good[i]);
	}
	memset(longest, 'x', 256);
	longest[256] = '\0';
	assert_false(resolver_name_take(longest, &name));
	longest[255] = '\0';
	assert_true(resolver_name_take(longest, &name));
	assert_true(resolver_name_take("MX.Example.ORG", &name));
	assert_string_equal(name.name, "mx.example.org");
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_servers),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_thousand),
		cmocka_unit_test(test_no_answer), cmocka_unit_test(test_next_server),
		cmocka_unit_test(test_cancel),	  cmocka_unit_test(test_free_while_open),
		cmocka_unit_test(test_flood),
	};
	int failed;

	scene.loop = ev_default_loop(0);
	failed = cmocka_run_group_tests_name("without a server", pure, NULL, NULL);
	if (!name_server_start(&scene.server, records)) {
		printf("skipped: dnsmasq is not installed\n");
		return failed ? failed : 77;
	}
	failed += cmocka_run_group_tests_name("with dnsmasq", tests, NULL, NULL);
	name_server_stop(&scene.server);
	return failed;
}
