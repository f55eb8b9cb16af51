/* config_settings: the one table of all settings.
 *
 * ONE  is a single value, MANY a list of them:
 *      (key, kind, need, text, low, high, words, help)
 * text: the default when need is DEFAULT, else an example for the printed defaults, as YAML.
 * low and high: the range, in octets for sizes and seconds for times, in entries for lists; for
 * paths high is the limit in octets. words: the allowed ones, in the order of the enum or bool they
 * become. From these lines come the members of struct raw_*, libcyaml's schema, the reading of the
 * values and `gatepost check --defaults`: a new setting is one line here and one member in
 * config.h. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

enum setting_need { NEED_DEFAULT, NEED_REQUIRED, NEED_OPTIONAL };

enum setting_kind {
	KIND_HOST,     /* char *: a domain name, in lower case */
	KIND_NAME,     /* char *: letters, digits, '_', '-', '.' */
	KIND_PATH,     /* char *: absolute */
	KIND_TEMPLATE, /* char *: absolute, with {domain} and {local} in it */
	KIND_FILE,     /* char *: absolute, readable now */
	KIND_SECRET,   /* char *: what the one line of a file holds */
	KIND_LOGIN,    /* char *: printable ASCII */
	KIND_ADDRESS,  /* char *: host and port, a Unix socket, or one that was passed */
	KIND_USER,     /* char *: an account */
	KIND_UID,      /* struct config_uid: an account that is there, or a number */
	KIND_WORKERS,  /* unsigned: a number or "auto" */
	KIND_COUNT,    /* unsigned */
	KIND_SIZE,     /* uint64_t */
	KIND_TIME,     /* double */
	KIND_WORD,     /* an enum: the place in `words` */
	KIND_BOOL,     /* bool: the place in `words` */
	KIND_ACTION,   /* enum verdict_kind: one of `words` */
	KIND_SOCKETS,  /* list -> struct config_texts of absolute paths */
	KIND_DOMAINS,  /* list -> struct config_texts of domains in lower case, or "any" */
	KIND_SERVERS,  /* list -> struct config_texts of an IP and its port each */
	KIND_BACKENDS, /* list -> struct config_texts of an IP and its port, or a Unix socket */
	KIND_BLOCKS,   /* list -> struct config_blocks */
	KIND_UIDS,     /* list -> struct config_uids: accounts that are there, or numbers */
	KIND_HOOKS,    /* list -> unsigned mask; absent: all */
	KIND_CLASSES,  /* list -> unsigned mask of failures; absent: all */
	KIND_GRANTS,   /* list -> unsigned mask; absent: none */
	KIND_REDACT,   /* list -> unsigned mask; absent: none */
	KIND_POLICIES, /* list -> places, resolved by the cross checks */
	KIND_POLICY,   /* size_t: a place, resolved by the cross checks */
	KIND_DELIVERY, /* size_t: a place, resolved by the cross checks */
};

/* Names stand in every event and request. */
#define NAME_MAX_OCTETS 64
/* More listeners than this are a generator's mistake; each one costs every worker a socket. */
#define GROUP_ENTRIES_MAX 256
/* Each RCPT is compared with all of them. Whoever has more asks a policy. */
#define DOMAINS_MAX 10000
/* Each client is compared with all of them. */
#define BLOCKS_MAX   1000
#define SERVERS_MAX  8	/* a look-up that has failed eight times will not succeed */
#define BACKENDS_MAX 16 /* a client would not wait until more have been tried */
/* There are fewer pairs of a hook and a class of failure. */
#define FAILURES_MAX 64
/* Each is read for every kind of listener; more names than these hold fit into one certificate. */
#define CERTIFICATES_MAX 64
/* sun_path without its NUL. */
#define SOCKET_PATH_MAX 107
#define LOGIN_MAX	255
#define RUNTIME_DIR_MAX 90 /* leaves room for the sockets' names in a sockaddr_un */

