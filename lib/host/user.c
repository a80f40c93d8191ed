/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.c - Give files to the user that a QEMU becomes */

#include "host/user.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "base/error.h"

/* Bytes that the strings of an entry may have; most have a hundred. */
#define ENTRY_MAX 16384

static bool find(const char *user, struct passwd *ret_entry, GError **error)
{
	g_autofree char *strings = g_malloc(ENTRY_MAX);
	struct passwd *found = NULL;
	const int problem = getpwnam_r(user, ret_entry, strings, ENTRY_MAX, &found);

	if (problem)
		return exm_throw_errno(error, problem, "look up user '%s'", user);
	return found || exm_throw(error, EXM_ERROR_UNSUPPORTED, "there is no user '%s'", user);
}

/**
 * exm_user_give_fd() - Make a user the owner of an open file
 * @user:  name of the user, with whose group
 * @fd:    the file
 * @error: UNSUPPORTED where there is no such user; SYSTEM
 */
bool exm_user_give_fd(const char *user, int fd, GError **error)
{
	struct passwd entry;

	if (!find(user, &entry, error))
		return false;
	return fchown(fd, entry.pw_uid, entry.pw_gid) == 0 ||
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
	struct passwd entry;

	if (!find(user, &entry, error))
		return false;
	return lchown(path, entry.pw_uid, entry.pw_gid) == 0 ||
	       exm_throw_errno(error, errno, "give '%s' to user '%s'", path, user);
}
