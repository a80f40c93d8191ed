/* SPDX-License-Identifier: GPL-2.0-or-later */
/* directory.c - Directories by descriptor: what is in them, and those that lie on no other mount */

#include "host/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/**
 * exm_directory_open_at() - Read a directory
 * @at:   descriptor of the one that it is in, or AT_FDCWD
 * @name: its name; a symbolic link is none
 *
 * Return: the directory (transfer full), or NULL with errno set.
 */
ExmDirectory *exm_directory_open_at(int at, const char *name)
{
	exm_autofd int fd = openat(at, name, FLAGS);
	ExmDirectory *directory = fd < 0 ? NULL : fdopendir(fd);

	if (directory)
		g_steal_fd(&fd);
	return directory;
}

/**
 * exm_directory_next() - The next entry of a directory
 * @directory: that is read
 *
 * Return: the entry, never "." or "..", valid until the next call; NULL at the end, and with errno
 * set where it is not known whether there are more.
 */
const struct dirent *exm_directory_next(ExmDirectory *directory)
{
	const struct dirent *entry;

	errno = 0;
	do {
		entry = readdir(directory);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

/**
 * exm_directory_close() - Stop reading a directory
 * @directory: may be NULL
 */
void exm_directory_close(ExmDirectory *directory)
{
	if (directory)
		closedir(directory);
}

static bool read_names(DIR *directory, GStrvBuilder *names)
{
	const struct dirent *entry;

	do {
		entry = exm_directory_next(directory);
		if (entry)
			g_strv_builder_add(names, entry->d_name);
	} while (entry);
	/* The process that it describes, in /proc, may be gone by now. */
	return errno == 0 || errno == ENOENT || errno == ESRCH;
}

/**
 * exm_directory_names() - What is in a directory
 * @path:  of it; one that is not there, or that this user may not read, is empty
 * @error: SYSTEM where it is not known what is in it
 *
 * Return: names (transfer full), closed by NULL, never "." or ".."; or NULL.
 */
GStrv exm_directory_names(const char *path, GError **error)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	g_autoptr(ExmDirectory) directory = opendir(path);

	if ((!directory && errno != ENOENT && errno != ENOTDIR && errno != EACCES) ||
	    (directory && !read_names(directory, names))) {
		exm_throw_errno(error, errno, "cannot read '%s'", path);
		return NULL;
	}
	return g_strv_builder_end(names);
}

/* Before Linux 5.6, and where a container keeps the call away: a bind mount of one device is missed. */
static int open_on_device(int at, const char *name)
{
	exm_autofd int fd = openat(at, name, FLAGS);
	struct stat inner, outer;

	if (fd < 0 || fstat(fd, &inner) < 0 || fstat(at, &outer) < 0)
		return -1;
	if (inner.st_dev != outer.st_dev) {
		errno = EXDEV;
		return -1;
	}
	return g_steal_fd(&fd);
}

/**
 * exm_directory_beneath() - Open a directory that is in another one
 * @at:   descriptor of the other one
 * @name: its name there
 *
 * Return: a descriptor (transfer full), close-on-exec; -1 with errno set, which is EXDEV where
 * another file system is mounted there, and ELOOP or ENOTDIR for a symbolic link.
 */
int exm_directory_beneath(int at, const char *name)
{
	const struct open_how how = {
		.flags = FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	const long fd = syscall(SYS_openat2, at, name, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_on_device(at, name);
	return (int)fd;
}
