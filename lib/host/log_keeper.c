/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_keeper.c - A small process that writes what comes through a pipe to a log of bounded size */

#include "host/log_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/child_process.h"
#include "host/lock.h"

/* As much as a pipe holds (Linux, fs/pipe.c: 16 pages). */
#define BLOCK_SIZE 65536

/* Signals that must not end the keeper: QEMU would lose its output, or its life by EPIPE. */
static const int ignored_signals[] = { SIGHUP, SIGINT, SIGTERM, SIGXFSZ, 0 };

/**
 * struct Keeper - What the process needs
 * @pipe:    end that is read
 * @log:     the file, locked as long as somebody may write to it
 * @folder:  where the file is: a fresh one is made there, even if another folder has that path now
 * @name:    of the file in the folder
 * @fresh:   name that a fresh file has until it takes the place of the old one
 * @length:  of the file
 */
typedef struct {
	int pipe;
	int log;
	int folder;
	const char *name;
	const char *fresh;
	off_t length;
} Keeper;

/* How much could be written: less than all on a full disk. */
static size_t write_all(int fd, const char *block, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t count = TEMP_FAILURE_RETRY(write(fd, block + done, size - done));

		if (count <= 0)
			break;
		done += (size_t)count;
	}
	return done;
}

/* Copies the last part of the log to @target, which is at the place where it shall go. */
static bool copy_last_part(const Keeper *keeper, int target, char *block)
{
	off_t from = keeper->length - EXM_LOG_KEPT;

	while (from < keeper->length) {
		const size_t left = (size_t)(keeper->length - from);
		const ssize_t count = TEMP_FAILURE_RETRY(
			pread(keeper->log, block, MIN(left, BLOCK_SIZE), from));

		if (count <= 0 || write_all(target, block, (size_t)count) < (size_t)count)
			return false;
		from += count;
	}
	return true;
}

/* A fresh file in place of the old one: who reads the old one can read it to its end. */
static bool replace_log(const Keeper *keeper, char *block)
{
	exm_autofd int fresh = -1;
	bool locked;

	unlinkat(keeper->folder, keeper->fresh, 0);
	fresh = openat(keeper->folder, keeper->fresh,
	               O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fresh < 0)
		return false;
	if (!exm_lock_take(fresh, false, &locked, NULL) || !copy_last_part(keeper, fresh, block) ||
	    renameat(keeper->folder, keeper->fresh, keeper->folder, keeper->name) < 0) {
		unlinkat(keeper->folder, keeper->fresh, 0);
		return false;
	}
	return dup2(fresh, keeper->log) == keeper->log;
}

/* Needs no space and no folder. Each block is read from behind the place where it is written. */
static bool shorten_in_place(const Keeper *keeper, char *block)
{
	return lseek(keeper->log, 0, SEEK_SET) == 0 && copy_last_part(keeper, keeper->log, block) &&
	       ftruncate(keeper->log, EXM_LOG_KEPT) == 0;
}

static void shorten(Keeper *keeper, char *block)
{
	if (replace_log(keeper, block) || shorten_in_place(keeper, block)) {
		keeper->length = EXM_LOG_KEPT;
		return;
	}
	/* An I/O error; the limit holds all the same. */
	(void)!ftruncate(keeper->log, 0);
	lseek(keeper->log, 0, SEEK_SET);
	keeper->length = 0;
}

/* Ends when nobody has the other end of the pipe. What cannot be written is dropped. */
static void keep(void *user)
{
	Keeper *keeper = user;
	static char block[BLOCK_SIZE], other_block[BLOCK_SIZE];
	ssize_t count;

	while ((count = TEMP_FAILURE_RETRY(read(keeper->pipe, block, sizeof(block)))) > 0) {
		if (keeper->length + count > EXM_LOG_LIMIT)
			shorten(keeper, other_block);
		keeper->length += (off_t)write_all(keeper->log, block, (size_t)count);
	}
}

static int compare_fds(const void *one, const void *other)
{
	return *(const int *)one - *(const int *)other;
}

/* The descriptors are closed by the fork, so that the process holds no lock of ours. */
static bool fork_keeper(Keeper *keeper, GError **error)
{
	int kept[] = { keeper->pipe, keeper->log, keeper->folder, -1 };
	const ExmChildProcess process = {
		.work = keep,
		.user = keeper,
		.name = "exomem-log",
		.ignored_signals = ignored_signals,
		.kept_fds = kept,
		.daemon = true,
	};

	qsort(kept, G_N_ELEMENTS(kept) - 1, sizeof(*kept), compare_fds);
	return exm_child_process_start_orphan(&process, NULL, error);
}

static bool open_log(const char *path, Keeper *keeper, GError **error)
{
	g_autofree char *folder_path = g_path_get_dirname(path);
	exm_autofd int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	exm_autofd int log = -1;
	bool taken;

	if (folder < 0)
		return exm_throw_errno(error, errno, "open '%s'", folder_path);
	log = openat(folder, keeper->name, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log < 0)
		return exm_throw_errno(error, errno, "make the log '%s'", path);
	if (!exm_lock_take(log, false, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE, "the log '%s' is being written", path);
	if (ftruncate(log, 0) < 0)
		return exm_throw_errno(error, errno, "empty the log '%s'", path);
	keeper->folder = g_steal_fd(&folder);
	keeper->log = g_steal_fd(&log);
	return true;
}

/**
 * exm_log_keeper_start() - Start a process that writes a log of bounded size
 * @path:         the log, mode 0600; what was there is lost
 * @ret_write_fd: what is written there goes into the log (transfer full, close-on-exec)
 * @error:        SYSTEM or NO_ROOM; STATE where another one writes that log
 *
 * The process belongs to nobody and to no terminal, is called "exomem-log", holds the log's lock
 * (flock(2)), and ends when the last copy of the descriptor is closed. It always goes on reading,
 * whether the disk is full or the folder is gone, so that who writes never waits for long.
 *
 * A log that would pass EXM_LOG_LIMIT is replaced by a file that begins with its last EXM_LOG_KEPT
 * bytes.
 */
bool exm_log_keeper_start(const char *path, int *ret_write_fd, GError **error)
{
	g_autofree char *name = g_path_get_basename(path);
	g_autofree char *fresh = g_strconcat(name, ".new", NULL);
	Keeper keeper = { .pipe = -1, .log = -1, .folder = -1, .name = name, .fresh = fresh };
	exm_autofd int write_end = -1;
	bool started;
	int ends[2];

	if (!open_log(path, &keeper, error))
		return false;
	started = pipe2(ends, O_CLOEXEC) == 0;
	if (started) {
		keeper.pipe = ends[0];
		write_end = ends[1];
		started = fork_keeper(&keeper, error);
		close(keeper.pipe);
	} else {
		exm_throw_errno(error, errno, "make a pipe");
	}
	close(keeper.log);
	close(keeper.folder);
	if (started)
		*ret_write_fd = g_steal_fd(&write_end);
	return started;
}
