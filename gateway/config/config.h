/* config: the operator's YAML file as plain C values.
 *
 *      file --libyaml--> faults of form, lines of the settings    config_lines
 *        \---libcyaml--> texts (struct raw_*)                      config_schema
 *                           `---> values ---> what they mean together
 *                            config_value       config_check
 *
 * Every setting has a default, a range and a line of help; they stand together in one table
 * (config_settings.h) from which the schema, the reading and `gatepost check --defaults` are made.
 * A file with any fault gives no configuration at all: a gateway that guesses what its operator
 * meant is a gateway that loses mail. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/log.h"
#include "net/address_block.h"
#include "net/tls_context.h"
#include "protocol/failure.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

enum config_tls { CONFIG_TLS_NONE, CONFIG_TLS_STARTTLS, CONFIG_TLS_IMPLICIT };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_protocol { CONFIG_PROTOCOL_SMTP, CONFIG_PROTOCOL_LMTP };
enum config_bare_newline { CONFIG_BARE_NEWLINE_REJECT, CONFIG_BARE_NEWLINE_ACCEPT };
enum config_mode { CONFIG_MODE_ENFORCE, CONFIG_MODE_SHADOW };
enum config_order { CONFIG_ORDER_FIRST, CONFIG_ORDER_ROUND_ROBIN };
enum config_delivery_tls {
	CONFIG_DELIVERY_TLS_NONE,
	CONFIG_DELIVERY_TLS_OPPORTUNISTIC,
	CONFIG_DELIVERY_TLS_VERIFIED,
};
enum config_show_client { CONFIG_SHOW_NONE, CONFIG_SHOW_XCLIENT, CONFIG_SHOW_PROXY };
enum config_delivery_kind {
	CONFIG_DELIVERY_MAILDIR,
	CONFIG_DELIVERY_SMTP,
	CONFIG_DELIVERY_LMTP,
	CONFIG_DELIVERY_SERVICE,
	CONFIG_DELIVERY_DISCARD,
	CONFIG_DELIVERY_MAX
};

/* Texts in the order they stand in the file. */
struct config_texts {
	char **items;
	size_t len;
};

/* As address_blocks_have() takes them. */
struct config_blocks {
	struct address_block *items;
	size_t len;
};

/* Room for `file:line: setting: ` and a reason with a path in it; what is longer is cut. */
#define CONFIG_BLAME_SIZE 1536

/* A listening socket that the service manager passes on: passed_socket() has it. */
#define CONFIG_PASSED "fd:"

struct config_listener {
	char *name;
	char *address; /* address_parse() takes it, or CONFIG_PASSED and a socket's name */
	enum config_tls tls;
	bool require_tls;
	enum tls_client_certificates client_certificates;
	bool auth;
	/* Empty on a Unix socket, whose peer is in no block. proxy_protocol is compared with the
	 * peer, the others with the client it speaks for; they never hold everybody. */
	struct config_blocks proxy_protocol, xclient, relay_clients;
	bool resolve_names;
	enum config_protocol protocol;
	enum config_bare_newline bare_newline;
	/* Domains mail is accepted for, in lower case. None and not accept_any: no recipient at
	 * all, so a listener whose operator forgot the list is closed, never an open relay. */
	struct config_texts accept_domains;
	bool accept_any;
	size_t *policies; /* places in config.policies, in the order they are asked */
	size_t policies_len;
	size_t delivery; /* place in config.deliveries */
	bool received_client;
};

struct config_certificate {
	char *certificate, *key;
};

struct config_uid {
	bool set;
	uid_t uid;
};

struct config_uids {
	struct config_uid *items;
	size_t len;
};

/* An exception to on_failure. */
struct config_failure {
	unsigned hooks;	  /* 1u << HOOK_x */
	unsigned classes; /* 1u << FAILURE_x, of the first FAILURE_CHOICES */
	enum verdict_kind action;
};

