/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.c - Give files to the user that a QEMU becomes */

#include "host/user.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "base/error.h"

static const struct passwd *find(const char *user, GError **error)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (!entry && errno)
		exm_throw_errno(error, errno, "look up user '%s'", user);
	else if (!entry)
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "there is no user '%s'", user);
	return entry;
}

/**
 * exm_user_give_fd() - Make a user the owner of an open file
 * @user:  name of the user, with whose group
 * @fd:    the file
 * @error: UNSUPPORTED where there is no such user; SYSTEM
 */
bool exm_user_give_fd(const char *user, int fd, GError **error)
{
	const struct passwd *entry = find(user, error);

	if (!entry)
		return false;
	return fchown(fd, entry->pw_uid, entry->pw_gid) == 0 ||
	       exm_throw_errno(error, errno, "give a file to user '%s'", user);
}

/**
 * exm_user_give_path() - Make a user the owner of a file
 * @user:  name of the user, with whose group
 * @path:  the file; of a symbolic link the link itself
 * @error: UNSUPPORTED where there is no such user; SYSTEM
 */
bool exm_user_give_path(const char *user, const char *path, GError **error)
{
	const struct passwd *entry = find(user, error);

	if (!entry)
		return false;
	return lchown(path, entry->pw_uid, entry->pw_gid) == 0 ||
	       exm_throw_errno(error, errno, "give '%s' to user '%s'", path, user);
}
