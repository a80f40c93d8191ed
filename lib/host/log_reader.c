/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_reader.c - Read a log while it is written, shortened and replaced */

#include "host/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/lock.h"
#include "host/log_keeper.h"

/**
 * struct ExmLogReader - Where a reader is
 * @path:   of the log
 * @name:   its last part
 * @folder: where it is: another guest's folder may get the same path later
 * @fd:     the file that had this name when it was looked at last
 * @offset: of the next byte in it
 */
struct ExmLogReader {
	char *path;
	char *name;
	int folder;
	int fd;
	off_t offset;
};

static int open_log(const ExmLogReader *reader)
{
	return openat(reader->folder, reader->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/**
 * exm_log_reader_free() - Close a log
 * @reader: may be NULL
 */
void exm_log_reader_free(ExmLogReader *reader)
{
	if (!reader)
		return;
	exm_fd_clear(&reader->fd);
	exm_fd_clear(&reader->folder);
	g_free(reader->name);
	g_free(reader->path);
	g_free(reader);
}

/**
 * exm_log_reader_new() - Open a log, at its beginning
 * @path:  the log
 * @error: STATE where there is none
 *
 * Return: the reader (transfer full), or NULL.
 */
ExmLogReader *exm_log_reader_new(const char *path, GError **error)
{
	g_autoptr(ExmLogReader) reader = g_new0(ExmLogReader, 1);
	g_autofree char *folder = g_path_get_dirname(path);

	reader->path = g_strdup(path);
	reader->name = g_path_get_basename(path);
	reader->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reader->fd = reader->folder < 0 ? -1 : open_log(reader);
	if (reader->fd >= 0)
		return g_steal_pointer(&reader);
	if (errno == ENOENT)
		exm_throw(error, EXM_ERROR_STATE, "there is no log '%s'", path);
	else
		exm_throw_errno(error, errno, "open '%s'", path);
	return NULL;
}

/**
 * exm_log_reader_skip() - Go on near the end
 * @reader: the reader
 * @rest:   how much is left to read, at most
 *
 * Return: whether nothing had to be skipped.
 */
bool exm_log_reader_skip(ExmLogReader *reader, size_t rest)
{
	struct stat status;

	if (fstat(reader->fd, &status) < 0 || status.st_size - reader->offset <= (off_t)rest)
		return true;
	reader->offset = status.st_size - (off_t)rest;
	return false;
}

/* The file that has replaced ours, or -1. */
static int open_next_file(const ExmLogReader *reader)
{
	exm_autofd int fd = open_log(reader);
	struct stat ours, theirs;

	if (fd < 0 || fstat(reader->fd, &ours) < 0 || fstat(fd, &theirs) < 0 ||
	    (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev))
		return -1;
	return g_steal_fd(&fd);
}

/* The next file begins with what ours ended with. */
static bool take_next_file(ExmLogReader *reader)
{
	const int fd = open_next_file(reader);

	if (fd < 0)
		return false;
	close(reader->fd);
	reader->fd = fd;
	reader->offset = EXM_LOG_KEPT;
	return true;
}

/* A log that was shortened in place. */
static void step_back(ExmLogReader *reader)
{
	struct stat status;

	if (fstat(reader->fd, &status) == 0 && status.st_size < reader->offset)
		reader->offset = MIN(status.st_size, EXM_LOG_KEPT);
}

static bool read_block(ExmLogReader *reader, char *block, size_t size, size_t *ret_length,
                       GError **error)
{
	const ssize_t count = TEMP_FAILURE_RETRY(pread(reader->fd, block, size, reader->offset));

	if (count < 0)
		return exm_throw_errno(error, errno, "read '%s'", reader->path);
	reader->offset += count;
	*ret_length = (size_t)count;
	return true;
}

/**
 * exm_log_reader_read() - Read what comes next
 * @reader:     the reader
 * @block:      where to put it
 * @size:       at most that much
 * @ret_length: 0 where nothing more has been written
 * @error:      SYSTEM
 *
 * What was written and dropped since the last time is lost.
 */
bool exm_log_reader_read(ExmLogReader *reader, char *block, size_t size, size_t *ret_length,
                         GError **error)
{
	size_t length = 0;

	step_back(reader);
	if (!read_block(reader, block, size, &length, error))
		return false;
	if (length == 0 && take_next_file(reader) && !read_block(reader, block, size, &length, error))
		return false;
	*ret_length = length;
	return true;
}

/**
 * exm_log_reader_at_end() - Whether nothing will be written any more
 * @reader: the reader
 *
 * What has been written may still have to be read.
 */
bool exm_log_reader_at_end(const ExmLogReader *reader)
{
	exm_autofd int next = -1;
	bool free = false;

	/* A keeper drops the lock of a file after it has replaced it, so the lock comes first. */
	if (!exm_lock_take(reader->fd, true, &free, NULL))
		return true;
	next = open_next_file(reader);
	return free && next < 0;
}
