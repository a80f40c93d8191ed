/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd.c - Descriptors that close themselves, and whole files read and written */

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/close_range.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/**
 * exm_fd_clear() - Close a descriptor, if it is one, and forget it
 * @fd: the descriptor, or -1; it is -1 afterwards
 *
 * Leaves errno alone.
 */
void exm_fd_clear(int *fd)
{
	const int errnum = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = errnum;
}

/* No size is asked for first: files of /proc and /sys do not know theirs. */
static bool read_all(int fd, const char *name, char **ret_text, size_t *ret_length, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char chunk[16384];
	ssize_t got;

	while ((got = TEMP_FAILURE_RETRY(read(fd, chunk, sizeof(chunk)))) > 0)
		g_string_append_len(text, chunk, got);
	if (got < 0)
		return exm_throw_errno(error, errno, "cannot read %s", name);
	if (ret_length != NULL)
		*ret_length = text->len;
	*ret_text = g_string_free(g_steal_pointer(&text), FALSE);
	return true;
}

/**
 * exm_fd_read_all() - Read a descriptor to its end
 * @fd:         the descriptor; it stays open
 * @ret_text:   (transfer full): what was read, and a NUL behind it
 * @ret_length: its length without that NUL; may be NULL
 * @error:      as exm_throw_errno() sets it
 *
 * Return: true, or false with @error set
 */
bool exm_fd_read_all(int fd, char **ret_text, size_t *ret_length, GError **error)
{
	g_autofree char *name = g_strdup_printf("descriptor %d", fd);

	return read_all(fd, name, ret_text, ret_length, error);
}

/**
 * exm_file_read() - Read a whole file
 * @path:       its path
 * @ret_text:   (transfer full): what was read, and a NUL behind it
 * @ret_length: its length without that NUL; may be NULL
 * @error:      as exm_throw_errno() sets it
 *
 * Return: true, or false with @error set
 */
bool exm_file_read(const char *path, char **ret_text, size_t *ret_length, GError **error)
{
	g_autofree char *name = g_strdup_printf("'%s'", path);
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return exm_throw_errno(error, errno, "cannot open %s", name);
	return read_all(fd, name, ret_text, ret_length, error);
}

/**
 * exm_fd_write_all() - Write all of something to a descriptor
 * @fd:    the descriptor, which waits (no O_NONBLOCK)
 * @data:  what to write
 * @size:  its bytes
 * @name:  what the error says could not be written
 * @error: as exm_throw_errno() sets it; how much was written is not known then
 *
 * Return: true, or false with @error set
 */
bool exm_fd_write_all(int fd, const void *data, size_t size, const char *name, GError **error)
{
	const char *next = data;

	while (size > 0) {
		const ssize_t put = TEMP_FAILURE_RETRY(write(fd, next, size));

		if (put < 0)
			return exm_throw_errno(error, errno, "cannot write %s", name);
		next += put;
		size -= (size_t)put;
	}
	return true;
}

/* mkstemp: O_EXCL and a random end, another one where that is taken. */
static bool replace_file(const char *path, const char *text, size_t length, mode_t mode, bool sync,
                         GError **error)
{
	g_autofree char *name = g_strdup_printf("'%s'", path);
	g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", path);
	exm_autofd int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return exm_throw_errno(error, errno, "cannot create a file beside '%s'", path);
	if (exm_fd_write_all(fd, text, length, name, error)) {
		/* NFS reports at close(2) what it could not write (Linux, fs/nfs/file.c). */
		if (fchmod(fd, mode) == 0 && (!sync || TEMP_FAILURE_RETRY(fsync(fd)) == 0) &&
		    close(g_steal_fd(&fd)) == 0 && rename(temporary, path) == 0)
			return true;
		exm_throw_errno(error, errno, "cannot write %s", name);
	}
	unlink(temporary);
	return false;
}

/**
 * exm_file_write_atomic() - Write a whole file so that a reader sees the old one or the new one
 * @path:   its path; what is there is replaced, also where it is a symbolic link
 * @text:   what the file shall hold
 * @length: length of @text
 * @mode:   permissions of the file, whatever the umask
 * @error:  as exm_throw_errno() sets it
 *
 * For what need not outlive a crash of the host: nothing is synced, and after a crash the file may
 * be the old one, the new one or empty. A failure leaves what was at @path and nothing beside it.
 *
 * Return: true, or false with @error set
 */
bool exm_file_write_atomic(const char *path, const char *text, size_t length, int mode, GError **error)
{
	return replace_file(path, text, length, (mode_t)mode, false, error);
}

