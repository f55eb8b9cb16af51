#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base64.h"
#include "request_state.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/hook.h"

#define SAME(name) _Static_assert((int)GATEPOST_##name == (int)HOOK_##name, "as protocol/hook.h")
SAME(BODY_NONE);
SAME(BODY_HEADERS);
SAME(BODY_INLINE);
SAME(BODY_PATH);
SAME(BODY_FD);
SAME(BODY_MAX);

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

static const json_t *body_of(const struct gatepost_request *request)
{
	return request->hook == GATEPOST_HOOK_MESSAGE ? json_object_get(request->args, "body")
						      : NULL;
}

static enum gatepost_body mode_of(const json_t *body)
{
	const char *word = json_string_value(json_object_get(body, "mode"));
	enum hook_body_mode mode = HOOK_BODY_NONE;

	if (word)
		hook_body_mode_from_word(word, &mode);
	return (enum gatepost_body)mode;
}

enum gatepost_body gatepost_request_body_of(const json_t *message)
{
	return mode_of(json_object_get(json_object_get(message, "args"), "body"));
}

enum gatepost_body gatepost_request_body(const struct gatepost_request *request)
{
	return mode_of(body_of(request));
}

uint64_t gatepost_request_headers_trunc(const struct gatepost_request *request)
{
	json_int_t value = json_integer_value(json_object_get(body_of(request), "headers_trunc"));

	return value > 0 ? (uint64_t)value : 0;
}

static int fail(struct gatepost_error *error, const char *what, const char *path)
{
	gatepost_shape_fail(error, "content", "%s: %.128s", path, what);
	return -1;
}

/* Opens one part of the path. A symbolic link is refused, also where a folder should be: without
 * that, whoever can write to the spool could show any file to the service. */
static int open_part(int folder, const char *part, bool last)
{
	return openat(folder, part,
		      (last ? O_RDONLY | O_NONBLOCK | O_CLOEXEC : FOLDER_FLAGS) | O_NOFOLLOW);
}

static int open_below(int folder, const char *path, struct gatepost_error *error)
{
	char part[256];
	const char *rest = path;
	int fd = folder, next;
	size_t len;
	bool last;

	do {
		len = strcspn(rest, "/");
		last = !rest[len];
		if (!len || len >= sizeof part)
			return close(fd), fail(error, "not a path below the spool", path);
		memcpy(part, rest, len);
		part[len] = '\0';
		if (!strcmp(part, ".") || !strcmp(part, ".."))
			return close(fd), fail(error, "not a path below the spool", path);
		next = open_part(fd, part, last);
		close(fd);
		if (next < 0)
			return fail(error, strerrordesc_np(errno), path);
		fd = next;
		rest += len + 1;
	} while (!last);
	return fd;
}

static int open_path(const struct gatepost_request *request, struct gatepost_error *error)
{
	const char *path = json_string_value(json_object_get(body_of(request), "path"));
	int fd;

	if (!request->spool || request->spool[0] != '/')
		return fail(error, "the gateway named no spool directory", path);
	fd = open(request->spool, FOLDER_FLAGS);
	if (fd < 0)
		return fail(error, strerrordesc_np(errno), request->spool);
	return open_below(fd, path, error);
}

static int copy_fd(const struct gatepost_request *request, struct gatepost_error *error)
{
	int fd = fcntl(request->fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? fail(error, strerrordesc_np(errno), "content") : fd;
}

int gatepost_request_open(const struct gatepost_request *request, struct gatepost_error *error)
{
	enum gatepost_body mode = gatepost_request_body(request);
	struct stat about;
	int fd;

	*error = (struct gatepost_error){0};
	if (mode != GATEPOST_BODY_PATH && mode != GATEPOST_BODY_FD)
		return fail(error, "the message has not come as a file", "content");
	fd = mode == GATEPOST_BODY_FD ? copy_fd(request, error) : open_path(request, error);
	if (fd < 0)
		return -1;
	if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
		close(fd);
		return fail(error, "not a regular file", "content");
	}
	return fd;
}

/* As many octets as were announced, and not one more. */
static const char *read_file(struct gatepost_request *request, size_t size,
			     struct gatepost_error *error)
{
	int fd = gatepost_request_open(request, error);
	struct stat about;
	size_t done = 0;
	char *data;
	ssize_t n;

	if (fd < 0)
		return NULL;
	/* The size is looked at first: a wrong one must not cost its memory. */
	if (fstat(fd, &about) < 0 || (uint64_t)about.st_size != size) {
		close(fd);
		fail(error, "the file does not have the announced size", "content");
		return NULL;
	}
	data = grow_resize(NULL, size + 1);
	while (done < size) {
		n = pread(fd, data + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd);
	if (done < size) {
		free(data);
		fail(error, "the file cannot be read", "content");
		return NULL;
	}
	data[size] = '\0';
	return gatepost_kept_add(&request->kept, data);
}

static const char *decode(struct gatepost_request *request, const char *name, size_t *len)
{
	const json_t *value = json_object_get(body_of(request), name);

	return gatepost_kept_add(
		&request->kept,
		gatepost_base64_decode(json_string_value(value), json_string_length(value), len));
}

const char *gatepost_request_content(struct gatepost_request *request, size_t *len,
				     struct gatepost_error *error)
{
	size_t size = (size_t)json_integer_value(json_object_get(request->args, "size"));
	const char *data;

	*error = (struct gatepost_error){0};
	*len = 0;
	switch (gatepost_request_body(request)) {
	case GATEPOST_BODY_HEADERS:
		return decode(request, "headers_b64", len);
	case GATEPOST_BODY_INLINE:
		data = decode(request, "data_b64", len);
		if (*len == size)
			return data;
		fail(error, "the message does not have the announced size", "content");
		return NULL;
	case GATEPOST_BODY_PATH:
	case GATEPOST_BODY_FD:
		data = read_file(request, size, error);
		*len = data ? size : 0;
		return data;
	case GATEPOST_BODY_NONE:
	case GATEPOST_BODY_MAX:
		break;
	}
	return NULL;
}
