/* SPDX-License-Identifier: GPL-2.0-or-later */
/* safe_open.c - Open what another user may have put there, and find out whether one may have */

#include "host/safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

/* As many symbolic links as the kernel follows in one path (path_resolution(7)). */
#define LINKS_MAX 40

/**
 * struct Walk - A path that is followed component by component
 * @at:    descriptor of where it has come to
 * @done:  path of that
 * @left:  the rest of the path
 * @links: how many symbolic links were followed
 */
typedef struct {
	int at;
	GString *done;
	char *left;
	int links;
} Walk;

static void walk_clear(Walk *walk)
{
	exm_fd_clear(&walk->at);
	g_string_free(walk->done, TRUE);
	g_free(walk->left);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

/**
 * exm_safe_others_may_write() - Whether a file's mode lets another user write to it
 * @status: of the file
 *
 * A group with the number of its owner is the owner's own: root's, and each user's on Debian.
 */
bool exm_safe_others_may_write(const struct stat *status)
{
	return (status->st_mode & S_IWOTH) ||
	       ((status->st_mode & S_IWGRP) && status->st_gid != status->st_uid);
}

/* The first reason counts. In a sticky directory nobody renames what is another's. */
static void note_distrust(const struct stat *status, const char *path, char **distrust)
{
	const bool sticky = S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX);

	if (*distrust)
		return;
	if (status->st_uid != 0 && status->st_uid != geteuid())
		*distrust = g_strdup_printf("'%s' belongs to another user", path);
	else if (!S_ISLNK(status->st_mode) && !sticky && exm_safe_others_may_write(status))
		*distrust = g_strdup_printf("others can write to '%s'", path);
}

static bool start_over(Walk *walk)
{
	exm_fd_clear(&walk->at);
	g_string_assign(walk->done, "");
	walk->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return walk->at >= 0;
}

static bool follow(Walk *walk, int link)
{
	char target[PATH_MAX];
	const ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);
	char *left;

	if (length < 0)
		return false;
	if (++walk->links > LINKS_MAX) {
		errno = ELOOP;
		return false;
	}
	target[length] = '\0';
	left = g_strconcat(target, "/", walk->left, NULL);
	g_free(walk->left);
	walk->left = left;
	return *target != '/' || start_over(walk);
}

static bool enter(Walk *walk, const char *name, char **distrust)
{
	exm_autofd int fd = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	g_autofree char *path = g_strdup_printf("%s/%s", walk->done->str, name);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	note_distrust(&status, path, distrust);
	if (S_ISLNK(status.st_mode))
		return follow(walk, fd);
	g_string_assign(walk->done, path);
	exm_fd_clear(&walk->at);
	walk->at = g_steal_fd(&fd);
	return true;
}

/* Takes the next component off what is left (transfer full), or NULL at the end. */
static char *next_name(Walk *walk)
{
	const char *start = walk->left + strspn(walk->left, "/");
	const char *end = start + strcspn(start, "/");
	char *name = end > start ? g_strndup(start, (size_t)(end - start)) : NULL;
	char *left = g_strdup(end);

	g_free(walk->left);
	walk->left = left;
	return name;
}

static bool walk_all(Walk *walk, char **distrust)
{
	while (true) {
		g_autofree char *name = next_name(walk);

		if (!name)
			return true;
		if (strcmp(name, ".") != 0 && !enter(walk, name, distrust))
			return false;
	}
}

/**
 * exm_safe_open_directory() - Open a directory, and look who could have changed its path
 * @path:     of it; links in it are followed
 * @distrust: (transfer full): who else than root and this user could have put there what is there
 *            now, as the beginning of a message; stays where it is set already, or nobody could
 * @error:    SYSTEM
 *
 * Each component is opened in the one before, so that what was looked at is what is opened.
 *
 * Return: a descriptor (transfer full), close-on-exec; -1 with @error set, and errno.
 */
int exm_safe_open_directory(const char *path, char **distrust, GError **error)
{
	g_auto(Walk) walk = {
		.at = -1,
		.done = g_string_new(NULL),
		.left = g_canonicalize_filename(path, NULL),
	};
	int fd = -1;

	if (start_over(&walk) && walk_all(&walk, distrust))
		fd = openat(walk.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		const int reason = errno;

		exm_throw_errno(error, reason, "cannot open '%s'", path);
		errno = reason;
	}
	return fd;
}

/**
 * exm_safe_look() - Look who could change what a path leads to
 * @path:     of a file or a directory
 * @distrust: as for exm_safe_open_directory()
 * @error:    SYSTEM
 */
bool exm_safe_look(const char *path, char **distrust, GError **error)
{
	g_auto(Walk) walk = {
		.at = -1,
		.done = g_string_new(NULL),
		.left = g_canonicalize_filename(path, NULL),
	};

	return (start_over(&walk) && walk_all(&walk, distrust)) ||
	       exm_throw_errno(error, errno, "cannot open '%s'", path);
}

static bool read_up_to(int fd, const char *path, size_t max, GString *text, GError **error)
{
	char block[16384];
	ssize_t count;

	while ((count = TEMP_FAILURE_RETRY(read(fd, block, sizeof(block)))) > 0) {
		g_string_append_len(text, block, count);
		if (text->len > max) {
			g_autofree char *size = exm_size_human(max);

			return exm_throw(error, EXM_ERROR_STATE, "'%s' is larger than %s", path,
			                 size);
		}
	}
	return count == 0 || exm_throw_errno(error, errno, "cannot read '%s'", path);
}

static bool open_regular(int directory, const char *path, int *ret_fd, struct stat *ret_status,
                         GError **error)
{
	g_autofree char *name = g_path_get_basename(path);
	exm_autofd int fd = openat(directory, name,
	                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno == ELOOP)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is a symbolic link", path);
	if (fd < 0 || fstat(fd, ret_status) < 0)
		return exm_throw_errno(error, errno, "cannot open '%s'", path);
	if (!S_ISREG(ret_status->st_mode))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not a regular file", path);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/**
 * exm_safe_read() - Read a small file of a directory
 * @directory: descriptor of the directory
 * @path:      of the file, whose last component is its name there; a symbolic link is none
 * @max:       bytes that it may have
 * @distrust:  as for exm_safe_open_directory()
 * @error:     STATE where it is no regular file, a link, or too large; SYSTEM
 *
 * A FIFO, a device and an endless file cost no time.
 *
 * Return: what was read (transfer full), or NULL.
 */
GString *exm_safe_read(int directory, const char *path, size_t max, char **distrust, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	exm_autofd int fd = -1;
	struct stat status = { 0 };

	if (!open_regular(directory, path, &fd, &status, error))
		return NULL;
	note_distrust(&status, path, distrust);
	return read_up_to(fd, path, max, text, error) ? g_steal_pointer(&text) : NULL;
}