/**
 * exm_file_write_durable() - Write a whole file so that it also outlives a crash of the host
 * @path:   its path; what is there is replaced, also where it is a symbolic link
 * @text:   what the file shall hold
 * @length: length of @text
 * @mode:   permissions of the file, whatever the umask
 * @error:  as exm_throw_errno() sets it
 *
 * The text is synced before the file gets its name, and the directory after it: a crash leaves the
 * old file or the new one, and the new one once this has returned. A failure leaves what was at
 * @path and nothing beside it, unless nothing but the directory's sync has failed.
 *
 * Return: true, or false with @error set
 */
bool exm_file_write_durable(const char *path, const char *text, size_t length, int mode,
                            GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);

	return replace_file(path, text, length, (mode_t)mode, true, error) &&
	       exm_directory_sync(directory, error);
}

/**
 * exm_file_sync() - Make a file's content, size and times outlive a crash of the host
 * @path:  the file; its name is not synced
 * @error: as exm_throw_errno() sets it; also for a write-back that failed earlier, unless the
 * kernel has reported that to somebody already (Linux, lib/errseq.c)
 *
 * Return: true, or false with @error set
 */
bool exm_file_sync(const char *path, GError **error)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return exm_throw_errno(error, errno, "cannot open '%s'", path);
	return TEMP_FAILURE_RETRY(fsync(fd)) == 0 ||
	       exm_throw_errno(error, errno, "cannot sync '%s'", path);
}

/**
 * exm_directory_sync() - Make the names in a directory outlive a crash of the host
 * @path:  the directory; its files are not synced, nor is its own name in its parent
 * @error: as exm_throw_errno() sets it
 *
 * A file system that cannot sync a directory (EINVAL, as some in user space say) has done what it
 * can.
 *
 * Return: true, or false with @error set
 */
bool exm_directory_sync(const char *path, GError **error)
{
	exm_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return exm_throw_errno(error, errno, "cannot open '%s'", path);
	if (TEMP_FAILURE_RETRY(fsync(fd)) < 0 && errno != EINVAL)
		return exm_throw_errno(error, errno, "cannot sync '%s'", path);
	return true;
}

/**
 * exm_fd_close_on_exec_from() - Let a program that is executed inherit none of these descriptors
 * @first: this one and all above it
 *
 * Return: true, or false with errno set.
 */
bool exm_fd_close_on_exec_from(int first)
{
	if (close_range((unsigned int)first, UINT32_MAX, CLOSE_RANGE_CLOEXEC) == 0)
		return true;
	/* Before Linux 5.11, and under valgrind. */
	for (int fd = (int)sysconf(_SC_OPEN_MAX) - 1; fd >= first; fd--)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
			return false;
	return true;
}

static void close_from_to(int first, int last)
{
	if (first > last || close_range((unsigned int)first, (unsigned int)last, 0) == 0)
		return;
	/* Before Linux 5.9, and under valgrind. */
	last = MIN(last, (int)sysconf(_SC_OPEN_MAX) - 1);
	for (int fd = first; fd <= last; fd++)
		close(fd);
}

/* A file opened later must not get one of these numbers: what is printed would go into it. */
static bool fill_standard_fds(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	return fd >= 0 && close(fd) == 0;
}

/**
 * exm_fd_close_all_but() - Close all descriptors but a few
 * @kept: those that stay open, in ascending order, ended by -1
 *
 * Those of stdin, stdout and stderr that are closed are /dev/null then.
 *
 * Return: true, or false with errno set.
 */
bool exm_fd_close_all_but(const int *kept)
{
	int next = STDIN_FILENO;

	for (; *kept >= 0; kept++) {
		close_from_to(next, *kept - 1);
		next = *kept + 1;
	}
	close_from_to(next, INT32_MAX);
	return fill_standard_fds();
}

/**
 * exm_file_remove() - Remove a file's name; one that is not there is no error
 * @path:  the file
 * @error: as exm_throw_errno() sets it
 */
bool exm_file_remove(const char *path, GError **error)
{
	return unlink(path) == 0 || errno == ENOENT ||
	       exm_throw_errno(error, errno, "cannot remove '%s'", path);
}

/**
 * exm_file_remove_own() - Remove a file's name, unless that is another file's by now
 * @fd:   the file, open
 * @path: its name
 *
 * No call of Linux compares and removes at once; what is left to chance are microseconds.
 *
 * Return: true, or false with errno set, ESTALE where the name is another file's
 */
bool exm_file_remove_own(int fd, const char *path)
{
	struct stat ours, there;

	if (fstat(fd, &ours) < 0 || lstat(path, &there) < 0)
		return false;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino) {
		errno = ESTALE;
		return false;
	}
	return unlink(path) == 0;
}
