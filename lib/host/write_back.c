/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write_back.c - Write a guest's memory file back, and miss no error of that */

#include "host/write_back.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/frozen.h"

/* A guest that dirties its memory faster than the disk takes it is not waited for. */
#define SETTLE_ROUNDS    12
#define SETTLE_ENOUGH_US 5000

/**
 * struct ExmWriteBack - A guest's memory file
 * @fd:   of it
 * @path: its name, for messages
 */
struct ExmWriteBack {
	int fd;
	char *path;
};

/*
 * The kernel reports a write-back error once to each open file description that was there before
 * it, and to a later one only if nobody has been told (Linux, lib/errseq.c). QEMU's is as old as
 * the guest.
 */
static int open_as_guest(pid_t pid, int process, const char *path, GError **error)
{
	g_autoptr(GArray) theirs = exm_frozen_locks(pid, process, path, error);
	int fd;

	if (!theirs)
		return -1;
	fd = theirs->len > 0 ? fcntl(g_array_index(theirs, int, 0), F_DUPFD_CLOEXEC, 0)
	                     : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		exm_throw_errno(error, errno, "cannot open '%s'", path);
	return fd;
}

/**
 * exm_write_back_open() - Open a memory file of a running guest as its QEMU has it open
 * @pid:     QEMU's
 * @process: the same, of exm_pidfd_open()
 * @path:    the file
 * @error:   SYSTEM
 *
 * Where the kernel does not allow that (pidfd_getfd(2) takes the permission to trace), the file is
 * opened anew: a write-back error of before that another program was told of is missed then.
 *
 * Return: the file (transfer full), or NULL.
 */
ExmWriteBack *exm_write_back_open(pid_t pid, int process, const char *path, GError **error)
{
	const int fd = open_as_guest(pid, process, path, error);
	ExmWriteBack *file;

	if (fd < 0)
		return NULL;
	file = g_new0(ExmWriteBack, 1);
	file->fd = fd;
	file->path = g_strdup(path);
	return file;
}

/**
 * exm_write_back_free() - Close a memory file
 * @file: may be NULL
 */
void exm_write_back_free(ExmWriteBack *file)
{
	if (!file)
		return;
	exm_fd_clear(&file->fd);
	g_free(file->path);
	g_free(file);
}

static bool report(const ExmWriteBack *file, long result, GError **error)
{
	return result == 0 || exm_throw_errno(error, errno, "cannot sync '%s'", file->path);
}

/**
 * exm_write_back_check() - Ask whether a write-back has failed, without starting one
 * @file:  the file
 * @error: SYSTEM or NO_ROOM, once for each failure
 *
 * What is being written is waited for (Linux, fs/sync.c, sync_file_range()).
 */
bool exm_write_back_check(const ExmWriteBack *file, GError **error)
{
	return report(file,
	              TEMP_FAILURE_RETRY(sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE)),
	              error);
}

/**
 * exm_write_back_settle() - Write dirty memory back while a guest runs, until little is left
 * @file:  the file
 * @error: SYSTEM or NO_ROOM, also of an earlier write-back
 */
bool exm_write_back_settle(const ExmWriteBack *file, GError **error)
{
	for (int i = 0; i < SETTLE_ROUNDS; i++) {
		const gint64 start = g_get_monotonic_time();

		if (!report(file, TEMP_FAILURE_RETRY(fdatasync(file->fd)), error))
			return false;
		if (g_get_monotonic_time() - start < SETTLE_ENOUGH_US)
			break;
	}
	return true;
}

/**
 * exm_write_back_sync() - Make a memory file outlive a crash of the host, and its times with it
 * @file:  the file
 * @error: SYSTEM or NO_ROOM, also of an earlier write-back
 */
bool exm_write_back_sync(const ExmWriteBack *file, GError **error)
{
	return report(file, TEMP_FAILURE_RETRY(fsync(file->fd)), error);
}
