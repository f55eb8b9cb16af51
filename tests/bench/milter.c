/* milter: a mail filter that is called at every stage and objects to nothing, for measurements.
 *
 *   milter SOCKET        as in "unix:/path" or "inet:port@127.0.0.1" */
#include <stdio.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	(void)ctx;
	(void)name;
	(void)address;
	return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	(void)name;
	return SMFIS_CONTINUE;
}

/* MAIL and RCPT. */
static sfsistat on_envelope(SMFICTX *ctx, char **arguments)
{
	(void)ctx;
	(void)arguments;
	return SMFIS_CONTINUE;
}

/* DATA, the end of the header, of the message, and of a transaction that comes to nothing. */
static sfsistat on_stage(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "accept",
		.xxfi_version = SMFI_VERSION,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envelope,
		.xxfi_envrcpt = on_envelope,
		.xxfi_data = on_stage,
		.xxfi_header = on_header,
		.xxfi_eoh = on_stage,
		.xxfi_body = on_body,
		.xxfi_eom = on_stage,
		.xxfi_abort = on_stage,
		.xxfi_close = on_stage,
	};

	if (argc != 2) {
		fprintf(stderr, "usage: milter SOCKET\n");
		return EX_USAGE;
	}
	if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(filter) == MI_FAILURE)
		return EX_UNAVAILABLE;
	return smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
}