#define GATEWAY_SETTINGS(ONE, MANY)                                                                \
	ONE(hostname, HOST, OPTIONAL, "mx1.example.org", 0, 0, NULL,                               \
	    "Name in the greeting and in Received: fields. Without it: the machine's name.")       \
	ONE(runtime_dir, PATH, DEFAULT, "/run/gatepost", 0, RUNTIME_DIR_MAX, NULL,                 \
	    "Directory of events.sock and control.sock.")                                          \
	ONE(spool_dir, PATH, DEFAULT, "/var/spool/gatepost", 0, 512, NULL,                         \
	    "Directory for messages too large for memory while they are received.")                \
	ONE(workers, WORKERS, DEFAULT, "auto", 1, 256, NULL,                                       \
	    "Worker processes; auto: one for each processor this process may use.")                \
	ONE(user, USER, DEFAULT, "gatepost", 0, 0, NULL,                                           \
	    "Account to change to after binding, when started as root.")                           \
	ONE(http, ADDRESS, OPTIONAL, "\"127.0.0.1:8025\"", 0, 0, NULL,                             \
	    "Where /healthz, /readyz and /metrics are served. Without it: nowhere.")               \
	ONE(drain_timeout, TIME, DEFAULT, "30s", 0, 3600, NULL,                                    \
	    "How long open sessions may go on after the order to stop.")                           \
	ONE(drain_delay, TIME, DEFAULT, "0s", 0, 3600, NULL,                                       \
	    "How long new clients are still served after the order to stop.")                      \
	ONE(retire_timeout, TIME, DEFAULT, "10m", 0, 86400, NULL,                                  \
	    "How long sessions may go on as they are after a reload.")

#define LISTENER_SETTINGS(ONE, MANY)                                                               \
	ONE(name, NAME, REQUIRED, "mx", 0, 0, NULL, "Name in events and requests; unique.")        \
	ONE(address, ADDRESS, REQUIRED, "\"0.0.0.0:25\"", 0, 0, NULL,                              \
	    "IPv4:port, [IPv6]:port, unix:/path or fd:name.")                                      \
	ONE(tls, WORD, DEFAULT, "none", 0, 0, "none starttls implicit",                            \
	    "starttls: offered in EHLO; implicit: from the first octet.")                          \
	ONE(require_tls, BOOL, DEFAULT, "false", 0, 0, "false true",                               \
	    "530 5.7.0 to mail before STARTTLS.")                                                  \
	ONE(client_certificates, WORD, DEFAULT, "none", 0, 0, "none request require",              \
	    "request: asked for, a fact for policies; require: none that verifies, no session.")   \
	ONE(auth, BOOL, DEFAULT, "false", 0, 0, "false true",                                      \
	    "AUTH is offered under TLS; a policy with the hook auth decides.")                     \
	MANY(proxy_protocol, BLOCKS, OPTIONAL, "[10.0.0.0/8]", 0, BLOCKS_MAX, NULL,                \
	     "Peers that must speak the PROXY protocol, v1 or v2. Without it: nobody may.")        \
	MANY(xclient, BLOCKS, OPTIONAL, "[192.0.2.1]", 0, BLOCKS_MAX, NULL,                        \
	     "Peers that may speak XCLIENT. Without it: nobody.")                                  \
	MANY(relay_clients, BLOCKS, OPTIONAL, "[198.51.100.0/24]", 0, BLOCKS_MAX, NULL,            \
	     "Clients that may send to any domain. Without it: none.")                             \
	ONE(resolve_names, BOOL, DEFAULT, "true", 0, 0, "false true",                              \
	    "Looks up each client's name and whether it leads back; needs a resolver.")            \
	ONE(protocol, WORD, DEFAULT, "smtp", 0, 0, "smtp lmtp",                                    \
	    "lmtp: LHLO, and a reply for each recipient after the message (RFC 2033).")            \
	ONE(bare_newline, WORD, DEFAULT, "reject", 0, 0, "reject accept",                          \
	    "A message with a bare CR or LF. reject: 550 5.6.0; accept: its octets are kept. It "  \
	    "never ends there.")                                                                   \
	MANY(accept_domains, DOMAINS, OPTIONAL, "[example.org]", 0, DOMAINS_MAX, NULL,             \
	     "Domains mail is accepted for; others get 550 5.7.1. Without it: none at all. The "   \
	     "one entry any: every domain.")                                                       \
	MANY(policies, POLICIES, OPTIONAL, "[greylist]", 0, GROUP_ENTRIES_MAX, NULL,               \
	     "Names of policies, asked in this order.")                                            \
	ONE(delivery, DELIVERY, REQUIRED, "inbox", 0, 0, NULL,                                     \
	    "Name of the delivery for its mail.")                                                  \
	ONE(received_client, BOOL, DEFAULT, "true", 0, 0, "false true",                            \
	    "Received: fields name the client and its address; false: neither, for submission.")

