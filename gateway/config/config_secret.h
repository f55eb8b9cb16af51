/* config_secret: a password in a file of its own.
 *
 * The configuration itself is read by everybody who runs `gatepost check`; the password's file is
 * not. It is read with the configuration, while the rights for it are still there. */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include <stdbool.h>

/* The octets of the file's one line, without its newline, as a string; to be given to
 * config_secret_free(). False when the path is not absolute, when it is no plain file, when others
 * than its owner and group can read or write it, and when it is not one line of 1 to 255 octets
 * without controls. errno is then why it cannot be read, else 0. */
bool config_secret_read(const char *path, char **secret);
/* Wipes it, frees it and sets the pointer to NULL; of NULL does nothing. */
void config_secret_free(char **secret);

#endif
