#include "config_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECRET_MAX 255

/* The password of a file that everybody can read is no secret, and one that everybody can write is
 * whose it pleases. */
static bool is_private(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       !(status.st_mode & (S_IROTH | S_IWOTH));
}

/* Cuts the newline off. */
static bool is_line(char *text, size_t len)
{
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return len && len <= SECRET_MAX;
}

bool config_secret_read(const char *path, char **secret)
{
	char text[SECRET_MAX + 3]; /* the newline, one octet too many, the NUL */
	ssize_t n = -1;
	int fd, error;
	bool good;

	errno = 0;
	if (path[0] != '/')
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	if (is_private(fd))
		n = read(fd, text, sizeof text - 1);
	error = errno;
	close(fd);
	good = n >= 0 && is_line(text, (size_t)n);
	if (good)
		*secret = mem_copy_string(text);
	explicit_bzero(text, sizeof text);
	errno = error;
	return good;
}

void config_secret_free(char **secret)
{
	if (!*secret)
		return;
	explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}
