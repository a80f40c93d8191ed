/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frozen.c - A QEMU whose every thread is stopped, and the locks that it holds */

#include "host/frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/directory.h"
#include "host/lock.h"

/* A thread in a disk write stops when that is done. */
#define STOP_ATTEMPTS 20000
#define STOP_PAUSE_US 500UL

/* The letter behind the name, which may hold anything, in /proc/PID/stat (proc(5)). */
static char state_of(const char *directory, const char *thread)
{
	g_autofree char *path = g_build_filename(directory, thread, "stat", NULL);
	g_autofree char *text = NULL;
	const char *behind;

	if (!exm_file_read(path, &text, NULL, NULL))
		return 'X';
	behind = strrchr(text, ')');
	return (char)(behind && behind[1] ? behind[2] : 'X');
}

static bool is_stopped(const char *directory)
{
	g_autoptr(GDir) threads = g_dir_open(directory, 0, NULL);
	const char *thread;

	while (threads && (thread = g_dir_read_name(threads)))
		/* Stopped, or not there any more. */
		if (!strchr("TtXZ", state_of(directory, thread)))
			return false;
	return threads;
}

static bool has_ended(int process)
{
	struct pollfd polled = { .fd = process, .events = POLLIN };

	return TEMP_FAILURE_RETRY(poll(&polled, 1, 0)) > 0;
}

/**
 * exm_frozen_stop() - Stop every thread of a process
 * @pid:     the process
 * @process: the same, of exm_pidfd_open()
 * @error:   SYSTEM where one goes on, or the process has ended
 */
bool exm_frozen_stop(pid_t pid, int process, GError **error)
{
	g_autofree char *directory = g_strdup_printf("/proc/%d/task", (int)pid);

	if (pidfd_send_signal(process, SIGSTOP, NULL, 0) < 0)
		return exm_throw_errno(error, errno, "stop process %d", (int)pid);
	for (int i = 0; i < STOP_ATTEMPTS; i++) {
		if (is_stopped(directory))
			return true;
		if (has_ended(process))
			return exm_throw(error, EXM_ERROR_SYSTEM, "process %d has ended", (int)pid);
		g_usleep(STOP_PAUSE_US);
	}
	return exm_throw(error, EXM_ERROR_SYSTEM, "process %d does not stop", (int)pid);
}

/**
 * exm_frozen_go_on() - Let a process go on that was stopped
 * @process: of exm_pidfd_open()
 */
void exm_frozen_go_on(int process)
{
	pidfd_send_signal(process, SIGCONT, NULL, 0);
}

static void close_lock(gpointer lock)
{
	exm_fd_clear(lock);
}

static bool is_file(const char *path, const struct stat *wanted)
{
	struct stat found;

	return stat(path, &found) == 0 && found.st_ino == wanted->st_ino &&
	       found.st_dev == wanted->st_dev;
}

/* What the process has closed meanwhile, or the kernel does not give away, is none. */
static bool get_lock(int process, const char *number, GArray *locks)
{
	const int fd = pidfd_getfd(process, (int)g_ascii_strtoll(number, NULL, 10), 0);

	if (fd >= 0)
		g_array_append_val(locks, fd);
	return fd >= 0 || errno == EPERM || errno == ENOSYS || errno == EBADF || errno == ESRCH;
}

/**
 * exm_frozen_locks() - Get hold of a process's descriptors of a file
 * @pid:     the process
 * @process: the same, of exm_pidfd_open()
 * @path:    the file
 * @error:   SYSTEM
 *
 * They are the same open files, so that a lock can be given back through them while the process
 * itself is still busy dying.
 *
 * Return: of int (transfer full), closed with the array; empty where the kernel lets nobody have
 * them, or where there is no such file. NULL on error.
 */
GArray *exm_frozen_locks(pid_t pid, int process, const char *path, GError **error)
{
	g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)pid);
	g_auto(GStrv) names = exm_directory_names(directory, error);
	g_autoptr(GArray) locks = g_array_new(FALSE, FALSE, sizeof(int));
	struct stat wanted;

	g_array_set_clear_func(locks, close_lock);
	if (!names)
		return NULL;
	if (stat(path, &wanted) < 0)
		return g_steal_pointer(&locks);
	for (char **name = names; *name; name++) {
		g_autofree char *link = g_build_filename(directory, *name, NULL);

		if (is_file(link, &wanted) && !get_lock(process, *name, locks)) {
			exm_throw_errno(error, errno, "get hold of '%s' of process %d", path,
			                (int)pid);
			return NULL;
		}
	}
	return g_steal_pointer(&locks);
}

/**
 * exm_frozen_unlock() - Give back locks of a process that is killed and may still be there
 * @locks: of exm_frozen_locks()
 */
void exm_frozen_unlock(GArray *locks)
{
	for (guint i = 0; i < locks->len; i++)
		flock(g_array_index(locks, int, i), LOCK_UN);
}

/**
 * exm_frozen_lock() - Take a lock that a process then holds
 * @process:   of exm_pidfd_open()
 * @fd:        number of its descriptor
 * @shared:    others may hold it too
 * @ret_taken: false where somebody else holds it
 * @error:     SYSTEM
 */
bool exm_frozen_lock(int process, int fd, bool shared, bool *ret_taken, GError **error)
{
	exm_autofd int ours = pidfd_getfd(process, fd, 0);

	if (ours < 0)
		return exm_throw_errno(error, errno, "get hold of descriptor %d of a guest", fd);
	return exm_lock_take(ours, shared, ret_taken, error);
}