#define CERTIFICATE_SETTINGS(ONE, MANY)                                                            \
	ONE(certificate, FILE, REQUIRED, "/etc/gatepost/tls/mx1.pem", 0, 0, NULL,                  \
	    "PEM file: the certificate, then its chain.")                                          \
	ONE(key, FILE, REQUIRED, "/etc/gatepost/tls/mx1.key", 0, 0, NULL,                          \
	    "PEM file: the private key.")

#define TLS_SETTINGS(ONE, MANY)                                                                    \
	ONE(client_ca, FILE, OPTIONAL, "/etc/gatepost/tls/clients.pem", 0, 0, NULL,                \
	    "PEM file: the authorities that sign clients' certificates.")                          \
	ONE(min_version, WORD, DEFAULT, "1.2", 0, 0, "1.2 1.3", "Oldest version of TLS spoken.")

#define ACTION_WORDS "accept quarantine tempfail reject disconnect"

#define POLICY_SETTINGS(ONE, MANY)                                                                 \
	ONE(name, NAME, REQUIRED, "greylist", 0, 0, NULL,                                          \
	    "Name for listeners and events; unique.")                                              \
	MANY(sockets, SOCKETS, REQUIRED, "[/run/greylist/policy.sock]", 1, 64, NULL,               \
	     "Unix sockets of the service; any one of them can answer.")                           \
	MANY(hooks, HOOKS, OPTIONAL, "[rcpt]", 1, 64, NULL,                                        \
	     "Hooks it may be asked at. Without it: those it registers.")                          \
	ONE(timeout, TIME, DEFAULT, "3s", 0.01, 600, NULL, "Longest wait for one verdict.")        \
	ONE(timeout_max, TIME, DEFAULT, "60s", 0, 3600, NULL,                                      \
	    "The same with all that its progress adds; below timeout: it adds nothing.")           \
	ONE(on_failure, ACTION, DEFAULT, "tempfail", 0, 0, ACTION_WORDS,                           \
	    "What happens when it is unavailable, overloaded, too late or lost.")                  \
	ONE(required, BOOL, DEFAULT, "false", 0, 0, "false true",                                  \
	    "true: without a live connection for 10 s the gateway is not ready.")                  \
	ONE(mode, WORD, DEFAULT, "enforce", 0, 0, "enforce shadow",                                \
	    "shadow: it is asked and never waited for; its verdicts are only reported.")           \
	MANY(grants, GRANTS, OPTIONAL, "[bypass]", 0, 8, NULL,                                     \
	     "What else it may answer. bypass: the policies after it are not asked.")              \
	ONE(uid, UID, OPTIONAL, "greylist", 0, 0, NULL,                                            \
	    "Account of the process that must be listening. Without it: any.")

/* Inside a policy. A value of on_failure that is a word or a mapping would be a second kind of
 * schema, and of fault message, for that setting alone. */
#define FAILURE_SETTINGS(ONE, MANY)                                                                \
	MANY(hooks, HOOKS, OPTIONAL, "[rcpt]", 1, 64, NULL,                                        \
	     "Hooks at which it holds. Without it: all.")                                          \
	MANY(classes, CLASSES, OPTIONAL, "[overload, timeout]", 1, 64, NULL,                       \
	     "Failures for which it holds. Without it: all.")                                      \
	ONE(action, ACTION, REQUIRED, "quarantine", 0, 0, ACTION_WORDS,                            \
	    "What happens instead of on_failure. The first entry that holds decides.")

