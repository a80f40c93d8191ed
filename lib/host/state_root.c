/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_root.c - The directory that guests' directories are in: only one that exomem made itself */

#include "host/state_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/lock.h"
#include "host/marker.h"
#include "host/safe_open.h"

/*
 * How long exomems that start guests at once may have to wait for each other, on a busy host: each
 * holds it for milliseconds, but who waits is not served in turn.
 */
#define PATIENCE_US 30000000

/*
 * Opens the directory that it is in. What is in a state directory is reached by its path, also by
 * QEMU: nobody else may be able to exchange it.
 */
static int open_parent(const char *path, GError **error)
{
	g_autofree char *distrust = NULL;
	exm_autofd int fd = exm_safe_open_parent(path, &distrust, error);

	if (fd >= 0 && distrust) {
		exm_throw(error, EXM_ERROR_STATE,
		          "%s, and so state directory '%s' is not safe: name another by --state-dir",
		          distrust, path);
		errno = EACCES;
		return -1;
	}
	return g_steal_fd(&fd);
}

static int open_root(int parent, const char *path)
{
	g_autofree char *name = g_path_get_basename(path);

	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool check_owner(int fd, const char *path, GError **error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return exm_throw_errno(error, errno, "look at '%s'", path);
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "state directory '%s' must be yours alone: chown or chmod it, or name "
		                 "another by --state-dir",
		                 path);
	return true;
}

static bool is_marked(int fd)
{
	g_autofree char *id = exm_marker_read(fd, EXM_MARKER_STATE, NULL);

	return id != NULL;
}

static bool throw_foreign(int fd, const char *path, GError **error)
{
	exm_autofd int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Where no descriptor is left, its marker could not be read either. */
	if (again < 0)
		return exm_throw_errno(error, errno, "open state directory '%s'", path);
	return exm_throw(error, EXM_ERROR_STATE,
	                 "'%s' holds files and was not made by exomem: name an empty or a new "
	                 "directory by --state-dir",
	                 path);
}

/**
 * exm_state_root_open() - Open a state directory to look into it; nothing is changed
 * @path:   the directory
 * @ret_fd: a descriptor (transfer full), close-on-exec; -1 where it is missing or empty
 * @error:  STATE where it is not this user's alone, or holds what exomem has not made
 */
bool exm_state_root_open(const char *path, int *ret_fd, GError **error)
{
	g_autoptr(GError) reason = NULL;
	exm_autofd int parent = open_parent(path, &reason);
	exm_autofd int fd = -1;

	*ret_fd = -1;
	if (parent < 0 && errno != ENOENT) {
		g_propagate_error(error, g_steal_pointer(&reason));
		return false;
	}
	fd = parent < 0 ? -1 : open_root(parent, path);
	if (fd < 0)
		return errno == ENOENT ||
		       exm_throw_errno(error, errno, "open state directory '%s'", path);
	if (!check_owner(fd, path, error))
		return false;
	if (is_marked(fd))
		*ret_fd = g_steal_fd(&fd);
	else if (!exm_marker_can_be_made(fd))
		return throw_foreign(fd, path, error);
	return true;
}

static bool lock(int fd, const char *path, GError **error)
{
	bool taken;

	if (!exm_lock_wait(fd, false, PATIENCE_US, &taken, error))
		return false;
	return taken || exm_throw(error, EXM_ERROR_STATE,
	                          "state directory '%s' is held by another exomem (pid %d)", path,
	                          (int)exm_lock_holder(fd));
}

/**
 * exm_state_root_lock() - Keep all other exomems out of a state directory
 * @path:   the directory; made where it is missing
 * @ret_fd: until it is closed (transfer full)
 * @error:  STATE as for exm_state_root_open(), or where another exomem does not let go; SYSTEM; NO_ROOM
 */
bool exm_state_root_lock(const char *path, int *ret_fd, GError **error)
{
	exm_autofd int parent = open_parent(path, error);
	g_autofree char *name = g_path_get_basename(path);
	exm_autofd int fd = -1;

	if (parent < 0)
		return false;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return exm_throw_errno(error, errno, "make state directory '%s'", path);
	fd = open_root(parent, path);
	if (fd < 0)
		return exm_throw_errno(error, errno, "open state directory '%s'", path);
	if (!check_owner(fd, path, error) || !lock(fd, path, error))
		return false;
	if (!is_marked(fd)) {
		if (!exm_marker_can_be_made(fd))
			return throw_foreign(fd, path, error);
		if (!exm_marker_make(fd, EXM_MARKER_STATE, NULL, error))
			return false;
	}
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/**
 * exm_state_root_make() - Make a state directory, where it is not there
 * @path:  the directory
 * @error: as for exm_state_root_lock()
 */
bool exm_state_root_make(const char *path, GError **error)
{
	G_GNUC_UNUSED exm_autofd int fd = -1;

	return exm_state_root_lock(path, &fd, error);
}

/**
 * exm_state_root_id() - The id of a state directory
 * @path: the directory
 *
 * Return: the id of its marker (transfer full), or NULL where there is no such state directory yet.
 */
char *exm_state_root_id(const char *path)
{
	exm_autofd int parent = open_parent(path, NULL);
	exm_autofd int fd = parent < 0 ? -1 : open_root(parent, path);

	return fd < 0 ? NULL : exm_marker_read(fd, EXM_MARKER_STATE, NULL);
}
