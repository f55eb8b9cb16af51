#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "net/listener.h"
#include "net/passed.h"

static bool is_passed(const char *address)
{
	return strncmp(address, CONFIG_PASSED, strlen(CONFIG_PASSED)) == 0;
}

static bool is_unix(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

static void add(struct socket_set *set, int fd)
{
	set->fds = mem_resize(set->fds, (set->n + 1) * sizeof *set->fds);
	set->fds[set->n++] = fd;
}

/* The same socket, though it may be written otherwise. */
static bool is_same_address(const char *one, const char *other)
{
	struct address a, b;

	if (strcmp(one, other) == 0)
		return true;
	return address_parse(one, &a) && address_parse(other, &b) && a.len == b.len &&
	       memcmp(&a.storage, &b.storage, a.len) == 0;
}

/* The nth set of this address: "127.0.0.1:0" may be there several times. */
static const struct socket_set *find(const struct sockets *s, const char *address, size_t nth)
{
	for (size_t i = 0; i < s->n; i++) {
		if (is_same_address(s->sets[i].address, address) && nth-- == 0)
			return &s->sets[i];
	}
	return NULL;
}

/* What the set at this place of `s` has in `other`; NULL without. */
static const struct socket_set *twin(const struct sockets *s, size_t place,
				     const struct sockets *other)
{
	const char *address = s->sets[place].address;
	size_t before = 0;

	for (size_t i = 0; i < place; i++)
		before += is_same_address(s->sets[i].address, address);
	return find(other, address, before);
}

/* The nth that was passed under the name of "fd:NAME". */
static int passed(const char *address, size_t nth)
{
	return passed_socket(address + strlen(CONFIG_PASSED), nth);
}

int sockets_open_one(const char *text, char *error, size_t size)
{
	struct address address;
	int fd;

	if (is_passed(text)) {
		fd = passed(text, 0);
		if (fd >= 0)
			return listener_copy(fd, text, error, size);
		snprintf(error, size, "%s: no such socket was passed", text);
		return -1;
	}
	if (address_parse(text, &address))
		return listener_bind(&address, false, error, size);
	snprintf(error, size, "%s: not an address", text);
	return -1;
}

/* The first; all that were passed. */
static bool open_first(struct socket_set *set, char *error, size_t size)
{
	int fd = sockets_open_one(set->address, error, size), next;

	while (fd >= 0) {
		add(set, fd);
		next = is_passed(set->address) ? passed(set->address, set->n) : -1;
		if (next < 0)
			return true;
		fd = listener_copy(next, set->address, error, size);
	}
	return false;
}

static bool open_others(struct socket_set *set, size_t workers, char *error, size_t size)
{
	while (!set->shared && set->n < workers) {
		int fd = listener_bind_beside(set->fds[0], error, size);

		if (fd < 0)
			return false;
		add(set, fd);
	}
	return true;
}

static void make_set(struct sockets *s, size_t place, const char *address,
		     const struct sockets *old)
{
	struct socket_set *set = &s->sets[place];
	const struct socket_set *was;

	*set = (struct socket_set){.address = mem_copy_string(address),
				   .shared = is_passed(address) || is_unix(address)};
	was = twin(s, place, old);
	for (size_t i = 0; was && i < was->n; i++)
		add(set, was->fds[i]);
}

/* Closes what `s` has and `other` has not, and frees the memory of `s`. */
static void drop(struct sockets *s, const struct sockets *other)
{
	for (size_t i = 0; i < s->n; i++) {
		struct socket_set *set = &s->sets[i];
		const struct socket_set *kept = twin(s, i, other);

		for (size_t k = kept ? kept->n : 0; k < set->n; k++) {
			if (set->fds[k] >= 0)
				close(set->fds[k]);
		}
		if (!kept && set->n && is_unix(set->address))
			unlink(set->address + 5);
	}
	for (size_t i = 0; i < s->n; i++) {
		free(s->sets[i].address);
		free(s->sets[i].fds);
	}
	free(s->sets);
	*s = (struct sockets){0};
}

static bool blame(const struct config *config, size_t listener, char *error, size_t size)
{
	char setting[64];

	snprintf(setting, sizeof setting, "listeners[%zu].address", listener);
	config_blame(config, setting, error, size);
	return false;
}

bool sockets_open(struct sockets *s, const struct config *config, const struct sockets *old,
		  char *error, size_t size)
{
	bool good = true;

	*s = (struct sockets){.sets = mem_new(config->listeners_len * sizeof *s->sets)};
	for (; s->n < config->listeners_len; s->n++)
		make_set(s, s->n, config->listeners[s->n].address, old);
	/* First what can fail: the others of a set get clients as soon as they are there. */
	for (size_t i = 0; good && i < s->n; i++)
		good = s->sets[i].n || open_first(&s->sets[i], error, size) ||
		       blame(config, i, error, size);
	for (size_t i = 0; good && i < s->n; i++)
		good = open_others(&s->sets[i], config->workers, error, size) ||
		       blame(config, i, error, size);
	if (!good)
		drop(s, old);
	return good;
}

void sockets_replace(struct sockets *old, const struct sockets *new)
{
	drop(old, new);
	*old = *new;
}

void sockets_keep(struct sockets *s, unsigned worker, unsigned workers)
{
	for (size_t i = 0; i < s->n; i++) {
		struct socket_set *set = &s->sets[i];

		for (size_t k = 0; k < set->n; k++) {
			if (set->shared || k % workers == worker)
				continue;
			close(set->fds[k]);
			set->fds[k] = -1;
		}
	}
}

bool sockets_is_passed(const struct socket_set *set)
{
	return is_passed(set->address);
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->sets[i].n; k++) {
			if (s->sets[i].fds[k] >= 0)
				close(s->sets[i].fds[k]);
			s->sets[i].fds[k] = -1;
		}
	}
}

void sockets_unlink(const struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (is_unix(s->sets[i].address))
			unlink(s->sets[i].address + 5);
	}
}

void sockets_free(struct sockets *s)
{
	sockets_close(s);
	for (size_t i = 0; i < s->n; i++) {
		free(s->sets[i].address);
		free(s->sets[i].fds);
	}
	free(s->sets);
	*s = (struct sockets){0};
}