#define DELIVERY_SETTINGS(ONE, MANY)                                                               \
	ONE(name, NAME, REQUIRED, "inbox", 0, 0, NULL, "Name for listeners and events; unique.")   \
	ONE(maildir, TEMPLATE, OPTIONAL, "/var/mail/gatepost", 0, 512, NULL,                       \
	    "Maildir the messages go to; made when missing. {domain} and {local} stand for those " \
	    "of each recipient.")                                                                  \
	MANY(smtp, BACKENDS, OPTIONAL, "[\"10.1.0.5:25\"]", 1, BACKENDS_MAX, NULL,                 \
	     "SMTP servers the messages go to; each reply is theirs.")                             \
	MANY(lmtp, BACKENDS, OPTIONAL, "[\"unix:/run/dovecot/lmtp\"]", 1, BACKENDS_MAX, NULL,      \
	     "LMTP servers the messages go to; each reply is theirs.")                             \
	ONE(service, POLICY, OPTIONAL, "scanner", 0, 0, NULL,                                      \
	    "Policy whose accept at message takes the mail over.")                                 \
	ONE(discard, BOOL, DEFAULT, "false", 0, 0, "false true",                                   \
	    "true: messages are answered with 250 and thrown away.")                               \
	ONE(order, WORD, DEFAULT, "first", 0, 0, "first round_robin",                              \
	    "Of several servers. first: the first one that is up; round_robin: each in turn.")     \
	ONE(tls, WORD, DEFAULT, "opportunistic", 0, 0, "none opportunistic verified",              \
	    "opportunistic: where the server offers it, whoever it is; verified: no mail "         \
	    "without.")                                                                            \
	ONE(tls_name, HOST, OPTIONAL, "mail.example.org", 0, 0, NULL,                              \
	    "Name that the server's certificate must have; for tls verified.")                     \
	ONE(tls_ca, FILE, OPTIONAL, "/etc/gatepost/tls/servers.pem", 0, 0, NULL,                   \
	    "PEM file: the authorities that may have signed it. Without it: the system's.")        \
	ONE(show_client, WORD, DEFAULT, "none", 0, 0, "none xclient proxy",                        \
	    "How the server learns whose mail it is. proxy: PROXY protocol, v2.")                  \
	ONE(user, LOGIN, OPTIONAL, "relay", 0, 0, NULL,                                            \
	    "Name for AUTH PLAIN to the server; only said over TLS.")                              \
	ONE(password_file, SECRET, OPTIONAL, "/etc/gatepost/relay.password", 0, 0, NULL,           \
	    "File whose line is the password of user.")                                            \
	ONE(connections, COUNT, DEFAULT, "50", 1, 10000, NULL,                                     \
	    "Connections open at a time, of each worker, to all its servers.")                     \
	ONE(reuse, COUNT, DEFAULT, "100", 1, 1000000, NULL,                                        \
	    "Transactions of one connection; then it is closed.")                                  \
	ONE(idle, TIME, DEFAULT, "30s", 1, 3600, NULL,                                             \
	    "How long a connection without work is kept.")                                         \
	ONE(timeout, TIME, DEFAULT, "60s", 1, 600, NULL,                                           \
	    "Longest wait for a reply; the reply to the message has 10m.")                         \
	ONE(recipients, COUNT, DEFAULT, "1", 1, 1000, NULL,                                        \
	    "Recipients of one LMTP transaction; more get 452 4.5.3.")

#define LIMITS_SETTINGS(ONE, MANY)                                                                 \
	ONE(message_size, SIZE, DEFAULT, "25M", 1, 2147483648.0, NULL,                             \
	    "Octets of one message (RFC 5321 wants at least 64K).")                                \
	ONE(recipients, COUNT, DEFAULT, "1000", 1, 100000, NULL,                                   \
	    "Recipients of one message (RFC 5321 wants at least 100).")                            \
	ONE(connections, COUNT, DEFAULT, "10000", 1, 1000000, NULL,                                \
	    "Connections open at a time, all workers together.")                                   \
	ONE(connections_per_client, COUNT, DEFAULT, "50", 1, 1000000, NULL,                        \
	    "Connections open at a time of one client (an IPv4 address, an IPv6 /64), all "        \
	    "workers together.")                                                                   \
	ONE(errors, COUNT, DEFAULT, "10", 1, 1000000, NULL,                                        \
	    "Faults of a client since its last message, what services refuse not counted; then "   \
	    "421 4.7.0.")                                                                          \
	ONE(commands, COUNT, DEFAULT, "1000", 1, 1000000, NULL,                                    \
	    "Commands of one connection, then 421 4.7.0.")                                         \
	ONE(messages, COUNT, DEFAULT, "100", 1, 1000000, NULL,                                     \
	    "Messages of one connection, then 421 4.7.0.")                                         \
	ONE(banner_wait, TIME, DEFAULT, "0s", 0, 30, NULL,                                         \
	    "A client that talks before the banner within this time is refused: 554.")             \
	ONE(command_timeout, TIME, DEFAULT, "5m", 0.1, 86400, NULL,                                \
	    "Longest wait for the next command (RFC 5321 wants at least 5m).")                     \
	ONE(data_timeout, TIME, DEFAULT, "10m", 0.1, 86400, NULL,                                  \
	    "Longest wait for the next octets of a message.")                                      \
	ONE(data_rate, SIZE, DEFAULT, "100", 0, 1048576, NULL,                                     \
	    "Least octets a second of a message, on average, once data has been read for a "       \
	    "minute; 0: none.")                                                                    \
	ONE(session_time, TIME, DEFAULT, "1h", 1, 604800, NULL, "Longest life of a connection.")   \
	ONE(message_time, TIME, DEFAULT, "120s", 1, 600, NULL,                                     \
	    "What all services together may take for a message after its end; then 451.")          \
	ONE(spool, SIZE, DEFAULT, "1G", 0, 1099511627776.0, NULL,                                  \
	    "Octets of messages in files of spool_dir, all workers together, then 452 4.3.1; 0: "  \
	    "no limit.")

