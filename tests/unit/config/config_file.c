#include "config_file.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char full_file[] = /* 1 */ "hostname: MX1.example.org\n"
				 "runtime_dir: /run/gp\n"
				 "spool_dir: /var/gp-spool\n"
				 "workers: 3\n"
				 /* 5 */ "user: root\n"
				 "drain_timeout: 7s\n"
				 "listeners:\n"
				 "  - name: mx\n"
				 "    address: \"127.0.0.1:2525\"\n"
				 /* 10 */ "    tls: starttls\n"
				 "    require_tls: true\n"
				 "    client_certificates: require\n"
				 "    auth: true\n"
				 "    proxy_protocol: [10.0.0.0/8, \"2001:db8::/32\"]\n"
				 /* 15 */ "    xclient: [192.0.2.1]\n"
				 "    relay_clients:\n"
				 "      - 198.51.100.0/24\n"
				 "    resolve_names: false\n"
				 "    protocol: lmtp\n"
				 /* 20 */ "    bare_newline: accept\n"
				 "    accept_domains: [example.org, Mail.Example.NET]\n"
				 "    policies: [scanner, greylist]\n"
				 "    delivery: store\n"
				 "  - name: local\n"
				 /* 25 */ "    address: \"unix:/run/gp/smtp.sock\"\n"
				 "    accept_domains: [any]\n"
				 "    delivery: nowhere\n"
				 "tls:\n"
				 "  certificates:\n"
				 /* 30 */ "    - certificate: /etc/passwd\n"
				 "      key: /etc/group\n"
				 "    - certificate: /etc/profile\n"
				 "      key: /etc/issue\n"
				 "  client_ca: /etc/hosts\n"
				 /* 35 */ "  min_version: 1.3\n"
				 "policies:\n"
				 "  - name: greylist\n"
				 "    sockets: [/run/grey/a.sock, /run/grey/b.sock]\n"
				 "    hooks: [rcpt, data]\n"
				 /* 40 */ "    timeout: 250ms\n"
				 "    on_failure: accept\n"
				 "  - name: scanner\n"
				 "    sockets:\n"
				 "      - /run/scan.sock\n"
				 /* 45 */ "deliveries:\n"
				 "  - name: nowhere\n"
				 "    discard: true\n"
				 "  - name: store\n"
				 "    maildir: /var/mail/gp\n"
				 /* 50 */ "limits:\n"
				 "  message_size: 50M\n"
				 "  recipients: 101\n"
				 "  connections: 102\n"
				 "  errors: 103\n"
				 /* 55 */ "  commands: 104\n"
				 "  messages: 105\n"
				 "  command_timeout: 106s\n"
				 "  data_timeout: 107s\n"
				 "  session_time: 108s\n"
				 /* 60 */ "  connections_per_client: 109\n"
				 "  banner_wait: 2s\n"
				 "  data_rate: 1K\n"
				 "resolver:\n"
				 "  servers: [\"127.0.0.1:5353\", \"[::1]:53\"]\n"
				 /* 65 */ "  timeout: 500ms\n"
				 "events:\n"
				 "  ring: 128K\n"
				 "  subscribers: 9\n"
				 "log:\n"
				 /* 70 */ "  level: warning\n"
				 "  format: json\n";

char *config_file_write(const char *data, size_t len)
{
	char *path = strdup("/tmp/gatepost-config-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	return path;
}

/* "PATH:3: x\nPATH: y\n" without each PATH; a line that does not start with it fails the test. */
static void cut_path(char *text, const char *path)
{
	char *to = text;

	for (char *from = text; *from;) {
		size_t n = strcspn(from, "\n") + 1;

		assert_int_equal(strncmp(from, path, strlen(path)), 0);
		n -= strlen(path);
		memmove(to, from + strlen(path), n);
		to += n;
		from += strlen(path) + n;
	}
	*to = '\0';
}

void config_file_load_path(const char *path, struct loaded *out)
{
	size_t size;
	FILE *errors = open_memstream(&out->faults, &size);

	out->config = config_load(path, errors);
	out->error = errno;
	fclose(errors);
	cut_path(out->faults, path);
	assert_true((out->config == NULL) == (*out->faults != '\0'));
}

void config_file_load(const char *data, size_t len, struct loaded *out)
{
	char *path = config_file_write(data, len);

	config_file_load_path(path, out);
	unlink(path);
	free(path);
}

void config_file_fini(struct loaded *l)
{
	config_free(&l->config);
	free(l->faults);
}

char *config_file_replace(const char *text, const char *find, const char *with)
{
	const char *at = strstr(text, find);
	char *out;

	if (!at || strstr(at + 1, find))
		fail_msg("\"%s\" is in the file not once", find);
	if (asprintf(&out, "%.*s%s%s", (int)(at - text), text, with, at + strlen(find)) < 0)
		fail();
	return out;
}
