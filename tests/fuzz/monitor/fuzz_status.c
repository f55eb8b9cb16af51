/* Whatever answers at the control socket, what is shown of it is printable lines of bounded size.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "status_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(const struct status *now, const struct status *before)
{
	const struct status_screen screen = {.rows = 200, .columns = 300, .end = "\n"};
	struct buf out;

	buf_init(&out, 1 << 20);
	status_text_write(&out, now, before, &screen);
	assert(!out.overflow && out.len <= 200 * 301);
	for (size_t i = 0; i < out.len; i++)
		assert((buf_head(&out)[i] >= ' ' && buf_head(&out)[i] <= '~') ||
		       buf_head(&out)[i] == '\n');
	buf_fini(&out);
}

/* Two messages with a LF between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *first = (const char *)data, *lf = memchr(first, '\n', size);
	size_t len = lf ? (size_t)(lf - first) : size;
	struct status *before, *now;
	char problem[256];

	status_read(first, len, &before, problem, sizeof problem);
	if (before)
		show(before, NULL);
	else
		assert(strlen(problem) < sizeof problem);
	if (lf)
		status_read(lf + 1, size - len - 1, &now, problem, sizeof problem);
	else
		now = NULL;
	if (now)
		show(now, before);
	status_free(&before);
	status_free(&now);
	return 0;
}
