/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidfd.c - Processes of guests, held so that a number used again is never taken for one */

#include "host/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/state.h"

/**
 * exm_pidfd_open() - Get hold of a guest's process
 * @vm:     the guest
 * @ret_fd: readable when the process has ended; -1 where it has ended already
 * @error:  SYSTEM
 */
bool exm_pidfd_open(const ExmVm *vm, int *ret_fd, GError **error)
{
	exm_autofd int fd = pidfd_open((pid_t)vm->pid, 0);
	uint64_t start_time;

	if (fd < 0 && errno != ESRCH)
		return exm_throw_errno(error, errno, "get hold of process %d of guest '%s'",
		                       (int)vm->pid, vm->name);
	/* Asked after the opening: if it is the right one now, the descriptor is of that one. */
	if (!exm_state_start_time((pid_t)vm->pid, &start_time, error))
		return false;
	if (start_time != vm->start_time)
		exm_fd_clear(&fd);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/**
 * exm_pidfd_kill() - Kill a process; one that has ended is no error
 * @fd:    of exm_pidfd_open()
 * @error: SYSTEM
 */
bool exm_pidfd_kill(int fd, GError **error)
{
	if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return exm_throw_errno(error, errno, "kill a process");
	return true;
}

/**
 * exm_pidfd_terminate() - Have QEMU quit without its monitor; one that has ended is no error
 * @fd:    of exm_pidfd_open()
 * @error: SYSTEM
 *
 * QEMU takes SIGTERM as it takes "quit", and writes out its disks (softmmu/runstate.c,
 * qemu_system_killed()).
 */
bool exm_pidfd_terminate(int fd, GError **error)
{
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return exm_throw_errno(error, errno, "terminate a process");
	return true;
}

static bool close_ended(int *fds, struct pollfd *polled, size_t count)
{
	bool all = true;

	for (size_t i = 0; i < count; i++) {
		if (polled[i].revents)
			exm_fd_clear(&fds[i]);
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		all = all && fds[i] < 0;
	}
	return all;
}

/**
 * exm_pidfds_wait() - Wait until processes have ended
 * @fds:        of exm_pidfd_open(); those of processes that have ended are closed and become -1
 * @count:      of them
 * @timeout_ms: -1 for no end
 *
 * Return: whether all have ended.
 */
bool exm_pidfds_wait(int *fds, size_t count, int timeout_ms)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_autofree struct pollfd *polled = g_new0(struct pollfd, count);
	bool last = false;

	while (!close_ended(fds, polled, count) && !last) {
		const gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;

		last = timeout_ms >= 0 && left <= 0;
		poll(polled, count, timeout_ms < 0 ? -1 : (int)MAX(left, 0));
	}
	return close_ended(fds, polled, count);
}

/**
 * exm_pidfd_end() - Kill a guest's process and wait until it has ended
 * @vm:         the guest, which may have ended already
 * @timeout_ms: how long it may take to give back its memory
 * @error:      SYSTEM, also where it takes longer
 */
bool exm_pidfd_end(const ExmVm *vm, int timeout_ms, GError **error)
{
	exm_autofd int process = -1;

	if (!exm_pidfd_open(vm, &process, error))
		return false;
	if (process < 0)
		return true;
	return exm_pidfd_kill(process, error) &&
	       (exm_pidfds_wait(&process, 1, timeout_ms) ||
	        exm_throw(error, EXM_ERROR_SYSTEM, "guest '%s' (pid %d) does not end", vm->name,
	                  (int)vm->pid));
}
