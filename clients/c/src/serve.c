#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server.h"
#include "shape.h"

static bool serve(const char *path, const struct gatepost_policy_options *options,
		  gatepost_handler *handler, void *arg, int signals, struct gatepost_error *error)
{
	struct gatepost_server *server = gatepost_server_new(path, options, handler, arg, error);
	struct signalfd_siginfo taken;

	if (!server)
		return false;
	gatepost_server_forbid_later(server);
	gatepost_server_drain_on(server, signals);
	while (gatepost_server_step(server, -1))
		;
	gatepost_server_free(&server);
	/* Taken, or it would end the program once it is not blocked any more. */
	while (read(signals, &taken, sizeof taken) > 0)
		;
	return true;
}

bool gatepost_policy_serve(const char *path, const struct gatepost_policy_options *options,
			   gatepost_handler *handler, void *arg, struct gatepost_error *error)
{
	sigset_t wanted, before;
	bool served = false;
	int signals;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	pthread_sigmask(SIG_BLOCK, &wanted, &before);
	signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0) {
		gatepost_shape_fail(error, "system", "signalfd: %s", strerrordesc_np(errno));
	} else {
		served = serve(path, options, handler, arg, signals, error);
		close(signals);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return served;
}
