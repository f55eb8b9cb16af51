#include "deliveries_file.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_file.h"

static const char text[] =
	/* 1 */ "user: root\n"
		"listeners:\n"
		"  - name: relay\n"
		"    address: \"127.0.0.1:0\"\n"
		/* 5 */ "    accept_domains: [example.org]\n"
		"    delivery: backend\n"
		"    received_client: false\n"
		"  - name: boxes\n"
		"    address: \"127.0.0.1:0\"\n"
		/* 10 */ "    accept_domains: [any]\n"
		"    delivery: inbox\n"
		"  - name: app\n"
		"    address: \"127.0.0.1:0\"\n"
		"    policies: [greylist, scanner]\n"
		/* 15 */ "    delivery: app\n"
		"policies:\n"
		"  - name: greylist\n"
		"    sockets: [/g]\n"
		"  - name: scanner\n"
		/* 20 */ "    sockets: [/s]\n"
		"    hooks: [rcpt, message]\n"
		"    on_failure: accept\n"
		"    failures:\n"
		"      - hooks: [message]\n"
		/* 25 */ "        action: reject\n"
		"deliveries:\n"
		"  - name: backend\n"
		"    smtp: [\"10.1.0.5:25\", \"[2001:db8::1]:25\", \"unix:/run/mta\"]\n"
		"    order: round_robin\n"
		/* 30 */ "    tls: verified\n"
		"    tls_name: Mail.example.org\n"
		"    tls_ca: /etc/hosts\n"
		"    show_client: proxy\n"
		"    user: relay @ example\n"
		/* 35 */ "    password_file: PASSWORD\n"
		"    connections: 7\n"
		"    reuse: 8\n"
		"    idle: 9s\n"
		"    timeout: 10s\n"
		/* 40 */ "  - name: store\n"
		"    lmtp: [\"unix:/run/dovecot/lmtp\"]\n"
		"    recipients: 5\n"
		"    show_client: xclient\n"
		"  - name: inbox\n"
		/* 45 */ "    maildir: /var/mail/{domain}/{local}/m\n"
		"  - name: app\n"
		"    service: scanner\n";

static char *password_path;

char *secret_file_write(const char *data, size_t len, unsigned mode)
{
	char *path = config_file_write(data, len);

	assert_int_equal(chmod(path, mode), 0);
	return path;
}

char *deliveries_file_new(void)
{
	password_path = secret_file_write("se cret\n", 8, 0640);
	return config_file_replace(text, "PASSWORD", password_path);
}

void deliveries_file_free(char **file)
{
	unlink(password_path);
	free(password_path);
	password_path = NULL;
	free(*file);
	*file = NULL;
}