struct config_policy {
	char *name;
	struct config_texts sockets; /* absolute paths, at least one */
	unsigned hooks;		     /* 1u << HOOK_x; ~0u: whatever the service registers */
	double timeout, timeout_max; /* seconds; the second below the first: no more than that */
	enum verdict_kind on_failure;
	struct config_failure *failures;
	size_t failures_len;
	/* What the two together mean: the first entry that holds, else on_failure. */
	enum verdict_kind actions[HOOK_MAX][FAILURE_CHOICES];
	bool required;
	enum config_mode mode;
	unsigned grants; /* 1u << HANDSHAKE_GRANT_x */
	struct config_uid uid;
	unsigned facts; /* 1u << HOOK_FACT_x: what some listener that asks it can tell */
	/* It takes mail over: a delivery of the kind service names it, it is the last policy of
	 * each listener that asks it, and its failure at message is a refusal. */
	bool delivers;
};

/* What belongs to another kind has its default. */
struct config_delivery {
	char *name;
	enum config_delivery_kind kind;
	char *maildir;			/* may hold {domain} and {local}, and no other braces */
	struct config_texts smtp, lmtp; /* address_parse() takes each */
	size_t service;			/* place in config.policies */
	bool discard;
	enum config_order order;
	enum config_delivery_tls tls;
	char *tls_name, *tls_ca; /* NULL unless tls is verified, which has tls_name */
	enum config_show_client show_client;
	char *user;	     /* NULL: no AUTH */
	char *password_file; /* the password, once read; there when user is */
	unsigned connections, reuse, recipients;
	double idle, timeout; /* seconds */
};

struct config_limits {
	uint64_t message_size;
	unsigned recipients, connections, connections_per_client, errors, commands, messages;
	double banner_wait, command_timeout, data_timeout, session_time, message_time; /* seconds */
	uint64_t data_rate; /* octets a second; 0: none */
	uint64_t spool;	    /* octets; 0: no limit */
};

/* A setting that a running gateway cannot change, as the file has it. */
struct config_fixed {
	char setting[64];
	char *text;
};

struct config_line;

struct config {
	char *hostname;
	char *runtime_dir;
	char *spool_dir;
	char *user;
	char *http;	  /* address_parse() takes it; NULL: none */
	unsigned workers; /* "auto" is already a number here */
	double drain_timeout, drain_delay, retire_timeout; /* seconds */
	struct config_listener *listeners;
	size_t listeners_len;
	struct {
		struct config_certificate *certificates; /* none: no listener speaks TLS */
		size_t certificates_len;
		char *client_ca; /* NULL: none */
		enum config_tls_version min_version;
	} tls;
	struct config_policy *policies;
	size_t policies_len;
	struct config_delivery *deliveries;
	size_t deliveries_len;
	struct config_limits limits;
	struct {
		struct config_texts servers; /* address_parse() takes each; none: the system's */
		double timeout;		     /* seconds */
	} resolver;
	struct {
		uint64_t ring; /* octets */
		unsigned subscribers;
		struct config_uids uids; /* none: everybody */
		unsigned redact;	 /* 1u << EVENT_REDACT_x */
	} events;
	struct {
		enum log_level level;
		bool json;
		char *file; /* NULL: standard error */
	} log;
	struct config_fixed *fixed;
	size_t fixed_len;
	/* For config_blame(). */
	char *file;
	struct config_line *lines;
	size_t lines_len;
};

/* Reads and checks the file. On any fault it returns NULL after writing to `errors` one line for
 * each fault found, `file:line: setting: what to do`. Of a setting that is missing, the line is
 * that of the list entry or mapping that lacks it; at the top there is none. errno is then 0, or
 * why the file could not be read at all. */
struct config *config_load(const char *path, FILE *errors);
/* Whether a gateway that runs with `old` can go on with `new`. When it
 * cannot, `errors` gets a line for each setting in the way, in the form of config_load()'s. */
bool config_can_follow(const struct config *old, const struct config *new, FILE *errors);
/* For a fault that shows only when a setting is used, such as an address that is taken: puts
 * `file:line: setting: ` in front of the reason in `error`, as config_load() does. Nothing for a
 * configuration that is from no file. */
void config_blame(const struct config *config, const char *setting, char *error, size_t size);
/* Frees all of it and sets the pointer to NULL; NULL inside is fine. */
void config_free(struct config **config);
/* Every setting with its default, range and help, as commented YAML. */
void config_print_defaults(FILE *out);

#endif
