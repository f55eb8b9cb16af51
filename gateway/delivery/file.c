#include "delivery/file.h"

#include <errno.h>
#include <unistd.h>

#define FILE_PIECE 16384

bool file_write(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* The rest by hand, from `offset` on. */
static bool copy_pieces(int from, off_t offset, uint64_t len, int to)
{
	char piece[FILE_PIECE];

	while (len) {
		ssize_t n =
			pread(from, piece, len < sizeof piece ? (size_t)len : sizeof piece, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0 || !file_write(to, piece, (size_t)n))
			return false;
		offset += n;
		len -= (uint64_t)n;
	}
	return true;
}

bool file_copy(int from, uint64_t offset, uint64_t len, int to)
{
	off_t at = (off_t)offset;

	while (len) {
		ssize_t n = copy_file_range(from, &at, to, NULL, (size_t)len, 0);

		/* Not every pair of file systems can do it. Whatever stopped it, plain writes
		 * either go on from here or meet the true error again. */
		if (n <= 0)
			return copy_pieces(from, at, len, to);
		len -= (uint64_t)n;
	}
	return true;
}