#define RESOLVER_SETTINGS(ONE, MANY)                                                               \
	MANY(servers, SERVERS, OPTIONAL, "[\"127.0.0.1:53\"]", 1, SERVERS_MAX, NULL,               \
	     "DNS servers asked for clients' names. Without it: the system's.")                    \
	ONE(timeout, TIME, DEFAULT, "5s", 0.1, 60, NULL,                                           \
	    "Longest look-up of one client's name; after it the client has none.")

#define EVENTS_SETTINGS(ONE, MANY)                                                                 \
	ONE(ring, SIZE, DEFAULT, "64M", 65536, 17179869184.0, NULL,                                \
	    "Memory for the events a late subscriber can still get.")                              \
	ONE(subscribers, COUNT, DEFAULT, "64", 1, 10000, NULL, "Subscribers at a time.")           \
	MANY(uids, UIDS, OPTIONAL, "[siem]", 0, 64, NULL,                                          \
	     "Accounts whose processes may subscribe. Without it: all that can open the socket.")  \
	MANY(redact, REDACT, OPTIONAL, "[client, mail]", 0, 8, NULL,                               \
	     "What events do not tell. client: who the client is; mail: whose mail it is.")

#define LOG_SETTINGS(ONE, MANY)                                                                    \
	ONE(level, WORD, DEFAULT, "info", 0, 0, "error warning info debug", "Least level shown.")  \
	ONE(format, BOOL, DEFAULT, "text", 0, 0, "text json", "Form of the lines.")                \
	ONE(file, PATH, OPTIONAL, "/var/log/gatepost.log", 0, 512, NULL,                           \
	    "File the lines are appended to. Without it: standard error.")

/* One line of the table. `from` is the place in the raw struct, `to` the one in config.h's. */
struct setting {
	const char *key;
	enum setting_kind kind;
	bool many;
	enum setting_need need;
	const char *text;
	double low, high;
	const char *words;
	const char *help;
	size_t from;
	size_t to;
};

/* In the order of the file; a mapping inside another comes after it. */
enum setting_place {
	SETTINGS_GATEWAY,
	SETTINGS_LISTENER,
	SETTINGS_TLS,
	SETTINGS_CERTIFICATE,
	SETTINGS_POLICY,
	SETTINGS_FAILURE,
	SETTINGS_DELIVERY,
	SETTINGS_LIMITS,
	SETTINGS_RESOLVER,
	SETTINGS_EVENTS,
	SETTINGS_LOG,
	SETTINGS_MAX
};

/* Where the structs of a mapping are in those of the mapping around it: of a list, the pointer to
 * its entries, their number and the size of one; else `items` is where the struct begins. */
struct setting_entries {
	size_t items, len, size;
};

/* The settings of one mapping of the file. */
struct setting_group {
	const char *key; /* "" for the top */
	enum setting_place parent;
	bool list; /* the key holds a list of such mappings */
	bool required;
	const struct setting *settings;
	size_t len;
	struct setting_entries from, to;
};

extern const struct setting_group setting_groups[SETTINGS_MAX];

#endif
