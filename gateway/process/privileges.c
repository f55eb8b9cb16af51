#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 1024

static bool fail(char *error, size_t size, const char *what, const char *name)
{
	const char *hint = "";

	if (errno == EACCES || errno == EPERM || errno == EROFS)
		hint = "; make it for the account that starts gatepost, or name another";
	else if (errno == ENOTDIR)
		hint = "; remove what is there, or name another";
	snprintf(error, size, "%s: cannot %s: %s%s", name, what, strerror(errno), hint);
	return false;
}

bool privileges_give(const char *path, mode_t mode, const char *user, char *error, size_t size)
{
	struct passwd *account;

	if (chmod(path, mode) != 0)
		return fail(error, size, "set the mode", path);
	if (geteuid() != 0)
		return true;
	account = getpwnam(user);
	if (!account) {
		snprintf(error, size, "there is no account \"%s\"; create it or name another",
			 user);
		return false;
	}
	if (chown(path, account->pw_uid, account->pw_gid) != 0)
		return fail(error, size, "change the owner", path);
	return true;
}

bool privileges_directory(const char *path, mode_t mode, const char *user, char *error, size_t size)
{
	char part[PATH_SIZE];
	struct stat st;
	int n = snprintf(part, sizeof part, "%s", path);

	if (n < 0 || (size_t)n >= sizeof part) {
		errno = ENAMETOOLONG;
		return fail(error, size, "use the directory", path);
	}
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return fail(error, size, "make the directory", part);
		*slash = '/';
	}
	if (mkdir(path, mode) != 0) {
		if (errno != EEXIST)
			return fail(error, size, "make the directory", path);
		if (stat(path, &st) != 0)
			return fail(error, size, "use the directory", path);
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return fail(error, size, "use the directory", path);
		}
		return true; /* an existing one keeps its owner and mode: they are the operator's */
	}
	return privileges_give(path, mode, user, error, size);
}

bool privileges_drop(const char *user, char *error, size_t size)
{
	struct passwd *account;

	if (geteuid() != 0)
		return true;
	errno = 0;
	account = getpwnam(user);
	if (!account) {
		snprintf(error, size, "there is no account \"%s\"; create it or name another",
			 user);
		return false;
	}
	if (initgroups(user, account->pw_gid) != 0 || setgid(account->pw_gid) != 0 ||
	    setuid(account->pw_uid) != 0)
		return fail(error, size, "change to the account", user);
	if (account->pw_uid != 0 && setuid(0) == 0) {
		snprintf(error, size, "the privileges of root could not be given up");
		return false;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(error, size, "forbid new privileges", user);
	return true;
}
