/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_head.c - Look at the first bytes of the state that -incoming will load */

#include "host/stream_head.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* A descriptor is QEMU's, too: nothing may move it. */
static bool read_at(int fd, uint64_t offset, uint8_t *bytes, size_t *ret_length)
{
	size_t length = 0;
	ssize_t got;

	do {
		got = TEMP_FAILURE_RETRY(pread(fd, bytes + length, EXM_STREAM_HEAD_SIZE - length,
		                               (off_t)(offset + length)));
		length += got > 0 ? (size_t)got : 0;
	} while (got > 0 && length < EXM_STREAM_HEAD_SIZE);
	*ret_length = length;
	return got >= 0;
}

static bool recognize(int fd, uint64_t offset, const char *name, ExmStreamHead *ret_head,
                      GError **error)
{
	uint8_t bytes[EXM_STREAM_HEAD_SIZE];
	size_t length;

	if (!read_at(fd, offset, bytes, &length))
		return exm_throw_errno(error, errno, "cannot read '%s'", name);
	*ret_head = exm_stream_head_recognize(bytes, length);
	return true;
}

static bool look_at_descriptor(int fd, const char *name, ExmStreamHead *ret_head, GError **error)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return exm_throw_errno(error, errno, "cannot read '%s'", name);
	if (S_ISREG(info.st_mode))
		return recognize(fd, (uint64_t)lseek(fd, 0, SEEK_CUR), name, ret_head, error);
	*ret_head = EXM_STREAM_UNSEEN;
	return true;
}

static bool look_at_path(const ExmIncomingFile *file, const char *name, ExmStreamHead *ret_head,
                         GError **error)
{
	exm_autofd int fd = -1;
	struct stat info;

	if (stat(file->path, &info) < 0) {
		if (errno != ENOENT)
			return exm_throw_errno(error, errno, "cannot look at '%s'", name);
		*ret_head = EXM_STREAM_MISSING;
		return true;
	}
	/* To open a pipe would wake who writes to it, and who waits for QEMU. */
	if (!S_ISREG(info.st_mode)) {
		*ret_head = EXM_STREAM_UNSEEN;
		return true;
	}
	fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return exm_throw_errno(error, errno, "cannot open '%s'", name);
	return recognize(fd, file->offset, name, ret_head, error);
}

/**
 * exm_stream_head_read() - What kind of state a file holds
 * @file:     the file
 * @ret_head: EXM_STREAM_UNSEEN where it is no plain file
 * @error:    SYSTEM where it cannot be read
 *
 * A descriptor stays where it stands.
 */
bool exm_stream_head_read(const ExmIncomingFile *file, ExmStreamHead *ret_head, GError **error)
{
	g_autofree char *name = exm_incoming_file_print(file);

	return file->path ? look_at_path(file, name, ret_head, error)
	                  : look_at_descriptor(file->fd, name, ret_head, error);
}
