#include "maildir_path.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define DOMAIN "{domain}"
#define LOCAL  "{local}"

static bool starts_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

bool maildir_path_is_template(const char *path)
{
	return strpbrk(path, "{}");
}

bool maildir_path_is_valid(const char *template)
{
	bool any = false;

	if (*template != '/')
		return false;
	while (*(template += strcspn(template, "{}"))) {
		if (starts_with(template, DOMAIN))
			template += strlen(DOMAIN);
		else if (starts_with(template, LOCAL))
			template += strlen(LOCAL);
		else
			return false;
		any = true;
	}
	return any;
}

size_t maildir_path_root(const char *template)
{
	size_t len = strcspn(template, "{");

	while (len && template[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : len; /* the slash is the root's own in "/{domain}" only */
}

unsigned maildir_path_depth(const char *template)
{
	unsigned depth = 0;

	for (const char *p = template + maildir_path_root(template); *p; p++)
		if (p[0] != '/' && (p == template || p[-1] == '/'))
			depth++;
	return depth;
}

static bool is_plain(unsigned char c, bool first)
{
	if (c >= 'a' && c <= 'z')
		return true;
	if (c >= 'A' && c <= 'Z')
		return true;
	if (c >= '0' && c <= '9')
		return true;
	return c && (strchr("_-+=@", c) || (c == '.' && !first));
}

bool maildir_path_part(const char *value, size_t len, bool lower,
		       char name[MAILDIR_PATH_PART_MAX + 1])
{
	size_t n = 0;

	snprintf(name, MAILDIR_PATH_PART_MAX + 1, "%%");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		bool plain = is_plain(c, i == 0);

		if (n + (plain ? 1 : 3) > MAILDIR_PATH_PART_MAX)
			return false;
		if (lower && c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		n += (size_t)snprintf(name + n, MAILDIR_PATH_PART_MAX + 1 - n,
				      plain ? "%c" : "%%%02X", c);
	}
	return true;
}

/* A name of several values can be too long where none of them is. */
static bool parts_fit(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len > MAILDIR_PATH_PART_MAX)
			return false;
		path += len + (path[len] == '/');
	}
	return true;
}

char *maildir_path_make(const char *template, const struct maildir_address *address)
{
	char name[MAILDIR_PATH_PART_MAX + 1], *path = NULL;
	struct buf out;
	bool ok = true;

	buf_init(&out, SIZE_MAX);
	while (ok && *template) {
		size_t plain = strcspn(template, "{");

		ok = buf_append(&out, template, plain);
		template += plain;
		if (!*template)
			break;
		if (starts_with(template, DOMAIN)) {
			ok = maildir_path_part(address->domain, address->domain_len, true, name);
			template += strlen(DOMAIN);
		} else {
			ok = maildir_path_part(address->local, address->local_len, false, name);
			template += strlen(LOCAL);
		}
		ok = ok && buf_append_string(&out, name);
	}
	if (ok)
		path = mem_copy_bytes(buf_head(&out), out.len);
	buf_fini(&out);
	if (path && !parts_fit(path)) {
		free(path);
		path = NULL;
	}
	return path;
}
