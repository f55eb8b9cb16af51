#include "command.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "events_command.h"

static void make_output(bool terminal, int ends[2])
{
	if (terminal)
		assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
	else
		assert_int_equal(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

void command_start(struct stage *stage, struct command *c, bool terminal,
		   const char *const *arguments)
{
	char *argv[16] = {(char[]){"gatepost events"}, (char[]){"--socket"}, stage->events_path};
	int argc = 3, out[2], err[2];

	*c = (struct command){.stage = stage};
	c->text = calloc(1, TEXT_MAX);
	c->errors = calloc(1, TEXT_MAX);
	make_output(terminal, out);
	make_output(false, err);
	for (; *arguments; arguments++)
		argv[argc++] = (char *)(uintptr_t)*arguments;
	c->pid = fork();
	if (c->pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		close_range(3, ~0u, 0);
		exit(events_command(argc, argv));
	}
	close(out[1]);
	close(err[1]);
	c->out = out[0];
	c->err = err[0];
}

/* What is there by now. */
static void read_all(int fd, char *text, size_t *len)
{
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + *len, TEXT_MAX - 1 - *len)) > 0)
		*len += (size_t)n;
}

bool command_has_lines(struct command *c, size_t lines)
{
	size_t found = 0;

	read_all(c->out, c->text, &c->text_len);
	for (size_t i = 0; i < c->text_len; i++)
		found += c->text[i] == '\n';
	return found >= lines;
}

/* Waits for its end and all it wrote; returns the exit code. */
int command_end(struct command *c)
{
	int status = 0;

	stage_until(c->stage, (read_all(c->out, c->text, &c->text_len),
			       waitpid(c->pid, &status, WNOHANG) == c->pid));
	read_all(c->out, c->text, &c->text_len);
	read_all(c->err, c->errors, &c->errors_len);
	if (c->out >= 0)
		close(c->out);
	close(c->err);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void command_fini(struct command *c)
{
	free(c->text);
	free(c->errors);
}

void command_check_error(const struct command *c, const char *part)
{
	assert_int_equal(strncmp(c->errors, "gatepost events: ", 17), 0);
	assert_ptr_equal(strchr(c->errors, '\n'), c->errors + c->errors_len - 1);
	if (!strstr(c->errors, part))
		fail_msg("%s", c->errors);
}
