/* SPDX-License-Identifier: GPL-2.0-or-later */
/* safe_open.c - Open what another user may have put there, and find out whether one may have */

#include "host/safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "plan/host.h"

/* As many symbolic links as the kernel follows in one path (path_resolution(7)). */
#define LINKS_MAX 40

/**
 * struct Walk - A path that is followed component by component
 * @at:       descriptor of where it has come to
 * @done:     path of that
 * @left:     the rest of the path
 * @links:    how many symbolic links were followed
 * @squashed: on NFS, root's files may be nobody's
 * @closed:   a directory on the way cannot be entered by all
 * @top:      owner of "/"
 * @shared:   others can make something in the directory that it has come to
 */
typedef struct {
	int at;
	GString *done;
	char *left;
	int links;
	bool squashed;
	bool closed;
	uid_t top;
	bool shared;
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

/**
 * exm_safe_is_ours() - Whether a file belongs to root or to this user
 * @status: of the file
 */
bool exm_safe_is_ours(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

static bool is_squashed(int fd, const struct stat *status)
{
	struct statfs system;

	return status->st_uid == EXM_NFS_NOBODY && geteuid() == 0 && fstatfs(fd, &system) == 0 &&
	       system.f_type == NFS_SUPER_MAGIC;
}

/* The first reason counts. In a sticky directory nobody renames what is another's. */
static void note_distrust(const struct stat *status, bool is_ours, const char *path, char **distrust)
{
	const bool sticky = S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX);

	if (*distrust)
		return;
	if (!is_ours)
		*distrust = g_strdup_printf("'%s' belongs to another user", path);
	else if (!S_ISLNK(status->st_mode) && !sticky && exm_safe_others_may_write(status))
		*distrust = g_strdup_printf("others can write to '%s'", path);
}

static bool start_over(Walk *walk)
{
	struct stat status;

	exm_fd_clear(&walk->at);
	g_string_assign(walk->done, "");
	walk->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	walk->shared = false;
	if (walk->at < 0 || fstat(walk->at, &status) < 0)
		return false;
	walk->top = status.st_uid;
	return true;
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

/*
 * In a user namespace that has no root, root is one of all those who are not in it
 * (user_namespaces(7), overflowuid). What such a one has may be root's where only root could put it.
 */
static bool may_be_root(const Walk *walk, const struct stat *status)
{
	return status->st_uid == walk->top && !walk->shared;
}

/* autofs mounts only what is opened as a directory (Linux, fs/namei.c, follow_automount()). */
static int open_component(int at, const char *name)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	const int fd = openat(at, name, flags | O_DIRECTORY);

	return fd < 0 && errno == ENOTDIR ? openat(at, name, flags) : fd;
}

static bool enter(Walk *walk, const char *name, char **distrust)
{
	exm_autofd int fd = open_component(walk->at, name);
	g_autofree char *path = g_strdup_printf("%s/%s", walk->done->str, name);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	note_distrust(&status,
	              exm_safe_is_ours(&status) || may_be_root(walk, &status) ||
	                      (walk->squashed && is_squashed(fd, &status)),
	              path, distrust);
	if (S_ISLNK(status.st_mode))
		return follow(walk, fd);
	walk->closed = walk->closed || !(status.st_mode & S_IXOTH);
	walk->shared = exm_safe_others_may_write(&status);
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

/* A link of /proc leads elsewhere than its text, and what stood at the path may have been exchanged. */
static void note_other_end(int fd, const char *path, char **distrust)
{
	struct stat ours, there;

	if (!*distrust && (fstat(fd, &ours) < 0 || stat(path, &there) < 0 ||
	                   ours.st_dev != there.st_dev || ours.st_ino != there.st_ino))
		*distrust = g_strdup_printf("'%s' leads elsewhere than its links say", path);
}

static bool walk_path(Walk *walk, const char *path, char **distrust)
{
	walk->at = -1;
	walk->done = g_string_new(NULL);
	walk->left = g_canonicalize_filename(path, NULL);
	return start_over(walk) && walk_all(walk, distrust);
}

static int throw_unopened(const char *path, GError **error)
{
	const int reason = errno;

	exm_throw_errno(error, reason, "cannot open '%s'", path);
	errno = reason;
	return -1;
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
	g_auto(Walk) walk = { 0 };
	int fd = -1;

	if (walk_path(&walk, path, distrust))
		fd = openat(walk.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return throw_unopened(path, error);
	note_other_end(fd, path, distrust);
	return fd;
}

/**
 * exm_safe_open_parent() - Open the directory that a name is in, to reach what is there
 * @path:     of what is there, or will be
 * @distrust: as for exm_safe_open_directory()
 * @error:    SYSTEM
 *
 * Return: a descriptor (transfer full), close-on-exec, for openat(2) and its like (O_PATH); -1 with
 * @error set, and errno.
 */
int exm_safe_open_parent(const char *path, char **distrust, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);
	g_auto(Walk) walk = { 0 };

	if (!walk_path(&walk, parent, distrust))
		return throw_unopened(parent, error);
	note_other_end(walk.at, parent, distrust);
	return g_steal_fd(&walk.at);
}

/**
 * exm_safe_look() - Look who could change what a directory is, and whether all can enter it
 * @path:         of the directory, which the user has named
 * @ret_distrust: (transfer full): as for exm_safe_open_directory(), or NULL
 *
 * Unlike there, a directory of nobody on NFS is root's own for root: a server with root_squash has
 * it so, and does not say whom else it takes for nobody.
 *
 * Return: whether some directory of the path keeps out users who are in none of its groups.
 */
bool exm_safe_look(const char *path, char **ret_distrust)
{
	g_auto(Walk) walk = { .squashed = true };

	*ret_distrust = NULL;
	if (walk_path(&walk, path, ret_distrust))
		note_other_end(walk.at, path, ret_distrust);
	else if (!*ret_distrust)
		*ret_distrust = g_strdup_printf("cannot open '%s': %s", path, g_strerror(errno));
	return walk.closed;
}

static bool throw_large(const char *path, size_t max, GError **error)
{
	g_autofree char *size = exm_size_human(max);

	return exm_throw(error, EXM_ERROR_STATE, "'%s' is larger than %s", path, size);
}

static bool read_up_to(int fd, const char *path, size_t max, GString *text, GError **error)
{
	char block[16384];
	ssize_t count;

	while ((count = TEMP_FAILURE_RETRY(read(fd, block, sizeof(block)))) > 0) {
		g_string_append_len(text, block, count);
		if (text->len > max)
			return throw_large(path, max, error);
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
	note_distrust(&status, exm_safe_is_ours(&status), path, distrust);
	/* It may have grown since. */
	if ((uint64_t)status.st_size > max && !throw_large(path, max, error))
		return NULL;
	return read_up_to(fd, path, max, text, error) ? g_steal_pointer(&text) : NULL;
}

/* What was looked at, opened to be read. */
static int open_again(int fd, const char *path, GError **error)
{
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
	struct stat status;
	int again;

	if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
		exm_throw(error, EXM_ERROR_STATE, "'%s' is not a regular file", path);
		return -1;
	}
	again = open(name, O_RDONLY | O_CLOEXEC);
	return again < 0 ? throw_unopened(path, error) : again;
}

/**
 * exm_safe_read_path() - Read a small file that may be reached over symbolic links
 * @path:     of it
 * @max:      bytes that it may have
 * @distrust: as for exm_safe_open_directory()
 * @error:    STATE where it is no regular file, or too large; SYSTEM
 *
 * Return: what was read (transfer full), or NULL.
 */
GString *exm_safe_read_path(const char *path, size_t max, char **distrust, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_auto(Walk) walk = { 0 };
	exm_autofd int fd = -1;

	if (!walk_path(&walk, path, distrust)) {
		throw_unopened(path, error);
		return NULL;
	}
	fd = open_again(walk.at, path, error);
	return fd >= 0 && read_up_to(fd, path, max, text, error) ? g_steal_pointer(&text) : NULL;
}
