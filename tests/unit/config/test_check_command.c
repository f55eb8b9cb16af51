/* `gatepost check` as its caller sees it: exit code, standard output, standard error. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "check_command.h"
#include "config_file.h"

struct run {
	int code;
	char out[32768];
	char errors[4096];
};

static void read_back(FILE *file, char *out, size_t size)
{
	rewind(file);
	out[fread(out, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* In a child, since a wrong call and --help end the process. */
static void run_check(struct run *run, const char *out_path, int argc, char **argv)
{
	FILE *out = out_path ? fopen(out_path, "r+") : tmpfile(), *errors = tmpfile();
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(errors), STDERR_FILENO);
		exit(check_command(argc, argv));
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	run->code = WEXITSTATUS(status);
	read_back(out, run->out, sizeof run->out);
	read_back(errors, run->errors, sizeof run->errors);
}

static void run_on_file(struct run *run, const char *text, char **path)
{
	char *argv[] = {"gatepost check", "-c", NULL, NULL};

	*path = config_file_write(text, strlen(text));
	argv[2] = *path;
	run_check(run, NULL, 3, argv);
	unlink(*path);
}

static char *without_tls(void)
{
	char *no_files =
		config_file_replace(full_file,
				    "tls:\n  certificates:\n"
				    "    - certificate: /etc/passwd\n      key: /etc/group\n"
				    "    - certificate: /etc/profile\n      key: /etc/issue\n"
				    "  client_ca: /etc/hosts\n  min_version: 1.3\n",
				    "");
	char *text = config_file_replace(no_files,
					 "    tls: starttls\n    require_tls: true\n"
					 "    client_certificates: require\n    auth: true\n",
					 "");

	free(no_files);
	return text;
}

static void test_good_file(void **state)
{
	char *text = without_tls(), *path, said[256];
	struct run run;

	(void)state;
	run_on_file(&run, text, &path);
	snprintf(said, sizeof said, "%s: ok\n", path);
	assert_string_equal(run.errors, "");
	assert_string_equal(run.out, said);
	assert_int_equal(run.code, EX_OK);
	free(path);
	free(text);
}

static void test_faulty_file(void **state)
{
	char *text = config_file_replace(full_file, "workers: 3", "workers: 0"), *path, said[256];
	struct run run;

	(void)state;
	run_on_file(&run, text, &path);
	snprintf(said, sizeof said, "%s:4: workers: \"0\" is not auto or a number from 1 to 256\n",
		 path);
	assert_string_equal(run.errors, said);
	assert_string_equal(run.out, "");
	assert_int_equal(run.code, EX_CONFIG);
	free(path);
	free(text);
}

static void refuses(const char *text, const char *setting, const char *culprit)
{
	char *path, start[256], *found;
	struct run run;

	run_on_file(&run, text, &path);
	snprintf(start, sizeof start, "%s:", path);
	assert_int_equal(strncmp(run.errors, start, strlen(start)), 0);
	snprintf(start, sizeof start, ": %s: %s", setting, culprit);
	found = run.errors + strlen(path) + 1;
	assert_int_equal(strncmp(found + strspn(found, "0123456789"), start, strlen(start)), 0);
	assert_true(*found != ':');
	assert_string_equal(run.out, "");
	assert_int_equal(run.code, EX_CONFIG);
	free(path);
}

/* Readable, but no certificates: config_load() is content, the master would not be. */
static void test_useless_certificates(void **state)
{
	char *no_ca = config_file_replace(full_file, "  client_ca: /etc/hosts\n", "");
	char *text = config_file_replace(no_ca, "    client_certificates: require\n", "");

	(void)state;
	refuses(full_file, "tls", "/etc/hosts");
	refuses(text, "tls", "/etc/passwd");
	free(no_ca);
	free(text);
}

/* The same of a delivery's authorities, which only a worker would open. */
static void test_useless_authorities(void **state)
{
	static const char delivery[] =
		"    smtp: [\"127.0.0.1:25\"]\n    tls: verified\n    tls_name: a.org\n"
		"    tls_ca: /etc/passwd\n";
	char *no_tls = without_tls();
	char *text = config_file_replace(no_tls, "    maildir: /var/mail/gp\n", delivery);

	(void)state;
	refuses(text, "deliveries[1].tls_ca", "/etc/passwd");
	free(no_tls);
	free(text);
}

static void test_no_file(void **state)
{
	char *argv[] = {"gatepost check", "-c", "/nowhere/gatepost.yaml", NULL};
	struct run run;

	(void)state;
	run_check(&run, NULL, 3, argv);
	assert_string_equal(run.errors,
			    "/nowhere/gatepost.yaml: cannot be read: No such file or directory\n");
	assert_int_equal(run.code, EX_NOINPUT);
}

static void test_defaults(void **state)
{
	char *argv[] = {"gatepost check", "--defaults", NULL}, *text;
	struct run run;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	config_print_defaults(out);
	fclose(out);
	run_check(&run, NULL, 2, argv);
	assert_string_equal(run.out, text);
	assert_string_equal(run.errors, "");
	assert_int_equal(run.code, EX_OK);
	free(text);
}

static void test_full_disk(void **state)
{
	char *argv[] = {"gatepost check", "--defaults", NULL};
	struct run run;

	(void)state;
	run_check(&run, "/dev/full", 2, argv);
	assert_string_equal(run.errors, "gatepost check: cannot write: No space left on device\n");
	assert_int_equal(run.code, EX_IOERR);
}

static void test_wrong_calls(void **state)
{
	char *none[] = {"gatepost check", NULL};
	char *loose[] = {"gatepost check", "gatepost.yaml", NULL};
	char *unknown[] = {"gatepost check", "--frobnicate", NULL};
	char *no_value[] = {"gatepost check", "-c", NULL};
	struct run run;

	(void)state;
	run_check(&run, NULL, 1, none);
	assert_int_equal(run.code, EX_USAGE);
	assert_non_null(strstr(run.errors, "gatepost check: say which file: -c FILE\n"));
	run_check(&run, NULL, 2, loose);
	assert_int_equal(run.code, EX_USAGE);
	assert_non_null(strstr(run.errors, "the file is given with -c"));
	run_check(&run, NULL, 2, unknown);
	assert_int_equal(run.code, EX_USAGE);
	assert_non_null(strstr(run.errors, "--frobnicate"));
	run_check(&run, NULL, 2, no_value);
	assert_int_equal(run.code, EX_USAGE);
	assert_string_equal(run.out, "");
}

static void test_help(void **state)
{
	char *argv[] = {"gatepost check", "--help", NULL};
	struct run run;

	(void)state;
	run_check(&run, NULL, 2, argv);
	assert_int_equal(run.code, EX_OK);
	assert_non_null(strstr(run.out, "Usage: gatepost check [OPTION...]"));
	assert_non_null(strstr(run.out, "--defaults"));
	assert_string_equal(run.errors, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_file),
		cmocka_unit_test(test_faulty_file),
		cmocka_unit_test(test_useless_certificates),
		cmocka_unit_test(test_useless_authorities),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_wrong_calls),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
